"""What the host sends is read by somebody else's dissector."""

import shutil
import struct
from pathlib import Path
from typing import Any

import pytest
from tcp_capture import Capture, dissected
from tcp_target import C2H_TERM, H2C_TERM, R2T, Connection, Target

import nvme as d

pytestmark = pytest.mark.skipif(shutil.which("tshark") is None, reason="no tshark")
DIGESTS = ["", ";hdgst=1;ddgst=1"]
HOSTS = (0, 2, 4, 6)  # ICReq, H2CTermReq, CapsuleCmd, H2CData


def check(path: Path, port: int, target: Target, types: set[int]) -> None:
    """All that the target took, and nothing else; `types` are all that there were."""
    sent = [kind for c in target.connections for kind, _, _ in c.received]
    found = [int(pdu["nvme-tcp.type"], 0) for pdu in dissected(path, port)]
    assert [found.count(kind) for kind in HOSTS] == [sent.count(kind) for kind in HOSTS]
    assert set(found) == types


@pytest.mark.parametrize("digests", DIGESTS)
@pytest.mark.parametrize(
    ("shape", "types"),
    [
        ({"ioccsz": 4, "r2t_bytes": 4096, "r2ts": 2, "success": False}, {6, R2T}),
        ({"ioccsz": (64 + 16384) // 16}, set()),
        ({"ioccsz": 4, "cpda": 31, "pdo_align": 128, "c2h_bytes": 1536}, {6, R2T}),
    ],
    ids=["R2Ts", "in-capsule", "aligned"],
)
def test_every_pdu_is_dissected(
    tmp_path: Path, digests: str, shape: dict[str, Any], types: set[int]
) -> None:
    path = tmp_path / "session.pcap"
    with Target(**shape) as target, Capture(("127.0.0.1", target.port), path) as capture:
        # Its subsystem is found by discovery.
        options = ";hpda=128" if "pdo_align" in shape else ""
        nvme0 = d.Controller(f"127.0.0.1:{capture.port};kato=0{digests}{options}")
        nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(16384)
        for lbas in (1, 32):
            nvme0n1.write(qpair, buf, 0, lbas).waitdone()
            nvme0n1.read(qpair, buf, 0, lbas).waitdone()
        qpair.delete()
        nvme0.close()
    check(path, capture.port, target, {0, 1, 4, 5, 7} | types)


@pytest.mark.parametrize("digests", DIGESTS)
def test_connections_that_end_with_an_error(tmp_path: Path, digests: str) -> None:
    path = tmp_path / "session.pcap"

    def answer(connection: Connection, sqe: bytes, data: bytes) -> bool:
        if connection.qid < 1:
            return False
        cid = struct.unpack("<H", sqe[2:4])[0]
        if sqe[0] == 0:  # Flush: R2T for a command without data
            connection.send(R2T, 0, struct.pack("<HHIII", cid, 1, 0, 4096, 0))
            connection.data_may_come = True
            return True
        term = struct.pack("<HI", 2, 0) + bytes(10) + bytes([4, 0, 72, 0, 72, 0, 0, 0]) + sqe
        connection.send(C2H_TERM, 0, term, hlen=24)
        raise EOFError

    with Target(ioccsz=4) as target, Capture(("127.0.0.1", target.port), path) as capture:
        nvme0 = d.Controller(f"127.0.0.1:{capture.port};kato=0{digests}")
        nvme0n1, buf = d.Namespace(nvme0), d.Buffer(4096)
        qpairs = [d.Qpair(nvme0, 16) for _ in range(2)]
        target.on_command = answer
        with pytest.raises(SystemError, match=r"R2T is for CID 0.*answered with H2CTermReq"):
            nvme0n1.flush(qpairs[0]).waitdone()
        with pytest.raises(SystemError, match="the target sent C2HTermReq"):
            nvme0n1.read(qpairs[1], buf, 0).waitdone()
        nvme0.close()
    check(path, capture.port, target, {0, 1, H2C_TERM, C2H_TERM, 4, 5, 7, R2T})
