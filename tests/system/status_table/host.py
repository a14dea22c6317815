"""A host of bare registers and memory: it sends any submission queue entry that 64 bytes can hold.

It leaves the project's driver out, so that what the table says of the SSD is not hidden by what the
driver checks, fills in or repairs."""

import time
from dataclasses import dataclass

import nvme as d

CAP, VS, INTMS, INTMC, CC, CSTS, NSSR, AQA, ASQ, ACQ = 0, 8, 12, 16, 20, 28, 32, 36, 40, 48
ENABLED = 4 << 20 | 6 << 16 | 1  # CC: 16-byte CQEs, 64-byte SQEs, EN
PAGE = 4096
PAGES = 34
LIMIT_S = 60
ADMIN, IO = 0, 1


@dataclass(frozen=True)
class Completion:
    cdw0: int
    sqid: int
    cid: int
    status: int
    more: bool
    dnr: bool


class Queue:
    """A submission queue and a completion queue of the same number."""

    def __init__(self, host, qid, depth=64):
        self.host, self.qid, self.depth = host, qid, depth
        self.sq, self.cq = d.Buffer(depth * 64), d.Buffer(PAGE)
        self.tail = self.head = 0
        self.phase = 1

    def submit(self, entries):
        """All entries, made visible by one doorbell."""
        for entry in entries:
            self.sq[self.tail * 64 : self.tail * 64 + 64] = entry
            self.tail = (self.tail + 1) % self.depth
        self.host.doorbell(2 * self.qid, self.tail)

    def poll(self):
        at = self.head * 16
        if self.cq[at + 14] & 1 != self.phase:
            return None
        dw0, _, dw2, dw3 = (self.cq.data(at + i + 3, at + i) for i in (0, 4, 8, 12))
        self.head = (self.head + 1) % self.depth
        self.phase ^= self.head == 0
        self.host.doorbell(2 * self.qid + 1, self.head)
        return Completion(
            dw0, dw2 >> 16, dw3 & 0xFFFF, dw3 >> 17 & 0x7FF, bool(dw3 >> 30 & 1), bool(dw3 >> 31)
        )


class Host:
    """Registers, an admin queue, and IO queue 1 when asked for; PAGES pages for data."""

    def __init__(self, ssd):
        self.pcie = d.Pcie(ssd)
        self.pcie[4] = self.pcie[4] | 6  # memory space, bus master
        self.queues = {}
        self.cid = 0
        self.events = []
        self.pages = d.Buffer(PAGES * PAGE)

    def close(self):
        self.write(CC, 0)
        self.pcie.close()

    def read(self, offset):
        return self.pcie.mem_dword_read(offset)

    def write(self, offset, value):
        self.pcie.mem_dword_write(offset, value)

    def doorbell(self, index, value):
        self.write(0x1000 + 4 * index, value)

    def page(self, index):
        """The address of a page for data."""
        return self.pages.phys_addr + index * PAGE

    def wait(self, what, condition):
        limit = time.monotonic() + LIMIT_S
        while not (found := condition()):
            assert time.monotonic() < limit, f"waited {LIMIT_S} s for {what}"
        return found

    def set_admin_queues(self, depth=64):
        admin = self.queues[ADMIN] = Queue(self, 0, depth)
        self.write(AQA, (depth - 1) << 16 | (depth - 1))
        for offset, memory in ((ASQ, admin.sq), (ACQ, admin.cq)):
            self.write(offset, memory.phys_addr & 0xFFFFFFFF)
            self.write(offset + 4, memory.phys_addr >> 32)

    def disable(self):
        self.write(CC, 0)
        self.wait("CSTS.RDY=0", lambda: not self.read(CSTS) & 1)

    def enable(self, cc=ENABLED):
        self.disable()
        self.queues.clear()
        self.set_admin_queues()
        self.write(CC, cc)
        self.wait("CSTS.RDY=1", lambda: self.read(CSTS) & 1)

    def add_io_queue(self):
        queue = Queue(self, IO)
        for opcode, memory, cdw11 in ((5, queue.cq, 1), (1, queue.sq, 1 << 16 | 1)):
            dwords = [opcode, 0, 0, 0, 0, 0, memory.phys_addr & 0xFFFFFFFF, memory.phys_addr >> 32]
            dwords += [0, 0, (queue.depth - 1) << 16 | IO, cdw11]
            assert self.send([dwords])[0].status == 0
        self.queues[IO] = queue

    def submit(self, commands, queue=ADMIN):
        """Dwords of commands; the CIDs they got."""
        entries, cids = [], []
        for dwords in commands:
            self.cid += 1
            cids.append(self.cid)
            dwords = [dwords[0] | self.cid << 16, *dwords[1:], *[0] * (16 - len(dwords))]
            entries.append(b"".join(dword.to_bytes(4, "little") for dword in dwords))
        self.queues[queue].submit(entries)
        return cids

    def send(self, commands, queue=ADMIN):
        """Submits all with one doorbell; their completions in their order."""
        cids = self.submit(commands, queue)
        done = {}

        def reap():
            while completion := self.queues[queue].poll():
                if completion.cid in cids:
                    done[completion.cid] = completion
                else:
                    self.events.append(completion)
            return len(done) == len(cids)

        self.wait(f"completions of {commands}", reap)
        return [done[cid] for cid in cids]

    def newest_error(self):
        """The first entry of the Error Information log (Base 2.0 §5.16.1.2)."""
        log = d.Buffer(PAGE)
        address = log.phys_addr
        dwords = [
            2,
            0xFFFFFFFF,
            0,
            0,
            0,
            0,
            address & 0xFFFFFFFF,
            address >> 32,
            0,
            0,
            15 << 16 | 1,
        ]
        assert self.send([dwords])[0].status == 0
        return {
            "count": log.data(7, 0),
            "sqid": log.data(9, 8),
            "cid": log.data(11, 10),
            "status": log.data(13, 12) >> 1 & 0x7FF,
            "location": log.data(15, 14),
            "lba": log.data(23, 16),
            "nsid": log.data(27, 24),
        }
