"""NVMe-MI Send and Receive: NVMe Base 2.0c §5.18, §5.19; NVMe-MI 1.2 §4.3."""

from status_table.row import Command, Row
from status_table.status import Status

MESSAGE = {"mt": (10, 6, 0), "nmimt": (10, 14, 11), "opcode_of_mi": (11, 7, 0)}
MI_SEND = Command("mi_send", 0x1D, fields=MESSAGE, usual={"mt": 4, "nmimt": 1, "opcode_of_mi": 3})
MI_RECEIVE = Command("mi_receive", 0x1E, fields=MESSAGE, usual={"mt": 4, "nmimt": 1, "pages": 1})

ROWS = [
    *(
        Row(command, wrong, Status.INVALID_FIELD, "NVMe-MI 1.2 §4.3: no MI command")
        for command in (MI_SEND, MI_RECEIVE)
        for wrong in ({"mt": 0}, {"mt": 3}, {"nmimt": 0}, {"nmimt": 2}, {"nmimt": 15})
    ),
]
