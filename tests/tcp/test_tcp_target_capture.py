"""What the target sends, and what hosts say to it, is read by somebody else's dissector: a session
of each kind, every PDU of which is found there, and none malformed."""

from __future__ import annotations

import contextlib
import shutil
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tcp_capture import Capture, dissected
from tcp_host import C2H_TERM, DISCOVERY, H2C_DATA, H2C_TERM, R2T, Host, admin, io

import nvme as d
from nvme.target import Target

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="no tshark")
SSD = "sim:capacity=1GiB,latency=0"
DATA = bytes(range(256)) * 64


class Session:
    """A target behind a capture, and a count of the PDUs that the hosts sent and received."""

    def __init__(self, path: Path, target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self.target = path, target
        self.seen: Counter[int] = Counter()
        sends, receives = Host.send, Host.pdu

        def send(host: Host, raw: bytes) -> None:
            self.seen[raw[0]] += 1
            sends(host, raw)

        def receive(host: Host) -> Any:
            pdu = receives(host)
            self.seen[pdu.type] += 1
            return pdu

        monkeypatch.setattr(Host, "send", send)
        monkeypatch.setattr(Host, "pdu", receive)

    @contextlib.contextmanager
    def captured(self) -> Iterator[int]:
        with Capture(("127.0.0.1", self.target.port), self.path) as capture:
            yield capture.port
        self.port = capture.port

    def types(self) -> Counter[int]:
        return Counter(int(pdu["nvme-tcp.type"], 0) for pdu in dissected(self.path, self.port))

    def check(self, *types: int) -> None:
        """All that was sent and received, and nothing else; these were among it."""
        found = self.types()
        assert found == self.seen
        assert set(types) <= set(found)


@pytest.fixture
def session_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    with contextlib.ExitStack() as stack:

        def start(**options: Any) -> Session:
            target = stack.enter_context(Target(SSD, **options))
            return Session(tmp_path / "session.pcap", target, monkeypatch)

        yield start


def ok(host: Host, opcode: int, **fields: Any) -> bytes:
    done, data = host.command(opcode, **fields)
    assert done is None or done.status == 0
    return data


@pytest.mark.parametrize("digests", [0, 1, 2, 3])
def test_discovery(session_on: Any, digests: int) -> None:
    session = session_on()
    with session.captured() as port, admin(port, DISCOVERY, digests=digests) as queue:
        ok(queue, 0x06, read=4096, cdw10=1)
        log = ok(queue, 0x02, read=2048, cdw10=0x70 | 511 << 16)
        assert session.target.nqn.encode() in log
    session.check(7)


@pytest.mark.parametrize("digests", [0, 1, 2, 3])
@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"in_capsule": 0, "max_h2c_data": 4096, "max_r2t_data": 6000, "max_c2h_data": 1536},
    ],
    ids=["whole", "pieces"],
)
def test_data(session_on: Any, digests: int, shape: dict[str, Any]) -> None:
    """In capsules where there is room, by R2T, with a completion and with the SUCCESS flag."""
    session = session_on(**shape)
    nqn = session.target.nqn
    with session.captured() as port, admin(port, nqn, digests=digests) as queue:
        with io(queue, port, nqn) as host:
            for transport in [True] if shape else [False, True]:
                ok(host, 1, nsid=1, write=DATA[:4096], transport=transport, cdw12=7)
            ok(host, 1, nsid=1, write=DATA, transport=True, cdw12=31)
            assert ok(host, 2, nsid=1, read=len(DATA), cdw12=31) == DATA
            ok(host, 0, nsid=1)
            ok(host, 0x7F, nsid=8)  # Disconnect
        with io(queue, port, nqn, qid=2, cattr=4) as host:
            assert ok(host, 2, nsid=1, read=4096, cdw12=7) == DATA[:4096]
    session.check(R2T, H2C_DATA, 7)


@pytest.mark.parametrize("digests", [0, 3])
def test_errors(session_on: Any, digests: int) -> None:
    """Commands that fail, events, and connections that end with C2HTermReq and H2CTermReq."""
    session = session_on()
    nqn = session.target.nqn
    with session.captured() as port, admin(port, nqn, digests=digests) as queue:
        assert queue.connect(nqn).status == 0x00C  # Connect once more
        assert queue.command(0x77)[0].status == 0x001
        queue.command(0x0C, wait=False)  # AER
        ok(queue, 0x09, cdw10=0x04, cdw11=200)  # a temperature threshold that is exceeded
        assert queue.pdu().type == 5
        with io(queue, port, nqn) as host:
            assert host.command(2, nsid=1, read=512, cdw10=1 << 31)[0].status == 0x080
            host.send(host.encode(H2C_DATA, struct.pack("<HHII4x", 9, 9, 0, 512), bytes(512), 4))
            assert host.pdu().type == C2H_TERM
        with io(queue, port, nqn, qid=2) as host:
            header = struct.pack("<HI10x", 1, 0)
            quoted = struct.pack("<BBBBI", 5, 0, 24, 0, 24) + bytes(16)
            host.send(struct.pack("<BBBBI", H2C_TERM, 0, 24, 0, 48) + header + quoted)
            assert host.closed()
        with Host(port, digests=digests) as refused:
            assert refused.icreq().type == 1
            assert refused.connect("nqn.2024-01.org.example:nobody").status == 0x182
        with Host(port, digests=digests) as wrong:
            assert wrong.icreq(pfv=1).type == C2H_TERM
    session.check(C2H_TERM, H2C_TERM)


@pytest.mark.parametrize("digests", ["", ";hdgst=1;ddgst=1"])
def test_both_ends(session_on: Any, digests: str) -> None:
    """The product's host on the product's target, with discovery and load."""
    session = session_on(in_capsule=4096, max_r2t_data=8192, cpda=3)
    with session.captured() as port:
        nvme0 = d.Controller(f"127.0.0.1:{port}{digests}")
        nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(65536)
        for lbas in (1, 8, 128):
            nvme0n1.write(qpair, buf, 0, lbas).waitdone()
            nvme0n1.read(qpair, buf, 0, lbas).waitdone()
        load = {"io_size": [1, 16, 64], "io_count": 200, "qdepth": 8, "read_percentage": 50}
        assert nvme0n1.ioworker(**load).start().close().error == 0
        nvme0.reset()
        nvme0.fault("duplicate", "H2CData")
        qpair = d.Qpair(nvme0, 16)
        with pytest.raises(SystemError, match="C2HTermReq"):
            nvme0n1.write(qpair, buf, 0, 128).waitdone()
        nvme0.close()
    found = session.types()
    assert set(found) == {0, 1, C2H_TERM, 4, 5, H2C_DATA, 7, R2T}
    assert found[0] == found[1]
