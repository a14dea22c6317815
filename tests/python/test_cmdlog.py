"""Command logs: what they hold, merged views, JSON lines."""

import io
import json
import re

import pytest

import nvme as d
from nvme import cmdlog

KEYS = {
    "queue", "cid", "opcode", "command", "nsid", "fields", "prp1", "prp2", "mptr", "cdws",
    "sent_us", "completed_us", "latency_us", "state", "status", "status_text", "dnr", "cdw0",
    "sqhd", "cpl",
}  # fmt: skip


def exported(source, count=0):
    out = io.StringIO()
    n = d.cmdlog_export(source, out, count)
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    assert len(rows) == n
    return rows


def test_a_line_has_time_fields_status_and_latency(nvme0n1, qpair, capsys):
    buf = d.Buffer(4096)
    nvme0n1.write(qpair, buf, 0x123, 8, 1 << 14).waitdone()
    line = qpair.cmdlog(1).splitlines()[1]
    assert re.fullmatch(
        rf"\d\d:\d\d:\d\d\.\d{{6}} Write \(01h\) sqid:1 cid:\d+ nsid:1 slba:0x123 nlb:8 fua:1 "
        rf"prp1:{buf.phys_addr:#x} -> Successful Completion \(00/00\) sqid:1 cid:\d+ cdw0:0x0 "
        rf"sqhd:1 p:1 m:0 dnr:0 \(\d+\.\d{{3}} us\)",
        line,
    )
    assert capsys.readouterr().out.splitlines()[-1] == line


def test_merged_has_all_queues_in_the_order_of_time(nvme0, nvme0n1, qpair):
    second = d.Qpair(nvme0, 8)
    buf = d.Buffer(4096)
    for i in range(3):
        nvme0n1.read(qpair, buf, i, 1).waitdone()
        nvme0n1.read(second, buf, 0x10 + i, 1).waitdone()
        nvme0.getfeatures(7).waitdone()
    lines = d.cmdlog_merged(nvme0, 9).splitlines()
    assert len(lines) == 10
    assert lines[0] == f"cmdlog of all queues of {nvme0.addr}"
    assert [int(re.search(r"sqid:(\d+)", line)[1]) for line in lines[1:]] == [
        qpair.sqid, second.sqid, 0
    ] * 3  # fmt: skip
    sent = [row["sent_us"] for row in exported(nvme0, 9)]
    assert sent == sorted(sent)


def test_queues_of_ioworkers_and_deleted_ones_stay(nvme0, nvme0n1):
    with nvme0n1.ioworker(io_size=8, io_count=5, read_percentage=0), \
         nvme0n1.ioworker(io_size=16, io_count=6, read_percentage=100):  # fmt: skip
        pass
    rows = exported(nvme0)
    assert sum(row["command"] == "Write" and row["fields"]["nlb"] == 8 for row in rows) == 5
    assert sum(row["command"] == "Read" and row["fields"]["nlb"] == 16 for row in rows) == 6
    nvme0.reset()
    assert sum(row["queue"] != 0 for row in exported(nvme0)) == 11


def test_json_lines(nvme0, nvme0n1, qpair, tmp_path):
    buf = d.Buffer(8192)
    nvme0n1.read(qpair, buf, 0x1_0000_0000 % nvme0n1.capacity, 16).waitdone()
    with pytest.warns(UserWarning, match="ERROR status: 00/80"):
        nvme0n1.read(qpair, buf, nvme0n1.capacity, 1).waitdone()
    path = tmp_path / "log.jsonl"
    assert d.cmdlog_export(qpair, path) == 2
    good, bad = (json.loads(line) for line in path.read_text().splitlines())
    assert set(good) == set(bad) == KEYS
    assert good["queue"] == qpair.sqid
    assert (good["opcode"], good["command"], good["nsid"]) == (2, "Read", 1)
    assert good["fields"]["nlb"] == 16
    assert (good["prp1"], good["prp2"]) == (buf.phys_addr, buf.phys_addr + 4096)
    assert len(good["cdws"]) == 16
    assert good["cdws"][0] == 2 | good["cid"] << 16
    assert good["cdws"][12] == 15
    assert good["state"] == "completed"
    assert 0 < good["sent_us"] < good["completed_us"] <= bad["sent_us"]
    assert good["latency_us"] == pytest.approx(good["completed_us"] - good["sent_us"], abs=0.002)
    assert (good["status"], good["status_text"]) == ("00/00", "Successful Completion")
    assert (bad["status"], bad["status_text"], bad["dnr"]) == ("00/80", "LBA Out of Range", True)
    assert bad["fields"]["slba"] == nvme0n1.capacity
    assert bad["sqhd"] == 2
    assert exported(qpair, 1) == [bad]


def test_outstanding_commands_have_no_completion(nvme0):
    waiting = [row for row in exported(nvme0) if row["command"] == "Asynchronous Event Request"]
    assert waiting
    for row in waiting:
        assert row["state"] == "outstanding"
        assert row["sent_us"] is not None
        assert row["completed_us"] is row["latency_us"] is row["status"] is row["cpl"] is None


def test_the_schema_in_the_help_is_the_schema():
    told = set(re.findall(r"\b[a-z_0-9]+\b", cmdlog.__doc__))
    assert told >= KEYS


def test_what_has_no_log_is_said():
    with pytest.raises(AssertionError, match="neither a Controller nor a Qpair"):
        d.cmdlog_export(d.Buffer(512), io.StringIO())


@pytest.fixture
def traced():
    nvme0 = d.Controller(d.Ssd(capacity="1GiB", latency=0, trace=4096))
    yield nvme0
    nvme0.close()


def test_the_device_trace_lies_beside_the_command_log(traced):
    nvme0n1, qpair, buf = d.Namespace(traced), d.Qpair(traced, 8), d.Buffer(4096)
    nvme0n1.write(qpair, buf, 0x123, 8).waitdone()
    sent = exported(qpair, 1)[0]
    out = io.StringIO()
    count = d.device_trace_export(traced, out)
    events = [json.loads(line) for line in out.getvalue().splitlines()]
    assert len(events) == count
    of_queue = [e for e in events if e.get("queue") == qpair.sqid]
    assert [e["event"] for e in of_queue[:4]] == ["tail doorbell", "fetched", "data", "posted"]
    tail, fetched, _, posted = of_queue[:4]
    assert tail["value"] == 1
    assert fetched["fields"]["slba"] == 0x123
    assert fetched["cdws"] == sent["cdws"]
    assert posted["cpl"] == sent["cpl"]
    assert posted["cid"] == sent["cid"]
    assert sent["sent_us"] <= fetched["time_us"] <= posted["time_us"] <= sent["completed_us"]
    assert [e["sequence"] for e in events] == list(range(1, count + 1))


def test_the_device_trace_as_text(traced, capsys):
    traced.getfeatures(7).waitdone()
    text = d.device_trace(traced, 4)
    assert capsys.readouterr().out == text + "\n"
    lines = text.splitlines()
    assert lines[0] == f"trace of {traced.addr}"
    assert len(lines) == 5
    assert re.fullmatch(r"\d\d:\d\d:\d\d\.\d{6} \S.*", lines[-1])
    traced.reset()
    assert " controller reset" in d.device_trace(traced)
    assert " enabled" in d.device_trace(traced)


def test_a_device_without_a_trace_says_what_to_do(nvme0):
    with pytest.raises(AssertionError, match="sim:trace=4096"):
        d.device_trace(nvme0)
