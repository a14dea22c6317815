"""Linux guests on QEMU for tests that need real devices or a real kernel; see ../README.md."""

from guests.debian import Tree, UnavailableError
from guests.devices import Device, nvme, root_port, vfio_user
from guests.guest import CommandError, Guest, GuestError, GuestTimeoutError, prepare
from guests.kernel import KERNEL_6_12
from guests.machine import QEMU_11, Hardware

__all__ = [
    "KERNEL_6_12",
    "QEMU_11",
    "CommandError",
    "Device",
    "Guest",
    "GuestError",
    "GuestTimeoutError",
    "Hardware",
    "Tree",
    "UnavailableError",
    "nvme",
    "prepare",
    "root_port",
    "vfio_user",
]
