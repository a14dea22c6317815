"""An ordinary user, no network, no home: hello world works, and importing does nothing else."""

import os
import stat

import pytest

# The first script of all; it reads back what it wrote, in a callback.
HELLO_WORLD = """
def hello():
    import nvme as d

    nvme0 = d.Controller("sim:latency=0")
    nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 16)
    read_buf, write_buf = d.Buffer(512), d.Buffer(512)
    write_buf[10:21] = b"hello world"

    def write_cb(cdw0, status1):
        nvme0n1.read(qpair, read_buf, 0, 1)

    nvme0n1.write(qpair, write_buf, 0, 1, cb=write_cb).waitdone(2)
    assert read_buf[10:21] == b"hello world"
    result = nvme0n1.ioworker(io_size=8, read_percentage=50, io_count=1000).start().close()
    assert result.error == 0
    print("hello world")
"""

NOBODY = """
import os, sys

if os.getuid() == 0:
    try:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
    except OSError as error:
        print("cannot become nobody:", error)
        sys.exit(77)
try:
    import importlib.util

    readable = importlib.util.find_spec("nvme") is not None
except ImportError:
    readable = False
if not readable:
    print("nobody may read the folders of Python and of the package here")
    sys.exit(77)
with open("/proc/self/status") as status:
    fields = dict(line.split(":", 1) for line in status)
assert int(fields["CapEff"], 16) == 0, fields["CapEff"]
assert not os.access(os.getcwd(), os.W_OK)
assert "HOME" not in os.environ
"""


@pytest.fixture
def bare(tmp_path):
    """What an ordinary process has, and no HOME; its working folder cannot be written to."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    folder.chmod(
        stat.S_IRUSR | stat.S_IXUSR | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH
    )
    cwd = folder if os.getuid() != 0 else "/"  # tmp_path is closed to others
    environment = {name: value for name, value in os.environ.items() if name != "HOME"}
    environment["TMPDIR"] = "/nonexistent"
    return {"cwd": cwd, "env": environment}


def test_hello_world_as_nobody(system, bare):
    code, out, err = system.script(f"{NOBODY}\n{HELLO_WORLD}\nhello()", **bare)
    if code == 77:
        pytest.skip(out.strip())
    assert (code, out, err) == (0, "hello world\n", "")


def test_hello_world_under_pytest_as_nobody(system, bare):
    """No conftest.py, no options."""
    script = f"""{HELLO_WORLD}
def test_hello(nvme0):
    assert nvme0.addr == "sim"

def test_bare():
    hello()
"""
    code, out, err = system.script(
        f"""{NOBODY}
import pathlib, tempfile
import pytest

with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
    path = pathlib.Path(folder) / "test_hello.py"
    path.write_text({script!r})
    sys.exit(pytest.main(["-p", "no:cacheprovider", "-q", str(path)]))
""",
        **bare,
    )
    if code == 77:
        pytest.skip(out.strip())
    assert code == 0, out + err
    assert "2 passed" in out


def test_hello_world_without_a_network(system):
    """In an empty network namespace, where the system lets us make one; in any case with an audit
    hook that tells of sockets and of other processes."""
    code, out, err = system.script(
        f"""
import ctypes, os, sys

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
libc = ctypes.CDLL(None)
libc.unshare(CLONE_NEWNET | (CLONE_NEWUSER if os.getuid() else 0))

def watch(event, arguments):
    if event.startswith(("socket.", "subprocess.", "os.system", "os.exec", "urllib.", "http.")):
        os.write(2, f"{{event}} {{arguments}}\\n".encode())

sys.addaudithook(watch)
{HELLO_WORLD}
hello()
"""
    )
    assert (code, out, err) == (0, "hello world\n", "")


IMPORT = """
import os, signal, sys, threading

def state():
    handlers = [signal.getsignal(s) for s in sorted(signal.valid_signals())]
    with open("/proc/self/status") as status:
        fields = dict(line.split(":", 1) for line in status)
    masks = [fields[name].strip() for name in ("SigBlk", "SigIgn", "SigCgt", "Threads")]
    files = sorted(os.listdir("/proc/self/fd"))
    limits = [os.getcwd(), os.umask(0o022), os.environ.copy(), os.sched_getaffinity(0)]
    return handlers, masks, files, limits

opened = []
before = state()
sys.addaudithook(
    lambda event, arguments: opened.append(arguments[0]) if event == "open" else None
)
import nvme as d
names = [getattr(d, name) for name in d.__all__]
import psd
from nvme import _core
paths = [str(path) for path in opened]
assert state() == before
assert [path for path in paths if path.startswith(("/dev", "/sys", "/run"))] == []
assert _core.bus_names() == []
assert threading.active_count() == 1
"""


def test_import_changes_nothing(system):
    code, out, err = system.script(f"{IMPORT}", env={**os.environ, "PYTHONWARNINGS": "error"})
    assert (code, out, err) == (0, "", "")


def test_importing_the_plugin_loads_nothing(system):
    code, out, err = system.script(
        """
        import sys
        import nvme.plugin
        print([name for name in ("nvme._core", "numpy", "matplotlib", "rich", "jinja2")
               if name in sys.modules])
        """
    )
    assert (code, out, err) == (0, "[]\n", "")


def test_using_a_device_changes_no_signal_handler(system):
    code, out, err = system.script(
        f"""
import signal
{HELLO_WORLD}
def handlers():
    with open("/proc/self/status") as status:
        caught = next(line.split()[1] for line in status if line.startswith("SigCgt"))
    # The C library takes 32 and 33 for itself when the first thread starts.
    of_libc = 1 << 31 | 1 << 32
    return [signal.getsignal(s) for s in sorted(signal.valid_signals())], int(caught, 16) & ~of_libc

before = handlers()
hello()
assert handlers() == before
"""
    )
    assert (code, out, err) == (0, "hello world\n", "")
