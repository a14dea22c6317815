"""Workers keep their pace and time: one, many on two CPUs, on several namespaces and drives."""

import json

import pytest

import nvme as d

# Started in a process of its own, because workers know the CPUs of the process from the first one.
SCRIPT = """
    import contextlib, json, os, sys
    import nvme as d

    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    workers, seconds, iops = map(int, sys.argv[1:])
    nvme0n1 = d.Namespace(d.Controller(d.Ssd(capacity="1GiB")))
    per_second = [[] for _ in range(workers)]
    results = []
    with contextlib.ExitStack() as stack:
        running = [
            stack.enter_context(nvme0n1.ioworker(
                io_size=8, lba_align=16, lba_random=True, qdepth=16, read_percentage=0,
                time=seconds, iops=iops, output_io_per_second=counts,
            ))
            for counts in per_second
        ]
    results = [worker.close() for worker in running]
    print(json.dumps({
        "per_second": per_second,
        "count": [r.io_count_write for r in results],
        "mseconds": [r.mseconds for r in results],
        "error": [r.error for r in results],
    }))
"""

# The embedded SSD is as slow as the host that runs it: one that has no time for it spoils a run.
ATTEMPTS = 8


@pytest.mark.parametrize(
    ("workers", "seconds", "iops"), [(1, 4, 1234), (16, 3, 1234), (16, 3, 7), (2, 3, 20_000)]
)
def test_the_pace_is_exact_in_each_second(system, workers, seconds, iops):
    inexact = []
    for _ in range(ATTEMPTS):
        code, out, err = system.script(SCRIPT, workers, seconds, iops)
        assert (code, err) == (0, "")
        measured = json.loads(out)
        assert measured["error"] == [0] * workers
        assert all(ms >= seconds * 1000 for ms in measured["mseconds"])
        assert [len(counts) for counts in measured["per_second"]] == [seconds] * workers
        assert [sum(counts) for counts in measured["per_second"]] == measured["count"]
        if all(
            iops - 1 <= count <= iops + 1 for counts in measured["per_second"] for count in counts
        ):
            return
        inexact.append(measured["per_second"])
    pytest.fail(f"each time: {inexact}")


def test_a_fraction_of_a_second(connect):
    per_second = []
    worker = d.Namespace(connect()).ioworker(
        io_size=8, time=1.5, iops=100, output_io_per_second=per_second
    )
    r = worker.start().close()
    assert per_second == [100, 50]
    assert r.io_count_read == 150
    assert r.mseconds >= 1500


def test_workers_on_several_namespaces_and_drives_at_once(connect):
    two = connect(capacity="64MiB", nssizes="16MiB+16MiB")
    one = connect(capacity="64MiB")
    namespaces = [d.Namespace(two, 1), d.Namespace(two, 2), d.Namespace(one, 1)]
    sent = [[None] * 1000 for _ in range(12)]
    workers = [
        namespaces[i % 3].ioworker(
            io_size=[1, 8], read_percentage=50, io_count=1000, qdepth=1 + 80 * i,
            output_cmdlog_list=sent[i],
        )
        for i in range(12)
    ]  # fmt: skip
    for worker in workers:
        worker.start()
    for worker, commands in zip(workers, sent, strict=True):
        r = worker.close()
        assert (r.error, r.io_count_read, r.io_count_write) == (0, 500, 500)
        assert sum(nlb for _, nlb, _ in commands) == 500 + 8 * 500
    # What one wrote is not in the other.
    for namespace, capacity in zip(namespaces, (32768, 32768, 131072), strict=True):
        assert namespace.capacity == capacity


def test_all_queues_at_once(connect):
    nvme0n1 = d.Namespace(connect())
    workers = [nvme0n1.ioworker(io_size=8, io_count=500, qdepth=1024).start() for _ in range(16)]
    assert [worker.close().io_count_read for worker in workers] == [500] * 16


def test_io_sequence_on_time(connect):
    """Each command is sent when it is due, not before."""
    nvme0n1 = d.Namespace(connect())
    trace = [(i * 2000, 2, 8 * i, 8) for i in range(100)]
    sent = [None] * 100
    r = nvme0n1.ioworker(io_sequence=trace, output_cmdlog_list=sent).start().close()
    assert sent == [(8 * i, 8, 2) for i in range(100)]
    assert r.mseconds >= 198
