"""Get Features and Set Features: NVMe Base 2.0c §5.15, §5.27."""

from status_table.queues import CREATE_CQ
from status_table.row import Command, Row
from status_table.status import Status

GET = Command(
    "get_features", 0x0A, fields={"fid": (10, 7, 0), "sel": (10, 10, 8)}, usual={"fid": 7}
)
SET = Command(
    "set_features",
    0x09,
    fields={
        "fid": (10, 7, 0),
        "sv": (10, 31, 31),
        # Power Management
        "ps": (11, 4, 0),
        "wh": (11, 7, 5),
        # Temperature Threshold
        "tmpth": (11, 15, 0),
        "tmpsel": (11, 19, 16),
        "thsel": (11, 21, 20),
        # Host Controlled Thermal Management
        "tmt2": (11, 15, 0),
        "tmt1": (11, 31, 16),
        # Number of Queues
        "nsqr": (11, 15, 0),
        "ncqr": (11, 31, 16),
        # Interrupt Vector Configuration
        "iv": (11, 15, 0),
    },
    usual={"fid": 7, "cdw11": 15 << 16 | 15},
)
QUEUES = {"cdw11": 0, "nsqr": 15, "ncqr": 15}

# Reserved, or of what this SSD is not: a fabric's, a host's, a reservation's.
UNKNOWN = [0x00, 0x1C, 0x1F, 0x20, 0x5F, 0x77, 0x7A, 0x7C, 0x82, 0x83, 0xBF, 0xC0, 0xFF]
KNOWN = [
    0x01,
    0x02,
    0x04,
    0x05,
    0x03,
    0x0C,
    0x0E,
    0x0F,
    0x10,
    0x11,
    0x06,
    0x07,
    0x08,
    0x09,
    0x0A,
    0x0B,
]

GET_ROWS = [
    *(
        Row(GET, {"fid": fid}, Status.INVALID_FIELD, "Base 2.0 §5.15: not a supported FID")
        for fid in UNKNOWN
    ),
    *(
        Row(GET, {"sel": sel}, Status.INVALID_FIELD, "Base 2.0 §5.15: reserved SEL")
        for sel in range(4, 8)
    ),
    *(
        Row(
            GET,
            {"sel": 7},
            Status.INVALID_FIELD,
            "Base 2.0 §5.15: reserved SEL",
            given={"fid": fid},
            right={"sel": 3},
            note=f"fid={fid:#x}",
        )
        for fid in KNOWN
    ),
    *(
        Row(
            GET,
            {"cdw11": cdw11},
            Status.INVALID_FIELD,
            f"Base 2.0 §5.27.1: {why}",
            given={"fid": fid},
            right={"cdw11": 0},
            note=f"{fid=}",
        )
        for fid, cdw11, why in (
            (4, 0xE << 16, "reserved TMPSEL"),
            (4, 2 << 20, "reserved THSEL"),
            (9, 0x7FF, "IV > vectors"),
            (9, 0xFFFF, "IV > vectors"),
        )
    ),
    Row(
        GET,
        {"fuse": 1},
        Status.INVALID_FIELD,
        "Base 2.0 figure 87: no fused admin operation",
    ),
    Row(GET, {"psdt": 1}, Status.INVALID_FIELD, "Base 2.0 figure 87: PRPs only"),
]

SET_ROWS = [
    Row(SET, wrong, status, f"Base 2.0 {clause}", **more)
    for wrong, status, clause, more in [
        *(
            ({"fid": fid}, Status.INVALID_FIELD, "§5.27: not a supported FID", {})
            for fid in UNKNOWN
        ),
        # Figure 317: scope of the controller.
        *(
            (
                {"nsid": 1},
                Status.FEATURE_NOT_NAMESPACE_SPECIFIC,
                "§4.2.1.1: scope is the controller",
                {"given": {"fid": fid, "cdw11": cdw11}, "right": {"nsid": 0}, "note": f"{fid=:#x}"},
            )
            for fid, cdw11 in ((0x01, 0), (0x02, 0), (0x06, 1), (0x07, 0xF000F), (0x0B, 0))
        ),
        # Figure 317: these do not persist, and Get Features SEL=3 says so.
        (
            {"sv": 1},
            Status.FEATURE_NOT_SAVEABLE,
            "§5.27.1: not saveable",
            {"given": {"fid": 0x07}, "right": {"sv": 0}, "note": "fid=7"},
        ),
        *(
            (
                {"ps": ps},
                Status.INVALID_FIELD,
                "§5.27.1.2: > NPSS",
                {"given": {"fid": 2, "cdw11": 0}},
            )
            for ps in (5, 31)
        ),
        *(
            (
                {"tmpsel": tmpsel},
                Status.INVALID_FIELD,
                "§5.27.1.3: reserved TMPSEL",
                {"given": {"fid": 4, "cdw11": 0, "tmpth": 400}},
            )
            for tmpsel in (0x9, 0xE)
        ),
        *(
            (
                {"thsel": thsel},
                Status.INVALID_FIELD,
                "§5.27.1.3: reserved THSEL",
                {"given": {"fid": 4, "cdw11": 0, "tmpth": 400}},
            )
            for thsel in (2, 3)
        ),
        *(
            ({name: 0xFFFF}, Status.INVALID_FIELD, "§5.27.1.5: FFFFh", {"given": QUEUES})
            for name in ("nsqr", "ncqr")
        ),
        (
            {"cdw11": 7 << 16 | 7},
            Status.SEQUENCE_ERROR,
            "§5.27.1.5: after an IO queue was created",
            {"before": (CREATE_CQ(),), "right": None},
        ),
        *(
            (
                {"iv": iv},
                Status.INVALID_FIELD,
                "§5.27.1.7: > vectors",
                {"given": {"fid": 9, "cdw11": 0}},
            )
            for iv in (0x7FF, 0xFFFF)
        ),
        *(
            (
                {"wh": wh},
                Status.INVALID_FIELD,
                "§8.15.3: reserved hint",
                {"given": {"fid": 2, "cdw11": 0}, "right": {"wh": 1}},
            )
            for wh in (3, 7)
        ),
        *(
            (
                {"tmt1": tmt1, "tmt2": tmt2},
                Status.INVALID_FIELD,
                f"§5.27.1.13: {why}",
                {"given": {"fid": 0x10, "cdw11": 0}, "right": {"tmt1": 330, "tmt2": 340}},
            )
            for tmt1, tmt2, why in (
                (340, 340, "TMT1 is not below TMT2"),
                (341, 340, "TMT1 is not below TMT2"),
                (1, 340, "< MNTMT"),
                (330, 0xFFFF, "> MXTMT"),
            )
        ),
        (
            {"data": (5 << 3 | 100 << 8).to_bytes(8, "little")},
            Status.INVALID_FIELD,
            "§5.27.1.9: > NPSS",
            {
                "given": {"fid": 0x0C, "cdw11": 1, "pages": 1},
                "right": {"data": (4 << 3 | 100 << 8).to_bytes(8, "little")},
                "note": "idle transition to PS 5",
            },
        ),
        ({"fuse": 2}, Status.INVALID_FIELD, "figure 87: no fused admin operation", {}),
        ({"psdt": 2}, Status.INVALID_FIELD, "figure 87: PRPs only", {}),
    ]
]

ROWS = [*GET_ROWS, *SET_ROWS]
