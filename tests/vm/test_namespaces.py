"""512 and 4096 bytes, zones, metadata and protection information on QEMU's controller."""

import pytest
from guests import Guest, Hardware, nvme

SIZE = 64 << 20
LBA_4096 = {"logical_block_size": 4096, "physical_block_size": 4096}
ZONES = {"zoned": True, "zoned.zone_size": 4 << 20, "zoned.zone_capacity": 3 << 20}

# In the order of inside/test_namespaces.py.
NAMESPACES = [
    {"size": SIZE},
    {"size": SIZE} | LBA_4096,
    {"size": SIZE} | LBA_4096 | ZONES,
    {"size": SIZE, "ms": 8, "mset": 1},
    {"size": SIZE, "ms": 8, "mset": 1, "pi": 1, "pil": 1},
    {"size": SIZE, "ms": 8, "mset": 0},
]


@pytest.fixture(scope="module")
def results():
    drive = nvme("nvme0", None, NAMESPACES, addr="05.0")
    with Guest([drive], load=["vfio_iommu_type1", "vfio-pci"], hardware=Hardware(cpus=1)) as guest:
        address = guest.address(drive)
        guest.bind(address, "vfio-pci")
        yield guest.pytest("tests/vm/inside/test_namespaces.py", "--dut", address)


def test_namespaces_of_all_kinds(results):
    results.assert_passed(9)
