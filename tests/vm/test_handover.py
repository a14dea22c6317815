"""./pynvme info, setup and reset on a machine whose drives are in use, and on one without an IOMMU.

What is tested runs in the guest: tests/vm/inside/test_handover.py and test_leaving.py.
"""

import json
import sys

import pytest
from guests import Device, Guest, Hardware, nvme

PYNVME = [sys.executable, "-m", "nvme.cli"]
# One start of Python for several commands; a path among them is a file to read.
COMMANDS = """
import contextlib, io, json
from nvme import cli
for words in {commands}:
    out = io.StringIO()
    code = 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        if words[0].startswith("/"):
            print(open(words[0]).read())
        else:
            code = cli.main(words)
    print(json.dumps([code, out.getvalue()]))
"""


def pynvme(guest, *commands):
    """Exit code and output of each command."""
    output = guest.python(COMMANDS.replace("{commands}", repr(list(commands)))).output
    return [json.loads(line) for line in output.splitlines()]


def test_drives_in_use(guest, drive):
    drives = [drive(256 << 20, serial=f"SERIAL{number}") for number in range(2)]
    for device in drives:
        guest.nvme_name(device.address)
    guest.modprobe("ext4", "raid1", "dm-mod", "loop")
    addresses = " ".join(device.address for device in drives)
    inside = "tests/vm/inside/test_handover.py"
    guest.pytest(inside, env={"PYNVME_DRIVES": addresses}).assert_passed()


def test_a_drive_that_leaves_pci(guest, drive):
    address = drive(64 << 20, serial="LEAVES").address
    guest.nvme_name(address)
    guest.run([*PYNVME, "setup", address])
    guest.pytest("tests/vm/inside/test_leaving.py", "--dut", address).assert_passed()
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


def test_without_an_iommu(no_iommu):
    address = no_iommu.address("single")
    no_iommu.nvme_name(address)
    pages = ["/proc/sys/vm/nr_hugepages"]
    shown, before, setup, reserved, listed, reset, after = pynvme(
        no_iommu,
        ["info", address],
        pages,
        ["setup", address, "--hugepages", "32"],
        pages,
        ["info", "--json"],
        ["reset", address],
        pages,
    )
    assert "UNSAFE" in shown[1]
    assert setup[0] == 0, setup[1]
    assert "WARNING, UNSAFE: no IOMMU stands between" in setup[1]
    assert "bound to uio_pci_generic now (before: nvme)" in setup[1]
    assert int(reserved[1]) >= 16
    listed = json.loads(listed[1])
    assert [f["driver"] for f in listed["functions"]] == ["uio_pci_generic", "nvme", "nvme"]
    assert listed["machine"]["iommu"] is False
    assert reset[0] == 0, reset[1]
    assert after == before
    assert no_iommu.nvme_name(address)


def test_a_shared_namespace(no_iommu):
    left, right = no_iommu.address("left"), no_iommu.address("right")
    no_iommu.nvme_name(left)
    no_iommu.nvme_name(right)
    alone, both, reset = pynvme(no_iommu, ["setup", left], ["setup", left, right], ["reset"])
    assert alone[0] == 3, alone[1]
    assert "is shared with another controller" in alone[1]
    assert f"name both: {right} too" in alone[1]
    assert both[0] == 0, both[1]
    assert reset[0] == 0, reset[1]
    assert no_iommu.nvme_name(left)
    assert no_iommu.nvme_name(right)
