"""./pynvme info, setup and reset on a machine whose drives are in use, and on one without an IOMMU.

What is tested runs in the guest: tests/vm/inside/test_handover.py and test_leaving.py.
"""

import json
import sys

import pytest
from guests import Device, Guest, Hardware, nvme

INSIDE = "tests/vm/inside/test_handover.py"
PYNVME = [sys.executable, "-m", "nvme.cli"]


def test_drives_in_use(guest, drive):
    drives = [drive(256 << 20, serial=f"SERIAL{number}") for number in range(2)]
    for device in drives:
        guest.nvme_name(device.address)
    guest.modprobe("ext4", "raid1", "dm-mod", "loop")
    addresses = " ".join(device.address for device in drives)
    guest.pytest(INSIDE, env={"PYNVME_DRIVES": addresses}).assert_passed()


def test_a_drive_that_leaves_pci(guest, drive):
    address = drive(64 << 20, serial="LEAVES").address
    guest.nvme_name(address)
    result = guest.run([*PYNVME, "setup", address], check=False)
    assert result.returncode == 0, result.output
    inside = "tests/vm/inside/test_leaving.py"
    guest.pytest(inside, "--dut", address).assert_passed()
    guest.run([*PYNVME, "reset", address])
    assert guest.nvme_name(address)


@pytest.fixture(scope="module")
def no_iommu():
    """No IOMMU; a drive on its own, and a subsystem of two controllers that share a namespace."""
    subsystem = Device("pair", [{"driver": "nvme-subsys", "id": "pair", "nqn": "pair"}])
    drives = [
        nvme("single", 64 << 20, serial="SINGLE", addr="05.0"),
        subsystem,
        nvme("left", None, [{"size": 64 << 20}], serial="PAIR", subsys="pair", addr="06.0"),
        nvme("right", None, serial="PAIR", subsys="pair", addr="07.0"),
    ]
    hardware = Hardware(memory_mb=1536, iommu=None)
    with Guest(drives, load=["nvme", "vfio-pci"], hardware=hardware) as other:
        yield other


def pynvme(guest, *arguments):
    return guest.run([*PYNVME, *arguments], check=False)


def test_without_an_iommu(no_iommu):
    address = no_iommu.address("single")
    no_iommu.nvme_name(address)
    pages = "cat /proc/sys/vm/nr_hugepages"
    before = no_iommu.run(pages).output
    assert "UNSAFE" in pynvme(no_iommu, "info", address).output

    result = pynvme(no_iommu, "setup", address, "--hugepages", "32")
    assert result.returncode == 0, result.output
    assert "WARNING, UNSAFE: no IOMMU stands between" in result.output
    assert "bound to uio_pci_generic now (before: nvme)" in result.output
    assert int(no_iommu.run(pages).output) >= 16
    shown = json.loads(pynvme(no_iommu, "info", "--json").output)
    assert [f["driver"] for f in shown["functions"]] == ["uio_pci_generic", "nvme", "nvme"]
    assert shown["machine"]["iommu"] is False

    result = pynvme(no_iommu, "reset", address)
    assert result.returncode == 0, result.output
    assert no_iommu.nvme_name(address)
    assert no_iommu.run(pages).output == before


def test_a_shared_namespace(no_iommu):
    left, right = no_iommu.address("left"), no_iommu.address("right")
    no_iommu.nvme_name(right)
    result = pynvme(no_iommu, "setup", left)
    assert result.returncode == 3, result.output
    assert "is shared with another controller" in result.output
    assert f"name both: {right} too" in result.output
    assert no_iommu.nvme_name(left)
    result = pynvme(no_iommu, "setup", left, right)
    assert result.returncode == 0, result.output
    result = pynvme(no_iommu, "reset")
    assert result.returncode == 0, result.output
    assert no_iommu.nvme_name(left)
    assert no_iommu.nvme_name(right)
