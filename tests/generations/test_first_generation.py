"""Scripts as they were written for the first releases: positional arguments, nested callbacks, the
aer fixture, io_count_write, objects made by hand from a PCI address."""

import logging
import time
import warnings

import pytest

import nvme as d


def test_identify_by_hand(nvme0):
    id_buf = d.Buffer(4096)
    nvme0.identify(id_buf, 0xFFFFFFFF, 1)
    nvme0.waitdone()
    assert id_buf[0:2] == nvme0.id_data(1, 0).to_bytes(2, "little")
    assert id_buf[4:24].decode() == nvme0.id_data(23, 4, str)
    logging.info("model: %s", nvme0.id_data(63, 24, str))
    text = id_buf.dump(64)
    assert text.count("\n") >= 4
    assert id_buf.data(1, 0) == id_buf[0] + id_buf[1] * 256


def test_controller_at_an_address():
    ssd = d.Ssd("05:00.0", capacity="1GiB")
    nvme0 = d.Controller(b"05:00.0")
    nvme0n1 = d.Namespace(nvme0, 1)
    qpair = d.Qpair(nvme0, 16)
    data_buf = d.Buffer(512)
    data_buf[100:] = b"hello world"
    read_buf = d.Buffer(512)

    def write_cb(cdw0, status):
        assert status >> 1 == 0
        nvme0n1.read(qpair, read_buf, 0, 1)

    nvme0n1.write(qpair, data_buf, 0, 1, cb=write_cb).waitdone(2)
    assert read_buf[100:111] == b"hello world"
    qpair.cmdlog()
    qpair.cmdlog(2)
    nvme0.cmdlog(2)
    assert nvme0[0x1C] & 1 == 1
    assert not nvme0.supports(0xC5)
    assert nvme0.supports(6)
    del qpair, nvme0n1, nvme0, ssd


def test_buffer_arithmetic():
    b = d.Buffer(1024, "example")
    assert repr(b) == "<buffer name: example>"
    b[0] = 0x5A
    b[1:3] = [1, 2]
    b[4:] = [10, 11, 12, 13]
    assert b[:8:2] == b"Z\x02\n\x0c"
    assert b.data(2) == 2 == b[2]
    assert b.data(2, 0) == 0x02015A
    b[8:] = b"xyc"
    assert "example" in b.dump(16)
    b.set_dsm_range(1, 0x1234567887654321, 0xABCDEF12)
    assert b.data(31, 24) == 0x1234567887654321
    assert b.data(23, 20) == 0xABCDEF12
    with pytest.raises(IndexError):
        b[1024] = 1


def test_chain_of_callbacks(nvme0, nvme0n1):
    """Each completion sends the next command, and the buffer of a write is held by the command."""
    qpair = d.Qpair(nvme0, 8)
    log = []

    def next_write(cdw0, status1):
        log.append((cdw0, status1 >> 1))
        if len(log) < 20:
            nvme0n1.write(qpair, d.Buffer(512), len(log), 1, cb=next_write)

    nvme0n1.write(qpair, d.Buffer(512), 0, 1, cb=next_write)
    qpair.waitdone(20)
    assert log == [(0, 0)] * 20


def test_waitdone_in_a_callback_is_told(nvme0, nvme0n1, qpair, buf):
    def cb(cdw0, status1):
        nvme0n1.read(qpair, buf, 0, 1).waitdone()

    with pytest.warns(UserWarning, match="ASSERT: waitdone"):
        nvme0n1.read(qpair, buf, 0, 1, cb=cb).waitdone()
    qpair.waitdone()


def test_four_workers_and_the_temperature(nvme0, nvme0n1):
    smart = d.Buffer(512)
    with nvme0n1.ioworker(lba_start = 0, io_size = 256, lba_align = 8,
                          lba_random = False,
                          region_start = 0, region_end = 100000,
                          read_percentage = 0,
                          iops = 0, io_count = 500, time = 0,
                          qprio = 0, qdepth = 16), \
         nvme0n1.ioworker(lba_start = 0, io_size = 7, lba_align = 11,
                          lba_random = False,
                          region_start = 0, region_end = 1000,
                          read_percentage = 0,
                          iops = 0, io_count = 100, time = 1000,
                          qprio = 0, qdepth = 64), \
         nvme0n1.ioworker(lba_start = 0, io_size = 8, lba_align = 64,
                          lba_random = False,
                          region_start = 10000, region_end = 1000000,
                          read_percentage = 67,
                          iops = 10000, io_count = 1000, time = 1000,
                          qprio = 0, qdepth = 16), \
         nvme0n1.ioworker(lba_start = 0, io_size = 8, lba_align = 8,
                          lba_random = True,
                          region_start = 0, region_end = 0xffffffffffffffff,
                          read_percentage = 0,
                          iops = 100, io_count = 50, time = 0,
                          qprio = 0, qdepth = 16):  # fmt: skip
        for _ in range(3):
            nvme0.getlogpage(2, smart, 512).waitdone()
            kelvin = smart.data(2, 1)
            assert 273 < kelvin < 373
            time.sleep(0.1)


def test_worker_result_of_old(nvme0n1):
    r = nvme0n1.ioworker(io_size = 8, lba_align = 8,
                         lba_random = True, qdepth = 16,
                         read_percentage = 0, time = 1).start().close()  # fmt: skip
    assert r.io_count_read == 0
    assert r.io_count_write > 0
    assert r["mseconds"] >= 1000
    assert r.error == 0
    logging.info("IOPS: %dK/s", r.io_count_write / r.mseconds)


def test_aer_of_a_temperature(nvme0, aer, buf):
    """The oldest way to an AER: a fixture, which also takes the callback away again."""
    got = []

    def cb(cdw0, status1):
        logging.info("aer cb: 0x%x, 0x%x", cdw0, status1)
        got.append(cdw0)

    aer(cb)
    with pytest.warns(UserWarning, match="AER notification is triggered: 0x2010[0-9a-f]+"):
        nvme0.setfeatures(0xB, cdw11=0xFF).waitdone()
        nvme0.setfeatures(4, cdw11=200).waitdone()  # far below any temperature
        deadline = time.monotonic() + 60
        while not got and time.monotonic() < deadline:
            nvme0.getfeatures(4).waitdone()
    assert got == [0x020101]
    nvme0.getlogpage(2, buf, 512).waitdone()
    assert buf[0] & 2
    nvme0.setfeatures(4, cdw11=360).waitdone()


def test_error_status_is_a_warning(nvme0, nvme0n1, qpair, buf):
    with pytest.warns(UserWarning, match="ERROR status: 00/0b"):
        nvme0.identify(buf, 0, 0).waitdone()
    with pytest.warns(UserWarning, match="ERROR status: 00/01"):
        nvme0.send_cmd(0xFF).waitdone()
    with pytest.warns(UserWarning, match="ERROR status: 00/80"):
        nvme0n1.read(qpair, buf, nvme0n1.id_data(7, 0), 1).waitdone()
    seen = []
    with pytest.warns(UserWarning, match="ERROR status: 00/01"):
        nvme0n1.send_cmd(0xFF, qpair, buf, 1, 1, 2, 3, cb=lambda c, s: seen.append(s)).waitdone()
    assert seen[0] >> 1 & 0x7FF == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        nvme0n1.read(qpair, buf, 0, 1).waitdone()


def test_config_space(pcie, nvme0):
    assert pcie[0:4] == pcie[0:2] + pcie[2:4]
    assert pcie.register(0, 2) == pcie[0] | pcie[1] << 8
    assert pcie[pcie.cap_offset(1)] == 1
    assert pcie.cap_offset(0x7F) is None
    p = d.Pcie(nvme0)
    assert p[0:4] == pcie[0:4]
    p.reset()
    nvme0.reset()
    nvme0.getfeatures(7).waitdone()


def test_power(nvme0, subsystem, buf):
    def smart(high, low):
        nvme0.getlogpage(2, buf, 512).waitdone()
        return buf.data(high, low)

    cycles, unsafe = smart(127, 112), smart(159, 144)
    subsystem.shutdown_notify()
    subsystem.power_cycle(1)
    nvme0.reset()
    assert smart(127, 112) == cycles + 1
    assert smart(159, 144) == unsafe
    subsystem.power_cycle(1)
    nvme0.reset()
    assert smart(159, 144) == unsafe + 1
    subsystem.shutdown_notify(abrupt=True)
    subsystem.reset()
    nvme0.reset()
    nvme0.getfeatures(7).waitdone()


def test_trim(nvme0, nvme0n1, qpair):
    zeroes, data, ranges = d.Buffer(nvme0, 512), d.Buffer(nvme0, 512), d.Buffer(4096)
    data[:] = b"\x5a" * 512
    nvme0n1.write(qpair, data, 100, 1).waitdone()
    with pytest.warns(UserWarning, match="ERROR status: 02/85"):
        nvme0n1.compare(qpair, zeroes, 100).waitdone()
    ranges.set_dsm_range(0, 96, 8)
    nvme0n1.dsm(qpair, ranges, 1).waitdone()
    nvme0n1.compare(qpair, zeroes, 100).waitdone()
    nvme0n1.write_zeroes(qpair, 100, 4).waitdone()
    nvme0n1.flush(qpair).waitdone()
