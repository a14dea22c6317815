# The chapters about Buffer, Qpair and Namespace: pieces of a session.
import time

import pytest

import nvme as d


def test_identify_into_512_bytes(nvme0):
    nvme = nvme0
    # example 003.33
    buf = d.Buffer(512)
    nvme.identify(buf).waitdone()
    # now, the buf contains the identify data
    print(buf[0:4])
    # end 003.33


def test_qpair(nvme0):
    # example 003.34
    qpair = d.Qpair(nvme0, 10)
    # end 003.34


def test_interrupt(nvme0, nvme0n1, buf):
    # example 003.35
    q = d.Qpair(nvme0, 8)
    q.msix_clear()
    assert not q.msix_isset()
    nvme0n1.read(q, buf, 0, 1)  # we will explain nvme0n1 later
    time.sleep(1)
    assert q.msix_isset()
    q.waitdone()
    # end 003.35


def test_namespace(nvme0, qpair, buf):
    # example 003.36
    nvme0n1 = d.Namespace(nvme0, nsid=1)
    # end 003.36
    # example 003.37
    nvme0n1.write(qpair, buf, 0).waitdone()
    # end 003.37


def test_dsm():
    # example 003.38
    nvme0 = d.Controller(b'01:00.0')
    buf = d.Buffer(4096)
    qpair = d.Qpair(nvme0, 8)
    nvme0n1 = d.Namespace(nvme0)
    buf.set_dsm_range(0, 0, 8)
    buf.set_dsm_range(1, 8, 64)
    nvme0n1.dsm(qpair, buf, 2).waitdone()
    # end 003.38


def test_any_command(nvme0n1, qpair, buf):
    nsid = 1
    with pytest.warns(UserWarning, match="ERROR status: 00/01"):
        # example 003.39
        nvme0n1.send_cmd(0xff, qpair, buf, nsid, 1, 2, 3).waitdone()
        # end 003.39
