# Who uses a PCI function, and what to do about it: the question that stands before every change of
# a driver. Each use is a sentence that names the device, the user and the way out.
"""Uses of a device by this system."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from nvme.host.blocks import BLOCK, Node, block_tree, disks_of_function, exports, passed_through
from nvme.host.controllers import KernelController, controller_address, kernel_controller
from nvme.host.machine import USER_DRIVERS, VFIO
from nvme.host.mounts import Mount, Swap, is_system_root, mounts, mounts_of_node, swaps
from nvme.host.pci import PciFunction
from nvme.host.signatures import Signature, SignatureError, signatures
from nvme.host.tree import OpenFile, Tree


@dataclass(frozen=True)
class Use:
    """One use. `kind` is a word for programs, `text` and `remedy` are for people."""

    kind: str
    text: str
    remedy: str
    is_final: bool = False  # not even --force helps


class Uses:
    """Looks at the whole system once, then answers for one function after the other.

    `read_media` also reads what is written on the drive, which needs root.
    """

    def __init__(self, tree: Tree, named: set[str], read_media: bool) -> None:
        self._tree = tree
        self._named = named  # these functions are handed over together
        self._read_media = read_media
        self._read: dict[str, list[Signature]] = {}

    def of(self, function: PciFunction) -> list[Use]:
        """Every use of the function and of what is made of it."""
        found = list(self._of_function(function))
        controller = kernel_controller(self._tree, function.address)
        if controller is not None:
            found += self._of_controller(controller)
        elif not function.is_nvme:
            for disk in disks_of_function(self._tree, function.path):
                found += self._of_disk(disk, "")
            found += self._of_network(function)
        return list(dict.fromkeys(found))

    def notes(self, function: PciFunction) -> list[str]:
        """What is no use, but good to know before it is overwritten."""
        found = []
        controller = kernel_controller(self._tree, function.address)
        for namespace in controller.namespaces if controller and self._read_media else ():
            for node in self._own_nodes(namespace.name):
                try:
                    marks = self._signatures(node)
                except SignatureError:
                    continue
                kinds = [mark.title for mark in marks if not mark.is_member]
                if kinds:
                    found.append(f"{node.name} holds {', '.join(kinds)}, not in use")
        return found

    @cached_property
    def _mounts(self) -> list[Mount]:
        return mounts(self._tree)

    @cached_property
    def _swaps(self) -> list[Swap]:
        return swaps(self._tree)

    @cached_property
    def _open_files(self) -> list[OpenFile]:
        return list(self._tree.open_files())

    @cached_property
    def _root_pools(self) -> set[str]:
        """The ZFS pool that the system runs from; no mount names its devices."""
        roots = [m for m in self._mounts if m.kind == "zfs" and is_system_root(m)]
        return {mount.source.partition("/")[0] for mount in roots}

    def _signatures(self, node: Node) -> list[Signature]:
        if node.name not in self._read:
            self._read[node.name] = signatures(self._tree, node.node)
        return self._read[node.name]

    def _own_nodes(self, disk: str) -> list[Node]:
        """The disk and its partitions, without what others made of them."""
        nodes = block_tree(self._tree, disk)
        return [n for n in nodes if n.name == disk or self._is_partition(n, disk)]

    def _is_partition(self, node: Node, disk: str) -> bool:
        return node.parent == disk and self._tree.exists(f"{BLOCK}/{node.name}/partition")

    def _of_function(self, function: PciFunction) -> Iterator[Use]:
        if function.virtual_functions:
            names = ", ".join(function.virtual_functions)
            yield Use(
                "sriov",
                f"{function.address} has virtual functions: {names}",
                f"switch them off: echo 0 > {function.path}/sriov_numvfs",
            )
        if function.is_nvme and not _is_known(function.driver):
            yield Use(
                "driver",
                f"{function.address} belongs to the driver {function.driver}, whose users cannot "
                "be seen from here",
                f"take it from there: echo {function.address} > {function.path}/driver/unbind",
            )
        seen = False
        nodes = {f"/dev/vfio/{function.group}", f"/dev/vfio/noiommu-{function.group}"}
        nodes |= {f"/dev/vfio/devices/{n}" for n in self._tree.names(f"{function.path}/vfio-dev")}
        nodes |= {f"/dev/{name}" for name in self._tree.names(f"{function.path}/uio")}
        for file in self._open_files:
            mapped = f"/{function.address}/resource" in file.target
            if file.target in nodes or mapped:
                seen = True
                yield _handle(function.address, file)
        # The device's own file keeps a group whose file was closed; and processes of other PID
        # namespaces are not seen. The kernel would wait for them without end.
        if not seen and function.driver == VFIO and self._tree.is_root():
            for node in sorted(nodes):
                if node.startswith("/dev/vfio/") and self._tree.is_busy(node):
                    yield Use(
                        "handle",
                        f"{function.address} is open ({node}) in a process that cannot be seen "
                        "from here",
                        "end what uses it: a virtual machine, a container, a test",
                    )
                    break

    def _of_controller(self, controller: KernelController) -> Iterator[Use]:
        number = self._tree.read(f"/sys/class/nvme/{controller.name}/dev")
        yield from self._handles(controller.name, f"c{number}")
        for export in passed_through(self._tree, f"/dev/{controller.name}"):
            yield Use("export", f"{controller.name} is served as {export}", "stop serving it")
        for namespace in controller.namespaces:
            generic = self._tree.read(f"/sys/class/nvme-generic/{namespace.generic}/dev")
            yield from self._handles(namespace.generic, f"c{generic}")
            yield from self._of_disk(namespace.name, "")
            for disk, other in namespace.others:
                address = controller_address(self._tree, other)
                if address in self._named:
                    continue
                where = f"{other}, {address}" if address else other
                kind = "multipath device" if namespace.is_head else "namespace"
                if disk != namespace.name:
                    yield from self._of_disk(disk, f", the same namespace behind {where},")
                yield Use(
                    "shared",
                    f"{kind} {namespace.name} is shared with another controller ({where}), "
                    "which would stay with the kernel",
                    f"name both: {address} too" if address else f"disconnect {other} first",
                )

    def _of_disk(self, disk: str, remark: str) -> Iterator[Use]:
        own = {node.name for node in self._own_nodes(disk)}
        for node in block_tree(self._tree, disk):
            yield from self._of_node(node, remark)
            if node.name in own:
                yield from self._of_media(node, remark)
            elif not self._tree.exists(f"{BLOCK}/{node.name}/partition"):
                yield self._holder(node, remark)

    def _of_node(self, node: Node, remark: str) -> Iterator[Use]:
        title = " > ".join([*node.chain[:-1], node.title]) + remark
        for mount in mounts_of_node(self._tree, node, self._mounts):
            seen = f" (seen by process {mount.pid})" if mount.pid is not None else ""
            is_root = is_system_root(mount)
            target = shlex.quote(mount.target)
            remedy = f"umount {target}"
            if mount.pid not in (None, 1):
                remedy = f"nsenter -t {mount.pid} -m umount {target}, or end that process"
            if is_root:
                remedy = "it is the drive this system runs from: use another one"
            yield Use("mount", f"{title} is mounted on {mount.target}{seen}", remedy, is_root)
        if any(swap.is_on(node) for swap in self._swaps):
            yield Use("swap", f"{title} is in use as swap", f"swapoff {node.node}")
        for export in exports(self._tree, node.node):
            yield Use("export", f"{title} is served as {export}", "stop serving it")
        if self._tree.exists(f"{BLOCK}/{node.name}/bcache") and node.name.startswith("nvme"):
            yield Use(
                "holder",
                f"{title} is registered as a bcache device",
                f"echo 1 > /sys/block/{node.name}/bcache/stop",
            )
        yield from self._handles(node.node.removeprefix("/dev/"), f"b{node.number}")

    def _of_media(self, node: Node, remark: str) -> Iterator[Use]:
        if not self._read_media or not self._tree.number(f"{BLOCK}/{node.name}/size"):
            return  # a namespace without capacity has nothing to read: of a format Linux lacks
        try:
            marks = self._signatures(node)
        except SignatureError as error:
            yield Use(
                "unreadable",
                f"{node.name}{remark} cannot be looked at ({error}), so whether it belongs to a "
                "RAID or volume group is not known",
                "--force with the serial number, if you know that it does not",
            )
            return
        for mark in marks:
            if mark.is_member:
                yield Use(
                    "member",
                    f"{node.name}{remark} is a member of {mark.title}",
                    f"take it out of there; if its data may be lost: wipefs --all {node.node}",
                    mark.kind == "zfs_member" and mark.label in self._root_pools,
                )

    def _holder(self, node: Node, remark: str) -> Use:
        mapper = self._tree.read(f"{BLOCK}/{node.name}/dm/name")
        if mapper is not None:
            name = shlex.quote(mapper)
            if "(LVM " in node.title:
                remedy = f"vgchange --activate n for its volume group ({mapper})"
            elif "(dm-crypt " in node.title:
                remedy = f"cryptsetup close {name}"
            elif "(multipath " in node.title:
                remedy = f"multipath -f {name}"
            else:
                remedy = f"dmsetup remove {name}"
        elif node.name.startswith("md"):
            remedy = f"mdadm --stop {node.node}"
        elif node.name.startswith("loop"):
            remedy = f"losetup --detach {node.node}"
        else:
            remedy = f"stop {node.node}"
        return Use("holder", f"{node.parent}{remark} is held by {node.title}", remedy)

    def _handles(self, name: str, number: str) -> Iterator[Use]:
        for file in self._open_files:
            if file.target.endswith(f"/dev/{name}") or file.number == number:
                yield _handle(name, file)

    def _of_network(self, function: PciFunction) -> Iterator[Use]:
        home = self._tree.real(function.path)
        for name in self._tree.names("/sys/class/net"):
            at = self._tree.real(f"/sys/class/net/{name}") or ""
            flags = self._tree.number(f"/sys/class/net/{name}/flags") or 0
            if home is not None and at.startswith(home + "/") and flags & 1:  # IFF_UP
                yield Use("network", f"network interface {name} is up", f"ip link set {name} down")


def _is_known(driver: str | None) -> bool:
    """Drivers whose users are found here; pci-stub has none."""
    return driver in (None, "nvme", "pci-stub", *USER_DRIVERS) or "vfio_pci" in driver


def _handle(name: str, file: OpenFile) -> Use:
    return Use(
        "handle",
        f"{name} is open in process {file.pid} ({file.command})",
        f"end it: kill {file.pid}",
    )


def disks(tree: Tree, function: PciFunction) -> list[str]:
    """The block devices to be claimed before the function is taken from the kernel."""
    controller = kernel_controller(tree, function.address)
    if controller is not None:
        return [n.name for n in controller.namespaces if tree.exists(f"{BLOCK}/{n.name}")]
    return [] if function.is_nvme else disks_of_function(tree, function.path)
