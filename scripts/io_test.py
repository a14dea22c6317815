"""IO: sizes, a deep queue, a mixed load by IOWorkers, trim, and the command log afterwards.

./pynvme test scripts/io_test.py    # with --dut it WRITES to the first gigabyte of the named drive
"""

import logging
import time

import pytest

import nvme as d


@pytest.mark.parametrize("lba_count", [1, 7, 8, 32])
def test_sizes(nvme0, nvme0n1, qpair, lba_count):
    buf = d.Buffer(lba_count * nvme0n1.sector_size, ptype=0xBEEF, pvalue=100)
    nvme0n1.write(qpair, buf, 3, lba_count).waitdone()  # stamps the buffer: see docs/namespace.md
    written = bytes(buf[:])
    buf[:] = b"\0" * len(buf)
    nvme0n1.read(qpair, buf, 3, lba_count).waitdone()
    assert buf[:] == written


def test_a_full_queue(nvme0, nvme0n1):
    """depth - 1 commands fit; they are all sent before the first is waited for."""
    depth = 64
    qpair = d.Qpair(nvme0, depth)
    bufs = [d.Buffer(4096) for _ in range(depth - 1)]
    for lba, buf in enumerate(bufs):
        nvme0n1.read(qpair, buf, lba, 1)
    qpair.waitdone(depth - 1)
    qpair.delete()


def test_mixed_load(nvme0, nvme0n1):
    """Two IOWorkers at once, each in a region of its own; the last commands they sent."""
    with (
        nvme0n1.ioworker(
            io_size={8: 3, 32: 1}, read_percentage=70, region_end=1 << 20, qdepth=32, time=60
        ) as random,
        nvme0n1.ioworker(
            io_size=32, lba_random=False, read_percentage=0, region_start=1 << 20,
            region_end=1 << 21, qdepth=8, io_count=1000,
        ) as sequential,
    ):  # fmt: skip
        while sequential.running:
            time.sleep(0.01)
        assert random.running
        random.stop()
    for r in (random.close(), sequential.close()):
        assert r.error == 0
        logging.info("%d reads, %d writes in %d ms", r.io_count_read, r.io_count_write, r.mseconds)
    logging.info(d.cmdlog_merged(nvme0, 10))


def test_trim(nvme0, nvme0n1, qpair):
    """Deallocated LBAs read as zeroes, where DLFEAT (byte 33) says so."""
    if nvme0n1.id_data(33) & 7 != 1:
        pytest.skip("the drive does not promise zeroes")
    buf = d.Buffer(nvme0n1.sector_size, pvalue=1)
    nvme0n1.write(qpair, buf, 100).waitdone()
    ranges = d.Buffer(4096)
    ranges.set_dsm_range(0, 100, 1)
    nvme0n1.dsm(qpair, ranges, 1).waitdone()
    nvme0n1.read(qpair, buf, 100).waitdone()
    assert buf[:] == b"\0" * len(buf)
