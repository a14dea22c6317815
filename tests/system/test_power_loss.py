"""The device goes away under load: workers end soon and say why, and what was flushed is there."""

import time

import pytest
from until import until

import nvme as d

WORKERS = 16
REGION = 4096  # LBAs of each worker
FLUSHED = range(WORKERS * REGION, WORKERS * REGION + 64)
ATOMIC = 8  # LBAs of one write to a boundary of 4 KiB
NSSR_RESET = 0x4E564D65

CUTS = {
    "power": lambda nvme0: d.Subsystem(nvme0).poweroff(),
    "hot reset": lambda nvme0: d.Pcie(nvme0).reset(),
    "flr": lambda nvme0: d.Pcie(nvme0).flr(),
    "nssr": lambda nvme0: nvme0.__setitem__(0x20, NSSR_RESET),
    "cc_en": lambda nvme0: nvme0.__setitem__(0x14, 0),
    "shutdown": lambda nvme0: d.Subsystem(nvme0).shutdown_notify(),
}


@pytest.fixture(params=[0, 1], ids=["latency 0", "latency 1"])
def nvme0(connect, request):
    return connect(latency=request.param)


def start(nvme0n1, read_percentage, **arguments):
    return [
        nvme0n1.ioworker(
            io_size=8,
            region_start=i * REGION,
            region_end=(i + 1) * REGION,
            read_percentage=read_percentage,
            qdepth=32,
            **arguments,
        ).start()
        for i in range(WORKERS)
    ]


def write_numbers(nvme0n1, qpair, number):
    for lba in FLUSHED[::ATOMIC]:
        buf = d.Buffer(512 * ATOMIC)
        for i in range(ATOMIC):
            buf[512 * i + 8] = number
        nvme0n1.write(qpair, buf, lba, ATOMIC).waitdone()


@pytest.mark.parametrize("cut", CUTS)
def test_workers_end_and_data_are_right(nvme0, cut, warned):
    nvme0n1 = d.Namespace(nvme0)
    assert nvme0n1.verify_enable()
    qpair = d.Qpair(nvme0, 64)
    write_numbers(nvme0n1, qpair, 1)
    nvme0n1.flush(qpair).waitdone()
    qpair.delete()
    workers = start(nvme0n1, 50, time=60)
    for worker in workers:
        until(lambda worker=worker: worker.progress().io_count_read)
    CUTS[cut](nvme0)
    began = time.monotonic()
    results = [worker.close() for worker in workers]
    assert time.monotonic() - began < 20
    assert all(result.error == -7 for result in results)
    assert set(warned()) == {"ioworker host ERROR -7: sudden terminated"}
    if cut == "power":
        d.Subsystem(nvme0).poweron()
    nvme0.reset()

    assert all(worker.close().error == 0 for worker in start(nvme0n1, 100, io_count=1000))
    assert all(worker.close().error == 0 for worker in start(nvme0n1, 50, io_count=1000))
    qpair = d.Qpair(nvme0, 64)
    for lba in FLUSHED:
        buf = d.Buffer(512)
        nvme0n1.read(qpair, buf, lba).waitdone()
        assert buf[8] == 1
    assert warned() == []


def test_writes_are_whole_or_not_there(connect):
    """Each write of up to 4 KiB in a unit of 4 KiB is lost or kept as one."""
    nvme0 = connect()
    nvme0n1 = d.Namespace(nvme0)
    qpair = d.Qpair(nvme0, 64)
    write_numbers(nvme0n1, qpair, 1)
    nvme0n1.flush(qpair).waitdone()
    for number in range(2, 6):
        write_numbers(nvme0n1, qpair, number)
        if number == 3:
            nvme0n1.flush(qpair).waitdone()
    d.Subsystem(nvme0).power_cycle(0)
    nvme0.reset()
    qpair = d.Qpair(nvme0, 64)
    for lba in FLUSHED[::ATOMIC]:
        buf = d.Buffer(512 * ATOMIC)
        nvme0n1.read(qpair, buf, lba, ATOMIC).waitdone()
        (number,) = {buf[512 * i + 8] for i in range(ATOMIC)}
        assert number >= 3, "at least what was flushed"


def test_power_cycles_under_load_again_and_again(connect):
    nvme0 = connect(latency=0)
    nvme0n1 = d.Namespace(nvme0)
    assert nvme0n1.verify_enable()
    subsystem = d.Subsystem(nvme0)
    for i in range(10):
        workers = start(nvme0n1, 50, time=30)
        time.sleep(0.01 * i)
        subsystem.poweroff()
        with pytest.warns(UserWarning, match="ioworker host ERROR -7"):
            assert {worker.close().error for worker in workers} == {-7}
        subsystem.poweron()
        nvme0.reset()
    buf = d.Buffer(512)
    nvme0.getlogpage(2, buf, 512).waitdone()
    assert buf.data(127, 112) == 11
    assert buf.data(159, 144) == 10


def test_the_device_vanishes_behind_the_drivers_back(connect):
    """An FLR that only configuration space knows of: the commands time out."""
    nvme0 = connect()
    nvme0.timeout = 1000
    nvme0n1 = d.Namespace(nvme0)
    worker = nvme0n1.ioworker(io_size=8, time=60).start()
    until(lambda: worker.progress().io_count_read)
    pcie = d.Pcie(nvme0)
    offset = pcie.cap_offset(0x10) + 9
    began = time.monotonic()
    pcie[offset] = pcie[offset] | 0x80
    with pytest.warns(UserWarning, match="ioworker host ERROR"):
        assert worker.close().error != 0
    assert time.monotonic() - began < 20
    nvme0.timeout = 10_000
    nvme0.reset()
    assert nvme0n1.ioworker(io_size=8, io_count=100).start().close().error == 0
