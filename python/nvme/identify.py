# Fields of Identify data, for Controller and Namespace alike.
"""id_data."""

from typing import Any

from nvme import _core
from nvme.arguments import integer
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
    nsid = integer("nsid", nsid, 0, 0xFFFFFFFF)
    cdw10 = integer("cntid", cntid, 0, 0xFFFF) << 16 | integer("cns", cns, 0, 0xFF)
    cdw11 = integer("csi", csi, 0, 0xFF) << 24 | integer("nvmsetid", nvmsetid, 0, 0xFFFF)
    buf = Buffer(4096, "identify data")
    _, status1 = _core.controller_execute(nvme, 0x06, buf, nsid, cdw10=cdw10, cdw11=cdw11)
    warn_of(status1)
    return buf.data(byte_end, byte_begin, type)
