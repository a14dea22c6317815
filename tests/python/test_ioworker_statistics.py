"""The figures of IOWorkers: in the end, while they run, and in the forms of other tools."""

import base64
import copy
import json
import os
import pickle
import pty
import re
import struct
import subprocess
import sys
import threading
import time
import zlib

import numpy
import pytest

from nvme.histogram import Histogram, hdr_payload


def run(nvme0n1, **workload):
    return nvme0n1.ioworker(**{"io_size": 8, "io_count": 2000, **workload}).start().close()


def test_figures_of_each_opcode_add_up(nvme0n1):
    r = run(nvme0n1, op_percentage={2: 50, 1: 30, 0: 15, 9: 5})
    assert r.sent_by_opcode == {2: 1000, 1: 600, 0: 300, 9: 100}
    assert {opcode: h.count for opcode, h in r.latency_by_opcode.items()} == r.sent_by_opcode
    assert numpy.array_equal(sum(r.latency_by_opcode.values()).counts, r.latency.counts)
    assert r.latency.count == r.io_count_read + r.io_count_nonread == 2000
    assert r.latency.min_us == min(h.min_us for h in r.latency_by_opcode.values())
    assert r.latency.max_us == max(h.max_us for h in r.latency_by_opcode.values())
    assert r.latency_max_us == int(r.latency.max_us)
    assert r.latency_average_us == pytest.approx(r.latency.average_us)
    assert sum(r.per_second) == 2000
    assert r.detail == ""


def test_a_single_opcode_has_all_of_it(nvme0n1):
    r = run(nvme0n1)
    assert list(r.latency_by_opcode) == [2]
    assert r.latency_by_opcode[2].average_us == r.latency.average_us


def test_the_poll_gap_covers_the_run(nvme0n1):
    for _ in range(10):
        r = run(nvme0n1, io_count=0, time=0.5, qdepth=8)
        gap = r.poll_gap
        assert gap.count > 0
        assert 0 < gap.min_us <= gap.percentile_us(50) <= gap.max_us
        # Something is under way all the time: the gaps are the time.
        total_ms = gap.average_us * gap.count / 1000
        assert total_ms < r.mseconds + 2
        if total_ms > 0.9 * r.mseconds:
            break
        # The host stood still before the first look, or after the last one.
    else:
        pytest.fail(f"{total_ms} ms of {r.mseconds}")


def test_counts_are_the_histogram_itself(nvme0n1):
    latency = run(nvme0n1).latency
    counts = latency.counts
    assert counts.dtype == numpy.uint64
    assert not counts.flags.owndata
    assert not counts.flags.writeable
    assert numpy.shares_memory(counts, latency.counts)
    assert numpy.shares_memory(latency.bounds_ns, run(nvme0n1).latency.bounds_ns)
    del latency  # the array keeps it
    assert counts.sum() == 2000


def test_buckets_are_narrower_than_one_per_cent_over_the_full_range(nvme0n1):
    bounds = run(nvme0n1).latency.bounds_ns
    assert bounds[0] == 0
    widths = numpy.diff(bounds)
    assert (widths[: bounds.searchsorted(128)] == 1).all()
    assert (widths[128:] <= bounds[128:-1] / 128).all()
    assert int(bounds[-1]) + int(widths[-1]) * 2 >= 2**64


@pytest.mark.parametrize("percent", [0, 1, 50, 90, 99, 99.9, 99.99, 99.99999, 100])
def test_percentiles_are_those_of_the_counts(nvme0n1, percent):
    latency = run(nvme0n1).latency
    rank = max(int(numpy.ceil(round(2000 * percent / 100, 6))), 1)
    bucket = int(numpy.searchsorted(numpy.cumsum(latency.counts), rank))
    low, high = latency.bounds_ns[bucket : bucket + 2] / 1000
    assert low <= latency.percentile_us(percent) <= high


@pytest.mark.parametrize("percent", [-1, 100.1, float("nan")])
def test_no_percentile(nvme0n1, percent):
    with pytest.raises(AssertionError, match="percent"):
        run(nvme0n1, io_count=1).latency.percentile_us(percent)


def test_histograms_of_workers_add_up(nvme0n1):
    workers = [nvme0n1.ioworker(io_size=8, io_count=1000).start() for _ in range(3)]
    parts = [worker.close().latency for worker in workers]
    whole = sum(parts)
    assert whole.count == 3000
    assert whole.max_us == max(part.max_us for part in parts)
    assert [part.count for part in parts] == [1000] * 3
    with pytest.raises(TypeError):
        whole + 1


def test_a_result_copies_like_a_dict(nvme0n1):
    r = run(nvme0n1, io_count=10)
    assert pickle.loads(pickle.dumps(r)) == r == copy.deepcopy(r) == json.loads(json.dumps(r))
    assert copy.copy(r).io_count_read == 10


# HdrHistogram


def test_hdr_payload():
    """The bytes that HdrHistogram's own Python implementation (0.10.8) writes for these values."""
    values = {0: 1, 1: 2, 127: 1, 128: 300, 255: 1, 256: 70000, 300: 1, 1000: 5, 999_999: 1,
              5 * 10**9: 3, 2**62 + 5: 1}  # fmt: skip
    counts = [0] * 7424
    for value, count in values.items():
        shift = max(value.bit_length() - 8, 0)
        counts[shift * 128 + (value >> shift)] += count
    assert hdr_payload(counts).hex() == (
        "1c849313" "0000001b" "00000000" "00000002" "0000000000000001" "7fffffffffffffff"
        "3ff0000000000000"
        "0204f90102d804fb0102e0c5082902c5030af11302bf1806d33b02"
    )  # fmt: skip


def decode(text):
    """Counts from the compressed form, version 2."""
    data = base64.b64decode(text)
    cookie, length = struct.unpack_from(">ii", data)
    assert cookie == 0x1C849314
    assert length == len(data) - 8
    data = zlib.decompress(data[8:])
    header = struct.unpack_from(">iiiiqqd", data)
    assert header == (0x1C849313, len(data) - 40, 0, 2, 1, 2**63 - 1, 1.0)
    counts, position = [], 40
    while position < len(data):
        number = shift = 0
        while True:
            byte = data[position]
            position += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        value = number >> 1 ^ -(number & 1)
        counts += [value] if value >= 0 else [0] * -value
    return counts


def test_hdr_of_a_run(nvme0n1, tmp_path):
    latency = run(nvme0n1, io_count=20000).latency
    counts = decode(latency.hdr())
    assert counts == latency.counts.tolist()[: len(counts)]
    assert sum(counts) == 20000
    path = tmp_path / "latency.hlog"
    latency.write_hdr_log(path, seconds=2.5, tag="read")
    lines = path.read_text().splitlines()
    tag, start, length, maximum, histogram = lines[-1].split(",")
    assert (tag, start, length) == ("Tag=read", "0.000", "2.500")
    assert float(maximum) == pytest.approx(latency.max_us / 1000, abs=0.001)
    assert histogram == latency.hdr()


def test_hdr_of_nothing(nvme0n1):
    latency = nvme0n1.ioworker(io_size=8, io_count=1).close().latency
    assert decode(latency.hdr()) == []
    assert isinstance(latency, Histogram)
    assert latency.percentile_us(99) == 0


# While it runs


def test_progress(nvme0n1):
    worker = nvme0n1.ioworker(io_size=8, read_percentage=50, time=60, qdepth=8)
    before = worker.progress()
    assert not before.running
    assert before.seconds == before.io_count_read == before.latency_max_us == 0
    worker.start()
    assert worker.progress().running
    last = before
    deadline = time.monotonic() + 30
    for _ in range(3):
        while (now := worker.progress()).io_count_read < last.io_count_read + 1000:
            assert time.monotonic() < deadline
            time.sleep(0.001)
        assert now.running
        assert now.seconds > last.seconds
        assert now.io_count_read > last.io_count_read
        assert now.io_count_nonread == now.io_count_write > 0
        assert 0 < now.latency_min_us <= now.latency_average_us <= now.latency_max_us
        assert now.iops_average > 0
        assert 0 <= now["outstanding"] <= 8
        last = now
    worker.stop()
    r = worker.close()
    now = worker.progress()
    assert not now.running
    assert now.outstanding == 0
    assert (now.io_count_read, now.io_count_write) == (r.io_count_read, r.io_count_write)
    assert now.latency_max_us == r.latency.max_us
    assert now.latency_average_us == pytest.approx(r.latency.average_us)
    assert now.poll_gap_max_us == r.poll_gap.max_us
    assert round(now.seconds * 1000) == pytest.approx(r.mseconds, abs=1)


def test_progress_of_a_paced_worker(nvme0n1):
    worker = nvme0n1.ioworker(io_size=8, time=60, iops=500).start()
    deadline = time.monotonic() + 30
    while (now := worker.progress()).seconds < 1 or now.iops != 500:
        assert time.monotonic() < deadline, now
        time.sleep(0.01)
    worker.stop()
    worker.close()


def test_progress_from_other_threads_while_workers_come_and_go(nvme0n1):
    over = threading.Event()
    current = [nvme0n1.ioworker(io_size=8, io_count=1)]
    failures = []

    def look():
        try:
            while not over.is_set():
                assert current[0].progress().io_count_read <= 500
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        for _ in range(50):
            current[0] = nvme0n1.ioworker(io_size=8, io_count=500)
            current[0].start().close()
    finally:
        over.set()
        thread.join()
    assert not failures


SCRIPT = """
import sys, threading, time
import nvme as d
nvme0 = d.Controller("sim:latency=0,capacity=64MiB")
nvme0n1 = d.Namespace(nvme0)
nvme0n1.ioworker(io_size=8, time=0.7).start().close()
print("first", flush=True)
if "prompt" in sys.argv:
    sys.ps1 = ">>> "
told = "told" in sys.argv
worker = nvme0n1.ioworker(io_size=8, time=600 if told else 3).start()
if told:
    threading.Thread(target=lambda: (sys.stdin.readline(), worker.stop())).start()
if "prompt" in sys.argv:
    while worker.running:
        time.sleep(0.05)
worker.close()
print("the end")
nvme0.close()
"""


def at_a_terminal(*arguments, until=None):
    """What is shown there. The script is told to end when the expression `until` is found."""
    mine, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "120"},
    )
    os.close(theirs)
    shown = b""
    try:
        while data := os.read(mine, 4096):
            shown += data
            if until is not None and re.search(until, shown):
                process.stdin.write(b"\n")
                process.stdin.flush()
                until = None
    except OSError:  # how the end of a pseudo terminal looks
        pass
    out, _ = process.communicate(timeout=300)
    os.close(mine)
    assert process.returncode == 0
    assert out == b"first\nthe end\n"
    return shown.decode()


def test_a_line_at_a_terminal():
    shown = at_a_terminal("told", until=rb"1 IOWorker: \d+ s, [\d,]+ IOPS, ")
    assert all(int(seconds) >= 2 for seconds in re.findall(r"IOWorker: (\d+) s", shown))
    assert shown.endswith("\x1b[2K")  # gone


def test_no_line_where_somebody_types():
    assert at_a_terminal("prompt") == ""


def test_no_line_where_there_is_no_terminal():
    process = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, check=True, timeout=300
    )
    assert process.stdout == b"first\nthe end\n"
    assert process.stderr == b""
