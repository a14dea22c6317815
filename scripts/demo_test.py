"""The tour: what a test of an NVMe SSD looks like with pynvme.

Run it with `./pynvme demo`, or like any pytest file: `pytest scripts/demo_test.py`. Without --dut
it tests the embedded SSD, so it needs no drive and no root. With --dut it WRITES to the named
drive.

Each test asks for what it needs by argument (pytest calls these fixtures): `nvme0` is the
controller, `nvme0n1` its first namespace, `qpair` a queue pair for IO commands, `verify` has the
data of every read checked.
"""

import logging
import time
import warnings

import pytest

import nvme as d
from nvme.report import PERCENTILES, Report, Workload

IO_SECONDS = 10
REGION_LBAS = 256 * 1024  # each IOWorker has a region of its own: 128 MiB of 512-byte LBAs
LARGEST_BYTES = 1 << 20


@pytest.fixture(scope="module")
def report(pytestconfig, pciaddr):
    """The report that all tests of this file add to; written after the last one."""
    demo_report = Report("pynvme demo", {"device under test": pciaddr})
    yield demo_report
    path = demo_report.save(pytestconfig.getoption("nvme_report", None) or "reports/demo.html")
    logging.info("report: %s", path)


@pytest.fixture(autouse=True)
def failure_in_report(request, report):
    """A test that fails is a step of the report, too."""
    yield
    result = getattr(request.node, "rep_call", None)
    if result is not None and result.failed:
        reason = getattr(getattr(result.longrepr, "reprcrash", None), "message", "failed")
        name = request.node.name.removeprefix("test_").replace("_", " ")
        report.add_step(name, reason.splitlines()[0], passed=False)


def celsius(smart_log):
    """Composite Temperature of the SMART log: bytes 1 and 2, in kelvin."""
    return smart_log.data(2, 1) - 273


def test_identify(nvme0, nvme0n1, report):
    """Who are you? Fields of Identify data are named by their bytes, as in the specification."""
    model = nvme0.id_data(63, 24, str).strip()
    capacity = nvme0n1.id_data(7, 0)
    lba_bytes = nvme0n1.sector_size

    report.device |= {
        "model": model,
        "serial number": nvme0.id_data(23, 4, str).strip(),
        "firmware": nvme0.id_data(71, 64, str).strip(),
        "capacity": f"{capacity * lba_bytes / 1e9:.0f} GB in LBAs of {lba_bytes} bytes",
        "largest transfer": f"{nvme0.mdts // 1024} KiB",
    }
    logging.info("testing %s", model)
    assert model
    assert capacity == nvme0n1.capacity
    report.add_step("identify", model)


def test_hello_world(nvme0, nvme0n1, qpair, report):
    """Write, and read back when the write is done: in its callback."""
    read_buf = d.Buffer(512)
    write_buf = d.Buffer(512)
    write_buf[10:21] = b"hello world"

    def write_cb(cdw0, status1):
        nvme0n1.read(qpair, read_buf, 0, 1)

    nvme0n1.write(qpair, write_buf, 0, 1, cb=write_cb)

    assert read_buf[10:21] != b"hello world"  # commands are under way, nothing is done yet
    qpair.waitdone(2)
    assert read_buf[10:21] == b"hello world"
    report.add_step("hello world", "written to LBA 0, read back in the write's callback")


def test_io_with_verify_and_temperature(nvme0, nvme0n1, verify, report):
    """Random 4 KiB writes and reads by four IOWorkers, all data checked, while the script goes on.

    Each IOWorker has a queue pair and a thread of its own. The regions are apart, so that it is
    known at any time what each LBA holds.
    """
    assert verify
    io_size = 4096 // nvme0n1.sector_size
    smart_log = d.Buffer(512, "SMART log")
    shares = {
        "random write": 0,
        "random read/write": 50,
        "random read 1": 100,
        "random read 2": 100,
    }
    outputs = {}
    workers = {}

    # What is read must have been written: fill the regions first, with large sequential writes.
    large = min(nvme0.mdts, LARGEST_BYTES) // nvme0n1.sector_size
    region = min(REGION_LBAS, nvme0n1.capacity // len(shares) // large * large)
    filler = nvme0n1.ioworker(
        io_size=large,
        lba_align=large,
        lba_random=False,
        read_percentage=0,
        qdepth=32,
        region_start=0,
        region_end=len(shares) * region,
    )
    assert filler.start().close().error == 0

    for index, (name, read_percentage) in enumerate(shares.items()):
        outputs[name] = ([], dict.fromkeys(PERCENTILES))
        workers[name] = nvme0n1.ioworker(
            io_size=io_size,
            lba_align=io_size,
            lba_random=True,
            read_percentage=read_percentage,
            qdepth=32,
            time=IO_SECONDS,
            region_start=index * region,
            region_end=(index + 1) * region,
            output_io_per_second=outputs[name][0],
            output_percentile_latency=outputs[name][1],
        ).start()

    temperatures = []
    while any(worker.running for worker in workers.values()):
        nvme0.getlogpage(0x02, smart_log, 512).waitdone()
        temperatures.append(celsius(smart_log))
        logging.info("temperature: %d degree C", temperatures[-1])
        time.sleep(1)

    for name, worker in workers.items():
        result = worker.close()
        per_second, percentiles = outputs[name]
        report.add_workload(
            Workload(
                name=name,
                io_count=result.io_count_read + result.io_count_nonread,
                mseconds=result.mseconds,
                io_bytes=4096,
                latency_average_us=result.latency_average_us,
                latency_max_us=result.latency_max_us,
                error=result.error,
                percentile_latency_us=percentiles,
                io_per_second=per_second,
                latency_distribution=result.latency_distribution,
            )
        )
        assert result.error == 0
        assert len(per_second) == IO_SECONDS
        assert percentiles[50] <= percentiles[99.9]

    report.add_step("data verification", "every read of four IOWorkers returned what was written")
    report.add_step(
        "temperature under load", f"{min(temperatures)} to {max(temperatures)} degree C"
    )


def test_trim(nvme0, nvme0n1, qpair, report):
    """Deallocate LBAs and prove it: what was data before compares equal to zeroes afterwards."""
    slba, nlb = 0, 1024
    zeroes = d.Buffer(nvme0n1.sector_size)
    data = d.Buffer(nvme0n1.sector_size, pvalue=100, ptype=0xBEEF)
    nvme0n1.write(qpair, data, slba).waitdone()

    compares = nvme0.id_data(521, 520) & 1  # ONCS: Compare is optional
    if compares:
        with pytest.warns(UserWarning, match="ERROR status: 02/85"):  # Compare Failure
            nvme0n1.compare(qpair, zeroes, slba).waitdone()

    ranges = d.Buffer(4096)
    ranges.set_dsm_range(0, slba, nlb)
    nvme0n1.dsm(qpair, ranges, 1).waitdone()

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # now a Compare Failure would end the test
        if compares:
            nvme0n1.compare(qpair, zeroes, slba).waitdone()
        nvme0n1.read(qpair, data, slba).waitdone()
    assert data[:] == zeroes[:]
    report.add_step("trim", f"LBA {slba} to {slba + nlb - 1} deallocated, and they read as zeroes")
