# Block devices and what lies on top of them: partitions, holders (device mapper, md, bcache), loop
# devices, kernel targets. Mounts and swap are in mounts.py.
"""Walks from a disk to everything that is made of it."""

from __future__ import annotations

from dataclasses import dataclass

from nvme.host.tree import Tree

BLOCK = "/sys/class/block"


@dataclass(frozen=True)
class Node:
    """A block device on top of a disk. `chain` leads from the disk to it, by names."""

    name: str
    chain: tuple[str, ...]
    number: str  # "259:1"; empty when it is not known
    title: str  # "nvme0n1p2", "dm-0 (LVM volume vg-root)"

    @property
    def node(self) -> str:
        """Its name in /dev."""
        return "/dev/" + self.name.replace("!", "/")

    @property
    def parent(self) -> str | None:
        """What it is made of."""
        return self.chain[-2] if len(self.chain) > 1 else None


def block_tree(tree: Tree, disk: str) -> list[Node]:
    """The disk, its partitions and all that holds them, each once, in the order of the walk."""
    found: dict[str, Node] = {}
    _walk(tree, disk, (), found)
    return list(found.values())


def _walk(tree: Tree, name: str, chain: tuple[str, ...], found: dict[str, Node]) -> None:
    if name in found or not tree.exists(f"{BLOCK}/{name}"):
        return
    number = tree.read(f"{BLOCK}/{name}/dev") or ""
    found[name] = Node(name, (*chain, name), number, _title(tree, name))
    for entry in tree.names(f"{BLOCK}/{name}"):
        if tree.exists(f"{BLOCK}/{name}/{entry}/partition"):
            _walk(tree, entry, (*chain, name), found)
    for holder in tree.names(f"{BLOCK}/{name}/holders"):
        _walk(tree, holder, (*chain, name), found)
    for loop in _loops(tree, found[name].node):
        _walk(tree, loop, (*chain, name), found)


def _title(tree: Tree, name: str) -> str:
    path = f"{BLOCK}/{name}"
    mapper = tree.read(f"{path}/dm/name")
    if mapper:
        return f"{name} ({_mapper_kind(tree, path)} {mapper})"
    level = tree.read(f"{path}/md/level")
    if level is not None:
        return f"{name} (md array, {level or 'inactive'})"
    return name


def _mapper_kind(tree: Tree, path: str) -> str:
    uuid = tree.read(f"{path}/dm/uuid") or ""
    for prefix, kind in (
        ("LVM-", "LVM volume"),
        ("CRYPT-", "dm-crypt volume"),
        ("mpath-", "multipath device"),
    ):
        if uuid.startswith(prefix) or f"-{prefix}" in uuid:  # "part1-mpath-..." of kpartx
            return kind
    return "device mapper volume"


def _loops(tree: Tree, node: str) -> list[str]:
    """Loop devices over a block device: not among its holders."""
    return [
        name
        for name in tree.names("/sys/block")
        if name.startswith("loop")
        and (backing := tree.read(f"/sys/block/{name}/loop/backing_file"))
        and (backing == node or tree.real(backing) == node)
    ]


def exports(tree: Tree, node: str) -> list[str]:
    """The kernel's targets (NVMe over fabrics, SCSI) that serve a block device to others."""
    found = []
    nvmet = "/sys/kernel/config/nvmet/subsystems"
    for subsystem in tree.names(nvmet):
        for nsid in tree.names(f"{nvmet}/{subsystem}/namespaces"):
            at = f"{nvmet}/{subsystem}/namespaces/{nsid}"
            if tree.read(f"{at}/enable") == "1" and _same(tree, f"{at}/device_path", node):
                found.append(f"namespace {nsid} of the kernel's NVMe target {subsystem}")
    scsi = "/sys/kernel/config/target/core"
    for hba in tree.names(scsi):
        for backend in tree.names(f"{scsi}/{hba}"):
            if _same(tree, f"{scsi}/{hba}/{backend}/udev_path", node):
                found.append(f"the kernel's SCSI target {hba}/{backend}")
    return found


def passed_through(tree: Tree, node: str) -> list[str]:
    """Subsystems of the kernel's NVMe target that pass commands on to a controller as it is."""
    nvmet = "/sys/kernel/config/nvmet/subsystems"
    return [
        f"the kernel's NVMe target {subsystem}, passed through"
        for subsystem in tree.names(nvmet)
        if tree.read(f"{nvmet}/{subsystem}/passthru/enable") == "1"
        and _same(tree, f"{nvmet}/{subsystem}/passthru/device_path", node)
    ]


def _same(tree: Tree, file: str, node: str) -> bool:
    path = tree.read(file)
    return bool(path) and (path == node or tree.real(path or "") == node)


def disks_of_function(tree: Tree, path: str) -> list[str]:
    """Whole disks below a PCI function that is no NVMe controller (SATA, SCSI, virtio)."""
    home = tree.real(path)
    return [
        name
        for name in tree.names("/sys/block")
        if home is not None and (tree.real(f"/sys/block/{name}") or "").startswith(home + "/")
    ]
