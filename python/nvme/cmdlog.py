# What scripts and people make of command logs. Records come decoded from the driver; here they are
# lines of text, a view of several queues, and JSON lines.
"""Command logs: text, merged views, export, and the trace of an embedded SSD.

Every command that a queue sends is kept, with its completion and times, in a log of the last 4096
commands of that queue. `Qpair.cmdlog()` and `Controller.cmdlog()` show one queue,
`nvme.cmdlog_merged()` all of a controller, `nvme.cmdlog_export()` writes JSON lines.

One JSON object a command:

    queue           identifier of the submission queue; 0 is the admin queue
    cid             Command Identifier
    opcode          and `command`, its name
    nsid            Namespace Identifier
    fields          the fields of the opcode by their names in the specification, in lower case;
                    0's based fields as what they mean (nlb 8 is eight logical blocks)
    prp1 prp2 mptr  data and metadata pointers
    cdws            the 16 dwords of the submission queue entry
    sent_us         when the doorbell was rung, in microseconds; null: not yet
    completed_us    when the completion was taken; null: not yet
    latency_us      the difference, or null
    state           "completed", "outstanding", "not rung" or "timed out"
    status          "00/80": status code type and status code, hexadecimal; null without completion
    status_text     what that says
    dnr             Do Not Retry
    cdw0 sqhd       of the completion
    pdus            NVMe/TCP only: what was sent and received for the command, a text a PDU
    cpl             the 4 dwords of the completion queue entry

Times are those of one clock for all queues and simulated devices of the process.

An embedded SSD with the key `trace` keeps what it saw and did itself, to lay beside the command
log: `nvme.device_trace()` shows it, `nvme.device_trace_export()` writes JSON lines. One object an
event:

    sequence        counts the events of the device from 1
    time_us         by the clock of the command logs
    event           "register", "tail doorbell", "head doorbell", "fetched", "prp list", "data",
                    "posted", "interrupt", "pin", "enabled", "controller reset", "function reset",
                    "shutdown", "power off", "power on"
    queue           identifier of the submission queue, or of the completion queue when an entry was
                    posted or a head doorbell written
    value           what the doorbell or the register was set to; 1 or 0 of the pin
    register        name of a register that the host wrote, by dword: "CC", "ASQ", "ASQ+4"
    offset          and where it is
    address length  of "data" and "prp list": a piece of host memory, for the command `cid`
    direction       and where its data went: "from host" or "to host"
    vector          of an interrupt, MSI-X or MSI
    index           of the entry that was fetched or posted

and of what was fetched the keys of a command, of what was posted those of a completion, as above.

cmdlog_export() with device=True writes the events of both sides in the order of time. There every
object has `source`, "host" or "device", and `event` and `time_us`; the host's events are "sent",
with the keys of a command, "completed", with those of a completion and `latency_us`, and
"timed out".
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast
from weakref import WeakSet

from nvme import _core
from nvme.arguments import integer
from nvme.errors import ArgumentError

if TYPE_CHECKING:
    from nvme.controller import Controller
    from nvme.qpair import Qpair

Record = dict[str, Any]

controllers: WeakSet[Controller] = WeakSet()
"""Those that scripts made, for what looks at all of them: a failing test's report."""

_KEYS = (
    "queue", "cid", "opcode", "command", "nsid", "fields", "prp1", "prp2", "mptr", "cdws",
    "sent_us", "completed_us", "latency_us", "state", "status", "status_text", "dnr", "cdw0",
    "sqhd", "cpl",
)  # fmt: skip


def wall_clock(times_us: Iterable[float | None], pattern: str = "%H:%M:%S.%f") -> Iterator[str]:
    """Times of the driver's clock as time of day, to the microsecond."""
    offset_us = time.time() * 1e6 - _core.clock_us()
    for time_us in times_us:
        if time_us is None:
            yield "--:--:--.------"
        else:
            when = datetime.fromtimestamp((time_us + offset_us) / 1e6)
            yield when.strftime(pattern)


def lines(records: list[Record]) -> list[str]:
    """A line for each command: time of day, command, completion, latency; its PDUs below it."""
    stamps = wall_clock(record["sent_us"] for record in records)
    found = []
    for stamp, record in zip(stamps, records, strict=True):
        found.append(f"{stamp} {record['text']}")
        found += [f"    {pdu}" for pdu in record.get("pdus", ())]
    return found


def show(title: str, records: list[Record]) -> str:
    """Print and return a log."""
    text = "\n".join([f"cmdlog of {title}", *lines(records)])
    print(text)
    return text


def _both_sides(nvme: Controller, count: int) -> list[Record]:
    """Events of the host and of the device by time; of one moment as they depend on each other."""
    ranks = {"sent": 0, "completed": 2, "timed out": 2}
    device = [{"source": "device"} | event for event in _traced(nvme, 0)]
    host = [{"source": "host"} | event for event in _core.host_events(nvme)]
    events = sorted(host + device, key=lambda e: (e["time_us"], ranks.get(e["event"], 1)))
    return events[-count:]


def cmdlog_merged(nvme: Controller, count: int = 0, device: bool = False) -> str:
    """Print and return the commands of all queues of a controller in the order they were sent.

    Admin queue, Qpairs and IOWorkers; of queues that were deleted since, the last 32.

    Args:
        nvme: the Controller
        count: the newest commands, of all queues together; 0: all that are kept
        device: beside them what the embedded SSD saw and did, which has to be made with trace=N;
            a line for each event, and `count` counts those

    >>> import nvme as d
    >>> nvme0 = d.Controller("sim")
    >>> nvme0.getfeatures(7).waitdone() >= 0
    True
    >>> text = d.cmdlog_merged(nvme0, 1)
    cmdlog of all queues of sim
    ... Get Features (0Ah) sqid:0 ... fid:0x7 (Number of Queues) -> Successful Completion ...
    >>> nvme0.close()
    """
    if not device:
        return show(f"all queues of {nvme.addr}", _core.cmdlog_merged(nvme, count))
    events = _both_sides(nvme, integer("count", count, 0, 0xFFFFFFFF))
    stamps = wall_clock(event["time_us"] for event in events)
    rows = [
        f"{stamp} {event['source']:<6} {event['text']}"
        for stamp, event in zip(stamps, events, strict=True)
    ]
    text = "\n".join([f"cmdlog of {nvme.addr}, host and device", *rows])
    print(text)
    return text


def exported(record: Record) -> Record:
    """A record as cmdlog_export() writes it."""
    sent, completed = record["sent_us"], record["completed_us"]
    known = sent is not None and completed is not None
    latency = round(completed - sent, 3) if known else None
    pdus = {"pdus": record["pdus"]} if "pdus" in record else {}
    return {key: record.get(key) for key in _KEYS} | {"latency_us": latency} | pdus


def cmdlog_export(
    source: Controller | Qpair,
    file: str | os.PathLike[str] | IO[str],
    count: int = 0,
    device: bool = False,
) -> int:
    """Write a command log as JSON lines, one object a command; returns how many.

    Args:
        source: a Controller (all its queues, in the order of time) or a Qpair
        file: a path, or a text file that is open for writing
        count: the newest of them; 0: all that are kept
        device: of a Controller on an embedded SSD that keeps a trace: one object an event, of the
            host and of the SSD, in the order of time

    The objects have the keys queue, cid, opcode, command, nsid, fields, prp1, prp2, mptr, cdws,
    sent_us, completed_us, latency_us, state, status, status_text, dnr, cdw0, sqhd and cpl;
    help(nvme.cmdlog) has their meanings.

    >>> import io, json
    >>> import nvme as d
    >>> nvme0 = d.Controller("sim")
    >>> nvme0.getfeatures(7).waitdone() >= 0
    True
    >>> out = io.StringIO()
    >>> d.cmdlog_export(nvme0, out, 1)
    1
    >>> command = json.loads(out.getvalue())
    >>> command["command"], command["fields"]["fid"], command["status"]
    ('Get Features', 7, '00/00')
    >>> nvme0.close()
    """
    if device:
        if not isinstance(source, _core.Controller):
            raise ArgumentError(f"source = {source!r}: with device=True it has to be a Controller")
        rows = _without_text(_both_sides(source, integer("count", count, 0, 0xFFFFFFFF)))
    elif isinstance(source, _core.Controller):
        rows = [exported(record) for record in _core.cmdlog_merged(source, count)]
    elif isinstance(source, _core.Qpair):
        rows = [exported(record) for record in _core.qpair_cmdlog(source, count)]
    else:
        raise ArgumentError(f"source = {source!r} is neither a Controller nor a Qpair")
    return _write(rows, file)


def _write(rows: list[Record], file: str | os.PathLike[str] | IO[str]) -> int:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if isinstance(file, (str, os.PathLike)):
        Path(file).write_text(text)
    else:
        file.write(text)
    return len(rows)


def _without_text(events: list[Record]) -> list[Record]:
    return [{key: value for key, value in event.items() if key != "text"} for event in events]


def trace_of(address: str, events: object) -> list[Record]:
    """Events as the core has them, None when there is no trace."""
    if events is None:
        raise ArgumentError(
            f"{address} keeps no trace: only an embedded SSD does, made with the key trace, such "
            'as "sim:trace=4096" or nvme.Ssd(trace=4096)'
        )
    return cast("list[Record]", events)


def _traced(nvme: Controller, count: int) -> list[Record]:
    return trace_of(nvme.addr, _core.device_trace(nvme, count))


def device_trace(nvme: Controller, count: int = 0) -> str:
    """Print and return what an embedded SSD saw and did: the other side of the command log.

    Registers, doorbells, entries fetched and posted, host memory read and written, interrupts,
    resets, power, by the same clock as cmdlog_merged(), which shows both sides with device=True.
    The SSD keeps as many of its last events as its key `trace` says.

    Args:
        nvme: the Controller
        count: the newest events; 0: all that are kept

    Raises:
        ArgumentError: the device keeps no trace

    >>> import nvme as d
    >>> nvme0 = d.Controller("sim:trace=1000")
    >>> nvme0.getfeatures(7).waitdone() >= 0
    True
    >>> text = d.device_trace(nvme0)
    trace of sim:trace=1000
    ...
    ... SQ0[...] fetched: Get Features (0Ah) sqid:0 ... fid:0x7 (Number of Queues)
    ... CQ0[...] posted: Successful Completion (00/00) sqid:0 ...
    ... interrupt vector 0
    ...
    >>> nvme0.close()
    """
    records = _traced(nvme, count)
    stamps = wall_clock(record["time_us"] for record in records)
    rows = [f"{stamp} {record['text']}" for stamp, record in zip(stamps, records, strict=True)]
    text = "\n".join([f"trace of {nvme.addr}", *rows])
    print(text)
    return text


def device_trace_export(
    nvme: Controller, file: str | os.PathLike[str] | IO[str], count: int = 0
) -> int:
    """Write an embedded SSD's trace as JSON lines, one object an event; returns how many.

    Args:
        nvme: the Controller
        file: a path, or a text file that is open for writing
        count: the newest events; 0: all that are kept

    The objects have the keys sequence, time_us and event, and by the kind of event queue, value,
    vector, index and those of the command or the completion; help(nvme.cmdlog) has their meanings.

    >>> import io, json
    >>> import nvme as d
    >>> nvme0 = d.Controller("sim:trace=1000")
    >>> nvme0.getfeatures(7).waitdone() >= 0
    True
    >>> out = io.StringIO()
    >>> d.device_trace_export(nvme0, out) > 3
    True
    >>> events = [json.loads(line) for line in out.getvalue().splitlines()]
    >>> [event["fields"]["fid"] for event in events if event.get("command") == "Get Features"][-1]
    7
    >>> nvme0.close()
    """
    return _write(_without_text(_traced(nvme, count)), file)
