"""The Python Space Driver against the embedded SSD, with the exact status of each mistake."""

import pytest

import nvme as d
from psd import CQE, IOCQ, IOSQ, PRP, SQE, PRPList

PAGE = 4096
READ = 2


@pytest.fixture
def queues(nvme0):
    cq = IOCQ(nvme0, 1, 16, PRP())
    sq = IOSQ(nvme0, 1, 16, PRP(), cqid=1)
    yield sq, cq
    sq.delete()
    cq.delete()


def status_of_read(queues, pages, prp1, prp2):
    sq, cq = queues
    sqe = SQE(READ, 1)
    sqe.prp1, sqe.prp2 = prp1, prp2
    sqe[12] = pages * PAGE // 512 - 1
    sq[0] = sqe
    sq.tail = 1
    cqe = CQE(cq[0])
    assert cqe.p == 1  # without latency it is there at once
    cq.head = 1
    return cqe.sct, cqe.sc, cqe.dnr


def prp_list(memory, shift=0, at=None):
    pages = PRPList()
    for i in range(4):
        pages[i] = memory.phys_addr + (2 + i) * PAGE + (shift if i == at else 0)
    return pages


@pytest.mark.parametrize("offset", [1, 2, 3])
def test_prp1_that_is_not_dword_aligned(queues, offset):
    memory = PRP(2 * PAGE)
    assert status_of_read(queues, 1, memory.phys_addr + offset, memory.phys_addr + PAGE) == (
        0, 0x13, 1
    )  # fmt: skip


@pytest.mark.parametrize("offset", [4, 512, 4092])
def test_prp2_page_with_an_offset(queues, offset):
    memory = PRP(4 * PAGE)
    assert status_of_read(queues, 2, memory, memory.phys_addr + PAGE + offset) == (0, 0x13, 1)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_entry_of_a_list_with_an_offset(queues, at):
    memory = PRP(8 * PAGE)
    pages = prp_list(memory, 8, at)
    assert status_of_read(queues, 4, memory, pages) == (0, 0x13, 1)


def test_what_lies_behind_the_last_entry_is_not_looked_at(queues):
    memory = PRP(8 * PAGE)
    assert status_of_read(queues, 4, memory, prp_list(memory, 8, 3)) == (0, 0, 0)


def test_illegal_doorbells_are_events(nvme0, queues):
    events = []
    nvme0.aer(cb=lambda cdw0, status1: events.append(cdw0 & 0xFFFFFF))
    queues[0].tail = 16  # the queue has 16 entries: 0 to 15
    with pytest.warns(UserWarning, match="AER notification is triggered"):
        nvme0.getfeatures(7).waitdone()
    assert events == [0x010100]  # error, Invalid Doorbell Write Value, log page 1
    nvme0.getlogpage(1, d.Buffer(64), 64).waitdone()  # lets the next one come
    nvme0[0x1000 + 2 * 9 * 4] = 1  # submission queue 9, which is not there
    with pytest.warns(UserWarning, match="AER notification is triggered"):
        nvme0.getfeatures(7).waitdone()
    assert events[1:] == [0x010000]  # error, Write to Invalid Doorbell Register


def test_a_queue_that_does_not_begin_with_its_buffer(nvme0, nvme0n1):
    pages = PRP(3 * 4096)
    pages.offset = 4096
    cq = IOCQ(nvme0, 7, 16, PRP())
    sq = IOSQ(nvme0, 7, 16, pages, cqid=7)
    flush = SQE(0, 1)
    flush.cid = 77
    sq[0] = flush
    assert pages[4096:4100] == flush[0].to_bytes(4, "little")
    sq.tail = 1
    while CQE(cq[0]).p == 0:
        pass
    assert (CQE(cq[0]).cid, CQE(cq[0]).status) == (77, 0)
    sq.delete()
    cq.delete()
