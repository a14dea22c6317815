"""Sanitize and Device Self-test through the Python face: progress, events, what is refused."""

import time

import pytest

import nvme as d

SANITIZE_LOG, SELF_TEST_LOG = 0x81, 0x06
IN_PROGRESS, COMPLETED = 2, 1


def log_page(nvme0, lid, size=512):
    buf = d.Buffer(size)
    nvme0.getlogpage(lid, buf, size).waitdone()
    return buf


def wait_sanitized(nvme0):
    """Polls the Sanitize Status log to the end; the progress seen on the way."""
    seen = []
    end = time.monotonic() + 30
    while True:
        log = log_page(nvme0, SANITIZE_LOG)
        status = log.data(3, 2) & 7
        if status != IN_PROGRESS:
            assert status == COMPLETED
            assert log.data(1, 0) == 0xFFFF
            return seen
        seen.append(log.data(1, 0))
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def filled(nvme0, nvme0n1, qpair):
    buf = d.Buffer(8 * 512, ptype=32, pvalue=0x5A5A5A5A)
    nvme0n1.write(qpair, buf, 0, 8).waitdone()
    return buf


@pytest.mark.parametrize("option", [2, 3, 4], ids=["block erase", "overwrite", "crypto erase"])
def test_sanitize_erases(nvme0, nvme0n1, qpair, filled, verify, warned, option):
    nvme0.sanitize(option).waitdone()
    assert log_page(nvme0, SANITIZE_LOG).data(7, 4) == option
    seen = wait_sanitized(nvme0)
    assert seen == sorted(seen)
    assert seen[0] < 0xFFFF
    nvme0n1.read(qpair, filled, 0, 8).waitdone()
    assert filled[:] == bytes(8 * 512)
    # As good as new: written and read with verification.
    nvme0n1.write(qpair, filled, 4, 4).waitdone()
    nvme0n1.read(qpair, filled, 4, 4).waitdone()
    nvme0n1.read(qpair, filled, 0, 8).waitdone()
    assert [w for w in warned() if "AER" not in w] == []


def test_overwrite_leaves_its_pattern(nvme0, nvme0n1, qpair, filled, verify, warned):
    no_deallocate, invert, three_passes = 1 << 9, 1 << 8, 3 << 4
    option = 3 | three_passes | invert | no_deallocate
    nvme0.sanitize(option, pattern=0xDEADBEEF).waitdone()
    wait_sanitized(nvme0)
    assert log_page(nvme0, SANITIZE_LOG).data(3, 2) == 0x101 | 3 << 3
    nvme0n1.read(qpair, filled, 0, 8).waitdone()
    assert filled[:] == bytes.fromhex("efbeadde") * 1024
    assert [w for w in warned() if "AER" not in w] == []


def test_sanitize_event(nvme0, aer, warned):
    events = []
    aer(lambda cdw0, status1: events.append((cdw0, status1 >> 1)))
    nvme0.sanitize().waitdone()
    wait_sanitized(nvme0)
    assert events == [(0x810106, 0)]
    assert warned() == ["AER notification is triggered: 0x810106"]


def test_sanitize_refuses_others(nvme0, nvme0n1, qpair, warned):
    buf = d.Buffer(4096)
    nvme0.sanitize().waitdone()
    nvme0n1.read(qpair, buf, 0).waitdone()
    nvme0n1.write(qpair, buf, 0).waitdone()
    nvme0.format().waitdone()
    nvme0.dst().waitdone()
    nvme0.sanitize().waitdone()
    assert warned() == ["ERROR status: 00/1d"] * 5
    nvme0.identify(buf).waitdone()
    nvme0.getfeatures(7).waitdone()
    assert warned() == []
    wait_sanitized(nvme0)
    warned()
    nvme0n1.read(qpair, buf, 0).waitdone()
    assert warned() == []


def test_sanitize_goes_on_after_reset_and_power_cycle(nvme0, subsystem):
    nvme0.sanitize().waitdone()
    nvme0.reset()
    assert log_page(nvme0, SANITIZE_LOG).data(3, 2) & 7 == IN_PROGRESS
    subsystem.power_cycle(sec=0)
    nvme0.reset()
    assert log_page(nvme0, SANITIZE_LOG).data(3, 2) & 7 == IN_PROGRESS
    wait_sanitized(nvme0)


def test_sanitize_begun_by_another_process_is_finished(system, tmp_path):
    dut = f"sim:capacity=64MiB,latency=0,file={tmp_path / 'media'}"
    begin = """
        import os, sys, nvme as d
        nvme0 = d.Controller(sys.argv[1])
        nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 8)
        nvme0n1.write(qpair, d.Buffer(512, ptype=32, pvalue=0xA5A5A5A5), 7).waitdone()
        nvme0n1.flush(qpair).waitdone()
        nvme0.sanitize(3 | 1 << 4 | 1 << 9, pattern=0x11223344).waitdone()
        os._exit(0)
    """
    assert system.script(begin, dut)[0] == 0
    finish = """
        import sys, time, warnings, nvme as d
        warnings.simplefilter("ignore")
        nvme0, log = d.Controller(sys.argv[1]), d.Buffer(512)
        seen = []
        while not seen or seen[-1] == 2:
            nvme0.getlogpage(0x81, log, 512).waitdone()
            seen.append(log.data(3, 2) & 7)
            time.sleep(0.01)
        nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 8), d.Buffer(512)
        for lba in (0, 7, 100_000):
            nvme0n1.read(qpair, buf, lba).waitdone()
            print(bytes(buf[:4]).hex())
        print(seen[0], seen[-1])
    """
    code, out, err = system.script(finish, dut)
    assert (code, out) == (0, "44332211\n" * 3 + "2 1\n"), err
    # And what it left is still there for the next one.
    code, out, err = system.script(finish, dut)
    assert (code, out) == (0, "44332211\n" * 3 + "1 1\n"), err


def test_error_log_names_the_field(nvme0, nvme0n1, qpair, warned):
    buf = d.Buffer(512)
    nvme0n1.read(qpair, buf, nvme0n1.capacity + 5).waitdone()
    cid = qpair.latest_cid
    log = log_page(nvme0, 1, 64)
    count = log.data(7, 0)
    assert (log.data(9, 8), log.data(11, 10)) == (qpair.sqid, cid)
    assert log.data(13, 12) >> 1 & 0x7FF == 0x80
    assert log.data(15, 14) == 40, "SLBA"
    assert log.data(23, 16) == nvme0n1.capacity + 5
    assert log.data(27, 24) == 1
    nvme0.send_cmd(0x0A, cdw10=0xEE).waitdone()
    log = log_page(nvme0, 1, 64)
    assert log.data(7, 0) == count + 1
    assert (log.data(9, 8), log.data(15, 14)) == (0, 40)
    assert warned() == ["ERROR status: 00/80", "ERROR status: 00/02"]


def test_self_test_results(nvme0, warned):
    nvme0.dst(1).waitdone()
    log = log_page(nvme0, SELF_TEST_LOG, 564)
    assert log[0] == 1
    assert log[1] < 100
    nvme0.dst(2).waitdone()
    assert warned() == ["ERROR status: 01/1d"]
    end = time.monotonic() + 30
    while log[0] != 0:
        assert time.monotonic() < end
        time.sleep(0.01)
        log = log_page(nvme0, SELF_TEST_LOG, 564)
    assert log[4] == 0x10
    assert log.data(19, 16) == 0xFFFFFFFF
    nvme0.dst(2, nsid=1).waitdone()
    nvme0.reset()
    log = log_page(nvme0, SELF_TEST_LOG, 564)
    assert log[0] == 2, "an extended test goes on after a reset"
    nvme0.dst(0xF).waitdone()
    log = log_page(nvme0, SELF_TEST_LOG, 564)
    assert (log[0], log[4], log[32]) == (0, 0x21, 0x10)
    assert warned() == []
