"""pytest in a guest whose files are all in memory, for when the host's are gone: after S3 the
virtio-9p driver does not come back.

What has to be copied is found by running the same tests on the host, on the embedded SSD, and
looking at what their process has loaded. What the guest has to say goes to the console.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tarfile
from pathlib import Path

from guests.guest import ROOT, TOOLS, Guest, GuestError

_LOOK = """
import glob, os, sys, sysconfig, pytest.__main__
code = pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[1:]])
files = {sys.executable, os.path.realpath(sys.executable)}
for module in list(sys.modules.values()):
    for path in (getattr(module, "__file__", None), getattr(module, "__cached__", None)):
        if path:
            files |= {path, os.path.realpath(path)}
with open("/proc/self/maps") as maps:
    files |= {line.split(None, 5)[5].strip() for line in maps if "/" in line}
for library in [path for path in files if ".so." in path]:  # by the names they are asked for
    files |= set(glob.glob(library.partition(".so.")[0] + ".so.*"))
# What is imported only when it is needed.
stdlib = sysconfig.get_path("stdlib")
for folder in ("", "/collections", "/email", "/encodings", "/importlib/*", "/json", "/logging"):
    files |= set(glob.glob(stdlib + folder + "/*.py"))
for folder in {path for path in sys.path if os.path.isdir(path)}:
    files |= set(glob.glob(folder + "/*.dist-info/entry_points.txt"))
    files |= set(glob.glob(folder + "/*.dist-info/METADATA"))
    files |= set(glob.glob(folder + "/*.pth"))
files |= set(glob.glob(sys.prefix + "/pyvenv.cfg"))
for path in glob.glob(os.path.dirname(sys.modules["nvme"].__file__) + "/**/*.py", recursive=True):
    files |= {path, os.path.realpath(path)}
print("FILES", code)
print("\\n".join(sorted(path for path in files if os.path.exists(path))))
"""


_SCRIPT = """
mkdir -p /ram && mount -t tmpfs ram /ram && cd /ram && mkdir -p bin tmp proc sys dev .{root}
{busybox} tar -xf {files} || exit
cp {busybox} bin/busybox
for place in proc sys dev; do mount --rbind /$place $place; done
cat > go <<'END'
exec > /dev/ttyS0 2>&1
export PATH=/bin && busybox --install -s /bin
{exports}
echo 0 > /sys/power/sync_on_suspend  # the files of the host would be asked
cd {root} && {command}
echo "IN MEMORY: exit code $?"
END
exec chroot /ram /bin/busybox sh /go
"""


def pytest_in_memory(guest: Guest, *arguments: str, dut: str, timeout_s: float = 120) -> str:
    """Runs pytest with these arguments and `--dut`; returns its output when all has passed.

    Nothing else can be run in this guest afterwards.
    """
    files = guest.share / "files.tar"
    with tarfile.open(files, "w") as tar:
        for name in _loaded_files(*arguments):
            tar.add(name)
    environment = {"PYTHONPATH": os.environ.get("PYTHONPATH", ""), "PYNVME_GUEST": "1"}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "LC_ALL": "C.UTF-8"}
    command = [sys.executable, "-m", "pytest", "-v", "-p", "no:cacheprovider", *arguments]
    guest.start_command(
        _SCRIPT.format(
            root=ROOT,
            busybox=TOOLS.path / "usr/bin/busybox",
            files=files,
            command=shlex.join([*command, "--dut", dut]),
            exports="".join(f"export {name}={text}\n" for name, text in environment.items()),
        )
    )
    last = "IN MEMORY: exit code "
    console = guest.machine.console
    guest.wait_for(lambda: last in console.read_text(errors="replace"), timeout_s, "pytest")
    output = console.read_text(errors="replace")
    if f"{last}0" not in output:
        raise GuestError(output[-12000:])
    return output


def _loaded_files(*arguments: str) -> list[str]:
    """Absolute names of the files that a run of these tests uses; links and what they lead to."""
    run = subprocess.run(
        [sys.executable, "-c", _LOOK, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYNVME_GUEST": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    _, found, listed = run.stdout.partition("FILES 0\n")
    if not found:
        raise GuestError(f"the tests do not pass on the host:\n{run.stdout}{run.stderr}")
    names: set[Path] = set()
    tests = [argument.partition("::")[0] for argument in arguments if argument.startswith("tests")]
    configuration = ["pyproject.toml", "tests/conftest.py", "tests/vm/conftest.py", *tests]
    for name in [*listed.split("\n"), *(str(ROOT / file) for file in configuration)]:
        if name.startswith("/"):
            _add(Path(name), names)
    _add(Path("/lib64/ld-linux-x86-64.so.2"), names)
    return sorted(map(str, names))


def _add(path: Path, names: set[Path]) -> None:
    """The file, by its real name, and each link on the way to it."""
    at = Path("/")
    for position, part in enumerate(path.parts[1:], 2):
        at /= part
        if at.is_symlink():
            names.add(at)
            rest = path.parts[position:]
            _add(Path(os.path.normpath(at.parent / at.readlink())).joinpath(*rest), names)
            return
    if path.is_file():
        names.add(path)
