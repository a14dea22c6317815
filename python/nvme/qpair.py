# The public Qpair: what needs text on top of the C++ class.
"""Qpair."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING

from nvme import _core
from nvme.cmdlog import show

if TYPE_CHECKING:
    from nvme.controller import Controller


def _made_with(
    nvme: Controller, depth: int, prio: int = 0, ien: bool = True, iv: int = 0xFFFF
) -> None:
    """What Qpair() takes; see __signature__."""


class Qpair(_core.Qpair):
    __doc__ = _core.Qpair.__doc__
    # help() and editors ask for it, and the C++ constructor has none that they understand.
    __signature__ = inspect.signature(_made_with)

    def cmdlog(self, count: int = 0) -> str:
        """Print and return the newest `count` commands with their completions, oldest first.

        Args:
            count: 0: all that are kept, the last 4096

        >>> import nvme as d
        >>> nvme0 = d.Controller("sim")
        >>> nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 16), d.Buffer(4096)
        >>> nvme0n1.read(qpair, buf, lba=8, lba_count=8).waitdone()
        0
        >>> text = qpair.cmdlog(1)
        cmdlog of qpair 1
        ... Read (02h)...slba:0x8 nlb:8...Successful Completion (00/00)...
        >>> nvme0.close()
        """
        return show(f"qpair {self.sqid}", _core.qpair_cmdlog(self, count))
