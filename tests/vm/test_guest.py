"""The guests themselves: what tests rely on when they use one."""

import http.server
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from guests import (
    KERNEL_6_12,
    CommandError,
    Guest,
    GuestError,
    GuestTimeoutError,
    Hardware,
    UnavailableError,
    debian,
)

HERE = Path(__file__).resolve().parent


def test_a_command_runs_beside_the_hosts_files(guest):
    result = guest.run("uname -r; pwd; echo lost > written-by-a-guest; cat written-by-a-guest")
    release, folder, written = result.output.split()
    assert release.endswith("-amd64")
    assert folder == str(HERE.parents[1])
    assert written == "lost"
    assert not Path("written-by-a-guest").exists()  # the host's files are only read


def test_files_go_both_ways_through_the_share(guest):
    (guest.share / "in").write_text("to the guest")
    guest.run(f"tr a-z A-Z < {guest.share}/in > {guest.share}/out")
    assert (guest.share / "out").read_text() == "TO THE GUEST"


def test_a_failing_command_is_an_error_with_its_output(guest):
    with pytest.raises(CommandError, match=r"(?s)exit code 3: .*because"):
        guest.run("echo because; exit 3")
    assert guest.run("exit 3", check=False).returncode == 3


def test_a_command_that_hangs_is_killed_with_what_it_started(guest):
    with pytest.raises(GuestTimeoutError, match=r"(?s)not done after 1 s.*begun.*console"):
        guest.run("echo begun; setsid sleep 4711 & sleep 4711", timeout_s=1)
    guest.run("while busybox ps | grep '[s]leep 4711'; do sleep 0.1; done", timeout_s=20)


def test_a_command_can_be_interrupted_as_at_a_terminal(guest):
    assert guest.run("sh -c 'kill -INT $$'", check=False).returncode == 130
    code = "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(60)"
    assert "KeyboardInterrupt" in guest.python(code, check=False).output


def test_pytest_tells_what_became_of_each_test(guest):
    script = guest.share / "test_three.py"
    script.write_text(
        textwrap.dedent("""
            import pytest
            def test_good(): pass
            def test_bad(): assert 1 == 2
            def test_skipped(): pytest.skip("because")
        """)
    )
    result = guest.pytest(str(script))
    names = {name.rpartition("::")[2]: outcome for name, outcome in result.outcomes.items()}
    assert names == {"test_good": "passed", "test_bad": "failed", "test_skipped": "skipped"}
    with pytest.raises(AssertionError, match="assert 1 == 2"):
        result.assert_passed()


def test_a_drive_comes_and_goes(guest, drive):
    device = drive(64 << 20, serial="COMES")
    name = guest.nvme_name(device.address)
    assert "COMES" in guest.run(f"nvme id-ctrl /dev/{name}").output
    guest.bind(device.address, "vfio-pci")
    assert guest.run("ls /dev/vfio").output.split() != ["vfio"]
    guest.bind(device.address, "nvme")
    assert guest.nvme_name(device.address)
    guest.unplug(device)
    guest.run(f"test ! -e /sys/bus/pci/devices/{device.address}")


@pytest.fixture(scope="module")
def small_guest():
    """One with a port to the host, that reboots."""
    hardware = Hardware(memory_mb=512, cpus=1, iommu=None, reboots=True)
    with Guest(forwards=[4420], hardware=hardware) as other:
        yield other


def test_the_network_goes_both_ways(small_guest):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"from the host")

        def log_message(self, *arguments):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        result = small_guest.run(f"busybox wget -qO- http://10.0.2.2:{server.server_port}/")
        server.shutdown()
    assert result.output == "from the host"

    (small_guest.share / "index.html").write_text("from the guest")
    web = small_guest.start_command(f"busybox httpd -f -p 4420 -h {small_guest.share}")
    url = f"http://127.0.0.1:{small_guest.port(4420)}/index.html"
    small_guest.run("until busybox wget -qO- http://127.0.0.1:4420/index.html; do sleep 0.1; done")
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert answer.read() == b"from the guest"
    web.kill()


def test_a_reboot(small_guest):
    small_guest.run("touch /tmp/before-the-reboot")
    small_guest.reboot()
    assert small_guest.run("test -e /tmp/before-the-reboot", check=False).returncode == 1


def test_a_qemu_that_hangs_is_told_from_a_command_that_does(small_guest, monkeypatch):
    monkeypatch.setattr("guests.guest.QUIET_S", 1)
    monkeypatch.setattr("guests.guest.MONITOR_S", 5)
    small_guest.run("sleep 3")  # quiet, but QEMU answers
    os.kill(small_guest.machine.pid, signal.SIGSTOP)
    with pytest.raises(GuestError, match=r"(?s)QEMU itself hangs, and was killed.*console"):
        small_guest.run("true", timeout_s=300)
    with pytest.raises(GuestError, match="the guest is gone"):  # at once from now on
        small_guest.run("true", timeout_s=300)


def test_a_guest_dies_with_its_test(tmp_path):
    code = (
        "from guests import Guest\n"
        "guest = Guest(); guest.start()\n"
        "print(guest.machine.pid, guest.folder, flush=True)\n"
        "import time; time.sleep(600)\n"
    )
    environment = os.environ | {"PYTHONPATH": f"{HERE}:{os.environ.get('PYTHONPATH', '')}"}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment
    ) as test:
        pid, folder = test.stdout.readline().split()
        assert Path(f"/proc/{pid}").exists()
        test.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < deadline, "QEMU is still there"
        time.sleep(0.02)
    subprocess.run(["rm", "-r", folder], check=True)


def test_the_newer_kernel_has_authentication():
    hardware = Hardware(memory_mb=1024, cpus=1, iommu=None)
    with Guest(load=["nvme-tcp", "nvmet-tcp"], kernel=KERNEL_6_12, hardware=hardware) as guest:
        assert guest.run("uname -r").output.startswith("6.12.")
        assert "nvme_auth" in guest.run("lsmod").output


def test_a_kernel_that_does_not_boot_is_said_with_its_console():
    with (
        pytest.raises(GuestTimeoutError, match=r"(?s)the boot: not after 1 s.*console"),
        Guest(start_timeout_s=1, append="init=/nothing rdinit=/nothing"),
    ):
        pass


def test_without_apt_guests_are_not_possible(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UnavailableError, match="needs apt-get"):
        debian.Tree("none", ["busybox-static"]).make()
