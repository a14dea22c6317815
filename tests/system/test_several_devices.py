"""Several embedded SSDs in one script: each has its own data, queues, features and capabilities."""

import contextlib
import threading

import pytest

import nvme as d

LIKE = [
    {"capacity": "1GiB", "lba": 512, "queues": 16, "model": "first", "latency": 0},
    {"capacity": "2GiB", "lba": 4096, "queues": 4, "model": "second", "latency": 0},
    {"capacity": "512MiB", "lba": 512, "mdts": 65536, "mqes": 63, "model": "third", "latency": 0},
    {"capacity": "1GiB", "lba": 4096, "namespaces": 2, "model": "fourth"},
]


@pytest.fixture
def drives():
    """Four controllers of four SSDs, and the first namespace of each."""
    with contextlib.ExitStack() as stack:
        made = []
        for like in LIKE:
            ssd = d.Ssd(**like)
            stack.callback(ssd.unplug)
            nvme0 = d.Controller(ssd)
            stack.callback(nvme0.close)
            nvme0n1 = d.Namespace(nvme0)
            stack.callback(nvme0n1.close)
            made.append((nvme0, nvme0n1))
        yield made


def test_each_has_its_own_data_under_mixed_load(drives):
    workers = []
    for _, nvme0n1 in drives:
        assert nvme0n1.verify_enable()
        # The same LBAs everywhere: what one drive got would be wrong on each other.
        workers += [
            nvme0n1.ioworker(io_size=4, region_end=4096, read_percentage=0, io_count=2000),
            nvme0n1.ioworker(
                io_size=[1, 8], lba_random=50, region_start=4096, region_end=8192,
                op_percentage={2: 50, 1: 40, 8: 10}, io_count=2000, qdepth=16,
            ),
        ]  # fmt: skip
    with contextlib.ExitStack() as stack:
        for worker in workers:
            stack.enter_context(worker)
    assert [worker.close().error for worker in workers] == [0] * len(workers)

    # Tokens count through the whole process: no two drives hold the same one.
    tokens = []
    for nvme0, nvme0n1 in drives:
        result = nvme0n1.ioworker(
            io_size=8, lba_random=False, region_end=8192, read_percentage=100
        ).start().close()  # fmt: skip
        assert (result.error, result.io_count_read) == (0, 1024)
        qpair, buf = d.Qpair(nvme0, 4), d.Buffer(nvme0n1.sector_size)
        for lba in range(0, 4096, 512):
            nvme0n1.read(qpair, buf, lba).waitdone()
            if token := buf.data(len(buf) - 1, len(buf) - 8):
                assert buf.data(7, 0) == lba
                tokens.append(token)
        qpair.delete()
    assert len(tokens) > 8
    assert len(set(tokens)) == len(tokens)


def test_each_has_its_own_capabilities(drives):
    controllers = [nvme0 for nvme0, _ in drives]
    models = [nvme0.id_data(63, 24, str).strip() for nvme0 in controllers]
    assert models == [like["model"] for like in LIKE]
    assert len({nvme0.addr for nvme0 in controllers}) == 4
    assert [nvme0n1.sector_size for _, nvme0n1 in drives] == [512, 4096, 512, 4096]
    assert [nvme0n1.capacity for _, nvme0n1 in drives] == [1 << 21, 1 << 19, 1 << 20, 1 << 17]
    assert controllers[2].mdts == 65536
    assert controllers[2].cap & 0xFFFF == 63
    assert controllers[3].id_data(11, 0, cns=2) == 1 | 2 << 32, "its active namespaces"

    queues = [d.Qpair(controllers[1], 8) for _ in range(4)]
    with pytest.raises(d.QpairCreationError):
        d.Qpair(controllers[1], 8)
    one_more = d.Qpair(controllers[0], 8)
    assert [queue.sqid for queue in queues] == [1, 2, 3, 4]
    assert one_more.sqid == 1

    # A queue is of one controller, and what it sends goes there.
    buf = d.Buffer(4096)
    with pytest.raises(AssertionError):
        drives[0][1].read(queues[0], buf, 0)


def test_features_and_resets_stay_with_one(drives):
    first, (second, second_ns) = drives[0][0], drives[1]
    first.setfeatures(4, cdw11=340).waitdone()
    assert first.getfeatures(4).waitdone() & 0xFFFF == 340
    assert second.getfeatures(4).waitdone() & 0xFFFF != 340

    data, back = d.Buffer(4096, ptype=32, pvalue=0x600D), d.Buffer(4096)
    queue = d.Qpair(second, 8)
    second_ns.write(queue, data, 3).waitdone()
    worker = second_ns.ioworker(io_size=1, region_start=64, read_percentage=50, io_count=3000)
    with worker:
        d.Subsystem(first).power_cycle(0)
        first.reset()
    assert worker.close().error == 0
    second_ns.read(queue, back, 3).waitdone()
    assert back[8:4088] == data[8:4088]
    assert first.getfeatures(4).waitdone() & 0xFFFF != 340
    queue.delete()


def test_one_that_is_pulled_out_leaves_the_others(drives, recwarn):
    second_ns = drives[1][1]
    ssd = d.Ssd(capacity="1GiB", latency=0)
    gone = d.Controller(ssd)
    with second_ns.ioworker(io_size=1, read_percentage=0, io_count=3000) as worker:
        ssd.unplug()
        with pytest.raises(SystemError):
            gone[0]
    assert worker.close().error == 0
    gone.close()


def test_a_thread_for_each(drives):
    failures = []

    def work(number, nvme0, nvme0n1):
        try:
            qpair, size = d.Qpair(nvme0, 8), nvme0n1.sector_size
            written, read = d.Buffer(size), d.Buffer(size)
            for lba in range(200):
                written[8 : size - 8] = bytes([number]) * (size - 16)
                nvme0n1.write(qpair, written, lba).waitdone()
                nvme0n1.read(qpair, read, lba).waitdone()
                assert read[:] == written[:]
            qpair.delete()
        except BaseException as error:
            failures.append(error)

    threads = [
        threading.Thread(target=work, args=(number, *drive))
        for number, drive in enumerate(drives, 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
