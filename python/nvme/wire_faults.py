# One description of a fault of the wire for both who can make it: a host and a target.
"""The words for PDUs that are to go wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nvme.arguments import integer
from nvme.errors import ArgumentError, ArgumentTypeError

_Add = Callable[[str, int, int, int, int, int], None]
_UINT32_MAX = 0xFFFFFFFF


def add(
    plant: _Add,
    pdus: Mapping[str, int],
    action: str,
    pdu: str | None,
    queue: int | None,
    skip: int,
    count: int,
    delay: float,
) -> None:
    """Checks what a script says, and plants it. pdus: names and types of what can be spoilt."""
    if not isinstance(action, str):
        raise ArgumentTypeError(f"action must be a str, not {type(action).__name__}")
    if pdu is not None and pdu not in pdus:
        raise ArgumentError(f"pdu {pdu!r}; possible: {', '.join(pdus)}")
    if isinstance(delay, bool) or not isinstance(delay, int | float) or not 0 <= delay <= 3600:
        raise ArgumentError(f"delay {delay!r}: give seconds from 0 to 3600")
    try:
        plant(
            action,
            -1 if pdu is None else pdus[pdu],
            -1 if queue is None else integer("queue", queue, 0, 0xFFFF),
            integer("skip", skip, 0, _UINT32_MAX),
            integer("count", count, 0, _UINT32_MAX),
            round(delay * 1000),
        )
    except ArgumentError:
        raise
    except ValueError as error:
        raise ArgumentError(str(error)) from None
