# What a failing test's report shows of the devices: the commands that led there.
"""The last commands of every queue that a test used."""

from __future__ import annotations

from nvme import _core, cmdlog

COMMANDS_OF_EACH_QUEUE = 8


def last_commands(since_us: float) -> list[tuple[str, str]]:
    """(address, lines) of each open controller that got commands since then."""
    found = []
    seen = set()
    for nvme in list(cmdlog.controllers):
        try:
            address = nvme.addr
            if address in seen:
                continue
            records = _core.cmdlog_merged(nvme, of_each=COMMANDS_OF_EACH_QUEUE)
        except Exception:  # closed, or gone with its device: there is nothing to show
            continue
        seen.add(address)
        recent = [r for r in records if r["sent_us"] is None or r["sent_us"] >= since_us]
        if recent:
            found.append((address, "\n".join(cmdlog.lines(recent))))
    return found
