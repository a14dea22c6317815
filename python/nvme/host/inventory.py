# What ./pynvme info knows of each function, as plain data: the text and the JSON are made of it.
"""Everything there is to say about the functions of this machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from nvme.host.controllers import KernelNamespace, kernel_controller
from nvme.host.handover import group_blockers
from nvme.host.machine import UIO, USER_DRIVERS, VFIO, behind_iommu, machine
from nvme.host.pci import PciFunction, nvme_functions, pci_function
from nvme.host.pci_names import PciNames
from nvme.host.permissions import vfio_nodes
from nvme.host.refusals import RefusedError
from nvme.host.remembered import Entry, recall
from nvme.host.tree import Tree
from nvme.host.uses import Use, Uses


@dataclass(frozen=True)
class Member:
    """Another function of the IOMMU group."""

    address: str
    kind: str
    driver: str | None


@dataclass(frozen=True)
class Item:
    """One function. Texts are empty where nothing is known."""

    function: PciFunction
    vendor: str
    device: str
    kind: str
    controller: str  # nvme0, while the kernel drives it
    model: str
    serial: str
    firmware: str
    size_bytes: int
    namespaces: tuple[KernelNamespace, ...]
    group_members: tuple[Member, ...]
    nodes: tuple[str, ...]
    handed_over: bool
    interrupted: bool  # a setup that was not finished
    uses: tuple[Use, ...]
    notes: tuple[str, ...]
    setup: str  # what it would do

    def as_json(self) -> dict[str, Any]:
        """For programs; the names are those of the fields."""
        shown = asdict(self)
        function = shown.pop("function")
        for name in ("vendor", "device", "subsystem_vendor", "subsystem_device"):
            shown[f"{name}_id"] = f"{function.pop(name):04x}"
        function["class_code"] = f"{function['class_code']:06x}"
        group_members = shown.pop("group_members")
        function["group_members"] = group_members
        shown["in_use"] = bool(self.uses)
        return {**function, **shown}


def take_stock(tree: Tree, addresses: Sequence[str]) -> list[Item]:
    """The named functions, NVMe or not; without names every NVMe function. Raises RefusedError."""
    if not addresses:
        functions = nvme_functions(tree)
    else:
        functions = []
        for address in dict.fromkeys(addresses):
            function = pci_function(tree, address)
            if function is None:
                raise RefusedError(f"there is no PCI device at {address}")
            functions.append(function)
    names = PciNames(tree)
    # Each is judged as if it alone were named to setup, from one look at the system.
    uses = Uses(tree, set(), read_media=tree.is_root())
    return [_item(tree, function, names, uses) for function in functions]


def _item(tree: Tree, function: PciFunction, names: PciNames, uses: Uses) -> Item:
    controller = kernel_controller(tree, function.address)
    entry = recall(tree).entries.get(function.address, Entry())
    interrupted = function.driver not in USER_DRIVERS and (
        function.override in USER_DRIVERS or function.address in recall(tree).entries
    )
    found = uses.of(function)
    namespaces = controller.namespaces if controller else ()
    members = [pci_function(tree, address) for address in function.group_members]
    return Item(
        function=function,
        vendor=names.vendor(function),
        device=names.device(function),
        kind=function.kind,
        controller=controller.name if controller else "",
        model=controller.model if controller else entry.model,
        serial=(controller.serial if controller else entry.serial).strip(),
        firmware=(controller.firmware if controller else entry.firmware).strip(),
        size_bytes=sum(n.size_bytes for n in namespaces) if controller else entry.size_bytes,
        namespaces=namespaces,
        group_members=tuple(Member(m.address, m.kind, m.driver) for m in members if m is not None),
        nodes=tuple(vfio_nodes(tree, function)) if function.driver == VFIO else (),
        handed_over=function.driver in USER_DRIVERS,
        interrupted=interrupted,
        uses=tuple(found),
        notes=tuple(uses.notes(function)),
        setup=_forecast(tree, function, found, interrupted),
    )


def _forecast(tree: Tree, function: PciFunction, uses: list[Use], interrupted: bool) -> str:
    if function.driver in USER_DRIVERS:
        if uses:
            return "nothing to do; a program is at work with it"
        return f"nothing to do; `./pynvme reset {function.address}` gives it back"
    if interrupted:
        return f"was interrupted; `./pynvme reset {function.address}` gives it back"
    if uses:
        return "would refuse: it is in use"
    if function.is_bridge:
        return "would refuse: a bridge"
    if not function.is_nvme:
        return "would refuse: no NVMe controller (--not-nvme)"
    blocking = group_blockers(tree, function, {function.address})
    if behind_iommu(tree, function):
        if blocking:
            return f"would refuse: {', '.join(blocking)} in the same IOMMU group"
        return f"would bind it to {VFIO}"
    host = machine(tree)
    if host.lockdown != "none":
        return "would refuse: no IOMMU, and the kernel is locked down"
    return f"would bind it to {UIO}, UNSAFE: no IOMMU ({host.advice})"
