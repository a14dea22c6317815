# What scripts and people make of command logs. Records come decoded from the driver; here they are
# lines of text, a view of several queues (with the device's own trace beside it), and JSON lines.
"""Command logs: text, merged views, export.

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
    cpl             the 4 dwords of the completion queue entry

Times are those of one clock for all queues and simulated devices of the process.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from nvme import _core
from nvme.errors import ArgumentError

if TYPE_CHECKING:
    from nvme.controller import Controller
    from nvme.qpair import Qpair
    from nvme.ssd import Ssd

Record = dict[str, Any]

_KEYS = (
    "queue", "cid", "opcode", "command", "nsid", "fields", "prp1", "prp2", "mptr", "cdws",
    "sent_us", "completed_us", "latency_us", "state", "status", "status_text", "dnr", "cdw0",
    "sqhd", "cpl",
)  # fmt: skip


def _wall_clock(times_us: Iterable[float | None]) -> Iterator[str]:
    """Times of the driver's clock as time of day, to the microsecond."""
    offset_us = time.time() * 1e6 - _core.clock_us()
    for time_us in times_us:
        if time_us is None:
            yield "--:--:--.------"
        else:
            when = datetime.fromtimestamp((time_us + offset_us) / 1e6)
            yield when.strftime("%H:%M:%S.%f")


def lines(records: list[Record]) -> list[str]:
    """A line for each command: time of day, command, completion, latency."""
    stamps = _wall_clock(record["sent_us"] for record in records)
    return [f"{stamp} {record['text']}" for stamp, record in zip(stamps, records, strict=True)]


def show(title: str, records: list[Record]) -> str:
    """Print and return a log."""
    text = "\n".join([f"cmdlog of {title}", *lines(records)])
    print(text)
    return text


def cmdlog_merged(nvme: Controller, count: int = 0, ssd: Ssd | None = None) -> str:
    """Print and return the commands of all queues of a controller in the order they were sent.

    Admin queue, Qpairs and IOWorkers; of queues that were deleted since, the last 32.

    Args:
        nvme: the Controller
        count: the newest commands, of all queues together; 0: all that are kept
        ssd: an Ssd(..., trace=n): what the device did is shown beside what the host did, line by
            line in the order of time

    >>> import nvme as d
    >>> nvme0 = d.Controller("sim")
    >>> nvme0.getfeatures(7).waitdone() >= 0
    True
    >>> text = d.cmdlog_merged(nvme0, 1)  # time of day, command, completion, latency
    cmdlog of all queues of sim...Get Features (0Ah) sqid:0 ... fid:0x7 (Number of Queues) -> Successful Completion ...
    >>> nvme0.close()
    """
    records = _core.cmdlog_merged(nvme, count)
    if ssd is None:
        return show(f"all queues of {nvme.addr}", records)
    text = "\n".join([f"cmdlog of all queues of {nvme.addr}", *_side_by_side(records, ssd.trace())])
    print(text)
    return text


def _side_by_side(records: list[Record], events: list[Record]) -> list[str]:
    host = []
    for record in records:
        name = f"sq {record['queue']} cid {record['cid']} {record['command']}"
        if record["sent_us"] is not None:
            host.append((record["sent_us"], f"{name} sent", ""))
        if record["completed_us"] is not None:
            status = record.get("status", record["state"])
            host.append((record["completed_us"], f"{name} done {status}", ""))
    first = min((when for when, _, _ in host), default=0.0)
    device = [(event["time_us"], "", event["text"]) for event in events]
    rows = sorted(host + [row for row in device if row[0] >= first], key=lambda row: row[0])
    width = max([len(left) for _, left, _ in rows], default=0)
    stamps = _wall_clock(when for when, _, _ in rows)
    table = [
        f"{stamp}  {left:{width}}  {right}".rstrip()
        for stamp, (_, left, right) in zip(stamps, rows, strict=True)
    ]
    return [f"{'':15}  {'host':{width}}  device", *table]


def exported(record: Record) -> Record:
    """A record as cmdlog_export() writes it."""
    sent, completed = record["sent_us"], record["completed_us"]
    known = sent is not None and completed is not None
    latency = round(completed - sent, 3) if known else None
    return {key: record.get(key) for key in _KEYS} | {"latency_us": latency}


def cmdlog_export(
    source: Controller | Qpair | Ssd, file: str | os.PathLike[str] | IO[str], count: int = 0
) -> int:
    """Write a command log as JSON lines, one object a command; returns how many.

    Args:
        source: a Controller (all its queues, in the order of time), a Qpair, or an Ssd made with
            trace=n (its events instead of commands, see Ssd.trace())
        file: a path, or a text file that is open for writing
        count: the newest of them; 0: all that are kept

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
    if isinstance(source, _core.Controller):
        rows = [exported(record) for record in _core.cmdlog_merged(source, count)]
    elif isinstance(source, _core.Qpair):
        rows = [exported(record) for record in _core.qpair_cmdlog(source, count)]
    elif isinstance(source, _core.Ssd):
        rows = [
            {key: value for key, value in event.items() if key != "text"}
            for event in source.trace(count)
        ]
    else:
        raise ArgumentError(f"source = {source!r} is no Controller, Qpair or Ssd")
    text = "".join(json.dumps(row) + "\n" for row in rows)
    if isinstance(file, (str, os.PathLike)):
        Path(file).write_text(text)
    else:
        file.write(text)
    return len(rows)
