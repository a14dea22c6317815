"""What the Python Space Driver is for: queues and PRPs that nvme.Qpair will not make.

`pytest scripts/psd_examples_test.py` runs on the embedded SSD; with --dut it WRITES to the named
drive, at the first LBAs of namespace 1. Section numbers are those of NVMe Base Specification 2.0.

The queues take the identifiers 1 and up, so no Qpair and no IOWorker may exist beside them.
"""

import logging
import time

import pytest

import nvme as d
from psd import CQE, IOCQ, IOSQ, PRP, SQE, PRPList

PAGE = 4096
FLUSH, WRITE, READ = 0, 1, 2


class Pair:
    """An SQ and its CQ with the bookkeeping that a driver does: entries, heads, phases."""

    def __init__(self, nvme0, qid, qsize, sq_prp=None, cq_prp=None):
        self.qsize = qsize
        self.cq = IOCQ(nvme0, qid, qsize, cq_prp or PRP(qsize * 16))
        self.sq = IOSQ(nvme0, qid, qsize, sq_prp or PRP(qsize * 64), cqid=qid)
        self.head = 0
        self.phase = 1
        self.tail = 0

    def put(self, sqe):
        self.sq[self.tail] = sqe
        self.tail = (self.tail + 1) % self.qsize

    def ring(self):
        self.sq.tail = self.tail

    def completions(self):
        """What has arrived; the entries go back to the device."""
        arrived = []
        while CQE(self.cq[self.head]).p == self.phase:
            arrived.append(CQE(self.cq[self.head]))
            self.head = (self.head + 1) % self.qsize
            if self.head == 0:
                self.phase = 1 - self.phase
        if arrived:
            self.cq.head = self.head
        return arrived

    def wait(self, count=1):
        arrived = []
        deadline = time.monotonic() + 10
        while len(arrived) < count:
            arrived += self.completions()
            assert time.monotonic() < deadline, f"{len(arrived)} of {count} commands completed"
        return arrived

    def execute(self, sqe):
        self.put(sqe)
        self.ring()
        return self.wait()[0]

    def delete(self):
        self.sq.delete()
        self.cq.delete()


@pytest.fixture
def pair(nvme0):
    queues = Pair(nvme0, 1, 16)
    yield queues
    queues.delete()


@pytest.fixture
def lba_bytes(nvme0n1):
    return nvme0n1.sector_size


def io(opcode, nbytes, lba_bytes, prp1, prp2=0, slba=0, cid=0):
    sqe = SQE(opcode, 1)
    sqe.cid = cid
    sqe.prp1 = prp1
    sqe.prp2 = prp2
    sqe[10] = slba
    sqe[12] = nbytes // lba_bytes - 1
    return sqe


def contiguous(opcode, buf, lba_bytes, cid=0):
    """A command whose data are one Buffer, as a driver would send it."""
    size = len(buf)
    if size <= PAGE:
        return io(opcode, size, lba_bytes, buf, cid=cid)
    if size <= 2 * PAGE:
        return io(opcode, size, lba_bytes, buf, buf.phys_addr + PAGE, cid=cid)
    prp_list = PRPList()
    for i in range(1, size // PAGE):
        prp_list[i - 1] = buf.phys_addr + i * PAGE
    return io(opcode, size, lba_bytes, buf, prp_list, cid=cid)


# --- queues ---------------------------------------------------------------------------------------


def test_two_sqs_on_one_cq(nvme0, nvme0n1):
    """Completions of both SQs arrive in one CQ, and each tells its SQ's identifier and head."""
    cq = IOCQ(nvme0, 1, 32, PRP())
    sqs = [IOSQ(nvme0, sqid, 8, PRP(), cqid=1) for sqid in (1, 2)]
    for sq in sqs:
        for i in range(7):
            flush = SQE(FLUSH, 1)
            flush.cid = 100 * sq.qid + i
            sq[i] = flush
    for sq in sqs:
        sq.tail = 7

    deadline = time.monotonic() + 10
    while CQE(cq[13]).p == 0:
        assert time.monotonic() < deadline
    arrived = [CQE(cq[i]) for i in range(14)]
    assert all(cqe.status == 0 for cqe in arrived)
    for sq in sqs:
        own = [cqe for cqe in arrived if cqe.sqid == sq.qid]
        assert sorted(cqe.cid for cqe in own) == [100 * sq.qid + i for i in range(7)]
        assert own[-1].sqhd <= 7
    cq.head = 14

    with pytest.warns(UserWarning, match="ERROR status: 01/0c"):  # Invalid Queue Deletion, §5.6
        cq.delete()
    for sq in sqs:
        sq.delete()
    cq.delete()


def scattered(nbytes):
    """Pages that do not follow each other, by a list of them."""
    prp_list = PRPList()
    pages = [PRP() for _ in range(2 * -(-nbytes // PAGE))][::-2]
    for i, page in enumerate(pages):
        prp_list[i] = page
    return prp_list


def test_queues_in_scattered_memory(nvme0, nvme0n1, lba_bytes):
    """PC = 0: PRP1 points to a list of the queue's pages (§5.4, §5.5)."""
    qsize = min(512, (nvme0.cap & 0xFFFF) + 1)  # CAP.MQES is 0-based
    if nvme0.cap >> 16 & 1:  # CAP.CQR: Contiguous Queues Required
        with pytest.warns(UserWarning, match="ERROR status: 00/02"):
            IOCQ(nvme0, 1, qsize, scattered(qsize * 16))
        return

    pair = Pair(nvme0, 1, qsize, scattered(qsize * 64), scattered(qsize * 16))
    buf = PRP(PAGE, ptype=0xBEEF, pvalue=100)
    assert pair.execute(contiguous(WRITE, buf, lba_bytes)).status == 0
    # Round the queue and over its end, so that every page was used.
    for _ in range(3):
        for i in range(qsize - 1):
            pair.put(io(READ, PAGE, lba_bytes, PRP(), cid=i))
        pair.ring()
        arrived = pair.wait(qsize - 1)
        assert sorted(cqe.cid for cqe in arrived) == list(range(qsize - 1))
        assert all(cqe.status == 0 for cqe in arrived)
    pair.delete()


def test_queue_base_with_offset(nvme0, nvme0n1):
    """A queue begins at a page: the PRP entry shall have an offset of 0 (§5.4)."""
    prp = PRP(2 * PAGE)
    prp.offset = 512
    with pytest.warns(UserWarning, match="ERROR status: 00/13"):  # PRP Offset Invalid
        IOCQ(nvme0, 1, 10, prp)


def test_queue_of_wrong_size(nvme0, nvme0n1):
    """Invalid Queue Size (01/02) for one entry, and for more than CAP.MQES allows."""
    most = (nvme0.cap & 0xFFFF) + 1
    for qsize in {1, min(most + 1, 65536)}:
        if qsize == most:
            continue  # MQES allows all that the field can say
        with pytest.warns(UserWarning, match="ERROR status: 01/02"):
            IOCQ(nvme0, 1, qsize, PRP())
    cq = IOCQ(nvme0, 1, most, PRP(-(-most * 16 // PAGE) * PAGE))
    cq.delete()


# --- PRPs (§4.1.1) --------------------------------------------------------------------------------


def page_list(prp_list, pages):
    """Fills a list, and goes on in another where only one entry of its page is left for more."""
    for i, page in enumerate(pages):
        if i == len(prp_list) - 1 and page is not pages[-1]:
            prp_list[i] = page_list(PRPList(), pages[i:])
            break
        prp_list[i] = page
    return prp_list


def list_at(offset):
    prp_list = PRPList()
    prp_list.offset = offset
    return prp_list


def prp_at(offset):
    prp = PRP(PAGE)
    prp.offset = offset
    return prp


# Data of 4 pages and an LBA or so: (bytes, PRP1, PRP2 made of the pages that come after PRP1's).
CASES = {
    "one page": (PAGE, 0, None),
    "the end of a page": (512, PAGE - 512, None),
    "from the middle of a page into the next": (PAGE, PAGE - 512, "page"),
    "two pages": (2 * PAGE, 0, "page"),
    "a list": (4 * PAGE, 0, 0),
    "a list behind a part of a page": (4 * PAGE, PAGE // 2, 0),
    "a dword offset": (4 * PAGE, 4, 0),
    "a list that begins inside its page": (4 * PAGE, 0, 64),
    "a list that ends with its page": (4 * PAGE, 0, PAGE - 3 * 8),
    "a list that goes on in another page": (4 * PAGE, 0, PAGE - 2 * 8),
    "a list that begins with the pointer to another": (4 * PAGE, 0, PAGE - 8),
}


@pytest.mark.parametrize("case", CASES)
def test_prp(nvme0, nvme0n1, lba_bytes, pair, case):
    """Write from PRPs of all shapes and read back to one Buffer; then the other way round."""
    nbytes, offset, kind = CASES[case]
    if nbytes % lba_bytes != 0 or nbytes > nvme0.mdts:
        logging.info("%d bytes are no command of this drive", nbytes)
        return

    first = prp_at(offset)
    pages = [PRP() for _ in range(-(-(nbytes - (PAGE - offset)) // PAGE))]
    if kind is None:
        prp2 = 0
    elif kind == "page":
        (prp2,) = pages
    else:
        prp2 = page_list(list_at(kind), pages)

    parts = [first, *pages]
    expected = b""
    for part in parts:
        size = min(part.size, nbytes - len(expected))
        begin, end = part.offset, part.offset + size
        part[begin:end] = bytes(d.Buffer(size, ptype=0xBEEF, pvalue=100)[:])
        expected += part[begin:end]

    # From the PRPs.
    assert pair.execute(io(WRITE, nbytes, lba_bytes, first, prp2)).status == 0
    whole = PRP(max(nbytes, 512))
    assert pair.execute(contiguous(READ, whole, lba_bytes)).status == 0
    assert whole[:nbytes] == expected

    # To the PRPs: not a byte beside them is touched.
    for part in parts:
        part[:] = b"\xa5" * PAGE
    assert pair.execute(io(READ, nbytes, lba_bytes, first, prp2)).status == 0
    behind = offset + nbytes
    assert b"".join(part[:] for part in parts) == (
        b"\xa5" * offset + expected + b"\xa5" * (len(parts) * PAGE - behind)
    )


@pytest.mark.parametrize(
    ("what", "nbytes", "prp1_offset", "prp2_offset", "entry_offset"),
    [
        ("PRP1 not a multiple of 4", 2 * PAGE, 2, 0, None),
        ("PRP2 with an offset, as a page", 2 * PAGE, 0, 512, None),
        ("PRP2 not a multiple of 8, as a list", 4 * PAGE, 0, 4, 0),
        ("an entry of a list with an offset", 4 * PAGE, 0, 0, 8),
    ],
)
def test_prp_offset_invalid(
    nvme0, nvme0n1, lba_bytes, pair, what, nbytes, prp1_offset, prp2_offset, entry_offset
):
    """A drive may find the mistake (PRP Offset Invalid, 00/13) or ignore the bits, and lives on."""
    if nbytes > nvme0.mdts:
        logging.info("%d bytes are no command of this drive", nbytes)
        return
    memory = PRP(8 * PAGE)
    if entry_offset is None:
        prp2 = memory.phys_addr + 2 * PAGE + prp2_offset
    else:
        prp_list = PRPList(2 * PAGE)
        for i in range(4):
            prp_list[i] = memory.phys_addr + (2 + i) * PAGE + entry_offset
        prp2 = prp_list.phys_addr + prp2_offset
    sqe = io(READ, nbytes, lba_bytes, memory.phys_addr + prp1_offset, prp2)
    cqe = pair.execute(sqe)
    logging.info("%s: status %02x/%02x", what, cqe.sct, cqe.sc)
    assert (cqe.sct, cqe.sc) in [(0, 0), (0, 0x13)]
    memory.size = nbytes
    assert pair.execute(contiguous(READ, memory, lba_bytes)).status == 0


# --- doorbells (PCIe Transport 1.0 §3.1.2) --------------------------------------------------------


@pytest.mark.filterwarnings("ignore:AER notification")
@pytest.mark.parametrize("value", [16, 17, 0xFFFF, 0x10000, 0xFFFFFFFF])
def test_tail_beyond_the_queue(nvme0, nvme0n1, aer, value):
    """Invalid Doorbell Write Value is an error event (00h/01h); the drive goes on working."""
    events = []  # (Asynchronous Event Type, Asynchronous Event Information)
    aer(lambda cdw0, status1: events.append((cdw0 & 7, cdw0 >> 8 & 0xFF)))
    pair = Pair(nvme0, 1, 16)
    pair.sq.tail = value
    time.sleep(0.01)
    nvme0.getfeatures(7).waitdone()  # completions of AERs come on top
    logging.info("tail %#x: events %s", value, events)
    assert events in ([], [(0, 1)])  # reporting it is optional

    # What a queue does after a wrong doorbell is undefined, so it goes; a new one works.
    pair.delete()
    pair = Pair(nvme0, 1, 16)
    assert pair.execute(SQE(FLUSH, 1)).status == 0
    pair.delete()


@pytest.mark.filterwarnings("ignore:AER notification")
def test_doorbell_of_no_queue(nvme0, nvme0n1, aer):
    """Write to Invalid Doorbell Register is an error event (00h/00h)."""
    events = []  # (Asynchronous Event Type, Asynchronous Event Information)
    aer(lambda cdw0, status1: events.append((cdw0 & 7, cdw0 >> 8 & 0xFF)))
    pair = Pair(nvme0, 1, 16)
    pair.sq.delete()
    pair.sq.tail = 1  # the register is there, the queue is not
    time.sleep(0.01)
    nvme0.getfeatures(7).waitdone()
    logging.info("events %s", events)
    assert events in ([], [(0, 0)])
    pair.cq.delete()


def test_full_completion_queue(nvme0, nvme0n1):
    """A drive that finds no room in the CQ waits until the host moves the head."""
    cq = IOCQ(nvme0, 1, 4, PRP())  # room for 3
    sq = IOSQ(nvme0, 1, 16, PRP(), cqid=1)
    for i in range(10):
        flush = SQE(FLUSH, 1)
        flush.cid = i
        sq[i] = flush
    sq.tail = 10

    cids, head, phase = [], 0, 1
    deadline = time.monotonic() + 10
    while len(cids) < 10:
        time.sleep(0.001)
        while CQE(cq[head]).p == phase:
            cids.append(CQE(cq[head]).cid)
            head = (head + 1) % 4
            if head == 0:
                phase = 1 - phase
            cq.head = head
        assert time.monotonic() < deadline, f"completed: {cids}"
    assert sorted(cids) == list(range(10))
    sq.delete()
    cq.delete()


# --- deletion (§5.7) ------------------------------------------------------------------------------


def test_delete_sq_with_commands_in_flight(nvme0, nvme0n1, lba_bytes):
    """Each command completes once at most: done, or aborted by the deletion (00/08). The queue
    comes back clean under the same identifier."""
    buf = PRP(min(16 * PAGE, nvme0.mdts))
    for _ in range(20):
        pair = Pair(nvme0, 1, 64)
        for cid in range(63):
            pair.put(contiguous(READ, buf, lba_bytes, cid))
        pair.ring()
        pair.sq.delete()

        arrived = pair.completions()
        cids = [cqe.cid for cqe in arrived]
        assert len(cids) == len(set(cids))
        assert {(cqe.sct, cqe.sc) for cqe in arrived} <= {(0, 0), (0, 8)}
        assert all(cqe.sqid == 1 for cqe in arrived)
        time.sleep(0.001)
        assert pair.completions() == []  # nothing after the deletion was acknowledged
        pair.cq.delete()


def test_delete_twice(nvme0, nvme0n1):
    """Invalid Queue Identifier (01/01) for queues that are not there."""
    pair = Pair(nvme0, 1, 16)
    pair.delete()
    for queue in (pair.sq, pair.cq):
        with pytest.warns(UserWarning, match="ERROR status: 01/01"):
            queue.delete()
