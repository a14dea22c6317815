# What is written on a block device: marks of file systems and of storage that others manage, read
# by util-linux's wipefs, which knows them all and erases nothing unless it is told to.
"""Signatures on block devices."""

from __future__ import annotations

import json
from dataclasses import dataclass

from nvme.host.tree import Tree

# Besides everything that blkid calls *_member.
_MANAGED = {"bcache", "drbd", "ceph_bluestore"}
_TITLES = {
    "linux_raid_member": "a Linux md array", "LVM2_member": "an LVM volume group",
    "LVM1_member": "an LVM volume group", "zfs_member": "a ZFS pool", "bcache": "a bcache",
    "drbd": "a DRBD resource", "ceph_bluestore": "a Ceph cluster",
}  # fmt: skip
_TIMEOUT_S = 30.0


class SignatureError(Exception):
    """The device could not be read, or nothing is there to read it with."""


@dataclass(frozen=True)
class Signature:
    """One mark. `kind` is what blkid calls it."""

    kind: str
    label: str

    @property
    def is_member(self) -> bool:
        """Part of something that is larger than this device, which is lost with it."""
        return self.kind.endswith("_member") or self.kind in _MANAGED

    @property
    def title(self) -> str:
        """ "an LVM volume group", "a RAID set (isw_raid_member)", with its label."""
        title = _TITLES.get(self.kind)
        if title is None:
            title = f"a RAID set ({self.kind})" if self.is_member else self.kind
        return f'{title} "{self.label}"' if self.label else title


def signatures(tree: Tree, node: str) -> list[Signature]:
    """The marks on a block device, each once. Raises SignatureError."""
    done = tree.run("wipefs", "--json", node, timeout_s=_TIMEOUT_S)
    if done.code != 0:
        raise SignatureError(f"wipefs (of util-linux): {done.err or f'exit code {done.code}'}")
    try:
        entries = json.loads(done.out)["signatures"] if done.out.strip() else []
        found = [Signature(str(e["type"]), str(e.get("label") or "")) for e in entries]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SignatureError(f"wipefs (of util-linux) printed what is no JSON: {error}") from None
    return list(dict.fromkeys(found))
