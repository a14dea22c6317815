"""A namespace of terabytes costs nothing before it is written, on both sides."""

from pathlib import Path

import pytest

import nvme as d

PAGE = 4096


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


@pytest.mark.parametrize("lba_bytes", [512, 4096])
def test_four_terabytes(connect, warned, lba_bytes):
    d.Buffer(4096)  # the pool of DMA memory is there
    before = resident()
    nvme0 = connect(capacity="4TB", lba=lba_bytes)
    ns = d.Namespace(nvme0)
    assert ns.capacity == 4 * 10**12 // lba_bytes
    assert ns.verify_enable()
    qpair = d.Qpair(nvme0, 16)
    opened = resident() - before
    # Both tables, the media, the queues, and 4 bytes an LBA in pages of 2 MiB where something was
    # written; 8 GB at 512 byte LBAs would be the table alone.
    last = ns.capacity - 8
    buf, got = d.Buffer(8 * lba_bytes), d.Buffer(8 * lba_bytes)
    for lba in (0, ns.capacity // 2 & ~7, last):
        ns.write(qpair, buf, lba, 8).waitdone()
        ns.read(qpair, got, lba, 8).waitdone()
    assert warned() == []
    used = resident() - before
    assert opened < 64 << 20, f"{opened >> 20} MiB before anything is written"
    assert used < 96 << 20, f"{used >> 20} MiB"
