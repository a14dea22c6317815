# What the system keeps on block devices: mounted file systems (in every mount namespace that can be
# seen) and swap. File systems over several devices are asked for all of theirs.
"""Mounts and swap."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from nvme.host.blocks import Node
from nvme.host.tree import Tree

_ESCAPE = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True)
class Mount:
    """A line of mountinfo. `pid`: a process that sees it, None for this one's own namespace."""

    number: str
    target: str
    kind: str
    source: str  # a name in /dev with links resolved, or whatever the file system calls it
    source_number: str | None  # of that node: without udev /dev/mapper has nodes, not links
    pid: int | None


def is_system_root(mount: Mount) -> bool:
    """Whether the system, as this process or the machine's first one sees it, runs from there."""
    return mount.target == "/" and mount.pid in (None, 1)


@dataclass(frozen=True)
class Swap:
    """A line of /proc/swaps that is a block device."""

    node: str
    number: str | None

    def is_on(self, node: Node) -> bool:
        """Whether it lies on this block device."""
        return self.node == node.node or self.number == f"b{node.number}"


def mounts(tree: Tree) -> list[Mount]:
    """Mounts of all mount namespaces whose processes one may look at, this one's first. What lies
    outside of a process's root folder (chroot) is not shown to it: each root is looked at."""
    seen = {_namespace(tree, "self")}
    found = _mounts_of(tree, "self", None)
    for pid in tree.processes():
        namespace = _namespace(tree, str(pid))
        if namespace is not None and namespace not in seen:
            seen.add(namespace)
            found += _mounts_of(tree, str(pid), pid)
    return found


def swaps(tree: Tree) -> list[Swap]:
    """Active swap on block devices; a swap file lies on a mounted file system anyway."""
    lines = (tree.read("/proc/swaps") or "").splitlines()[1:]
    names = [_unescape(line.split()[0]) for line in lines if line.strip()]
    return [
        Swap(tree.real(name) or name, tree.device(name))
        for name in names
        if name.startswith("/dev/")
    ]


def mounts_of_node(tree: Tree, node: Node, all_mounts: list[Mount]) -> list[Mount]:
    """Those of a file system on this block device."""
    found = [
        mount
        for mount in all_mounts
        if mount.source == node.node
        or (node.number and mount.number == node.number)
        or mount.source_number == f"b{node.number}"
    ]
    return found or _of_several_devices(tree, node, all_mounts)


def _of_several_devices(tree: Tree, node: Node, all_mounts: list[Mount]) -> list[Mount]:
    """A mount names one device of a btrfs or bcachefs only; sysfs has the others."""
    for kind, inside in (("btrfs", "devices/{}"), ("bcachefs", "")):
        for identifier in tree.names(f"/sys/fs/{kind}"):
            folder = f"/sys/fs/{kind}/{identifier}"
            if inside:
                members = set(tree.names(f"{folder}/devices"))
            else:
                entries = [name for name in tree.names(folder) if name.startswith("dev-")]
                blocks = [tree.real_name(f"{folder}/{name}/block") for name in entries]
                members = {name for name in blocks if name is not None}
            if node.name not in members:
                continue
            same = [m for m in all_mounts if PurePosixPath(m.source).name in members]
            return same or [
                Mount("", "a place that cannot be seen from here", kind, "", None, None)
            ]
    return []


def _namespace(tree: Tree, process: str) -> tuple[str, str] | None:
    """Which mounts a process sees: those of its namespace, below its root folder."""
    try:
        namespace = str(tree.path(f"/proc/{process}/ns/mnt").readlink())
    except OSError:
        return None
    try:
        return namespace, str(tree.path(f"/proc/{process}/root").readlink())
    except OSError:
        return namespace, "/"


def _mounts_of(tree: Tree, process: str, pid: int | None) -> list[Mount]:
    found = []
    for line in (tree.read(f"/proc/{process}/mountinfo") or "").splitlines():
        fields, _, rest = line.partition(" - ")
        first, last = fields.split(), rest.split()
        if len(first) < 5 or len(last) < 2:
            continue
        # "nvme0n1p2:nvme1n1p2" of bcachefs names all its devices.
        for source in _unescape(last[1]).split(":"):
            is_node = source.startswith("/dev/")
            resolved = (tree.real(source) or source) if is_node else source
            number = tree.device(source) if is_node else None
            found.append(Mount(first[2], _unescape(first[4]), last[0], resolved, number, pid))
    return found


def _unescape(text: str) -> str:
    """mountinfo and swaps write a space as \\040."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 8)), text)
