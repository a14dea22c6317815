"""Several drives in one script: two simulated ones, or all that --dut names.

./pynvme test scripts/several_devices_test.py --dut 01:00.0 --dut 03:00.0    # WRITES to them
"""

import pytest

import nvme as d


@pytest.fixture
def controllers(pytestconfig):
    addresses = pytestconfig.getoption("--dut") or []
    drives = [] if len(addresses) > 1 else [d.Ssd(capacity="4GB"), d.Ssd(capacity="2GB", lba=4096)]
    found = [d.Controller(one) for one in (drives or addresses)]
    yield found
    for nvme in found:
        nvme.close()


def test_load_on_all(controllers):
    workers = [
        d.Namespace(nvme).ioworker(io_size=8, read_percentage=50, qdepth=16, time=1).start()
        for nvme in controllers
    ]
    for worker in workers:
        r = worker.close()
        assert r.error == 0
        assert r.io_count_read > 0


def test_copy_from_one_to_the_other(controllers):
    source, target = (d.Namespace(nvme) for nvme in controllers[:2])
    buf = d.Buffer(4096, ptype=0xBEEF, pvalue=100)
    lbas = [4096 // ns.sector_size for ns in (source, target)]
    queues = [d.Qpair(nvme, 8) for nvme in controllers[:2]]
    source.write(queues[0], buf, 0, lbas[0]).waitdone()
    source.read(queues[0], buf, 0, lbas[0]).waitdone()
    data = bytes(buf[:])
    target.send_cmd(1, queues[1], buf, cdw12=lbas[1] - 1).waitdone()  # raw: no stamps of its own
    buf[:] = b"\0" * 4096
    target.send_cmd(2, queues[1], buf, cdw12=lbas[1] - 1).waitdone()
    assert buf[:] == data
