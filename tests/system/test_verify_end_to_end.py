"""Data that are not what was written are found, and only those."""

import contextlib
import copy
import itertools

import pytest

import nvme as d
from psd import CQE, IOCQ, IOSQ, PRP, SQE

WRITE = 1


class BehindTheBack:
    """Writes through a queue pair that the host's table knows nothing of."""

    def __init__(self, nvme0):
        self.cq = IOCQ(nvme0, 16, 16, PRP())
        self.sq = IOSQ(nvme0, 16, 16, PRP(), cqid=16)

    def write(self, lba, buf):
        """One LBA of 512 bytes."""
        sqe = SQE(WRITE, 1)
        sqe.prp1 = buf
        sqe[10], sqe[11], sqe[12] = lba & 0xFFFFFFFF, lba >> 32, 0
        self.sq[0] = sqe
        self.sq.tail = 1
        while CQE(self.cq[0]).p == 0:
            pass
        assert CQE(self.cq[0]).status == 0
        self.cq.head = 1
        self.sq.delete()
        self.cq.delete()


@pytest.fixture
def checked(nvme0n1):
    assert nvme0n1.verify_enable()
    return nvme0n1


def stamped_write(nvme0n1, qpair, lba, count=8):
    buf = d.Buffer(512 * count, ptype=0xBEEF, pvalue=100)
    nvme0n1.write(qpair, buf, lba, count).waitdone()
    return buf


@pytest.mark.parametrize("lba", [0, 3, 0x12345, 0x1FFFFF])
def test_changed_data_are_found(nvme0, checked, qpair, warned, lba):
    first = max(lba - 3, 0) if lba != 0x1FFFFF else lba - 7
    buf = stamped_write(checked, qpair, first)
    at = (lba - first) * 512
    changed = d.Buffer(512)
    changed[:] = buf[at : at + 512]
    changed[100] = changed[100] ^ 0x10  # one bit
    BehindTheBack(nvme0).write(lba, changed)
    assert warned() == []
    status = []
    got = d.Buffer(4096)
    checked.read(qpair, got, first, 8, cb=lambda cdw0, status1: status.append(status1)).waitdone()
    (text,) = warned()
    assert text.startswith(
        f"ERROR status: 07/81: LBA {lba:#x}: the data are not what was written last (CRC-32C 0x"
    )
    assert f"first 8 bytes {lba:#x})" in text
    assert status[0] >> 1 & 0x7FF == 0x781
    assert got[at + 100] == changed[100]  # the script can look at what came
    # Its neighbours are fine.
    checked.read(qpair, got, first, lba - first).waitdone() if lba > first else None
    if lba < first + 7:
        checked.read(qpair, got, lba + 1, first + 7 - lba).waitdone()
    assert warned() == []


def test_misdirected_and_stale_data_are_found(nvme0, checked, qpair, warned):
    old = stamped_write(checked, qpair, 8)
    stamped_write(checked, qpair, 8)
    elsewhere = stamped_write(checked, qpair, 100)
    got = d.Buffer(4096)
    BehindTheBack(nvme0).write(8, old)  # a write that was lost
    checked.read(qpair, got, 8, 8).waitdone()
    (text,) = warned()
    assert text.startswith("ERROR status: 07/81: LBA 0x8: the data are not what was written last")
    BehindTheBack(nvme0).write(12, elsewhere)  # a write that went astray
    checked.read(qpair, got, 12).waitdone()
    (text,) = warned()
    assert text.startswith("ERROR status: 07/81: LBA 0xc: the data are not what was written last")
    assert "first 8 bytes 0x64)" in text


def test_zeroed_lba_that_is_not_zero(nvme0, checked, qpair, warned):
    checked.write_zeroes(qpair, 0, 8).waitdone()
    got = d.Buffer(4096)
    checked.read(qpair, got, 0, 8).waitdone()
    assert warned() == []
    changed = d.Buffer(512)
    changed[511] = 1
    BehindTheBack(nvme0).write(5, changed)
    checked.read(qpair, got, 0, 8).waitdone()
    (text,) = warned()
    assert text.startswith(
        "ERROR status: 07/81: LBA 0x5: was zeroed, but the data are not all zero"
    )


def test_unstamped_data_are_reported(checked, qpair, warned):
    """A raw write is known to the host, so its data are as written, but no LBA of its own."""
    raw = d.Buffer(512, ptype=32, pvalue=0x11223344)
    got = d.Buffer(4096)
    stamped_write(checked, qpair, 0)
    checked.send_cmd(WRITE, qpair, raw, 1, cdw10=6).waitdone()
    checked.read(qpair, got, 0, 8).waitdone()
    (text,) = warned()
    assert text.startswith(
        "ERROR status: 07/81: LBA 0x6: the data are as written, but their first 8 bytes are "
        "0x1122334411223344 instead of the LBA's address; unstamped: "
    )
    checked.read(qpair, got, 0, 6).waitdone()
    checked.read(qpair, got, 7, 1).waitdone()
    assert warned() == []
    raw[0:8] = (6).to_bytes(8, "little")  # a raw write that does stamp
    checked.send_cmd(WRITE, qpair, raw, 1, cdw10=6).waitdone()
    checked.read(qpair, got, 0, 8).waitdone()
    assert warned() == []


def test_all_namespace_objects_know(nvme0, checked, qpair, warned):
    """Writes through another object of the same namespace are followed as well."""
    other = d.Namespace(nvme0)
    stamped_write(checked, qpair, 0)
    stamped_write(other, qpair, 0)
    got = d.Buffer(4096)
    checked.read(qpair, got, 0, 8).waitdone()
    assert warned() == []
    other.send_cmd(WRITE, qpair, d.Buffer(512), 1, cdw10=1).waitdone()
    checked.read(qpair, got, 0, 8).waitdone()
    (text,) = warned()
    assert text.startswith("ERROR status: 07/81: LBA 0x1: the data are as written, but their first")


def test_checking_can_be_switched(nvme0n1, qpair, warned):
    got = d.Buffer(4096)
    nvme0n1.send_cmd(WRITE, qpair, d.Buffer(512), 1, cdw10=1).waitdone()
    nvme0n1.read(qpair, got, 0, 8).waitdone()
    assert warned() == []
    assert nvme0n1.verify_enable() is True  # and what was written before is known
    nvme0n1.read(qpair, got, 0, 8).waitdone()
    (text,) = warned()
    assert "07/81: LBA 0x1: " in text
    assert nvme0n1.verify_enable(False) is True
    nvme0n1.read(qpair, got, 0, 8).waitdone()
    assert warned() == []


@pytest.mark.parametrize("qdepth", [1, 32])
def test_ioworker_finds_changed_data(nvme0, checked, qpair, warned, qdepth):
    fill = {"io_size": 8, "lba_random": False, "region_end": 1024, "qdepth": qdepth}
    assert checked.ioworker(read_percentage=0, **fill).start().close().error == 0
    changed = d.Buffer(512, ptype=32, pvalue=0x600DF00D)
    BehindTheBack(nvme0).write(0x2A7, changed)
    result = checked.ioworker(read_percentage=100, **fill).start().close()
    assert result.error == -6
    device, host = warned()
    assert device.startswith("ioworker device respond an ERROR status: 07/81: ")
    assert "LBA 0x2a7: the data are not what was written last" in device
    assert host == "ioworker host ERROR -6: io cmd error"
    # The script finds the same one.
    checked.read(qpair, changed, 0x2A7).waitdone()
    (text,) = warned()
    assert text.startswith("ERROR status: 07/81: LBA 0x2a7: ")


# On one small region together. Write Uncorrectable has one of its own: other workers' reads of such
# LBAs fail, as they should.
SHARED = {"region_end": 128, "io_count": 1000, "qdepth": 16}
MIXES = [
    {"io_size": 8, "read_percentage": 50},
    {"io_size": 8, "op_percentage": {2: 50, 1: 30, 9: 10, 8: 10}},
    {"io_size": [1, 2, 7, 8, 64], "read_percentage": 30},
    {"io_size": 8, "read_percentage": 70, "lba_random": False},
    {"io_size": 16, "lba_align": 1, "op_percentage": {2: 40, 12: 40, 0: 5, 1: 15}},
    {
        "io_size": 8,
        "op_percentage": {2: 50, 1: 30, 4: 20},
        "region_start": 128,
        "region_end": 256,
    },
]


@pytest.mark.parametrize("latency", [0, 1])
def test_no_false_alarm(connect, warned, latency):
    """IOWorkers of all kinds and the script itself, all on the same few LBAs."""
    nvme0 = connect(latency=latency)
    nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(4096)
    assert nvme0n1.verify_enable()
    workers = [nvme0n1.ioworker(**(SHARED | copy.deepcopy(mix))) for mix in MIXES]
    with contextlib.ExitStack() as stack:
        for worker in workers:
            stack.enter_context(worker)
        for lba in itertools.cycle(range(0, 120, 5)):
            nvme0n1.write(qpair, buf, lba, 8).waitdone()
            nvme0n1.read(qpair, buf, lba, 8).waitdone()
            if not any(worker.running for worker in workers):
                break
    assert warned() == []
    assert [worker.close().error for worker in workers] == [0] * len(workers)
