"""Queues, entries and PRPs by hand (psd) on QEMU's device, as on the embedded SSD.

Left out are wrong PRP offsets, which end in a QEMU that hangs for ever, and the status of a second
deletion, which is another one there (docs/qemu-differences.md).
"""

from guests import Guest, Hardware, nvme


def test_the_examples_of_psd():
    drive = nvme("nvme0", 256 << 20, addr="05.0")
    modules = ["vfio_iommu_type1", "vfio-pci"]
    with Guest([drive], load=modules, hardware=Hardware(cpus=1)) as guest:
        address = guest.address(drive)
        guest.bind(address, "vfio-pci")
        script = [
            "scripts/psd_examples_test.py",
            "-k",
            "not prp_offset_invalid and not delete_twice",
        ]
        guest.pytest(*script, "--timeout=60", "--dut", address, timeout_s=100).assert_passed(23)
