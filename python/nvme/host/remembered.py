# What setup changed, so that reset can undo it, also after a crash or in another shell: a small
# file in /run, gone after a restart like the changes themselves. Whatever is wrong with the file
# costs its contents only; sysfs has the truth about drivers.
"""The state file of handed-over functions."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace

from nvme.host.tree import Tree

FOLDER = "/run/pynvme"
_FILE = f"{FOLDER}/devices.json"


@dataclass(frozen=True)
class Entry:
    """A function before it was handed over; texts are empty where nothing was known."""

    driver: str = ""
    override: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    size_bytes: int = 0


@dataclass
class Remembered:
    """Functions by address, and what files of sysfs held before they were changed."""

    entries: dict[str, Entry] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)


def recall(tree: Tree) -> Remembered:
    """What is remembered; nothing when the file is not there or makes no sense."""
    try:
        text = json.loads(tree.read(_FILE) or "{}")
        entries = {
            str(address): _entry(entry) for address, entry in text.get("functions", {}).items()
        }
        settings = {str(k): str(v) for k, v in text.get("settings", {}).items()}
        return Remembered(entries, settings)
    except (ValueError, TypeError, AttributeError):
        return Remembered()


def _entry(known: dict[str, object]) -> Entry:
    entry = Entry()
    for item in fields(Entry):
        value = known.get(item.name)
        if isinstance(value, type(getattr(entry, item.name))):
            entry = replace(entry, **{item.name: value})
    return entry


def remember(tree: Tree, state: Remembered) -> None:
    """Write it, whole or not at all. Raises OSError."""
    functions = {address: asdict(entry) for address, entry in sorted(state.entries.items())}
    text = json.dumps({"functions": functions, "settings": state.settings}, indent=2)
    tree.path(FOLDER).mkdir(mode=0o755, parents=True, exist_ok=True)
    new = tree.path(_FILE + ".new")
    with new.open("w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(tree.path(_FILE))


def change_setting(tree: Tree, path: str, value: str) -> None:
    """Write a file of sysfs, and remember what it held before the first change. Raises OSError."""
    state = recall(tree)
    if path not in state.settings:
        state.settings[path] = tree.read(path) or ""
        remember(tree, state)
    tree.write(path, value)


def restore_settings(tree: Tree) -> list[str]:
    """Give changed settings their old values; returns which. Raises OSError."""
    state = recall(tree)
    restored = []
    for path, value in state.settings.items():
        if path.startswith("/sys/") and ".." not in path:
            tree.write(path, value)
            restored.append(path)
    if state.settings:
        state.settings = {}
        remember(tree, state)
    return restored


@contextlib.contextmanager
def only_one(tree: Tree) -> Iterator[None]:
    """One setup or reset at a time on this machine; a second one waits."""
    folder = tree.path(FOLDER)
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
