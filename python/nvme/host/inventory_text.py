# The inventory for people: lines of at most 80 columns.
"""Plain text of ./pynvme info."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from nvme.host.inventory import Item
from nvme.host.machine import Machine

_COLUMNS = 80
_LABEL = 14

SIMULATED = (
    "The embedded SSD needs no setup and no root: name it --dut sim, or sim:capacity=64GB,... "
    "(docs/ssd.md). Simulated drives live in the process that uses them; none is listed here."
)
_NEEDS_NONE = {
    "sim": "the embedded SSD: it lives in the process that uses it, and needs no setup and no root",
    "tcp": "an NVMe/TCP target: it is reached over the network, and needs no setup here",
    "unix": "a device served over vfio-user by another process: it needs no setup, only the right "
    "to open the socket",
}  # fmt: skip


def explain_other(kind: str) -> str:
    """What a device is that is no PCI function: "sim", "tcp" or "unix"."""
    return _NEEDS_NONE[kind]


def render(items: Sequence[Item], host: Machine, is_root: bool) -> str:
    """All of it."""
    blocks = ["\n".join(_function(item)) for item in items]
    if not items:
        blocks.append("There is no NVMe drive on this machine's PCI buses.")
    blocks.append("\n".join(_machine(host, is_root)))
    blocks.append(textwrap.fill(SIMULATED, _COLUMNS))
    return "\n\n".join(blocks)


def size_text(size_bytes: int) -> str:
    """In decimal units, as drives are sold: "1.0 TB", "960.2 GB"."""
    value = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB", "TB", "PB"):
        if value < 999.95 or unit == "PB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"


def _row(label: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _COLUMNS,
        initial_indent=f"  {label}".ljust(_LABEL),
        subsequent_indent=" " * _LABEL,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _function(item: Item) -> Iterator[str]:
    function = item.function
    title = f"{function.address}  {item.vendor} {item.device}"
    yield from textwrap.wrap(title, _COLUMNS, subsequent_indent=" " * _LABEL)
    if not function.is_nvme:
        yield from _row("kind", item.kind)
    if item.model or item.serial:
        size = size_text(item.size_bytes) if item.size_bytes else "no capacity"
        parts = [item.model, f"serial {item.serial}", f"firmware {item.firmware}", size]
        before = " (as the kernel saw it before)" if not item.controller else ""
        yield from _row("drive", ", ".join(part for part in parts if part) + before)
    yield from _row("driver", _driver(item))
    if function.speed or function.width:
        yield from _row("link", _link(item))
    if function.numa_node is not None:
        yield from _row("NUMA node", str(function.numa_node))
    yield from _row("IOMMU", _group(item))
    for index, space in enumerate(item.namespaces):
        text = f"{space.name}, {size_text(space.size_bytes)}, LBAs of {space.lba_bytes} bytes"
        if space.others:
            text += ", shared with " + " and ".join(sorted({other for _, other in space.others}))
        yield from _row("" if index else "namespaces", text)
    for index, use in enumerate(item.uses):
        yield from _row("" if index else "in use", use.text)
    if not item.uses:
        yield from _row("in use", "no")
    for index, note in enumerate(item.notes):
        yield from _row("" if index else "note", note)
    yield from _row("setup", item.setup)


def _driver(item: Item) -> str:
    driver = item.function.driver
    if driver is None:
        return "none"
    if item.handed_over:
        nodes = f", {', '.join(item.nodes)}" if item.nodes else ""
        return f"{driver} (handed over to user space{nodes})"
    return f"{driver} (the kernel's){', ' + item.controller if item.controller else ''}"


def _link(item: Item) -> str:
    function = item.function
    text = f"{function.speed or '?'} x{function.width or '?'}"
    most = f"{function.speed_max or '?'} x{function.width_max or '?'}"
    return text if text == most else f"{text} (the drive can {most})"


def _group(item: Item) -> str:
    if item.function.group is None:
        return "none"
    if not item.group_members:
        return f"group {item.function.group}, alone in it"
    others = [f"{m.address} ({m.kind}, {m.driver or 'no driver'})" for m in item.group_members]
    return f"group {item.function.group}, with {', '.join(others)}"


def _machine(host: Machine, is_root: bool) -> Iterator[str]:
    yield from _row("machine", "IOMMU in use" if host.iommu else f"no IOMMU: {host.advice}")
    if host.lockdown != "none":
        yield from _row("", f"kernel lockdown: {host.lockdown}")
    if not is_root:
        yield from _row("", "root sees more: what is written on drives, who has them open")
