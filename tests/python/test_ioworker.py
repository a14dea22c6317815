import time

import pytest

import nvme as d


def test_count_and_result(nvme0n1):
    worker = nvme0n1.ioworker(io_size=8, read_percentage=0, io_count=1000, qdepth=16)
    assert not worker.running
    result = worker.start().close()
    assert result.io_count_write == result["io_count_write"] == 1000
    assert result.io_count_read == 0
    assert result.io_count_nonread == 1000
    assert result.error == 0
    assert result.latency_max_us >= result.latency_average_us > 0
    assert set(result) == {
        "io_count_read", "io_count_nonread", "io_count_write", "mseconds", "latency_max_us",
        "latency_average_us", "cpu_usage", "error",
    }  # fmt: skip
    assert worker.close() is result
    with pytest.raises(AttributeError, match="the result has no 'nonsense'"):
        result.nonsense  # noqa: B018


def test_outputs(nvme0n1):
    per_second: list[int] = []
    percentiles = dict.fromkeys([10, 50, 99, 99.9])
    commands = [None] * 10
    mix = {1: 30, 2: 70}
    result = (
        nvme0n1.ioworker(
            io_size=8,
            op_percentage=mix,
            time=2,
            iops=1000,
            qdepth=16,
            output_io_per_second=per_second,
            output_percentile_latency=percentiles,
            output_cmdlog_list=commands,
        )
        .start()
        .close()
    )
    assert len(per_second) == 2
    assert sum(per_second) == result.io_count_read + result.io_count_nonread
    assert per_second == [1000, 1000]
    assert percentiles[10] <= percentiles[50] <= percentiles[99] <= percentiles[99.9]
    assert sum(result.latency_distribution) == sum(per_second)
    assert 0 < result.iops_consistency <= 100
    assert all(nlb == 8 and opcode in (1, 2) for slba, nlb, opcode in commands)
    assert mix == {1: result.io_count_write, 2: result.io_count_read}
    assert 0.25 <= mix[1] / sum(mix.values()) <= 0.35


@pytest.mark.parametrize("io_size", [1, range(1, 8), [8, 16], {8: 2, 16: 1}])
def test_shapes_of_io_size(nvme0n1, io_size):
    commands = [None] * 300
    nvme0n1.ioworker(
        io_size=io_size, io_count=300, read_percentage=0, qdepth=8, output_cmdlog_list=commands
    ).start().close()
    sizes = {nlb for slba, nlb, opcode in commands}
    assert sizes == ({io_size} if isinstance(io_size, int) else set(io_size))
    if isinstance(io_size, dict):
        assert sum(nlb == 8 for slba, nlb, opcode in commands) == 200


def test_one_pass(nvme0n1):
    result = (
        nvme0n1.ioworker(io_size=8, lba_random=False, read_percentage=0, region_end=1024, qdepth=4)
        .start()
        .close()
    )
    assert result.io_count_write == 128


def test_io_sequence(nvme0n1):
    commands = [None] * 3
    nvme0n1.ioworker(
        io_sequence=[(0, 1, 0, 8), (1000, 2, 0, 8), (2000, 2, 4, 1)], output_cmdlog_list=commands
    ).start().close()
    assert commands == [(0, 8, 1), (0, 8, 2), (4, 1, 2)]


def test_with_and_nesting(nvme0, nvme0n1):
    smart = d.Buffer(512)
    arguments = {"io_size": 8, "read_percentage": 0, "time": 600, "qdepth": 8}
    with nvme0n1.ioworker(**arguments) as first, nvme0n1.ioworker(**arguments) as second:
        assert first.running
        assert second.running
        nvme0.getlogpage(2, smart, 512).waitdone()
        first.stop()
        second.stop()
    assert not first.running
    assert first.close().error == 0
    with nvme0n1.ioworker(**{**arguments, "time": 0.5}) as third:
        pass
    assert not third.running
    assert third.close().mseconds >= 500


@pytest.mark.parametrize(
    "arguments",
    [
        {"io_size": 0},
        {"io_size": -8},
        {"io_size": []},
        {"read_percentage": 101},
        {"op_percentage": {1: 50}},
        {"op_percentage": {300: 100}},
        {"qdepth": 0},
        {"qdepth": 5000},
        {"region_start": 100, "region_end": 104},
        {"region_start": 1 << 50},
        {"distribution": [1] * 100},
        {"time": "long"},
        {"io_count": 1.5},
        {"output_io_per_second": {}},
        {"ptype": 3},
    ],
)
def test_wrong_arguments(nvme0n1, arguments):
    with pytest.raises(AssertionError) as caught:
        nvme0n1.ioworker(**{"io_size": 8, "io_count": 10, **arguments}).start().close()
    assert isinstance(caught.value, ValueError)


def test_larger_than_mdts_is_an_error_of_the_result(nvme0n1):
    with pytest.warns(UserWarning, match="ioworker host ERROR -2: io_size is larger than MDTS"):
        result = nvme0n1.ioworker(io_size=1024, io_count=1).start().close()
    assert result.error == -2


def test_command_error(nvme0n1, qpair):
    nvme0n1.write_uncorrectable(qpair, 0, 8).waitdone()
    worker = nvme0n1.ioworker(io_size=8, region_end=8, io_count=10).start()
    with pytest.warns(UserWarning, match="ioworker ") as record:
        result = worker.close()
    assert result.error == -6
    assert [str(w.message) for w in record] == [
        "ioworker device respond an ERROR status: 02/81",
        "ioworker host ERROR -6: io cmd error",
    ]
    assert all(w.filename == __file__ for w in record)


def test_verification_finds_what_others_wrote(nvme0n1, qpair, verify):
    nvme0n1.ioworker(io_size=8, lba_random=False, read_percentage=0, region_end=800).start().close()
    raw = d.Buffer(512, pvalue=1)
    nvme0n1.send_cmd(1, qpair, raw, 1, 99).waitdone()
    worker = nvme0n1.ioworker(io_size=8, lba_random=False, region_end=800).start()
    with pytest.warns(UserWarning, match="ioworker ") as record:
        result = worker.close()
    assert result.error == -6
    text = str(record[0].message)
    assert text.startswith("ioworker device respond an ERROR status: 07/81: ")
    assert ", LBA 0x60, 8 LBAs: " in text
    assert "LBA 0x63: " in text


def test_sixteen_workers(nvme0n1):
    workers = [
        nvme0n1.ioworker(io_size=8, read_percentage=50, time=1, qdepth=8).start() for _ in range(16)
    ]
    results = [worker.close() for worker in workers]
    assert all(result.error == 0 for result in results)
    assert all(result.io_count_read + result.io_count_write >= 8 for result in results)


def test_no_queue_left_for_a_worker(nvme0, nvme0n1):
    queues = [d.Qpair(nvme0, 4) for _ in range(16)]
    worker = nvme0n1.ioworker(io_size=8, io_count=1).start()
    with pytest.warns(UserWarning, match="ioworker host ERROR -1: init fail"):
        result = worker.close()
    assert result.error == -1
    assert len(queues) == 16


def test_start_twice(nvme0n1):
    worker = nvme0n1.ioworker(io_size=8, io_count=1).start()
    with pytest.raises(AssertionError, match="started before"):
        worker.start()
    worker.close()


def test_a_script_that_raises_inside_with(nvme0, nvme0n1):
    start = time.monotonic()
    with (
        pytest.raises(KeyError),
        nvme0n1.ioworker(io_size=8, time=600),
        nvme0n1.ioworker(io_size=8, time=600),
    ):
        raise KeyError("on purpose")
    assert time.monotonic() - start < 300
    assert d.Qpair(nvme0, 8).sqid == 1


def test_ctrl_c(nvme0, nvme0n1, ctrl_c_at):
    worker = nvme0n1.ioworker(io_size=8, time=600).start()
    start = time.monotonic()
    ctrl_c_at("_core.ioworker_wait_result(")
    with pytest.raises(KeyboardInterrupt):
        worker.close()
    assert time.monotonic() - start < 300
    assert d.Qpair(nvme0, 8).sqid == 1
    nvme0.getfeatures(7).waitdone()


def test_workers_that_are_dropped(nvme0, nvme0n1):
    worker = nvme0n1.ioworker(io_size=8, time=60).start()
    del worker
    assert d.Qpair(nvme0, 8).sqid == 1


def test_device_closed_under_a_worker(pcie, nvme0, nvme0n1):
    worker = nvme0n1.ioworker(io_size=8, time=600).start()
    deadline = time.monotonic() + 60
    while worker.progress().io_count_read == 0:
        assert time.monotonic() < deadline
    pcie.close()
    assert not worker.running
    assert worker.close().io_count_read > 0


def test_seed_repeats_a_run(nvme0n1):
    def commands():
        d.srand(0x58E7F337)
        last = [None] * 50
        nvme0n1.ioworker(io_size={1: 2, 8: 8}, io_count=50, output_cmdlog_list=last).start().close()
        return last

    assert commands() == commands()
