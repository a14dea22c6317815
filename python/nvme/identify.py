# Fields of Identify data, for Controller and Namespace alike.
"""id_data."""

from typing import Any

from nvme import _core
from nvme.buffer import Buffer
from nvme.status import warn_of


def identify_field(
    nvme: _core.Controller,
    byte_end: int,
    byte_begin: int | None,
    type: type,
    nsid: int,
    cns: int,
    cntid: int,
    csi: int,
    nvmsetid: int,
) -> Any:
    """Send Identify, wait for it, and return the bytes as `type`."""
    buf = Buffer(4096, "identify data")
    _, status1 = _core.controller_execute(
        nvme, 0x06, buf, nsid, cdw10=cntid << 16 | cns, cdw11=csi << 24 | nvmsetid
    )
    warn_of(status1)
    return buf.data(byte_end, byte_begin, type)
