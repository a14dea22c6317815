"""A machine made of files, with a kernel that answers writes to sysfs as Linux does."""

import contextlib
import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from nvme.host.machine import UIO, VFIO
from nvme.host.tree import Outcome, Tree

PCI = "/sys/bus/pci"
HUGE = "/sys/kernel/mm/hugepages/hugepages-2048kB"


class FakeMachine(Tree):
    """Files below a temporary folder. What tests change directly are the attributes."""

    def __init__(self, root: Path):
        super().__init__(root)
        self.log = []  # writes to sysfs, as (name, text)
        self.commands = []  # what was run
        self.modules = {VFIO, UIO, "nvme"}  # those that modprobe finds
        self.signatures = {}  # node: [(type, label)], or an error text
        self.exclusive = set()  # nodes the kernel holds
        self.claims = {}  # descriptor: node
        self.busy = set()  # nodes of VFIO that somebody has open
        self.as_root = True
        self.nvme = {}  # address: what its drive is like
        self.refuses = set()  # drivers whose probe fails
        self.crash_at = None  # a word of a write that ends the process
        self.before_unbind = None
        self.file("/proc/cmdline", "quiet")
        self.file("/proc/swaps", "Filename Type Size Used Priority")
        self.file("/proc/self/mountinfo", "")
        self.link("/proc/self/ns/mnt", "mnt:[1]")
        self.file(f"{PCI}/drivers_probe", "")
        self.file(f"{HUGE}/nr_hugepages", "0")
        self.file(f"{HUGE}/free_hugepages", "0")
        self.driver("nvme")

    # --- building -------------------------------------------------------------------------------

    def file(self, name, text=""):
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n")

    def link(self, name, target):
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if target.startswith("/"):
            target = os.path.relpath(self.path(target), path.parent)
        path.symlink_to(target)

    def driver(self, name):
        for file in ("bind", "unbind"):
            self.file(f"{PCI}/drivers/{name}/{file}")

    def function(self, address, class_code=0x010802, group="14", driver=None, **more):
        real = f"/sys/devices/pci0000:00/{address}"
        values = {
            "vendor": "0x144d", "device": "0xa80a", "subsystem_vendor": "0x144d",
            "subsystem_device": "0xa801", "class": f"0x{class_code:06x}", "numa_node": "-1",
            "driver_override": "(null)", "modalias": f"pci:{address}",
            "current_link_speed": "16.0 GT/s PCIe", "max_link_speed": "16.0 GT/s PCIe",
            "current_link_width": "4", "max_link_width": "4", "reset": "",
        }  # fmt: skip
        for name, value in {**values, **more}.items():
            self.file(f"{real}/{name}", value)
        self.link(f"{PCI}/devices/{address}", real)
        if group is not None:
            self.link(f"{real}/iommu_group", f"/sys/kernel/iommu_groups/{group}")
            self.link(f"/sys/kernel/iommu_groups/{group}/devices/{address}", real)
            self.link(f"/sys/class/iommu/dmar0/devices/{address}", real)
        if driver is not None:
            self.driver(driver)
            self._bound(address, driver)
        return address

    def drive(self, address="0000:01:00.0", index=0, namespaces=1, head=False, **more):
        """An NVMe drive that the kernel's driver has."""
        self.nvme[address] = {"index": index, "namespaces": namespaces, "head": head}
        return self.function(address, driver="nvme", **more)

    def disk(self, name, home, sectors=2048, number="259:0", **files):
        real = f"{home}/{name}"
        self.file(f"{real}/size", sectors)
        self.file(f"{real}/dev", number)
        for key, value in files.items():
            self.file(f"{real}/{key.replace('__', '/')}", value)
        self.link(f"/sys/class/block/{name}", real)
        if "partition" not in files:
            self.link(f"/sys/block/{name}", real)
        self.file(f"/dev/{name}")

    def partition(self, disk, number):
        name = f"{disk}p{number}"
        home = self.real(f"/sys/class/block/{disk}")
        self.disk(name, home, number=f"259:{number}", partition=number)
        return name

    def on_top(self, name, *below, number="253:0", **files):
        """dm-0, md0, bcache0, ... held together of other block devices."""
        self.disk(name, "/sys/devices/virtual/block", number=number, **files)
        for part in below:
            self.link(f"{self.real(f'/sys/class/block/{part}')}/holders/{name}",
                      f"/sys/class/block/{name}")  # fmt: skip

    def mount(self, source, target, number="0:0", process="self", kind="ext4"):
        name = f"/proc/{process}/mountinfo"
        line = f"36 35 {number} / {target} rw,noatime shared:1 - {kind} {source} rw"
        self.file(name, f"{self.read(name) or ''}\n{line}")

    def process(self, pid, command="fio", opens=(), namespace="mnt:[1]"):
        self.file(f"/proc/{pid}/comm", command)
        self.link(f"/proc/{pid}/ns/mnt", namespace)
        for number, target in enumerate(opens, 3):
            path = self.path(f"/proc/{pid}/fd/{number}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.symlink_to(target)

    def bound_to(self, address):
        return self.real_name(f"{PCI}/devices/{address}/driver")

    # --- the kernel -----------------------------------------------------------------------------

    def write(self, name, text):
        name = self.real(name) or name
        if self.crash_at is not None and self.crash_at in f"{name} {text}":
            raise SystemExit("killed")
        super().write(name, text)  # as Linux, refuses what is not there
        self.log.append((name, text))
        last = name.rpartition("/")[2]
        if last == "driver_override":
            self.file(name, text.strip() or "(null)")
        elif last == "unbind":
            if self.before_unbind is not None:
                self.before_unbind()
            assert self.bound_to(text) == name.split("/")[-2]
            self._unbound(text)
        elif last == "bind":
            self._probe(text, name.split("/")[-2])
        elif last == "drivers_probe":
            override = self.read(f"{PCI}/devices/{text}/driver_override")
            self._probe(text, "nvme" if override == "(null)" else override)
        elif last == "nr_hugepages":
            self.file(name, text)
            self.file(f"{HUGE}/free_hugepages", text)

    def _probe(self, address, driver):
        override = self.read(f"{PCI}/devices/{address}/driver_override")
        kind = self.read(f"{PCI}/devices/{address}/class")
        matches = override == driver or (
            override == "(null)" and driver == "nvme" and kind == "0x010802"
        )
        if not matches or not self.exists(f"{PCI}/drivers/{driver}"):
            return
        if driver in self.refuses:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        if self.bound_to(address) is None:
            self._bound(address, driver)

    def _bound(self, address, driver):
        real = self.real(f"{PCI}/devices/{address}")
        self.link(f"{real}/driver", f"{PCI}/drivers/{driver}")
        if driver == VFIO:
            group = self.real_name(f"{real}/iommu_group")
            if group is None:
                group = "0"
                self.file("/sys/kernel/iommu_groups/0/name", "vfio-noiommu")
                self.link(f"{real}/iommu_group", "/sys/kernel/iommu_groups/0")
                self.file("/dev/vfio/noiommu-0")
            else:
                self.file(f"/dev/vfio/{group}")
        elif driver == UIO:
            self.path(f"{real}/uio/uio0").mkdir(parents=True)
        elif address in self.nvme:
            self._controller(real, **self.nvme[address])

    def _unbound(self, address):
        real = self.real(f"{PCI}/devices/{address}")
        self.path(f"{real}/driver").unlink()
        for folder in ("nvme", "uio"):
            shutil.rmtree(self.path(f"{real}/{folder}"), ignore_errors=True)
        for folder in ("/sys/block", "/sys/class/block", "/sys/class/nvme"):
            for name in self.names(folder):
                if not self.exists(f"{folder}/{name}"):
                    self.path(f"{folder}/{name}").unlink()

    def _controller(self, real, index, namespaces, head):
        home = f"{real}/nvme/nvme{index}"
        values = {"model": "SSD 980 PRO 1TB  ", "serial": f"S5GXNX0R{index}  ", "dev": "241:0",
                  "firmware_rev": "5B2QGXA7", "state": "live"}  # fmt: skip
        for name, value in values.items():
            self.file(f"{home}/{name}", value)
        self.link(f"{home}/device", real)
        self.link(f"/sys/class/nvme/nvme{index}", home)
        for nsid in range(1, namespaces + 1):
            ids = {"nsid": nsid, "wwid": f"eui.{nsid}", "queue__logical_block_size": 512}
            if head:
                self.path(f"{home}/nvme0c{index}n{nsid}").mkdir()
                self.file(f"{home}/nvme0c{index}n{nsid}/nsid", nsid)
                self.disk(f"nvme0n{nsid}", "/sys/devices/virtual/nvme-subsystem", **ids)
            else:
                self.disk(f"nvme{index}n{nsid}", home, sectors=1953525168, **ids)

    def run(self, *command, **_):
        self.commands.append(command)
        if command[0] == "modprobe":
            if command[1] not in self.modules:
                return Outcome(1, "", f"modprobe: FATAL: Module {command[1]} not found")
            self.driver(command[1])
        elif command[0] == "wipefs":
            marks = self.signatures.get(command[2], [])
            if isinstance(marks, str):
                return Outcome(1, "", marks)
            shown = [{"type": kind, "label": label} for kind, label in marks]
            return Outcome(0, json.dumps({"signatures": shown}), "")
        return Outcome(0, "", "")

    def claim(self, name):
        if name in self.exclusive or name in self.held_claims():  # ours too: once only
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        descriptor = super().claim(name)
        self.claims[descriptor] = name
        return descriptor

    def is_busy(self, name):
        return name in self.busy

    def is_root(self):
        return self.as_root

    # --- what tests look at ---------------------------------------------------------------------

    def files(self):
        """Everything in sysfs and /run, to see that nothing was changed."""
        found = {}
        for folder in ("sys", "run"):
            for path in sorted(self.path(folder).rglob("*")):
                if "/drivers/" in str(path):  # loading a module changes no device
                    continue
                if path.is_symlink():
                    found[str(path)] = str(path.readlink())
                elif path.is_file() and path.name != "lock":
                    found[str(path)] = path.read_text()
        return found

    def held_claims(self):
        held = []
        for descriptor, name in self.claims.items():
            with contextlib.suppress(OSError):
                if Path(f"/proc/self/fd/{descriptor}").readlink() == self.path(name):
                    held.append(name)
        return held


@pytest.fixture
def machine(tmp_path):
    return FakeMachine(tmp_path / "machine")
