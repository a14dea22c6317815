"""The first file system of a guest: busybox, init.sh, modules that reach the host's files."""

from __future__ import annotations

import io
import lzma
from pathlib import Path

from guests.kernel import Kernel

_INIT = Path(__file__).with_name("init.sh")
_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
_DIRECTORY, _FILE, _LINK = 0o040755, 0o100755, 0o120777


class _Cpio:
    """An archive in the kernel's "newc" format (Documentation/driver-api/early-userspace)."""

    def __init__(self) -> None:
        self._out = io.BytesIO()
        self._inode = 0

    def add(self, name: str, mode: int, data: bytes = b"") -> None:
        self._inode += 1
        encoded = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
        self._out.write(b"070701" + b"".join(b"%08X" % field for field in fields))
        for part in (encoded, data):
            self._out.write(part)
            self._out.write(b"\0" * (-self._out.tell() % 4))

    def finish(self) -> bytes:
        self.add("TRAILER!!!", 0)
        return self._out.getvalue()


def build_initrd(kernel: Kernel, busybox: Path) -> bytes:
    archive = _Cpio()
    for folder in ("bin", "sbin", "dev", "proc", "sys", "tmp", "lib", "lib/modules", "m"):
        archive.add(folder, _DIRECTORY)
    archive.add("init", _FILE, _INIT.read_bytes())
    archive.add("bin/busybox", _FILE, busybox.read_bytes())
    for link in ("bin/sh", "sbin/modprobe"):
        archive.add(link, _LINK, b"/bin/busybox")
    files = kernel.module_files(*_MODULES)
    for file in files:
        data = file.read_bytes()
        packed = file.suffix == ".xz"
        archive.add(f"m/{_module(file)}", _FILE, lzma.decompress(data) if packed else data)
    archive.add("m/order", _FILE, "".join(f"{_module(file)}\n" for file in files).encode())
    return archive.finish()


def _module(file: Path) -> str:
    return file.name.removesuffix(".xz")
