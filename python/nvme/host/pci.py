# PCI functions as sysfs shows them. What the kernel's NVMe driver knows of a drive is in
# controllers.py; who uses it in uses.py.
"""PCI functions of this machine."""

from __future__ import annotations

from dataclasses import dataclass

from nvme.host.tree import Tree

DEVICES = "/sys/bus/pci/devices"
DRIVERS = "/sys/bus/pci/drivers"

# Base classes of PCI Code and ID Assignment 1.11, for sentences.
_CLASSES = {
    0x01: "storage controller", 0x02: "network controller", 0x03: "display controller",
    0x04: "multimedia device", 0x05: "memory controller", 0x06: "bridge",
    0x07: "communication controller", 0x08: "system peripheral", 0x09: "input device",
    0x0C: "serial bus controller", 0x0D: "wireless controller", 0x12: "processing accelerator",
}  # fmt: skip


@dataclass(frozen=True)
class PciFunction:
    """What sysfs says of one function. Speeds in GT/s, None where the kernel does not know."""

    address: str
    class_code: int
    vendor: int
    device: int
    subsystem_vendor: int
    subsystem_device: int
    driver: str | None
    override: str | None
    group: str | None
    group_members: tuple[str, ...]  # the others
    numa_node: int | None
    speed: str | None
    speed_max: str | None
    width: str | None
    width_max: str | None
    virtual_functions: tuple[str, ...]
    physical_function: str | None

    @property
    def path(self) -> str:
        """In sysfs."""
        return f"{DEVICES}/{self.address}"

    @property
    def is_nvme(self) -> bool:
        """NVM Express I/O or administrative controller (class code 01h, 08h, 02h or 03h)."""
        return self.class_code in (0x010802, 0x010803)

    @property
    def is_bridge(self) -> bool:
        """A bridge is never handed over: what lies behind it would go with it."""
        return self.class_code >> 16 == 0x06

    @property
    def kind(self) -> str:
        """For a sentence: "NVMe controller", "network controller"."""
        if self.is_nvme:
            return "NVMe controller"
        return _CLASSES.get(self.class_code >> 16, f"device of class {self.class_code:06x}h")


def _hexadecimal(tree: Tree, name: str) -> int:
    return tree.number(name) or 0


def _known(text: str | None) -> str | None:
    return None if text is None or text.lower().startswith("unknown") else text


def _width(text: str | None) -> str | None:
    return None if text in (None, "", "0", "255") else text


def pci_function(tree: Tree, address: str) -> PciFunction | None:
    """The function at a full address ("0000:01:00.0"); None when there is none."""
    path = f"{DEVICES}/{address}"
    if tree.read(f"{path}/class") is None:
        return None
    group = tree.real_name(f"{path}/iommu_group")
    members = tree.names(f"{path}/iommu_group/devices") if group is not None else []
    override = tree.read(f"{path}/driver_override")
    numa = tree.number(f"{path}/numa_node")
    functions = [name for name in tree.names(path) if name.startswith("virtfn")]
    return PciFunction(
        address=address,
        class_code=_hexadecimal(tree, f"{path}/class"),
        vendor=_hexadecimal(tree, f"{path}/vendor"),
        device=_hexadecimal(tree, f"{path}/device"),
        subsystem_vendor=_hexadecimal(tree, f"{path}/subsystem_vendor"),
        subsystem_device=_hexadecimal(tree, f"{path}/subsystem_device"),
        driver=tree.real_name(f"{path}/driver"),
        override=None if override in (None, "", "(null)") else override,
        group=group,
        group_members=tuple(name for name in members if name != address),
        numa_node=None if numa is None or numa < 0 else numa,
        speed=_known(tree.read(f"{path}/current_link_speed")),
        speed_max=_known(tree.read(f"{path}/max_link_speed")),
        width=_width(tree.read(f"{path}/current_link_width")),
        width_max=_width(tree.read(f"{path}/max_link_width")),
        virtual_functions=tuple(
            real for name in functions if (real := tree.real_name(f"{path}/{name}")) is not None
        ),
        physical_function=tree.real_name(f"{path}/physfn"),
    )


def nvme_functions(tree: Tree) -> list[PciFunction]:
    """Every NVMe function, in the order of addresses."""
    found = [pci_function(tree, address) for address in tree.names(DEVICES)]
    return [one for one in found if one is not None and (one.is_nvme or one.driver == "nvme")]
