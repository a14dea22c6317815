# Names of vendors and devices, from whichever list the system has: that of libpci (pci.ids) or that
# of udev (hwdb). Without one the numbers have to do.
"""Names of PCI vendors and devices."""

from __future__ import annotations

import re
from functools import cached_property

from nvme.host.pci import PciFunction
from nvme.host.tree import Tree

_PCI_IDS = ("/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids", "/usr/share/pci.ids")
_HWDB = (
    "/usr/lib/udev/hwdb.d/20-pci-vendor-model.hwdb",
    "/lib/udev/hwdb.d/20-pci-vendor-model.hwdb",
)
_HWDB_KEY = re.compile(r"pci:v0000([0-9A-F]{4})(?:d0000([0-9A-F]{4}))?\*$")


class PciNames:
    """Looks names up; reads its list when the first one is asked for."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    @cached_property
    def _names(self) -> dict[tuple[int, int | None], str]:
        for path in _PCI_IDS:
            text = self._tree.read(path)
            if text:
                return _parse_pci_ids(text)
        for path in _HWDB:
            text = self._tree.read(path)
            if text:
                return _parse_hwdb(text)
        return {}

    def vendor(self, function: PciFunction) -> str:
        """The vendor's name, or its number."""
        return self._names.get((function.vendor, None), f"vendor {function.vendor:04x}")

    def device(self, function: PciFunction) -> str:
        """The device's name, or its number."""
        key = (function.vendor, function.device)
        return self._names.get(key, f"device {function.vendor:04x}:{function.device:04x}")


def _parse_pci_ids(text: str) -> dict[tuple[int, int | None], str]:
    names: dict[tuple[int, int | None], str] = {}
    vendor = -1
    for line in text.splitlines():
        if line.startswith("C "):  # classes come last
            break
        if line.startswith(("#", "\t\t")) or not line:
            continue
        number, _, name = line.strip().partition("  ")
        try:
            if line.startswith("\t"):
                names[vendor, int(number, 16)] = name
            else:
                vendor = int(number, 16)
                names[vendor, None] = name
        except ValueError:
            continue
    return names


def _parse_hwdb(text: str) -> dict[tuple[int, int | None], str]:
    names: dict[tuple[int, int | None], str] = {}
    key: tuple[int, int | None] | None = None
    for line in text.splitlines():
        if line.startswith(" ") and key is not None:
            names.setdefault(key, line.partition("=")[2])
        elif match := _HWDB_KEY.match(line):
            key = (int(match[1], 16), int(match[2], 16) if match[2] else None)
        else:
            key = None
    return names
