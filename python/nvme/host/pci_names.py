# Names of vendors and devices, from whichever list the system has: that of libpci (pci.ids) or that
# of udev (hwdb). Without one the numbers have to do.
"""Names of PCI vendors and devices."""

from __future__ import annotations

from functools import cached_property

from nvme.host.pci import PciFunction
from nvme.host.tree import Tree

_PCI_IDS = ("/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids", "/usr/share/pci.ids")
_HWDB = (
    "/usr/lib/udev/hwdb.d/20-pci-vendor-model.hwdb",
    "/lib/udev/hwdb.d/20-pci-vendor-model.hwdb",
)


class PciNames:
    """Looks names up; reads the list when the first one is asked for."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def vendor(self, function: PciFunction) -> str:
        """The vendor's name, or its number."""
        return self._find(function.vendor, None) or f"vendor {function.vendor:04x}"

    def device(self, function: PciFunction) -> str:
        """The device's name, or its number."""
        name = self._find(function.vendor, function.device)
        return name or f"device {function.vendor:04x}:{function.device:04x}"

    # The lists have megabytes: they are searched, not parsed.

    def _find(self, vendor: int, device: int | None) -> str | None:
        if self._pci_ids:
            return _find_in_pci_ids(self._pci_ids, vendor, device)
        return _find_in_hwdb(self._hwdb, vendor, device)

    @cached_property
    def _pci_ids(self) -> str:
        return self._first(_PCI_IDS)

    @cached_property
    def _hwdb(self) -> str:
        return self._first(_HWDB)

    def _first(self, paths: tuple[str, ...]) -> str:
        texts = (self._tree.read(path) for path in paths)
        found = next((text for text in texts if text), None)
        return "" if found is None else f"\n{found}"


def _rest_of_line(text: str, start: str, begin: int = 0, end: int | None = None) -> str | None:
    at = text.find(start, begin, len(text) if end is None else end)
    return None if at < 0 else text[at + len(start) :].partition("\n")[0].strip()


def _find_in_pci_ids(text: str, vendor: int, device: int | None) -> str | None:
    line = f"\n{vendor:04x}  "
    if device is None:
        return _rest_of_line(text, line)
    begin = text.find(line)
    if begin < 0:
        return None
    # The vendor's devices are indented by a tab; the next vendor is not.
    end = begin + 1
    while (end := text.find("\n", end)) >= 0 and text[end + 1 : end + 2] in ("\t", "#"):
        end += 1
    return _rest_of_line(text, f"\n\t{device:04x}  ", begin, end if end >= 0 else None)


def _find_in_hwdb(text: str, vendor: int, device: int | None) -> str | None:
    what = "VENDOR" if device is None else "MODEL"
    key = f"pci:v{vendor:08X}" + ("" if device is None else f"d{device:08X}")
    return _rest_of_line(text, f"\n{key}*\n ID_{what}_FROM_DATABASE=")
