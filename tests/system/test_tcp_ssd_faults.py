"""Target.ssd.fault(): the SSD behind a target does something wrong, as Ssd.fault() has it."""

from __future__ import annotations

import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from until import until

import nvme as d
from nvme.target import Target

TIMEOUT_MS = 200  # of what is swallowed
LIMIT_S = 60
PATIENT_MS = LIMIT_S * 1000  # of all that is answered, however long the machine stands still
SWALLOWED = 0x7FFF
CLOSED = "IO queue 1: the connection is closed: "


@pytest.fixture
def target() -> Iterator[Target]:
    with Target("sim:capacity=1GiB,latency=0") as served:
        yield served


@pytest.fixture
def nvme0(target: Target) -> Iterator[d.Controller]:
    nvme0 = d.Controller(target.address)
    nvme0.timeout = PATIENT_MS
    yield nvme0
    nvme0.close()


def read(
    nvme0n1: d.Namespace, qpair: d.Qpair, before_the_wait: Callable[[], None] = lambda: None
) -> int:
    statuses: list[int] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nvme0n1.read(qpair, d.Buffer(4096), 0, 8, cb=lambda _, status1: statuses.append(status1))
        before_the_wait()
        qpair.waitdone()
    return statuses[0] >> 1


def read_twice(nvme0n1: d.Namespace, qpair: d.Qpair) -> None:
    for _ in range(2):
        read(nvme0n1, qpair)


def until_gone(target: Target) -> None:
    until(lambda: target.connections == 0)


@pytest.mark.parametrize("latency", ["0", "0.01"])
@pytest.mark.parametrize(
    ("action", "outcome"),
    [
        ("status:sct=2,sc=0x81", 0x281),
        ("status:sc=6,execute=0", 0x2006),
        ("delay:us=20000", 0),
        ("swallow", SWALLOWED),
        ("duplicate", "CapsuleResp is for CID 0, which is not outstanding"),
        ("mistag", "CapsuleResp is for CID 32768, which is not outstanding"),
        ("stale_completion", 0),  # of the first round: zeroes, as of CID 0, which it is
        ("flip", 0x781),
        ("zeroes", 0x781),
        ("misdirect:to=64", 0x781),
    ],
)
def test_what_becomes_of_a_command(latency: str, action: str, outcome: int | str) -> None:
    with Target(f"sim:capacity=1GiB,latency={latency}") as target:
        nvme0, other = d.Controller(target.address), d.Controller(target.address)
        nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 16)
        others_n1, others = d.Namespace(other), d.Qpair(other, 16)
        assert nvme0n1.verify_enable()
        buf = d.Buffer(64 * 512, ptype=0xBEEF, pvalue=100)
        for lba in (0, 64):
            nvme0n1.write(qpair, buf, lba, 64).waitdone()
        nvme0.timeout = PATIENT_MS
        with target.ssd.fault("read,nth=1", action) as fault:

            def swallowed() -> None:
                until(lambda: bool(fault.fired))
                nvme0.timeout = TIMEOUT_MS

            if outcome == SWALLOWED:
                assert read(nvme0n1, qpair, swallowed) == SWALLOWED
            elif isinstance(outcome, int):
                assert read(nvme0n1, qpair) == outcome
            else:
                with pytest.raises(SystemError, match=CLOSED + outcome):
                    read_twice(nvme0n1, qpair)
            assert (fault.matched, fault.fired, fault.armed) == (1, 1, False)
            assert (fault.commands[0].qid, fault.commands[0].command) == (1, "Read")
            # The other host's queue of the same identifier is not concerned.
            assert read(others_n1, others) == 0
        nvme0.timeout = PATIENT_MS
        if outcome not in (0, 0x281, 0x2006, 0x781):
            nvme0.reset()
            qpair = d.Qpair(nvme0, 16)
        assert read(nvme0n1, qpair) == 0
        nvme0.close()
        other.close()
        until_gone(target)


def test_late_completions_go_to_the_host_whose_command_it_was(target: Target) -> None:
    """Two hosts' commands have the same queue identifier and CID."""
    hosts = [d.Controller(target.address) for _ in range(2)]
    queues = [d.Qpair(nvme0, 16) for nvme0 in hosts]
    namespaces = [d.Namespace(nvme0) for nvme0 in hosts]
    with target.ssd.fault("read", "delay:us=5000") as fault:
        for nvme0n1, qpair in zip(namespaces, queues, strict=True):
            for _ in range(4):
                nvme0n1.read(qpair, d.Buffer(512), 0)
        for qpair in reversed(queues):
            qpair.waitdone(4)
        assert fault.fired == 8
    for nvme0 in hosts:
        nvme0.close()


def test_a_fatal_status_is_one_controllers(target: Target, nvme0: d.Controller) -> None:
    other = d.Controller(target.address)
    nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 16)
    target.ssd.fault("flush,nth=1", "fatal")
    with pytest.raises(SystemError, match=r"CSTS\.CFS"):  # which is read once in a while
        nvme0n1.flush(qpair).waitdone()
    assert other[0x1C] == 1
    nvme0.reset()
    assert nvme0[0x1C] == 1
    assert read(nvme0n1, d.Qpair(nvme0, 16)) == 0
    other.close()


def test_an_ssd_that_vanishes_takes_every_connection_with_it(
    target: Target, nvme0: d.Controller
) -> None:
    other = d.Controller(target.address + ";answer_ms=3000")  # as long as it is asked in vain
    nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 16)
    fault = target.ssd.fault("read,nth=1", "vanish")
    with pytest.raises(SystemError, match=CLOSED):
        read(nvme0n1, qpair)
    until_gone(target)
    assert target.controllers == 0
    with pytest.raises(d.NvmeEnumerateError):
        other.reset()
    fault.clear()
    for controller in (nvme0, other):
        controller.reset()
        assert read(d.Namespace(controller), d.Qpair(controller, 16)) == 0
    other.close()


def test_an_admin_command(target: Target, nvme0: d.Controller) -> None:
    with target.ssd.fault({"queue": "admin", "opcode": "get_log_page"}, "status:sct=1,sc=9"):
        with pytest.warns(UserWarning, match="ERROR status: 01/09"):
            nvme0.getlogpage(2, d.Buffer(512), 512).waitdone()
        assert [fault.action for fault in target.ssd.faults()] == ["status:sct=1,sc=9"]
    assert target.ssd.faults() == []
    target.ssd.fault("write", "drop")
    target.ssd.clear_faults()
    assert target.ssd.faults() == []


@pytest.mark.parametrize(
    ("action", "why"),
    [
        ("phase", "no phase bit"),
        ("dma:address=4096", "does not reach the host's memory"),
        ("mistag:sqid=9", "are the transport's on a fabric"),
        ("mistag:sqhd=9", "are the transport's on a fabric"),
        ("explode", "is no action"),
    ],
)
def test_what_is_not_there_on_a_fabric_is_refused(target: Target, action: str, why: str) -> None:
    with pytest.raises(AssertionError, match=why):
        target.ssd.fault(None, action)


def test_serve_takes_faults_at_a_socket(tmp_path: Path) -> None:
    path = tmp_path / "ssd.sock"
    server = subprocess.Popen(
        [sys.executable, "-u", "-m", "nvme.cli", "serve", "--socket", str(path), "--dut",
         "sim:capacity=1GiB,latency=0", "--fault", "read,nth=1", "status:sct=2,sc=0x81"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        assert "vfio-user" in server.stdout.readline()
        nvme0 = d.Controller(f"unix:{path}")
        assert read(d.Namespace(nvme0), d.Qpair(nvme0, 16)) == 0x281
        nvme0.close()
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=LIMIT_S)
    finally:
        server.kill()
        server.wait()


def test_serve_takes_faults() -> None:
    command = [sys.executable, "-u", "-m", "nvme.cli", "serve", "--tcp", "127.0.0.1:0", "--dut",
               "sim:capacity=1GiB,latency=0"]  # fmt: skip
    wrong = subprocess.run(
        [*command, "--fault", "reed", "flip"], capture_output=True, text=True, timeout=LIMIT_S
    )
    assert wrong.returncode == 1
    assert "opcode=reed" in wrong.stderr
    server = subprocess.Popen(
        [*command, "--fault", "read,nth=1", "status:sct=2,sc=0x81", "--fault", "flush", "swallow"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert server.stdout is not None
        nvme0 = d.Controller(server.stdout.readline().rpartition(" ")[2].strip())
        assert read(d.Namespace(nvme0), d.Qpair(nvme0, 16)) == 0x281
        nvme0.close()
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=LIMIT_S)
        assert server.returncode == 0
    finally:
        server.kill()
        server.wait()
