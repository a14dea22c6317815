"""The guests' kernel: Debian's, as it is (bzImage) and as what QEMU boots quickest (PVH)."""

from __future__ import annotations

import lzma
import subprocess
from pathlib import Path

from guests.debian import Tree, UnavailableError, locked

_XZ_MAGIC = b"\xfd7zXZ\0"


class Kernel:
    """A kernel in the cache: `bzimage`, `vmlinux`, `modules` (lib/modules/<version>)."""

    def __init__(self, tools: Tree) -> None:
        root = Tree("kernel", ["linux-image-amd64"], only="linux-image-6").make()
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
        image = self.bzimage.read_bytes()
        start = image.find(_XZ_MAGIC)
        if start < 0:
            raise UnavailableError(f"{self.bzimage} is not compressed as Debian 12 compresses it")
        new = self.vmlinux.with_suffix(".new")
        new.write_bytes(lzma.LZMADecompressor().decompress(image[start:]))
        new.rename(self.vmlinux)

    def module_files(self, *names: str) -> list[Path]:
        """The files of modules and of what they need, in the order in which they are loaded."""
        needs = {}
        for line in (self.modules / "modules.dep").read_text().splitlines():
            file, _, others = line.partition(":")
            needs[file] = others.split()
        by_name = {Path(file).stem.replace("-", "_"): file for file in needs}
        ordered: list[str] = []

        def add(file: str) -> None:
            for other in needs[file]:
                if other not in ordered:
                    add(other)
            if file not in ordered:
                ordered.append(file)

        for name in names:
            add(by_name[name.replace("-", "_")])
        return [self.modules / file for file in ordered]
