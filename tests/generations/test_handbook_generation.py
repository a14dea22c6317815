"""Scripts in the manner of the handbook: fixtures with type hints, parametrised tests, verify,
interrupts, features and firmware, errors by generic commands."""

import logging
import threading
import time
import warnings

import pytest

import nvme as d


def test_hello_world(nvme0, nvme0n1: d.Namespace):
    read_buf = d.Buffer(512)
    data_buf = d.Buffer(512)
    data_buf[10:21] = b"hello world"
    qpair = d.Qpair(nvme0, 16)

    def write_cb(cdw0, status1):
        nvme0n1.read(qpair, read_buf, 0, 1)

    nvme0n1.write(qpair, data_buf, 0, 1, cb=write_cb)
    qpair.waitdone(2)
    assert read_buf[10:21] == b"hello world"


@pytest.mark.parametrize("option", [1, 2, 4])
def test_sanitize_with_progress_and_event(nvme0: d.Controller, nvme0n1, buf, aer, option):
    if nvme0.id_data(331, 328) == 0:
        pytest.skip("sanitize operation is not supported")
    events = []

    def cb(cdw0, status):
        logging.info("aer cb in script: 0x%x, 0x%x", cdw0, status)
        events.append(cdw0)

    aer(cb)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if option == 1:  # leave the failure mode, in which the device is not
            nvme0.sanitize(option).waitdone()
            return
        nvme0.sanitize(option, pattern=0x5AA5F00F).waitdone()
        nvme0.getlogpage(0x81, buf, 20).waitdone()
        progress = []
        while buf.data(3, 2) & 0x7 != 1:
            progress.append(buf.data(1, 0) * 100 // 0xFFFF)
            nvme0.getlogpage(0x81, buf, 20).waitdone()
            time.sleep(0.1)
        assert buf.data(1, 0) == 0xFFFF
        assert progress == sorted(progress)
        assert events == [0x810106]
    assert any("AER notification is triggered: 0x810106" in str(w.message) for w in caught)


def test_sanitize_by_overwriting(buf):
    """16 passes are what OWPASS=0 asks for: on a drive without latency."""
    ssd = d.Ssd("06:00.0", capacity="1GiB", latency=0)
    nvme0 = d.Controller(b"06:00.0")
    with pytest.warns(UserWarning, match="AER notification is triggered: 0x810106"):
        nvme0.sanitize(3, pattern=0xDEADBEEF).waitdone()
        nvme0.getlogpage(0x81, buf, 20).waitdone()
        while buf.data(3, 2) & 0x7 != 1:
            nvme0.getlogpage(0x81, buf, 20).waitdone()
            time.sleep(0.05)
    nvme0n1, qpair, back = d.Namespace(nvme0), d.Qpair(nvme0, 8), d.Buffer(512)
    nvme0n1.read(qpair, back, 1000).waitdone()
    assert back.data(3, 0) in (0, 0xDEADBEEF)
    qpair.delete()
    nvme0n1.close()
    nvme0.close()
    ssd.unplug()


def test_trim_basic(nvme0: d.Controller, nvme0n1: d.Namespace, verify):
    all_zero_databuf = d.Buffer(512)
    trimbuf = d.Buffer(4096)
    q = d.Qpair(nvme0, 32)
    io_size = 128 * 1024 // 512
    start_lba, lba_count = 0x100000, 64 * 1024 * 1024 // 512
    nvme0n1.ioworker(io_size=io_size,
                     lba_align=io_size,
                     lba_random=False,
                     read_percentage=0,
                     lba_start=start_lba,
                     io_count=lba_count // io_size,
                     qdepth=128).start().close()  # fmt: skip
    with pytest.warns(UserWarning, match="ERROR status: 02/85"):
        nvme0n1.compare(q, all_zero_databuf, start_lba).waitdone()
    trimbuf.set_dsm_range(0, start_lba, lba_count)
    trim_cmd = nvme0n1.dsm(q, trimbuf, 1).waitdone()
    assert trim_cmd == 0
    nvme0n1.compare(q, all_zero_databuf, start_lba).waitdone()
    nvme0n1.compare(q, all_zero_databuf, start_lba + lba_count - 1).waitdone()


@pytest.mark.parametrize("qcount", [1, 2, 4, 8, 16])
def test_ioworkers_on_many_queues(nvme0n1, qcount):
    workers = [
        nvme0n1.ioworker(io_size=8, lba_align=8,
                         region_start=0, region_end=256 * 1024,
                         lba_random=False, qdepth=16,
                         read_percentage=100, io_count=1000).start()
        for _ in range(qcount)
    ]  # fmt: skip
    total = 0
    for a in workers:
        r = a.close()
        total += r.io_count_read + r.io_count_write
    assert total == 1000 * qcount


def test_features_by_callback(nvme0):
    got = []

    def getfeatures_cb(cdw0, status):
        got.append((cdw0, status >> 1))

    nvme0.getfeatures(0x07, cb=getfeatures_cb).waitdone()
    assert got[0][1] == 0
    assert got[0][0] & 0xFFFF == 15
    assert nvme0.getfeatures(7).waitdone() == got[0][0]
    orig = nvme0.getfeatures(4).waitdone()
    nvme0.setfeatures(4, cdw11=350).waitdone()
    assert nvme0.getfeatures(4).waitdone() == 350
    assert nvme0.getfeatures(4, sel=1).waitdone() & 0xFFFF == orig & 0xFFFF
    nvme0.setfeatures(4, cdw11=orig).waitdone()
    timestamp = d.Buffer(8)
    nvme0.setfeatures(0xE, buf=timestamp).waitdone()
    nvme0.getfeatures(0xE, buf=timestamp).waitdone()
    assert timestamp.data(5, 0) < 60000


def test_interrupts(nvme0, nvme0n1, buf):
    q = d.Qpair(nvme0, 8)
    other = d.Qpair(nvme0, 8)
    q.msix_clear()
    other.msix_clear()
    assert not q.msix_isset()
    nvme0n1.read(q, buf, 0, 1)
    deadline = time.monotonic() + 60
    while not q.msix_isset():
        assert time.monotonic() < deadline
    assert not other.msix_isset()
    q.waitdone()
    q.msix_clear()
    q.msix_mask()
    nvme0n1.read(q, buf, 0, 1).waitdone()
    assert not q.msix_isset()
    q.msix_unmask()
    assert q.msix_isset()


def test_fused_compare_and_write(nvme0, nvme0n1, buf):
    q = d.Qpair(nvme0, 16)
    old, new = d.Buffer(512), d.Buffer(512)
    new[:] = [0x77] * 512
    nvme0n1.write_zeroes(q, 8).waitdone()
    nvme0n1.send_cmd(5 | (1 << 8), q, old, 1, 8, 0, 0)
    nvme0n1.send_cmd(1 | (1 << 9), q, new, 1, 8, 0, 0)
    q.waitdone(2)
    nvme0n1.read(q, buf, 8, 1).waitdone()
    assert buf[100] == 0x77
    with pytest.warns(UserWarning) as record:
        nvme0n1.send_cmd(5 | (1 << 8), q, old, 1, 8, 0, 0)
        nvme0n1.send_cmd(1 | (1 << 9), q, old, 1, 8, 0, 0)
        q.waitdone(2)
    assert {str(w.message)[:19] for w in record} == {
        "ERROR status: 02/85",
        "ERROR status: 00/09",
    }


def test_firmware_file(nvme0, subsystem, tmp_path):
    image = tmp_path / "firmware.bin"
    image.write_bytes(b"FW-2.001" + bytes(range(256)) * 1000)
    nvme0.downfw(str(image))
    nvme0.reset()
    logging.info("firmware: %s", nvme0.id_data(71, 64, str))
    log = d.Buffer(512)
    nvme0.getlogpage(3, log, 512).waitdone()
    assert log[0] & 7
    subsystem.power_cycle(1)
    nvme0.reset()
    assert nvme0.id_data(71, 64, str).strip() == "FW-2.001"


def test_format_and_namespace_sizes(nvme0, nvme0n1: d.Namespace):
    assert nvme0n1.get_lba_format(512, 0) == 0
    assert nvme0n1.get_lba_format(520, 0) is None
    nvme0.format(nvme0n1.get_lba_format(4096, 0)).waitdone()
    assert nvme0n1.id_data(26) & 0xF == nvme0n1.get_lba_format(4096, 0)
    nvme0n1.format(512)
    assert nvme0n1.id_data(26) & 0xF == 0
    assert nvme0n1.id_data(7, 0) * 512 == nvme0n1.capacity * 512


def test_iops_are_exact(nvme0n1, nvme0):
    nvme0.format(nvme0n1.get_lba_format(512, 0)).waitdone()
    output_io_per_second = []
    nvme0n1.ioworker(io_size=8, lba_align=16,
                     lba_random=True, qdepth=16,
                     read_percentage=0, time=2,
                     iops=1234,
                     output_io_per_second=output_io_per_second).start().close()  # fmt: skip
    logging.info(output_io_per_second)
    assert output_io_per_second == [1234, 1234]


def test_self_test_and_security(nvme0, buf):
    nvme0.dst(1).waitdone()
    nvme0.getlogpage(6, buf, 564).waitdone()
    deadline = time.monotonic() + 120
    while buf[0] & 0xF and time.monotonic() < deadline:
        time.sleep(0.2)
        nvme0.getlogpage(6, buf, 564).waitdone()
    assert buf[4] == 0x10, "short, completed without error"
    if nvme0.supports(0x82):
        nvme0.security_receive(buf, 0, 0).waitdone()
        nvme0.security_receive(buf, 1, 1, size=2048).waitdone()


def test_abort_and_aers(nvme0):
    for i in range(3):
        nvme0.abort(127 - i).waitdone()
    assert nvme0.abort(0xFFFE).waitdone() & 1 == 1
    with pytest.warns(UserWarning, match="ERROR status: 01/05"):
        for _ in range(20):
            nvme0.send_cmd(0xC)
        nvme0.getfeatures(7).waitdone()


def test_two_readers_in_threads_of_their_own_queue(nvme0, nvme0n1):
    def work():
        q, b = d.Qpair(nvme0, 16), d.Buffer(512)
        for i in range(200):
            nvme0n1.write(q, b, i, 1).waitdone()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()


def test_timeout(nvme0, nvme0n1, buf):
    assert nvme0.timeout == 10000
    nvme0.timeout = 30000
    nvme0.format().waitdone()
    nvme0.timeout = 10000
    assert nvme0.mdts == 128 * 1024
    assert nvme0.cap & 0xFFFF == 0x3FF
