"""Debian packages with all that they need, unpacked into the user's cache: nothing is installed.

A tree is complete down to its C library, and its programs are run by its own loader, so that the
same versions run on every host that has apt-get and the keys of Debian's archive. Root is not
needed. What a tree holds is decided when it is made; to have newer packages, remove it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
LIBRARY_FOLDERS = ("usr/lib/x86_64-linux-gnu", "usr/lib")
PROGRAM_FOLDERS = ("usr/bin", "usr/sbin")
# On an installed system these are links into usr; packages bring folders.
MERGED = ("bin", "sbin", "lib", "lib64")


class UnavailableError(Exception):
    """Guests are not possible on this machine; says why, and what to do."""


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pynvme" / "guests"


@contextmanager
def locked(name: str) -> Iterator[Path]:
    """The cache's folder, for one process at a time."""
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / f"{name}.lock").open("w")
    except OSError as error:
        raise UnavailableError(f"cannot write to {folder} ({error}); set XDG_CACHE_HOME") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


def _run(*command: str | Path, cwd: Path | None = None) -> str:
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if result.returncode:
        raise UnavailableError(
            f"`{' '.join(map(str, command))}` failed; is there a network to Debian's packages?\n"
            + "\n".join((result.stdout + result.stderr).splitlines()[-10:])
        )
    return result.stdout


def _archive() -> str:
    """The address of the Debian archive that this host takes its packages from."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb") or not KEYRING.exists():
        raise UnavailableError(
            f"needs apt-get, dpkg-deb and {KEYRING} for QEMU, a kernel and tools from Debian; "
            "on Debian 12 all are there (on Ubuntu: apt-get install debian-archive-keyring, and a "
            "source of Debian packages)"
        )
    sources = _run(
        "apt-get", "indextargets", "--format", "$(REPO_URI) $(RELEASE)", "Created-By: Packages"
    )
    for line in sources.splitlines():
        address, _, release = line.partition(" ")
        if "debian" in address and "security" not in address and "-" not in release:
            return address
    raise UnavailableError("apt-get knows no source of Debian packages: see /etc/apt/sources.list")


@dataclass(frozen=True)
class Tree:
    """Packages of Debian and what they depend on, of one release.

    The first suite is the release; packages come from the last one where it has them. `only` takes
    of all these packages those whose names begin with it.
    """

    name: str
    packages: Sequence[str]
    suites: Sequence[str] = ("bookworm",)
    only: str = ""

    @property
    def path(self) -> Path:
        request = repr((sorted(self.packages), list(self.suites), self.only, 2))
        digest = hashlib.sha256(request.encode()).hexdigest()[:10]
        return cache_folder() / f"{self.name}-{self.suites[0]}-{digest}"

    def make(self) -> Path:
        """Downloads and unpacks, the first time; returns the folder."""
        if self.path.exists():
            return self.path
        with locked("apt") as folder:
            if self.path.exists():
                return self.path
            apt = _Apt(folder, self.suites)
            with tempfile.TemporaryDirectory(dir=folder, prefix="new-") as temporary:
                debs = Path(temporary, "debs")
                root = Path(temporary, "root")
                debs.mkdir()
                needed = apt.needed(self.packages)
                apt.download([name for name in needed if name.startswith(self.only)], debs)
                _unpack(sorted(debs.glob("*.deb")), root)
                _write_contents(sorted(debs.glob("*.deb")), set(self.packages), root)
                root.rename(self.path)
        return self.path

    def command(self, program: str) -> list[str]:
        """The command line that runs a program of the tree, wherever the tree is mounted."""
        root = self.make()
        for folder in PROGRAM_FOLDERS:
            if (root / folder / program).exists():
                libraries = [str(root / part) for part in LIBRARY_FOLDERS]
                # Programs that carry libraries of their own in a subfolder, as QEMU does.
                libraries += sorted({str(p.parent) for p in (root / "usr/lib").rglob("lib*.so.*")})
                libraries = list(dict.fromkeys(libraries))
                loader = root / "usr/lib64/ld-linux-x86-64.so.2"
                return [
                    str(loader),
                    "--library-path",
                    ":".join(libraries),
                    "--argv0",
                    program,
                    str(root / folder / program),
                ]
        raise UnavailableError(f"the packages {', '.join(self.packages)} have no {program}")

    def wrappers(self) -> Path:
        """A folder for PATH with a script for each program of the packages that were asked for."""
        folder = self.make() / "wrappers"
        if folder.exists():
            return folder
        with locked("wrappers"):
            if folder.exists():
                return folder
            with tempfile.TemporaryDirectory(dir=self.path) as temporary:
                scripts = Path(temporary, "wrappers")
                scripts.mkdir()
                for program in (self.path / "programs.txt").read_text().split():
                    target = self.path / program
                    if not target.is_file() or target.open("rb").read(4) != b"\x7fELF":
                        continue  # a folder, or a script, which would want the tree at /
                    # A link has the name the program goes by: lvm is all of its commands.
                    line = " ".join(self.command(target.name))
                    script = scripts / target.name
                    script.write_text(f'#!/bin/sh\nexec {line} "$@"\n')
                    script.chmod(0o755)
                scripts.rename(folder)
        return folder


class _Apt:
    """apt-get with lists and a state of its own; nothing counts as installed."""

    def __init__(self, folder: Path, suites: Sequence[str]) -> None:
        self._suites = suites
        self._home = folder / f"apt-{'+'.join(suites)}"
        self._config = self._home / "apt.conf"
        if (self._home / "updated").exists():
            return
        for part in ("state/lists/partial", "cache/archives/partial"):
            (self._home / part).mkdir(parents=True, exist_ok=True)
        (self._home / "status").touch()
        archive = _archive()
        (self._home / "sources.list").write_text(
            "".join(f"deb [signed-by={KEYRING}] {archive} {suite} main\n" for suite in suites)
        )
        # After the host's own configuration, whose proxies are kept; its clean-ups want root.
        self._config.write_text(
            f'Dir::State "{self._home}/state";\n'
            f'Dir::State::status "{self._home}/status";\n'
            f'Dir::Cache "{self._home}/cache";\n'
            f'Dir::Etc::sourcelist "{self._home}/sources.list";\n'
            'Dir::Etc::sourceparts "-";\n'
            'Acquire::Languages "none";\n'
            'APT::Sandbox::User "";\n'
            'APT::Architecture "amd64";\n'
            "#clear APT::Update::Post-Invoke;\n"
            "#clear APT::Update::Post-Invoke-Success;\n"
        )
        self._apt_get("update", "-q")
        (self._home / "updated").touch()

    def _apt_get(self, *arguments: str, cwd: Path | None = None) -> str:
        return _run("apt-get", "-c", self._config, *arguments, cwd=cwd)

    def needed(self, packages: Sequence[str]) -> list[str]:
        release = ["-t", self._suites[-1]] if len(self._suites) > 1 else []
        lines = self._apt_get(
            "install", "--print-uris", "-qq", "--no-install-recommends", *release, *packages
        )
        files = [line.split()[1] for line in lines.splitlines() if line.startswith("'")]
        return ["=".join(unquote(file).split("_")[:2]) for file in files]

    def download(self, packages: Sequence[str], into: Path) -> None:
        try:
            self._apt_get("download", "-q", *packages, cwd=into)
        except UnavailableError:
            # The archive replaces packages; lists that name those of before are old.
            self._apt_get("update", "-q")
            names = [package.partition("=")[0] for package in packages]
            self._apt_get("download", "-q", *names, cwd=into)


def _unpack(debs: Sequence[Path], root: Path) -> None:
    for folder in MERGED:
        (root / "usr" / folder).mkdir(parents=True)
        (root / folder).symlink_to(f"usr/{folder}")
    for deb in debs:
        # Through tar, which can be told to leave the links as they are.
        with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as data:
            subprocess.run(
                ["tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", root],
                stdin=data.stdout,
                check=True,
            )
        if data.returncode:
            raise UnavailableError(f"dpkg-deb cannot read {deb}")
    for folder in PROGRAM_FOLDERS:
        for path in (root / folder).iterdir():
            if path.is_symlink() and path.readlink().is_absolute():
                target = path.readlink()
                path.unlink()
                path.symlink_to(os.path.relpath(root / target.relative_to("/"), path.parent))


def _write_contents(debs: Sequence[Path], named: set[str], root: Path) -> None:
    """What is in the tree: all packages, and the programs of those that were asked for."""
    programs = []
    for deb in debs:
        if deb.name.partition("_")[0] in named:
            files = [line.split()[5] for line in _run("dpkg-deb", "-c", deb).splitlines()]
            programs += [file for file in files if Path(file).parent.name in ("bin", "sbin")]
    (root / "packages.txt").write_text("".join(f"{deb.stem}\n" for deb in debs))
    (root / "programs.txt").write_text("".join(f"{program}\n" for program in programs))
