"""Every parameter of IOWorkers, command by command against a model of its own."""

import itertools
import sys
from collections import Counter
from pathlib import Path

import pytest

import nvme as d

sys.path.insert(0, str(Path(__file__).parent))
import ioworker_model

READ, WRITE, FLUSH = 0x02, 0x01, 0x00
UNCORRECTABLE, COMPARE, ZEROES, DSM, VERIFY = 0x04, 0x05, 0x08, 0x09, 0x0C
SEED = 0x58E7F337
WORKER_SEED = ioworker_model.first_worker_seed(SEED)


@pytest.fixture
def nvme0(connect):
    return connect(capacity="64MiB")


@pytest.fixture
def nvme0n1(nvme0):
    return d.Namespace(nvme0)


def run(nvme0n1, count, **workload):
    """The commands that were sent, and the result."""
    sent = [None] * count
    d.srand(SEED)
    worker = nvme0n1.ioworker(output_cmdlog_list=sent, **workload)
    return worker.start().close(), sent


def expected(nvme0n1, count, worker_seed=WORKER_SEED, **workload):
    model = ioworker_model.commands(worker_seed, nvme0n1.capacity, **workload)
    return list(itertools.islice(model, count))


JESD219 = {1: 4, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 67, 16: 10, 32: 7, 64: 3, 128: 3}
SECTIONS = [1000] * 5 + [200] * 15 + [25] * 80
WORKLOADS = {
    "random": {"io_size": 8},
    "region": {"io_size": 8, "region_start": 1001, "region_end": 2049},
    "region not aligned, too small for the default": {
        "io_size": 8, "region_start": 1001, "region_end": 1010,
    },
    "region beyond the end": {"io_size": 8, "region_start": 131000, "region_end": 2**64 - 1},
    "large": {"io_size": 256},
    "odd": {"io_size": 13, "lba_align": 7},
    "alignment below the size": {"io_size": 64, "lba_align": 1},
    "alignment above the size": {"io_size": 8, "lba_align": 64, "region_start": 1},
    "range": {"io_size": range(1, 8)},
    "list": {"io_size": [8, 16]},
    "list with one twice": {"io_size": [8, 16, 8]},
    "ratio": {"io_size": {8: 2, 16: 1}},
    "alignments per size": {"io_size": [1, 8, 24], "lba_align": [3, 8, 32]},
    "alignments per size, ratio": {"io_size": {1: 5, 8: 8}, "lba_align": [1, 64]},
    "reads and writes": {"io_size": 8, "read_percentage": 67},
    "writes": {"io_size": 8, "read_percentage": 0},
    "sequential": {"io_size": 8, "lba_random": False},
    "sequential, wraps": {"io_size": 7, "lba_random": False, "region_start": 5, "region_end": 500},
    "sequential, aligned": {"io_size": 7, "lba_align": 11, "lba_random": False, "region_end": 1000},
    "sequential from": {"io_size": 8, "lba_random": False, "lba_start": 999, "region_end": 2000},
    "start outside": {"io_size": 8, "lba_random": False, "lba_start": 8000, "region_end": 1000},
    "sequential sizes": {"io_size": [3, 8], "lba_random": False, "region_end": 4000},
    "step": {"io_size": 8, "lba_random": False, "lba_step": 24, "region_end": 10000},
    "step below the size": {"io_size": 8, "lba_random": False, "lba_step": 2, "region_end": 300},
    "no step": {"io_size": 8, "lba_random": False, "lba_step": 0, "lba_start": 40},
    "negative step": {
        "io_size": 8, "lba_random": False, "lba_step": -8, "lba_start": 300, "region_end": 1000,
    },
    "negative step, aligned": {
        "io_size": 8, "lba_random": False, "lba_step": -5, "lba_align": 4, "region_start": 3,
        "region_end": 1001,
    },
    "a third random": {"io_size": 8, "lba_random": 33, "region_end": 5000},
    "one per cent random, backwards": {
        "io_size": [4, 8], "lba_random": 1, "lba_step": -16, "region_end": 5000,
    },
    "mix": {"io_size": 8, "op_percentage": {READ: 40, WRITE: 30, FLUSH: 10, DSM: 10, VERIFY: 10}},
    "zeroes and trim": {"io_size": [8, 32], "op_percentage": {ZEROES: 50, DSM: 49, WRITE: 1}},
    "mix with nothing of one": {"io_size": 8, "op_percentage": {READ: 100, WRITE: 0}},
    "uncorrectable": {"io_size": 8, "op_percentage": {UNCORRECTABLE: 20, WRITE: 80}},
    "mix, half random": {"io_size": 8, "lba_random": 50, "op_percentage": {READ: 50, FLUSH: 50}},
    "distribution": {"io_size": 8, "distribution": SECTIONS},
    "distribution, region": {
        "io_size": 8, "distribution": [0] * 99 + [10000], "region_start": 77, "region_end": 9999,
    },
    "distribution, half random": {"io_size": 1, "lba_random": 50, "distribution": SECTIONS},
    "enterprise": {"io_size": JESD219, "distribution": SECTIONS, "read_percentage": 40},
}  # fmt: skip


@pytest.mark.parametrize("name", WORKLOADS)
def test_commands(nvme0n1, name):
    workload = WORKLOADS[name]
    count = 20000 if "distribution" in workload else 3000
    arguments = dict(workload)
    if "op_percentage" in arguments:
        arguments["op_percentage"] = dict(arguments["op_percentage"])
    result, sent = run(nvme0n1, count, io_count=count, qdepth=32, **arguments)
    assert result.error == 0
    assert sent == expected(nvme0n1, count, **workload)
    opcodes = Counter(opcode for _, _, opcode in sent)
    assert result.io_count_read == opcodes[READ]
    assert result.io_count_write == opcodes[WRITE]
    assert result.io_count_nonread == count - opcodes[READ]
    assert sum(result.per_second) == count
    assert {opcode: n for opcode, n in result.sent_by_opcode.items() if n} == opcodes
    for opcode, latency in result.latency_by_opcode.items():
        assert latency.count == opcodes[opcode]
    if "op_percentage" in arguments:
        assert +Counter(arguments["op_percentage"]) == opcodes


@pytest.mark.parametrize(
    "workload",
    [
        {"io_size": 8, "region_end": 1024},
        {"io_size": 7, "region_end": 1000},
        {"io_size": 256, "region_start": 3, "region_end": 1000},
        {"io_size": 7, "lba_align": 11, "region_end": 1000},
        {"io_size": 8, "lba_step": 32, "region_start": 5, "region_end": 1003},
        {"io_size": 8, "lba_step": -8, "region_end": 1024},
        {"io_size": 7, "lba_step": -7, "region_end": 1000},
        {"io_size": 8, "lba_step": -8, "lba_start": 100, "region_start": 30, "region_end": 1000},
        {"io_size": 128},
    ],
    ids=str,
)
@pytest.mark.parametrize("opcode", [WRITE, READ])
def test_one_pass(nvme0n1, workload, opcode):
    workload = {**workload, "lba_random": False, "read_percentage": 100 if opcode == READ else 0}
    result, sent = run(nvme0n1, 20000, **workload)
    assert result.error == 0
    model = expected(nvme0n1, 20000, one_pass=True, **workload)
    assert sent == model
    assert result.io_count_read + result.io_count_nonread == len(model)
    if "lba_step" not in workload and "lba_align" not in workload:
        # Each LBA of the region once, in order.
        low = workload.get("region_start", 0)
        high = workload.get("region_end", nvme0n1.capacity)
        assert [lba for slba, nlb, _ in sent for lba in range(slba, slba + nlb)] == list(
            range(low, high)
        )


def test_compare_finds_what_is_there(nvme0n1):
    """Compare sends the worker's own pattern: it fits where zeroes are compared with zeroes."""
    nvme0n1.ioworker(
        io_size=8, lba_random=False, op_percentage={ZEROES: 100}, region_end=800
    ).start().close()
    result, sent = run(
        nvme0n1, 100, io_size=8, op_percentage={COMPARE: 100}, io_count=100, region_end=800,
        ptype=0, pvalue=0,
    )  # fmt: skip
    assert result.error == 0
    assert {opcode for _, _, opcode in sent} == {COMPARE}


def test_ratios_are_exact_in_each_cycle(nvme0n1):
    _, sent = run(nvme0n1, 10000, io_size=JESD219, distribution=SECTIONS, io_count=10000,
                  read_percentage=40, region_end=100_000)  # fmt: skip
    for start in range(0, 10000, 100):
        cycle = sent[start : start + 100]
        assert Counter(nlb for _, nlb, _ in cycle) == JESD219
        assert sum(opcode == READ for _, _, opcode in cycle) == 40
    sections = Counter(slba // 1000 for slba, _, _ in sent)
    assert [sections[i] for i in range(100)] == SECTIONS


def test_the_list_has_the_last_commands_oldest_first(nvme0n1):
    _, sent = run(nvme0n1, 10, io_count=1000)
    assert sent == expected(nvme0n1, 1000)[-10:]
    _, sent = run(nvme0n1, 100, io_count=10)
    assert sent == expected(nvme0n1, 10)


def test_io_sequence_is_replayed(nvme0n1):
    sequence = [
        (0, WRITE, 0, 8),
        (0, READ, 0, 8),
        (1000, FLUSH, 0, 0),
        (1500, DSM, 64, 8),
        (30_000, READ, 4, 1),
        (30_000, UNCORRECTABLE, 72, 8),
        (60_000, VERIFY, 0, 1),
    ]
    result, sent = run(nvme0n1, 7, io_sequence=sequence)
    assert result.error == 0
    assert sent == [(slba, nlb, opcode) for _, opcode, slba, nlb in sequence]
    assert result.mseconds >= 60
    assert result.io_count_write == 1


def test_the_device_got_what_the_list_says(nvme0, nvme0n1):
    def counters():
        smart = d.Buffer(512)
        nvme0.getlogpage(2, smart, 512).waitdone()
        return smart.data(79, 64), smart.data(95, 80)

    reads, writes = counters()
    _, sent = run(nvme0n1, 3000, io_count=3000, read_percentage=67)
    after = counters()
    opcodes = Counter(opcode for _, _, opcode in sent)
    assert (after[0] - reads, after[1] - writes) == (opcodes[READ], opcodes[WRITE]) == (2010, 990)


def test_1024_deep(nvme0n1):
    result, sent = run(nvme0n1, 5000, io_count=5000, qdepth=1024, read_percentage=50)
    assert result.error == 0
    assert sent == expected(nvme0n1, 5000, read_percentage=50)


# Determinism: same seed, same commands.


@pytest.mark.parametrize("latency", [0, 1])
@pytest.mark.parametrize("qdepth", [1, 7, 256])
def test_timing_does_not_change_the_commands(connect, qdepth, latency):
    nvme0n1 = d.Namespace(connect(capacity="64MiB", latency=latency))
    # Three workers on few LBAs, so that they keep each other waiting.
    workload = {
        "io_size": [1, 8],
        "op_percentage": {READ: 50, WRITE: 40, DSM: 10},
        "region_end": 256,
    }
    d.srand(SEED)
    sent = [[None] * 500 for _ in range(3)]
    with (
        nvme0n1.ioworker(**workload, io_count=500, qdepth=qdepth, output_cmdlog_list=sent[0]),
        nvme0n1.ioworker(**workload, io_count=500, iops=20_000, output_cmdlog_list=sent[1]),
        nvme0n1.ioworker(**workload, io_count=500, qdepth=3, output_cmdlog_list=sent[2]),
    ):
        pass
    workload["op_percentage"] = {READ: 50, WRITE: 40, DSM: 10}
    stream = ioworker_model.Xoshiro256(SEED)
    for one in sent:
        assert one == expected(nvme0n1, 500, worker_seed=stream.next(), **workload)


def test_the_line_of_a_failed_run_replays_it(nvme0, nvme0n1, caplog):
    qpair = d.Qpair(nvme0, 4)
    nvme0n1.write_uncorrectable(qpair, 512, 1).waitdone()
    d.Buffer(512, ptype=0xBEEF, pvalue=100)  # takes random numbers, too
    sent = [None] * 100_000
    worker = nvme0n1.ioworker(io_size={1: 2, 8: 1}, time=60, qdepth=1, region_end=1024,
                              output_cmdlog_list=sent)  # fmt: skip
    with pytest.warns(UserWarning, match="ioworker"):
        result = worker.start().close()
    assert result.error == -6
    line = result.replay
    assert f"to replay the IOWorker: {line}" in caplog.messages
    again = [None] * 100_000
    line = line.replace(").start()", ", output_cmdlog_list=again).start()")
    with pytest.warns(UserWarning, match="ioworker"):
        exec(line)
    assert again == sent
