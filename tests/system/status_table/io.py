"""Commands of the NVM Command Set 1.0c §3.2 and Flush: fields, pointers, fused operations, data."""

from status_table.host import IO
from status_table.row import Command, Row
from status_table.status import Status

LBAS = (1 << 30) // 512
LAST = LBAS - 1
MDTS_LBAS = 256

LBA_FIELDS = {
    "slba": (10, 63, 0),
    "nlb": (12, 15, 0),
    "dtype": (12, 23, 20),
    "deac": (12, 25, 25),
    "prinfo": (12, 29, 26),
    "fua": (12, 30, 30),
    "lr": (12, 31, 31),
}


def lba_command(name, opcode, pages):
    return Command(name, opcode, IO, LBA_FIELDS, {"nsid": 1, "slba": 0, "nlb": 0, "pages": pages})


READ = lba_command("read", 0x02, 1)
WRITE = lba_command("write", 0x01, 1)
COMPARE = lba_command("compare", 0x05, 1)
ZEROES = lba_command("write_zeroes", 0x08, 0)
UNCORRECTABLE = lba_command("write_uncorrectable", 0x04, 0)
VERIFY = lba_command("verify", 0x0C, 0)
FLUSH = Command("flush", 0x00, IO, usual={"nsid": 1})
DSM = Command(
    "dataset_management",
    0x09,
    IO,
    {"nr": (10, 7, 0), "ad": (11, 2, 2), "idw": (11, 1, 1), "idr": (11, 0, 0)},
    {"nsid": 1, "nr": 0, "ad": 1, "pages": 1, "data": bytes(16)},
)
WITH_DATA = (READ, WRITE, COMPARE)
WITH_LBAS = (READ, WRITE, COMPARE, ZEROES, UNCORRECTABLE, VERIFY)
ALL = (*WITH_LBAS, FLUSH, DSM)


def ranges(*these):
    """Dataset Management ranges of (slba, nlb)."""
    return b"".join(bytes(4) + nlb.to_bytes(4, "little") + slba.to_bytes(8, "little")
                    for slba, nlb in these)  # fmt: skip


RANGE_ROWS = [
    Row(command, wrong, Status.LBA_OUT_OF_RANGE, "NVM 1.0 §1.4.2.1 80h", right=right)
    for command in WITH_LBAS
    for wrong, right in [
        ({"slba": LBAS}, {"slba": LAST}),
        ({"slba": LAST, "nlb": 1}, {"slba": LAST - 1, "nlb": 1}),
        ({"slba": 1 << 32}, {}),
        ({"slba": (1 << 64) - 1}, {}),
        ({"slba": (1 << 64) - 1, "nlb": 1}, {}),
    ]
]

NAMESPACE_ROWS = [
    Row(command, {"nsid": nsid}, status, f"Base 2.0 figure 87 NSID: {why}")
    for command in ALL
    for nsid, status, why in [
        (0, Status.INVALID_NAMESPACE, "no namespace 0"),
        (0xFFFE, Status.INVALID_NAMESPACE, "> NN"),
        (0xFFFFFFFE, Status.INVALID_NAMESPACE, "> NN"),
        # Flush of all namespaces is supported when VWC bits 2:1 are 11b.
        *([(0xFFFFFFFF, Status.INVALID_FIELD, "broadcast not supported")] * (command != FLUSH)),
    ]
]

CDW0_ROWS = [
    Row(command, wrong, Status.INVALID_FIELD, f"Base 2.0 figure 87: {why}")
    for command in ALL
    for wrong, why in [
        ({"fuse": 3}, "reserved"),
        *([({"fuse": 1}, "only Compare and Write are fused")] * (command not in (COMPARE, WRITE))),
        *([({"psdt": 1}, "SGLS is 0")] * (command in (*WITH_DATA, DSM))),
        *([({"psdt": 2}, "SGLS is 0")] * (command in (*WITH_DATA, DSM))),
        *([({"psdt": 3}, "reserved")] * (command in (*WITH_DATA, DSM))),
    ]
]

SIZE_ROWS = [
    Row(
        command,
        {"nlb": nlb},
        Status.INVALID_FIELD,
        "Base 2.0 §5.17.2.1 MDTS",
        given={"pages": 33},
        right={"nlb": MDTS_LBAS - 1},
        before=(WRITE(pages=33, nlb=255),) * (command is COMPARE),
    )
    for command in WITH_DATA
    for nlb in (MDTS_LBAS, 0xFFFF)
]

DIRECTIVE_ROWS = [
    Row(
        WRITE,
        {"dtype": dtype},
        Status.INVALID_FIELD,
        "NVM 1.0 §3.2.6, Base 2.0 §8.7: not a directive that is enabled",
        right={"dtype": 0},
    )
    for dtype in (1, 2, 0xF)
]

# Nothing of the host's lies at these addresses.
NOWHERE = (0, 0x1000, 1 << 51)
NOWHERE_ROWS = [
    Row(
        command,
        wrong,
        Status.DATA_TRANSFER_ERROR,
        "Base 2.0 §3.3.3.2.1.1 04h: not memory of the host",
        dnr=None,
        given=given,
        note=f"pages={given.get('pages', 1)}",
    )
    for command in (*WITH_DATA, DSM)
    for given, wrongs in (
        ({}, [{"prp1": address} for address in NOWHERE]),
        ({"pages": 2, "nlb": 15}, [{"prp2": address} for address in NOWHERE]),
        ({"pages": 4, "nlb": 31}, [{"prp2": 1 << 51}, {"prp_list": {2: 0}}]),
    )
    for wrong in wrongs
    if command is not DSM or not given
]

TWO, LIST = {"pages": 2, "nlb": 15}, {"pages": 4, "nlb": 31}
POINTER_ROWS = [
    Row(command, wrong, Status.PRP_OFFSET_INVALID, f"Base 2.0 §4.1.1: {why}", given=given)
    for command in WITH_DATA
    for wrong, why, given in [
        ({"prp1_offset": 1}, "dword aligned", {}),
        ({"prp1_offset": 2}, "dword aligned", {}),
        ({"prp2_offset": 4}, "offset in the second entry", TWO),
        ({"prp2_offset": 0x800}, "offset in the second entry", TWO),
        ({"prp2_offset": 2}, "a list is qword aligned", LIST),
    ]
] + [
    Row(
        command,
        {"prp_list": {index: lambda host: host.page(1) + 16}},
        Status.PRP_OFFSET_INVALID,
        "Base 2.0 §4.1.1: offset in an entry of the list",
        given=LIST,
    )
    for command in WITH_DATA
    for index in (0, 1, 2)
]

FUSED = {"fuse": 1}
WRITE_2 = WRITE(fuse=2)
OTHER = {"data": b"\x55" * 512}
FUSED_ROWS = [
    Row(
        WRITE,
        {"fuse": 2},
        Status.MISSING_FUSED,
        "Base 2.0 §3.4.2: no first command",
        right={"fuse": 0},
        dnr=None,
    ),
    Row(
        COMPARE,
        FUSED,
        Status.MISSING_FUSED,
        "Base 2.0 §3.4.2: the next command is not the second",
        then=((READ(), Status.SUCCESS),),
        dnr=None,
        note="then read",
    ),
    Row(
        COMPARE,
        FUSED,
        Status.MISSING_FUSED,
        "Base 2.0 §3.4.2: the next command is not the second",
        then=((WRITE(), Status.SUCCESS),),
        dnr=None,
        note="then write",
    ),
    Row(
        COMPARE,
        FUSED,
        Status.MISSING_FUSED,
        "Base 2.0 §3.4.2: two first commands",
        then=((COMPARE(fuse=1), Status.SUCCESS), (WRITE_2, Status.SUCCESS)),
        dnr=None,
        note="then compare and write",
    ),
    Row(
        COMPARE,
        FUSED,
        Status.INVALID_FIELD,
        "Base 2.0 §3.4.2: the LBA ranges differ",
        then=((WRITE(fuse=2, slba=1), Status.INVALID_FIELD),),
        dnr=None,
        note="write of another LBA",
    ),
    Row(
        COMPARE,
        FUSED,
        Status.INVALID_FIELD,
        "Base 2.0 §3.4.2: the LBA ranges differ",
        then=((WRITE(fuse=2, nlb=1), Status.INVALID_FIELD),),
        dnr=None,
        note="write of another length",
    ),
    Row(
        COMPARE,
        FUSED,
        Status.COMPARE_FAILURE,
        "Base 2.0 §3.4.2, NVM 1.0 §3.2.1",
        given=OTHER,
        then=((WRITE(fuse=2), Status.FAILED_FUSED),),
        dnr=None,
        right=None,
    ),
    Row(
        COMPARE,
        FUSED | {"prp1": 0x1000},
        Status.DATA_TRANSFER_ERROR,
        "Base 2.0 §3.4.2: the second is aborted when the first fails",
        then=((WRITE_2, Status.FAILED_FUSED),),
        dnr=None,
    ),
    Row(
        COMPARE,
        {"nlb": 8},
        Status.ATOMIC_WRITE_UNIT_EXCEEDED,
        "NVM 1.0 §2.1.4.2: > ACWU",
        given={"fuse": 1, "pages": 2},
        then=((WRITE(fuse=2, nlb=8, pages=2), Status.ATOMIC_WRITE_UNIT_EXCEEDED),),
        right=None,
        dnr=None,
    ),
    Row(
        WRITE,
        {"fuse": 1},
        Status.INVALID_FIELD,
        "NVM 1.0 §2.1.3: Compare is the first, Write the second",
    ),
    Row(
        COMPARE,
        {"fuse": 2},
        Status.INVALID_FIELD,
        "NVM 1.0 §2.1.3: Compare is the first, Write the second",
    ),
]

DATA_ROWS = [
    Row(
        COMPARE,
        OTHER,
        Status.COMPARE_FAILURE,
        "NVM 1.0 §3.2.1",
        right={"data": bytes(512)},
        dnr=None,
    ),
    *(
        Row(
            command,
            {"slba": 7},
            Status.UNRECOVERED_READ_ERROR,
            "NVM 1.0 §3.2.7",
            before=(UNCORRECTABLE(slba=7),),
            mend=(WRITE(slba=7, data=bytes(512)),),
            right={"slba": 7},
            dnr=None,
            note="uncorrectable",
        )
        for command in (READ, COMPARE, VERIFY)
    ),
    *(
        Row(
            command,
            {"nlb": 7},
            Status.UNRECOVERED_READ_ERROR,
            "NVM 1.0 §3.2.7",
            given={"slba": 0},
            before=(UNCORRECTABLE(slba=7),),
            right={"nlb": 6},
            dnr=None,
            note="uncorrectable at the end",
        )
        for command in (READ, COMPARE, VERIFY)
    ),
]

DSM_ROWS = [
    Row(
        DSM,
        {"data": ranges(*wrong), "nr": len(wrong) - 1},
        Status.LBA_OUT_OF_RANGE,
        "NVM 1.0 §3.2.3",
        right={"data": ranges(*right), "nr": len(right) - 1},
        note=note,
    )
    for wrong, right, note in [
        ([(LBAS, 1)], [(LAST, 1)], "first LBA"),
        ([(LAST, 2)], [(LAST, 1)], "last LBA"),
        ([(0, 0xFFFFFFFF)], [(0, LBAS)], "length"),
        ([((1 << 64) - 1, 2)], [(0, 2)], "wraps around"),
        ([(0, 8), (LBAS, 8)], [(0, 8), (8, 8)], "second range"),
    ]
] + [
    Row(DSM, {"prp1_offset": 2}, Status.PRP_OFFSET_INVALID, "Base 2.0 §4.1.1: dword aligned"),
]

ROWS = [
    *RANGE_ROWS,
    *NAMESPACE_ROWS,
    *CDW0_ROWS,
    *SIZE_ROWS,
    *DIRECTIVE_ROWS,
    *NOWHERE_ROWS,
    *POINTER_ROWS,
    *FUSED_ROWS,
    *DATA_ROWS,
    *DSM_ROWS,
]
