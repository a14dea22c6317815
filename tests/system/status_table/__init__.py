"""A table of wrong fields and the status each must get, from the text of the specification.

Files by what they are about: each has a list ROWS."""

from status_table import (
    admin,
    features,
    firmware,
    io,
    maintenance,
    management,
    namespace_features,
    namespaces,
    opcodes,
    queues,
    registers,
    security,
)

ROWS = [
    *opcodes.ROWS,
    *queues.ROWS,
    *admin.ROWS,
    *security.ROWS,
    *features.ROWS,
    *namespace_features.ROWS,
    *namespaces.ROWS,
    *firmware.ROWS,
    *io.ROWS,
    *maintenance.ROWS,
    *management.ROWS,
    *registers.ROWS,
]
