"""What the host sends is read by somebody else's dissector."""

import shutil
from pathlib import Path

import pytest
from tcp_capture import Capture, dissected
from tcp_target import Target

import nvme as d


@pytest.mark.skipif(shutil.which("tshark") is None, reason="no tshark")
@pytest.mark.parametrize("digests", ["", ";hdgst=1;ddgst=1"])
def test_every_pdu_is_dissected(tmp_path: Path, digests: str) -> None:
    path = tmp_path / "session.pcap"
    with Target(ioccsz=4, r2t_bytes=4096, r2ts=2, success=False) as target:
        with Capture(("127.0.0.1", target.port), path) as capture:
            nvme0 = d.Controller(f"127.0.0.1:{capture.port};kato=0{digests}")
            nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(16384)
            nvme0n1.write(qpair, buf, 0, 32).waitdone()
            nvme0n1.read(qpair, buf, 0, 32).waitdone()
            qpair.delete()
            nvme0.close()
        sent = [kind for c in target.connections for kind, _, _ in c.received]
    pdus = dissected(path, capture.port)
    types = [int(pdu["nvme-tcp.type"], 0) for pdu in pdus]
    # All that the target took, and nothing else: ICReq, CapsuleCmd, H2CData.
    assert [types.count(kind) for kind in (0, 4, 6)] == [sent.count(kind) for kind in (0, 4, 6)]
    assert {0, 1, 4, 5, 6, 7, 9} == set(types)
