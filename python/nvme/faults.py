# Faults of embedded SSDs. A match and an action become the text that the SSD parses, so that there
# is one parser; what is checked here is only what the text could not say.
"""Fault: something that an embedded SSD is to do wrong."""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from nvme import _core
from nvme.arguments import is_integer
from nvme.errors import ArgumentError, ArgumentTypeError
from nvme.ioworker import DotDict


def _value(what: str, key: str, value: object) -> str:
    if isinstance(value, bool):
        return str(int(value))
    if is_integer(value):
        return str(int(value))  # type: ignore[call-overload]
    if isinstance(value, range):
        if value.step != 1 or not value:
            raise ArgumentError(f"{what}: {key} = {value!r} must be a range of step 1, not empty")
        return f"{value.start}-{value.stop - 1}"
    if isinstance(value, list | tuple | set | frozenset) and value:
        return "+".join(_value(what, key, one) for one in value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str) and value and not set(value) & set(",="):
        return value
    raise ArgumentTypeError(
        f"{what}: {key} = {value!r} must be a number, a name, a range or a list of those"
    )


def _text(what: str, given: object, first: str) -> str:
    """`given` as "key=value,..."; the key `first` comes first."""
    if given is None:
        return ""
    if isinstance(given, str):
        return given
    if isinstance(given, Mapping):
        for key in given:
            if not isinstance(key, str):
                raise ArgumentTypeError(f"{what}: the key {key!r} must be a str")
        keys = sorted(given, key=lambda key: key != first)
        items = [(key, given[key]) for key in keys if given[key] is not None]
        return ",".join(f"{key}={_value(what, key, value)}" for key, value in items)
    raise ArgumentTypeError(f"{what} must be a dict or a str, not {type(given).__name__}")


def match_text(match: object) -> str:
    """The text of a match, with a seed: of `srand()` when it has none."""
    text = _text("match", match, "opcode")
    if any(item.startswith("seed=") for item in text.split(",")):
        return text
    return f"{text},seed={random.getrandbits(64)}".removeprefix(",")


def action_text(action: object) -> str:
    """The text of an action."""
    if isinstance(action, Mapping) and "kind" not in action:
        raise ArgumentError('action: give its name as "kind", as in {"kind": "flip", "bits": 2}')
    return _text("action", action, "kind")


class Fault:
    """Something that an embedded SSD is to do wrong, made by Ssd.fault().

    As a context manager it clears itself at the end.

    >>> import nvme as d
    >>> ssd = d.Ssd(capacity="1GiB", latency=0)
    >>> nvme0 = d.Controller(ssd)
    >>> n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(4096)
    >>> with ssd.fault("write,lba=8", "drop") as fault:
    ...     n1.write(qpair, buf, lba=8, lba_count=8).waitdone()
    0
    >>> fault.fired, fault.commands[0].text
    (1, 'LBAs 8 to 15 not touched')
    >>> nvme0.close()
    """

    def __init__(self, ssd: _core.Ssd | _core.Target, number: int) -> None:
        self._ssd = ssd
        self._id = number
        self._last: dict[str, Any] = {}
        self._state()

    def _state(self) -> dict[str, Any]:
        state: Any = _core.ssd_fault(self._ssd, self._id)
        if state is not None:
            self._last = state
        return self._last

    @property
    def id(self) -> int:
        """Its number, counted from 1 on for each SSD.

        >>> import nvme as d
        >>> ssd = d.Ssd(capacity="1GiB")
        >>> fault = ssd.fault("write,seed=1", "drop")
        >>> fault.id
        1
        >>> ssd.unplug()
        """
        return self._id

    @property
    def match(self) -> str:
        """Which commands it is for, as text.

        >>> import nvme as d
        >>> ssd = d.Ssd(capacity="1GiB")
        >>> fault = ssd.fault("write,seed=1", "drop")
        >>> fault.match
        'write,seed=1'
        >>> ssd.unplug()
        """
        return str(self._last["match"])

    @property
    def action(self) -> str:
        """What it does, as text.

        >>> import nvme as d
        >>> ssd = d.Ssd(capacity="1GiB")
        >>> fault = ssd.fault("write,seed=1", "drop")
        >>> fault.action
        'drop'
        >>> ssd.unplug()
        """
        return str(self._last["action"])

    @property
    def armed(self) -> bool:
        """Whether it may fire again: it is not cleared, and has not fired `count` times.

        >>> import nvme as d
        >>> ssd = d.Ssd(capacity="1GiB")
        >>> fault = ssd.fault("write,seed=1", "drop")
        >>> fault.armed
        True
        >>> ssd.unplug()
        """
        return bool(self._state()["armed"])

    @property
    def matched(self) -> int:
        """How many commands matched while it was armed, `after` and `chance` left aside.

        >>> import nvme as d
        >>> ssd = d.Ssd(capacity="1GiB")
        >>> fault = ssd.fault("write,seed=1", "drop")
        >>> fault.matched
        0
        >>> ssd.unplug()
        """
        return int(self._state()["matched"])

    @property
    def fired(self) -> int:
        """How often it did what it is to do.

        >>> import nvme as d
        >>> ssd = d.Ssd(capacity="1GiB")
        >>> fault = ssd.fault("write,seed=1", "drop")
        >>> fault.fired
        0
        >>> ssd.unplug()
        """
        return int(self._state()["fired"])

    @property
    def commands(self) -> list[DotDict]:
        """The commands it fired on, oldest first, at most the last 1000.

        Each is a dict whose keys are attributes too: time_us, match (the how many-th matching
        command it was), qid, cid, opcode, command (its name), nsid, slba, nlb (None without LBAs),
        lba (the first LBA that is wrong, or None), to_lba and to_nsid (where a misdirected one
        went or came from, or None), text (what was done).

        >>> import nvme as d
        >>> ssd = d.Ssd(capacity="1GiB", latency=0)
        >>> nvme0 = d.Controller(ssd)
        >>> n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(4096)
        >>> fault = ssd.fault("write,lba=12", "misdirect:to=100")
        >>> n1.write(qpair, buf, lba=8, lba_count=8).waitdone()
        0
        >>> hit = fault.commands[0]
        >>> hit.qid, hit.command, hit.slba, hit.nlb, hit.to_lba
        (1, 'Write', 8, 8, 100)
        >>> nvme0.close()
        """
        return [DotDict(one) for one in self._state()["commands"]]

    def clear(self) -> None:
        """Take it away; its figures can still be read. Cleared already: nothing happens.

        >>> import nvme as d
        >>> ssd = d.Ssd(capacity="1GiB")
        >>> fault = ssd.fault("write", "drop")
        >>> fault.clear()
        >>> fault.armed
        False
        >>> ssd.unplug()
        """
        _core.ssd_clear_fault(self._ssd, self._id)

    def __enter__(self) -> Fault:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    def __repr__(self) -> str:
        state = self._state()
        return (
            f"<Fault {self._id}: {state['action']} at {state['match']}; matched {state['matched']},"
            f" fired {state['fired']}{'' if state['armed'] else ', over'}>"
        )
