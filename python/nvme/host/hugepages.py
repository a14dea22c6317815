# Memory for a drive without an IOMMU: it uses physical addresses, so pages must be large and stay
# where they are. VFIO with an IOMMU needs none of this.
"""Hugepages of 2 MiB."""

from __future__ import annotations

from nvme.host.refusals import RefusedError
from nvme.host.remembered import change_setting
from nvme.host.tree import Tree

_PAGES = "/sys/kernel/mm/hugepages/hugepages-2048kB"
DEFAULT_MIB = 256


def reserve(tree: Tree, mib: int) -> str:
    """See to it that `mib` MiB of hugepages are free; says what is. Raises RefusedError."""
    want = (mib + 1) // 2
    free = tree.number(f"{_PAGES}/free_hugepages")
    total = tree.number(f"{_PAGES}/nr_hugepages")
    if free is None or total is None:
        raise RefusedError(
            "this kernel has no hugepages of 2 MiB; without an IOMMU they are needed"
        )
    if free >= want:
        return f"{free * 2} MiB of hugepages are free"
    change_setting(tree, f"{_PAGES}/nr_hugepages", str(total + want - free))
    free = tree.number(f"{_PAGES}/free_hugepages") or 0
    if free < want:
        tree.write(f"{_PAGES}/nr_hugepages", str(total))
        raise RefusedError(
            f"only {free * 2} MiB of hugepages could be had instead of {mib}: memory is in use or "
            "in small pieces. Ask for less (--hugepages), or do this soon after the machine starts"
        )
    return f"{free * 2} MiB of hugepages are free now"
