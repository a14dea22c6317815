"""Power: cycles with the drive idle, under load, and after a clean shutdown.

./pynvme test scripts/power_test.py    # with --dut it WRITES to the named drive, and cuts its power
"""

import time

import nvme as d


def unsafe_shutdowns(nvme0):
    log = d.Buffer(512)
    nvme0.getlogpage(2, log, 512).waitdone()
    return log.data(159, 144)


def test_clean_power_cycle(nvme0, nvme0n1, subsystem):
    before = unsafe_shutdowns(nvme0)
    subsystem.shutdown_notify()
    subsystem.power_cycle(1)
    nvme0.reset()
    assert unsafe_shutdowns(nvme0) == before


def test_power_loss_under_load(nvme0, nvme0n1, subsystem, verify):
    """Four workers lose their drive; it comes back, counts the loss, and works."""
    workers = [
        nvme0n1.ioworker(
            io_size=8, read_percentage=0, region_start=i * 100_000, region_end=(i + 1) * 100_000,
            qdepth=16, time=30,
        ).start()
        for i in range(4)
    ]  # fmt: skip
    while any(worker.running and not worker.progress().io_count_write for worker in workers):
        time.sleep(0.01)
    before = unsafe_shutdowns(nvme0)
    subsystem.poweroff()
    results = [worker.close() for worker in workers]
    assert all(r.io_count_write > 0 for r in results)
    subsystem.poweron()
    nvme0.reset()
    assert unsafe_shutdowns(nvme0) == before + 1
    # What was in the write cache is gone, and the host knows. From here on all is checked again.
    for read_percentage in (0, 100):
        r = nvme0n1.ioworker(
            io_size=8, lba_random=False, region_end=80_000, read_percentage=read_percentage
        ).start().close()  # fmt: skip
        assert r.error == 0
