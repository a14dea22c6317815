"""Every wrong parameter of ioworker() raises an AssertionError that names it."""

import decimal

import numpy
import pytest

import nvme as d

INTEGERS = ("read_percentage", "qdepth", "region_start", "region_end", "iops", "io_count",
            "lba_start", "qprio", "ptype", "pvalue")  # fmt: skip
WRONG = [
    ("io_size", [0, -8, 65537, [], [8, 0], {}, {8: 0}, {8: -1}, {0: 1}, {8: 1.5}, range(0), 1.5,
                 "8", b"8", None, [8, "8"], {8: 2**21}, [None], 2**64, object()]),
    ("lba_step", [1.5, "8", [8], 2**63, -(2**63) - 1]),
    ("lba_align", [0, -1, 1.5, "8", [8, 8], [0], [None], 2**41, {8: 1}]),
    ("lba_random", [-1, 101, 33.3, "yes", None, [True]]),
    ("read_percentage", [-1, 101]),
    ("op_percentage", [{}, {2: 99}, {2: 101}, {2: 50, 1: 51}, {2: -1, 1: 101}, {256: 100},
                       {-1: 100}, {2: 99.5, 1: 0.5}, {"read": 100}, [2], 100, {2: None}]),
    ("time", [-1, float("nan"), float("inf"), 3_600_001, "1", None, [1]]),
    ("qdepth", [0, -1, 1025]),
    ("region_start", [-1, 2**64, 131072]),
    ("region_end", [-1, 2**64, 0]),
    ("iops", [-1, 10**9 + 1]),
    ("io_count", [-1, 2**63]),
    ("lba_start", [-1, 2**64]),
    ("qprio", [-1, 4]),
    ("distribution", [[], [100] * 99, [100] * 101, [99] * 100, [101] + [99] * 99 + [0],
                      [-100, 200] + [100] * 98 + [0], [100.5] * 100, 10000, "100", [None] * 100]),
    ("ptype", [1, 2**64, -1]),
    ("pvalue", [101, -1, 2**64]),
    ("io_sequence", [5, "sequence", [1], [(0, 2, 0)], [(0, 2, 0, 8, 9)], [(0, 256, 0, 8)],
                     [(-1, 2, 0, 8)], [(0, 2, -1, 8)], [(0, 2, 0, 0)], [(0, 2, 0, 65537)],
                     [(5, 2, 0, 8), (4, 2, 0, 8)], [(0, 2, 0, 1.5)], [None]]),
    ("output_io_per_second", [{}, (), 5, True]),
    ("output_percentile_latency", [[], 5, {101: None}, {-1: None}, {"99": None}, {None: None}]),
    ("output_cmdlog_list", [{}, 5, (None,)]),
]  # fmt: skip
WRONG += [(name, [1.5, "1", [1], None, decimal.Decimal(1), object()]) for name in INTEGERS]
CASES = [(name, value) for name, values in WRONG for value in values]


@pytest.fixture
def nvme0n1(nvme0):
    return d.Namespace(nvme0)


@pytest.fixture(scope="module")
def nvme0():
    ssd = d.Ssd(capacity="64MiB", latency=0)
    nvme0 = d.Controller(ssd)
    yield nvme0
    nvme0.close()
    ssd.unplug()


@pytest.mark.parametrize(("name", "value"), CASES, ids=lambda value: repr(value)[:40])
def test_a_wrong_argument_is_named(nvme0n1, name, value):
    with pytest.raises(AssertionError, match=name) as caught:
        nvme0n1.ioworker(**{"io_size": 8, "io_count": 1, name: value})
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"pvalue": 2, "ptype": 0}, "pvalue"),
        ({"pvalue": 2**32, "ptype": 32}, "pvalue"),
        ({"region_start": 100, "region_end": 100}, "region_end"),
        ({"region_start": 100, "region_end": 107}, "io_size"),
        ({"region_start": 1, "region_end": 63, "lba_align": 64}, "lba_align|region_start"),
        ({"io_size": [8, 16], "lba_align": [8, 8, 8]}, "lba_align"),
        ({"distribution": [100] * 100, "lba_random": False}, "distribution"),
        ({"distribution": [100] * 100, "region_end": 99}, "distribution"),
        ({"distribution": [100] * 100, "region_end": 110, "lba_align": 8}, "distribution"),
    ],
    ids=str,
)
def test_arguments_that_do_not_fit_together(nvme0n1, arguments, name):
    with pytest.raises(AssertionError, match=name):
        nvme0n1.ioworker(**{"io_size": 8, "io_count": 1, **arguments})


@pytest.mark.parametrize(
    "arguments",
    [{}, {"lba_random": False, "lba_step": 0}, {"lba_random": False, "io_size": [1, 2]}],
)
def test_what_would_never_end_does_not_start(nvme0n1, arguments):
    worker = nvme0n1.ioworker(**arguments)
    with pytest.raises(AssertionError, match=r"time|lba_step"):
        worker.start()


def test_unknown_arguments(nvme0n1):
    with pytest.raises(AssertionError, match="io_sise"):
        nvme0n1.ioworker(io_sise=8)


@pytest.mark.parametrize(
    "arguments",
    [
        {"qdepth": 1},
        {"qdepth": 1024},
        {"time": 3_600_000},
        {"time": 0.001},
        {"time": numpy.float64(0.01)},
        {"io_size": numpy.int64(8)},
        {"io_size": numpy.array([8, 16])},
        {"io_size": {numpy.int32(8): numpy.uint8(3)}},
        {"io_size": (1, 2, 3)},
        {"lba_align": numpy.array([8])},
        {"lba_random": numpy.bool_(False)},
        {"lba_random": 0},
        {"lba_random": 100},
        {"qprio": 3},
        {"region_end": 2**64 - 1},
        {"lba_start": 2**64 - 1},
        {"iops": 10**9},
        {"distribution": numpy.full(100, 100)},
        {"op_percentage": {numpy.int64(2): numpy.int64(100)}},
        {"io_sequence": numpy.array([[0, 2, 0, 8]])},
        {"ptype": 32, "pvalue": 2**32 - 1},
        {"lba_step": -(2**62), "lba_random": False},
    ],
    ids=str,
)
def test_the_bounds_and_other_kinds_of_numbers(nvme0n1, arguments):
    worker = nvme0n1.ioworker(**{"io_size": 8, "io_count": 10, **arguments})
    assert worker.start().close().error == 0
