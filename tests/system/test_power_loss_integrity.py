"""After a loss of power: what may legally be there passes, what was durable and is not is found."""

import random

import pytest

import nvme as d
from psd import CQE, IOCQ, IOSQ, PRP, SQE

LBA_BYTES = 512
FUA = 1 << 14
READ_ALL = {"io_size": 8, "lba_random": False, "read_percentage": 100, "qdepth": 32}


class Drive:
    """The device under test, its data checked; everything anew after each power cycle."""

    def __init__(self, nvme0):
        self.nvme0 = nvme0
        self.ns = d.Namespace(nvme0)
        assert self.ns.verify_enable()
        self.qpair = d.Qpair(nvme0, 16)

    def write(self, lba, count=1, flags=0):
        buf = d.Buffer(LBA_BYTES * count, ptype=0xBEEF, pvalue=100)
        self.ns.write(self.qpair, buf, lba, count, io_flags=flags).waitdone()
        return buf

    def flush(self):
        self.ns.flush(self.qpair).waitdone()

    def read(self, lba, count=1):
        self.ns.read(self.qpair, d.Buffer(LBA_BYTES * count), lba, count).waitdone()

    def power_cycle(self, shutdown=None):
        subsystem = d.Subsystem(self.nvme0)
        if shutdown is not None:
            subsystem.shutdown_notify(abrupt=shutdown == "abrupt")
        subsystem.power_cycle(0)
        self.nvme0.reset()
        self.qpair = d.Qpair(self.nvme0, 16)

    def plant(self, lba, data):
        """One LBA that the host's table knows nothing of."""
        cq = IOCQ(self.nvme0, 16, 16, PRP())
        sq = IOSQ(self.nvme0, 16, 16, PRP(), cqid=16)
        sqe = SQE(1, 1)
        sqe.prp1 = data
        sqe[10], sqe[12] = lba, 0
        sq[0] = sqe
        sq.tail = 1
        while CQE(cq[0]).p == 0:
            pass
        cq.head = 1
        sq.delete()
        cq.delete()


@pytest.fixture
def drive(connect):
    return Drive(connect(latency=0))


def part(buf, lba):
    one = d.Buffer(LBA_BYTES)
    one[:] = buf[lba * LBA_BYTES : (lba + 1) * LBA_BYTES]
    return one


@pytest.mark.parametrize("kind", ["flush", "fua", "cache off", "normal shutdown"])
def test_what_was_durable_and_is_old_is_lost(drive, warned, kind):
    if kind == "cache off":
        drive.nvme0.setfeatures(6, cdw11=0).waitdone()
    old = drive.write(8, 8)
    drive.flush()
    drive.write(8, 8, FUA if kind == "fua" else 0)
    if kind == "flush":
        drive.flush()
    drive.power_cycle("normal" if kind == "normal shutdown" else None)
    drive.read(8, 8)
    assert warned() == []
    drive.plant(11, part(old, 3))
    drive.read(8, 8)
    (text,) = warned()
    assert text.startswith("ERROR status: 07/81: LBA 0xb: ")


@pytest.mark.parametrize("shutdown", [None, "abrupt"])
def test_what_was_not_flushed_may_be_any_version_since(drive, warned, shutdown):
    ancient = drive.write(8, 8)
    versions = [drive.write(8, 8)]
    drive.flush()
    versions += [drive.write(8, 8), drive.write(8, 8)]
    drive.power_cycle(shutdown)
    for i, version in enumerate(versions):
        drive.plant(8 + i, part(version, i))
    drive.read(8, 8)
    assert warned() == []
    drive.plant(8, part(versions[1], 0))
    drive.read(8)
    assert "07/81: LBA 0x8: the data are not what was written last" in warned()[0]
    drive.write(100, 8)
    drive.power_cycle()
    drive.plant(12, part(ancient, 4))
    drive.read(12)
    assert "07/81: LBA 0xc: " in warned()[0]


def test_a_version_before_the_flush_is_none_of_those_that_may_be_there(drive, warned):
    ancient = drive.write(8, 8)
    drive.write(8, 8)
    drive.flush()
    drive.write(8, 8)
    drive.power_cycle()
    drive.plant(10, part(ancient, 2))
    drive.read(8, 8)
    (text,) = warned()
    assert "LBA 0xa: the data are none of those that it may hold after the reset" in text


def test_a_controller_reset_forgets_nothing(drive, warned):
    drive.write(8, 8)
    drive.nvme0.reset()
    drive.qpair = d.Qpair(drive.nvme0, 16)
    drive.read(8, 8)
    assert warned() == []
    drive.plant(9, d.Buffer(LBA_BYTES))
    drive.read(8, 8)
    assert "LBA 0x9" in warned()[0]


@pytest.mark.parametrize("cut", ["power", "reset", "abrupt shutdown"])
def test_random_workloads_raise_no_false_alarm(connect, cut, warned):
    """Writes, zeroes, trims, flushes, of workers and of the script; then the power goes."""
    drive = Drive(connect(latency=1, cache="256KiB"))
    nvme0, ns = drive.nvme0, drive.ns
    region = 4096
    assert ns.ioworker(io_size=8, lba_random=False, read_percentage=0, region_end=region)\
        .start().close().error == 0  # fmt: skip
    for _ in range(4):
        ops = {2: 30, 1: 50, 8: 8, 9: 4, 0: 8}
        workers = [
            ns.ioworker(io_size=[1, 8, 16], lba_align=1, op_percentage=dict(ops), qdepth=32,
                        region_end=region, time=30).start()
            for _ in range(2)
        ]  # fmt: skip
        for _ in range(random.randrange(20, 60)):
            drive.write(random.randrange(region), 1, random.choice([0, 0, FUA]))
        if cut == "power":
            d.Subsystem(nvme0).poweroff()
        elif cut == "reset":
            nvme0.reset()
        else:
            d.Subsystem(nvme0).shutdown_notify(abrupt=True)
            d.Subsystem(nvme0).poweroff()
        assert {worker.close().error for worker in workers} == {-7}
        assert set(warned()) == {"ioworker host ERROR -7: sudden terminated"}
        if cut != "reset":
            d.Subsystem(nvme0).poweron()
        nvme0.reset()
        drive.qpair = d.Qpair(nvme0, 16)
        # Twice: what the first pass accepted has to stay.
        for _ in range(2):
            result = ns.ioworker(region_end=region, **READ_ALL).start().close()
            assert result.error == 0, result.detail
        assert warned() == []
