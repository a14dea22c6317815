"""Sanitize and Device Self-test through the Python face: progress, events, what is refused."""

import time

import pytest
from until import until

import nvme as d
from psd import CQE, IOCQ, IOSQ, PRP, SQE

SANITIZE_LOG, SELF_TEST_LOG = 0x81, 0x06
IN_PROGRESS, COMPLETED = 2, 1
LIMIT_S = 60


def log_page(nvme0, lid, size=512):
    buf = d.Buffer(size)
    nvme0.getlogpage(lid, buf, size).waitdone()
    return buf


@pytest.fixture
def slow(connect):
    """A controller that sanitizes and tests itself for minutes: it does so whenever it is asked."""
    return connect(latency=200)


def wait_sanitized(nvme0):
    """Polls the Sanitize Status log to the end; the progress seen on the way."""
    seen = []
    end = time.monotonic() + LIMIT_S
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
    nvme0n1.read(qpair, filled, 0, 8).waitdone()
    assert filled[:] == bytes(8 * 512)
    # As good as new: written and read with verification.
    nvme0n1.write(qpair, filled, 4, 4).waitdone()
    nvme0n1.read(qpair, filled, 4, 4).waitdone()
    nvme0n1.read(qpair, filled, 0, 8).waitdone()
    assert [w for w in warned() if "AER" not in w] == []


def test_sanitize_tells_its_progress(slow):
    slow.sanitize().waitdone()
    first = log_page(slow, SANITIZE_LOG)
    assert first.data(3, 2) & 7 == IN_PROGRESS
    assert first.data(1, 0) < 0xFFFF
    until(lambda: log_page(slow, SANITIZE_LOG).data(1, 0) > first.data(1, 0))


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
    until(lambda: nvme0.getfeatures(7).waitdone() and events)
    assert events == [(0x810106, 0)]
    assert warned() == ["AER notification is triggered: 0x810106"]


def test_sanitize_refuses_others(slow, warned):
    nvme0, nvme0n1, qpair, buf = slow, d.Namespace(slow), d.Qpair(slow, 8), d.Buffer(4096)
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


def test_sanitize_goes_on_after_reset_and_power_cycle(slow):
    slow.sanitize().waitdone()
    slow.reset()
    log = log_page(slow, SANITIZE_LOG)
    assert log.data(3, 2) & 7 == IN_PROGRESS
    d.Subsystem(slow).power_cycle(sec=0)
    slow.reset()
    again = log_page(slow, SANITIZE_LOG)
    assert again.data(3, 2) & 7 == IN_PROGRESS
    assert again.data(1, 0) >= log.data(1, 0), "not from the beginning"


def test_sanitize_ends_after_reset_and_power_cycle(nvme0, subsystem, warned):
    nvme0.sanitize().waitdone()
    nvme0.reset()
    subsystem.power_cycle(sec=0)
    nvme0.reset()
    wait_sanitized(nvme0)


def test_sanitize_begun_by_another_process_is_finished(system, tmp_path):
    begin = """
        import os, sys, nvme as d
        nvme0 = d.Controller(sys.argv[1])
        nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 8)
        nvme0n1.write(qpair, d.Buffer(512, ptype=32, pvalue=0xA5A5A5A5), 7).waitdone()
        nvme0n1.flush(qpair).waitdone()
        nvme0.sanitize(3 | 1 << 4 | 1 << 9, pattern=0x11223344).waitdone()
        os._exit(0)
    """
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
    for attempt in range(5):
        dut = f"sim:capacity=64MiB,latency=0,file={tmp_path / f'media{attempt}'}"
        assert system.script(begin, dut)[0] == 0
        code, out, err = system.script(finish, dut)
        if out.endswith("2 1\n"):
            break  # else the host was too slow to see it in progress
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
    until(lambda: log_page(nvme0, SELF_TEST_LOG, 564)[0] == 0)
    log = log_page(nvme0, SELF_TEST_LOG, 564)
    assert (log[4], log[32]) == (0x10, 0x0F)
    assert log.data(19, 16) == 0xFFFFFFFF
    nvme0.dst(2, nsid=1).waitdone()
    until(lambda: log_page(nvme0, SELF_TEST_LOG, 564)[0] == 0)
    log = log_page(nvme0, SELF_TEST_LOG, 564)
    assert (log[4], log[32]) == (0x20, 0x10)
    assert log.data(19, 16) == 1
    assert warned() == []


def test_self_test_in_progress(slow, warned):
    slow.dst(1).waitdone()
    log = log_page(slow, SELF_TEST_LOG, 564)
    assert log[0] == 1
    assert log[1] < 100
    slow.dst(2).waitdone()
    assert warned() == ["ERROR status: 01/1d"]
    slow.dst(0xF).waitdone()
    slow.dst(2, nsid=1).waitdone()
    slow.reset()
    log = log_page(slow, SELF_TEST_LOG, 564)
    assert log[0] == 2, "an extended test goes on after a reset"
    slow.dst(0xF).waitdone()
    log = log_page(slow, SELF_TEST_LOG, 564)
    assert (log[0], log[4], log[32]) == (0, 0x21, 0x11)
    assert warned() == []


def test_security_protocols(nvme0, warned):
    buf = d.Buffer(512)
    nvme0.security_receive(buf, spsp=0, secp=0).waitdone()
    assert buf[6:10] == bytes([0, 2, 0x00, 0x01]), "protocols 00h and 01h"
    nvme0.security_receive(buf, spsp=1).waitdone()
    assert buf[0:4] == bytes([0, 0, 0, 60]), "Level 0 Discovery of one feature"
    assert buf[48:52] == bytes([0, 1, 0x10, 12]), "the TPer"
    assert warned() == []
    nvme0.security_receive(buf, spsp=1, secp=0xEE).waitdone()
    nvme0.security_send(buf, spsp=1).waitdone()
    assert warned() == ["ERROR status: 00/02"] * 2


def test_identify_directive(nvme0, warned):
    buf = d.Buffer(4096)
    nvme0.send_cmd(0x1A, buf, nsid=1, cdw10=1023, cdw11=1).waitdone()
    assert (buf[0], buf[32]) == (1, 1)
    assert bytes(buf[1:32]) == bytes(31)
    nvme0.send_cmd(0x19, nsid=1, cdw11=1, cdw12=0x0101).waitdone()
    assert warned() == ["ERROR status: 00/02"]


def test_shadow_doorbells(nvme0, nvme0n1, qpair, warned):
    """The first page of the buffer is the shadow doorbells, the second one EventIdx."""
    buffers, buf = d.Buffer(8192), d.Buffer(512)
    nvme0.send_cmd(0x7C, buffers).waitdone()
    # A host that leaves the shadows alone is served as before.
    for lba in range(40):
        nvme0n1.write(qpair, buf, lba).waitdone()
    # The event index asks for the doorbell as soon as the tail moves, which then only repeats what
    # the shadow says.
    cq = IOCQ(nvme0, 9, 8, PRP())
    sq = IOSQ(nvme0, 9, 8, PRP(), cqid=9)
    flush = SQE(0, 1)
    for tail in (1, 2, 3):
        sq[tail - 1] = flush
        assert buffers.data(4096 + 9 * 8 + 3, 4096 + 9 * 8) == tail - 1
        buffers[9 * 8 : 9 * 8 + 4] = tail.to_bytes(4, "little")
        sq.tail = tail
        until(lambda tail=tail: CQE(cq[tail - 1]).p == 1)
        assert CQE(cq[tail - 1]).status == 0
    sq.delete()
    cq.delete()
    assert warned() == []


def keep_alive(nvme0):
    """Lets the host fall silent after 0.5 s; False when it was so for 0.3 s before."""
    last = began = time.monotonic()
    nvme0.setfeatures(0x0F, cdw11=300).waitdone()
    while time.monotonic() < began + 0.5:
        now = time.monotonic()
        status = nvme0[0x1C]
        if status == 1:
            nvme0.send_cmd(0x18).waitdone()
            status = nvme0[0x1C]
        if time.monotonic() - last >= 0.3:
            return False
        assert status == 1
        last = now
        time.sleep(0.01)
    return True


def test_keep_alive_expires(nvme0, warned):
    nvme0.timeout = 1000
    while not keep_alive(nvme0):
        nvme0.reset()
        warned()
    until(lambda: nvme0[0x1C] != 1)
    assert nvme0[0x1C] == 3, "CSTS.CFS"
    nvme0.reset()
    assert nvme0[0x1C] == 1
    assert nvme0.getfeatures(0x0F).waitdone() == 0
    assert warned() == []


ESTABLISH, READ, RELEASE = 1 << 8, 0 << 8, 2 << 8  # LSP of the Persistent Event log


def events_of(nvme0):
    """(type, data) of the Persistent Event log, the newest first."""
    header = log_page(nvme0, 0x0D | ESTABLISH)
    log = log_page(nvme0, 0x0D | READ, header.data(15, 8) + 3 & ~3)
    nvme0.getlogpage(0x0D | RELEASE, header, 512).waitdone()
    found, at = [], 512
    for _ in range(header.data(7, 4)):
        size = log.data(at + 23, at + 22)
        found.append((log[at], bytes(log[at + 24 : at + 24 + size])))
        at += 24 + size
    return found


def test_persistent_events(nvme0, subsystem, warned):
    assert [kind for kind, _ in events_of(nvme0)] == [0x01, 0x04]
    nvme0.format().waitdone()
    nvme0.reset()
    subsystem.power_cycle(sec=0)
    nvme0.reset()
    kinds = [kind for kind, _ in events_of(nvme0)]
    assert kinds[-4:] == [0x08, 0x07, 0x01, 0x04]
    assert kinds.count(0x01) == 2, "a SMART snapshot for each time it got power"
    assert kinds.count(0x04) >= 3
    assert warned() == []
    nvme0.getlogpage(0x0D, d.Buffer(512), 512).waitdone()
    assert warned() == ["ERROR status: 00/0c"], "no reporting context"


def test_persistent_events_outlive_the_process(system, tmp_path):
    dut = f"sim:capacity=64MiB,latency=0,file={tmp_path / 'media'}"
    code = """
        import sys, nvme as d
        nvme0, header = d.Controller(sys.argv[1]), d.Buffer(512)
        nvme0.getlogpage(0x10D, header, 512).waitdone()
        print(header.data(7, 4))
        nvme0.setfeatures(0x0E, buf=d.Buffer(8)).waitdone()
    """
    counts = [int(system.script(code, dut)[1]) for _ in range(3)]
    # Each run adds the power on, its SMART snapshot, and the change of the timestamp.
    assert counts[1] - counts[0] >= 3
    assert counts[2] - counts[1] == counts[1] - counts[0]


def test_telemetry(nvme0, aer, warned):
    create = 1 << 8
    log = log_page(nvme0, 0x07)
    assert log.data(13, 12) == 0, "no capture yet"
    log = log_page(nvme0, 0x07 | create)
    last = [log.data(at + 1, at) for at in (8, 10, 12)]
    assert 0 < last[0] < last[1] < last[2]
    whole = log_page(nvme0, 0x07, (last[2] + 1) * 512)
    assert whole[:512] == log[:512]
    assert whole.data(514, 513) == log_page(nvme0, 2).data(2, 1), "area 1 begins with SMART"
    assert log_page(nvme0, 0x07 | create)[381] == log[381] + 1
    assert warned() == []
    nvme0.getlogpage(0x07, log, 512, offset=4).waitdone()
    assert warned() == ["ERROR status: 00/02"]


def test_controller_telemetry_after_a_failure(nvme0):
    events = []
    nvme0.aer(cb=lambda cdw0, status1: events.append(cdw0))
    nvme0.setfeatures(0x0F, cdw11=100).waitdone()
    until(lambda: nvme0[0x1C] != 1)
    nvme0.reset()
    log = log_page(nvme0, 0x08 | 1 << 15)
    assert (log[382], log[383]) == (1, 1)
    assert bytes(log[384:408]) == b"Keep Alive Timer expired"


def test_management_interface(nvme0, warned):
    buf = d.Buffer(4096)
    assert nvme0.mi_receive(0, 0, 0, buf).waitdone() == 32 << 8, "success, 32 bytes"
    assert (buf[0], buf[1], buf[2]) == (0, 1, 2), "one port, NVMe-MI 1.2"
    assert nvme0.mi_receive(1, buf=buf).waitdone() == 0
    assert buf[0] == 0x38
    assert buf[2] == log_page(nvme0, 2).data(2, 1) - 273, "degrees Celsius"
    assert nvme0.mi_receive(2, 1 << 31, buf=buf).waitdone() == 1 << 24, "one controller"
    assert nvme0.mi_send(3, 3, 96).waitdone() == 0
    assert nvme0.mi_receive(4, 3).waitdone() == 96 << 8, "MCTP transmission unit"
    buf[:4] = b"mine"
    assert nvme0.mi_send(6, 200, 4, buf).waitdone() == 0
    assert nvme0.mi_receive(5, 198, 8, buf).waitdone() == 0
    assert buf[:8] == b"\0\0mine\0\0"
    assert nvme0.mi_receive(7).waitdone() == 3, "Reset is not for this way"
    assert warned() == []
    nvme0.mi_send(0, mtype=2).waitdone()
    assert warned() == ["ERROR status: 00/02"]


def test_what_a_file_keeps(system, tmp_path):
    """Saved features, firmware, error count, self-test results and VPD outlive the process."""
    dut = f"sim:capacity=64MiB,file={tmp_path / 'media'}"
    first = """
        import os, sys, time, warnings, nvme as d
        warnings.simplefilter("ignore")
        nvme0, buf = d.Controller(sys.argv[1]), d.Buffer(4096)
        nvme0.setfeatures(0x04, sv=1, cdw11=345).waitdone()      # temperature threshold
        nvme0.setfeatures(0x08, sv=1, cdw11=0x0703).waitdone()   # interrupt coalescing
        nvme0.setfeatures(0x01, cdw11=0x01020303).waitdone()     # arbitration, not saved
        nvme0.send_cmd(0x09, nsid=1, cdw10=0x84, cdw11=1).waitdone()  # write protection
        buf[:8] = b"2.0     "
        nvme0.fw_download(buf, 0).waitdone()
        nvme0.fw_commit(2, 1).waitdone()                          # active after a reset
        nvme0.send_cmd(0xFF).waitdone()                           # an error
        nvme0.dst(1).waitdone()
        nvme0.dst(15).waitdone()
        buf[:4] = b"mine"
        nvme0.mi_send(6, 200, 4, buf).waitdone()
        os._exit(0)
    """
    # So slow that the self-test is not over before it is aborted.
    assert system.script(first, f"{dut},latency=200")[0] == 0
    second = """
        import sys, warnings, nvme as d
        nvme0, buf = d.Controller(sys.argv[1]), d.Buffer(4096)
        for fid in (0x04, 0x08, 0x01):
            print(nvme0.getfeatures(fid).waitdone())
        nvme0.send_cmd(0x0A, nsid=1, cdw10=0x84, cb=lambda cdw0, _: print(cdw0)).waitdone()
        print(nvme0.id_data(71, 64, str).strip())
        nvme0.getlogpage(3, buf, 512).waitdone()
        print(buf[0], bytes(buf[8:16]), bytes(buf[16:24]))
        nvme0.getlogpage(2, buf, 512).waitdone()
        print(buf.data(183, 176))
        nvme0.getlogpage(6, buf, 564).waitdone()
        print(hex(buf[4]))
        nvme0.mi_receive(5, 200, 4, buf).waitdone()
        print(bytes(buf[:4]))
    """
    code, out, err = system.script(second, f"{dut},latency=0")
    kept = ["345", "1795", "2", "1", "2.0", "2 b'1.0     ' b'2.0     '", "1", "0x11", "b'mine'"]
    assert (code, out.splitlines()) == (0, kept), err
