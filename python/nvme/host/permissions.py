# A handed-over function for people who are not root: its node in /dev/vfio gets an owner. Lasts
# until the function is given back. With UIO nothing helps: physical addresses are root's.
"""Permissions on VFIO's nodes."""

from __future__ import annotations

import grp
import os
import pwd
from dataclasses import dataclass

from nvme.host.pci import PciFunction
from nvme.host.refusals import RefusedError
from nvme.host.tree import Tree

LIMITS_FILE = "/etc/security/limits.d/90-pynvme.conf"


@dataclass(frozen=True)
class Owner:
    """Whom the nodes belong to: a user, or everyone in a group."""

    uid: int
    gid: int
    mode: int
    who: str  # for limits.conf: "alice", "@testers"


def owner(user: str | None, group: str | None) -> Owner | None:
    """Look the names up; None when neither is given. Raises RefusedError."""
    if user is None and group is None:
        return None
    uid, gid, mode, who = 0, 0, 0o600, ""
    if user is not None:
        try:
            uid = pwd.getpwnam(user).pw_uid
        except KeyError:
            raise RefusedError(f"there is no user {user!r} on this machine") from None
        who = user
    if group is not None:
        try:
            gid = grp.getgrnam(group).gr_gid
        except KeyError:
            raise RefusedError(f"there is no group {group!r} on this machine") from None
        mode, who = 0o660, who or f"@{group}"
    return Owner(uid, gid, mode, who)


def vfio_nodes(tree: Tree, function: PciFunction) -> list[str]:
    """The nodes by which a program opens the function."""
    names = [f"/dev/vfio/{function.group}", f"/dev/vfio/noiommu-{function.group}"]
    names += [f"/dev/vfio/devices/{name}" for name in tree.names(f"{function.path}/vfio-dev")]
    return [name for name in names if tree.exists(name)]


def permit(tree: Tree, function: PciFunction, to: Owner) -> list[str]:
    """Give the function's nodes to `to`; returns them. Raises OSError."""
    # udev sets a new node's owner too, a moment after it appears; ours is to be the last word.
    tree.run("udevadm", "settle", "--timeout=10", timeout_s=15)
    nodes = vfio_nodes(tree, function)
    for node in nodes:
        os.chown(tree.path(node), to.uid, to.gid)
        tree.path(node).chmod(to.mode)
    return nodes


def limits_advice(to: Owner) -> str:
    """What else a user needs: pinned memory counts against the limit on locked memory."""
    return (
        f"{to.who} also needs the right to lock memory (`ulimit -l` must say unlimited, in KiB "
        f"else at least 1048576): put this line into {LIMITS_FILE} and log in again:\n"
        f"    {to.who} - memlock unlimited"
    )
