"""The guests' kernels: Debian's, as they are (bzImage) and as what QEMU boots quickest (PVH)."""

from __future__ import annotations

import lzma
import struct
import subprocess
from pathlib import Path

from guests.debian import Tree, UnavailableError, locked

KERNEL = Tree("kernel", ["linux-image-amd64"], only="linux-image-6")
# Of Debian 13. It has authentication and TLS in NVMe/TCP.
KERNEL_6_12 = Tree("kernel", ["linux-image-amd64"], suites=("trixie",), only="linux-image-6")

_ZSTD = Tree("zstd", ["zstd"])
_XZ_MAGIC = b"\xfd7zXZ\0"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


class Kernel:
    """A kernel in the cache: `bzimage`, `vmlinux`, `modules` (lib/modules/<version>)."""

    def __init__(self, tools: Tree, tree: Tree = KERNEL) -> None:
        root = tree.make()
        self.modules = next((root / "usr/lib/modules").iterdir())
        self.version = self.modules.name
        self.bzimage = root / f"boot/vmlinuz-{self.version}"
        self.vmlinux = root / f"boot/vmlinux-{self.version}"
        if not self.vmlinux.exists():
            with locked("kernel"):
                self._prepare(root, tools)

    def _prepare(self, root: Path, tools: Tree) -> None:
        """What an installation of the package would do, and vmlinux: the last one, as a stamp."""
        if self.vmlinux.exists():
            return
        subprocess.run([*tools.command("depmod"), "-b", str(root), self.version], check=True)
        new = self.vmlinux.with_suffix(".new")
        new.write_bytes(self._unpacked())
        new.rename(self.vmlinux)

    def _unpacked(self) -> bytes:
        """The ELF file in the bzImage (the kernel's Documentation/arch/x86/boot.rst)."""
        image = self.bzimage.read_bytes()
        sectors, offset, length = image[0x1F1], *struct.unpack_from("<II", image, 0x248)
        start = (sectors + 1) * 512 + offset
        packed = image[start : start + length - 4]  # its size follows
        if packed.startswith(_XZ_MAGIC):
            return lzma.LZMADecompressor().decompress(packed)
        if packed.startswith(_ZSTD_MAGIC):
            command = [*_ZSTD.command("zstd"), "-d", "-c"]
            return subprocess.run(command, input=packed, capture_output=True, check=True).stdout
        raise UnavailableError(f"{self.bzimage} is not compressed as Debian compresses it")

    def module_files(self, *names: str) -> list[Path]:
        """The files of modules and of what they need, in the order in which they are loaded."""
        needs = {}
        for line in (self.modules / "modules.dep").read_text().splitlines():
            file, _, others = line.partition(":")
            needs[file] = others.split()
        by_name = {_name(file): file for file in needs}
        ordered: list[str] = []

        def add(file: str) -> None:
            for other in needs[file]:
                if other not in ordered:
                    add(other)
            if file not in ordered:
                ordered.append(file)

        built_in = {_name(line) for line in (self.modules / "modules.builtin").read_text().split()}
        for name in names:
            if _name(name) not in built_in:
                add(by_name[_name(name)])
        return [self.modules / file for file in ordered]


def _name(file: str) -> str:
    """What a module is called, of its name or its file."""
    return Path(file).name.partition(".")[0].replace("-", "_")
