# The public Buffer: what needs text on top of the C++ class.
"""Buffer."""

import inspect
import sys

from nvme import _core
from nvme.arguments import integer
from nvme.hexdump import hexdump


class _Dump(str):
    """Text that shows itself as it is at the interactive prompt."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self) if hasattr(sys, "ps1") else super().__repr__()


def _made_with(size: int = 4096, name: str = "buffer", pvalue: int = 0, ptype: int = 0) -> None:
    """What Buffer() takes; see __signature__."""


class Buffer(_core.Buffer):
    __doc__ = _core.Buffer.__doc__
    # help() and editors ask for it, and the C++ constructor has none that they understand.
    __signature__ = inspect.signature(_made_with)

    def dump(self, size: int | None = None) -> str:
        """Print and return the name and the first `size` bytes (all, when left out) as a hexdump.

        >>> import nvme as d
        >>> text = d.Buffer(16, "example").dump()
        example
        00000000  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00   ................
        """
        if size is not None:
            size = integer("size", size, 0, len(self))
        text = _Dump(f"{self.name}\n{hexdump(self[: len(self) if size is None else size])}")
        if not hasattr(sys, "ps1"):  # the prompt shows what dump() returns
            print(text)
        return text
