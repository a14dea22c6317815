"""A guest's kernel with iommufd and VFIO's no-IOMMU mode, which Debian's kernels are built without.

Debian's sources of Linux, built with little more than a guest of these tests needs. That takes some
minutes, so it is done when it is asked for: `python tests/vm/guests/iommufd_kernel.py`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from guests.debian import Tree, UnavailableError, cache_folder, locked

SOURCES = Tree("linux", ["linux-source-6.12"], suites=("trixie",), only="linux-source-6")
PROGRAMS = ("make", "gcc", "flex", "bison", "bc", "xz")
CONFIG = Path(__file__).with_name("iommufd.config")


class IommufdKernel:
    """What Kernel takes in the place of a Tree."""

    @property
    def path(self) -> Path:
        request = repr((SOURCES.path.name, CONFIG.read_text()))
        digest = hashlib.sha256(request.encode()).hexdigest()[:10]
        return cache_folder() / f"kernel-iommufd-{digest}"

    def make(self) -> Path:
        if not self.path.exists():
            raise UnavailableError(
                f"needs a kernel of its own, with iommufd: `{sys.executable} {__file__}` builds it "
                f"(4 minutes on 2 cores; it wants {', '.join(PROGRAMS)} and libelf-dev)"
            )
        return self.path

    def build(self) -> Path:
        missing = [program for program in PROGRAMS if not shutil.which(program)]
        if missing:
            raise UnavailableError(f"building a kernel needs {', '.join(missing)}")
        with locked("kernel-iommufd") as folder:
            if not self.path.exists():
                archive = next(SOURCES.make().glob("usr/src/*.tar.xz"))
                with tempfile.TemporaryDirectory(dir=folder, prefix="new-") as temporary:
                    _build(archive, Path(temporary)).rename(self.path)
        return self.path


IOMMUFD_KERNEL = IommufdKernel()


def _build(archive: Path, folder: Path) -> Path:
    root = folder / "root"
    log = folder.parent / "kernel-iommufd.log"
    with log.open("w") as output:

        def run(*command: str | Path, cwd: Path = folder) -> None:
            ended = subprocess.run(command, cwd=cwd, stdout=output, stderr=output, check=False)
            if ended.returncode:
                raise UnavailableError(f"`{' '.join(map(str, command))}` failed: see {log}")

        run("tar", "-xf", archive)
        (tree,) = (path for path in folder.iterdir() if path.is_dir())
        run("make", "tinyconfig", cwd=tree)
        with (tree / ".config").open("a") as config:
            config.write(CONFIG.read_text())
        run("make", "olddefconfig", cwd=tree)
        got = (tree / ".config").read_text().splitlines()
        wanted = [line for line in CONFIG.read_text().splitlines() if line.startswith("CONFIG_")]
        if lost := [line for line in wanted if line not in got]:
            raise UnavailableError(f"this Linux does not know {', '.join(lost)}")
        jobs = f"-j{os.cpu_count()}"
        run("make", jobs, "vmlinux", "bzImage", "modules", cwd=tree)
        run("make", f"INSTALL_MOD_PATH={root}/usr", "modules_install", cwd=tree)
        version = next((root / "usr/lib/modules").iterdir()).name
        (root / "boot").mkdir()
        shutil.copy(tree / "arch/x86/boot/bzImage", root / f"boot/vmlinuz-{version}")
        shutil.copy(tree / "vmlinux", root / f"boot/vmlinux-{version}")
    return root


if __name__ == "__main__":
    begun = time.monotonic()
    print("Building a kernel with iommufd ...", flush=True)
    try:
        print(f"{IOMMUFD_KERNEL.build()} after {time.monotonic() - begun:.0f} s")
    except UnavailableError as error:
        sys.exit(str(error))
