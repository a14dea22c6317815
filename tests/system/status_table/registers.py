"""Registers: NVMe Base 2.0c §3.1.3, PCIe transport 1.0c §3.1.2 (doorbells)."""

import time
from dataclasses import dataclass, field

from status_table.host import (
    ACQ,
    ADMIN,
    AQA,
    ASQ,
    CC,
    CSTS,
    ENABLED,
    INTMC,
    INTMS,
    IO,
    NSSR,
    VS,
    Host,
)
from status_table.row import Does

RDY, CFS, NSSRO = 1, 2, 16
CMBLOC, CMBSZ, BPINFO, PMRCAP = 0x38, 0x3C, 0x40, 0xE00
QUIET_S = 0.02  # what has not come by then in a device that works in the calling thread never will


@dataclass(frozen=True)
class ReadOnly:
    """Writes change nothing."""

    name: str
    offset: int
    mask: int = 0xFFFFFFFF
    value: int | None = None
    clause: str = "Base 2.0 §3.1.3"
    ssd: dict = field(default_factory=dict)

    @property
    def id(self):
        return f"register-{self.name} is read only"

    def check(self, host: Host):
        host.enable()
        before = host.read(self.offset)
        if self.value is not None:
            assert before == self.value
        for value in (0xFFFFFFFF & self.mask, 0, 0xA5A5A5A5 & self.mask):
            host.write(self.offset, value)
            assert host.read(self.offset) == before
        assert host.read(CSTS) & (RDY | CFS) == RDY


@dataclass(frozen=True)
class Keeps:
    """Of all ones written, these bits stay."""

    name: str
    offset: int
    expected: int
    clause: str
    ssd: dict = field(default_factory=dict)

    @property
    def id(self):
        return f"register-{self.name} keeps {self.expected:#x}"

    def check(self, host: Host):
        host.disable()
        host.write(self.offset, 0xFFFFFFFF)
        assert host.read(self.offset) == self.expected
        host.enable()


@dataclass(frozen=True)
class NotReady:
    """Enabled with this, the controller does not become ready; enabled rightly, it does."""

    name: str
    clause: str
    cc: int = ENABLED
    registers: dict = field(default_factory=dict)
    ssd: dict = field(default_factory=dict)

    @property
    def id(self):
        return f"register-not ready with {self.name}"

    def check(self, host: Host):
        host.disable()
        host.set_admin_queues()
        for offset, value in self.registers.items():
            host.write(offset, value)
        host.write(CC, self.cc)
        time.sleep(QUIET_S)
        assert host.read(CSTS) & RDY == 0, self.clause
        host.enable()
        assert host.read(CSTS) & (RDY | CFS) == RDY


@dataclass(frozen=True)
class Doorbell:
    """A wrong doorbell raises an Error event, is logged, and stops no queue."""

    name: str
    index: int
    value: int
    info: int
    clause: str = "Base 2.0 figure 146"
    ssd: dict = field(default_factory=dict)

    @property
    def id(self):
        return f"register-doorbell {self.name}"

    def check(self, host: Host):
        host.enable()
        host.add_io_queue()
        errors = host.newest_error()["count"]
        host.submit([[0x0C]])
        host.doorbell(self.index, self.value)
        event = host.wait("the event", lambda: host.queues[ADMIN].poll())
        assert event.status == 0
        assert event.cdw0 == 0x01 << 16 | self.info << 8 | 0  # log page, information, type Error
        entry = host.newest_error()
        assert entry["count"] == errors + 1
        assert (entry["sqid"], entry["cid"]) == (0xFFFF, 0xFFFF)
        assert host.send([[0x00, 1]], IO)[0].status == 0
        assert host.read(CSTS) & (RDY | CFS) == RDY


def interrupt_mask(host):
    host.enable()
    assert host.read(INTMS) == 0
    host.write(INTMS, 0b101)
    assert host.read(INTMS) == host.read(INTMC) == 0b101
    host.write(INTMS, 0b010)
    assert host.read(INTMS) == 0b111, "a zero leaves a bit as it is"
    host.write(INTMC, 0b001)
    assert host.read(INTMS) == host.read(INTMC) == 0b110


def subsystem_reset(host):
    host.enable()
    for wrong in (0, 1, 0x4E564D64, 0x654D564E, 0xFFFFFFFF):
        host.write(NSSR, wrong)
        assert host.read(CSTS) == RDY
    host.write(NSSR, 0x4E564D65)
    host.pcie[4] = host.pcie[4] | 6
    host.wait("CSTS.NSSRO", lambda: host.read(CSTS) & NSSRO)
    assert host.read(CC) & 1 == 0
    host.write(CSTS, RDY | CFS)
    assert host.read(CSTS) & NSSRO, "cleared by a one only"
    host.write(CSTS, NSSRO)
    assert host.read(CSTS) == 0
    host.enable()


def nssr_reads_zero(host):
    host.enable()
    host.write(NSSR, 0x12345678)
    assert host.read(NSSR) == 0


def shutdown(kind):
    def check(host):
        host.enable()
        host.write(CC, ENABLED | kind << 14)
        host.wait("CSTS.SHST=10b", lambda: host.read(CSTS) >> 2 & 3 == 2)
        host.disable()
        host.enable()
        assert host.read(CSTS) == RDY

    return check


def queues_are_gone(host):
    host.enable()
    host.add_io_queue()
    host.enable()
    host.add_io_queue()
    assert host.send([[0x00, 1]], IO)[0].status == 0


def admin_queue_registers_survive(host):
    host.enable()
    before = [host.read(offset) for offset in (AQA, ASQ, ASQ + 4, ACQ, ACQ + 4)]
    host.disable()
    assert [host.read(offset) for offset in (AQA, ASQ, ASQ + 4, ACQ, ACQ + 4)] == before


def entry_sizes_not_set(shift, create_sq):
    """Base 2.0 §5.4, §5.5: Invalid Queue Size before CC.IOCQES or CC.IOSQES is initialised."""

    def create(host, opcode, page, cdw11):
        low, high = host.page(page) & 0xFFFFFFFF, host.page(page) >> 32
        dwords = [opcode, 0, 0, 0, 0, 0, low, high, 0, 0, 7 << 16 | 1, cdw11]
        return host.send([dwords])[0]

    def check(host):
        host.enable(ENABLED & ~(0xF << shift))
        failed = create(host, 5, 0, 1)
        if create_sq:
            assert failed.status == 0
            failed = create(host, 1, 1, 1 << 16 | 1)
        assert (failed.status, failed.dnr) == (0x102, True)

    return check


def undefined_offsets(host):
    host.enable()
    for offset in (0x18, 0x6C, 0x80, 0xF00, 0xFFC):
        host.write(offset, 0xFFFFFFFF)
        assert host.read(offset) == 0, f"reserved offset {offset:#x}"
    assert host.read(CSTS) == RDY


ROWS = [
    ReadOnly("CAP low", 0x00),
    ReadOnly("CAP high", 0x04),
    ReadOnly("VS", VS),
    # Bit 4, NSSRO, is cleared by a one.
    ReadOnly("CSTS", CSTS, mask=0xFFFFFFEF, value=RDY),
    ReadOnly("CMBLOC", CMBLOC, value=0, clause="§3.1.3.11: no controller memory buffer"),
    ReadOnly("CMBSZ", CMBSZ, value=0, clause="§3.1.3.12: no controller memory buffer"),
    ReadOnly("BPINFO", BPINFO, value=0, clause="§3.1.3.13: no boot partitions"),
    ReadOnly("PMRCAP", PMRCAP, value=0, clause="§3.1.3.20: no persistent memory region"),
    Keeps("AQA", AQA, 0x0FFF0FFF, "§3.1.3.8: reserved bits"),
    Keeps("ASQ", ASQ, 0xFFFFF000, "§3.1.3.9: bits 11:0 are reserved"),
    Keeps("ACQ", ACQ, 0xFFFFF000, "§3.1.3.10: bits 11:0 are reserved"),
    NotReady("CC.MPS=1", "§3.1.3.5: above CAP.MPSMAX", cc=ENABLED | 1 << 7),
    NotReady("CC.MPS=15", "§3.1.3.5: above CAP.MPSMAX", cc=ENABLED | 15 << 7),
    NotReady("CC.AMS=2", "§3.1.3.5: reserved", cc=ENABLED | 2 << 11),
    NotReady("CC.AMS=7", "§3.1.3.5: vendor specific, not in CAP.AMS", cc=ENABLED | 7 << 11),
    NotReady("CC.CSS=1", "§3.1.3.5: reserved", cc=ENABLED | 1 << 4),
    NotReady("CC.CSS=5", "§3.1.3.5: reserved", cc=ENABLED | 5 << 4),
    NotReady("AQA=0", "§3.1.3.8: two entries at least", registers={AQA: 0}),
    NotReady("AQA.ASQS=0", "§3.1.3.8: two entries at least", registers={AQA: 63 << 16}),
    NotReady("AQA.ACQS=0", "§3.1.3.8: two entries at least", registers={AQA: 63}),
    NotReady("ASQ=0", "§3.5.1: not set", registers={ASQ: 0, ASQ + 4: 0}),
    NotReady("ACQ=0", "§3.5.1: not set", registers={ACQ: 0, ACQ + 4: 0}),
    Doorbell("of SQ 9, which is not there", 18, 1, 0),
    Doorbell("of CQ 9, which is not there", 19, 1, 0),
    Doorbell("of SQ 60, which cannot be", 120, 1, 0),
    Doorbell("of CQ 60, which cannot be", 121, 1, 0),
    Doorbell("of SQ 1 with its size", 2, 64, 1),
    Doorbell("of SQ 1 with ffff", 2, 0xFFFF, 1),
    Doorbell("of CQ 1 with its size", 3, 64, 1),
    Doorbell("of CQ 1 with ffff", 3, 0xFFFF, 1),
    Doorbell("of CQ 1, which is empty", 3, 1, 1),
    Doorbell("of SQ 0 with its size", 0, 64, 1),
    Doorbell("of CQ 0 with its size", 1, 64, 1),
    Does("register-INTMS and INTMC set and clear one mask", "§3.1.3.3, §3.1.3.4", interrupt_mask),
    Does("register-NSSR resets for 4E564D65h only", "§3.1.3.7", subsystem_reset),
    Does("register-NSSR reads as zero", "§3.1.3.7", nssr_reads_zero),
    Does("register-CC.SHN=01b shuts down", "§3.1.3.5", shutdown(1)),
    Does("register-CC.SHN=10b shuts down", "§3.1.3.5", shutdown(2)),
    Does("register-CC.EN=0 deletes the IO queues", "§3.7.2", queues_are_gone),
    Does("register-CC.EN=0 keeps AQA, ASQ, ACQ", "§3.7.2", admin_queue_registers_survive),
    Does("register-CC.IOCQES=0", "§5.4", entry_sizes_not_set(20, False)),
    Does("register-CC.IOSQES=0", "§5.5", entry_sizes_not_set(16, True)),
    Does("register-reserved offsets read as zero", "§3.1.3", undefined_offsets),
]
