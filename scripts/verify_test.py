"""Data integrity: with the fixture `verify` every read is checked against what was written.

./pynvme test scripts/verify_test.py    # with --dut it WRITES to the first GiB of the named drive
"""

import pytest

import nvme as d

REGION = 256 * 1024


def test_write_then_read_all(nvme0n1, verify):
    assert verify
    for read_percentage in (0, 100):
        r = nvme0n1.ioworker(
            io_size=32, lba_random=False, region_end=REGION, read_percentage=read_percentage
        ).start().close()  # fmt: skip
        assert r.error == 0


def test_wrong_data_is_found(nvme0n1, qpair, verify):
    """A raw write goes to the drive without the stamp that the host expects in each LBA."""
    buf = d.Buffer(nvme0n1.sector_size, pvalue=0x5A, ptype=32)
    nvme0n1.send_cmd(1, qpair, buf, cdw10=REGION).waitdone()
    with pytest.warns(UserWarning, match="ERROR status: 07/81"):
        nvme0n1.read(qpair, buf, REGION).waitdone()
    nvme0n1.write(qpair, buf, REGION).waitdone()
    nvme0n1.read(qpair, buf, REGION).waitdone()
