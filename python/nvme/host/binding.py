# One function from one driver to another, and back. Whether that may be done is decided elsewhere
# (handover.py); here it is done so that a crash at any step can be mended by give_back().
"""Binding PCI functions to drivers."""

from __future__ import annotations

import time

from nvme.host.controllers import kernel_controller
from nvme.host.machine import UIO, USER_DRIVERS
from nvme.host.pci import DEVICES, DRIVERS, PciFunction, pci_function
from nvme.host.refusals import FailedError
from nvme.host.remembered import Entry, recall, remember
from nvme.host.tree import Tree

_PROBE = "/sys/bus/pci/drivers_probe"
_LIVE_TIMEOUT_S = 30.0


def hand_over(tree: Tree, function: PciFunction, driver: str) -> None:
    """Take the function from the kernel's driver and give it to `driver`.

    Raises FailedError; then it was given back, or the text says that it was not.
    """
    _remember(tree, function)
    try:
        tree.write(f"{function.path}/driver_override", driver)
        if function.driver is not None:
            tree.write(f"{function.path}/driver/unbind", function.address)
        _attach(tree, function.address, driver)
    except BaseException as error:
        stands = "it is with the kernel's driver again"
        try:
            give_back(tree, function.address)
        except (FailedError, OSError) as second:
            stands = f"and giving it back failed as well: {second}"
        if not isinstance(error, OSError | FailedError):
            raise
        raise FailedError(
            f"{function.address} could not be bound to {driver}: {error}; {stands}"
        ) from None


def _remember(tree: Tree, function: PciFunction) -> None:
    """Before anything is changed. What is remembered of an interrupted run stays."""
    state = recall(tree)
    old = state.entries.get(function.address)
    controller = kernel_controller(tree, function.address)
    if controller is None and old is not None:
        return
    own = function.driver in USER_DRIVERS
    override = "" if function.override in (None, *USER_DRIVERS) else function.override
    state.entries[function.address] = Entry(
        driver="" if own or function.driver is None else function.driver,
        override=override or "",
        model=controller.model if controller else "",
        serial=controller.serial if controller else "",
        firmware=controller.firmware if controller else "",
        size_bytes=sum(n.size_bytes for n in controller.namespaces) if controller else 0,
    )
    remember(tree, state)


def _attach(tree: Tree, address: str, driver: str) -> None:
    why = ""
    try:
        tree.write(f"{DRIVERS}/{driver}/bind", address)
    except OSError as error:
        why = f" ({error.strerror})"
    now = pci_function(tree, address)
    if now is None:
        raise FailedError("it disappeared")
    if now.driver != driver:
        hint = "`dmesg | tail` says why"
        if driver == UIO:
            hint += "; this driver wants a device whose pin interrupt can be masked"
        raise FailedError(f"the kernel refuses{why}; {hint}")


def give_back(tree: Tree, address: str) -> str | None:
    """Give the function to the kernel's driver, whatever state it is in; returns that driver's name
    (None: the kernel has none for it). Raises FailedError, OSError."""
    state = recall(tree)
    entry = state.entries.get(address, Entry())
    function = pci_function(tree, address)
    if function is None:
        _forget(tree, address)
        raise FailedError(
            f"{address} is not there any more (removed?); what was remembered of it is forgotten"
        )
    if function.override in USER_DRIVERS or (entry.override and not function.override):
        # A newline takes the override away; an empty write would not reach the file.
        tree.write(f"{function.path}/driver_override", entry.override or "\n")
    if function.driver in USER_DRIVERS:
        tree.write(f"{function.path}/driver/unbind", address)
        if function.driver == UIO and tree.exists(f"{function.path}/reset"):
            _reset(tree, function)
    driver = _probe(tree, function)
    if driver is None and entry.driver:
        raise FailedError(
            f"{address} is free again, but the kernel's driver {entry.driver} does not take it; "
            f"`dmesg | tail` says why, `modprobe {entry.driver}` may help, then reset once more"
        )
    if driver == "nvme":
        _wait_until_live(tree, address)
    _forget(tree, address)
    return driver


def _reset(tree: Tree, function: PciFunction) -> None:
    # VFIO resets what it lets go. UIO does not: queues of a process that crashed would still point
    # to memory that is others' by now.
    try:
        tree.write(f"{function.path}/reset", "1")
    except OSError:
        pass  # it has no way to be reset; the kernel's driver disables it first thing


def _probe(tree: Tree, function: PciFunction) -> str | None:
    address = function.address
    now = pci_function(tree, address)
    if now is not None and now.driver is not None:
        return now.driver
    tree.write(_PROBE, address)
    now = pci_function(tree, address)
    if now is not None and now.driver is None:
        alias = tree.read(f"{DEVICES}/{address}/modalias")
        if alias and tree.run("modprobe", alias).code == 0:
            tree.write(_PROBE, address)
            now = pci_function(tree, address)
    return None if now is None else now.driver


def _wait_until_live(tree: Tree, address: str) -> None:
    """The driver initialises the drive after the write that bound it has returned."""
    deadline = time.monotonic() + _LIVE_TIMEOUT_S
    while True:
        controller = kernel_controller(tree, address)
        state = controller.state if controller is not None else "connecting"
        if controller is not None and state in ("live", ""):
            return
        function = pci_function(tree, address)
        gone = function is None or function.driver != "nvme"
        if gone or state == "dead" or time.monotonic() > deadline:
            _forget(tree, address)
            what = "gave it up" if gone or state == "dead" else f"does not get beyond {state!r}"
            raise FailedError(
                f"{address} went to the kernel's driver nvme again, which {what}: the drive does "
                "not come up. `dmesg | tail` says more; a power cycle may help"
            )
        time.sleep(0.02)


def _forget(tree: Tree, address: str) -> None:
    state = recall(tree)
    if state.entries.pop(address, None) is not None:
        remember(tree, state)
