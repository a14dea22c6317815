"""Tables that repeat what the code says, for reference.py."""

from __future__ import annotations

import importlib
import inspect
import re
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

# What the code does not say about a key of an embedded SSD: its default and what it is for.
SIM_KEYS = {
    "capacity": ("256GB", "capacity, shared out evenly to the namespaces"),
    "lba": ("512", "bytes of an LBA, the format it leaves the factory with"),
    "queues": ("16", "IO queue pairs"),
    "mqes": ("1023", "largest queue, 0-based, as in CAP.MQES"),
    "mdts": ("128KiB", "largest data transfer"),
    "namespaces": ("1", "namespaces"),
    "cache": ("64MiB", "volatile write cache"),
    "latency": ("1", "factor of the latency model; with 0 every command is done at once"),
    "seed": ("1", "seed of its random choices, latency jitter for example"),
    "file": ("", "file that keeps the data; without it they go with the device"),
    "model": ("pynvme embedded SSD", "Model Number"),
    "serial": ("PYNVME0001", "Serial Number"),
    "firmware": ("1.0", "Firmware Revision"),
    "elpe": ("63", "entries of the Error Information log, 0-based"),
    "aerl": ("3", "Asynchronous Event Request Limit, 0-based"),
    "acl": ("7", "Abort Command Limit, 0-based"),
    "version": ("1.4", "NVMe version in the VS register"),
    "ready_ms": ("0", "milliseconds from CC.EN = 1 to CSTS.RDY = 1"),
    "timeout": ("20", "CAP.TO, in units of 500 ms"),
    "dstrd": ("0", "doorbell stride: 4 << dstrd bytes between doorbells, as in CAP.DSTRD"),
    "interrupts": ("msix", "the best kind of interrupt it has; the lesser ones are there as well"),
    "lbaformats": ("512+4096", "bytes of an LBA in each LBA format"),
    "nssizes": ("", "how large each namespace is; the rest of the capacity is not allocated"),
    "nsformats": ("", "bytes of an LBA in each namespace, instead of `lba` in all"),
    "powerstates": ("5", "power states; 3 and 4 are non-operational"),
    "trace": ("0", "how many of its last events it keeps for `trace()` and `nvme.device_trace()`"),
}  # fmt: skip

# The specification's names of features and log pages, which the driver does not need.
FEATURES = {
    0x01: "Arbitration",
    0x02: "Power Management",
    0x03: "LBA Range Type",
    0x04: "Temperature Threshold",
    0x05: "Error Recovery",
    0x06: "Volatile Write Cache",
    0x07: "Number of Queues",
    0x08: "Interrupt Coalescing",
    0x09: "Interrupt Vector Configuration",
    0x0A: "Write Atomicity Normal",
    0x0B: "Asynchronous Event Configuration",
    0x0C: "Autonomous Power State Transition",
    0x0D: "Host Memory Buffer",
    0x0E: "Timestamp",
    0x0F: "Keep Alive Timer",
    0x10: "Host Controlled Thermal Management",
    0x11: "Non-Operational Power State Config",
    0x12: "Read Recovery Level Config",
    0x13: "Predictable Latency Mode Config",
    0x14: "Predictable Latency Mode Window",
    0x15: "LBA Status Information Report Interval",
    0x16: "Host Behavior Support",
    0x17: "Sanitize Config",
    0x18: "Endurance Group Event Configuration",
    0x19: "I/O Command Set Profile",
    0x1A: "Spinup Control",
    0x80: "Software Progress Marker",
    0x81: "Host Identifier",
    0x82: "Reservation Notification Mask",
    0x83: "Reservation Persistence",
    0x84: "Namespace Write Protection Config",
}
LOG_PAGES = {
    0x00: "Supported Log Pages",
    0x01: "Error Information",
    0x02: "SMART / Health Information",
    0x03: "Firmware Slot Information",
    0x04: "Changed Namespace List",
    0x05: "Commands Supported and Effects",
    0x06: "Device Self-test",
    0x07: "Telemetry Host-Initiated",
    0x08: "Telemetry Controller-Initiated",
    0x09: "Endurance Group Information",
    0x0D: "Persistent Event Log",
    0x0E: "LBA Status Information",
    0x12: "Feature Identifiers Supported and Effects",
    0x81: "Sanitize Status",
}


def _escaped(text: str) -> str:
    return re.sub(r"([*<\[])", r"\\\1", text)


def table(columns: list[str], rows: list[list[str]]) -> list[str]:
    lines = [columns, ["---"] * len(columns), *rows]
    return ["| " + " | ".join(line).replace("|  |", "| |") + " |" for line in lines] + [""]


def fixtures() -> list[str]:
    plugin = importlib.import_module("nvme.plugin")
    rows = []
    for name, value in vars(plugin).items():
        if type(value).__name__ != "FixtureFunctionDefinition":
            continue
        scope = value._fixture_function_marker.scope
        rows.append([f"`{name}`", scope, _escaped(inspect.cleandoc(value.__doc__ or ""))])
    return table(["fixture", "made for each", "what"], rows)


def status() -> list[str]:
    """From the C++ tables of src/spec."""
    header = (ROOT / "src/spec/status.h").read_text()
    codes = {name: int(code, 16) for name, code in re.findall(r"(k\w+) = (0x\w+);", header)}
    types = {"generic": 0, "command_specific": 1, "media": 2, "path": 3}
    source = (ROOT / "src/spec/status.cc").read_text()
    rows = []
    for kind, sct in types.items():
        body = source[source.index(f"{kind}_text(uint8_t code)") :]
        body = body[: body.index("default:")]
        found = re.findall(r"sc::(k\w+):\s*return \"([^\"]*)\"", body)
        rows += [[f"`{sct:02x}/{codes[name]:02x}`", text] for name, text in found]
    rows.append([f"`07/{codes['kDataVerifyMismatch']:02x}`", "Data Verify Mismatch"])
    return table(["status", "name"], sorted(rows))


def sim() -> list[str]:
    nvme: Any = importlib.import_module("nvme")

    def refusal(key: str, value: str) -> str:
        try:
            nvme.Ssd(**{key: value})
        except ValueError as error:
            return str(error)
        raise AssertionError(f"{key}={value!r} is taken")

    keys = refusal("no_such_key", "1").split("the keys are ")[1].split(", ")
    rows = []
    for key in keys:
        if key not in SIM_KEYS:
            raise SystemExit(f"tools/reference.py: say in SIM_KEYS what {key!r} is for")
        default, what = SIM_KEYS[key]
        bad = "" if key in ("file", "model", "serial", "firmware") else "?"
        values = refusal(key, bad).split("; give ")[1]
        rows.append([f"`{key}`", _escaped(values), f"`{default}`" if default else "none", what])
    return table(["key", "values", "default", "what"], rows)


def _status_of(nvme0: Any, send: Any) -> tuple[int, int, int]:
    """(status code type, status code, cdw0) of an admin command."""
    done: list[tuple[int, int]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        send(lambda cdw0, status1: done.append((cdw0, status1)))
        nvme0.waitdone()
    cdw0, status1 = done[0]
    return status1 >> 9 & 7, status1 >> 1 & 0xFF, cdw0


def commands() -> list[str]:
    """From the Commands Supported and Effects log."""
    nvme: Any = importlib.import_module("nvme")
    nvme0 = nvme.Controller(nvme.Ssd(capacity="1GiB", latency=0))
    nvme0n1 = nvme.Namespace(nvme0)
    rows = [
        [f"`{opcode:02x}h`", kind, owner.cmdname(opcode)]
        for kind, owner in (("admin", nvme0), ("IO", nvme0n1))
        for opcode in range(256)
        if owner.supports(opcode)
    ]
    nvme0.close()
    return table(["opcode", "queue", "command"], rows)


def features() -> list[str]:
    """What Get Features says of each, with SEL 3: supported capabilities."""
    nvme: Any = importlib.import_module("nvme")
    nvme0 = nvme.Controller(nvme.Ssd(capacity="1GiB", latency=0))
    rows = []
    for fid in range(0xC0):
        sct, sc, cdw0 = _status_of(nvme0, lambda cb, fid=fid: nvme0.getfeatures(fid, sel=3, cb=cb))
        if (sct, sc) == (0, 0):
            yes = ["yes" if cdw0 >> bit & 1 else "no" for bit in (0, 2, 1)]
            rows.append([f"`{fid:02x}h`", FEATURES[fid], *yes])
    nvme0.close()
    return table(["fid", "feature", "saveable", "changeable", "for a namespace"], rows)


def logs() -> list[str]:
    """Log pages that are not answered with Invalid Log Page."""
    nvme: Any = importlib.import_module("nvme")
    nvme0 = nvme.Controller(nvme.Ssd(capacity="1GiB", latency=0))
    buf = nvme.Buffer(512)
    rows = []
    for lid in range(0xC0):
        sct, sc, _ = _status_of(nvme0, lambda cb, lid=lid: nvme0.getlogpage(lid, buf, cb=cb))
        if (sct, sc) != (1, 9):
            rows.append([f"`{lid:02x}h`", LOG_PAGES[lid]])
    nvme0.close()
    return table(["lid", "log page"], rows)


def fault_matches() -> list[str]:
    rows = [f"| `{name}` | {values} | {what} |" for name, values, what in _core().fault_matches()]
    return ["| key | values | which commands |", "| --- | --- | --- |", *rows]


def fault_actions() -> list[str]:
    lines = ["| action | commands | what it does | keys |", "| --- | --- | --- | --- |"]
    for name, scope, default, keys, what in _core().fault_actions():
        commands = f"{scope}; `{default}` when left out" if default else scope
        described = "; ".join(f"`{key}`: {text}" for key, text in keys)
        lines.append(f"| `{name}` | {commands} | {what} | {described} |")
    return lines


def _core() -> Any:
    return importlib.import_module("nvme._core")
