"""The QEMU process: its command line, its monitor, and that it ends when it must."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guests.debian import Tree
from guests.devices import Device
from guests.qmp import Qmp

QEMU = Tree("qemu", ["qemu-system-x86"])
# For vfio-user-pci.
QEMU_11 = Tree("qemu", ["qemu-system-x86"], suites=("trixie", "trixie-backports"))

_DATA = ("usr/share/seabios", "usr/share/qemu", "usr/lib/ipxe/qemu")
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


@dataclass(frozen=True)
class Hardware:
    """What a guest's machine is made of, beside its devices."""

    memory_mb: int = 2048
    cpus: int = 2
    # AVX costs 10 to 15 % of the speed of user space under emulation.
    cpu: str = "max,-avx,-avx2"
    iommu: str | None = "intel-iommu,intremap=on,caching-mode=on"
    shared_memory: bool = False  # guest memory as a memfd, for vfio-user-pci
    reboots: bool = False  # otherwise a reboot ends QEMU
    qemu: Tree = QEMU


class Machine:
    """A running QEMU. `console` is the file of the first serial line, `line` the second one."""

    def __init__(
        self,
        hardware: Hardware,
        folder: Path,
        boot: Sequence[str],
        devices: Sequence[Device],
        shares: dict[str, Path],
        forwards: dict[int, int],
    ) -> None:
        self.folder = folder
        self.console = folder / "console.log"
        self._stderr = folder / "qemu.log"
        monitor, monitor_end = socket.socketpair()
        self.line, line_end = socket.socketpair()
        arguments = [*_base(hardware), *boot]
        arguments += ["-chardev", f"file,id=console,path={self.console}"]
        arguments += ["-chardev", f"socket,id=line,fd={line_end.fileno()}"]
        arguments += ["-chardev", f"socket,id=monitor,fd={monitor_end.fileno()}"]
        arguments += ["-serial", "chardev:console", "-serial", "chardev:line"]
        arguments += ["-mon", "chardev=monitor,mode=control"]
        arguments += _host_side(shares, forwards)
        for device in devices:
            for blockdev in self._blockdevs(device):
                arguments += ["-blockdev", json.dumps(blockdev)]
            for given in device.objects:
                arguments += ["-object", json.dumps(given)]
            for given in device.devices:
                arguments += ["-device", json.dumps(given)]
        (folder / "qemu.sh").write_text(" \\\n  ".join(arguments) + "\n")  # to look at
        with monitor_end, line_end, self._stderr.open("w") as stderr:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
                pass_fds=[monitor_end.fileno(), line_end.fileno()],
                env=os.environ | {"QEMU_MODULE_DIR": _module_folder(hardware.qemu)},
                # However the test's process ends. Not through a terminal's Ctrl-C, which is for
                # the test to act on.
                preexec_fn=_die_with_parent,
                start_new_session=True,
            )
        self.pid = self._process.pid
        self.qmp = Qmp(monitor)

    def plug(self, device: Device) -> None:
        """Adds a device to the running machine."""
        for blockdev in self._blockdevs(device):
            self.qmp.command("blockdev-add", **blockdev)
        for given in device.objects:
            self.qmp.command("object-add", **given)
        for given in device.devices:
            self.qmp.command("device_add", **given)

    def unplug(self, device: Device, timeout_s: float = 30) -> None:
        """Takes a device out, as a hand does; returns when the guest's kernel has let it go."""
        first = device.devices[0]["id"]
        self.qmp.command("device_del", id=first)
        self.qmp.wait_event("DEVICE_DELETED", timeout_s, device=first)
        for name in device.drives:
            self.qmp.command("blockdev-del", **{"node-name": name})

    def returncode(self) -> int | None:
        return self._process.poll()

    def tail(self) -> str:
        """The ends of the console and of what QEMU said."""
        text = ""
        for name, path in (("console", self.console), ("QEMU", self._stderr)):
            lines = path.read_text(errors="replace").splitlines() if path.exists() else []
            text += f"-- {name}, last lines:\n" + "".join(f"    {line}\n" for line in lines[-25:])
        return text

    def wait(self, timeout_s: float) -> int:
        return self._process.wait(timeout_s)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self.line.close()

    def drive_file(self, node: str) -> Path:
        return self.folder / f"{node}.img"

    def _blockdevs(self, device: Device) -> list[dict[str, Any]]:
        found = []
        for node, size in device.drives.items():
            path = self.drive_file(node)
            if not path.exists():
                path.touch()
                os.truncate(path, size)
            file = {"driver": "file", "filename": str(path)}
            # An image is for one test: nothing is gained by bringing it to the host's disk.
            cache = {"direct": False, "no-flush": True}
            found.append(
                {
                    "driver": "raw",
                    "node-name": node,
                    "file": file,
                    "cache": cache,
                    "discard": "unmap",
                }
            )
        return found


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _module_folder(tree: Tree) -> str:
    return str(tree.make() / "usr/lib/x86_64-linux-gnu/qemu")


def _base(hardware: Hardware) -> list[str]:
    root = hardware.qemu.make()
    arguments = hardware.qemu.command("qemu-system-x86_64")
    for folder in _DATA:
        arguments += ["-L", str(root / folder)]
    machine = "q35"
    if hardware.shared_memory:
        arguments += ["-object", f"memory-backend-memfd,id=ram,size={hardware.memory_mb}M,share=on"]
        machine += ",memory-backend=ram"
    arguments += ["-M", machine, "-accel", "tcg,thread=multi", "-cpu", hardware.cpu]
    arguments += ["-smp", str(hardware.cpus), "-m", f"{hardware.memory_mb}M"]
    arguments += ["-nodefaults", "-display", "none", "-global", "ICH9-LPC.disable_s3=0"]
    if not hardware.reboots:
        arguments += ["-no-reboot"]
    if hardware.iommu:
        arguments += ["-device", hardware.iommu]
    return arguments


def _host_side(shares: dict[str, Path], forwards: dict[int, int]) -> list[str]:
    """The host's files and network, at the slots from 18h on, so that those below are free."""
    arguments = []
    for slot, (tag, path) in enumerate(shares.items(), 0x18):
        readonly = ",readonly=on" if tag == "host" else ""
        arguments += [
            "-fsdev",
            f"local,id={tag},path={path},security_model=none,multidevs=remap{readonly}",
            "-device",
            f"virtio-9p-pci,fsdev={tag},mount_tag={tag},addr={slot:x}.0",
        ]
    ports = "".join(
        f",hostfwd=tcp:127.0.0.1:{outside}-:{inside}" for inside, outside in forwards.items()
    )
    arguments += ["-netdev", f"user,id=net0{ports}"]
    return [*arguments, "-device", "virtio-net-pci,netdev=net0,romfile=,addr=1a.0"]
