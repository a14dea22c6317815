# The one door to the machine: files of /sys, /proc, /dev and /run, commands, exclusive opens.
# Everything goes through a root, so that tests run against a tree (and a kernel) of their own.
"""Access to the machine's files below a root."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """Of a command: exit code (127 when it is not installed, 124 when it took too long)."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class OpenFile:
    """An open file of a process. `number` is that of a device ("b259:1", "c10:0"), if known."""

    pid: int
    command: str
    target: str
    number: str | None


class Tree:
    """The machine below `root`. Names are absolute ("/sys/..."), with or without a real root."""

    def __init__(self, root: str | Path = "/") -> None:
        self.root = Path(root).resolve()

    def path(self, name: str) -> Path:
        """Where `name` is."""
        return self.root / name.lstrip("/")

    def read(self, name: str) -> str | None:
        """The stripped text of a file; None when it is not there or not readable."""
        try:
            return self.path(name).read_text(errors="replace").strip("\0 \t\n")
        except OSError:
            return None

    def number(self, name: str) -> int | None:
        """The decimal or 0x number in a file."""
        try:
            return int(self.read(name) or "", 0)
        except ValueError:
            return None

    def write(self, name: str, text: str) -> None:
        """Write a file of sysfs or procfs, which must be there. Raises OSError."""
        descriptor = os.open(self.path(name), os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)

    def names(self, name: str) -> list[str]:
        """Sorted names in a folder; none when it is not there."""
        try:
            return sorted(entry.name for entry in self.path(name).iterdir())
        except OSError:
            return []

    def exists(self, name: str) -> bool:
        """Whether the name (a link's target too) is there."""
        return self.path(name).exists()

    def real(self, name: str) -> str | None:
        """The name with all links resolved; None when it is not there."""
        try:
            path = self.path(name).resolve(strict=True)
            return "/" + str(path.relative_to(self.root))
        except (OSError, ValueError, RuntimeError):
            return None

    def real_name(self, name: str) -> str | None:
        """The last part of real(): the driver behind .../driver."""
        real = self.real(name)
        return None if real is None else real.rpartition("/")[2]

    def run(self, *command: str, timeout_s: float = 60) -> Outcome:
        """Run a command, with the administrator's folders in its PATH."""
        path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/bin:/bin"
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=timeout_s,
                check=False, stdin=subprocess.DEVNULL,
                env={**os.environ, "PATH": path, "LC_ALL": "C"},
            )  # fmt: skip
        except FileNotFoundError:
            return Outcome(127, "", f"{command[0]} is not installed")
        except subprocess.TimeoutExpired:
            return Outcome(124, "", f"{command[0]} did not end within {timeout_s:.0f} s")
        return Outcome(done.returncode, done.stdout, done.stderr.strip())

    def claim(self, name: str) -> int:
        """Open a block device exclusively: while it is open nothing can be mounted from it, and it
        cannot be opened so while the kernel uses it. Raises OSError (EBUSY)."""
        return os.open(self.path(name), os.O_RDONLY | os.O_EXCL | os.O_CLOEXEC | os.O_NONBLOCK)

    def is_busy(self, name: str) -> bool:
        """Whether the kernel lets nobody open a node that only one may have open (VFIO's)."""
        try:
            descriptor = os.open(self.path(name), os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            return error.errno == errno.EBUSY
        os.close(descriptor)
        return False

    def suspended_s(self) -> float:
        """How long the machine has slept since it was started."""
        return time.clock_gettime(time.CLOCK_BOOTTIME) - time.clock_gettime(time.CLOCK_MONOTONIC)

    def is_root(self) -> bool:
        """Whether this process may bind drivers and see what others have open."""
        return os.geteuid() == 0

    def processes(self) -> list[int]:
        """Process identifiers, of /proc."""
        return [int(name) for name in self.names("/proc") if name.isdigit()]

    def open_files(self) -> Iterator[OpenFile]:
        """Device and sysfs files that other processes have open (of those one may look at)."""
        for pid in self.processes():
            if pid == os.getpid() and self.root == Path("/"):
                continue
            folder = f"/proc/{pid}/fd"
            for name in self.names(folder):
                with contextlib.suppress(OSError):
                    target = str(self.path(f"{folder}/{name}").readlink())
                    # A process in another mount namespace may have its nodes elsewhere. Only what
                    # is a device by its name is looked at closer: to stat a file on a network that
                    # is down would hang.
                    if "/dev/" in target or target.startswith("/sys/"):
                        command = self.read(f"/proc/{pid}/comm") or "?"
                        yield OpenFile(pid, command, target, self.device(f"{folder}/{name}"))
            yield from self._mapped_files(pid)

    def _mapped_files(self, pid: int) -> Iterator[OpenFile]:
        """Those that were closed and stay mapped, as BARs mostly are."""
        text = self.read(f"/proc/{pid}/maps") or ""
        if "/dev/" not in text and "/resource" not in text:
            return
        lines = (line.split(maxsplit=5) for line in text.splitlines())
        for target in sorted({fields[5] for fields in lines if len(fields) == 6}):
            if "/dev/" in target or target.startswith("/sys/"):
                yield OpenFile(pid, self.read(f"/proc/{pid}/comm") or "?", target, None)

    def device(self, name: str) -> str | None:
        """The number of the device that a node stands for ("b259:1", "c10:0")."""
        if self.root != Path("/"):  # a tree of files has no devices
            return None
        with contextlib.suppress(OSError):
            status = self.path(name).stat()
            kind = {stat.S_IFBLK: "b", stat.S_IFCHR: "c"}.get(stat.S_IFMT(status.st_mode))
            if kind is not None:
                return f"{kind}{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
        return None
