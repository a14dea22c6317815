# The public Qpair: what needs text on top of the C++ class.
"""Qpair."""

from nvme import _core
from nvme.cmdlog import show


class Qpair(_core.Qpair):
    __doc__ = _core.Qpair.__doc__

    def cmdlog(self, count: int = 0) -> str:
        """Print and return the newest `count` commands with their completions, oldest first.

        Args:
            count: 0: all that are kept, the last 4096
        """
        return show(f"qpair {self.sqid}", _core.qpair_cmdlog(self, count))
