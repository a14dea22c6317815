"""What the host sends when it is told to break the rules, as a target of its own code sees it."""

from __future__ import annotations

import time
import warnings
from typing import Any

import pytest
from tcp_target import CMD, H2C_DATA, Connection, Target

import nvme as d

# Of what is lost; what is answered has the time that a machine may need that stands still for a
# while.
TIMEOUT_MS = 200
LIMIT_S = 60
BOTH = ";hdgst=1;ddgst=1"


def opened(target: Target, options: str = "") -> d.Controller:
    nvme0 = d.Controller(target.address + ";kato=0" + options)
    nvme0.timeout = LIMIT_S * 1000
    return nvme0


def target_of(**options: Any) -> Target:
    """Its writes of 8 KiB wait for an R2T, and go in two H2CData."""
    return Target(ioccsz=4, maxh2cdata=4096, **options)


def write(nvme0n1: d.Namespace, qpair: d.Qpair, count: int = 1) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(count):
            nvme0n1.write(qpair, d.Buffer(8192, ptype=32, pvalue=0x11223344), number * 16, 16)
        qpair.waitdone(count)


def lose(nvme0: d.Controller, qpair: d.Qpair) -> None:
    """A write that is not answered: from the fault on, only time is missing."""
    d.Namespace(nvme0).write(qpair, d.Buffer(8192), 0, 16)
    end = time.monotonic() + LIMIT_S
    while nvme0.faults:
        assert time.monotonic() < end
        qpair.waitdone(0)
    nvme0.timeout = TIMEOUT_MS
    with pytest.warns(UserWarning, match="drive timeout"):
        qpair.waitdone()
    nvme0.timeout = LIMIT_S * 1000


def sent(connection: Connection) -> list[int]:
    """Types of the PDUs of an IO queue, behind ICReq and Connect."""
    return [kind for kind, _, _ in connection.received][2:]


@pytest.mark.parametrize("digests", ["", BOTH])
@pytest.mark.parametrize(
    ("action", "pdu", "seen"),
    [
        ("drop", "CapsuleCmd", []),
        ("half-open", "CapsuleCmd", []),
        ("stop reading", "CapsuleCmd", [CMD]),
        ("reset", "CapsuleCmd", []),
        ("truncate", "CapsuleCmd", []),
        ("delay", "CapsuleCmd", [CMD, H2C_DATA, H2C_DATA]),
        ("half-open", "H2CData", [CMD]),
        ("stop reading", "H2CData", [CMD, H2C_DATA, H2C_DATA]),
        ("reset", "H2CData", [CMD]),
        ("truncate", "H2CData", [CMD]),
        ("delay", "H2CData", [CMD, H2C_DATA, H2C_DATA]),
    ],
)
def test_what_is_sent(digests: str, action: str, pdu: str, seen: list[int]) -> None:
    with target_of() as target:
        nvme0, other = opened(target, digests), opened(target, digests)
        nvme0n1, others = d.Namespace(nvme0), d.Qpair(other, 8)
        qpair = d.Qpair(nvme0, 8)
        connection = target.connections[-1]
        nvme0.fault(action, pdu, queue=qpair.sqid, delay=0.05)
        if action in ("reset", "truncate"):
            with pytest.raises(SystemError, match=f"a fault was to {action}"):
                write(nvme0n1, qpair)
        elif action == "delay":
            write(nvme0n1, qpair)
        else:
            lose(nvme0, qpair)
        write(d.Namespace(other), others)
        nvme0.reset()
        assert connection.over.wait(LIMIT_S)
        assert sent(connection) == seen
        write(nvme0n1, d.Qpair(nvme0, 8))
        nvme0.close()
        other.close()


@pytest.mark.parametrize("digests", ["", BOTH])
@pytest.mark.parametrize(
    ("action", "offsets"),
    [("duplicate", [0, 0]), ("drop", [4096]), ("swap", [4096])],
    ids=["unsolicited", "missing", "wrong order"],
)
def test_data_out_of_turn(digests: str, action: str, offsets: list[int]) -> None:
    """The target sees it in DATAO, and ends the connection; its way of doing so is an assertion."""
    with target_of() as target:
        nvme0 = opened(target, digests)
        nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 8)
        connection = target.connections[-1]
        nvme0.fault(action, "H2CData")
        with pytest.raises(SystemError, match="IO queue 1: the connection is closed: "):
            write(nvme0n1, qpair)
        headers = [header for kind, _, header in connection.received if kind == H2C_DATA]
        got = [int.from_bytes(header[12:16], "little") for header in headers]
        assert got[: len(offsets)] == offsets
        assert all(isinstance(error, AssertionError) for error in target.errors)
        target.errors.clear()
        nvme0.reset()
        write(nvme0n1, d.Qpair(nvme0, 8))
        nvme0.close()


@pytest.mark.parametrize(
    ("action", "pdu"),
    [
        ("corrupt header", "CapsuleCmd"),
        ("corrupt header", "H2CData"),
        ("corrupt data", "H2CData"),
        ("oversize", "CapsuleCmd"),
        ("oversize", "H2CData"),
    ],
)
def test_digests_do_not_fit(action: str, pdu: str) -> None:
    with target_of() as target:
        nvme0 = opened(target, BOTH)
        nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 8)
        nvme0.fault(action, pdu, queue=qpair.sqid)
        with pytest.raises(SystemError, match="IO queue 1: the connection is closed: "):
            write(nvme0n1, qpair)
        assert len(target.errors) == 1
        target.errors.clear()
        nvme0.reset()
        write(nvme0n1, d.Qpair(nvme0, 8))
        nvme0.close()


def test_without_digests_the_bytes_are_what_differs() -> None:
    commands: list[tuple[int, int]] = []

    def look(connection: Connection, sqe: bytes, data: bytes) -> bool:
        if connection.qid == 1:
            commands.append((sqe[0], int.from_bytes(sqe[2:4], "little")))
        return False

    with target_of(on_command=look) as target:
        nvme0 = opened(target)
        nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 8)
        nvme0.fault("corrupt data", "H2CData", queue=1)
        write(nvme0n1, qpair)
        changed = [at for at in range(8192) if target.memory[at] != b"\x44\x33\x22\x11"[at % 4]]
        assert 2048 in changed
        nvme0.fault("corrupt header", "CapsuleCmd", queue=1)
        write(nvme0n1, qpair)
        assert [opcode for opcode, _ in commands] == [1, 1 ^ 0x55]
        commands.clear()
        nvme0.fault("duplicate", "CapsuleCmd", queue=1)
        for _ in range(2):
            nvme0n1.flush(qpair)
        with pytest.raises(SystemError, match="CapsuleResp is for CID 0, which is not outstanding"):
            qpair.waitdone(2)
        assert commands[:2] == [(0, 0), (0, 0)]
        nvme0.reset()
        qpair = d.Qpair(nvme0, 8)
        commands.clear()
        nvme0.fault("swap", "CapsuleCmd", queue=1)
        for _ in range(2):
            nvme0n1.flush(qpair)
        qpair.waitdone(2)
        assert commands == [(0, 1), (0, 0)]
        nvme0.close()


def test_an_icreq_that_is_wrong() -> None:
    with target_of() as target:
        nvme0 = opened(target, ";answer_ms=3000")
        nvme0.fault("corrupt header", "ICReq")
        with pytest.raises(d.QpairCreationError, match="the target ended it"):
            d.Qpair(nvme0, 8)
        assert len(target.errors) == 1  # PFV
        target.errors.clear()
        nvme0.fault("drop", "ICReq")
        with pytest.raises(d.QpairCreationError, match="no ICResp came within 3000 ms"):
            d.Qpair(nvme0, 8)
        write(d.Namespace(nvme0), d.Qpair(nvme0, 8))
        nvme0.close()
