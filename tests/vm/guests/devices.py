"""Devices of a guest as data: what QEMU takes, in the JSON of its command line and its monitor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Properties = dict[str, Any]


@dataclass
class Device:
    """A device with what it needs: `drives` {node name: bytes}, QEMU objects, QEMU devices."""

    id: str
    devices: list[Properties]
    drives: dict[str, int] = field(default_factory=dict)
    objects: list[Properties] = field(default_factory=list)
    address: str = ""  # where a guest sees it, when it is known


def nvme(
    id: str,
    size: int | None = 1 << 30,
    namespaces: Sequence[Properties] = (),
    **properties: Any,
) -> Device:
    """An NVMe controller of QEMU (underscores in names for -; `addr="05.0"`, `bus="port0"`).

    With `size` its namespace 1 is an image of so many bytes, new and empty, with the controller's
    own logical_block_size. With `namespaces` (and then no `size`) each is an nvme-ns with these
    properties and an image of `size` bytes of its own; only of a guest that is not yet running.

    >>> nvme("nvme0", addr="05.0", serial="A")
    >>> nvme("nvme1", None, [{"size": 1 << 28, "zoned": True, "zoned.zone_size": 4 << 20}])
    """
    controller = {"driver": "nvme", "id": id, "serial": id}
    controller |= {name.replace("__", "."): value for name, value in properties.items()}
    device = Device(id, [controller])
    if namespaces:
        for number, given in enumerate(namespaces, 1):
            space = {"driver": "nvme-ns", "bus": id, "nsid": number, "drive": f"{id}-n{number}"}
            space |= given
            device.drives[space["drive"]] = space.pop("size")
            device.devices.append(space)
    elif size is not None:
        controller["drive"] = f"{id}-n1"
        device.drives[f"{id}-n1"] = size
    return device


def root_port(id: str, slot: int, **properties: Any) -> Device:
    """A PCI Express port: a device behind it (`bus=id`) can come and go, and is no endpoint of the
    root complex. Each port needs a slot number of its own."""
    return Device(
        id, [{"driver": "pcie-root-port", "id": id, "slot": slot, "chassis": slot} | properties]
    )


def vfio_user(id: str, path: str, **properties: Any) -> Device:
    """The device that is served at a vfio-user socket; needs QEMU 11.1 and shared memory."""
    socket = {"type": "unix", "path": path}
    return Device(id, [{"driver": "vfio-user-pci", "id": id, "socket": socket} | properties])
