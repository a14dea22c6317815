"""Python threads on one controller: on queues of their own they work side by side, on one queue
each gets its own completions or an error that says why not."""

import random
import threading

import pytest

import nvme as d

LIMIT_S = 240  # for what would hang


def run(*functions):
    """In a thread each, begun together; what they raised."""
    start = threading.Barrier(len(functions))
    raised = []

    def body(function):
        start.wait(LIMIT_S)
        try:
            function()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=body, args=(one,), daemon=True) for one in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)
        assert not thread.is_alive(), "hangs"
    return raised


def exercise(nvme0n1, qpair, worker, count):
    """Writes and reads in a region of its own; every byte is checked by the test, too."""
    rng = random.Random(worker)
    written, read = d.Buffer(4096), d.Buffer(4096)
    for turn in range(count):
        lba = worker * 4096 + rng.randrange(512) * 8
        written[8:504] = bytes([worker + 1]) * 496
        written[8:16] = turn.to_bytes(8, "little")
        assert nvme0n1.write(qpair, written, lba, 8).waitdone() == 0
        nvme0n1.read(qpair, read, lba, 8).waitdone()
        assert read[:] == written[:], (worker, turn)


@pytest.mark.parametrize("latency", [0, 1])
def test_queues_of_their_own(connect, system, warned, latency):
    nvme0 = connect(latency=latency)
    nvme0n1 = d.Namespace(nvme0)
    nvme0n1.verify_enable()
    qpairs = [d.Qpair(nvme0, 16) for _ in range(4)]
    with nvme0n1.ioworker(io_size=8, region_start=1 << 18, read_percentage=50, io_count=2000):
        raised = run(
            *(
                lambda worker=worker, qpair=qpair: exercise(nvme0n1, qpair, worker, 200)
                for worker, qpair in enumerate(qpairs)
            )
        )
    assert raised == []
    assert warned() == []
    for qpair in qpairs:
        qpair.delete()
    system.assert_clean(nvme0)


def test_they_wait_at_the_same_time(connect):
    """The callbacks of both, inside the waits of both, meet: neither wait keeps the other out."""
    nvme0 = connect(latency=1)
    nvme0n1 = d.Namespace(nvme0)
    meeting = threading.Barrier(2)

    def wait():
        qpair = d.Qpair(nvme0, 8)
        met = []
        nvme0n1.read(
            qpair, d.Buffer(512), 0, cb=lambda cdw0, status1: met.append(meeting.wait(LIMIT_S))
        ).waitdone()
        assert len(met) == 1

    assert run(wait, wait) == []


@pytest.mark.parametrize("latency", [0, 1])
@pytest.mark.parametrize("threads", [2, 4])
def test_one_queue_for_all(connect, system, warned, latency, threads):
    """Each waits for what it sent itself."""
    nvme0 = connect(latency=latency)
    nvme0n1 = d.Namespace(nvme0)
    nvme0n1.verify_enable()
    qpair = d.Qpair(nvme0, 64)
    raised = run(
        *(lambda worker=worker: exercise(nvme0n1, qpair, worker, 150) for worker in range(threads))
    )
    assert raised == []
    assert warned() == []
    with pytest.raises(TimeoutError):
        qpair.waitdone()
    qpair.delete()
    system.assert_clean(nvme0)


def test_callbacks_stay_with_the_thread_that_sent(connect):
    nvme0 = connect(latency=1)
    nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 64)

    def send(worker):
        me, buf, seen = threading.get_ident(), d.Buffer(512), []

        def cb(cdw0, status1):
            seen.append(threading.get_ident())
            if len(seen) < 50:
                nvme0n1.read(qpair, buf, worker, cb=cb)

        nvme0n1.read(qpair, buf, worker, cb=cb)
        qpair.waitdone(50)
        assert seen == [me] * 50

    assert run(lambda: send(0), lambda: send(8)) == []


def test_one_sends_another_waits(connect):
    nvme0 = connect(latency=1)
    nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 64), d.Buffer(512)
    seen = []

    def cb(cdw0, status1):
        seen.append(status1 >> 1)
        if len(seen) <= 20:
            nvme0n1.read(qpair, buf, 0, cb=cb)

    def send():
        for _ in range(20):
            nvme0n1.read(qpair, buf, 0, cb=cb)

    assert run(send) == []
    qpair.waitdone(20)
    qpair.waitdone(20)
    assert seen == [0] * 40
    with pytest.raises(TimeoutError):
        qpair.waitdone()


def test_a_wait_that_would_take_the_others_completions(connect):
    """The second thread sent nothing itself: an error, at once, and nothing is lost."""
    nvme0 = connect(latency=1000)  # 70 ms a read
    nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 64), d.Buffer(512)
    errors = []

    def wait():
        try:
            qpair.waitdone()
        except AssertionError as error:
            errors.append(str(error))

    def first(cdw0, status1):  # the main thread waits: for this one, and for the next
        thread = threading.Thread(target=wait)
        thread.start()
        thread.join(LIMIT_S)

    nvme0n1.read(qpair, buf, 0, cb=first)
    nvme0n1.read(qpair, buf, 0)
    qpair.waitdone(2)
    assert len(errors) == 1
    assert "another thread waits on this queue already" in errors[0]
    assert "queue of its own" in errors[0]


@pytest.mark.parametrize("latency", [0, 1])
def test_admin_queue(connect, system, warned, latency):
    nvme0 = connect(latency=latency)
    nvme0n1 = d.Namespace(nvme0)
    serial = nvme0.id_data(23, 4, str)

    def features():
        for _ in range(100):
            assert nvme0.getfeatures(7).waitdone() == 0x000F000F

    def threshold():
        for _ in range(100):
            assert nvme0.getfeatures(4).waitdone() != 0x000F000F

    def identify():
        buf = d.Buffer(4096)
        for _ in range(50):
            nvme0.identify(buf).waitdone()
            assert buf.data(23, 4, str) == serial
            assert nvme0.id_data(23, 4, str) == serial
            assert nvme0n1.id_data(7, 0) == nvme0n1.capacity

    def queues():
        for _ in range(50):
            qpair = d.Qpair(nvme0, 8)
            nvme0n1.read(qpair, d.Buffer(512), 0).waitdone()
            qpair.delete()

    assert run(features, threshold, identify, queues) == []
    assert warned() == []
    system.assert_clean(nvme0)


def test_a_thread_waits_while_another_sends_more_than_fits(connect):
    nvme0 = connect(latency=1)
    nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 4)

    def send(lba):
        buf, done, full = d.Buffer(512), 0, 0
        while done < 100:
            try:
                nvme0n1.read(qpair, buf, lba)
            except AssertionError as error:
                full += "is full" in str(error)
                continue
            qpair.waitdone()
            done += 1

    assert run(*(lambda lba=lba: send(lba) for lba in range(6))) == []
    with pytest.raises(TimeoutError):
        qpair.waitdone()


def test_queues_are_made_while_another_thread_resets(connect):
    """Whatever the order: afterwards each identifier that the device granted can be had."""
    nvme0 = connect(latency=0)
    done = threading.Event()

    def make():
        while not done.is_set():
            try:
                d.Qpair(nvme0, 8).delete()
            except (d.QpairCreationError, d.QpairDeletionError, AssertionError, SystemError):
                pass  # the reset was in between

    def reset():
        try:
            for _ in range(30):
                nvme0.reset()
        finally:
            done.set()

    for _ in range(5):
        done.clear()
        assert run(make, reset) == []
        queues = [d.Qpair(nvme0, 8) for _ in range(16)]
        assert len({qpair.sqid for qpair in queues}) == 16
        for qpair in queues:
            qpair.delete()
