"""Sanitize and Device Self-test, and what they stop: NVMe Base 2.0c §5.9, §5.24, §8.21."""

from status_table.admin import FORMAT, GET_LOG
from status_table.firmware import COMMIT, DOWNLOAD
from status_table.host import ADMIN
from status_table.io import COMPARE, DSM, READ, VERIFY, WRITE, ZEROES
from status_table.row import Command, Does, Row
from status_table.status import Status

SANITIZE = Command(
    "sanitize",
    0x84,
    fields={
        "sanact": (10, 2, 0),
        "ause": (10, 3, 3),
        "owpass": (10, 7, 4),
        "oipbp": (10, 8, 8),
        "ndas": (10, 9, 9),
    },
    usual={"sanact": 2},
)
SELF_TEST = Command(
    "device_self_test", 0x14, fields={"stc": (10, 3, 0)}, usual={"stc": 1, "nsid": 0xFFFFFFFF}
)


def until_sanitized(host):
    """SSTAT bits 2:0 of the Sanitize Status log (§5.16.1.25)."""

    def over():
        log = GET_LOG(lid=0x81, numdl=127).dwords(host)
        assert host.send([log], ADMIN)[0].status == 0
        return host.pages.data(3, 2) & 7 in (1, 4)

    host.wait("the end of the sanitize operation", over)


# Both last minutes there, however long the host takes to send the next command.
SLOW = {"latency": 200}
BUSY = {"before": (SANITIZE(),), "right": None, "note": "while sanitizing", "ssd": SLOW}
# §8.21.1: what figure 607 does not allow is aborted, and so is every IO command.
NOT_WHILE_SANITIZING = (
    READ(),
    WRITE(),
    COMPARE(data=bytes(512)),
    VERIFY(),
    ZEROES(),
    DSM(),
    FORMAT(),
    DOWNLOAD(),
    COMMIT(fs=1, ca=3),
    SELF_TEST(),
    SANITIZE(),
)


def allowed_again(step):
    def check(host):
        host.enable()
        host.add_io_queue()
        assert host.send([SANITIZE().dwords(host)], ADMIN)[0].status == Status.SUCCESS
        until_sanitized(host)
        assert host.send([step.dwords(host)], step.command.queue)[0].status == Status.SUCCESS

    return check


SANITIZE_ROWS = [
    *(
        Row(SANITIZE, {"sanact": sanact}, Status.INVALID_FIELD, "Base 2.0 §5.24: reserved")
        for sanact in (0, 5, 6, 7)
    ),
    Row(SANITIZE, {"fuse": 1}, Status.INVALID_FIELD, "Base 2.0 figure 87"),
    Row(SANITIZE, {"psdt": 1}, Status.INVALID_FIELD, "Base 2.0 figure 87"),
    *(
        Row(
            step.command,
            {},
            Status.SANITIZE_IN_PROGRESS,
            "Base 2.0 §8.21.1",
            dnr=None,
            given=step.values,
            **BUSY,
        )
        for step in NOT_WHILE_SANITIZING
    ),
    *(
        Does(f"{step.command.name}-after sanitizing", "Base 2.0 §8.21.1", allowed_again(step))
        for step in NOT_WHILE_SANITIZING
    ),
]

SELF_TEST_ROWS = [
    *(
        Row(SELF_TEST, {"stc": stc}, Status.INVALID_FIELD, "Base 2.0 §5.9: reserved")
        for stc in (0, 3, 0xD)
    ),
    Row(SELF_TEST, {"stc": 0xE}, Status.INVALID_FIELD, "Base 2.0 §5.9: vendor specific"),
    Row(SELF_TEST, {"nsid": 0xFFFE}, Status.INVALID_NAMESPACE, "Base 2.0 §5.9: > NN"),
    Row(SELF_TEST, {"fuse": 2}, Status.INVALID_FIELD, "Base 2.0 figure 87"),
    Row(SELF_TEST, {"psdt": 2}, Status.INVALID_FIELD, "Base 2.0 figure 87"),
    *(
        Row(
            SELF_TEST,
            {"stc": stc},
            Status.SELF_TEST_IN_PROGRESS,
            "Base 2.0 §5.9",
            dnr=None,
            before=(SELF_TEST(stc=running),),
            mend=(SELF_TEST(stc=0xF),),
            right={"stc": stc},
            note=f"while {running} runs",
            ssd=SLOW,
        )
        for running in (1, 2)
        for stc in (1, 2)
    ),
]

ROWS = [*SANITIZE_ROWS, *SELF_TEST_ROWS]
