# The page of a miscompare: one HTML file that needs nothing else, and stays below a megabyte.
"""A miscompare as a page for people."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from nvme.cmdlog import wall_clock

if TYPE_CHECKING:
    from nvme.forensics import Report

_ROW = 16
_AROUND = 2  # equal rows that are shown around a difference
_CELLS = 64  # of the map

_STYLE = """
body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:1180px;
padding:0 1em;color:#1c2430}
h1{font-size:1.5em;margin:0 0 .2em}h2{font-size:1.1em;margin:1.8em 0 .5em}
.what{display:inline-block;background:#b3261e;color:#fff;border-radius:4px;padding:0 .5em}
.lead{font-size:1.1em;margin:.4em 0}.next{background:#eef4ff;
border-left:4px solid #3467d6;padding:.5em .8em}
table{border-collapse:collapse}td,th{padding:.15em .7em .15em 0;text-align:left;vertical-align:top}
th{font-weight:600;color:#56606e}.facts th{white-space:nowrap}
pre,.mono,td.mono{font:13px/1.35 ui-monospace,'DejaVu Sans Mono',monospace}
pre{background:#f6f7f9;padding:.7em;overflow-x:auto}
b.d{background:#ffd0cc;color:#8c1d18;font-weight:600}b.o{background:#ffe7a8;font-weight:600}
i.s{background:#d9ecd9;font-style:normal}u{color:#7a8493;text-decoration:none}
.map{display:flex;height:30px;border:1px solid #9aa4b2;margin:.3em 0}.map div{flex:1}
.same{background:#cfe8cf}.diff{background:#e5736b}.zero{background:#fff}.oldv{background:#f2c14e}
.key span{display:inline-block;width:1em;height:1em;border:1px solid #9aa4b2;
vertical-align:-2px;margin:0 .3em 0 1em}
.cmds{width:100%;font-size:13px}.cmds tr{border-bottom:1px solid #e6e9ee}
.cmds tr.read{background:#ffe3e0}.cmds tr.found{background:#fff2cc}
.cmds tr.expected{background:#dff0df}
svg{width:100%;background:#f6f7f9}
"""


def page(report: Report) -> str:
    """The whole file."""
    title = f"LBA {report.lba:#x} of {report.device}: {report.classification}"
    sure = "" if report.certain else " (likely)"
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>",
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
        f"<h1><span class=what>{escape(report.classification)}</span>{sure} "
        f"LBA {report.lba:#x} of {escape(report.device)}, namespace {report.nsid}</h1>",
        f"<p class=lead>{escape(report.text)}.</p>",
        f"<p class=next><b>What to do next:</b> {escape(report.next_step)}.</p>",
        _facts(report),
        _map(report),
        _timeline(report),
        _commands(report),
        _dump(report),
        "</html>",
    ]
    return "\n".join(parts) + "\n"


def _write_text(write: dict[str, Any] | None) -> str:
    if write is None:
        return "not remembered"
    parts = [f"LBA {write['lba']:#x}"]
    if write["token"] is not None:
        parts.append(f"token {write['token']}")
    if write["writer"] is not None:
        parts.append(write["writer"])
    if write["cid"] is not None:
        parts.append(f"CID {write['cid']}")
    if write["slba"] is not None:
        kind = "Write Zeroes" if write["zeroes"] else "Write"
        parts.append(f"{kind} of LBA {write['slba']:#x}, {write['nlb']} LBAs")
    if write["time_us"] is not None:
        parts.append("about " + next(wall_clock([write["time_us"]])))
    if write["nsid"]:
        parts.append(f"namespace {write['nsid']} of {write['device']}")
    return ", ".join(parts)


def _facts(report: Report) -> str:
    record = report.record
    bad = ", ".join(f"{lba:#x}" for lba in report.bad_lbas[:16])
    if len(report.bad_lbas) > 16:
        bad += f", ... ({len(report.bad_lbas)} in all)"
    expected_crc = record["expected_crc"]
    stamp = int.from_bytes(report.got[:8], "little")
    token = int.from_bytes(report.got[-8:], "little")
    rows = {
        "Found by": f"{report.command} of LBA {report.slba:#x}, {report.nlb} LBAs, on queue "
        f"{report.queue}, CID {report.cid}, at {next(wall_clock([report.time_us]))}",
        "Wrong LBAs of it": bad,
        "Stamp of the data": f"LBA {stamp:#x}, token {token}",
        "The data are of": _write_text(report.found_write),
        "Expected": _write_text(report.expected_write),
        "CRC-32C": f"{record['got_crc']:#010x}, expected "
        + (f"{expected_crc:#010x}" if expected_crc is not None else record["expected_state"]),
        "Expected data from": record["expected_from"]
        or "cannot be made again: only its CRC is kept",
    }
    if report.flips:
        bits = [
            f"byte {byte} bit {bit}"
            for byte, mask in report.flips
            for bit in range(8)
            if mask >> bit & 1
        ]
        rows["Flipped"] = ", ".join(bits[:32]) + (", ..." if len(bits) > 32 else "")
    cells = (f"<tr><th>{escape(k)}<td>{escape(v)}" for k, v in rows.items())
    return f"<table class=facts>{''.join(cells)}</table>"


def _map(report: Report) -> str:
    expected, old = report.expected, report.record["old"]
    if expected is None:
        return ""
    size = max(len(report.got) // _CELLS, 1)
    cells = []
    for at in range(0, len(report.got), size):
        part = report.got[at : at + size]
        if part == expected[at : at + size]:
            kind = "same"
        elif old is not None and part == old[at : at + size]:
            kind = "oldv"
        elif not any(part):
            kind = "zero"
        else:
            kind = "diff"
        cells.append(f'<div class={kind} title="byte {at}"></div>')
    return (
        "<h2>The LBA at a glance</h2><p class=key><span class=same></span>as expected"
        "<span class=diff></span>different<span class=oldv></span>of the older version"
        f"<span class=zero></span>zero, and different; each cell is {size} bytes</p>"
        f"<div class=map>{''.join(cells)}</div>"
    )


def _marked(row: bytes, other: bytes | None, at: int, size: int, mark: str) -> str:
    """Bytes in hexadecimal and as text, those that differ marked run by run."""

    def kind(i: int) -> str:
        if other is not None and row[i] != other[i]:
            return mark
        return "s" if at + i < 8 or at + i >= size - 8 else ""

    def runs(cell: Any, between: str) -> str:
        out, i = [], 0
        while i < len(row):
            end = i
            while end < len(row) and kind(end) == kind(i):
                end += 1
            text = between.join(cell(byte) for byte in row[i:end])
            tag = kind(i)
            name = "b" if tag in ("d", "o") else "i"
            out.append(f"<{name} class={tag}>{text}</{name}>" if tag else text)
            i = end
        return between.join(out)

    ascii_text = runs(lambda b: escape(chr(b)) if 32 <= b < 127 else ".", "")
    return f"{runs(lambda b: f'{b:02x}', ' ')}  {ascii_text}"


def _dump(report: Report) -> str:
    got, expected = report.got, report.expected
    size = len(got)
    shown = set(range(0, size, _ROW))
    if expected is not None:
        differ = [at for at in shown if got[at : at + _ROW] != expected[at : at + _ROW]]
        shown = {
            near
            for at in [*differ, 0, size - _ROW]
            for near in range(at - _AROUND * _ROW, at + (_AROUND + 1) * _ROW, _ROW)
            if 0 <= near < size
        }
    lines = []
    skipped = 0
    for at in range(0, size, _ROW):
        if at not in shown:
            skipped += 1
            continue
        if skipped:
            lines.append(f"<u>      ... {skipped} rows as expected ...</u>")
            skipped = 0
        row = got[at : at + _ROW]
        other = expected[at : at + _ROW] if expected is not None else None
        line = f"<u>{at:5d}</u>  {_marked(row, other, at, size, 'd')}"
        if other is not None:
            line += f"  |  {_marked(other, row, at, size, 'o')}"
        lines.append(line)
    both = "got | expected" if expected is not None else "got (the expected data are not known)"
    return (
        f"<h2>Bytes: {both}</h2><p class=key>Green: the stamps, the LBA's address in the first 8 "
        f"bytes and the token in the last 8.</p><pre>{chr(10).join(lines)}</pre>"
    )


def _role(report: Report, command: dict[str, Any]) -> str:
    if command["queue"] == report.queue and command["cid"] == report.cid:
        fields = command["fields"]
        same = fields.get("slba") == report.slba and command["opcode"] == report.record["opcode"]
        if same and (command["completed_us"] or 0) > report.time_us - 1e6:
            later = [
                c for c in report.commands
                if c["queue"] == report.queue and c["cid"] == report.cid
            ]  # fmt: skip
            if later[-1] is command:
                return "read"
    for role, write in (("expected", report.expected_write), ("found", report.found_write)):
        if write is None or write["slba"] is None or command["opcode"] not in (0x01, 0x08):
            continue
        fields = command["fields"]
        if fields.get("slba") != write["slba"] or fields.get("nlb") != write["nlb"]:
            continue
        if write["cid"] is not None and (write["cid"], write["queue"]) != (
            command["cid"],
            command["queue"],
        ):
            continue
        sent = command["sent_us"]
        if sent is not None and write["time_us"] is not None:
            others = [
                abs(c["sent_us"] - write["time_us"])
                for c in report.commands
                if c["sent_us"] is not None and c["opcode"] == command["opcode"]
                and c["fields"].get("slba") == write["slba"]
            ]  # fmt: skip
            if abs(sent - write["time_us"]) == min(others):
                return role
    return ""


def _timeline(report: Report) -> str:
    timed = [c for c in report.commands if c["sent_us"] is not None]
    if len(timed) < 2:
        return ""
    first = timed[0]["sent_us"]
    span = max(report.time_us - first, 1.0)
    queues = sorted({c["queue"] for c in timed})
    colours = {0x01: "#3467d6", 0x02: "#7a8493", 0x00: "#9b59b6", 0x08: "#16a085", 0x09: "#d68910"}
    shapes = []
    for lane, queue in enumerate(queues):
        y = 24 * lane + 24
        shapes.append(f"<text x=4 y={y + 4} font-size=12>queue {queue}</text>")
        shapes.append(f'<line x1=80 y1={y} x2=1090 y2={y} stroke="#c5ccd6"/>')
    for command in timed:
        x = 84 + 1000 * (command["sent_us"] - first) / span
        y = 24 * queues.index(command["queue"]) + 24
        role = _role(report, command)
        colour = {"read": "#b3261e", "found": "#d9a400", "expected": "#2e8b3d"}.get(
            role, colours.get(command["opcode"], "#444")
        )
        shapes.append(
            f'<circle cx={x:.1f} cy={y} r={7 if role else 4} fill="{colour}">'
            f"<title>{escape(command['text'])}</title></circle>"
        )
    height = 24 * len(queues) + 34
    return (
        "<h2>The last commands that touched the LBA</h2><p class=key>"
        "<span style='background:#b3261e'></span>this read"
        "<span style='background:#2e8b3d'></span>the expected write"
        "<span style='background:#d9a400'></span>the write whose data came"
        "<span style='background:#3467d6'></span>other writes"
        f"<span style='background:#7a8493'></span>other reads; {span / 1000:.3f} ms in all</p>"
        f'<svg viewBox="0 0 1100 {height}">{"".join(shapes)}</svg>'
    )


def _commands(report: Report) -> str:
    rows = []
    for command, stamp in zip(
        report.commands, wall_clock(c["sent_us"] for c in report.commands), strict=True
    ):
        fields = command["fields"]
        lbas = f"{fields['slba']:#x} + {fields['nlb']}" if "nlb" in fields else ""
        before = "" if command["sent_us"] is None else (
            f"{(command['sent_us'] - report.time_us) / 1000:.3f} ms"
        )  # fmt: skip
        status = command.get("status") or command["state"]
        rows.append(
            f"<tr class={_role(report, command) or 'other'}><td class=mono>{stamp}"
            f"<td class=mono>{before}<td>{command['queue']}<td>{command['cid']}"
            f"<td>{escape(command['command'])}<td class=mono>{lbas}<td class=mono>{status}"
        )
    if not rows:
        return "<p>The command logs no longer have a command that touched the LBA.</p>"
    return (
        "<table class=cmds><tr><th>sent<th>before the report<th>queue<th>CID<th>command<th>LBA + "
        f"count<th>status{''.join(rows)}</table>"
    )
