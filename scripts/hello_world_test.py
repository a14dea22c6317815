"""The smallest whole test: write, read back in the write's callback, compare.

./pynvme test scripts/hello_world_test.py    # with --dut it WRITES to LBA 0 of the named drive
"""

import nvme as d


def test_hello_world(nvme0n1, qpair):
    lba_bytes = nvme0n1.sector_size
    read_buf = d.Buffer(lba_bytes)
    write_buf = d.Buffer(lba_bytes)
    write_buf[10:21] = b"hello world"

    def write_cb(cdw0, status1):  # runs inside waitdone(), when the write is complete
        nvme0n1.read(qpair, read_buf, 0, 1)

    nvme0n1.write(qpair, write_buf, 0, 1, cb=write_cb)
    qpair.waitdone(2)
    assert read_buf[10:21] == b"hello world"
