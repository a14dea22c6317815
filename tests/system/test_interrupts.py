"""Interrupts as a script sees them: msix_clear(), isset(), mask(), unmask(), and registers."""

import time

import pytest

import nvme as d

INTMS, INTMC = 0x0C, 0x10
COALESCING, VECTOR_CONFIG = 8, 9
MSIX = 0x11
LIMIT_S = 60


@pytest.fixture(params=["msix", "msi", "pin"])
def kind(request):
    return request.param


def comes(qpair):
    """Whether an interrupt comes before long."""
    deadline = time.monotonic() + LIMIT_S
    while not qpair.msix_isset():
        if time.monotonic() > deadline:
            return False
    return True


def vectors(kind):
    return (0, 0) if kind == "pin" else (1, 2)


@pytest.mark.parametrize("latency", [0, 1])
def test_an_interrupt_for_each_completion(connect, kind, latency):
    nvme0 = connect(interrupts=kind, latency=latency)
    nvme0n1 = d.Namespace(nvme0)
    qpair = d.Qpair(nvme0, 16, iv=vectors(kind)[0])
    assert not qpair.msix_isset()
    for _ in range(3):
        nvme0n1.flush(qpair)
        assert comes(qpair)
        qpair.waitdone()
        qpair.msix_clear()
        assert not qpair.msix_isset()


def test_masked_is_pending_until_unmasked(connect, kind):
    nvme0 = connect(interrupts=kind)
    nvme0n1 = d.Namespace(nvme0)
    qpair = d.Qpair(nvme0, 16, iv=vectors(kind)[0])
    qpair.msix_mask()
    qpair.msix_clear()  # of the pin, which the creation of the queue has raised
    nvme0n1.flush(qpair)
    assert not qpair.msix_isset()
    qpair.msix_unmask()
    assert qpair.msix_isset()
    qpair.waitdone()


def test_polling_takes_completions_whatever_the_mask(connect, kind):
    nvme0 = connect(interrupts=kind)
    nvme0n1 = d.Namespace(nvme0)
    qpair = d.Qpair(nvme0, 16, iv=vectors(kind)[0])
    qpair.msix_mask()
    for _ in range(40):
        nvme0n1.flush(qpair).waitdone()
    qpair.msix_unmask()


def test_vectors_do_not_disturb_each_other(connect):
    nvme0 = connect()
    nvme0n1 = d.Namespace(nvme0)
    one, two, other = (d.Qpair(nvme0, 16, iv=iv) for iv in (1, 2, 2))
    one.msix_mask()
    nvme0n1.flush(one)
    assert not two.msix_isset()
    nvme0n1.flush(two)
    assert two.msix_isset()
    assert other.msix_isset(), "they share a vector"
    assert not one.msix_isset()
    for qpair in (one, two):
        qpair.waitdone()


def test_pending_bit_array(connect):
    nvme0 = connect()
    nvme0n1 = d.Namespace(nvme0)
    pcie = d.Pcie(nvme0)
    cap = pcie.cap_offset(MSIX)
    pba = pcie.register(cap + 8) & ~7
    qpair = d.Qpair(nvme0, 16, iv=5)
    qpair.msix_mask()
    assert pcie.mem_dword_read(pba) == 0
    nvme0n1.flush(qpair).waitdone()
    assert pcie.mem_dword_read(pba) == 1 << 5
    qpair.msix_unmask()
    assert pcie.mem_dword_read(pba) == 0


def test_function_mask(connect):
    nvme0 = connect()
    nvme0n1 = d.Namespace(nvme0)
    pcie = d.Pcie(nvme0)
    control = pcie.cap_offset(MSIX) + 3
    qpair = d.Qpair(nvme0, 16, iv=5)
    pcie[control] = pcie[control] | 0x40
    nvme0n1.flush(qpair)
    assert not qpair.msix_isset()
    pcie[control] = pcie[control] & ~0x40
    assert qpair.msix_isset()
    qpair.waitdone()


def test_queue_without_interrupts(connect, kind):
    nvme0 = connect(interrupts=kind)
    nvme0n1 = d.Namespace(nvme0)
    silent = d.Qpair(nvme0, 16, ien=False, iv=vectors(kind)[0])
    heard = d.Qpair(nvme0, 16, iv=vectors(kind)[0])
    heard.msix_clear()
    nvme0n1.flush(silent).waitdone()
    assert not heard.msix_isset()
    for method in ("clear", "isset", "mask", "unmask"):
        with pytest.raises(AssertionError, match="ien=False"):
            getattr(silent, "msix_" + method)()


def test_vector_out_of_range(connect, kind, warned):
    nvme0 = connect(interrupts=kind)
    beyond = {"msix": 17, "msi": 32, "pin": 1}[kind]
    with pytest.raises(d.QpairCreationError, match="01/08"):
        d.Qpair(nvme0, 16, iv=beyond)
    d.Qpair(nvme0, 16, iv=beyond - 1)


@pytest.mark.parametrize("kind", ["msi", "pin"])
def test_mask_registers(connect, kind):
    """INTMS and INTMC; not to be used with MSI-X (NVMe Base 2.0 §3.1.3.3)."""
    nvme0 = connect(interrupts=kind)
    nvme0n1 = d.Namespace(nvme0)
    iv = vectors(kind)[0]
    qpair = d.Qpair(nvme0, 16, iv=iv)
    nvme0[INTMS] = 1 << iv
    assert nvme0[INTMS] == nvme0[INTMC] == 1 << iv
    qpair.msix_clear()  # of the pin, which the creation of the queue has raised
    nvme0n1.flush(qpair)
    assert not qpair.msix_isset()
    nvme0[INTMC] = 1 << iv
    assert nvme0[INTMS] == 0
    assert qpair.msix_isset()
    qpair.waitdone()


def test_interrupt_status_of_a_disabled_pin(connect):
    """PCI 3.0 §6.2.3: Interrupt Disable does not take the status away."""
    nvme0 = connect(interrupts="pin")
    nvme0n1 = d.Namespace(nvme0)
    pcie = d.Pcie(nvme0)
    qpair = d.Qpair(nvme0, 16, iv=0)
    pcie[5] = pcie[5] | 4
    assert pcie[6] & 8 == 0
    nvme0n1.flush(qpair)
    assert pcie[6] & 8
    qpair.waitdone()
    nvme0n1.flush(qpair).waitdone()  # its head doorbell takes the first entry away, too
    pcie[5] = pcie[5] & ~4


class TestCoalescing:
    @pytest.fixture
    def nvme0(self, connect):
        return connect()

    @pytest.fixture
    def nvme0n1(self, nvme0):
        return d.Namespace(nvme0)

    @pytest.fixture
    def qpair(self, nvme0):
        return d.Qpair(nvme0, 64, iv=1)

    @staticmethod
    def coalesce(nvme0, entries, time_100us):
        nvme0.setfeatures(COALESCING, cdw11=time_100us << 8 | entries - 1).waitdone()

    def test_by_time(self, nvme0, nvme0n1, qpair):
        self.coalesce(nvme0, 64, 200)
        began = time.monotonic()
        nvme0n1.flush(qpair)
        assert comes(qpair)
        assert time.monotonic() - began >= 0.02
        qpair.waitdone()

    def test_by_entries(self, nvme0, nvme0n1, qpair):
        self.coalesce(nvme0, 4, 255)
        began = time.monotonic()
        for entries in range(1, 5):
            nvme0n1.flush(qpair)
            isset = qpair.msix_isset()
            # The aggregation time is over after 25.5 ms.
            assert not isset or entries == 4 or time.monotonic() - began > 0.025, entries
        assert qpair.msix_isset()
        qpair.waitdone(4)

    def test_not_for_a_vector_that_is_exempt(self, nvme0, nvme0n1, qpair):
        self.coalesce(nvme0, 256, 255)
        nvme0.setfeatures(VECTOR_CONFIG, cdw11=1 << 16 | 1).waitdone()
        nvme0n1.flush(qpair).waitdone()
        assert qpair.msix_isset()
        held = d.Qpair(nvme0, 64, iv=2)
        began = time.monotonic()
        nvme0n1.flush(held).waitdone()
        isset = held.msix_isset()
        assert not isset or time.monotonic() - began > 0.025

    def test_never_for_admin_commands(self, nvme0):
        self.coalesce(nvme0, 256, 255)
        seconds = []
        for _ in range(100):
            began = time.monotonic()
            nvme0.getfeatures(7).waitdone()
            seconds.append(time.monotonic() - began)
        assert min(seconds) < 0.025


def test_admin_completions_wait_for_their_interrupt(connect, warned):
    nvme0 = connect()
    pcie = d.Pcie(nvme0)
    table = pcie.register(pcie.cap_offset(MSIX) + 4) & ~7
    nvme0.timeout = 300
    pcie.mem_dword_write(table + 12, 1)  # mask vector 0
    cid = nvme0.getfeatures(7).latest_cid
    nvme0.waitdone()
    assert warned()[0] == f"drive timeout: qpair: 0, cid: {cid}"
    nvme0.timeout = 60_000
    pcie.mem_dword_write(table + 12, 0)
    assert nvme0.getfeatures(7).waitdone() == 15 << 16 | 15
    assert warned() == []
