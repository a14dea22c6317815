import threading

import pytest

import nvme as d


@pytest.mark.parametrize("depth", [0, 1, -3, 1025, 1 << 40])
def test_wrong_depth(nvme0, depth):
    with pytest.raises(AssertionError) as caught:
        d.Qpair(nvme0, depth)
    assert isinstance(caught.value, d.QpairCreationError)


def test_depth_is_bounded_by_mqes():
    ssd = d.Ssd(capacity="1GiB", latency=0, mqes=15)
    nvme0 = d.Controller(ssd)
    assert d.Qpair(nvme0, 16).sqid == 1
    with pytest.raises(AssertionError):
        d.Qpair(nvme0, 17)
    nvme0.close()


def test_as_many_as_the_device_has(nvme0):
    qpairs = [d.Qpair(nvme0, 8) for _ in range(16)]
    assert [q.sqid for q in qpairs] == list(range(1, 17))
    with pytest.raises(d.QpairCreationError):
        d.Qpair(nvme0, 8)
    del qpairs
    assert d.Qpair(nvme0, 8).sqid == 1


def test_one_command_too_many_loses_nothing(nvme0, nvme0n1):
    qpair = d.Qpair(nvme0, 4)
    buf = d.Buffer(512)
    seen = []
    for lba in range(3):
        nvme0n1.read(qpair, buf, lba, cb=lambda cdw0, status1: seen.append(status1 >> 1))
    with pytest.raises(AssertionError, match="full"):
        nvme0n1.read(qpair, buf, 3)
    qpair.waitdone(3)
    assert seen == [0, 0, 0]
    nvme0n1.read(qpair, buf, 3).waitdone()


def test_writes_on_one_lba_still_fill_the_queue(nvme0, nvme0n1):
    qpair = d.Qpair(nvme0, 4)
    for _ in range(3):
        nvme0n1.write(qpair, d.Buffer(512), 0)
    with pytest.raises(AssertionError, match="full"):
        nvme0n1.write(qpair, d.Buffer(512), 0)
    qpair.waitdone(3)


def test_waitdone(nvme0n1, qpair):
    buf = d.Buffer(512)
    assert nvme0n1.read(qpair, buf, 0) is qpair
    assert qpair.waitdone() == 0
    assert qpair.latest_latency > 0
    with pytest.raises(TimeoutError, match="nothing is outstanding"):
        qpair.waitdone()
    with pytest.raises(AssertionError, match="expected = -1"):
        qpair.waitdone(-1)


def test_delete(nvme0n1, qpair):
    qpair.delete()
    qpair.delete()
    with pytest.raises(AssertionError, match=r"queue 1 of .* is deleted"):
        nvme0n1.read(qpair, d.Buffer(512), 0)


def test_interrupts(nvme0, nvme0n1):
    qpair = d.Qpair(nvme0, 8)
    buf = d.Buffer(512)
    qpair.msix_clear()
    assert not qpair.msix_isset()
    nvme0n1.read(qpair, buf, 0)
    assert qpair.msix_isset()
    qpair.waitdone()
    qpair.msix_clear()
    qpair.msix_mask()
    nvme0n1.read(qpair, buf, 0).waitdone()
    assert not qpair.msix_isset()
    qpair.msix_unmask()
    assert qpair.msix_isset()
    silent = d.Qpair(nvme0, 8, ien=False)
    with pytest.raises(AssertionError, match="ien=False"):
        silent.msix_isset()


def test_cmdlog(nvme0n1, qpair):
    buf = d.Buffer(4096)
    nvme0n1.write(qpair, buf, 0x123, 8).waitdone()
    nvme0n1.read(qpair, buf, 0x456, 1).waitdone()
    lines = qpair.cmdlog(2).splitlines()
    assert lines[0] == "cmdlog of qpair 1"
    assert "Write (01h) sqid:1" in lines[1]
    assert "slba:0x123 nlb:8" in lines[1]
    assert "slba:0x456" in lines[2]
    assert len(qpair.cmdlog().splitlines()) == 3


def test_queue_of_another_controller(nvme0n1):
    other = d.Controller(d.Ssd(capacity="1GiB", latency=0))
    with pytest.raises(AssertionError, match="the Qpair belongs to"):
        nvme0n1.read(d.Qpair(other, 8), d.Buffer(512), 0)
    other.close()


def test_threads_on_queues_of_their_own(nvme0, nvme0n1):
    errors = []

    def work(first):
        try:
            qpair = d.Qpair(nvme0, 8)
            buf = d.Buffer(512)
            for lba in range(first, first + 200):
                nvme0n1.write(qpair, buf, lba).waitdone()
                nvme0n1.read(qpair, buf, lba).waitdone()
                assert buf.data_head == lba
            qpair.delete()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(i * 1000,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
