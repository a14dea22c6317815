"""VFIO through iommufd, and without an IOMMU: on a kernel that offers them, see
guests/iommufd_kernel.py."""

import sys
from pathlib import Path

import pytest
from guests import Guest, Hardware, UnavailableError, nvme, root_port
from guests.iommufd_kernel import IOMMUFD_KERNEL

from nvme import _core

INSIDE = "tests/vm/inside/test_vfio.py"

# What a process that has opened these devices holds of VFIO.
HOLDS = """
import os, sys
import nvme as d
controllers = [d.Controller(address) for address in sys.argv[1:]]
held = [os.readlink(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")
        if os.path.exists(f"/proc/self/fd/{number}")]
print(*sorted(name for name in held if name.startswith(("/dev/vfio", "/dev/iommu"))))
for controller in controllers:
    ns = d.Namespace(controller)
    ns.verify_enable(True)
    assert ns.ioworker(io_size=8, read_percentage=50, io_count=2000).start().close().error == 0
print("all did")
"""


@pytest.fixture(scope="module", autouse=True)
def built():
    try:
        IOMMUFD_KERNEL.make()
    except UnavailableError as error:
        pytest.skip(str(error))


def machine(hardware, count):
    """A guest with this many drives, all with vfio-pci, and their addresses."""
    drives = [nvme(f"nvme{n}", 256 << 20, bus=f"port{n}") for n in range(count)]
    ports = [root_port(f"port{n}", n + 1) for n in range(count)]
    guest = Guest(
        [*ports, *drives], load=["nvme", "vfio-pci"], kernel=IOMMUFD_KERNEL, hardware=hardware
    )
    return guest, drives


def holds(guest, *addresses, **variables):
    file = guest.share / "holds.py"
    file.write_text(HOLDS)
    return guest.run([sys.executable, str(file), *addresses], env=variables, check=False)


@pytest.fixture(scope="module")
def modern():
    guest, drives = machine(Hardware(), 2)
    with guest:
        addresses = [guest.address(drive) for drive in drives]
        for address in addresses:
            guest.bind(address, "vfio-pci")
        yield guest, addresses


def test_two_devices_share_an_iommufd(modern):
    guest, addresses = modern
    held, did = holds(guest, *addresses).output.splitlines()
    assert held == "/dev/iommu /dev/iommu /dev/vfio/devices/vfio0 /dev/vfio/devices/vfio1"
    assert did == "all did"


def test_all_that_vfio_is_used_for(modern):
    guest, addresses = modern
    guest.pytest(INSIDE, "--dut", addresses[0]).assert_passed(15)
    program = Path(_core.__file__).parents[2] / "src/pynvme_pcie_test"
    result = guest.run(
        [str(program), "--gtest_filter=VfioDeviceTest.*"], env={"PYNVME_TEST_VFIO": addresses[0]}
    )
    assert "[  PASSED  ] 5 tests." in result.output, result.output


def test_groups_where_the_iommufd_is_not_ours(modern):
    guest, addresses = modern
    guest.modprobe("vfio_iommu_type1")
    guest.run("mv /dev/iommu /dev/iommu.away")
    try:
        held, did = holds(guest, addresses[0]).output.splitlines()
    finally:
        guest.run("mv /dev/iommu.away /dev/iommu")
    group = guest.run(f"basename $(readlink /sys/bus/pci/devices/{addresses[0]}/iommu_group)")
    assert held == f"/dev/vfio/{group.output.strip()} /dev/vfio/vfio"
    assert did == "all did"


def test_without_an_iommu():
    guest, (drive,) = machine(Hardware(iommu=None), 1)
    with guest:
        guest.run("echo Y > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode")
        guest.run("echo 96 > /proc/sys/vm/nr_hugepages")
        guest.run("mkdir /dev/hugepages && mount -t hugetlbfs none /dev/hugepages")
        address = guest.address(drive)
        guest.bind(address, "vfio-pci")

        refused = holds(guest, address)
        assert refused.returncode == 1
        assert f"{address} is behind no IOMMU" in refused.output
        assert "PYNVME_ALLOW_NO_IOMMU=1" in refused.output

        allowed = {"PYNVME_ALLOW_NO_IOMMU": "1"}
        *said, held, did = holds(guest, address, **allowed).output.splitlines()
        assert f"UNSAFE: {address} is used without an IOMMU" in "".join(said)
        assert held == "/dev/vfio/noiommu-0 /dev/vfio/vfio"
        assert did == "all did"
        guest.pytest(INSIDE, "--dut", address, env=allowed).assert_passed(15)
