# The embedded SSD behind NVMe/TCP, seen through plain sockets: bytes of the specification in, bytes
# out. Linux as its host is in tests/vm, the driver in the driver's tests.
"""The NVMe/TCP target."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from typing import Any

import pytest
import tcp_host
from tcp_host import (
    C2H_TERM,
    COMMAND,
    DISCOVERY,
    H2C_DATA,
    R2T,
    RESPONSE,
    Host,
    Pdu,
    admin,
    io,
    sgl,
    sqe,
)
from until import until

from nvme.errors import ArgumentError
from nvme.target import Target, split_address

SSD = "sim:capacity=1GiB,latency=0,lba=512"
PATTERN = bytes(range(256)) * 16


@pytest.fixture
def target() -> Iterator[Target]:
    with Target(SSD) as served:
        yield served


def status_of(queue: Host, opcode: int, **fields: Any) -> int:
    """Of a command that ends with a completion."""
    done, _ = queue.command(opcode, **fields)
    assert done is not None
    return done.status


def succeeded(answer: tuple[Pdu | None, bytes]) -> bool:
    """Whether a command's completion says so."""
    return answer[0] is not None and answer[0].status == 0


def test_handshake_grants_what_was_asked_for() -> None:
    with Target(SSD, max_h2c_data=8192, cpda=1, data_digest=False) as served:
        for asked, granted in ((0, 0), (1, 1), (2, 0), (3, 1)):
            with Host(served.port, digests=asked) as host:
                answer = host.icreq()
                assert (answer.type, answer.hlen, answer.plen) == (1, 128, 128)
                assert answer.raw[10:12] == bytes([1, granted])
                assert answer.u32(12) == 8192


@pytest.mark.parametrize("digests", [0, 1, 2, 3])
def test_data_go_both_ways(target: Target, digests: int) -> None:
    with (
        admin(target.port, target.nqn, digests=digests) as queue,
        io(queue, target.port, target.nqn) as host,
    ):
        data = PATTERN * 32
        for slba, part, transport in (
            (0, data[:512], False), (8, data[:4096], False), (16, data[:4096], True),
            (1024, data, True),
        ):  # fmt: skip
            lbas = len(part) // 512
            done, _ = host.command(
                1, nsid=1, write=part, transport=transport, cdw10=slba, cdw12=lbas - 1
            )
            assert done is not None
            assert done.status == 0
            done, read = host.command(2, nsid=1, read=len(part), cdw10=slba, cdw12=lbas - 1)
            assert done is not None
            assert (done.status, read == part) == (0, True)


def test_success_flag_only_without_flow_control(target: Target) -> None:
    with admin(target.port, target.nqn) as queue:
        with io(queue, target.port, target.nqn, cattr=4) as host:
            done, data = host.command(2, nsid=1, read=4096, cdw12=7)
            assert (done, data) == (None, bytes(4096))
            done, _ = host.command(0, nsid=1)
            assert done is not None
            assert done.status == 0
        with Host(target.port) as host:
            host.icreq()
            answer = host.connect(target.nqn, qid=2, cntlid=queue.cntlid, cattr=4)
            assert (answer.status, answer.u16(16)) == (0, 0xFFFF)
            assert status_of(host, 2, nsid=1, read=512, cdw10=1 << 31) == 0x80


def test_sq_head_follows_the_queue(target: Target) -> None:
    with (
        admin(target.port, target.nqn) as queue,
        io(queue, target.port, target.nqn, sqsize=3) as host,
    ):
        heads = []
        for _ in range(6):
            done, _ = host.command(0, nsid=1)
            assert done is not None
            heads.append(done.u16(16))
        assert heads == [2, 3, 0, 1, 2, 3]  # Connect was the first


def test_several_r2ts_and_split_data() -> None:
    with (
        Target(SSD, max_r2t_data=4096, max_h2c_data=4096, max_c2h_data=4096) as served,
        admin(served.port, served.nqn) as queue,
        Host(served.port, digests=3) as host,
    ):
        host.icreq(maxr2t=2, hpda=15)
        assert host.connect(served.nqn, qid=1, cntlid=queue.cntlid).status == 0
        data = PATTERN * 5
        cid = host.cid()
        entry = sqe(1, nsid=1, cid=cid, data=sgl(0x5A, len(data)), cdw12=39)
        host.send(host.encode(COMMAND, entry))
        asked = [host.pdu() for _ in range(3)]
        assert [pdu.type for pdu in asked] == [R2T] * 3
        assert [(pdu.u32(12), pdu.u32(16)) for pdu in asked] == [
            (0, 4096), (4096, 4096), (8192, 4096)
        ]  # fmt: skip
        assert len({pdu.u16(10) for pdu in asked}) == 3
        for pdu in reversed(asked):  # in any order
            host.answer_r2t(pdu, data)
        assert succeeded(host.completion(cid, data))
        cid = host.cid()
        entry = sqe(2, nsid=1, cid=cid, data=sgl(0x5A, len(data)), cdw12=39)
        host.send(host.encode(COMMAND, entry))
        got = [host.pdu() for _ in range(5)]
        assert [pdu.u32(12) for pdu in got] == [0, 4096, 8192, 12288, 16384]
        assert [pdu.flags & 0xC for pdu in got] == [0, 0, 0, 0, 4]
        assert {pdu.pdo for pdu in got} == {64}
        assert b"".join(pdu.data for pdu in got) == data
        assert host.pdu().type == RESPONSE


def test_identify_tells_what_a_fabric_is(target: Target) -> None:
    with admin(target.port, target.nqn) as queue:
        _, c = queue.command(6, read=4096, cdw10=1)
        field = lambda form, at: struct.unpack_from(form, c, at)[0]  # noqa: E731
        assert field("<H", 78) == queue.cntlid
        assert c[76] & 2  # CMIC: several controllers
        assert c[111] == 1  # CNTRLTYPE: I/O
        assert not field("<H", 256) & 1 << 8  # no Doorbell Buffer Config
        assert field("<H", 320) >= 1  # KAS
        assert field("<H", 514) == 1024  # MAXCMD
        assert field("<I", 536) == 1 | 1 << 18 | 1 << 20 | 1 << 21  # SGLS
        assert c[768 : 768 + 256].rstrip(b"\0").decode() == target.nqn
        assert field("<I", 1792) == (64 + 8192) // 16  # IOCCSZ
        assert field("<I", 1796) == 1  # IORCSZ
        assert (field("<H", 1800), c[1802] & 1, c[1803]) == (0, 0, 1)  # ICDOFF, FCATT, MSDBD
        _, n = queue.command(6, nsid=1, read=4096, cdw10=0)
        assert n[30] & 1  # NMIC: the namespace is shared
        _, listed = queue.command(6, read=4096, cdw10=0x13)
        assert struct.unpack_from("<HH", listed) == (1, queue.cntlid)
        _, effects = queue.command(2, read=4096, cdw10=5 | 1023 << 16)
        supported = struct.unpack_from("<256I", effects)
        assert [supported[opcode] for opcode in (0, 1, 4, 5, 0x7C)] == [0] * 5
        assert supported[0x7F] == 1


def test_properties(target: Target) -> None:
    with Host(target.port) as host:
        host.icreq()
        assert host.connect(target.nqn).status == 0
        assert host.property_get(0x08) == 0x10400
        cap = host.property_get(0, 8)
        assert (cap & 0xFFFF, cap >> 16 & 1, cap >> 37 & 1) == (1023, 1, 1)
        assert host.property_get(0x1C) & 1 == 0
        # Before CC.EN nothing but Fabrics commands.
        assert status_of(host, 6, read=4096, cdw10=1) == 0x0C
        for fields in (
            {"cdw11": 0x1C, "cdw10": 1}, {"cdw11": 0}, {"cdw11": 0x24}, {"cdw11": 0x1000},
            {"cdw11": 0x16},
        ):  # fmt: skip
            answer, _ = host.command(0x7F, nsid=4, **fields)
            assert answer is not None
            assert (answer.status, answer.dnr) == (0x02, True)
        assert host.property_set(0x08, 1).status == 0x02
        host.enable()
        assert host.property_set(0x14, 0x00464001).status == 0  # SHN: normal
        while host.property_get(0x1C) & 0xC != 8:
            pass
        assert status_of(host, 6, read=4096, cdw10=1) == 0x0C


def test_reset_closes_io_queues_and_starts_anew(target: Target) -> None:
    with admin(target.port, target.nqn) as queue, io(queue, target.port, target.nqn) as host:
        queue.command(0x0C, wait=False)  # an Asynchronous Event Request that waits
        assert queue.property_set(0x14, 0x00460000).status == 0
        assert queue.property_get(0x1C) & 1 == 0
        assert host.closed()
        queue.enable()
        assert status_of(queue, 6, read=4096, cdw10=1) == 0
        with io(queue, target.port, target.nqn) as again:
            assert status_of(again, 0, nsid=1) == 0


def test_connect_errors_say_where(target: Target) -> None:
    with admin(target.port, target.nqn) as queue:
        cases: list[tuple[dict[str, Any], int, int]] = [
            ({"nqn": "nqn.2014-08.org.example:none"}, 0x182, 1 << 16 | 256),
            ({"nqn": ""}, 0x182, 1 << 16 | 256),
            ({"hostnqn": ""}, 0x182, 1 << 16 | 512),
            ({"cntlid": 7}, 0x182, 1 << 16 | 16),
            ({"cntlid": 0xFFFE}, 0x182, 1 << 16 | 16),
            ({"sqsize": 0}, 0x182, 44),
            ({"sqsize": 1024}, 0x182, 44),
            ({"recfmt": 1}, 0x180, 0),
            ({"qid": 1, "cntlid": 0x999}, 0x182, 1 << 16 | 16),
            ({"qid": 17, "cntlid": queue.cntlid}, 0x182, 42),
            ({"qid": 1, "cntlid": queue.cntlid, "sqsize": 1024}, 0x182, 44),
            ({"qid": 1, "cntlid": queue.cntlid, "hostnqn": "nqn.other"}, 0x182, 1 << 16 | 512),
            ({"qid": 1, "cntlid": queue.cntlid, "hostid": bytes(16)}, 0x182, 1 << 16),
            ({"qid": 1, "cntlid": queue.cntlid, "nqn": DISCOVERY}, 0x182, 1 << 16 | 256),
        ]
        with Host(target.port) as host:  # one after the other: the connection stays
            host.icreq()
            for options, status, cdw0 in cases:
                answer = host.connect(**{"nqn": target.nqn, **options})
                assert (answer.status, answer.cdw0, answer.dnr) == (status, cdw0, True), options
            assert host.connect(target.nqn, qid=1, cntlid=queue.cntlid).status == 0
            assert host.connect(target.nqn, qid=2, cntlid=queue.cntlid).status == 0x0C
        with Host(target.port) as host:
            host.icreq()
            assert status_of(host, 6, read=4096, cdw10=1) == 0x0C
            assert host.connect(target.nqn).status == 0
            with Host(target.port) as early:
                early.icreq()
                answer = early.connect(target.nqn, qid=1, cntlid=host.cntlid)
                assert answer.status == 0x0C  # not enabled yet
        with io(queue, target.port, target.nqn, 3), Host(target.port) as host:
            host.icreq()
            assert host.connect(target.nqn, qid=3, cntlid=queue.cntlid).status == 0x0C


def test_prohibited_and_malformed_commands(target: Target) -> None:
    with admin(target.port, target.nqn) as queue, io(queue, target.port, target.nqn) as host:
        for opcode in (0, 1, 4, 5, 0x7C):
            assert status_of(queue, opcode) == 0x01, opcode
        transport, capsule = sgl(0x5A, 512), sgl(0x01, 512)
        for opcode, flags, pointer, data, status in (
            (2, 0x00, transport, b"", 0x02),  # PSDT: PRPs
            (2, 0x80, transport, b"", 0x02),
            (2, 0x41, transport, b"", 0x02),  # fused
            (2, 0x40, sgl(0x00, 512), b"", 0x11),  # SGL descriptor types
            (2, 0x40, sgl(0x40, 512), b"", 0x11),
            (1, 0x40, sgl(0x20, 512), b"", 0x11),
            (2, 0x40, capsule, b"", 0x02),  # a read into the capsule
            (1, 0x40, sgl(0x01, 512, 512), bytes(512), 0x16),  # an offset
            (1, 0x40, sgl(0x01, 1024), bytes(512), 0x0F),
            (1, 0x40, transport, bytes(512), 0x02),
            (2, 0x40, sgl(0x5A, 1024), b"", 0x00),  # longer than the data: SGLS allows that
            (2, 0x40, sgl(0x5A, 256), b"", 0x0F),
            (2, 0x40, sgl(0x5A, 1 << 30), b"", 0x02),
            (2, 0x40, bytes(16), b"", 0x0F),
        ):
            cid = host.cid()
            entry = sqe(opcode, nsid=1, cid=cid, flags=flags, data=pointer)
            host.send(host.encode(COMMAND, entry, data))
            done, _ = host.completion(cid)
            assert done is not None
            assert done.status == status, (opcode, flags, pointer)
        for fctype, status in ((0x08, 0x185), (0x05, 0x01), (0x33, 0x01), (0x01, 0x0C)):
            done, _ = queue.command(0x7F, nsid=fctype)
            assert done is not None
            assert done.status == status, fctype
        assert status_of(host, 0x7F, nsid=4, cdw11=8) == 0x02
        # The same CID twice: the second one is refused, the first one goes on.
        entry = sqe(1, nsid=1, cid=77, data=sgl(0x5A, 512))
        host.send(host.encode(COMMAND, entry))
        asked = host.pdu()
        host.send(host.encode(COMMAND, sqe(0, nsid=1, cid=77)))
        refused = host.pdu()
        assert (refused.status, refused.dnr) == (0x03, False)
        host.answer_r2t(asked, bytes(512))
        assert succeeded(host.completion(77))
        done, _ = host.command(0x7F, nsid=8)  # Disconnect
        assert done is not None
        assert done.status == 0
        assert host.closed()
        assert status_of(queue, 6, read=4096, cdw10=1) == 0


# name, bytes to send after the handshake (h: the host), FES, FEI
MALFORMED: list[tuple[str, Any, int, int]] = [
    ("unknown type", lambda h: struct.pack("<BBBBI", 0x0A, 0, 8, 0, 8), 1, 0),
    ("a controller's type", lambda h: struct.pack("<BBBBI", 5, 0, 24, 0, 24), 1, 0),
    ("HLEN", lambda h: struct.pack("<BBBBI", 4, 0, 71, 0, 72), 1, 2),
    ("PLEN too small", lambda h: struct.pack("<BBBBI", 4, 0, 72, 0, 71), 1, 4),
    ("PLEN within padding", lambda h: struct.pack("<BBBBI", 4, 0, 72, 72, 72 - 1), 1, 4),
    ("PDO into the header", lambda h: struct.pack("<BBBBI", 4, 0, 72, 40, 100), 1, 3),
    ("PDO unaligned", lambda h: struct.pack("<BBBBI", 4, 0, 72, 73, 100), 1, 3),
    ("digest that was not agreed on", lambda h: struct.pack("<BBBBI", 4, 1, 72, 0, 76), 1, 1),
    ("second ICReq", lambda h: struct.pack("<BBBBI", 0, 0, 128, 0, 128), 2, 0),
    ("data nobody asked for", lambda h: h.encode(
        H2C_DATA, struct.pack("<HHII4x", 1, 0, 0, 4), bytes(4), 4), 1, 10),
]  # fmt: skip


@pytest.mark.parametrize(("name", "make", "fes", "fei"), MALFORMED, ids=[m[0] for m in MALFORMED])
def test_malformed_pdus_end_the_connection(
    target: Target, name: str, make: Any, fes: int, fei: int
) -> None:
    with admin(target.port, target.nqn) as bystander, Host(target.port) as host:
        host.icreq()
        raw = make(host)
        host.send(raw)
        term = host.pdu()
        assert (term.type, term.hlen, term.u16(8), term.u32(10)) == (C2H_TERM, 24, fes, fei), name
        assert term.data == raw[: len(term.data)]
        assert len(term.data) >= 8
        host.socket.shutdown(1)
        assert host.closed()
        assert status_of(bystander, 6, read=4096, cdw10=1) == 0


@pytest.mark.parametrize(
    ("raw", "fes", "fei"),
    [
        (struct.pack("<BBBBIHBBI", 0, 0, 128, 0, 128, 1, 0, 0, 0) + bytes(112), 6, 8),
        (struct.pack("<BBBBIHBBI", 0, 0, 128, 0, 128, 0, 32, 0, 0) + bytes(112), 1, 10),
        (struct.pack("<BBBBI", 0, 0, 128, 0, 129), 1, 4),
        (struct.pack("<BBBBI", 4, 0, 72, 0, 72) + bytes(64), 2, 0),
    ],
)
def test_a_handshake_that_goes_wrong(target: Target, raw: bytes, fes: int, fei: int) -> None:
    with Host(target.port) as host:
        host.send(raw)
        term = host.pdu()
        assert (term.type, term.u16(8), term.u32(10)) == (C2H_TERM, fes, fei)


def test_digests_that_do_not_match(target: Target) -> None:
    with admin(target.port, target.nqn, digests=3) as queue:
        with io(queue, target.port, target.nqn) as host:
            raw = bytearray(
                host.encode(COMMAND, sqe(1, nsid=1, cid=9, data=sgl(1, 512)), bytes(512))
            )
            raw[100] ^= 1  # data: the command fails, and may be sent again
            host.send(bytes(raw))
            done, _ = host.completion(9)
            assert done is not None
            assert (done.status, done.dnr) == (0x22, False)
            raw = bytearray(host.encode(COMMAND, sqe(0, nsid=1, cid=10)))
            raw[20] ^= 1  # header: nothing can be relied on any more
            host.send(bytes(raw))
            term = host.pdu()
            assert (term.type, term.u16(8)) == (C2H_TERM, 3)
            assert term.u32(10) == struct.unpack_from("<I", raw, 72)[0]
        assert status_of(queue, 6, read=4096, cdw10=1) == 0


@pytest.mark.parametrize(
    ("header", "size", "flags", "fes", "fei"),
    [
        ((77, None, 0, 8192), 8192, 4, 5, 0),  # more than MAXH2CDATA
        ((78, None, 0, 512), 512, 0, 1, 8),  # another command's
        ((77, 0x7777, 0, 512), 512, 0, 1, 10),
        ((77, None, 512, 512), 512, 0, 4, 0),  # not what comes next
        ((77, None, 0, 516), 512, 0, 1, 4),  # DATAL and PLEN differ
        ((77, None, 0, 512), 512, 4, 1, 1),  # LAST_PDU too early
    ],
)
def test_data_that_were_not_asked_for(
    header: tuple[int, int | None, int, int], size: int, flags: int, fes: int, fei: int
) -> None:
    with (
        Target(SSD, max_h2c_data=4096) as served,
        admin(served.port, served.nqn) as queue,
        io(queue, served.port, served.nqn) as host,
    ):
        host.send(host.encode(COMMAND, sqe(1, nsid=1, cid=77, data=sgl(0x5A, 8192), cdw12=15)))
        ttag = host.pdu().u16(10)
        fields = (header[0], ttag if header[1] is None else header[1], *header[2:])
        host.send(host.encode(H2C_DATA, struct.pack("<HHII4x", *fields), bytes(size), flags))
        term = host.pdu()
        assert (term.type, term.u16(8), term.u32(10)) == (C2H_TERM, fes, fei)


def test_discovery(target: Target) -> None:
    with Host(target.port) as host:
        host.icreq()
        assert host.connect(DISCOVERY).status == 0
        host.enable()
        _, c = host.command(6, read=4096, cdw10=1)
        assert c[111] == 2
        assert c[768:1024].rstrip(b"\0").decode() == DISCOVERY
        _, log = host.command(2, read=2048, cdw10=0x70 | 511 << 16)
        assert struct.unpack_from("<QQH", log) == (0, 1, 0)
        entry = log[1024:]
        assert entry[:3] == bytes([3, 1, 2])
        assert struct.unpack_from("<HHH", entry, 4)[1:] == (0xFFFF, 32)
        text = [
            entry[at : at + n].rstrip(b"\0").decode()
            for at, n in ((32, 32), (256, 256), (512, 256))
        ]
        assert text == [str(target.port), target.nqn, "127.0.0.1"]
        _, part = host.command(2, read=16, cdw10=0x70 | 3 << 16, cdw12=1024)
        assert part == entry[:16]
        assert status_of(host, 2, read=512, cdw10=2 | 127 << 16) == 0x109
        assert status_of(host, 1) == 0x01
        with Host(target.port) as queue:
            queue.icreq()
            answer = queue.connect(DISCOVERY, qid=1, cntlid=host.cntlid)
            assert (answer.status, answer.cdw0) == (0x182, 42)


def test_only_listed_hosts() -> None:
    with Target(SSD, hosts=["nqn.good"]) as served:
        with Host(served.port) as host:
            host.icreq()
            answer = host.connect(served.nqn)
            assert (answer.status, answer.dnr) == (0x184, True)
            assert host.connect(served.nqn, hostnqn="nqn.good").status == 0
        for hostnqn, entries in (("nqn.good", 1), ("nqn.bad", 0)):
            with Host(served.port) as host:
                host.icreq()
                assert host.connect(DISCOVERY, hostnqn=hostnqn).status == 0
                host.enable()
                _, log = host.command(2, read=1024, cdw10=0x70 | 255 << 16)
                assert struct.unpack_from("<Q", log, 8)[0] == entries


def test_hosts_share_namespaces_and_hear_of_each_other(target: Target) -> None:
    with admin(target.port, target.nqn) as one, admin(target.port, target.nqn) as two:
        assert one.cntlid != two.cntlid
        _, listed = one.command(6, read=4096, cdw10=0x13)
        assert struct.unpack_from("<HHH", listed) == (2, *sorted((one.cntlid, two.cntlid)))
        with io(one, target.port, target.nqn) as a, io(two, target.port, target.nqn) as b:
            assert status_of(a, 1, nsid=1, write=PATTERN, cdw12=7) == 0
            assert b.command(2, nsid=1, read=4096, cdw12=7)[1] == PATTERN
            # Features are each controller's own, namespaces are shared.
            two.command(9, cdw10=0x0B, cdw11=0x100)
            told, _ = one.command(10, cdw10=0x0B)
            assert told is not None
            assert told.cdw0 & 0x100 == 0
            event = two.cid()
            two.command(0x0C, cid=event, wait=False)
            controllers = struct.pack("<HHH", 2, *sorted((one.cntlid, two.cntlid))).ljust(
                4096, b"\0"
            )
            done, _ = one.command(0x15, nsid=1, write=controllers, cdw10=1)
            assert done is not None
            assert done.status == 0
            told, _ = two.completion(event)
            assert told is not None
            assert (told.status, told.cdw0) == (0, 0x040002)
            _, changed = two.command(2, read=4096, cdw10=4 | 1023 << 16)
            assert struct.unpack_from("<II", changed) == (1, 0)
            assert status_of(b, 2, nsid=1, read=4096, cdw12=7) == 0x02
        one.close()
        until(lambda: target.controllers == 1)


def test_abort_takes_an_event_request_back(target: Target) -> None:
    with admin(target.port, target.nqn) as queue:
        event = queue.cid()
        queue.command(0x0C, cid=event, wait=False)
        cid = queue.cid()
        queue.send(queue.encode(COMMAND, sqe(8, cid=cid, cdw10=event << 16)))
        first, second = queue.pdu(), queue.pdu()
        assert (first.cid, first.status) == (event, 0x07)
        assert (second.cid, second.status, second.cdw0) == (cid, 0, 0)


def test_keep_alive_timer(target: Target) -> None:
    with (
        admin(target.port, target.nqn, kato=60050) as queue,
        io(queue, target.port, target.nqn) as host,
    ):
        kept, _ = queue.command(10, cdw10=0x0F)
        assert kept is not None
        assert kept.cdw0 == 60100
        assert status_of(queue, 0x18) == 0
        # Nothing has to be in time from now on.
        assert status_of(queue, 9, cdw10=0x0F, cdw11=150) == 0
        assert queue.closed()
        assert host.closed()
        until(lambda: target.controllers == 0 and target.connections == 0)
    with Host(target.port) as queue:
        queue.icreq()
        assert queue.connect(target.nqn, kato=150).status == 0
        assert queue.property_set(0x14, 0x00460001).status == 0  # once it is ready, time runs
        assert queue.closed()
        until(lambda: target.controllers == 0 and target.connections == 0)


def test_slow_hosts_are_bounded() -> None:
    with (
        Target(SSD, connect_timeout=0.1) as served,
        Host(served.port) as silent,
        Host(served.port) as half,
    ):
        with contextlib.suppress(EOFError, OSError):  # it may be over before
            half.icreq()
        assert silent.closed()
        assert half.closed()
    with Target(SSD, stall_timeout=0.1) as served, admin(served.port, served.nqn) as queue:
        host = io(queue, served.port, served.nqn, sqsize=1023)
        with contextlib.suppress(ConnectionError):  # over while we send
            for _ in range(1000):  # 128 MB that are not read
                host.command(2, nsid=1, read=131072, cdw12=255, wait=False)
                if served.connections < 2:
                    break
        until(lambda: served.connections == 1)
        assert status_of(queue, 6, read=4096, cdw10=1) == 0
        host.close()
    with Target(SSD, term_timeout=0.1) as served, Host(served.port) as host:
        host.icreq()
        host.send(bytes([0xFF] * 8))
        assert host.pdu().type == C2H_TERM
        assert host.closed()


def test_more_commands_than_the_queue_has_entries(target: Target) -> None:
    with (
        admin(target.port, target.nqn) as queue,
        io(queue, target.port, target.nqn, sqsize=1) as host,
    ):
        for _ in range(3):
            host.send(host.encode(COMMAND, sqe(1, nsid=1, cid=host.cid(), data=sgl(0x5A, 512))))
        assert [host.pdu().type for _ in range(3)] == [R2T, R2T, C2H_TERM]


def test_a_thousand_connections_leave_nothing(target: Target) -> None:
    for _ in range(1000):
        with Host(target.port) as host:
            host.icreq()
            assert host.connect(target.nqn).status == 0
    until(lambda: target.connections == 0 and target.controllers == 0)
    assert target.accepted == 1000


def test_data_outlive_the_target(tmp_path: Any) -> None:
    ssd = f"{SSD},file={tmp_path / 'media'}"
    for data in (None, PATTERN):
        with (
            Target(ssd) as served,
            admin(served.port, served.nqn) as queue,
            io(queue, served.port, served.nqn) as host,
        ):
            if data is None:
                assert status_of(host, 1, nsid=1, write=PATTERN, cdw12=7) == 0
                assert status_of(host, 0, nsid=1) == 0
            else:
                assert host.command(2, nsid=1, read=4096, cdw12=7)[1] == data


def test_with_the_latency_model() -> None:
    with (
        Target("sim:capacity=1GiB,lba=512") as served,
        admin(served.port, served.nqn) as queue,
        io(queue, served.port, served.nqn) as host,
    ):
        assert status_of(host, 1, nsid=1, write=PATTERN, cdw12=7) == 0
        cids = [host.cid() for _ in range(16)]
        for cid in cids:
            host.command(2, nsid=1, read=4096, cid=cid, wait=False, cdw12=7)
        data, done = {}, []
        while len(done) < len(cids):
            pdu = host.pdu()
            if pdu.type == RESPONSE:
                done.append(pdu.cid)
            else:
                data[pdu.u16(8)] = pdu.data
        assert sorted(done) == sorted(cids)
        assert all(data[cid] == PATTERN for cid in cids)


@pytest.mark.parametrize("action", ["truncate", "reset"])
def test_faults_that_end_the_connection(target: Target, action: str) -> None:
    with admin(target.port, target.nqn) as queue, io(queue, target.port, target.nqn) as host:
        target.fault(action, "C2HData", queue=1)
        with pytest.raises(EOFError):
            host.command(2, nsid=1, read=4096, cdw12=7)
        assert status_of(queue, 6, read=4096, cdw10=1) == 0
    until(lambda: target.connections == 0)
    assert target.faults == 0


def test_faults_that_a_host_has_to_see(target: Target) -> None:
    with admin(target.port, target.nqn) as queue, io(queue, target.port, target.nqn) as host:
        target.fault("drop", "R2T")
        host.send(host.encode(COMMAND, sqe(1, nsid=1, cid=0x505, data=sgl(0x5A, 512))))
        assert status_of(host, 0, nsid=1) == 0  # no R2T before
        target.fault("duplicate", "R2T")
        host.send(host.encode(COMMAND, sqe(1, nsid=1, cid=0x506, data=sgl(0x5A, 512))))
        assert [host.pdu().raw] == [host.pdu().raw]
        target.fault("swap", "C2HData", queue=1)
        host.command(2, nsid=1, read=512, wait=False)
        assert [host.pdu().type, host.pdu().type] == [RESPONSE, 7]
        target.fault("corrupt data", "C2HData", skip=1)
        assert host.command(2, nsid=1, read=512)[1] == bytes(512)
        assert host.command(2, nsid=1, read=512)[1] != bytes(512)
        assert host.command(2, nsid=1, read=512)[1] == bytes(512)
        target.fault("oversize", "CapsuleResp", queue=1)
        host.command(0, nsid=1, wait=False)
        assert struct.unpack("<BBBBI", host.receive(8))[4] == 24 + (1 << 20)
        host.receive(16)
        target.fault("delay", "CapsuleResp", queue=1, delay=0.02)
        assert status_of(host, 0, nsid=1) == 0
        target.fault("corrupt header", "CapsuleResp", queue=1)
        host.command(0, nsid=1, cid=0x0101, wait=False)
        assert host.pdu().raw[8] == 0x55
        target.fault("half-open", "CapsuleResp", queue=1)
        host.command(0, nsid=1, wait=False)
        host.socket.settimeout(0.05)
        with pytest.raises(TimeoutError):
            host.pdu()
        assert status_of(queue, 6, read=4096, cdw10=1) == 0
    until(lambda: target.connections == 0)


def test_wrong_options_are_refused(target: Target) -> None:
    for options in ({"in_capsule": 100}, {"max_h2c_data": 4092}, {"cpda": 32}, {"nqn": "x" * 224}):
        with pytest.raises(ArgumentError):
            Target(SSD, **options)
    with pytest.raises(RuntimeError, match="Address already in use"):
        Target(SSD, target.address)
    with pytest.raises(ArgumentError, match="possible: ICResp"):
        target.fault("drop", "H2CData")
    with pytest.raises(ArgumentError, match="possible: corrupt header"):
        target.fault("spoil")
    assert split_address("[::1]:80") == ("::1", 80)
    assert split_address("::1") == ("::1", 4420)
    assert split_address("10.1.2.3") == ("10.1.2.3", 4420)
    for wrong in ("[::1", "1.2.3.4:x", "1.2.3.4:65536"):
        with pytest.raises(ArgumentError):
            split_address(wrong)


def test_ipv6() -> None:
    try:
        served = Target(SSD, "[::1]:0")
    except RuntimeError as error:
        pytest.skip(f"no IPv6 here: {error}")
    with served, tcp_host.Host(served.port, host="::1") as host:
        host.icreq()
        assert host.connect(DISCOVERY).status == 0
        host.enable()
        _, log = host.command(2, read=2048, cdw10=0x70 | 511 << 16)
        assert log[1024:1027] == bytes([3, 2, 2])
        assert log[1536:1540] == b"::1\0"
