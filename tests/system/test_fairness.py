"""16 IOWorkers at once on two CPUs: none starves, none stalls."""

import json

import pytest

# IOWorkers know the CPUs that the process had when the first one started, so the two CPUs
# are set in a process of its own.
SCRIPT = """
    import contextlib, json, os, sys
    import nvme as d

    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])
    latency, seconds, mixed = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    nvme0 = d.Controller(d.Ssd(capacity="1GiB", latency=latency))
    nvme0n1 = d.Namespace(nvme0)
    if mixed:
        nvme0n1.verify_enable()
    per_second = [[] for _ in range(16)]
    workers = []
    with contextlib.ExitStack() as stack:
        for counts in per_second:
            workers.append(stack.enter_context(nvme0n1.ioworker(
                io_size=8, read_percentage=50 if mixed else 100, qdepth=32, time=seconds,
                region_end=65536, output_io_per_second=counts,
            )))
    results = [worker.close() for worker in workers]
    print(json.dumps({
        "counts": [r.io_count_read + r.io_count_nonread for r in results],
        "errors": [r.error for r in results],
        "per_second": per_second,
    }))
"""
SECONDS = 2
# A host that stands still spoils one of them; IOWorkers that are not fair spoil all.
ATTEMPTS = 8


@pytest.mark.parametrize("mixed", [0, 1], ids=["reads", "mixed and verified"])
@pytest.mark.parametrize("latency", [0, 1], ids=["no latency", "latency model"])
def test_16_ioworkers_share_two_cpus(system, latency, mixed):
    unfair = []
    for _ in range(ATTEMPTS):
        code, out, err = system.script(SCRIPT, latency, SECONDS, mixed)
        assert (code, err) == (0, "")
        measured = json.loads(out)
        counts = measured["counts"]
        assert measured["errors"] == [0] * 16
        assert len(counts) == 16
        for count, per_second in zip(counts, measured["per_second"], strict=True):
            assert len(per_second) == SECONDS
            assert sum(per_second) == count
        starved = [per_second for per_second in measured["per_second"] if min(per_second) == 0]
        if min(counts) >= sum(counts) / 16 / 4 and not starved:
            return
        unfair.append(measured["per_second"])
    pytest.fail(f"each time: {unfair}")


def test_a_slow_ioworker_beside_fast_ones(connect):
    """One paced worker keeps its pace while others take all they can get."""
    import nvme as d

    nvme0n1 = d.Namespace(connect())
    attempts = []
    for _ in range(ATTEMPTS):
        per_second = []
        with (
            nvme0n1.ioworker(io_size=8, time=SECONDS),
            nvme0n1.ioworker(io_size=8, time=SECONDS),
            nvme0n1.ioworker(io_size=8, time=SECONDS),
            nvme0n1.ioworker(io_size=8, time=SECONDS, iops=200, output_io_per_second=per_second),
        ):
            pass
        assert len(per_second) == SECONDS
        if min(per_second) >= 100 and max(per_second) <= 300:
            return
        attempts.append(per_second)
    pytest.fail(f"each time: {attempts}")
