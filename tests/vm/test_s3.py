"""A power cycle of a real device is the sleep state S3 of the machine, ended by its clock."""

from guests import Guest, Hardware, nvme
from guests.memory import pytest_in_memory


def test_power_cycles_over_vfio():
    drive = nvme("nvme0", 256 << 20, addr="05.0")
    modules = ["vfio_iommu_type1", "vfio-pci"]
    hardware = Hardware(cpus=1)
    with Guest([drive], load=modules, boot="bzimage", hardware=hardware) as guest:
        address = guest.address(drive)
        guest.bind(address, "vfio-pci")
        output = pytest_in_memory(guest, "tests/vm/inside/test_s3.py", dut=address)
        assert "2 passed" in output
