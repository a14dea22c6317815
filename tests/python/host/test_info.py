"""What ./pynvme info shows, as text of 80 columns and as JSON; exit codes of the command line."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from nvme import cli
from nvme.host import commands
from nvme.host.machine import VFIO

A, B, NET = "0000:01:00.0", "0000:02:00.0", "0000:03:00.0"

TEXT = """\
0000:01:00.0  Samsung Electronics Co Ltd NVMe SSD Controller PM9A1/PM9A3/980PRO
  drive       SSD 980 PRO 1TB, serial S5GXNX0R0, firmware 5B2QGXA7, 1.0 TB
  driver      nvme (the kernel's), nvme0
  link        8.0 GT/s PCIe x4 (the drive can 16.0 GT/s PCIe x4)
  NUMA node   1
  IOMMU       group 14, with 0000:03:00.0 (network controller, no driver)
  namespaces  nvme0n1, 1.0 TB, LBAs of 512 bytes
  in use      nvme0n1 is open in process 42 (fio)
              nvme0n1 > nvme0n1p1 is mounted on /boot/efi
              nvme0n1 > nvme0n1p2 > dm-0 (LVM volume vg-root) is mounted on /
              nvme0n1p2 is held by dm-0 (LVM volume vg-root)
  setup       would refuse: it is in use

  machine     IOMMU in use
              kernel lockdown: integrity
"""


@pytest.fixture
def command(machine, monkeypatch, capsys):
    """Runs the command line on the fake machine: (exit code, stdout, stderr)."""
    monkeypatch.setattr(commands, "_tree", lambda: machine)

    def run(*arguments):
        try:
            code = cli.main(arguments)
        except SystemExit as end:
            code = end.code
        out = capsys.readouterr()
        return code, out.out, out.err

    return run


def test_text(machine, command):
    machine.drive(A, current_link_speed="8.0 GT/s PCIe", numa_node="1")
    machine.function(NET, class_code=0x020000)
    machine.file("/usr/share/misc/pci.ids", "# of libpci\n144d  Samsung Electronics Co Ltd\n"
                 "\ta80a  NVMe SSD Controller PM9A1/PM9A3/980PRO\n\t\t144d a801  SSD 980 PRO\n"
                 "C 01  Mass storage controller\n\t00  SCSI")  # fmt: skip
    machine.file("/sys/kernel/security/lockdown", "none [integrity] confidentiality")
    machine.mount(f"/dev/{machine.partition('nvme0n1', 1)}", "/boot/efi")
    machine.on_top("dm-0", machine.partition("nvme0n1", 2), dm__name="vg-root", dm__uuid="LVM-abc")
    machine.mount("/dev/dm-0", "/")
    machine.process(42, "fio", ["/dev/nvme0n1"])
    before = machine.files()
    code, out, err = command("info")
    assert (code, err) == (0, "")
    assert out.startswith(TEXT)
    assert "embedded SSD needs no setup" in out
    assert max(map(len, out.splitlines())) <= 80
    assert machine.files() == before


def test_wide_things_stay_in_80_columns(machine, command):
    machine.drive(A)
    for index in range(12):
        machine.function(f"0000:05:00.{index % 8}" if index < 8 else f"0000:06:00.{index - 8}",
                         class_code=0x0C0330, driver="xhci_hcd")  # fmt: skip
    machine.mount("/dev/nvme0n1", "/a/rather/long/path/" + "/".join(["and more"] * 12))
    machine.as_root = False
    _, out, _ = command("info", A, "05:00.3", "sim", "10.0.0.1", "unix:/run/ssd.sock")
    assert max(map(len, out.splitlines())) <= 80
    for text in (
        "0000:05:00.3",
        "sim: the embedded SSD",
        "NVMe/TCP",
        "vfio-user",
        "root sees more",
    ):
        assert text in out


def test_json(machine, command):
    machine.drive(A)
    machine.drive(B, index=1, group="15")
    machine.mount("/dev/nvme0n1", "/data")
    code, out, _ = command("info", "--json")
    assert code == 0
    shown = json.loads(out)
    assert shown["machine"] == {"iommu": True, "lockdown": "none", "advice": "", "root": True}
    first, second = shown["functions"]
    assert (first["address"], second["address"]) == (A, B)
    assert first["serial"] == "S5GXNX0R0"
    assert first["model"] == "SSD 980 PRO 1TB"
    assert first["firmware"] == "5B2QGXA7"
    assert first["size_bytes"] == 1953525168 * 512
    assert (first["driver"], first["group"], first["controller"]) == ("nvme", "14", "nvme0")
    assert (first["vendor_id"], first["class_code"]) == ("144d", "010802")
    assert first["namespaces"][0]["name"] == "nvme0n1"
    assert first["in_use"] is True
    assert first["uses"][0]["kind"] == "mount"
    assert first["setup"] == "would refuse: it is in use"
    page = (Path(__file__).parents[3] / "docs/real-drive.md").read_text()
    named = page.partition("`--json` says the same")[2].partition("`uses` (each")[0]
    assert set(re.findall(r"`(\w+)`", named)) - {"functions"} <= first.keys()
    assert second["in_use"] is False
    assert second["setup"] == "would bind it to vfio-pci"


def test_after_setup(machine, command):
    machine.drive(A)
    assert command("setup", "01:00.0")[0] == 0
    code, out, _ = command("info", "01:00.0")
    assert code == 0
    assert "vfio-pci (handed over to user space, /dev/vfio/14)" in out
    assert "serial S5GXNX0R0" in out
    assert "as the kernel saw it before" in " ".join(out.split())
    assert "`./pynvme reset 0000:01:00.0` gives it back" in " ".join(out.split())
    assert command("reset", "01:00.0")[:2] == (0, f"{A} is with the kernel's driver nvme\n")
    assert "nvme (the kernel's), nvme0" in command("info")[1]


def test_interrupted(machine, command):
    machine.drive(A)
    machine.file(f"/sys/bus/pci/devices/{A}/driver_override", VFIO)
    assert "was interrupted" in command("info")[1]
    assert command("reset", A)[0] == 0
    assert "was interrupted" not in command("info")[1]


@pytest.mark.parametrize(
    ("more", "forecast"),
    [
        ({}, "would bind it to vfio-pci"),
        ({"group": None}, "would bind it to uio_pci_generic, UNSAFE"),
        ({"class_code": 0x060400}, "would refuse: a bridge"),
        ({"class_code": 0x020000}, "would refuse: no NVMe controller (--not-nvme)"),
    ],
)
def test_forecast(machine, command, more, forecast):
    machine.function(A, **more)
    assert forecast in " ".join(command("info", A)[1].split())


def test_forecast_of_a_shared_group(machine, command):
    machine.drive(A)
    machine.function(NET, class_code=0x020000, driver="e1000e")
    text = " ".join(command("info")[1].split())
    assert "would refuse: 0000:03:00.0 (network controller, driver e1000e)" in text


def test_no_drives(machine, command):
    code, out, _ = command("info")
    assert code == 0
    assert "There is no NVMe drive" in out
    assert json.loads(command("info", "--json")[1])["functions"] == []


def test_names_of_udev(machine, command):
    machine.drive(A)
    machine.file("/usr/lib/udev/hwdb.d/20-pci-vendor-model.hwdb",
                 "# c\n\npci:v0000144D*\n ID_VENDOR_FROM_DATABASE=Samsung\n\n"
                 "pci:v0000144Dd0000A80A*\n ID_MODEL_FROM_DATABASE=PM9A1\n\n"
                 "pci:v0000144Dd0000A80Asv1*\n ID_MODEL_FROM_DATABASE=other\n")  # fmt: skip
    assert command("info")[1].startswith("0000:01:00.0  Samsung PM9A1\n")


def test_names_of_nobody(machine, command):
    machine.drive(A)
    assert command("info")[1].startswith("0000:01:00.0  vendor 144d device 144d:a80a\n")


def test_exit_codes(machine, command):
    machine.drive(A)
    machine.mount("/dev/nvme0n1", "/data")
    code, out, err = command("setup", "01:00.0")
    assert (code, out) == (3, "")
    assert "nvme0n1 is mounted on /data" in err
    assert command("setup")[0] == 2
    assert command("setup", "nonsense")[0] == 2
    assert command("setup", "01:00.0", "--hugepages", "0")[0] == 2
    assert command("setup", "09:00.0")[0] == 3
    assert command("reset", "09:00.0")[0] == 3
    assert command("info", "09:00.0")[0] == 3
    assert command("info", "nonsense")[0] == 2
    machine.file("/proc/self/mountinfo", "")
    machine.refuses = {VFIO}
    code, _, err = command("setup", "01:00.0")
    assert code == 1
    assert "with the kernel's driver again" in err


def test_devices_that_need_no_setup(machine, command):
    for name in ("sim", "sim:capacity=1GB", "10.0.0.1:4420", "unix:/run/ssd.sock"):
        code, out, _ = command("setup", name)
        assert code == 0
        assert "needs no setup" in out
        assert command("reset", name)[0] == 0
    assert machine.log == []


def test_only_root(machine, command):
    machine.drive(A)
    machine.as_root = False
    for name in ("setup", "reset"):
        code, _, err = command(name, A)
        assert (code, f"sudo ./pynvme {name}" in err) == (3, True)
    assert command("info")[0] == 0


def test_this_machine():
    """Whatever it has: shown without an error, and without a change."""
    done = subprocess.run(
        [sys.executable, "-m", "nvme.cli", "info", "--json"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout)["machine"].keys() == {"iommu", "lockdown", "advice", "root"}
