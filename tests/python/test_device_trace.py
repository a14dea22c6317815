"""The trace of an embedded SSD: its side of every command, and both sides together."""

import io
import json
import re

import pytest

import nvme as d
import psd


@pytest.fixture
def ssd():
    return d.Ssd(capacity="1GiB", latency=0, trace=10000)


def since(ssd, sequence, *names):
    events = [event for event in ssd.trace() if event.sequence > sequence]
    return [e for e in events if e.event in names] if names else events


def exported(nvme0, count=0):
    out = io.StringIO()
    assert d.cmdlog_export(nvme0, out, count, device=True) == out.getvalue().count("\n")
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_write_from_an_offset_shows_the_pieces_of_its_prps(ssd):
    nvme0 = d.Controller(ssd)
    nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 4), d.Buffer(3 * 4096)
    buf.offset = 0x204
    before = ssd.trace(1)[0].sequence
    nvme0n1.write(qpair, buf, lba=8, lba_count=8).waitdone()
    page = buf.phys_addr & ~0xFFF
    tail, fetched, first, second, posted, _, head = since(ssd, before)
    assert (tail.event, tail.queue, tail.value) == ("tail doorbell", qpair.sqid, 1)
    assert (fetched.event, fetched.queue, fetched.index) == ("fetched", qpair.sqid, 0)
    assert (fetched.command, fetched.fields["slba"], fetched.fields["nlb"]) == ("Write", 8, 8)
    assert fetched.cdws[0] == 1 | fetched.cid << 16
    assert (fetched.prp1, fetched.prp2) == (page + 0x204, page + 4096)
    for data, address, length in (
        (first, page + 0x204, 4096 - 0x204),
        (second, page + 4096, 0x204),
    ):
        assert (data.event, data.direction) == ("data", "from host")
        assert (data.address, data.length) == (address, length)
        assert (data.queue, data.cid) == (qpair.sqid, fetched.cid)
    assert (posted.event, posted.queue, posted.index) == ("posted", qpair.sqid, 0)
    assert (posted.cid, posted.status, posted.cdw0) == (fetched.cid, "00/00", 0)
    assert posted.cpl[3] >> 16 & 1 == 1
    assert (head.event, head.value) == ("head doorbell", 1)
    nvme0.close()


def test_the_start_of_a_controller_is_there(ssd):
    nvme0 = d.Controller(ssd)
    enabled = [e for e in since(ssd, 0, "register") if e.register == "CC" and e.value & 1]
    assert enabled[0].offset == 0x14
    identify = [e for e in since(ssd, 0, "fetched") if e.command == "Identify"]
    data = since(ssd, identify[0].sequence, "data")[0]
    assert (data.queue, data.cid) == (0, identify[0].cid)
    assert (data.length, data.direction, data.address) == (4096, "to host", identify[0].prp1)
    nvme0.close()


def test_the_ring_keeps_the_newest():
    ssd = d.Ssd(capacity="1GiB", latency=0, trace=8)
    nvme0 = d.Controller(ssd)
    for _ in range(20):
        nvme0.getfeatures(7).waitdone()
    events = ssd.trace()
    assert len(events) == 8
    assert [e.sequence for e in events] == list(range(events[0].sequence, events[0].sequence + 8))
    assert events[0].sequence > 80
    assert ssd.trace(3) == events[-3:]
    assert ssd.trace(1000) == events
    nvme0.close()


def test_a_late_completion_has_other_times_on_both_sides():
    ssd = d.Ssd(capacity="1GiB", latency=100, trace=1000)
    nvme0 = d.Controller(ssd)
    nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(4096)
    before = ssd.trace(1)[0].sequence
    nvme0n1.read(qpair, buf, 0, 8).waitdone()
    fetched, data, posted = since(ssd, before, "fetched", "data", "posted")
    # A read of this drive takes more than 10 us, times 100; its data move when it is due.
    assert posted.time_us - fetched.time_us > 1000
    assert data.time_us - fetched.time_us > 1000
    assert data.direction == "to host"
    rows = [row for row in exported(nvme0) if row["source"] == "host"]
    sent, completed = [row for row in rows if row["queue"] == qpair.sqid]
    assert (sent["event"], completed["event"]) == ("sent", "completed")
    assert sent["time_us"] <= fetched.time_us
    assert posted.time_us <= completed["time_us"]
    assert completed["latency_us"] == pytest.approx(completed["time_us"] - sent["time_us"])
    nvme0.close()


def test_queues_made_by_hand_are_traced(ssd):
    nvme0 = d.Controller(ssd)
    cq = psd.IOCQ(nvme0, 4, 5, psd.PRP())
    sq = psd.IOSQ(nvme0, 7, 5, psd.PRP(), cqid=4)
    before = ssd.trace(1)[0].sequence
    sqe = psd.SQE(0, 1)  # Flush
    sqe.cid = 0x123
    sq[0] = sqe
    sq.tail = 1
    assert psd.CQE(cq[0]).p == 1
    cq.head = 1
    tail, fetched, posted, head = since(
        ssd, before, "tail doorbell", "fetched", "posted", "head doorbell"
    )
    assert (tail.queue, tail.value) == (7, 1)
    assert (fetched.queue, fetched.cid, fetched.command) == (7, 0x123, "Flush")
    assert (posted.queue, posted.index, posted.cid) == (4, 0, 0x123)
    assert (head.queue, head.value) == (4, 1)
    sq.delete()
    cq.delete()
    nvme0.close()


def test_both_sides_in_one_view(ssd, capsys):
    nvme0 = d.Controller(ssd)
    nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(4096)
    nvme0n1.write(qpair, buf, 0x123, 8).waitdone()
    text = d.cmdlog_merged(nvme0, 8, device=True)
    assert capsys.readouterr().out == text + "\n"
    title, *lines = text.splitlines()
    assert title == f"cmdlog of {nvme0.addr}, host and device"
    assert all(re.match(r"\d\d:\d\d:\d\d\.\d{6} (host  |device) ", line) for line in lines)
    sent, tail, fetched, data, posted = lines[:5]
    assert f"host   sent: Write (01h) sqid:{qpair.sqid}" in sent
    assert f"device SQ{qpair.sqid} tail doorbell = 1" in tail
    assert f"device SQ{qpair.sqid}[0] fetched: Write (01h)" in fetched
    assert f"device data from host: {buf.phys_addr:#x} length:4096 sqid:{qpair.sqid}" in data
    assert f"device CQ{qpair.sqid}[0] posted: Successful Completion (00/00)" in posted
    assert sum("host   completed: Successful Completion" in line for line in lines[5:]) == 1
    nvme0.close()


def test_export_of_both_sides(ssd):
    nvme0 = d.Controller(ssd)
    nvme0n1 = d.Namespace(nvme0)
    nvme0n1.ioworker(io_size=8, io_count=50, qdepth=4, read_percentage=50).start().close()
    rows = exported(nvme0)
    assert all(row.keys() >= {"source", "event", "time_us"} for row in rows)
    assert not any("text" in row for row in rows)
    assert [row["time_us"] for row in rows] == sorted(row["time_us"] for row in rows)
    assert {row["source"] for row in rows} == {"host", "device"}

    def entries(event, key):
        return sorted(r[key] for r in rows if r["event"] == event and r["queue"] != 0)

    assert len(entries("fetched", "cdws")) == 50
    assert entries("sent", "cdws") == entries("fetched", "cdws")
    assert entries("completed", "cpl") == entries("posted", "cpl")
    assert len(exported(nvme0, 5)) == 5
    with pytest.raises(d.ArgumentError, match="has to be a Controller"):
        d.cmdlog_export(d.Qpair(nvme0, 4), io.StringIO(), device=True)
    nvme0.close()


def test_without_a_trace_the_error_says_how_to_get_one():
    ssd = d.Ssd(capacity="1GiB", latency=0)
    nvme0 = d.Controller(ssd)
    for call in (ssd.trace, lambda: d.cmdlog_merged(nvme0, device=True)):
        with pytest.raises(d.ArgumentError, match=r"keeps no trace: .*nvme\.Ssd\(trace=4096\)"):
            call()
    nvme0.close()


def test_a_wrong_count_is_said(ssd):
    nvme0 = d.Controller(ssd)
    for call in (lambda: ssd.trace(-1), lambda: d.cmdlog_merged(nvme0, -1, device=True)):
        with pytest.raises(d.ArgumentError, match="count"):
            call()
    nvme0.close()


def test_a_drive_that_was_pulled_out_still_tells(ssd):
    nvme0 = d.Controller(ssd)
    ssd.unplug()
    assert since(ssd, 0, "function reset")[-1].sequence == ssd.trace(1)[0].sequence
    nvme0.close()
