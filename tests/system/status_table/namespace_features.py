"""Features whose value decides what becomes of IO: write protection of namespaces (NVMe Base 2.0c
§5.27.1.28, §8.12), errors of deallocated LBAs and LBA ranges (NVM Command Set 1.0c §4.1.3)."""

from status_table.admin import FORMAT
from status_table.features import GET, SET
from status_table.io import COMPARE, DSM, LBAS, READ, UNCORRECTABLE, VERIFY, WRITE, ZEROES
from status_table.row import Row
from status_table.status import Status

PROTECT = SET(fid=0x84, nsid=1, cdw11=1)
UNTIL_POWER_CYCLE = SET(fid=0x84, nsid=1, cdw11=2)
UNPROTECT = SET(fid=0x84, nsid=1, cdw11=0)
PROTECTION = {"fid": 0x84, "nsid": 1, "cdw11": 0}
ERROR_RECOVERY = {"fid": 0x05, "nsid": 1, "cdw11": 0}
DULBE = SET(fid=0x05, nsid=1, cdw11=1 << 16)
RANGES = {"fid": 0x03, "nsid": 1, "cdw11": 0, "pages": 1}


def lba_range(slba, nlb, kind=2):
    """An LBA Range Type entry; nlb is 0-based."""
    where = slba.to_bytes(8, "little") + nlb.to_bytes(8, "little")
    return bytes([kind]) + bytes(15) + where + bytes(32)


WRITE_PROTECTION_ROWS = [
    *(
        Row(
            command,
            {},
            Status.NAMESPACE_WRITE_PROTECTED,
            "Base 2.0 §8.12",
            dnr=None,
            before=(PROTECT,),
            mend=(UNPROTECT,),
            note="write protected",
        )
        for command in (WRITE, ZEROES, UNCORRECTABLE, DSM, FORMAT)
    ),
    *(
        Row(SET, {"cdw11": state}, Status.INVALID_FIELD, "Base 2.0 §5.27.1.28", given=PROTECTION)
        for state in (4, 7)
    ),
    Row(
        SET,
        {"cdw11": 0},
        Status.FEATURE_NOT_CHANGEABLE,
        "Base 2.0 §8.12.1: until a power cycle",
        given=PROTECTION,
        before=(UNTIL_POWER_CYCLE,),
        right={"cdw11": 2},
        note="until power cycle",
    ),
    Row(
        SET,
        {"sv": 1},
        Status.FEATURE_NOT_SAVEABLE,
        "Base 2.0 §5.27.1.28",
        given=PROTECTION,
        note="protection",
    ),
]

NAMESPACE_ROWS = [
    Row(
        command,
        {"nsid": nsid},
        Status.INVALID_NAMESPACE,
        "Base 2.0 §4.4.2: > NN",
        given=given,
        right={"nsid": 1},
        note=f"fid={given['fid']:#x}",
    )
    for command in (GET, SET)
    for given in (RANGES, ERROR_RECOVERY, PROTECTION)
    for nsid in (0xFFFE, 0xFFFFFFFE)
] + [
    Row(
        GET,
        {"nsid": 0xFFFFFFFF},
        Status.INVALID_NAMESPACE,
        "Base 2.0 §4.4.2: whose value?",
        given=given,
        right={"nsid": 1},
        note=f"fid={given['fid']:#x}",
    )
    for given in (RANGES, ERROR_RECOVERY, PROTECTION)
]

DEALLOCATED_ROWS = [
    Row(
        command,
        {},
        Status.DEALLOCATED_LBA,
        "NVM 1.0 §3.2.3.2.1: DULBE",
        dnr=None,
        before=(DULBE,),
        mend=(WRITE(data=bytes(512)),),
        note="never written, DULBE",
    )
    for command in (READ, COMPARE, VERIFY)
] + [
    Row(
        command,
        {},
        Status.DEALLOCATED_LBA,
        "NVM 1.0 §3.2.3.2.1: DULBE",
        dnr=None,
        before=(WRITE(), DULBE, DSM(data=bytes(4) + bytes([8, 0, 0, 0]) + bytes(8))),
        mend=(WRITE(data=bytes(512)),),
        note="trimmed, DULBE",
    )
    for command in (READ, COMPARE, VERIFY)
]

RANGE_ROWS = [
    Row(
        SET,
        {"data": wrong},
        status,
        f"NVM 1.0 §4.1.3.1 {why}",
        given=RANGES | given,
        right={"data": lba_range(0, 7) + lba_range(8, 7)},
        note=why,
    )
    for wrong, status, given, why in (
        (lba_range(0, 7, kind=0x05), Status.INVALID_FIELD, {}, "reserved type"),
        (lba_range(0, 7, kind=0x7F), Status.INVALID_FIELD, {}, "reserved type 7Fh"),
        (lba_range(LBAS, 0), Status.LBA_OUT_OF_RANGE, {}, "beyond the namespace"),
        (lba_range(LBAS - 1, 1), Status.LBA_OUT_OF_RANGE, {}, "over the end"),
        (lba_range(0, 8) + lba_range(8, 7), Status.OVERLAPPING_RANGE, {"cdw11": 1}, "overlapping"),
    )
]

ROWS = [*WRITE_PROTECTION_ROWS, *NAMESPACE_ROWS, *DEALLOCATED_ROWS, *RANGE_ROWS]
