# ./pynvme setup ADDRESS and ./pynvme reset: everything is looked at before anything is changed, all
# named functions or none. The steps of one function are in binding.py.
"""Handing functions over to user space and giving them back, with every check."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from nvme.host.binding import give_back, hand_over
from nvme.host.controllers import kernel_controller
from nvme.host.hugepages import DEFAULT_MIB, reserve
from nvme.host.machine import (
    NOIOMMU_MODE,
    UIO,
    USER_DRIVERS,
    VFIO,
    behind_iommu,
    choose_driver,
)
from nvme.host.pci import PciFunction, pci_function
from nvme.host.permissions import limits_advice, owner, permit, vfio_nodes
from nvme.host.refusals import FailedError, InUseError, RefusedError
from nvme.host.remembered import change_setting, only_one, recall, restore_settings
from nvme.host.tree import Tree
from nvme.host.uses import Use, Uses, disks

Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """Of setup. `force` holds the serial numbers that were spelled out."""

    force: Sequence[str] = field(default_factory=tuple)
    user: str | None = None
    group: str | None = None
    driver: str | None = None
    not_nvme: bool = False
    hugepages_mib: int = DEFAULT_MIB


def set_up(tree: Tree, addresses: Sequence[str], options: Options, say: Say, warn: Say) -> None:
    """Hand the named functions over. Raises RefusedError, FailedError."""
    _need_root(tree, "setup")
    to = owner(options.user, options.group)
    with only_one(tree), _changes():
        functions = [_named(tree, address, options) for address in dict.fromkeys(addresses)]
        _check_serials(tree, functions, options.force)
        named = {function.address for function in functions}
        with Claims(tree) as claims:
            notes = {
                function.address: _check_uses(tree, function, named, options.force, claims)
                for function in functions
            }
            for function in functions:
                _check_group(tree, function, named)
            drivers = {f.address: choose_driver(tree, f, options.driver) for f in functions}
            if to is not None and not all(behind_iommu(tree, f) for f in functions):
                raise RefusedError(
                    "without an IOMMU only root can use a device: leave --user and --group out"
                )
            if UIO in drivers.values():
                say(reserve(tree, options.hugepages_mib))
            for function in functions:
                _check_again(tree, function, named, options.force)
                for note in notes[function.address]:
                    say(f"  note: {note}")
                _hand_over(tree, function, drivers[function.address], say, warn)
        for function in functions:
            now = pci_function(tree, function.address)
            if to is not None and now is not None:
                nodes = permit(tree, now, to)
                say(f"  {', '.join(nodes) or 'no node'} belongs to {to.who}")
        if to is not None:
            say(limits_advice(to))


def reset(tree: Tree, addresses: Sequence[str], say: Say) -> None:
    """Give the named functions back; without a name those that setup handed over and remembers.
    Raises RefusedError before anything is changed; FailedError after all were tried."""
    _need_root(tree, "reset")
    with only_one(tree), _changes():
        named = list(dict.fromkeys(addresses)) or sorted(recall(tree).entries)
        if not named:
            say("Nothing is handed over; there is nothing to give back.")
        for address in named:
            _check_giving_back(tree, address, explicit=bool(addresses))
        failures = []
        for address in named:
            try:
                driver = give_back(tree, address)
                say(f"{address} is with {_kernels(driver)}")
            except FailedError as error:
                failures.append(str(error))
            except OSError as error:
                failures.append(f"{address}: {error}")
        if not _any_without_iommu(tree) and restore_settings(tree):
            say("hugepages and VFIO's mode are as they were")
        if failures:
            raise FailedError("\n".join(failures))


class Claims:
    """Disks that are kept open exclusively until the end of the `with`."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._open: dict[str, int] = {}

    def __enter__(self) -> Claims:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in self._open.values():
            os.close(descriptor)

    def add(self, disk: str) -> bool:
        """Whether it is ours now; once is enough for a disk that two functions share."""
        try:
            if disk not in self._open:
                self._open[disk] = self._tree.claim(f"/dev/{disk}")
            return True
        except FileNotFoundError:
            return True  # no node, so nobody can mount it by that
        except OSError:
            return False


def _need_root(tree: Tree, command: str) -> None:
    if not tree.is_root():
        raise RefusedError(
            f"only root can change drivers: sudo ./pynvme {command} ... (`./pynvme info` needs no "
            "root; `setup --user NAME` lets a user run tests afterwards)"
        )


@contextlib.contextmanager
def _changes() -> Iterator[None]:
    """What the kernel refuses in between is a failure that can be read."""
    try:
        yield
    except OSError as error:
        raise FailedError(f"the system refused: {error}") from error


def _named(tree: Tree, address: str, options: Options) -> PciFunction:
    function = pci_function(tree, address)
    if function is None:
        raise RefusedError(
            f"there is no PCI device at {address}. `./pynvme info` lists the NVMe drives; one that "
            "was just plugged in is found with: echo 1 > /sys/bus/pci/rescan"
        )
    if function.is_bridge:
        raise RefusedError(f"{address} is a bridge; what lies behind it would be cut off")
    if not function.is_nvme and not options.not_nvme:
        raise RefusedError(
            f"{address} is no NVMe controller but a {function.kind} (driver "
            f"{function.driver or 'none'}). --not-nvme hands it over nevertheless"
        )
    return function


def serial_of(tree: Tree, function: PciFunction) -> str:
    """The serial number, from the kernel or from what setup remembered; empty when unknown."""
    controller = kernel_controller(tree, function.address)
    if controller is not None:
        return controller.serial.strip()
    entry = recall(tree).entries.get(function.address)
    return entry.serial.strip() if entry is not None else ""


def _check_serials(tree: Tree, functions: list[PciFunction], serials: Sequence[str]) -> None:
    known = {serial_of(tree, function): function.address for function in functions}
    for serial in serials:
        if not serial.strip() or serial.strip() not in known:
            raise RefusedError(
                f"--force {serial!r} is not the serial number of {' or '.join(known.values())}. "
                "Nothing was changed; read it off the label of the drive that you mean"
            )


def _is_forced(tree: Tree, function: PciFunction, serials: Sequence[str]) -> bool:
    serial = serial_of(tree, function)
    return bool(serial) and serial in {text.strip() for text in serials}


def _check_uses(
    tree: Tree,
    function: PciFunction,
    named: set[str],
    serials: Sequence[str],
    claims: Claims,
) -> list[str]:
    """Refuses a function that is in use; returns what else is good to know of it."""
    busy = [disk for disk in disks(tree, function) if not claims.add(disk)]
    system = Uses(tree, named, read_media=True)
    uses = system.of(function)
    if busy and not any(use.kind in ("mount", "swap", "holder") for use in uses):
        names = ", ".join(busy)
        uses.append(
            Use(
                "exclusive",
                f"the kernel itself holds {names} exclusively (an imported ZFS pool, a file system "
                "mounted elsewhere, a journal)",
                "zpool export POOL, or stop what else uses it",
            )
        )
    _refuse(tree, function, uses, serials)
    return system.notes(function)


def _check_again(
    tree: Tree, function: PciFunction, named: set[str], serials: Sequence[str]
) -> None:
    """Right before it is taken away: nothing could be mounted since, but a file could be opened."""
    _refuse(tree, function, Uses(tree, named, read_media=False).of(function), serials)


def _refuse(tree: Tree, function: PciFunction, uses: list[Use], serials: Sequence[str]) -> None:
    final = any(use.is_final for use in uses)
    if not uses or (_is_forced(tree, function, serials) and not final):
        return
    last = ""
    controller = kernel_controller(tree, function.address)
    if final:
        last = "Not even --force changes that."
    elif controller is not None:
        last = (
            "If its data may be lost and nothing else helps: --force and the serial number that is "
            f"on its label ({controller.model} in this slot)."
        )
    raise InUseError(function.address, [(use.text, use.remedy) for use in uses], last)


def group_blockers(tree: Tree, function: PciFunction, named: set[str]) -> list[str]:
    """Who keeps VFIO from the function's IOMMU group, which it gets as a whole: the others must be
    named, without a driver, or bridges."""
    blocking = []
    for address in function.group_members:
        other = pci_function(tree, address)
        if other is None or other.is_bridge or address in named:
            continue
        if other.driver is not None and other.driver not in (VFIO, "pci-stub"):
            blocking.append(f"{address} ({other.kind}, driver {other.driver})")
    return blocking


def _check_group(tree: Tree, function: PciFunction, named: set[str]) -> None:
    blocking = group_blockers(tree, function, named)
    if blocking:
        raise RefusedError(
            f"{function.address} shares IOMMU group {function.group} with {', '.join(blocking)}: "
            "VFIO wants the whole group. Name these too if you can do without them (they are "
            "checked likewise), or put the drive into another slot, or look for ACS in the BIOS"
        )


def _hand_over(tree: Tree, function: PciFunction, driver: str, say: Say, warn: Say) -> None:
    address = function.address
    if function.driver == driver:
        say(f"{address} is bound to {driver} already")
    else:
        if driver == VFIO and not behind_iommu(tree, function):
            change_setting(tree, NOIOMMU_MODE, "Y")
        hand_over(tree, function, driver)
        say(f"{address} is bound to {driver} now (before: {function.driver or 'no driver'})")
    if not behind_iommu(tree, function):
        warn(
            f"WARNING, UNSAFE: no IOMMU stands between {address} and this machine. A wrong address "
            "in a test, or a fault of the drive, can overwrite ANY memory of this machine: expect "
            "crashes and damaged files, and keep nothing here that matters. Tests run only with "
            "PYNVME_ALLOW_NO_IOMMU=1 in the environment."
        )
    elif nodes := vfio_nodes(tree, function):
        say(f"  IOMMU group {function.group}: {', '.join(nodes)}")


def _check_giving_back(tree: Tree, address: str, explicit: bool) -> None:
    function = pci_function(tree, address)
    if function is None:
        if explicit and address not in recall(tree).entries:
            raise RefusedError(
                f"there is no PCI device at {address}; `./pynvme info` lists the drives"
            )
        return
    if function.driver not in USER_DRIVERS:
        if not function.is_nvme and address not in recall(tree).entries:
            raise RefusedError(
                f"{address} is no NVMe controller but a {function.kind} (driver "
                f"{function.driver or 'none'}) that was not handed over: nothing to give back"
            )
        return
    uses = Uses(tree, {address}, read_media=False).of(function)
    if uses:
        raise InUseError(address, [(use.text, use.remedy) for use in uses], "")


def _any_without_iommu(tree: Tree) -> bool:
    functions = [pci_function(tree, address) for address in recall(tree).entries]
    return any(f is not None and not behind_iommu(tree, f) for f in functions)


def _kernels(driver: str | None) -> str:
    if driver is None:
        return "no driver, as the kernel has none for it"
    return f"the kernel's driver {driver}"
