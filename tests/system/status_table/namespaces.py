"""Namespace Management and Attachment (NVMe Base 2.0c §5.22, §5.23), Get LBA Status (NVM Command
Set 1.0c §4.2.1), and commands to namespaces that are not active (Base §3.2.1)."""

from status_table.admin import FORMAT
from status_table.features import GET, SET
from status_table.io import ALL, COMPARE, FLUSH, LBAS, READ
from status_table.row import Command, Row
from status_table.status import Status

SEL = {"sel": (10, 3, 0), "csi": (11, 31, 24)}
MANAGE = Command("namespace_management", 0x0D, fields=SEL, usual={"sel": 1, "nsid": 2})
ATTACH = Command("namespace_attachment", 0x15, fields=SEL, usual={"sel": 0, "nsid": 2, "pages": 1})
LBA_STATUS = Command(
    "get_lba_status",
    0x86,
    fields={"slba": (10, 63, 0), "mndw": (12, 31, 0), "rl": (13, 15, 0), "atype": (13, 31, 24)},
    usual={"nsid": 1, "slba": 0, "mndw": 15, "atype": 0x11, "pages": 1},
)
TWO = {"namespaces": 2}
MEBI = (1 << 20) // 512


def controllers(*identifiers):
    """A Controller List (§5.17.2: the number, then the identifiers)."""
    return b"".join(n.to_bytes(2, "little") for n in (len(identifiers), *identifiers)).ljust(
        4096, b"\0"
    )


def like(nsze=MEBI, ncap=MEBI, flbas=0, dps=0, nmic=0):
    """What Create wants to know (§5.23, figure 280)."""
    data = bytearray(4096)
    data[0:8], data[8:16] = nsze.to_bytes(8, "little"), ncap.to_bytes(8, "little")
    data[26], data[29], data[30] = flbas, dps, nmic
    return bytes(data)


DETACH = ATTACH(sel=1, data=controllers(1))
DELETE = MANAGE(sel=1, nsid=2)
CREATE = {"sel": 0, "nsid": 0, "pages": 1, "data": like()}

MANAGE_ROWS = [
    *(
        Row(MANAGE, {"sel": sel}, Status.INVALID_FIELD, "Base 2.0 §5.23: reserved", ssd=TWO)
        for sel in (2, 0xF)
    ),
    *(
        Row(MANAGE, {"nsid": nsid}, status, f"Base 2.0 §5.23: {why}", given={"sel": 1}, ssd=TWO)
        for nsid, status, why in (
            (0, Status.INVALID_NAMESPACE, "no namespace 0"),
            (0xFFFE, Status.INVALID_NAMESPACE, "> NN"),
            (0xFFFFFFFE, Status.INVALID_NAMESPACE, "> NN"),
            (3, Status.INVALID_FIELD, "not allocated"),
        )
    ),
    Row(
        MANAGE,
        {"nsid": 2},
        Status.INVALID_FIELD,
        "Base 2.0 §5.23: deleted before",
        before=(DELETE,),
        right=None,
        ssd=TWO,
        note="again",
    ),
    *(
        Row(
            MANAGE,
            {"data": wrong},
            status,
            f"Base 2.0 §5.23: {why}",
            given=CREATE,
            before=(DELETE,),
            right={"data": like()},
            ssd=TWO,
            note=f"create, {why}",
        )
        for wrong, status, why in (
            (like(flbas=9), Status.INVALID_FORMAT, "no such format"),
            (like(dps=1), Status.INVALID_FORMAT, "no metadata to protect with"),
            (like(nsze=LBAS * 8, ncap=LBAS * 8), Status.NAMESPACE_INSUFFICIENT_CAPACITY, "too big"),
        )
    ),
    *(
        Row(MANAGE, wrong, Status.INVALID_FIELD, "Base 2.0 figure 87", ssd=TWO)
        for wrong in ({"fuse": 1}, {"psdt": 1})
    ),
]

ATTACH_ROWS = [
    *(
        Row(
            ATTACH,
            {"sel": sel},
            Status.INVALID_FIELD,
            "Base 2.0 §5.22: reserved",
            given={"data": controllers(1)},
            right={"sel": 1},
            ssd=TWO,
        )
        for sel in (2, 0xF)
    ),
    *(
        Row(
            ATTACH,
            {"nsid": nsid},
            status,
            f"Base 2.0 §5.22: {why}",
            given={"sel": 1, "data": controllers(1)},
            ssd=TWO,
        )
        for nsid, status, why in (
            (0, Status.INVALID_NAMESPACE, "no namespace 0"),
            (0xFFFE, Status.INVALID_NAMESPACE, "> NN"),
            (3, Status.INVALID_FIELD, "not allocated"),
        )
    ),
    *(
        Row(
            ATTACH,
            {"data": wrong},
            Status.CONTROLLER_LIST_INVALID,
            f"Base 2.0 §5.22: {why}",
            given={"sel": 1},
            right={"data": controllers(1)},
            ssd=TWO,
            note=why,
        )
        for wrong, why in (
            (controllers(), "an empty list"),
            (controllers(9), "no such controller"),
            (controllers(1, 9), "one is not there"),
            (controllers(0xFFFF), "no controller has FFFFh"),
        )
    ),
    Row(
        ATTACH,
        {"nsid": 2},
        Status.NAMESPACE_ALREADY_ATTACHED,
        "Base 2.0 §5.22",
        given={"data": controllers(1)},
        mend=(DETACH,),
        right={"nsid": 2},
        ssd=TWO,
    ),
    Row(
        ATTACH,
        {"nsid": 2},
        Status.NAMESPACE_NOT_ATTACHED,
        "Base 2.0 §5.22",
        given={"sel": 1, "data": controllers(1)},
        before=(DETACH,),
        mend=(ATTACH(data=controllers(1)),),
        right={"nsid": 2},
        ssd=TWO,
    ),
]

INACTIVE_ROWS = [
    *(
        Row(
            command,
            {"nsid": 2},
            Status.INVALID_FIELD,
            "Base 2.0 figure 87: valid, but inactive",
            given=given,
            right={"nsid": 2},
            note=" ".join(["detached", *(f"{name}={value}" for name, value in given.items())]),
            before=(DETACH,),
            mend=(ATTACH(data=controllers(1)),),
            ssd=TWO,
        )
        for command, given in (
            *((command, {}) for command in ALL if command is not COMPARE),
            (COMPARE, {"prp1_offset": 1024}),
            (GET, {"fid": 5}),
            (SET, {"fid": 5, "cdw11": 0}),
            (LBA_STATUS, {}),
        )
    ),
    *(
        Row(
            command,
            {"nsid": 2},
            Status.INVALID_FIELD,
            "Base 2.0 figure 87: valid, but not allocated",
            right=None,
            note="not allocated",
        )
        for command in (READ, FLUSH, FORMAT)
    ),
]

LBA_STATUS_ROWS = [
    *(
        Row(LBA_STATUS, {"atype": atype}, Status.INVALID_FIELD, "NVM 1.0 §4.2.1: reserved")
        for atype in (0, 1, 0x12, 0xFF)
    ),
    *(
        Row(LBA_STATUS, {"slba": slba}, Status.LBA_OUT_OF_RANGE, "NVM 1.0 §4.2.1")
        for slba in (LBAS, (1 << 64) - 1)
    ),
    *(
        Row(LBA_STATUS, {"nsid": nsid}, Status.INVALID_NAMESPACE, "NVM 1.0 §4.2.1: > NN")
        for nsid in (0, 0xFFFE)
    ),
    *(
        Row(LBA_STATUS, wrong, Status.INVALID_FIELD, "Base 2.0 figure 87")
        for wrong in ({"fuse": 1}, {"psdt": 1})
    ),
]

ROWS = [*MANAGE_ROWS, *ATTACH_ROWS, *INACTIVE_ROWS, *LBA_STATUS_ROWS]
