"""A device of the machine over VFIO: run in a guest by ../test_vfio.py, and as well on "sim"."""

import random
import time
from pathlib import Path

import pytest

import nvme as d

CSTS = 0x1C
RANDOM = 0xBEEF


@pytest.fixture
def real(pciaddr):
    """The device's folder in sysfs."""
    if pciaddr.startswith("sim"):
        pytest.skip("only of a device of the machine")
    return Path("/sys/bus/pci/devices") / pciaddr


def check_io(nvme0, nvme0n1, lba=64):
    """Four LBAs written and read back on a queue of its own."""
    qpair = d.Qpair(nvme0, 16)
    size = 4 * nvme0n1.sector_size
    written, read = d.Buffer(size, pvalue=100, ptype=RANDOM), d.Buffer(size)
    nvme0n1.write(qpair, written, lba, 4).waitdone()
    nvme0n1.read(qpair, read, lba, 4).waitdone()
    assert read[:] == written[:]
    qpair.delete()


def test_configuration_space_is_what_the_kernel_shows(pcie, real):
    shown = (real / "config").read_bytes()
    assert pcie.register(0, 4) == int.from_bytes(shown[:4], "little")
    assert pcie.register(8, 4) == 0x01080202  # an NVMe IO controller, revision 2
    assert pcie.register(4, 2) & 6 == 6  # memory space and bus mastering
    for capability in (1, 0x10, 0x11):
        assert shown[pcie.cap_offset(capability)] == capability


def test_identify(nvme0, nvme0n1):
    assert nvme0.cap & 0xFFFF >= 127
    data = d.Buffer(4096)
    nvme0.identify(data).waitdone()
    assert data.data(3, 0) == nvme0.id_data(3, 0)
    assert nvme0n1.id_data(7, 0) == nvme0n1.capacity > 4096
    assert nvme0.getfeatures(7).waitdone() & 0xFFFF >= 1


def test_every_length_up_to_mdts(nvme0, nvme0n1, qpair, verify):
    sector = nvme0n1.sector_size
    lengths = [sector, 4096, 8192, 12288, 65536, min(nvme0.mdts or 131072, 131072)]
    for number, size in enumerate(lengths):
        written, read = d.Buffer(size, pvalue=100, ptype=RANDOM), d.Buffer(size)
        lba = number * 256
        nvme0n1.write(qpair, written, lba, size // sector).waitdone()
        nvme0n1.read(qpair, read, lba, size // sector).waitdone()
        nvme0n1.compare(qpair, written, lba, size // sector).waitdone()
        assert read[:] == written[:]


def test_a_data_pointer_inside_a_page(nvme0n1, qpair):
    written, read = d.Buffer(8192, pvalue=100, ptype=RANDOM), d.Buffer(12288)
    nvme0n1.write(qpair, written, 0, 8192 // nvme0n1.sector_size).waitdone()
    read.offset = 512
    nvme0n1.read(qpair, read, 0, 8192 // nvme0n1.sector_size).waitdone()
    read.offset = 0
    assert read[512 : 512 + 8192] == written[:]


def test_workers_with_verification(nvme0n1, verify):
    region = [(0, 4096), (4096, 8192)]
    workers = [
        nvme0n1.ioworker(
            io_size=[1, 8, 32],
            lba_align=1,
            read_percentage=50,
            region_start=start,
            region_end=end,
            io_count=1500,
            qdepth=depth,
        )
        for (start, end), depth in zip(region, (4, 63), strict=True)
    ]
    results = [worker.close() for worker in [worker.start() for worker in workers]]
    assert [result.error for result in results] == [0, 0]
    assert all(result.io_count_read and result.io_count_write for result in results)


def test_interrupts_arrive_per_vector_and_can_be_masked(nvme0, nvme0n1):
    first, second = d.Qpair(nvme0, 8, iv=1), d.Qpair(nvme0, 8, iv=2)
    data = d.Buffer(4096)

    def read(qpair):
        nvme0n1.read(qpair, data, 0).waitdone()

    def arrived(qpair):
        deadline = time.monotonic() + 60
        while not qpair.msix_isset() and time.monotonic() < deadline:
            time.sleep(0.001)
        return qpair.msix_isset()

    first.msix_clear()
    second.msix_clear()
    read(first)
    assert arrived(first)
    assert not second.msix_isset()
    second.msix_mask()
    read(second)
    read(second)
    assert not second.msix_isset()
    second.msix_unmask()
    assert arrived(second)
    second.msix_clear()
    assert not second.msix_isset()
    read(second)
    assert arrived(second)


@pytest.mark.parametrize("kind", ["controller", "flr", "hot"])
def test_resets(nvme0, nvme0n1, pcie, kind):
    check_io(nvme0, nvme0n1)
    qpair = d.Qpair(nvme0, 16)
    for _ in range(2):
        {"controller": nvme0.reset, "flr": pcie.flr, "hot": pcie.reset}[kind]()
        nvme0.reset()
        check_io(nvme0, nvme0n1)
    with pytest.raises(Exception, match="not usable"):
        nvme0n1.read(qpair, d.Buffer(512), 0).waitdone()


def test_subsystem_reset(nvme0, nvme0n1, subsystem):
    if not nvme0.cap >> 36 & 1:  # CAP.NSSRS
        with pytest.raises(AssertionError, match="NSSRS"):
            subsystem.reset()
    else:
        subsystem.reset()
        nvme0.reset()
    check_io(nvme0, nvme0n1)


def test_d3hot_and_back(nvme0, nvme0n1, pcie):
    check_io(nvme0, nvme0n1)
    serial = nvme0.id_data(23, 4, str)
    for _ in range(2):
        pcie.power_state = 3
        assert pcie.power_state == 3
        with pytest.raises(SystemError, match="D3hot"):
            _ = nvme0[CSTS]
        pcie.power_state = 0
        nvme0.reset()
        assert nvme0.id_data(23, 4, str) == serial
        check_io(nvme0, nvme0n1)


def test_queues_go_on_after_d3hot_without_a_soft_reset(nvme0n1, qpair, pcie):
    if not pcie[pcie.cap_offset(1) + 4] & 8:  # No_Soft_Reset
        pytest.skip("it is reset on its way back to D0")
    written, read = d.Buffer(4096, pvalue=100, ptype=RANDOM), d.Buffer(4096)
    nvme0n1.write(qpair, written, 0, 8).waitdone()
    pcie.power_state = 3
    pcie.power_state = 0
    nvme0n1.read(qpair, read, 0, 8).waitdone()
    assert read[:] == written[:]


def test_memory_space_off_is_an_error_and_no_crash(nvme0, nvme0n1, pcie):
    command = pcie[4]
    pcie[4] = command & ~2
    try:
        with pytest.raises(SystemError, match="memory space"):
            _ = nvme0[CSTS]
        assert pcie.mem_dword_read(CSTS) == 0xFFFFFFFF
        pcie.mem_dword_write(0x24, 0)  # reaches nobody
    finally:
        pcie[4] = command
    nvme0.reset()
    check_io(nvme0, nvme0n1)


def test_a_command_that_the_device_refuses(nvme0, nvme0n1, qpair):
    with pytest.warns(UserWarning, match="ERROR status: 00/80"):
        nvme0n1.read(qpair, d.Buffer(512), nvme0n1.capacity).waitdone()
    with pytest.warns(UserWarning, match="ERROR status: 00/01"):
        nvme0.send_cmd(0x7F).waitdone()


def test_many_queues_and_much_memory(nvme0, nvme0n1):
    """Memory of more than one arena: each is mapped when it is made."""
    buffers = [d.Buffer(1 << 20) for _ in range(48)]
    count = min(8, (nvme0.getfeatures(7).waitdone() & 0xFFFF) + 1)
    qpairs = [d.Qpair(nvme0, 64) for _ in range(count)]
    sectors = 65536 // nvme0n1.sector_size
    chosen = random.sample(range(len(buffers)), count)
    for number, (qpair, index) in enumerate(zip(qpairs, chosen, strict=True)):
        buffers[index].size = 65536
        nvme0n1.write(qpair, buffers[index], number * sectors, sectors)
    for qpair in qpairs:
        qpair.waitdone()
    read = d.Buffer(65536)
    for number, index in enumerate(chosen):
        nvme0n1.read(qpairs[0], read, number * sectors, sectors).waitdone()
        assert read[:] == buffers[index][0:65536]
