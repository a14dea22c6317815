"""Opcodes that are reserved, optional and not there, or vendor specific: NVMe Base 2.0c §5, §7."""

from status_table.host import IO
from status_table.row import Command, Row
from status_table.status import Status

# Reserved in 2.0c, or for transports and controllers this SSD is not.
ADMIN_OPCODES = [0x03, 0x07, 0x0B, 0x0E, 0x0F, 0x12, 0x13, 0x16, 0x17, 0x1B, 0x1C, 0x1F, 0x21, 0x22]
ADMIN_OPCODES += [0x28, 0x3F, 0x40, 0x7B, 0x7F, 0x83, 0x85, 0x87, 0xBF, 0xC0, 0xE1, 0xFF]
# Reserved, reservations, copy, zones, fabrics, vendor specific.
IO_OPCODES = [0x03, 0x06, 0x07, 0x0A, 0x0B, 0x0D, 0x0E, 0x11, 0x15, 0x18, 0x19, 0x1F, 0x55, 0x79]
IO_OPCODES += [0x7A, 0x7D, 0x7F, 0x80, 0x83, 0xFF]

GET_FEATURES = Command("admin", 0x0A, usual={"cdw10": 7})
READ = Command("io", 0x02, queue=IO, usual={"nsid": 1, "pages": 1})

ROWS = [
    Row(command, {"opcode": opcode}, Status.INVALID_OPCODE, "Base 2.0 §3.3.3.2.1.1 01h")
    for command, opcodes in ((GET_FEATURES, ADMIN_OPCODES), (READ, IO_OPCODES))
    for opcode in opcodes
]
