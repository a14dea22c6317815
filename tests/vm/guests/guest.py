"""A Linux guest in which tests run commands, scripts and pytest."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import sys
import tempfile
import time
import xml.etree.ElementTree
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from guests.debian import Tree
from guests.devices import Device
from guests.initrd import build_initrd
from guests.kernel import KERNEL, Kernel
from guests.machine import QEMU, Hardware, Machine
from guests.qmp import QmpError

ROOT = Path(__file__).resolve().parents[3]
TOOLS = Tree(
    "tools",
    [
        "busybox-static",
        "e2fsprogs",
        "fio",
        "kmod",
        "lvm2",
        "mdadm",
        "mount",
        "nvme-cli",
        "util-linux",
    ],
)
# How long a guest may be quiet before QEMU's monitor is asked, and how long that may take.
QUIET_S = 15.0
MONITOR_S = 30.0
_APPEND = (
    "console=ttyS0 panic=-1 quiet mitigations=off nokaslr tsc=reliable random.trust_cpu=on "
    "no_timer_check cryptomgr.notests intel_iommu=on"
)


def prepare() -> None:
    """Fills the cache with what guests are made of, the first time."""
    for tree in (QEMU, TOOLS):
        tree.make()
    Kernel(TOOLS)
    TOOLS.wrappers()


class GuestError(Exception):
    """The guest did not do what was asked; the message has the console's last lines."""


class GuestTimeoutError(GuestError, TimeoutError):
    """The guest did not do it in time."""


class CommandError(GuestError):
    """A command ended with an exit code that is not 0."""


@dataclass(frozen=True)
class Result:
    returncode: int
    output: str  # stdout and stderr, as they came


@dataclass(frozen=True)
class PytestResult(Result):
    outcomes: dict[str, str] = field(default_factory=dict)  # by name: passed, failed, skipped
    details: dict[str, str] = field(default_factory=dict)  # of those that did not pass

    def assert_passed(self, count: int | None = None) -> None:
        """All tests passed (none skipped), `count` of them when that is given."""
        bad = {name: how for name, how in self.outcomes.items() if how != "passed"}
        problem = bad or self.returncode or not self.outcomes
        assert not problem, (
            f"in the guest: exit code {self.returncode}, {bad}\n{self.output[-12000:]}"
        )
        assert count is None or len(self.outcomes) == count, self.outcomes


class Process:
    """A command at work in the guest."""

    def __init__(self, guest: Guest, number: int, command: str) -> None:
        self._guest = guest
        self._number = number
        self._command = command

    @property
    def output(self) -> str:
        path = self._guest.share / f"{self._number}.out"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def pid(self) -> int:
        """Its process id in the guest; its session and its process group have the same."""
        path = self._guest.share / f"{self._number}.pid"
        self._guest.wait_for(lambda: path.exists() and path.read_text(), 30, self._command)
        return int(path.read_text())

    def poll(self) -> int | None:
        self._guest.listen(0)
        return self._guest.finished.get(self._number)

    def wait(self, timeout_s: float) -> Result:
        """Waits for the end; after `timeout_s` the command is killed, and that is an error."""
        deadline = time.monotonic() + timeout_s
        while self.poll() is None:
            left = deadline - time.monotonic()
            if left <= 0:
                self.kill()
                raise GuestTimeoutError(
                    f"not done after {timeout_s} s in the guest: {self._command}\n"
                    f"{self.output[-4000:]}\n{self._guest.tail()}"
                )
            self._guest.listen(min(left, QUIET_S))
        return Result(self._guest.finished[self._number], self.output)

    def wait_output(self, text: str, timeout_s: float) -> str:
        """Waits until the output has `text`; returns all of it."""
        self._guest.wait_for(
            lambda: text in self.output or self.poll() is not None, timeout_s, f"output {text!r}"
        )
        if text not in self.output:
            raise CommandError(f"{self._command} ended without {text!r}:\n{self.output[-4000:]}")
        return self.output

    def kill(self) -> None:
        """kill -9 of the command and of all that it started."""
        _ = self.pid
        self._guest.send(f"kill {self._number}")


class Guest:
    """A guest with `devices`; boots in about 5 s when it is entered by `with`.

    load      kernel modules that are loaded at the start
    forwards  TCP ports of the guest; guest.port(p) is where 127.0.0.1 has them
    boot      "pvh", or "bzimage": slower, but survives S3
    append    more of the kernel's command line
    hardware  memory, processors, IOMMU, and QEMU itself
    kernel    KERNEL, or KERNEL_6_12
    """

    def __init__(
        self,
        devices: Sequence[Device] = (),
        *,
        load: Sequence[str] = (),
        forwards: Sequence[int] = (),
        boot: str = "pvh",
        append: str = "",
        hardware: Hardware | None = None,
        kernel: Tree = KERNEL,
        start_timeout_s: float = 120,
    ) -> None:
        self._devices = list(devices)
        self._load = ["virtio_net", *load]
        self._forwards = {port: _free_port() for port in forwards}
        self._boot = boot
        self._append = append
        self._hardware = hardware or Hardware()
        self._kernel = kernel
        self._start_timeout_s = start_timeout_s
        self._number = 0
        self._received = b""
        self._ready = 0
        self._heard_s = 0.0
        self.finished: dict[int, int] = {}
        self.plugged: dict[str, Device] = {}  # those that came by plug()
        self._machine: Machine | None = None

    # --- its life ---------------------------------------------------------------------------------

    def __enter__(self) -> Guest:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pynvme-guest-"))
        self.share = self.folder / "share"
        self.share.mkdir()
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        busybox = TOOLS.make() / "usr/bin/busybox"
        kernel = Kernel(TOOLS, self._kernel)
        initrd = self.folder / "initrd"
        initrd.write_bytes(build_initrd(kernel, busybox))
        image = kernel.vmlinux if self._boot == "pvh" else kernel.bzimage
        append = f"{_APPEND} guest.share={self.share} guest.modules={kernel.modules}"
        append += f" guest.load={','.join(self._load)} {self._append}"
        boot = ["-kernel", str(image), "-initrd", str(initrd), "-append", append]
        self._machine = Machine(
            self._hardware,
            self.folder,
            boot,
            self._devices,
            {"host": Path("/"), "share": self.share},
            self._forwards,
        )
        self._heard_s = time.monotonic()
        try:
            self.machine.qmp.start(30)
        except Exception as error:
            raise GuestError(f"QEMU did not start: {error}\n{self.tail()}") from error
        self.wait_for(lambda: self._ready, self._start_timeout_s, "the boot")
        # `python` is this interpreter, as it is wherever else the tests are started from.
        own = Path(sys.executable).parent
        self._path = (
            f"{TOOLS.wrappers()}:{own}:/usr/local/sbin:/usr/sbin:/sbin:{os.environ['PATH']}"
        )

    def close(self) -> None:
        """Ends the guest, without asking it, and removes its files."""
        if self._machine is not None:
            self._machine.kill()
            self._machine = None
        shutil.rmtree(self.folder, ignore_errors=True)

    def reboot(self, timeout_s: float = 120) -> None:
        """Reboots (hardware.reboots) without a shutdown, and waits until it is up again."""
        before = self._ready
        self.start_command("echo b > /proc/sysrq-trigger")
        self.wait_for(lambda: self._ready > before, timeout_s, "the reboot")

    @property
    def machine(self) -> Machine:
        """QEMU itself: `machine.qmp.command(...)`, `machine.plug(device)`, `machine.unplug(...)`"""
        if self._machine is None:
            raise GuestError("the guest is not running")
        return self._machine

    def tail(self) -> str:
        return self._machine.tail() if self._machine else ""

    def port(self, guest_port: int) -> int:
        return self._forwards[guest_port]

    # --- commands ---------------------------------------------------------------------------------

    def start_command(
        self, command: str | Sequence[str], env: dict[str, str] | None = None
    ) -> Process:
        """Starts a shell command (or an argument list) in the guest."""
        line = command if isinstance(command, str) else shlex.join(command)
        self._number += 1
        variables = {"PATH": self._path, "HOME": "/root", "LANG": "C.UTF-8", "PYNVME_GUEST": "1"}
        variables["PYTHONPATH"] = os.environ.get("PYTHONPATH", "")
        variables |= env or {}
        exports = "".join(
            f"export {name}={shlex.quote(text)}\n" for name, text in variables.items()
        )
        script = self.share / f"{self._number}.sh"
        script.write_text(f"{exports}cd {shlex.quote(str(ROOT))}\n{line}\n")
        self.send(f"run {self._number}")
        return Process(self, self._number, line)

    def run(
        self,
        command: str | Sequence[str],
        timeout_s: float = 60,
        env: dict[str, str] | None = None,
        check: bool = True,
    ) -> Result:
        """Runs a command to its end; with `check` an exit code that is not 0 is an error."""
        result = self.start_command(command, env).wait(timeout_s)
        if check and result.returncode:
            raise CommandError(f"exit code {result.returncode}: {command}\n{result.output[-8000:]}")
        return result

    def python(self, code: str, timeout_s: float = 60, check: bool = True) -> Result:
        """Runs Python code, with the host's interpreter and modules."""
        file = self.share / f"{self._number + 1}.py"
        file.write_text(code)
        return self.run([sys.executable, "-u", str(file)], timeout_s, check=check)

    def pytest(
        self,
        *arguments: str,
        timeout_s: float = 300,
        env: dict[str, str] | None = None,
    ) -> PytestResult:
        """Runs pytest; paths are relative to the repository's root, as on the host."""
        report = self.share / f"{self._number + 1}.xml"
        command = [sys.executable, "-u", "-m", "pytest", "-p", "no:cacheprovider", "-v"]
        command += [f"--junitxml={report}", *arguments]
        result = self.run(command, timeout_s, env, check=False)
        outcomes, details = _junit(report)
        return PytestResult(result.returncode, result.output, outcomes, details)

    def modprobe(self, *modules: str) -> None:
        for module in modules:
            self.run(f"modprobe {module}")

    def address(self, device: Device | str) -> str:
        """Where the guest sees a device on PCI: "0000:01:00.0"."""
        name = device if isinstance(device, str) else device.id
        for bus in self.machine.qmp.command("query-pci"):
            found = _find_function(bus["devices"], name)
            if found:
                return found
        raise GuestError(f"the machine has no PCI device {name}")

    def plug(self, device: Device, timeout_s: float = 30) -> str:
        """Hot plug; returns the address when the guest's kernel sees the function."""
        self.machine.plug(device)
        self.plugged[device.id] = device
        deadline = time.monotonic() + timeout_s
        while True:
            address = self.address(device)
            if not self.run(f"test -e /sys/bus/pci/devices/{address}", check=False).returncode:
                return address
            if time.monotonic() > deadline:
                raise GuestTimeoutError(f"the guest does not see {device.id}\n{self.tail()}")
            time.sleep(0.1)

    def unplug(self, device: Device, timeout_s: float = 30) -> None:
        """Hot unplug; returns when the guest's kernel has let go of the device."""
        self.machine.unplug(device, timeout_s)
        del self.plugged[device.id]

    def bind(self, address: str, driver: str | None) -> None:
        """Gives a function to a driver, or to none; the way of the kernel's own files."""
        at = f"/sys/bus/pci/devices/{address}"
        self.run(
            f"[ ! -e {at}/driver ] || echo {address} > {at}/driver/unbind\n"
            f"echo {driver or ''} > {at}/driver_override\n"
            + (f"echo {address} > /sys/bus/pci/drivers_probe\n[ -e {at}/driver ]" if driver else "")
        )

    def nvme_name(self, address: str, timeout_s: float = 30) -> str:
        """What the kernel's driver calls a controller: "nvme0", once its namespaces are there."""
        script = f"cd /sys/bus/pci/devices/{address}/nvme/*/ && grep -l live state && basename $PWD"
        deadline = time.monotonic() + timeout_s
        while True:
            result = self.run(script, check=False)
            if not result.returncode:
                return result.output.split()[-1]
            if time.monotonic() > deadline:
                raise GuestTimeoutError(f"the kernel has no controller at {address}\n{self.tail()}")

    # --- the line to the guest's first process -------------------------------------------------

    def send(self, text: str) -> None:
        try:
            self.machine.line.sendall(text.encode() + b"\n")
        except OSError as error:
            raise GuestError(f"the guest is gone ({error})\n{self.tail()}") from error

    def listen(self, timeout_s: float) -> None:
        """Takes what the guest says, and waits for at least a line, up to `timeout_s`."""
        machine = self.machine
        machine.line.settimeout(max(timeout_s, 0.001))
        try:
            data = machine.line.recv(65536)
        except TimeoutError:
            self._check_qemu()
            return
        except OSError as error:
            raise GuestError(f"the guest is gone ({error})\n{self.tail()}") from error
        self._heard_s = time.monotonic()
        if not data:
            raise GuestError(f"the guest has ended\n{self.tail()}")
        *lines, self._received = (self._received + data).split(b"\n")
        for line in lines:
            words = line.decode(errors="replace").split()
            if words == ["ready"]:
                self._ready += 1
            elif len(words) == 3 and words[0] == "done":
                self.finished[int(words[1])] = int(words[2])

    def _check_qemu(self) -> None:
        """A device model that waits without end stops processors and monitor, and so all timeouts
        inside of the guest; such a QEMU is ended."""
        if time.monotonic() - self._heard_s < QUIET_S:
            return
        try:
            self.machine.qmp.command("query-status", MONITOR_S)
        except QmpError as error:
            tail = self.tail()
            self.machine.kill()
            raise GuestError(f"QEMU itself hangs, and was killed: {error}\n{tail}") from error
        self._heard_s = time.monotonic()

    def wait_for(self, condition: Any, timeout_s: float, what: str) -> None:
        """Waits until condition() is true, while the guest is listened to."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > deadline:
                raise GuestTimeoutError(f"{what}: not after {timeout_s} s\n{self.tail()}")
            self.listen(0.05)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _find_function(devices: list[dict[str, Any]], name: str) -> str | None:
    for device in devices:
        if device["qdev_id"] == name:
            return f"0000:{device['bus']:02x}:{device['slot']:02x}.{device['function']}"
        behind = device.get("pci_bridge", {}).get("devices", [])
        found = _find_function(behind, name)
        if found:
            return found
    return None


def _junit(report: Path) -> tuple[dict[str, str], dict[str, str]]:
    outcomes: dict[str, str] = {}
    details: dict[str, str] = {}
    if not report.exists():
        return outcomes, details
    for case in xml.etree.ElementTree.parse(report).iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        outcomes[name] = "passed"
        for child in case:
            if child.tag in ("failure", "error", "skipped"):
                outcomes[name] = "skipped" if child.tag == "skipped" else "failed"
                details[name] = f"{child.get('message')}\n{child.text}"
    return outcomes, details
