"""Identify, Get Log Page, Abort, Asynchronous Event Request and Format NVM: NVMe Base 2.0c §5."""

from status_table.queues import CREATE_CQ
from status_table.row import Command, Does, Row
from status_table.status import Status

IDENTIFY = Command(
    "identify",
    0x06,
    fields={
        "cns": (10, 7, 0),
        "cntid": (10, 31, 16),
        "csi": (11, 31, 24),
        "nvmsetid": (11, 15, 0),
    },
    usual={"cns": 1, "pages": 1},
)
GET_LOG = Command(
    "get_log_page",
    0x02,
    fields={
        "lid": (10, 7, 0),
        "lsp": (10, 11, 8),
        "rae": (10, 15, 15),
        "numdl": (10, 31, 16),
        "numdu": (11, 15, 0),
        "lpo": (12, 63, 0),
        "ot": (14, 23, 23),
        "csi": (14, 31, 24),
    },
    usual={"lid": 2, "nsid": 0xFFFFFFFF, "numdl": 127, "pages": 1},
)
ABORT = Command("abort", 0x08, fields={"sqid": (10, 15, 0), "abort_cid": (10, 31, 16)})
AER = Command("async_event_request", 0x0C)
FORMAT = Command(
    "format_nvm",
    0x80,
    fields={
        "lbafl": (10, 3, 0),
        "mset": (10, 4, 4),
        "pi": (10, 7, 5),
        "pil": (10, 8, 8),
        "ses": (10, 11, 9),
        "lbafu": (10, 13, 12),
    },
    usual={"nsid": 1},
)


def note(given):
    """What tells rows apart in which the same field is wrong."""
    return " ".join(f"{name}={given[name]}" for name in ("cns", "lid") if name in given)


IDENTIFY_ROWS = [
    Row(IDENTIFY, wrong, status, f"Base 2.0 {clause}", right=right, given=given, note=note(given))
    for wrong, status, clause, right, given in [
        *(
            ({"cns": cns}, Status.INVALID_FIELD, "§5.17.1: reserved", {}, {})
            for cns in (0x0A, 0x0F, 0x21, 0x7F, 0xC0, 0xFF)
        ),
        ({"nsid": 0}, Status.INVALID_NAMESPACE, "§5.17.2.1", {"nsid": 1}, {"cns": 0}),
        ({"nsid": 0xFFFE}, Status.INVALID_NAMESPACE, "§5.17.2.1: > NN", {"nsid": 1}, {"cns": 0}),
        ({"nsid": 0xFFFFFFFE}, Status.INVALID_NAMESPACE, "§5.17.2.1", {"nsid": 1}, {"cns": 0}),
        ({"nsid": 0xFFFFFFFE}, Status.INVALID_NAMESPACE, "§5.17.2.2", {"nsid": 0}, {"cns": 2}),
        ({"nsid": 0xFFFFFFFF}, Status.INVALID_NAMESPACE, "§5.17.2.2", {"nsid": 0}, {"cns": 2}),
        ({"nsid": 0}, Status.INVALID_NAMESPACE, "§5.17.2.3", {"nsid": 1}, {"cns": 3}),
        ({"nsid": 0xFFFE}, Status.INVALID_NAMESPACE, "§5.17.2.3: > NN", {"nsid": 1}, {"cns": 3}),
        ({"nsid": 0xFFFFFFFF}, Status.INVALID_NAMESPACE, "§5.17.2.3", {"nsid": 1}, {"cns": 3}),
        ({"prp1_offset": 2}, Status.PRP_OFFSET_INVALID, "§4.1.1: dword aligned", {}, {}),
        (
            {"prp2_offset": 16},
            Status.PRP_OFFSET_INVALID,
            "§4.1.1: offset in the second entry",
            {"prp2_offset": 0},
            {"prp1_offset": 0x800, "pages": 2},
        ),
    ]
]

LOG_LENGTH = {0x01: 64 * 64, 0x02: 512, 0x03: 512, 0x05: 4096}
LOG_ROWS = [
    Row(GET_LOG, wrong, status, f"Base 2.0 {clause}", right=right, given=given, note=note(given))
    for wrong, status, clause, right, given in [
        *(
            ({"lid": lid}, Status.INVALID_LOG_PAGE, "§3.3.3.2.1.2 09h: reserved", {}, {})
            for lid in (0x14, 0x6F, 0x7F, 0x82, 0xBE, 0xC0, 0xFF)
        ),
        *(
            (
                {"lpo": length + 4},
                Status.INVALID_FIELD,
                "§5.16.1: offset beyond the log page",
                {"lpo": length - 4},
                {"lid": lid, "numdl": 0},
            )
            for lid, length in LOG_LENGTH.items()
        ),
        (
            {"lpo": 1 << 32},
            Status.INVALID_FIELD,
            "§5.16.1: offset beyond the log page",
            {"lpo": 0},
            {"numdl": 0},
        ),
        (
            {"numdl": 0x8000},
            Status.INVALID_FIELD,
            "§5.17.2.1: > MDTS",
            {"numdl": 0x7FFF},
            {"pages": 33},
        ),
        ({"nsid": 1}, Status.INVALID_FIELD, "§5.16.1.3: not per namespace", {"nsid": 0}, {}),
        ({"nsid": 0xFFFE}, Status.INVALID_FIELD, "§5.16.1.3: not per namespace", {}, {}),
        ({"prp1_offset": 1}, Status.PRP_OFFSET_INVALID, "§4.1.1: dword aligned", {}, {}),
        ({"prp1_offset": 3}, Status.PRP_OFFSET_INVALID, "§4.1.1: dword aligned", {}, {}),
    ]
]

FORMAT_ROWS = [
    Row(FORMAT, wrong, status, f"NVM 1.0 §4.1.4 / Base 2.0 §5.14 {why}", **more)
    for wrong, status, why, more in [
        ({"lbafl": 2}, Status.INVALID_FORMAT, "> NLBAF", {"right": {"lbafl": 1}}),
        ({"lbafl": 15}, Status.INVALID_FORMAT, "> NLBAF", {}),
        *(
            ({"ses": ses}, Status.INVALID_FIELD, "reserved", {"right": {"ses": 1}})
            for ses in range(3, 8)
        ),
        *(
            ({"pi": pi}, Status.INVALID_FORMAT, "no metadata to hold it", {"right": {"pi": 0}})
            for pi in (1, 2, 3)
        ),
        *(({"pi": pi}, Status.INVALID_FIELD, "reserved", {}) for pi in (4, 7)),
        ({"nsid": 0}, Status.INVALID_NAMESPACE, "no namespace 0", {}),
        ({"nsid": 0xFFFE}, Status.INVALID_NAMESPACE, "> NN", {}),
        ({"nsid": 0xFFFFFFFE}, Status.INVALID_NAMESPACE, "> NN", {}),
    ]
]

# FUSE and PSDT of each admin command: fused operations are for IO; PRPs are the only data pointer
# of admin commands over PCIe.
USUAL = [IDENTIFY, GET_LOG, ABORT, CREATE_CQ, FORMAT]
CDW0_ROWS = [
    Row(command, wrong, Status.INVALID_FIELD, f"Base 2.0 figure 87: {why}", **more)
    for command in USUAL
    for wrong, why, more in [
        ({"fuse": 1}, "no fused admin operation", {}),
        ({"fuse": 2}, "no fused admin operation", {}),
        ({"psdt": 1}, "PRPs only", {}),
        ({"psdt": 2}, "PRPs only", {}),
        ({"psdt": 3}, "reserved", {}),
    ]
]

EVENT_ROWS = [
    Row(
        AER,
        {"cdw10": 0},
        Status.AER_LIMIT_EXCEEDED,
        "Base 2.0 §5.2: AERL + 1 may be outstanding",
        before=(lambda host, n=aerl + 1: host.submit([[0x0C]] * n),),
        right=None,
        dnr=None,
        ssd={"aerl": aerl},
        note=f"one more than AERL+1={aerl + 1}",
    )
    for aerl in (0, 3, 7)
]

ADDRESS_ROWS = [
    Row(command, wrong, Status.DATA_TRANSFER_ERROR, "Base 2.0 §3.3.3.2.1.1 04h", dnr=None)
    for command in (IDENTIFY, GET_LOG)
    for wrong in ({"prp1": 0}, {"prp1": 0x1000}, {"prp1": 1 << 51})
]

EVENT_LOG = {"lid": 0x0D, "numdl": 127}
TELEMETRY_ROWS = [
    Row(
        GET_LOG,
        wrong,
        Status.INVALID_FIELD,
        f"Base 2.0 {clause}: blocks of 512 bytes",
        given={"lid": lid, "numdl": 127},
        right={},
        note=f"{lid=}",
    )
    for lid, clause in ((0x07, "§5.16.1.8"), (0x08, "§5.16.1.9"))
    for wrong in ({"numdl": 126}, {"numdl": 128}, {"lpo": 4}, {"lpo": 256}, {"lpo": 508})
] + [
    Row(
        GET_LOG,
        {"lsp": lsp},
        Status.SEQUENCE_ERROR,
        f"Base 2.0 §5.16.1.14: {note}",
        dnr=None,
        given=EVENT_LOG,
        before=tuple(GET_LOG(**EVENT_LOG, lsp=action) for action in before),
        right={"lsp": right},
        note=note,
    )
    for lsp, right, before, note in (
        (0, 1, (), "no context was established"),
        (1, 0, (1,), "a context is there"),
        (0, 1, (1, 2), "the context was released"),
    )
]

VERSION_2_ROWS = [
    *(
        Row(
            IDENTIFY,
            {"csi": csi},
            Status.INVALID_FIELD,
            "Base 2.0 §5.17.1: I/O command set not supported",
            given={"cns": cns, "nsid": nsid},
            right={"csi": 0},
            ssd={"version": "2.0"},
            note=f"{cns=}",
        )
        for cns, nsid in ((0x05, 1), (0x06, 0), (0x07, 0))
        for csi in (0x03, 0x30, 0xFF)
    ),
    Row(
        GET_LOG,
        {"ot": 1},
        Status.INVALID_FIELD,
        "Base 2.0 §5.16.1: no index offset",
        ssd={"version": "2.0"},
    ),
]


def abort_event_request(host):
    """The aborted command gets its own status, and Abort says that it found it."""
    host.enable()
    (cid,) = host.submit([[0x0C]])
    abort = host.send([ABORT(sqid=0, abort_cid=cid).dwords(host)])[0]
    assert (abort.status, abort.cdw0 & 1) == (Status.SUCCESS, 0)
    (event,) = host.events
    assert (event.cid, event.status) == (cid, Status.ABORT_REQUESTED)


def abort_what_is_not_there(host):
    host.enable()
    for wrong in ({"sqid": 0, "abort_cid": 0xFFFE}, {"sqid": 5, "abort_cid": 1}):
        abort = host.send([ABORT(**wrong).dwords(host)])[0]
        assert (abort.status, abort.cdw0 & 1) == (Status.SUCCESS, 1)


ABORT_ROWS = [
    Does("abort-of an event request", "Base 2.0 §5.1", abort_event_request),
    Does("abort-of what is not there", "Base 2.0 §5.1: bit 0 is set", abort_what_is_not_there),
]

ROWS = [
    *ABORT_ROWS,
    *ADDRESS_ROWS,
    *TELEMETRY_ROWS,
    *VERSION_2_ROWS,
    *IDENTIFY_ROWS,
    *LOG_ROWS,
    *FORMAT_ROWS,
    *CDW0_ROWS,
    *EVENT_ROWS,
]
