"""Ssd.fault(): completions that are wrong or missing, and what the driver makes of them.

Every case ends in bounded time, says which queue and which command it was, and leaves a controller
that a reset brings back.
"""

import logging
import time

import pytest

import nvme as d

TIMEOUT_MS = 200


@pytest.fixture
def ssd():
    device = d.Ssd(capacity="64MiB", latency=0)
    yield device
    device.unplug()


@pytest.fixture
def nvme0(ssd):
    nvme0 = d.Controller(ssd)
    nvme0.timeout = TIMEOUT_MS
    yield nvme0
    ssd.clear_faults()
    nvme0.close()


@pytest.fixture
def n1(nvme0):
    return d.Namespace(nvme0)


@pytest.fixture
def qpair(nvme0):
    return d.Qpair(nvme0, 16)


@pytest.fixture
def logged(caplog):
    caplog.set_level(logging.WARNING, "nvme")

    def texts():
        return [record.getMessage() for record in caplog.records if record.name == "nvme"]

    return texts


def read(n1, qpair):
    """The status word of a read, its phase bit masked out."""
    statuses = []
    n1.read(qpair, d.Buffer(512), 0, cb=lambda cdw0, status1: statuses.append(status1))
    qpair.waitdone()
    return statuses[0] & 0xFFFE


def assert_reset_mends(nvme0, n1):
    nvme0.reset()
    assert read(n1, d.Qpair(nvme0, 16)) == 0


def test_a_delay_is_latency(ssd, nvme0, n1, qpair):
    nvme0.timeout = 10_000
    fault = ssd.fault("read,count=1", "delay:us=20000")
    assert read(n1, qpair) == 0
    assert qpair.latest_latency >= 20_000
    assert fault.commands[0].cid == qpair.latest_cid


def test_a_lost_completion_is_a_timeout(ssd, nvme0, n1, qpair, warned):
    fault = ssd.fault("read,count=1", "swallow")
    assert read(n1, qpair) == 0xFFFE
    hit = fault.commands[0]
    assert warned() == [f"drive timeout: qpair: {hit.qid}, cid: {hit.cid}", "ERROR status: 07/ff"]
    assert read(n1, qpair) == 0
    assert_reset_mends(nvme0, n1)


def test_a_lost_admin_completion_is_a_timeout(ssd, nvme0, warned):
    with ssd.fault("get_features,count=1", "swallow"):
        assert nvme0.getfeatures(7).waitdone() == 0xFFFFFFFF
    assert warned()[0].startswith("drive timeout: qpair: 0, cid: ")
    assert nvme0.getfeatures(7).waitdone() == 0xF000F


def test_a_repeated_completion_is_refused(ssd, n1, qpair, logged):
    ssd.fault("read,count=1", "duplicate:times=3")
    assert read(n1, qpair) == 0
    cid = qpair.latest_cid
    # The slot is free again, but not used again while the repetitions arrive.
    assert read(n1, qpair) == 0
    refused = [text for text in logged() if "completion queue 1" in text]
    assert len(refused) == 3
    for text in refused:
        assert "completes a CID that is not outstanding (a second time?)" in text
        assert f"sqid 1, cid {cid}," in text


@pytest.mark.parametrize(
    ("action", "text"),
    [
        ("mistag", "completes a CID that was never sent: sqid 1, cid 32768"),
        (
            "mistag:cid=14",
            "completes a CID that is not outstanding (a second time?): sqid 1, cid 14",
        ),
        ("mistag:cid=65535", "completes a CID that was never sent: sqid 1, cid 65535"),
        ("mistag:sqid=7", "names another submission queue: sqid 7, cid 0"),
        ("stale_completion", "names another submission queue: sqid 0, cid 0"),
    ],
)
def test_a_completion_of_nothing_is_refused(ssd, nvme0, n1, qpair, logged, warned, action, text):
    ssd.fault("read,count=1", action)
    assert read(n1, qpair) == 0xFFFE
    assert warned()[0] == "drive timeout: qpair: 1, cid: 0"
    assert any(f"completion queue 1: an entry {text}" in one for one in logged()), logged()
    assert_reset_mends(nvme0, n1)


def test_a_completion_of_another_command(ssd, nvme0, n1, qpair, logged, warned):
    ssd.fault("read,nth=1", "mistag:cid=1")
    buf = d.Buffer(512)
    qpairs = [n1.read(qpair, buf, lba) for lba in range(3)]
    qpairs[0].waitdone(3)
    # Command 1 seems to be over twice, and command 0 never is.
    assert [text for text in warned() if "timeout" in text] == ["drive timeout: qpair: 1, cid: 0"]
    assert any("sqid 1, cid 1," in text for text in logged())
    assert_reset_mends(nvme0, n1)


def test_an_impossible_sq_head_is_reported(ssd, n1, qpair, logged):
    ssd.fault("read,count=1", "mistag:sqhd=5000")
    assert read(n1, qpair) == 0
    (text,) = [text for text in logged() if "SQ head pointer outside the queue" in text]
    assert "completion queue 1" in text
    assert "sqhd 5000" in text


@pytest.mark.parametrize(
    ("action", "status", "warning"),
    [
        ("status", 0x000C, "ERROR status: 00/06"),
        ("status:sct=2,sc=0x81,more=1,dnr=1", 0xC502, "ERROR status: 02/81"),
        ("status:sct=7,sc=255", 0x0FFE, "ERROR status: 07/ff"),
        ("status:sct=2,sc=0x81,execute=0", 0x4502, "ERROR status: 02/81"),
    ],
)
def test_a_wrong_status(ssd, n1, qpair, warned, action, status, warning):
    ssd.fault("read,count=1", action)
    assert read(n1, qpair) == status
    assert [text[:19] for text in warned()] == [warning]
    assert read(n1, qpair) == 0


def test_a_refused_command_is_in_the_error_log(ssd, nvme0, n1, qpair):
    ssd.fault("read,count=1", "status:sct=2,sc=0x81,execute=0")
    with pytest.warns(UserWarning, match="02/81"):
        read(n1, qpair)
    buf = d.Buffer(64)
    nvme0.getlogpage(1, buf, 64).waitdone()
    assert buf.data(9, 8) == qpair.sqid
    assert buf.data(13, 12) >> 1 & 0x7FF == 0x281


def test_a_phase_that_is_not_toggled(ssd, nvme0, n1, qpair, logged, warned):
    ssd.fault("read,count=1", "phase")
    buf = d.Buffer(512)
    for lba in range(3):
        n1.read(qpair, buf, lba)
    qpair.waitdone(3)
    assert [text for text in warned() if "timeout" in text] == [
        f"drive timeout: qpair: 1, cid: {cid}" for cid in range(3)
    ]
    # Said again where they do not time out together.
    (text,) = {text for text in logged() if "phase" in text}
    assert text.startswith("completion queue 1: entry 0 is not new, and entry 1 behind it is")
    assert_reset_mends(nvme0, n1)


def test_a_fatal_controller(ssd, nvme0, n1, qpair):
    ssd.fault("read,count=1", "fatal")
    n1.read(qpair, d.Buffer(512), 0)
    with pytest.raises(SystemError, match=r"CSTS\.CFS"):
        qpair.waitdone()
    assert nvme0[0x1C] & 2 == 2
    assert_reset_mends(nvme0, n1)


def test_a_device_that_vanishes(ssd, nvme0, n1, qpair):
    fault = ssd.fault("read,count=1", "vanish")
    n1.read(qpair, d.Buffer(512), 0)
    with pytest.raises(SystemError, match="gone"):
        qpair.waitdone()
    with pytest.raises(SystemError, match="gone"):
        nvme0[0]
    fault.clear()
    assert_reset_mends(nvme0, n1)


def test_data_in_another_buffer(ssd, n1, qpair):
    right, wrong = d.Buffer(512), d.Buffer(512)
    n1.write(qpair, d.Buffer(512, ptype=32, pvalue=0x5A5A5A5A), 0).waitdone()
    ssd.fault("read,count=1", {"kind": "dma", "address": wrong.phys_addr})
    n1.read(qpair, right, 0).waitdone()
    assert right[100] == 0
    assert wrong[100] == 0x5A


def test_a_sanitize_operation_that_fails(ssd, nvme0, n1, qpair):
    fault = ssd.fault(action="fail_sanitize")
    buf = d.Buffer(512)
    nvme0.sanitize().waitdone()
    assert fault.fired == 1
    deadline = time.monotonic() + 30
    while True:
        nvme0.getlogpage(0x81, buf, 20).waitdone()
        if buf.data(3, 2) & 7 != 2:
            break
        assert time.monotonic() < deadline
    assert buf.data(3, 2) & 7 == 3
    with pytest.warns(UserWarning, match="ERROR status: 00/1c"):
        read(n1, qpair)


@pytest.mark.parametrize(
    ("action", "error", "detail"),
    [
        ("swallow", -3, "was not completed within 200 ms"),
        ("mistag", -3, "was not completed within 200 ms"),
        ("mistag:sqid=9", -3, "was not completed within 200 ms"),
        ("phase", -3, "was not completed within 200 ms"),
        ("stale_completion", -3, "was not completed within 200 ms"),
        ("fatal", -3, "CSTS.CFS"),
        ("vanish", -3, "gone"),
        ("status:sct=2,sc=0x81", -6, "status 02/81"),
        ("duplicate:times=5", 0, ""),
        ("mistag:sqhd=9999", 0, ""),
        ("delay:us=5000", 0, ""),
    ],
)
def test_ioworkers_end(ssd, nvme0, n1, action, error, detail, logged, warned):
    if error != -3:
        nvme0.timeout = 10_000  # nothing is to time out
    fault = ssd.fault("read,nth=3000", action)
    worker = n1.ioworker(region_end=8000, io_count=10_000, qdepth=16)
    result = worker.start().close()
    assert fault.fired == 1
    assert result.error == error
    assert detail in result.detail
    if action.startswith("duplicate"):
        # It may be taken for the next command's, whose own is then the one too many.
        assert any("a second time?" in text for text in logged())
    fault.clear()
    assert_reset_mends(nvme0, n1)
