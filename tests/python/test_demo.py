"""The demo's report, and what the command line says to a wrong seed."""

import subprocess
import sys
from pathlib import Path

SCRIPTS = Path(__file__).parents[2] / "scripts"


def pytest_run(folder, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=folder,
    )


def test_a_test_that_fails_is_a_step_of_the_report(tmp_path):
    (tmp_path / "test_own.py").write_text(
        f"import sys\nsys.path.insert(0, {str(SCRIPTS)!r})\n"
        "from demo_test import failure_in_report, report\n"
        "def test_it_works(nvme0, report):\n    report.add_step('it works', 'as it should')\n"
        "def test_it_fails(nvme0):\n    assert nvme0.timeout == 1, 'on purpose'\n"
    )
    done = pytest_run(tmp_path, "--report", "out.html", "test_own.py")
    assert done.returncode == 1, done.stdout
    report = (tmp_path / "out.html").read_text()
    assert "as it should" in report
    assert "it fails" in report
    assert "AssertionError: on purpose" in report


def test_a_wrong_seed(tmp_path):
    for text in ("zz", "-1", "0x10000000000000000"):
        done = pytest_run(tmp_path, f"--seed={text}")
        assert done.returncode == 4
        assert f"a seed is a number from 0 to 0xffffffffffffffff, not '{text}'" in done.stderr
