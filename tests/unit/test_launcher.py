"""Which command ./pynvme hands to whom: a machine's set-up and that of a drive share a name.

The launcher runs in a folder where all seems to be set up; its interpreter prints what it got.
"""

import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def launcher(tmp_path: Path) -> Path:
    for folder in ("src", "bench", "python", "tools"):
        (tmp_path / folder).mkdir()
    for name in ("pyproject.toml", "CMakeLists.txt", "CMakePresets.json"):
        (tmp_path / name).touch()
    for name in ("pynvme", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    requirements = (ROOT / "requirements-dev.txt").read_bytes()

    def key(*more: str) -> str:
        lines = "".join(f"{line}\n" for line in (str(tmp_path), *more))
        return hashlib.sha256(lines.encode() + requirements).hexdigest() + "  -\n"

    build = tmp_path / "build/release"
    build.mkdir(parents=True)
    (build / "build.ninja").touch()
    venv = tmp_path / ".venv"
    (venv / "bin").mkdir(parents=True)
    python = venv / "bin/python"
    python.write_text('#!/bin/sh\necho "$@"\n')
    python.chmod(0o755)
    (venv / "packages").write_text(key())
    (venv / "configured").write_text(key("OFF"))
    (venv / "built-module").touch()
    return tmp_path / "pynvme"


def run(launcher: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [launcher, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **more},
    )


@pytest.mark.parametrize(
    ("given", "done"),
    [
        (["setup", "01:00.0"], "-m nvme.cli setup 01:00.0"),
        (["setup", "01:00.0", "--user", "alice"], "-m nvme.cli setup 01:00.0 --user alice"),
        (["setup", "--help"], "-m nvme.cli setup --help"),
        (["reset"], "-m nvme.cli reset"),
        (["reset", "01:00.0"], "-m nvme.cli reset 01:00.0"),
        (["info", "--json"], "-m nvme.cli info --json"),
    ],
)
def test_commands_of_drives(launcher: Path, given: list[str], done: str) -> None:
    result = run(launcher, *given)
    assert (result.returncode, result.stdout) == (0, done + "\n"), result.stderr


def test_without_a_drive_setup_is_of_the_machine(launcher: Path) -> None:
    """Which looks for an interpreter first: here in vain, so that nothing is installed."""
    result = run(launcher, "setup", PYTHON="/nonexistent")
    assert result.returncode == 1
    assert "PYTHON=/nonexistent is not a CPython" in result.stderr


def test_help_and_unknown_commands(launcher: Path) -> None:
    assert "setup 01:00.0" in run(launcher, "--help").stdout
    assert run(launcher, "setup-all").returncode == 2
    assert run(launcher, "clean", "now").returncode == 2
