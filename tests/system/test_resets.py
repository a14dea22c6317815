"""Every kind of reset, and what must hold after it.

NVMe Base 2.0 §3.7: registers, queues, features, SMART counters, data.
"""

import contextlib

import pytest

import nvme as d

CC, CSTS, NSSR = 0x14, 0x1C, 0x20
ADMIN_QUEUE = (0x24, 0x28, 0x2C, 0x30, 0x34)  # AQA, ASQ, ACQ
NSSRO = 0x10
NSSR_RESET = 0x4E564D65  # "NVMe"
PCI_EXPRESS = 0x10
SAVE = 1 << 31


class Dut:
    def __init__(self, nvme0):
        self.nvme0 = nvme0
        self.pcie = d.Pcie(nvme0)
        self.subsystem = d.Subsystem(nvme0)
        self.nvme0n1 = d.Namespace(nvme0)
        assert self.nvme0n1.verify_enable()

    def write(self, lba, value, fua=False):
        buf = d.Buffer(512)
        buf[8:504] = bytes([value]) * 496
        qpair = d.Qpair(self.nvme0, 8)
        self.nvme0n1.write(qpair, buf, lba, io_flags=0x4000 if fua else 0).waitdone()

    def value(self, lba):
        buf = d.Buffer(512)
        self.nvme0n1.read(d.Qpair(self.nvme0, 8), buf, lba).waitdone()
        return buf[8]

    def feature(self, fid, sel=0, nsid=0):
        return self.nvme0.send_cmd(0x0A, nsid=nsid, cdw10=fid | sel << 8).waitdone()

    def counters(self):
        buf = d.Buffer(512)
        self.nvme0.getlogpage(2, buf, 512).waitdone()
        return buf.data(127, 112), buf.data(159, 144)  # power cycles, unsafe shutdowns

    def write_flr(self):
        offset = self.pcie.cap_offset(PCI_EXPRESS) + 9  # Device Control, upper byte
        self.pcie[offset] = self.pcie[offset] | 0x80


def disable(dut):
    dut.nvme0[CC] = dut.nvme0[CC] & ~1


def shut_down_and_cut(dut, abrupt=False):
    dut.subsystem.shutdown_notify(abrupt)
    dut.subsystem.power_cycle(0)


# name: how it is done, whether the function answers without a Controller.reset(), whether the power
# goes, whether that loses what was not flushed.
RESETS = {
    "reset": (lambda dut: None, True, False, False),
    "cc_en": (disable, True, False, False),
    "flr": (lambda dut: dut.pcie.flr(), True, False, False),
    "raw flr": (Dut.write_flr, False, False, False),
    "hot reset": (lambda dut: dut.pcie.reset(), True, False, False),
    "nssr": (lambda dut: dut.subsystem.reset(), True, False, False),
    "raw nssr": (lambda dut: dut.nvme0.__setitem__(NSSR, NSSR_RESET), False, False, False),
    "shutdown": (lambda dut: dut.subsystem.shutdown_notify(), True, False, False),
    "abrupt shutdown": (lambda dut: dut.subsystem.shutdown_notify(True), True, False, False),
    "power loss": (lambda dut: dut.subsystem.power_cycle(0), True, True, True),
    "shutdown, power": (shut_down_and_cut, True, True, False),
    "abrupt shutdown, power": (lambda dut: shut_down_and_cut(dut, True), True, True, False),
}
# These leave the controller enabled until Controller.reset() disables it.
ENABLED = {"reset", "shutdown", "abrupt shutdown"}


class Reset:
    def __init__(self, name):
        self.name = name
        self.make, self.answers, self.power, self.loses = RESETS[name]


@pytest.fixture(params=RESETS)
def reset(request):
    return Reset(request.param)


@pytest.fixture
def dut(nvme0):
    return Dut(nvme0)


@pytest.fixture(autouse=True)
def no_warnings(warned):
    yield
    assert warned() == []


def test_registers(dut, reset):
    before = [dut.nvme0[offset] for offset in ADMIN_QUEUE]
    assert before[0]
    assert before[1] | before[2]
    assert before[3] | before[4]
    dut.nvme0[0x0C] = 5
    cap = dut.nvme0.cap
    reset.make(dut)
    if reset.name in ENABLED:
        return
    if not reset.answers:
        with pytest.raises(SystemError):
            _ = dut.nvme0[CSTS]
        return
    assert dut.nvme0.cap == cap
    assert dut.nvme0[CSTS] == (NSSRO if reset.name == "nssr" else 0)
    assert dut.nvme0[0x0C] == 0, "INTMS"
    if reset.name == "cc_en":
        assert dut.nvme0[CC] & 1 == 0
        # Of all resets this one alone keeps the admin queue's place (§3.7.2).
        assert [dut.nvme0[offset] for offset in ADMIN_QUEUE] == before
    else:
        assert [dut.nvme0[offset] for offset in (CC, *ADMIN_QUEUE)] == [0] * 6


def test_works_again_without_a_queue_left(dut, reset, system):
    qpair = d.Qpair(dut.nvme0, 8)
    reset.make(dut)
    dut.nvme0.reset()
    assert dut.nvme0[CSTS] & 3 == 1
    assert dut.nvme0[CSTS] >> 2 & 3 == 0, "not shut down"
    with pytest.raises(AssertionError):
        dut.nvme0n1.flush(qpair)
    qpair.delete()
    system.assert_clean(dut.nvme0)


def test_twice_in_a_row(dut, reset):
    for _ in range(2):
        reset.make(dut)
        dut.nvme0.reset()
    assert dut.feature(7) == 15 << 16 | 15


def test_subsystem_reset_is_told_until_cleared(dut):
    dut.nvme0[NSSR] = 0x4E564D64  # anything else does nothing
    assert dut.nvme0[CSTS] == 1
    dut.nvme0[NSSR] = NSSR_RESET
    dut.nvme0.reset()
    assert dut.nvme0[CSTS] & NSSRO
    dut.nvme0.reset()
    assert dut.nvme0[CSTS] & NSSRO
    dut.nvme0[CSTS] = NSSRO
    assert dut.nvme0[CSTS] & NSSRO == 0


def test_interrupts_and_configuration(dut, reset):
    dut.pcie.aspm = 2
    reset.make(dut)
    dut.nvme0.reset()
    assert dut.pcie.aspm == 2
    qpair = d.Qpair(dut.nvme0, 8, iv=3)
    qpair.msix_clear()
    dut.nvme0n1.flush(qpair).waitdone()
    assert qpair.msix_isset()


def test_features(dut, reset):
    dut.nvme0.setfeatures(0x01, cdw11=3).waitdone()
    dut.nvme0.setfeatures(0x08, sv=1, cdw11=0x0102).waitdone()
    dut.nvme0.send_cmd(0x09, nsid=1, cdw10=0x05 | SAVE, cdw11=7).waitdone()
    dut.nvme0.send_cmd(0x09, nsid=1, cdw10=0x84, cdw11=1).waitdone()
    buf = d.Buffer(4096)
    buf[0:6] = [0, 0, 0, 0, 1, 0]
    dut.nvme0.setfeatures(0x0E, buf=buf).waitdone()
    reset.make(dut)
    dut.nvme0.reset()
    assert dut.feature(0x01) == 2, "not saved: the default"
    assert dut.feature(0x08) == 0x0102
    assert dut.feature(0x08, sel=1) == 0
    assert dut.feature(0x05, nsid=1) == 7
    assert dut.feature(0x84, nsid=1) == 1, "write protection stays"
    dut.nvme0.getfeatures(0x0E, buf=buf).waitdone()
    assert buf.data(5, 0) < 1 << 32, "the timestamp begins anew"
    assert buf[6] >> 1 & 7 == 0


def test_smart_counters(dut, reset):
    cycles, unsafe = dut.counters()
    reset.make(dut)
    dut.nvme0.reset()
    assert dut.counters() == (cycles + reset.power, unsafe + reset.loses)


def test_data(dut, reset):
    dut.write(0, 1)
    dut.nvme0n1.flush(d.Qpair(dut.nvme0, 8)).waitdone()
    dut.write(1, 2, fua=True)
    dut.write(0, 3)
    dut.write(2, 4)
    reset.make(dut)
    dut.nvme0.reset()
    assert dut.value(1) == 2, "FUA"
    assert dut.value(0) == (1 if reset.loses else 3)
    assert dut.value(2) == (0 if reset.loses else 4)


def test_commands_in_flight(connect, reset):
    """They end with the queue; nothing of them comes later."""
    dut = Dut(connect(latency=50))
    qpair = d.Qpair(dut.nvme0, 64)
    bufs = [d.Buffer(4096, ptype=32, pvalue=0xA5A5A5A5) for _ in range(32)]
    for lba, buf in enumerate(bufs):
        dut.nvme0n1.read(qpair, buf, lba * 8, 8)
    reset.make(dut)
    dut.nvme0.reset()
    left = [buf[:] for buf in bufs]
    with contextlib.suppress(AssertionError):
        qpair.waitdone(32)
    fresh = d.Qpair(dut.nvme0, 64)
    dut.nvme0n1.flush(fresh).waitdone()
    assert [buf[:] for buf in bufs] == left
    assert all(set(data) in ({0xA5}, {0}) for data in left)


def test_events_are_armed_again(dut, reset):
    reset.make(dut)
    dut.nvme0.reset()
    events = []
    dut.nvme0.aer(cb=lambda cpl: events.append(cpl[0]))
    dut.nvme0.setfeatures(0x04, cdw11=280).getfeatures(7)
    with pytest.warns(UserWarning, match="AER notification is triggered: 0x20101"):
        dut.nvme0.waitdone(2)
    assert events == [0x20101]


class TestD3hot:
    """PCI Power Management 1.2; No_Soft_Reset is set, so nothing is lost."""

    def test_registers_do_not_answer(self, dut):
        dut.pcie.power_state = 3
        assert dut.pcie.power_state == 3
        with pytest.raises(SystemError):
            _ = dut.nvme0[CSTS]
        assert dut.pcie.register(0, 2) != 0xFFFF, "configuration space does"
        dut.pcie.power_state = 0
        assert dut.nvme0[CSTS] == 1

    def test_everything_is_as_it_was(self, dut):
        qpair = d.Qpair(dut.nvme0, 8)
        dut.nvme0.setfeatures(0x01, cdw11=3).waitdone()
        before = dut.counters()
        dut.pcie.power_state = 3
        dut.pcie.power_state = 0
        dut.nvme0n1.flush(qpair).waitdone()
        assert dut.feature(0x01) == 3
        assert dut.counters() == before

    def test_states_that_are_not_there(self, dut):
        for state in (1, 2):
            dut.pcie.power_state = state
            assert dut.pcie.power_state == 0

    def test_reset_ends_it(self, dut):
        dut.pcie.power_state = 3
        dut.pcie.flr()
        dut.nvme0.reset()
        assert dut.pcie.power_state == 0
        assert dut.feature(7) == 15 << 16 | 15


@pytest.mark.parametrize("aspm", [0, 1, 2, 3])
def test_aspm(dut, aspm):
    dut.pcie.aspm = aspm
    assert dut.pcie.aspm == aspm
    dut.write(0, 1)
    assert dut.value(0) == 1
    dut.nvme0.reset()
    assert dut.pcie.aspm == aspm


@pytest.mark.parametrize("shn", [1, 2])
def test_shutdown_by_register(dut, shn):
    dut.nvme0[CC] = dut.nvme0[CC] & ~0xC000 | shn << 14
    while dut.nvme0[CSTS] >> 2 & 3 != 2:
        pass
    assert dut.nvme0[CSTS] & 1, "still ready"
    dut.subsystem.power_cycle(0)
    dut.nvme0.reset()
    assert dut.counters() == (2, 0)
