"""A drive that leaves PCI when its power is switched off, run in a guest by ../test_handover.py."""

from pathlib import Path

import pytest

import nvme as d

PCI = Path("/sys/bus/pci/devices")


@pytest.fixture
def leaving(nvme0):
    """A subsystem whose power module makes the drive leave PCI; the kernel's rescan finds it."""
    home = PCI / nvme0.addr

    def poweroff():
        (home / "remove").write_text("1")
        assert not home.exists()

    return d.Subsystem(nvme0, poweron_cb=lambda: None, poweroff_cb=poweroff)


def test_it_goes_on_when_it_is_back(nvme0, nvme0n1, leaving):
    serial = nvme0.id_data(23, 4, str)
    written, read = d.Buffer(4096, ptype=0xBEEF, pvalue=100), d.Buffer(4096)
    for lba in (0, 64):
        qpair = d.Qpair(nvme0, 16)
        nvme0n1.write(qpair, written, lba, 8).waitdone()
        nvme0n1.flush(qpair).waitdone()
        leaving.poweroff()
        with pytest.raises(SystemError):
            nvme0[0]
        leaving.poweron()
        assert (PCI / nvme0.addr / "driver").resolve().name == "vfio-pci"
        assert nvme0[0x1C] & 1 == 0  # CSTS.RDY
        nvme0.reset()
        assert nvme0.id_data(23, 4, str) == serial
        qpair = d.Qpair(nvme0, 16)
        nvme0n1.read(qpair, read, lba, 8).waitdone()
        assert read[:] == written[:]


def test_under_load(nvme0, nvme0n1, leaving):
    worker = nvme0n1.ioworker(io_size=8, qdepth=16, read_percentage=50, time=60).start()
    while worker.progress().io_count_read < 100:
        pass
    leaving.power_cycle(0)
    nvme0.reset()
    with pytest.warns(UserWarning, match="ioworker host ERROR"):
        result = worker.close()
    assert result.error != 0
    result = nvme0n1.ioworker(io_size=8, qdepth=16, read_percentage=50, io_count=500)
    assert result.start().close().error == 0
