# What the machine as a whole allows: an IOMMU in use, kernel lockdown, and which driver a function
# can be handed to. The sentences name the switch in the BIOS or on the kernel's command line.
"""IOMMU, lockdown, and the choice of a driver for user space."""

from __future__ import annotations

from dataclasses import dataclass

from nvme.host.pci import DRIVERS, PciFunction
from nvme.host.refusals import RefusedError
from nvme.host.tree import Tree

VFIO = "vfio-pci"
UIO = "uio_pci_generic"
USER_DRIVERS = (VFIO, UIO)
# "no-IOMMU mode" of VFIO: groups are made up and protect nothing.
NOIOMMU_MODE = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
_TYPE1 = "/sys/module/vfio_iommu_type1"
_LOCKDOWN = "/sys/kernel/security/lockdown"


@dataclass(frozen=True)
class Machine:
    """`iommu`: devices are behind one. `lockdown`: none, integrity or confidentiality."""

    iommu: bool
    lockdown: str
    advice: str  # how to get an IOMMU; empty where there is one


def machine(tree: Tree) -> Machine:
    """Look at this machine."""
    groups = tree.names("/sys/kernel/iommu_groups")
    iommu = any(not _is_made_up(tree, group) for group in groups)
    text = tree.read(_LOCKDOWN) or ""
    lockdown = text.partition("[")[2].partition("]")[0] or "none"
    return Machine(iommu, lockdown, "" if iommu else _advice(tree))


def behind_iommu(tree: Tree, function: PciFunction) -> bool:
    """Whether the function has a real IOMMU group."""
    return function.group is not None and not _is_made_up(tree, function.group)


def _is_made_up(tree: Tree, group: str) -> bool:
    return tree.read(f"/sys/kernel/iommu_groups/{group}/name") == "vfio-noiommu"


def _advice(tree: Tree) -> str:
    command_line = (tree.read("/proc/cmdline") or "").split()
    tables = tree.names("/sys/firmware/acpi/tables")
    for switch in ("intel_iommu=off", "amd_iommu=off", "iommu=off"):
        if switch in command_line:
            return f"take {switch} off the kernel's command line and start again"
    if "DMAR" in tables:
        return (
            "the machine has an IOMMU that the kernel does not use: add intel_iommu=on to the "
            "kernel's command line and start again"
        )
    if "IVRS" in tables:
        return (
            "the machine has an IOMMU that the kernel does not use: `dmesg | grep AMD-Vi` says why"
        )
    return "switch it on in the BIOS (Intel: VT-d; AMD: IOMMU or AMD-Vi; or in the VM's settings)"


def choose_driver(tree: Tree, function: PciFunction, wanted: str | None) -> str:
    """The driver to hand the function to, loaded. Raises RefusedError, which says why none is."""
    if behind_iommu(tree, function):
        if wanted == UIO:
            raise RefusedError(
                f"{function.address} is behind an IOMMU, where {UIO} cannot work: the drive would "
                "use physical addresses, which the IOMMU does not let through. Leave --driver out"
            )
        load_driver(tree, VFIO)
        if not tree.exists(_TYPE1):
            # A soft dependency, which not every modprobe follows; iommufd does without it.
            tree.run("modprobe", "vfio_iommu_type1")
        return VFIO
    host = machine(tree)
    if host.lockdown != "none":
        raise RefusedError(
            f"{function.address} has no IOMMU group, and the kernel is locked down "
            f"({host.lockdown}; Secure Boot does that), so nothing but VFIO with an IOMMU may "
            "reach a device. Secure Boot can stay on: "
            f"{host.advice or 'this slot is not behind the IOMMU'}"
        )
    if wanted != VFIO:
        try:
            load_driver(tree, UIO)
            return UIO
        except RefusedError:
            if wanted == UIO:
                raise
    try:
        load_driver(tree, VFIO)
    except RefusedError as error:
        raise RefusedError(_no_way(function, host, str(error))) from None
    if not tree.exists(NOIOMMU_MODE):
        raise RefusedError(
            _no_way(function, host, "this kernel's VFIO has no no-IOMMU mode (CONFIG_VFIO_NOIOMMU)")
        )
    return VFIO


def _no_way(function: PciFunction, host: Machine, why: str) -> str:
    return (
        f"{function.address} has no IOMMU group, and there is no way around one here: {why}. "
        f"Get an IOMMU: {host.advice or 'this slot is not behind the one of this machine'}"
    )


def load_driver(tree: Tree, driver: str) -> None:
    """Load the kernel module of a driver, if it is not there. Raises RefusedError."""
    if tree.exists(f"{DRIVERS}/{driver}"):
        return
    done = tree.run("modprobe", driver)
    if tree.exists(f"{DRIVERS}/{driver}"):
        return
    release = tree.read("/proc/sys/kernel/osrelease") or "this kernel"
    why = done.err or f"modprobe {driver} did not help (exit code {done.code})"
    raise RefusedError(
        f"the kernel's driver {driver} is not there and cannot be loaded: {why}. It belongs to the "
        f"kernel's package (of {release}; on Ubuntu linux-modules-extra-{release}); in a container "
        "load it outside"
    )
