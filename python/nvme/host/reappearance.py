# A drive whose power was switched by others may have left PCI meanwhile. Here it is looked for
# until it is back, and taken from the kernel's driver again, which grabs whatever appears.
"""Finding a drive again after its power was switched."""

from __future__ import annotations

import time
from dataclasses import dataclass

from nvme.host.handover import Options, set_up
from nvme.host.machine import USER_DRIVERS
from nvme.host.pci import DEVICES, pci_function
from nvme.host.refusals import FailedError
from nvme.host.tree import Tree

TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Slot:
    """Where a function was: its address and its bus, to look there alone."""

    address: str
    driver: str

    @property
    def rescan(self) -> str:
        """The file that makes the kernel look at the bus again."""
        return f"/sys/class/pci_bus/{self.address.rpartition(':')[0]}/rescan"


def slot_of(tree: Tree, address: str) -> Slot | None:
    """To be asked for while the function is there; None when it is not handed over."""
    function = pci_function(tree, address)
    if function is None or function.driver not in USER_DRIVERS:
        return None
    return Slot(address, function.driver)


def wait_until_back(tree: Tree, slot: Slot, timeout_s: float = TIMEOUT_S) -> bool:
    """Wait until the function is on PCI and handed over again; whether it had been away.
    Raises RefusedError, FailedError."""
    deadline = time.monotonic() + timeout_s
    while not _answers(tree, slot):
        if time.monotonic() > deadline:
            raise FailedError(
                f"{slot.address} did not come back within {timeout_s:.0f} s after its power was "
                "switched on. Has it power? `dmesg | tail` says what its port saw"
            )
        if not tree.exists(f"{DEVICES}/{slot.address}"):
            _rescan(tree, slot)
        time.sleep(0.05)
    function = pci_function(tree, slot.address)
    if function is not None and function.driver == slot.driver:
        return False
    set_up(tree, [slot.address], Options(driver=slot.driver), _quiet, _quiet)
    return True


def _answers(tree: Tree, slot: Slot) -> bool:
    """Whether it is on PCI, and its vendor can be read from it."""
    try:
        return tree.path(f"{DEVICES}/{slot.address}/config").read_bytes()[:2] != b"\xff\xff"
    except OSError:
        return False


def _rescan(tree: Tree, slot: Slot) -> None:
    if not tree.is_root():
        raise FailedError(
            f"{slot.address} left PCI without power, and only root can look for it again: "
            f"sudo ./pynvme setup {slot.address}"
        )
    tree.write(slot.rescan if tree.exists(slot.rescan) else "/sys/bus/pci/rescan", "1")


def _quiet(_text: str) -> None:
    """Said once already, when the drive was handed over by hand."""
