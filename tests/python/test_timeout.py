"""Commands that the device does not complete in time, and those that come back after all. The drive
is a thousand times slower than it should be: what waits for a die behind other reads takes far
longer than the timeout, however slow the machine is. A machine that stands still until all has come
back gets another try."""

import re
import time

import numpy as np
import pytest

import nvme as d

AHEAD = 12  # reads of the same die in front of the one that matters, some 70 ms each
SHORT_MS = 5
TRIES = 10


@pytest.fixture
def slow():
    nvme0 = d.Controller(d.Ssd(capacity="1GiB", latency=1000))
    yield nvme0
    nvme0.close()


def timed_out(warned):
    """What has timed out since this was asked last, as (qid, cid)."""
    texts = [text for text in warned() if text.startswith("drive timeout: ")]
    return [tuple(map(int, re.findall(r"\d+", text))) for text in texts]


def wait_for_late_completions(nvme0, qpair):
    """A read of the same die comes back behind all that were sent before it."""
    d.Namespace(nvme0).read(qpair, d.Buffer(4096), 0, 8).waitdone()


@pytest.fixture
def abandoned(slow, warned):
    """abandoned(buf): a read into buf that has timed out; its qpair, (cdw0, status1), and the CIDs
    of all that timed out."""

    def make(buf):
        nvme0n1, other, held = d.Namespace(slow), d.Buffer(4096), buf[:]
        for _ in range(TRIES):
            buf[:] = held
            qpair = d.Qpair(slow, 16)
            slow.timeout = SHORT_MS
            for _ in range(AHEAD):
                nvme0n1.read(qpair, other, 0, 8)
            got = []
            nvme0n1.read(qpair, buf, 0, 8, cb=lambda *both, got=got: got.append(both))
            cid = qpair.latest_cid
            last = qpair.waitdone(AHEAD + 1)
            slow.timeout = 10_000
            late = timed_out(warned)
            if (qpair.sqid, cid) in late:
                assert last == 0xFFFFFFFF
                return qpair, got[0], {cid for _, cid in late}
            qpair.delete()
        pytest.fail("the read does not time out")

    return make


def test_warning_and_all_ones(slow, abandoned):
    qpair, (cdw0, status1), _ = abandoned(d.Buffer(4096))
    assert (cdw0, status1) == (0xFFFFFFFF, 0xFFFF)
    with pytest.raises(TimeoutError):  # it is over for the script
        qpair.waitdone()


def test_admin_command(slow, warned):
    for _ in range(TRIES):
        cpl = []
        slow.timeout = 1
        for _ in range(40):
            slow.getfeatures(7)
        slow.getfeatures(7, cb=cpl.append)
        cid = slow.latest_cid
        last = slow.waitdone(41)
        slow.timeout = 10_000
        if (0, cid) in timed_out(warned):
            break
    assert last == 0xFFFFFFFF
    assert cpl[0] == (0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
    assert slow.getfeatures(7).waitdone() == 0x000F000F


def test_a_late_completion_does_not_write_into_the_buffer(slow, abandoned):
    written, qpair = d.Buffer(4096, ptype=32, pvalue=0x11111111), d.Qpair(slow, 16)
    d.Namespace(slow).write(qpair, written, 0, 8).waitdone()
    d.Namespace(slow).flush(qpair).waitdone()
    buf = d.Buffer(4096, ptype=32, pvalue=0xA5A5A5A5)
    held = buf[:]
    address = buf.phys_addr
    view = np.frombuffer(buf, dtype=np.uint8)
    qpair, *_ = abandoned(buf)
    assert buf.phys_addr != address  # the device keeps the old pages
    assert buf[:] == held
    buf[0] = 1
    fresh = d.Buffer(4096, ptype=32, pvalue=0x77777777)  # nor into what took its place
    wait_for_late_completions(slow, qpair)
    assert buf[:] == b"\x01" + held[1:]
    assert fresh[:] == b"\x77" * 4096
    assert len(view) == 4096  # what looks at the memory itself still may
    assert (buf.name, len(buf), buf.offset) == ("buffer", 4096, 0)
    # And the buffer is as good as any.
    d.Namespace(slow).read(qpair, buf, 0, 8).waitdone()
    assert buf[8:504] == written[8:504]
    del view


def test_a_late_completion_is_not_a_new_commands(slow, abandoned, warned):
    """Its slot stays taken, so that no new command has its CID."""
    qpair, _, late = abandoned(d.Buffer(4096))
    nvme0n1, buf, seen = d.Namespace(slow), d.Buffer(4096), []
    for lba in (1 << 10, 1 << 11):
        nvme0n1.read(qpair, buf, lba, 1, cb=lambda cdw0, status1: seen.append(status1 >> 1))
        assert qpair.latest_cid not in late  # none of those that are still out
    qpair.waitdone(2)
    assert seen == [0, 0]
    assert warned() == []
    wait_for_late_completions(slow, qpair)
    assert seen == [0, 0]
    assert warned() == []


def test_a_buffer_that_another_command_uses_too(slow, warned):
    """It stays where it is until that one is over."""
    nvme0n1, buf = d.Namespace(slow), d.Buffer(4096)
    address = buf.phys_addr
    for _ in range(TRIES):
        first, second = d.Qpair(slow, 16), d.Qpair(slow, 16)
        slow.timeout = SHORT_MS
        for _ in range(AHEAD):
            nvme0n1.read(first, d.Buffer(4096), 0, 8)
        nvme0n1.read(first, buf, 0, 8)
        cid = first.latest_cid
        time.sleep(2 * SHORT_MS / 1000)
        nvme0n1.read(second, buf, 1 << 10, 8)
        first.waitdone(AHEAD + 1)
        slow.timeout = 10_000
        late = timed_out(warned)
        assert {qid for qid, _ in late} <= {first.sqid}
        assert buf.phys_addr == address
        second.waitdone()
        if (first.sqid, cid) in late:
            break
        first.delete()
        second.delete()
    assert buf.phys_addr != address


def test_reset_after_a_timeout(slow, abandoned, warned):
    buf = d.Buffer(4096)
    abandoned(buf)
    slow.reset()
    assert warned() == []
    nvme0n1, qpair = d.Namespace(slow), d.Qpair(slow, 16)
    assert qpair.sqid == 1
    for lba in range(15):
        nvme0n1.read(qpair, buf, lba << 10, 8)
    qpair.waitdone(15)
    assert slow.getfeatures(7).waitdone() == 0x000F000F
    assert warned() == []


def test_the_object_may_go_before_the_late_completion(slow, abandoned):
    buf = d.Buffer(4096)
    qpair, *_ = abandoned(buf)
    del buf
    others = [d.Buffer(4096, ptype=32, pvalue=0x5A5A5A5A) for _ in range(64)]
    wait_for_late_completions(slow, qpair)
    assert all(other[:] == b"\x5a" * 4096 for other in others)


def test_a_deletion_that_timed_out_keeps_no_queue_from_the_next(slow, warned):
    """The identifier is not known to be free; it is asked for again when the others are in use."""
    qpairs = [d.Qpair(slow, 4) for _ in range(16)]
    for _ in range(TRIES):
        slow.timeout = 1
        for _ in range(30):
            slow.getfeatures(7)  # the deletion waits behind them
        failure = None
        try:
            qpairs[15].delete()
        except d.QpairDeletionError as error:
            failure = str(error)
        slow.timeout = 10_000
        slow.waitdone(30)
        if failure is not None:
            break
        qpairs[15] = d.Qpair(slow, 4)
    assert re.search(r"IO queue 16: .* did not complete within 1 ms", failure)
    again = d.Qpair(slow, 4)
    assert again.sqid == 16
    assert d.Namespace(slow).read(again, d.Buffer(512), 0).waitdone() == 0
    with pytest.raises(d.QpairCreationError, match="all 16 IO queue pairs"):
        d.Qpair(slow, 4)


def test_a_creation_that_timed_out_keeps_no_queue_from_the_next(slow, warned):
    qpairs = [d.Qpair(slow, 4) for _ in range(15)]
    for _ in range(TRIES):
        slow.timeout = 1
        for _ in range(30):
            slow.getfeatures(7)
        made = failure = None
        try:
            made = d.Qpair(slow, 4)
        except TimeoutError as error:
            failure = str(error)
        slow.timeout = 10_000
        slow.waitdone(30)
        if made is None:
            break
        made.delete()
    assert "Create" in failure
    last = d.Qpair(slow, 4)
    assert last.sqid == 16
    assert d.Namespace(slow).read(last, d.Buffer(512), 0).waitdone() == 0
    assert len(qpairs) == 15
