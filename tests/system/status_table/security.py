"""Security, Directives, Doorbell Buffer Config, Keep Alive, NVMe-MI: NVMe Base 2.0c §5.7 to §5.11,
§5.25, §5.26."""

from status_table.row import Command, Row
from status_table.status import Status

SECURITY = {"nssf": (10, 7, 0), "spsp": (10, 23, 8), "secp": (10, 31, 24), "length": (11, 31, 0)}
SEND = Command("security_send", 0x81, fields=SECURITY, usual={"length": 512, "pages": 1})
RECEIVE = Command("security_receive", 0x82, fields=SECURITY, usual={"length": 512, "pages": 1})
DIRECTIVE = {"numd": (10, 31, 0), "doper": (11, 7, 0), "dtype": (11, 15, 8), "dspec": (11, 31, 16)}
USUAL = {"numd": 1023, "doper": 1, "nsid": 1, "pages": 1}
DIRECTIVE_RECEIVE = Command("directive_receive", 0x1A, fields=DIRECTIVE, usual=USUAL)
DIRECTIVE_SEND = Command("directive_send", 0x19, fields=DIRECTIVE, usual={"doper": 1, "nsid": 1})
SHADOW = Command("doorbell_buffer_config", 0x7C, usual={"pages": 2})
KEEP_ALIVE = Command("keep_alive", 0x18)
MI_SEND = Command("mi_send", 0x1D)
MI_RECEIVE = Command("mi_receive", 0x1E, usual={"pages": 1})

ROWS = [
    *(
        Row(command, {"secp": secp}, Status.INVALID_FIELD, "Base 2.0 §5.25: protocol not supported",
            right=right)
        for command, right in ((SEND, None), (RECEIVE, {}))
        for secp in (0x02, 0x7F, 0xEF, 0xFF)
    ),
    *(
        Row(DIRECTIVE_RECEIVE, {"dtype": dtype}, Status.INVALID_FIELD, f"Base 2.0 §8.7: {why}")
        for dtype, why in ((1, "Streams not supported"), (2, "reserved"), (0xFF, "reserved"))
    ),
    *(
        Row(DIRECTIVE_RECEIVE, {"doper": doper}, Status.INVALID_FIELD, "Base 2.0 §8.7.2")
        for doper in (0, 2, 0xFF)
    ),
    *(
        Row(DIRECTIVE_SEND, wrong, Status.INVALID_FIELD, "Base 2.0 §8.7.2", right=None)
        for wrong in ({"dtype": 1}, {"dtype": 0xFF}, {"doper": 0}, {"doper": 2})
    ),
    *(
        Row(command, {"nsid": 0xFFFE}, Status.INVALID_NAMESPACE, "Base 2.0 §5.7: > NN", right=right)
        for command, right in ((DIRECTIVE_RECEIVE, {}), (DIRECTIVE_SEND, None))
    ),
    *(
        Row(SHADOW, {name: 0x40}, Status.INVALID_FIELD, "Base 2.0 §5.8: page aligned")
        for name in ("prp1_offset", "prp2_offset")
    ),
    *(
        Row(command, wrong, Status.INVALID_FIELD, "Base 2.0 figure 87", right=right)
        for command, right in (
            (SEND, None),
            (RECEIVE, {}),
            (DIRECTIVE_RECEIVE, {}),
            (DIRECTIVE_SEND, None),
            (SHADOW, {}),
            (KEEP_ALIVE, {}),
            (MI_SEND, None),
            (MI_RECEIVE, None),
        )
        for wrong in ({"fuse": 1}, {"psdt": 1})
    ),
]  # fmt: skip
