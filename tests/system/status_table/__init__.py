"""A table of wrong fields and the status each must get, from the text of the specification.

Files by what they are about: each has a list ROWS."""

from status_table import admin, features, firmware, io, maintenance, opcodes, queues, registers

ROWS = [
    *opcodes.ROWS,
    *queues.ROWS,
    *admin.ROWS,
    *features.ROWS,
    *firmware.ROWS,
    *io.ROWS,
    *maintenance.ROWS,
    *registers.ROWS,
]
