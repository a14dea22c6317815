"""The NVMe/TCP host against a target that shares no code with it, and that breaks the rules."""

from __future__ import annotations

import gc
import json
import socket
import struct
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tcp_host import held_port
from tcp_target import C2H_TERM, LAST, R2T, RESP, SUCCESS, Connection, Target
from until import until

import nvme as d

KIB = 1024
LIMIT_S = 60
KEEP_ALIVE_TIMER = 15  # a feature


def random_buffer(size: int) -> d.Buffer:
    return d.Buffer(size, ptype=0xBEEF, pvalue=100)


def opened(target: Target, options: str = "") -> d.Controller:
    return d.Controller(target.address + options)


def round_trip(nvme0: d.Controller, lbas: int, depth: int = 16) -> None:
    """Write and read back, through a new queue."""
    nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, depth)
    out, back = random_buffer(lbas * 512), d.Buffer(lbas * 512)
    nvme0n1.write(qpair, out, 3, lbas).waitdone()
    nvme0n1.read(qpair, back, 3, lbas).waitdone()
    assert back[:] == out[:]
    qpair.delete()


@pytest.mark.parametrize("digests", ["", ";hdgst=1", ";ddgst=1", ";hdgst=1;ddgst=1"])
@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"success": False},
        {"ioccsz": 4, "r2t_bytes": 4096, "r2ts": 4},
        {"c2h_bytes": 1536, "r2t_bytes": 6000, "r2ts": 2, "success": False},
        {"cpda": 31, "pdo_align": 128},
    ],
    ids=["success", "response", "r2ts", "pieces", "aligned"],
)
def test_data_go_both_ways(digests: str, shape: dict[str, Any]) -> None:
    with Target(**shape) as target:
        hpda = ";hpda=128" if shape.get("pdo_align") == 128 else ""
        nvme0 = opened(target, digests + hpda)
        for lbas in (1, 8, 33):
            round_trip(nvme0, lbas)
        nvme0.close()
        assert {connection.hdgst for connection in target.connections[1:]} == {"hdgst" in digests}


def test_a_digest_that_the_target_does_not_grant_is_not_used() -> None:
    with Target(digests=0) as target:
        nvme0 = opened(target, ";hdgst=1;ddgst=1")
        round_trip(nvme0, 8)
        nvme0.close()


def test_ipv6_and_tcp_objects() -> None:
    with Target(socket.AF_INET6) as target:
        tcp = d.Tcp("::1", target.port)
        assert tcp.addr == f"[::1]:{target.port}"
        nvme0 = d.Controller(tcp)
        round_trip(nvme0, 1)
        tcp.close()


def test_registers_are_properties() -> None:
    with Target() as target:
        nvme0 = opened(target)
        assert nvme0[0x1C] == 1
        assert nvme0.cap == target.cap
        assert nvme0[0] == target.cap & 0xFFFFFFFF
        assert nvme0[4] == target.cap >> 32
        assert nvme0[8] == 0x10400
        with pytest.raises(AssertionError, match="38h is no property of this target"):
            nvme0[0x38]
        with pytest.raises(AssertionError, match="was not taken for register 24h"):
            nvme0[0x24] = 5
        nvme0.close()


def test_pages_of_another_size_are_only_what_mdts_counts_in() -> None:
    with Target() as target:
        target.cap |= 4 << 48 | 4 << 52  # CAP.MPSMIN and MPSMAX: 64 KiB
        nvme0 = opened(target)
        assert nvme0[0x14] >> 7 & 0xF == 4
        assert nvme0.mdts == 65536 << nvme0.id_data(77)
        round_trip(nvme0, 8)
        nvme0.close()


def test_who_the_host_is(monkeypatch: pytest.MonkeyPatch) -> None:
    uuid = "01234567-89ab-cdef-0123-456789abcdef"
    with Target() as target:
        monkeypatch.setenv("PYNVME_HOSTNQN", "nqn.2024-01.org.example:from-environment")
        monkeypatch.setenv("PYNVME_HOSTID", uuid)
        opened(target).close()
        qid, sqsize, kato, subnqn, hostnqn, hostid = target.connects[-1]
        assert (qid, sqsize, kato) == (0, 127, 5000)
        assert subnqn == target.subsystems[0]
        assert hostnqn == "nqn.2024-01.org.example:from-environment"
        assert hostid.hex() == uuid.replace("-", "")
        opened(target, ";hostnqn=nqn.2024-01.org.example:named;hostid=" + "ab" * 16).close()
        assert target.connects[-1][4:] == ("nqn.2024-01.org.example:named", b"\xab" * 16)


def test_io_queues_belong_to_the_association() -> None:
    with Target() as target:
        nvme0 = opened(target)
        qpairs = [d.Qpair(nvme0, depth) for depth in (2, 16, 128)]
        assert [(c[0], c[1]) for c in target.connects[-3:]] == [(1, 1), (2, 15), (3, 127)]
        for qpair in qpairs:
            qpair.delete()
        nvme0.close()


def test_a_queue_identifier_is_free_again_a_little_later() -> None:
    refusals = [3]

    def busy(connection: Connection, sqe: bytes, data: bytes) -> bool:
        qid = struct.unpack("<H", sqe[42:44])[0]
        if sqe[0] != 0x7F or sqe[4] != 1 or qid == 0 or not refusals[0]:
            return False
        refusals[0] -= 1
        connection.respond(struct.unpack("<H", sqe[2:4])[0], 0x0C)  # Command Sequence Error
        return True

    with Target(on_command=busy) as target:
        nvme0 = opened(target)
        round_trip(nvme0, 8)
        assert refusals == [0]
        nvme0.close()


def test_a_discovery_service_that_tells_of_another_port() -> None:
    with Target() as elsewhere, Target() as target:
        elsewhere.subsystems = ["nqn.2024-01.org.example:elsewhere"]
        target.discovery_log = elsewhere.discovery_log  # type: ignore[method-assign]
        with pytest.raises(
            d.NvmeEnumerateError, match=f"tells of the subsystem at {elsewhere.address}: name that"
        ):
            d.Controller(target.address)
        # Where the port is one that is forwarded, it is there.
        target.subsystems = elsewhere.subsystems
        d.Controller(target.address).close()


def test_several_subsystems_have_to_be_named() -> None:
    with Target() as target:
        target.subsystems = ["nqn.2024-01.org.example:a", "nqn.2024-01.org.example:b"]
        with pytest.raises(d.NvmeEnumerateError, match=r"(?s)2 NVM subsystems.*:a.*:b"):
            opened(target)
        opened(target, ";nqn=nqn.2024-01.org.example:b").close()
        assert target.connects[-1][3] == "nqn.2024-01.org.example:b"
        with pytest.raises(d.NvmeEnumerateError, match=r"Invalid Parameters.*subsystem NQN"):
            opened(target, ";nqn=nqn.2024-01.org.example:c")


def test_nobody_listens() -> None:
    refused = pytest.raises(d.NvmeEnumerateError, match=r"127\.0\.0\.1:.*Connection refused")
    with held_port() as port, refused as error:
        d.Controller(f"127.0.0.1:{port}")
    assert f"127.0.0.1:{port}" in str(error.value)


def test_what_listens_is_no_target() -> None:
    def other_protocol(connection: Connection) -> bool:
        connection.sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        return True

    refused = pytest.raises(d.NvmeEnumerateError, match="no PDU that a controller sends")
    with Target(on_ic=other_protocol) as target, refused:
        opened(target)


def test_what_listens_says_nothing() -> None:
    silent = threading.Event()
    refused = pytest.raises(d.NvmeEnumerateError, match="no ICResp came within 100 ms")
    with Target(on_ic=lambda _: silent.wait(60)) as target:
        with refused:
            opened(target, ";answer_ms=100")
        silent.set()


def test_discovery_from_the_command_line() -> None:
    discover = [sys.executable, "-m", "nvme.cli", "discover"]
    with Target() as target:
        command = [*discover, target.address]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        row = ["nvm", "subsystem", "tcp", "ipv4", "127.0.0.1", str(target.port)]
        assert shown.stdout.splitlines()[1].split() == [*row, target.subsystems[0]]
        asked = subprocess.run([*command, "--json"], capture_output=True, timeout=60, check=True)
        assert json.loads(asked.stdout)[0]["subnqn"] == target.subsystems[0]
    with held_port() as port:
        command = [*discover, f"127.0.0.1:{port}"]
        refused = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert refused.returncode == 1
    assert "Connection refused" in refused.stderr


def test_keep_alive_is_sent_while_the_script_does_nothing() -> None:
    with Target() as target:
        nvme0 = opened(target, ";kato=3000")  # less than that the machine may stand still
        until(lambda: target.keep_alives >= 2)
        assert nvme0[0x1C] == 1
        nvme0.close()


def test_a_keep_alive_without_answer_ends_the_association() -> None:
    def swallow(connection: Connection, sqe: bytes, data: bytes) -> bool:
        return sqe[0] == 0x18

    with Target(on_command=swallow) as target:
        nvme0 = opened(target)
        nvme0.setfeatures(KEEP_ALIVE_TIMER, cdw11=60)

        def lost() -> str:
            try:
                nvme0[0x1C]
            except SystemError as error:
                return str(error)
            return ""

        until(lost)
        assert "Keep Alive had no answer within 60 ms" in lost()
        target.on_command = None
        nvme0.reset()
        assert nvme0[0x1C] == 1
        nvme0.close()


def test_a_swallowed_command_times_out_and_the_queue_works_after_a_reset() -> None:
    def swallow(connection: Connection, sqe: bytes, data: bytes) -> bool:
        return connection.qid > 0 and sqe[0] == 2

    with Target(on_command=swallow) as target:
        nvme0 = opened(target)
        nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 8), d.Buffer(4096)
        nvme0.timeout = 200
        seen = []
        with pytest.warns(UserWarning, match=f"drive timeout: qpair: {qpair.sqid}, cid: 0"):
            nvme0n1.read(qpair, buf, 0, 8, cb=lambda *got: seen.append(got)).waitdone()
        assert seen == [(0xFFFFFFFF, 0xFFFF)]
        nvme0.timeout = LIMIT_S * 1000
        target.on_command = None
        nvme0.reset()
        round_trip(nvme0, 8)
        nvme0.close()


def test_events_arrive_and_are_asked_for_again() -> None:
    with Target() as target:
        nvme0 = opened(target)
        events = []
        nvme0.aer(lambda cdw0, status1: events.append(cdw0))
        while not target.aers:
            nvme0.getfeatures(7).waitdone()
        connection, cid = target.aers[0]
        connection.respond(cid, 0, 0x00010300)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            while not events:
                nvme0.getfeatures(7).waitdone()
        assert "AER notification is triggered: 0x10300" in str(caught[0].message)
        assert events == [0x00010300]
        nvme0.close()


def test_iops_of_several_workers_and_a_reset() -> None:
    with Target() as target:
        nvme0 = opened(target)
        nvme0n1 = d.Namespace(nvme0)
        nvme0n1.verify_enable(True)
        workers = [
            nvme0n1.ioworker(io_size=2, read_percentage=60, io_count=500, qdepth=7).start()
            for _ in range(3)
        ]
        assert [w.close().error for w in workers] == [0, 0, 0]
        assert sum(connection.qid > 0 for connection in target.connections) == 3
        nvme0.reset()
        round_trip(nvme0, 16)
        nvme0.close()


def test_the_command_log_shows_pdus() -> None:
    with Target(ioccsz=4) as target:
        nvme0 = opened(target)
        nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 8)
        nvme0n1.write(qpair, random_buffer(4096), 0, 8).waitdone()
        text = qpair.cmdlog(1)
        for pdu in (
            "sent CapsuleCmd plen:72",
            "received R2T plen:24 offset:0 length:4096",
            "sent H2CData plen:4120 offset:0 length:4096 LAST",
            "received CapsuleResp plen:24",
        ):
            assert pdu in text
        nvme0.close()


def test_what_has_no_meaning_on_a_fabric_says_so() -> None:
    import psd

    with Target() as target:
        pcie = d.Pcie(target.address)
        for access in (
            lambda: pcie[0],
            lambda: pcie.register(0),
            lambda: pcie.cap_offset(1),
            lambda: pcie.mem_dword_read(0),
            pcie.reset,
            pcie.flr,
        ):
            with pytest.raises(AssertionError, match="fabric"):
                access()
        nvme0 = d.Controller(pcie)
        qpair = d.Qpair(nvme0, 8)
        for access in (qpair.msix_clear, qpair.msix_isset, qpair.msix_mask, qpair.msix_unmask):
            with pytest.raises(AssertionError, match="fabric"):
                access()
        with pytest.raises(AssertionError, match="fabric"):
            psd.IOCQ(nvme0, 5, 16, psd.PRP())
        subsystem = d.Subsystem(nvme0)
        with pytest.raises(AssertionError, match="fabric"):
            subsystem.poweroff()
        qpair.delete()
        nvme0.close()


def test_two_targets_and_two_simulated_drives_in_one_script() -> None:
    with Target() as one, Target() as two:
        found = [d.Controller(a) for a in ("sim", d.Ssd(latency=0), one.address, two.address)]
        models = [nvme0.id_data(63, 24, str).strip() for nvme0 in found]
        assert models == ["pynvme embedded SSD"] * 2 + ["mini target"] * 2
        for nvme0 in found:
            nvme0.close()


def test_many_connections_leave_nothing_behind() -> None:
    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    with Target() as target:
        opened(target).close()
        gc.collect()
        for connection in target.connections:
            connection.sock.close()
        target.connections.clear()
        before = descriptors()
        for _ in range(20):
            nvme0 = opened(target)
            qpair = d.Qpair(nvme0, 4)
            qpair.delete()
            nvme0.close()
        for thread in target.threads[1:]:
            thread.join(LIMIT_S)
        assert descriptors() <= before + 1


Break = Callable[[Connection, int], None]


def r2t(connection: Connection, cid: int, tag: int, offset: int, length: int) -> None:
    connection.send(R2T, 0, struct.pack("<HHIII", cid, tag, offset, length, 0))


BROKEN_READS: dict[str, tuple[Break, str, int]] = {
    "type": (lambda c, cid: c.send(0x0B, 0, bytes(16)), "no PDU that a controller sends", 1),
    "host's own type": (lambda c, cid: c.send(4, 0, bytes(64)), "no PDU that a controller", 1),
    "second ICResp": (lambda c, cid: c.send(1, 0, bytes(120)), "when the connection was there", 2),
    "hlen": (lambda c, cid: c.send(RESP, 0, bytes(16), hlen=25), "HLEN 25 instead of 24", 1),
    "long plen": (lambda c, cid: c.send(RESP, 0, bytes(16), plen=2**31), "PLEN 2147483648", 1),
    "short plen": (lambda c, cid: c.send(RESP, 0, bytes(16), plen=8), "PLEN 8 instead of 24", 1),
    "digest flag": (lambda c, cid: c.send(RESP, 1, bytes(16)), "not agreed upon", 1),
    "unknown cid": (lambda c, cid: c.respond(77), "CID 77, which is not outstanding", 1),
    "data of nobody": (lambda c, cid: c.c2h(9, 0, bytes(8)), "CID 9, which waits for no data", 1),
    "beyond the end": (lambda c, cid: c.c2h(cid, 4096 - 8, bytes(16)), "buffer of 4096", 4),
    "far beyond": (lambda c, cid: c.c2h(cid, 0xFFFFFFFF, bytes(16)), "buffer of 4096", 4),
    "wrong order": (lambda c, cid: c.c2h(cid, 512, bytes(512), 0), "DATAO 512", 1),
    "pdo": (lambda c, cid: c.c2h(cid, 0, bytes(512), 0, pdo=8), "has its data at 8", 1),
    "datal": (lambda c, cid: c.c2h(cid, 0, bytes(512), 0, plen=100), "DATAL 512, but PLEN 100", 1),
    "success first": (lambda c, cid: c.c2h(cid, 0, bytes(8), SUCCESS), "SUCCESS without LAST", 1),
    "r2t for a read": (lambda c, cid: r2t(c, cid, 1, 0, 4096), "has no data to send", 1),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN_READS)
def test_a_target_that_breaks_the_rules_of_a_read(name: str) -> None:
    breach, text, fes = BROKEN_READS[name]

    def answer(connection: Connection, sqe: bytes, data: bytes) -> bool:
        if connection.qid != 1 or sqe[0] != 2:
            return False
        breach(connection, struct.unpack("<H", sqe[2:4])[0])
        return True

    with Target(on_command=answer) as target:
        nvme0 = opened(target)
        nvme0n1, qpair, other = d.Namespace(nvme0), d.Qpair(nvme0, 8), d.Qpair(nvme0, 8)
        buf = d.Buffer(4096)
        with pytest.raises(SystemError, match=text) as raised:
            nvme0n1.read(qpair, buf, 0, 8).waitdone()
        assert target.address in str(raised.value)
        assert "IO queue 1" in str(raised.value)
        with pytest.raises(SystemError, match=text):
            nvme0n1.read(qpair, buf, 0, 8)
        # Told why, and other connections go on.
        until(lambda: target.queue(1).term)
        term = target.queue(1).term
        assert term is not None
        assert struct.unpack("<H", term[8:10])[0] == fes
        nvme0n1.read(other, buf, 0, 8).waitdone()
        assert nvme0[0x1C] == 1
        qpair.delete()
        nvme0.close()


BROKEN_WRITES: dict[str, tuple[Break, str, int]] = {
    "beyond the end": (lambda c, cid: r2t(c, cid, 1, 4096, 512), "which has 4096", 4),
    "overflow": (lambda c, cid: r2t(c, cid, 1, 0xFFFFFE00, 0x400), "which has 4096", 4),
    "nothing": (lambda c, cid: r2t(c, cid, 1, 0, 0), "asks for bytes 0 to 0", 4),
    "wrong order": (lambda c, cid: r2t(c, cid, 1, 512, 512), "from byte 512 on", 1),
    "twice": (lambda c, cid: (r2t(c, cid, 1, 0, 4096), r2t(c, cid, 1, 0, 4096)), "from byte 0", 1),
    "data for a write": (lambda c, cid: c.c2h(cid, 0, bytes(8)), "waits for no data", 1),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN_WRITES)
def test_a_target_that_breaks_the_rules_of_a_write(name: str) -> None:
    breach, text, _ = BROKEN_WRITES[name]

    def answer(connection: Connection, sqe: bytes, data: bytes) -> bool:
        if connection.qid != 1 or sqe[0] != 1:
            return False
        connection.data_may_come = True
        breach(connection, struct.unpack("<H", sqe[2:4])[0])
        return True

    with Target(on_command=answer, ioccsz=4) as target:
        nvme0 = opened(target)
        nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 8)
        with pytest.raises(SystemError, match=text):
            nvme0n1.write(qpair, random_buffer(4096), 0, 8).waitdone()
        nvme0.close()


def test_more_r2ts_than_agreed_upon() -> None:
    def answer(connection: Connection, sqe: bytes, data: bytes) -> bool:
        if connection.qid != 1 or sqe[0] != 1:
            return False
        cid = struct.unpack("<H", sqe[2:4])[0]
        pdus = b"".join(
            struct.pack("<BBBBIHHIII", R2T, 0, 24, 0, 24, cid, i, i * 512, 512, 0) for i in range(3)
        )
        connection.data_may_come = True
        connection.sock.sendall(pdus)
        return True

    with Target(on_command=answer, ioccsz=4) as target:
        nvme0 = opened(target, ";maxr2t=2")
        nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 8)
        with pytest.raises(SystemError, match=r"R2T is the 3\. for CID 0 at once, MAXR2T allows 2"):
            nvme0n1.write(qpair, random_buffer(4096), 0, 8).waitdone()
        nvme0.close()


@pytest.mark.parametrize("part", ["header", "data"])
def test_digests_that_are_wrong(part: str) -> None:
    def answer(connection: Connection, sqe: bytes, data: bytes) -> bool:
        if connection.qid != 1 or sqe[0] != 2:
            return False
        cid = struct.unpack("<H", sqe[2:4])[0]
        fake = {"hdgst": 1} if part == "header" else {"ddgst": 1}
        connection.c2h(cid, 0, bytes(4096), LAST | SUCCESS, **fake)
        return True

    with Target(on_command=answer) as target:
        nvme0 = opened(target, ";hdgst=1;ddgst=1")
        nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 8), d.Buffer(4096)
        if part == "header":
            with pytest.raises(SystemError, match="header digest of C2HData"):
                nvme0n1.read(qpair, buf, 0, 8).waitdone()
        else:
            # Transient Transport Error: the command fails, the connection goes on.
            with pytest.warns(UserWarning, match="ERROR status: 00/22"):
                nvme0n1.read(qpair, buf, 0, 8).waitdone()
            target.on_command = None
            nvme0n1.read(qpair, buf, 0, 8).waitdone()
        nvme0.close()


def test_a_read_that_is_said_to_have_succeeded_without_its_data() -> None:
    def answer(connection: Connection, sqe: bytes, data: bytes) -> bool:
        if connection.qid != 1 or sqe[0] != 2:
            return False
        cid = struct.unpack("<H", sqe[2:4])[0]
        connection.c2h(cid, 0, bytes(512), 0)
        connection.respond(cid)
        return True

    with Target(on_command=answer) as target:
        nvme0 = opened(target)
        nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 8), d.Buffer(4096)
        with pytest.warns(UserWarning, match="ERROR status: 00/22"):
            nvme0n1.read(qpair, buf, 0, 8).waitdone()
        nvme0.close()


def test_the_target_says_why_it_ends_a_connection() -> None:
    def answer(connection: Connection, sqe: bytes, data: bytes) -> bool:
        if connection.qid != 1 or sqe[0] != 2:
            return False
        term = struct.pack("<HI", 2, 5) + bytes(10) + bytes([4, 0, 72, 0, 72, 0, 0, 0]) + sqe
        connection.send(C2H_TERM, 0, term, hlen=24)
        return True

    with Target(on_command=answer) as target:
        nvme0 = opened(target)
        nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 8), d.Buffer(4096)
        with pytest.raises(SystemError, match=r"C2HTermReq: PDU Sequence Error.*CapsuleCmd"):
            nvme0n1.read(qpair, buf, 0, 8).waitdone()
        nvme0.close()


@pytest.mark.parametrize("how", [socket.SHUT_RDWR, None], ids=["closed", "reset"])
def test_a_connection_that_breaks_under_load(how: int | None) -> None:
    def cut(connection: Connection, sqe: bytes, data: bytes) -> bool:
        if connection.qid < 1 or target.keep_alives < 300:
            target.keep_alives += connection.qid > 0
            return False
        if how is None:
            linger = struct.pack("ii", 1, 0)
            connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            raise EOFError
        connection.sock.shutdown(how)
        raise EOFError

    with Target(on_command=cut) as target:
        nvme0 = opened(target, ";kato=0")
        nvme0n1 = d.Namespace(nvme0)
        result = nvme0n1.ioworker(io_size=8, read_percentage=50, time=60, qdepth=8).start().close()
        assert result.error == -7
        target.on_command = None
        nvme0.reset()
        round_trip(nvme0, 8)
        nvme0.close()


def test_a_peer_that_stops_reading() -> None:
    def stop(connection: Connection, sqe: bytes, data: bytes) -> bool:
        if connection.qid < 1:
            return False
        stopped.wait(60)
        raise EOFError

    stopped = threading.Event()
    with Target(on_command=stop, lbas=32768, ioccsz=(64 + 128 * KIB) // 16) as target:
        nvme0 = opened(target)
        nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 128)
        nvme0.timeout = 300
        # More than both sockets take.
        for i in range(120):
            nvme0n1.write(qpair, d.Buffer(128 * KIB), i * 256, 256)
        with pytest.warns(UserWarning, match="drive timeout"):
            qpair.waitdone(120)
        nvme0.timeout = LIMIT_S * 1000
        stopped.set()
        target.on_command = None
        nvme0.reset()
        round_trip(nvme0, 8)
        nvme0.close()


def test_closing_while_commands_are_under_way() -> None:
    def swallow(connection: Connection, sqe: bytes, data: bytes) -> bool:
        return connection.qid > 0

    with Target(on_command=swallow, ioccsz=4) as target:
        nvme0 = opened(target)
        nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 8), random_buffer(65536)
        nvme0n1.read(qpair, buf, 0, 128)
        nvme0n1.write(qpair, buf, 0, 128)
        nvme0.close()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1;nqn=", "127.0.0.1;x=1", "127.0.0.1;hdgst=2", "127.0.0.1;hpda=6",
        "127.0.0.1;hostid=xyz", "127.0.0.1;nqn=abcd;nqn=abcd", "127.0.0.1;psk=abc", "127.0.0.1;",
    ],
)  # fmt: skip
def test_options_that_make_no_sense(address: str) -> None:
    with pytest.raises(AssertionError):
        d.Controller(address)
