"""Firmware Image Download and Firmware Commit: NVMe Base 2.0c §5.12, §5.13."""

from status_table.row import Command, Row
from status_table.status import Status

DOWNLOAD = Command(
    "firmware_download",
    0x11,
    fields={"numd": (10, 31, 0), "ofst": (11, 31, 0)},
    usual={"numd": 1023, "ofst": 0, "pages": 1},
)
COMMIT = Command(
    "firmware_commit", 0x10, fields={"fs": (10, 2, 0), "ca": (10, 5, 3), "bpid": (10, 31, 31)}
)

DOWNLOAD_ROWS = [
    Row(
        DOWNLOAD,
        wrong,
        Status.OVERLAPPING_RANGE,
        "Base 2.0 §5.13: overlaps what was downloaded before",
        dnr=None,
        before=(DOWNLOAD(),),
        right={"ofst": 1024},
        note=note,
    )
    for wrong, note in (
        ({"ofst": 0}, "the same"),
        ({"ofst": 1023}, "the last dword"),
        ({"ofst": 512}, "half of it"),
    )
] + [
    Row(DOWNLOAD, {"numd": 0x8000}, Status.INVALID_FIELD, "Base 2.0 §5.17.2.1: > MDTS"),
    Row(DOWNLOAD, {"prp1_offset": 2}, Status.PRP_OFFSET_INVALID, "Base 2.0 §4.1.1"),
    Row(DOWNLOAD, {"fuse": 1}, Status.INVALID_FIELD, "Base 2.0 figure 87"),
    Row(DOWNLOAD, {"psdt": 1}, Status.INVALID_FIELD, "Base 2.0 figure 87: PRPs only"),
]

COMMIT_ROWS = [
    *(
        Row(
            COMMIT,
            {"fs": fs},
            Status.INVALID_FIRMWARE_SLOT,
            "Base 2.0 §5.12: FRMW has 3 slots",
            given={"ca": ca},
            right=None,
            before=(DOWNLOAD(),),
            note=f"{ca=}",
        )
        for ca in (0, 1, 2, 3)
        for fs in (4, 7)
    ),
    *(
        Row(
            COMMIT,
            {"ca": ca},
            Status.INVALID_FIELD,
            f"Base 2.0 §5.12: {why}",
            given={"fs": 1},
            right=None,
        )
        for ca, why in (
            (4, "reserved"),
            (5, "reserved"),
            (6, "no boot partitions"),
            (7, "no boot partitions"),
        )
    ),
    *(
        Row(
            COMMIT,
            {"fs": 2},
            Status.INVALID_FIRMWARE_IMAGE,
            "Base 2.0 §5.12: nothing was downloaded, or the slot is empty",
            given={"ca": ca},
            right=None,
            note=f"{ca=} without an image",
        )
        for ca in (0, 1, 2, 3)
    ),
    Row(
        COMMIT,
        {"fs": 2},
        Status.INVALID_FIRMWARE_IMAGE,
        "Base 2.0 §5.12: the first page of the image is missing",
        given={"ca": 1},
        before=(DOWNLOAD(ofst=1024),),
        mend=(DOWNLOAD(),),
        right=None,
        note="with a gap",
    ),
    Row(COMMIT, {"fuse": 1}, Status.INVALID_FIELD, "Base 2.0 figure 87", right=None),
    Row(COMMIT, {"psdt": 1}, Status.INVALID_FIELD, "Base 2.0 figure 87", right=None),
]

ROWS = [*DOWNLOAD_ROWS, *COMMIT_ROWS]
