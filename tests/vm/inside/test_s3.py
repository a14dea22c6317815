"""Power cycles of a real device by the sleep state S3: run in a guest by ../test_s3.py."""

from pathlib import Path

import pytest

import nvme as d

# The chipset's registers that its firmware has to restore, and QEMU's does not (of the ISA bridge:
# ACPI and RCBA; of the host bridge: PCIEXBAR). Without them the next suspend returns at once.
REGISTERS = [
    *(("0000:00:1f.0", offset) for offset in (0xF0, 0x40, 0x44)),
    *(("0000:00:00.0", offset) for offset in (0x64, 0x60)),
]


@pytest.fixture
def power_cycle(subsystem, pciaddr):
    """power_cycle(seconds), with what the firmware leaves out."""
    registers = {} if pciaddr.startswith("sim") else REGISTERS

    def cycle(seconds):
        saved = {}
        for function, offset in registers:
            with Path(f"/sys/bus/pci/devices/{function}/config").open("rb") as config:
                config.seek(offset)
                saved[function, offset] = config.read(4)
        subsystem.power_cycle(seconds)
        for (function, offset), data in saved.items():
            with Path(f"/sys/bus/pci/devices/{function}/config").open("r+b", buffering=0) as config:
                config.seek(offset)
                config.write(data)

    return cycle


def test_flushed_data_is_there_after_a_power_cycle(nvme0, nvme0n1, qpair, verify, power_cycle):
    written = d.Buffer(4096, pvalue=100, ptype=0xBEEF)
    nvme0n1.write(qpair, written, 16, 4096 // nvme0n1.sector_size).waitdone()
    nvme0n1.flush(qpair).waitdone()
    serial = nvme0.id_data(23, 4, str)
    power_cycle(2)
    nvme0.reset()

    assert nvme0.id_data(23, 4, str) == serial
    again = d.Qpair(nvme0, 16)
    read = d.Buffer(4096)
    nvme0n1.read(again, read, 16, 4096 // nvme0n1.sector_size).waitdone()
    assert read[:] == written[:]


def test_a_second_power_cycle_and_load_after_it(nvme0, nvme0n1, verify, power_cycle):
    for _ in range(2):
        power_cycle(1)
        nvme0.reset()
        result = nvme0n1.ioworker(io_size=8, read_percentage=50, region_end=4096, io_count=500)
        assert result.start().close().error == 0
