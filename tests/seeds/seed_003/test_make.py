# The command lines of the handbook that this repository answers: make says what it would run.
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[3]


def commands(text):
    """What `make` would run for each line."""
    for line in text.splitlines():
        if line.strip() and not line.strip().startswith("#"):
            done = subprocess.run(
                ["make", "--dry-run", *line.split()[1:]],
                cwd=ROOT, capture_output=True, text=True, check=True,
            )
            yield done.stdout.split()


def test_make_test_one():
    assert list(commands("""
# example 003.8
make test TESTS=scripts/demo_test.py::test_hello_world
# end 003.8
    """)) == [["./pynvme", "test", "scripts/demo_test.py::test_hello_world"]]


def test_make_setup():
    assert list(commands("""
# example 003.52
make setup
# end 003.52
    """)) == [["./pynvme", "setup"]]


def test_make_test():
    assert list(commands("""
# example 003.53
make test TESTS=scripts
make test TESTS=scripts/demo_test.py
make test TESTS=scripts/utility_test.py::test_download_firmware
# end 003.53
    """)) == [
        ["./pynvme", "test", "scripts"],
        ["./pynvme", "test", "scripts/demo_test.py"],
        ["./pynvme", "test", "scripts/utility_test.py::test_download_firmware"],
    ]
