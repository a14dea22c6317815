# What the kernel's NVMe driver knows of a function: controllers, namespaces, the other controllers
# of the subsystem. Nothing of it is there while another driver has the function.
"""Controllers and namespaces of the kernel's NVMe driver."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nvme.host.pci import DEVICES
from nvme.host.tree import Tree

# nvme0n1 is a namespace of controller 0 or, with multipath, the head of subsystem 0, whose hidden
# paths are nvme0c0n1 (through controller 0), nvme0c1n1 (through controller 1), ...
_NAMESPACE = re.compile(r"nvme(\d+)(?:c(\d+))?n(\d+)$")


@dataclass(frozen=True)
class KernelNamespace:
    """A namespace that the kernel shows as a block device."""

    name: str  # of the block device: nvme0n1
    generic: str  # of its character device: ng0n1
    nsid: int | None
    size_bytes: int
    lba_bytes: int
    is_head: bool  # of several paths
    others: tuple[tuple[str, str], ...]  # block device, controller: the same namespace elsewhere


@dataclass(frozen=True)
class KernelController:
    """A controller that the kernel drives."""

    name: str  # nvme0
    model: str
    serial: str
    firmware: str
    state: str
    namespaces: tuple[KernelNamespace, ...]


def kernel_controller(tree: Tree, address: str) -> KernelController | None:
    """The controller that the kernel's driver made of a function; None when it has not."""
    folder = f"{DEVICES}/{address}/nvme"
    for name in tree.names(folder):
        path = f"{folder}/{name}"
        return KernelController(
            name=name,
            model=tree.read(f"{path}/model") or "",
            serial=tree.read(f"{path}/serial") or "",
            firmware=tree.read(f"{path}/firmware_rev") or "",
            state=tree.read(f"{path}/state") or "",
            namespaces=_namespaces(tree, name, path),
        )
    return None


def controller_address(tree: Tree, name: str) -> str | None:
    """The PCI address of controller "nvme1"; None when it is no PCI device."""
    address = tree.real_name(f"/sys/class/nvme/{name}/device")
    return address if address is not None and tree.exists(f"{DEVICES}/{address}") else None


def _namespaces(tree: Tree, controller: str, path: str) -> tuple[KernelNamespace, ...]:
    found = []
    for entry in tree.names(path):
        match = _NAMESPACE.match(entry)
        if match is None:
            continue
        name = f"nvme{match[1]}n{match[3]}"
        block = f"/sys/class/block/{name}"
        sectors = tree.number(f"{block}/size") or 0  # of 512 bytes, whatever the LBA size is
        found.append(
            KernelNamespace(
                name=name,
                generic=f"ng{match[1]}n{match[3]}",
                nsid=tree.number(f"{path}/{entry}/nsid"),
                size_bytes=sectors * 512,
                lba_bytes=tree.number(f"{block}/queue/logical_block_size") or 512,
                is_head=match[2] is not None,
                others=_others(tree, controller, f"{path}/{entry}", match),
            )
        )
    return tuple(found)


def _others(
    tree: Tree, controller: str, path: str, match: re.Match[str]
) -> tuple[tuple[str, str], ...]:
    """The same namespace through other controllers of the subsystem."""
    found = []
    nsid, wwid = tree.read(f"{path}/nsid"), tree.read(f"{path}/wwid")
    for sibling in _siblings(tree, controller):
        for entry in tree.names(f"/sys/class/nvme/{sibling}"):
            other = _NAMESPACE.match(entry)
            if other is None:
                continue
            if match[2] is not None:  # paths of one head
                same = other[2] is not None and (other[1], other[3]) == (match[1], match[3])
            else:  # multipath is off: a block device for each controller
                at = f"/sys/class/nvme/{sibling}/{entry}"
                same = (nsid, wwid) == (tree.read(f"{at}/nsid"), tree.read(f"{at}/wwid"))
            if same:
                found.append((f"nvme{other[1]}n{other[3]}", sibling))
    return tuple(found)


def _siblings(tree: Tree, controller: str) -> list[str]:
    for subsystem in tree.names("/sys/class/nvme-subsystem"):
        entries = tree.names(f"/sys/class/nvme-subsystem/{subsystem}")
        controllers = [entry for entry in entries if re.fullmatch(r"nvme\d+", entry)]
        if controller in controllers:
            return [name for name in controllers if name != controller]
    return []
