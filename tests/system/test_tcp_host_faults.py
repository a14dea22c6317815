"""Controller.fault(): the host sends PDUs that are wrong, late or missing. Both ends tell, in
bounded time; nobody else is concerned, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest
from until import until

import nvme as d
from nvme.target import Target

# Of what is lost; what is answered has the time that a machine may need that stands still for a
# while.
TIMEOUT_MS = 200
LIMIT_S = 60
PATIENT_MS = LIMIT_S * 1000
BOTH = ";hdgst=1;ddgst=1"
CLOSED = "IO queue 1: the connection is closed: "
TOLD = "the target sent C2HTermReq: "
OURS = "a fault was to {} {} on this side"
TIMED_OUT, OK, CONFLICT, INVALID_OPCODE, TRANSPORT = 0x7FFF, 0, 0x003, 0x001, 0x022
# (action, PDU) -> the statuses of two writes (SCT and SC), or the error that ends the queue; where
# they differ without and with digests, both.
FAULTS: dict[tuple[str, str], list[int] | str | tuple[list[int] | str, list[int] | str]] = {
    ("corrupt header", "CapsuleCmd"): (
        [INVALID_OPCODE, OK],
        TOLD + "Header Digest Error .* about CapsuleCmd",
    ),
    ("corrupt header", "H2CData"): (
        TOLD + "Invalid PDU Header Field .*FEI 8h.* about H2CData",
        TOLD + "Header Digest Error .* about H2CData",
    ),
    ("corrupt data", "H2CData"): ([OK, OK], [TRANSPORT, OK]),
    ("truncate", "CapsuleCmd"): OURS.format("truncate", "CapsuleCmd"),
    ("truncate", "H2CData"): OURS.format("truncate", "H2CData"),
    ("oversize", "CapsuleCmd"): TOLD + "Invalid PDU Header Field .* about CapsuleCmd",
    ("oversize", "H2CData"): (
        TOLD + "Invalid PDU Header Field .*FEI 4h.* about H2CData",
        TOLD + "Header Digest Error .* about H2CData",
    ),
    ("duplicate", "CapsuleCmd"): [CONFLICT, CONFLICT],
    ("duplicate", "H2CData"): TOLD + "Data Transfer Out of Range .* about H2CData",
    ("drop", "CapsuleCmd"): [TIMED_OUT, OK],
    ("drop", "H2CData"): TOLD + "Data Transfer Out of Range .* about H2CData",
    ("swap", "H2CData"): TOLD + "Data Transfer Out of Range .* about H2CData",
    ("delay", "CapsuleCmd"): [OK, OK],
    ("delay", "H2CData"): [OK, OK],
    ("half-open", "CapsuleCmd"): [TIMED_OUT, TIMED_OUT],
    ("half-open", "H2CData"): [TIMED_OUT, TIMED_OUT],
    ("reset", "CapsuleCmd"): OURS.format("reset the connection instead of", "CapsuleCmd"),
    ("reset", "H2CData"): OURS.format("reset the connection instead of", "H2CData"),
    ("stop reading", "CapsuleCmd"): [TIMED_OUT, TIMED_OUT],
    ("stop reading", "H2CData"): [TIMED_OUT, TIMED_OUT],
}
T = TypeVar("T")


@pytest.fixture
def target() -> Iterator[Target]:
    # Writes of 8 KiB wait for an R2T, and go in two H2CData.
    with Target("sim:capacity=1GiB,latency=0", in_capsule=0, max_h2c_data=4096) as served:
        yield served


def write(
    nvme0: d.Controller, qpair: d.Qpair, lbas: tuple[int, ...], outcome: list[int] | str = ""
) -> list[int]:
    statuses: list[int] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, lba in enumerate(lbas):
            nvme0.timeout = PATIENT_MS
            d.Namespace(nvme0).write(
                qpair, d.Buffer(8192), lba, 16, cb=lambda _, status1: statuses.append(status1)
            )
            if isinstance(outcome, list) and outcome[number] == TIMED_OUT:
                # Nothing more is to come once the fault has befallen its PDU.
                until(lambda: qpair.waitdone(0) == 0 and nvme0.faults == 0)
                nvme0.timeout = TIMEOUT_MS
            qpair.waitdone()
    nvme0.timeout = PATIENT_MS
    return [
        status >> 1 & 0x7FFF if status == 0xFFFF else status >> 1 & 0x7FF for status in statuses
    ]


@pytest.mark.parametrize("digests", ["", BOTH])
@pytest.mark.parametrize("fault", FAULTS)
def test_what_becomes_of_it(target: Target, digests: str, fault: tuple[str, str]) -> None:
    action, pdu = fault
    outcome = FAULTS[fault]
    if isinstance(outcome, tuple):
        outcome = outcome[digests == BOTH]
    nvme0, other = (d.Controller(target.address + digests) for _ in range(2))
    qpair, beside, others = d.Qpair(nvme0, 16), d.Qpair(nvme0, 16), d.Qpair(other, 16)
    nvme0.fault(action, pdu, queue=qpair.sqid, delay=0.01)
    assert nvme0.faults == 1
    if isinstance(outcome, str):
        with pytest.raises(SystemError, match=CLOSED + outcome):
            write(nvme0, qpair, (0, 16))
    else:
        assert write(nvme0, qpair, (0, 16), outcome) == outcome
    assert nvme0.faults == 0
    # Neither another queue of this host nor another host is concerned.
    assert write(nvme0, beside, (32, 48)) == [OK, OK]
    assert write(other, others, (64, 80)) == [OK, OK]
    nvme0.reset()
    assert write(nvme0, d.Qpair(nvme0, 16), (0, 16)) == [OK, OK]
    assert write(other, others, (64, 80)) == [OK, OK]
    other.close()
    nvme0.close()
    until(lambda: target.connections == target.controllers == 0)


@pytest.mark.parametrize("digests", ["", BOTH])
def test_commands_that_change_places_both_succeed(target: Target, digests: str) -> None:
    nvme0 = d.Controller(target.address + digests)
    nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 16)
    nvme0.fault("swap", "CapsuleCmd", queue=qpair.sqid)
    order: list[int] = []
    for number in range(2):
        nvme0n1.flush(qpair, cb=lambda cdw0, status1, number=number: order.append(number))
    qpair.waitdone(2)
    assert order == [1, 0]
    nvme0.close()


def test_corrupted_data_without_a_digest_are_found_by_their_verification(target: Target) -> None:
    nvme0 = d.Controller(target.address)
    nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 16)
    assert nvme0n1.verify_enable()
    nvme0.fault("corrupt data", "H2CData", skip=1)  # the second 4 KiB
    nvme0n1.write(qpair, d.Buffer(8192, ptype=0xBEEF, pvalue=100), 0, 16).waitdone()
    with pytest.warns(UserWarning, match="ERROR status: 07/81: LBA 0xc"):
        nvme0n1.read(qpair, d.Buffer(8192), 0, 16).waitdone()
    nvme0.close()


def unless_late(make: Callable[[], T]) -> T:
    """What comes of it; once more where the other side stood still for longer than `answer_ms`."""
    end = time.monotonic() + LIMIT_S
    while True:
        try:
            return make()
        except (d.NvmeEnumerateError, d.QpairCreationError, SystemError) as error:
            if " within 200 ms" not in str(error) or time.monotonic() > end:
                raise


@pytest.mark.parametrize(
    ("action", "error"),
    [
        ("corrupt header", "C2HTermReq: Unsupported Parameter"),
        ("truncate", OURS.format("truncate", "ICReq")),
        ("oversize", "C2HTermReq: Invalid PDU Header Field"),
        ("duplicate", "C2HTermReq: PDU Sequence Error"),
        ("drop", "no ICResp came within 200 ms"),
        ("half-open", "no ICResp came within 200 ms"),
        ("stop reading", "no ICResp came within 200 ms"),
        ("reset", OURS.format("reset the connection instead of", "ICReq")),
        ("delay", ""),
    ],
)
def test_the_handshake(target: Target, action: str, error: str) -> None:
    options = ";answer_ms=200" if "200 ms" in error else ""
    nvme0 = unless_late(lambda: d.Controller(target.address + options))
    nvme0.fault(action, "ICReq", queue=1, delay=0.01)
    if error:
        with pytest.raises(d.QpairCreationError, match=error):
            d.Qpair(nvme0, 16)
    assert write(nvme0, unless_late(lambda: d.Qpair(nvme0, 16)), (0, 16)) == [OK, OK]
    nvme0.close()
    until(lambda: target.controllers == 0)


def test_on_the_admin_queue_it_ends_the_association(target: Target) -> None:
    nvme0, other = d.Controller(target.address), d.Controller(target.address)
    nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 16)
    nvme0.fault("reset", "CapsuleCmd", queue=0)
    with pytest.raises(SystemError, match="reset the connection instead of CapsuleCmd"):
        nvme0.getfeatures(7).waitdone()
    until(lambda: target.controllers == 1)
    with pytest.raises(SystemError, match=CLOSED):
        nvme0n1.read(qpair, d.Buffer(512), 0).waitdone()
    nvme0.reset()
    assert write(nvme0, d.Qpair(nvme0, 16), (0, 16)) == [OK, OK]
    assert other.getfeatures(7).waitdone()
    nvme0.close()
    other.close()


def test_under_load(target: Target) -> None:
    nvme0 = d.Controller(target.address + BOTH)
    nvme0n1 = d.Namespace(nvme0)
    nvme0.fault("corrupt header", "H2CData", skip=200)
    with pytest.warns(UserWarning, match="ioworker host ERROR -7"):
        result = (
            nvme0n1.ioworker(io_size=16, read_percentage=50, qdepth=16, time=60).start().close()
        )
    assert (result.error, nvme0.faults) == (-7, 0)
    assert "Header Digest Error" in result.detail
    nvme0.reset()
    nvme0.fault("delay", count=50, delay=0.001)
    result = nvme0n1.ioworker(io_size=16, io_count=300, qdepth=16).start().close()
    assert (result.error, nvme0.faults) == (0, 0)
    nvme0.close()


def test_what_cannot_be(target: Target) -> None:
    pcie = d.Controller("sim:serial=WIRE,latency=0")
    for call in (
        lambda: pcie.fault("drop"),
        lambda: pcie.faults,
        lambda: pcie.clear_faults(),
    ):
        with pytest.raises(AssertionError, match="is not reached over a network"):
            call()
    pcie.close()
    nvme0 = d.Controller(target.address)
    with pytest.raises(AssertionError, match="possible: corrupt header, corrupt data, truncate"):
        nvme0.fault("explode")
    with pytest.raises(AssertionError, match="possible: ICReq, CapsuleCmd, H2CData"):
        nvme0.fault("drop", "R2T")
    for wrong in ({"queue": -1}, {"queue": 65536}, {"count": -1}, {"skip": 1.5}, {"delay": -1}):
        with pytest.raises(AssertionError):
            nvme0.fault("drop", **wrong)
        with pytest.raises(AssertionError):
            target.fault("drop", **wrong)
    nvme0.fault("drop", "H2CData", count=3)
    assert nvme0.faults == 3
    nvme0.clear_faults()
    assert nvme0.faults == 0
    nvme0.close()


# --- targets that are gone ----------------------------------------------------------------------


@pytest.fixture
def server() -> Iterator[tuple[subprocess.Popen[str], str]]:
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "nvme.cli", "serve", "--tcp", "127.0.0.1:0",
         "--dut", "sim:capacity=1GiB,latency=0"],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    yield process, process.stdout.readline().rpartition(" ")[2].strip()
    process.kill()
    process.communicate()


def loads(nvme0: d.Controller) -> list[d.IOWorker]:
    """One at full speed, one that sends little, one whose commands are all written."""
    nvme0n1 = d.Namespace(nvme0)
    common = {"io_size": 8, "time": 600, "region_end": 65536}
    workers = [
        nvme0n1.ioworker(qdepth=32, **common),
        nvme0n1.ioworker(qdepth=2, iops=20, **common),
        nvme0n1.ioworker(qdepth=8, read_percentage=0, **common),
    ]
    started = [worker.start() for worker in workers]

    def at_work(worker: d.IOWorker) -> bool:
        so_far = worker.progress()
        return bool(so_far.io_count_read + so_far.io_count_nonread > 5)

    until(lambda: all(at_work(worker) for worker in started))
    return started


def ends(workers: list[d.IOWorker], why: str) -> None:
    for worker in workers:
        with pytest.warns(UserWarning, match="ioworker host ERROR -7"):
            result = worker.close()
        assert result.error == -7
        assert why in result.detail, result.detail


def test_workers_end_when_the_target_is_killed(server: tuple[subprocess.Popen[str], str]) -> None:
    process, address = server
    nvme0 = d.Controller(address)
    nvme0.timeout = 10 * PATIENT_MS  # nobody waits for that
    workers = loads(nvme0)
    process.kill()
    before = time.monotonic()
    ends(workers, "the connection is closed")
    assert time.monotonic() - before < LIMIT_S
    nvme0.close()


def test_workers_end_with_keep_alive_when_the_target_falls_silent(
    server: tuple[subprocess.Popen[str], str],
) -> None:
    """Its connections stay: only Keep Alive can tell that nobody is there."""
    process, address = server
    nvme0 = d.Controller(address + ";kato=60000")
    nvme0.timeout = 10 * PATIENT_MS  # nobody waits for that
    workers = loads(nvme0)
    nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 8)
    process.send_signal(signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)  # it has stopped
    nvme0.setfeatures(15, cdw11=600)  # until now the machine may stand still for longer
    ends(workers, "the connection of the admin queue was lost")
    with pytest.raises(SystemError, match="the connection of the admin queue was lost"):
        nvme0n1.read(qpair, d.Buffer(512), 0).waitdone()
    process.send_signal(signal.SIGCONT)
    nvme0.reset()
    assert write(nvme0, d.Qpair(nvme0, 16), (0, 16)) == [OK, OK]
    nvme0.close()


def test_workers_end_when_the_admin_queue_falls_silent(target: Target) -> None:
    """Keep Alive is not answered: the association is over."""
    nvme0 = d.Controller(target.address + ";kato=60000")
    workers = loads(nvme0)
    nvme0.fault("half-open", queue=0)
    nvme0.setfeatures(15, cdw11=600)  # is not sent any more
    with pytest.warns(UserWarning, match="ioworker host ERROR -7"):
        assert [worker.close().error for worker in workers] == [-7] * 3
    until(lambda: target.controllers == 0)
    nvme0.reset()
    assert write(nvme0, d.Qpair(nvme0, 16), (0, 16)) == [OK, OK]
    nvme0.close()
