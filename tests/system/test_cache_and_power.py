"""What survives a loss of power, and what SMART says of it."""

import pytest

import nvme as d

FUA = 0x4000
VOLATILE_WRITE_CACHE = 6


class Drive:
    def __init__(self, nvme0):
        self.nvme0 = nvme0
        self.subsystem = d.Subsystem(nvme0)
        self.nvme0n1 = d.Namespace(nvme0)
        assert self.nvme0n1.verify_enable()
        self.qpair = d.Qpair(nvme0, 64)

    def write(self, lba, value, count=1, io_flags=0):
        buf = d.Buffer(512 * count)
        for i in range(count):
            buf[512 * i + 8 : 512 * i + 504] = bytes([value]) * 496
        self.nvme0n1.write(self.qpair, buf, lba, count, io_flags=io_flags).waitdone()

    def value(self, lba):
        """What the LBA was written with; 0 for an LBA of zeroes."""
        buf = d.Buffer(512, ptype=32, pvalue=0xA5A5A5A5)
        self.nvme0n1.read(self.qpair, buf, lba).waitdone()
        (value,) = set(buf[8:504])
        assert buf.data_head == (lba if value else 0)
        return value

    def flush(self):
        self.nvme0n1.flush(self.qpair).waitdone()

    def power_cycle(self):
        self.subsystem.power_cycle(0)
        self.nvme0.reset()
        self.qpair = d.Qpair(self.nvme0, 64)

    def smart(self):
        buf = d.Buffer(512)
        self.nvme0.getlogpage(2, buf, 512).waitdone()

        def counter(offset):
            return buf.data(offset + 15, offset)

        return {
            "data_units_read": counter(32),
            "data_units_written": counter(48),
            "reads": counter(64),
            "writes": counter(80),
            "power_cycles": counter(112),
            "unsafe_shutdowns": counter(144),
            "media_errors": counter(160),
            "error_log_entries": counter(176),
        }


@pytest.fixture
def dut(nvme0):
    return Drive(nvme0)


def test_unflushed_writes_are_lost(dut, warned):
    dut.write(10, 1)
    dut.write(20, 1)
    dut.flush()
    dut.write(10, 2)  # over flushed data
    dut.write(30, 2)  # over nothing
    assert [dut.value(lba) for lba in (10, 20, 30)] == [2, 1, 2]
    dut.power_cycle()
    assert [dut.value(lba) for lba in (10, 20, 30)] == [1, 1, 0]
    assert warned() == []


def test_flushed_writes_are_kept(dut, warned):
    for lba in range(100):
        dut.write(lba, lba + 1)
    dut.flush()
    dut.power_cycle()
    assert [dut.value(lba) for lba in range(100)] == list(range(1, 101))
    assert warned() == []


def test_fua_writes_are_kept(dut, warned):
    dut.write(0, 1)
    dut.write(1, 2, io_flags=FUA)
    dut.write(2, 3)
    dut.write(10, 1)
    dut.write(10, 2, io_flags=FUA)
    dut.write(20, 1, io_flags=FUA)
    dut.write(20, 2)
    dut.write(30, 7, count=8, io_flags=FUA)
    dut.power_cycle()
    assert [dut.value(lba) for lba in (0, 1, 2)] == [0, 2, 0]
    assert dut.value(10) == 2
    assert dut.value(20) == 1
    assert [dut.value(lba) for lba in range(30, 38)] == [7] * 8
    assert warned() == []


def test_disabled_cache_writes_through(dut, warned):
    assert dut.nvme0.id_data(525) & 1  # VWC: present
    assert dut.nvme0.getfeatures(VOLATILE_WRITE_CACHE).waitdone() == 1
    dut.write(0, 1)
    # What is in the cache is written when it is switched off.
    dut.nvme0.setfeatures(VOLATILE_WRITE_CACHE, cdw11=0).waitdone()
    assert dut.nvme0.getfeatures(VOLATILE_WRITE_CACHE).waitdone() == 0
    dut.write(1, 2)
    dut.nvme0n1.write_zeroes(dut.qpair, 0, 1).waitdone()
    dut.power_cycle()
    assert [dut.value(lba) for lba in (0, 1)] == [0, 2]
    # It was not saved, so the cache is on again.
    assert dut.nvme0.getfeatures(VOLATILE_WRITE_CACHE).waitdone() == 1
    dut.write(1, 3)
    dut.power_cycle()
    assert dut.value(1) == 2
    assert warned() == []


def test_drive_without_a_cache(connect, warned):
    dut = Drive(connect(cache=0))
    assert dut.nvme0.id_data(525) & 1 == 0
    dut.write(0, 1)
    dut.power_cycle()
    assert dut.value(0) == 1
    assert warned() == []


@pytest.mark.parametrize("abrupt", [False, True])
def test_shutdown_keeps_all(dut, warned, abrupt):
    for lba in range(100):
        dut.write(lba, lba + 1)
    dut.subsystem.shutdown_notify(abrupt)
    assert dut.nvme0[0x1C] >> 2 & 3 == 2  # CSTS.SHST: complete
    dut.power_cycle()
    assert [dut.value(lba) for lba in range(100)] == list(range(1, 101))
    assert dut.smart()["unsafe_shutdowns"] == 0
    assert warned() == []


@pytest.mark.parametrize("reset", ["controller", "flr", "hot"])
def test_resets_keep_what_is_in_the_cache(dut, warned, reset):
    dut.write(0, 1)
    if reset == "flr":
        d.Pcie(dut.nvme0).flr()
    elif reset == "hot":
        d.Pcie(dut.nvme0).reset()
    dut.nvme0.reset()
    dut.qpair = d.Qpair(dut.nvme0, 8)
    assert dut.value(0) == 1
    dut.flush()
    dut.power_cycle()
    assert dut.value(0) == 1
    assert warned() == []


def test_trim_and_zeroes_are_lost_like_writes(dut, warned):
    for lba in (0, 1, 2, 3):
        dut.write(lba, 9)
    dut.flush()
    buf = d.Buffer(4096)
    buf.set_dsm_range(0, 0, 1)
    dut.nvme0n1.dsm(dut.qpair, buf, 1).waitdone()
    dut.nvme0n1.write_zeroes(dut.qpair, 1, 1).waitdone()
    dut.flush()
    dut.nvme0n1.write_zeroes(dut.qpair, 2, 1).waitdone()
    dut.nvme0n1.write_zeroes(dut.qpair, 3, 1, io_flags=FUA).waitdone()
    assert [dut.value(lba) for lba in (0, 1, 2, 3)] == [0, 0, 0, 0]
    dut.power_cycle()
    assert [dut.value(lba) for lba in (0, 1, 2, 3)] == [0, 0, 9, 0]
    assert warned() == []


def test_ioworker_data_across_a_power_cycle(dut, warned):
    """The host's table knows what it may still rely on: no false alarm."""
    arguments = {"io_size": 8, "region_end": 4096, "io_count": 5000}
    dut.nvme0n1.ioworker(read_percentage=0, **arguments).start().close()
    dut.power_cycle()
    assert dut.nvme0n1.ioworker(read_percentage=100, **arguments).start().close().error == 0
    dut.nvme0n1.ioworker(read_percentage=0, **arguments).start().close()
    dut.flush()
    dut.subsystem.shutdown_notify()
    dut.power_cycle()
    assert dut.nvme0n1.ioworker(read_percentage=100, **arguments).start().close().error == 0
    assert warned() == []


def test_smart_counts_power(dut):
    counts = []

    def note():
        smart = dut.smart()
        counts.append((smart["power_cycles"], smart["unsafe_shutdowns"]))

    note()
    dut.power_cycle()
    note()
    dut.subsystem.shutdown_notify()
    dut.power_cycle()
    note()
    dut.nvme0.reset()  # no power cycle
    note()
    dut.subsystem.shutdown_notify()
    dut.nvme0.reset()  # in use again: a loss of power is unsafe again
    dut.power_cycle()
    note()
    dut.power_cycle()
    note()
    dut.subsystem.shutdown_notify()
    dut.nvme0[0x14] = dut.nvme0[0x14] & ~1  # disabled, but not in use again
    dut.power_cycle()
    note()
    assert counts == [(1, 0), (2, 1), (3, 1), (3, 1), (4, 2), (5, 3), (6, 3)]


def test_smart_counts_commands(dut, warned):
    assert dut.smart() == {
        "data_units_read": 0,
        "data_units_written": 0,
        "reads": 0,
        "writes": 0,
        "power_cycles": 1,
        "unsafe_shutdowns": 0,
        "media_errors": 0,
        "error_log_entries": 0,
    }
    for _ in range(10):
        dut.write(0, 1, count=200)
    for lba in range(7):
        dut.value(lba)
    assert dut.smart()["data_units_written"] == 2  # thousands of 512 bytes, rounded up
    dut.write(0, 1)
    dut.nvme0n1.write_uncorrectable(dut.qpair, 500).waitdone()
    buf = d.Buffer(512)
    dut.nvme0n1.read(dut.qpair, buf, 500).waitdone()
    dut.nvme0n1.read(dut.qpair, buf, dut.nvme0n1.capacity).waitdone()
    assert warned() == ["ERROR status: 02/81", "ERROR status: 00/80"]
    smart = dut.smart()
    assert smart["data_units_written"] == 3
    assert smart["data_units_read"] == 1
    assert smart["writes"] == 11
    assert smart["media_errors"] == 1
    assert smart["error_log_entries"] == 2
    before = smart["reads"]
    result = dut.nvme0n1.ioworker(
        io_size=8, region_end=400, lba_random=False, io_count=1000, read_percentage=100
    )
    assert result.start().close().io_count_read == 1000
    assert dut.smart()["reads"] == before + 1000
