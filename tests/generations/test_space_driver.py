"""Queues and PRPs by hand: psd as its users write it."""

import time

import pytest

import nvme as d
from psd import CQE, IOCQ, IOSQ, PRP, SQE, PRPList


def wait(cq, index, phase=1):
    deadline = time.monotonic() + 60
    while CQE(cq[index]).p != phase:
        assert time.monotonic() < deadline, f"no completion {index}"
    return CQE(cq[index])


def read(lba, nlb, prp1, prp2=None):
    cmd = SQE(2, 1)
    cmd.prp1 = prp1
    if prp2 is not None:
        cmd.prp2 = prp2
    cmd[10] = lba
    cmd[12] = nlb - 1
    return cmd


@pytest.fixture
def queues(nvme0):
    cq = IOCQ(nvme0, 10, 8, PRP())  # the fixture `qpair` takes identifiers from 1 on
    sq = IOSQ(nvme0, 10, 8, PRP(), cqid=10)
    yield sq, cq
    sq.delete()
    cq.delete()


def test_wrap_around(nvme0, queues):
    """Three times through both queues: the phase turns over each time."""
    sq, cq = queues
    page = PRP()
    tail = head = 0
    for i in range(24):
        cmd = read(i, 1, page)
        cmd.cid = 1000 + i
        sq[tail] = cmd
        tail = (tail + 1) % 8
        sq.tail = tail
        cqe = wait(cq, head, phase=1 - i // 8 % 2)
        assert (cqe.cid, cqe.status, cqe.sqhd) == (1000 + i, 0, tail)
        head = (head + 1) % 8
        cq.head = head


def test_offset_in_the_first_page(nvme0, nvme0n1, qpair, queues):
    sq, cq = queues
    data = d.Buffer(4096, ptype=32, pvalue=0x11223344)
    nvme0n1.write(qpair, data, 0, 8).waitdone()
    first, second = PRP(), PRP()
    first.offset = 4096 - 512
    sq[0] = read(0, 2, first, second)
    sq.tail = 1
    assert wait(cq, 0).status == 0
    assert first[4096 - 512 :] == data[:512]
    assert second[:512] == data[512:1024]
    assert second[512:] == bytes(4096 - 512)
    cq.head = 1


def test_list_that_goes_on_in_another_page(nvme0, nvme0n1, qpair, queues):
    """The list begins in the last two entries of its page: the last one points to the next page."""
    sq, cq = queues
    data = d.Buffer(16384, ptype=0xBEEF, pvalue=100)
    nvme0n1.write(qpair, data, 64, 32).waitdone()
    pages = [PRP() for _ in range(4)]
    here, there = PRPList(), PRPList()
    here[510] = pages[1]
    here[511] = there
    there[0] = pages[2]
    there[1] = pages[3]
    cmd = read(64, 32, pages[0])
    cmd.prp2 = here.phys_addr + 510 * 8
    sq[0] = cmd
    sq.tail = 1
    assert wait(cq, 0).status == 0
    assert b"".join(bytes(page[:]) for page in pages) == bytes(data[:])
    cq.head = 1


def test_offset_in_a_list_entry_is_refused(queues):
    sq, cq = queues
    wrong, entries = PRP(), PRPList()
    wrong.offset = 512
    entries[0] = wrong
    entries[1] = PRP()
    sq[0] = read(0, 24, PRP(), entries)
    sq.tail = 1
    cqe = wait(cq, 0)
    assert (cqe.sct, cqe.sc, cqe.dnr) == (0, 0x13, 1)
    cq.head = 1


def test_scattered_queues(nvme0):
    """The queue lies in pages that are not side by side: PC=0, and a PRP list of them."""
    cq_pages, sq_pages = PRPList(), PRPList()
    pages = [PRP() for _ in range(6)]
    for i in range(2):
        cq_pages[i] = pages[i * 2]
    for i in range(3):
        sq_pages[i] = pages[5 - i * 2]
    cq = IOCQ(nvme0, 7, 300, cq_pages, pc=False)
    sq = IOSQ(nvme0, 7, 150, sq_pages, cqid=7, pc=False)
    flush = SQE(0, 1)
    for i in range(149):
        flush.cid = i
        sq[i] = flush
    sq.tail = 149
    assert {wait(cq, i).cid for i in range(149)} == set(range(149))
    cq.head = 149
    sq.delete()
    cq.delete()


def test_wrong_order_of_deletion(nvme0):
    cq = IOCQ(nvme0, 3, 4, PRP())
    sq = IOSQ(nvme0, 3, 4, PRP(), cqid=3)
    with pytest.warns(UserWarning, match="ERROR status: 01/0c"):
        cq.delete()
    sq.delete()
    cq.delete()


@pytest.mark.parametrize(
    ("qid", "depth", "status"),
    [(0, 4, "01/01"), (99, 4, "01/01"), (2, 1, "01/02"), (2, 5000, "01/02")],
)
def test_queues_that_cannot_be(nvme0, qid, depth, status):
    with pytest.warns(UserWarning, match=f"ERROR status: {status}"):
        IOCQ(nvme0, qid, depth, PRP())


def test_submission_queue_without_its_completion_queue(nvme0):
    with pytest.warns(UserWarning, match="ERROR status: 01/00"):
        IOSQ(nvme0, 5, 8, PRP(), cqid=5)


def test_deletion_with_commands_inside(nvme0):
    """What was not completed is aborted or completed, and the queue's memory is left alone then."""
    cq = IOCQ(nvme0, 6, 64, PRP())
    sq = IOSQ(nvme0, 6, 64, PRP(), cqid=6)
    for i in range(63):
        cmd = read(i, 1, PRP())
        cmd.cid = i
        sq[i] = cmd
    sq.tail = 63
    sq.delete()
    seen = 0
    while seen < 63 and CQE(cq[seen]).p:
        assert CQE(cq[seen]).status & 0x7FF in (0, 0x008)
        seen += 1
    cq.delete()


def test_entries(nvme0):
    cmd = SQE(2 | 1 << 8, 1)
    cmd.cid = 0xFFFF
    assert cmd[0] == 0xFFFF0102
    cmd[15] = 0xFFFFFFFF
    assert cmd[15] == 0xFFFFFFFF
    with pytest.raises(IndexError):
        cmd[16] = 0
    with pytest.raises(AssertionError):
        cmd[3] = 1 << 32
