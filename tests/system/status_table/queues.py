"""Creation and deletion of IO queues: NVMe Base 2.0c §5.4 to §5.7 (PCIe transport 1.0c §3.5)."""

from status_table.row import Command, Row
from status_table.status import Status

QUEUE = {"qid": (10, 15, 0), "qsize": (10, 31, 16), "pc": (11, 0, 0)}

CREATE_CQ = Command(
    "create_io_cq",
    0x05,
    fields=QUEUE | {"ien": (11, 1, 1), "iv": (11, 31, 16)},
    usual={"qid": 2, "qsize": 15, "pc": 1, "pages": 1},
)
CREATE_SQ = Command(
    "create_io_sq",
    0x01,
    fields=QUEUE | {"qprio": (11, 2, 1), "cqid": (11, 31, 16)},
    usual={"qid": 2, "qsize": 15, "pc": 1, "cqid": 2, "pages": 2},
)
DELETE_SQ = Command("delete_io_sq", 0x00, fields=QUEUE, usual={"qid": 2})
DELETE_CQ = Command("delete_io_cq", 0x04, fields=QUEUE, usual={"qid": 2})

CQ_ROWS = [
    Row(CREATE_CQ, wrong, status, f"Base 2.0 §5.4 {why}", **more)
    for wrong, status, why, more in [
        ({"qid": 0}, Status.INVALID_QID, "QID 0 is the Admin CQ", {}),
        ({"qid": 17}, Status.INVALID_QID, "one above the 16 there are", {"right": {"qid": 16}}),
        ({"qid": 0xFFFF}, Status.INVALID_QID, "above the queues there are", {}),
        ({"qid": 5}, Status.INVALID_QID, "above the queues there are", {"ssd": {"queues": 4}}),
        ({"qid": 3}, Status.INVALID_QID, "QID in use", {"before": (CREATE_CQ(qid=3),)}),
        ({"qsize": 0}, Status.INVALID_QUEUE_SIZE, "0h is not allowed", {"right": {"qsize": 1}}),
        ({"qsize": 0x400}, Status.INVALID_QUEUE_SIZE, "> CAP.MQES", {"right": {"qsize": 0x3FF}}),
        ({"qsize": 0xFFFF}, Status.INVALID_QUEUE_SIZE, "> CAP.MQES", {}),
        ({"qsize": 64}, Status.INVALID_QUEUE_SIZE, "> CAP.MQES", {"ssd": {"mqes": 63}}),
        ({"prp1_offset": 0x800}, Status.PRP_OFFSET_INVALID, "page aligned", {}),
        ({"prp1_offset": 4}, Status.PRP_OFFSET_INVALID, "page aligned", {}),
        (
            {"prp1_offset": 8},
            Status.PRP_OFFSET_INVALID,
            "the pointer to a PRP list has offset 0h",
            {"given": {"pc": 0}, "right": None},
        ),
        ({"iv": 0x7FF}, Status.INVALID_INTERRUPT_VECTOR, "> vectors", {"given": {"ien": 1}}),
        ({"iv": 0xFFFF}, Status.INVALID_INTERRUPT_VECTOR, "> vectors", {"given": {"ien": 1}}),
    ]
]

CQ = (CREATE_CQ(),)
SQ_ROWS = [
    Row(CREATE_SQ, wrong, status, f"Base 2.0 §5.5 {why}", **{"before": CQ} | more)
    for wrong, status, why, more in [
        ({"qid": 0}, Status.INVALID_QID, "QID 0 is the Admin SQ", {}),
        ({"qid": 17}, Status.INVALID_QID, "one above the 16 there are", {"right": {"qid": 16}}),
        ({"qid": 0xFFFF}, Status.INVALID_QID, "above the queues there are", {}),
        ({"qid": 3}, Status.INVALID_QID, "QID in use", {"before": (*CQ, CREATE_SQ(qid=3))}),
        ({"qsize": 0}, Status.INVALID_QUEUE_SIZE, "0h is not allowed", {"right": {"qsize": 1}}),
        ({"qsize": 0x400}, Status.INVALID_QUEUE_SIZE, "> CAP.MQES", {}),
        ({"qsize": 0xFFFF}, Status.INVALID_QUEUE_SIZE, "> CAP.MQES", {}),
        ({"prp1_offset": 0x40}, Status.PRP_OFFSET_INVALID, "page aligned", {}),
        ({"cqid": 0}, Status.INVALID_QID, "the Admin CQ", {}),
        ({"cqid": 17}, Status.INVALID_QID, "outside the range", {}),
        ({"cqid": 0xFFFF}, Status.INVALID_QID, "outside the range", {}),
        ({"cqid": 3}, Status.CQ_INVALID, "not created", {}),
        ({"cqid": 4}, Status.CQ_INVALID, "deleted", {
            "before": (*CQ, CREATE_CQ(qid=4), DELETE_CQ(qid=4)),
        }),
    ]
]  # fmt: skip

DELETE_ROWS = [
    *(
        Row(command, wrong, Status.INVALID_QID, f"Base 2.0 {clause}", before=before)
        for command, clause, before in (
            (DELETE_SQ, "§5.7", (*CQ, CREATE_SQ())),
            (DELETE_CQ, "§5.6", CQ),
        )
        for wrong in ({"qid": 0}, {"qid": 3}, {"qid": 17}, {"qid": 0xFFFF})
    ),
    Row(
        DELETE_SQ,
        {"qid": 2},
        Status.INVALID_QID,
        "Base 2.0 §5.7: deleted before",
        before=(*CQ, CREATE_SQ(), DELETE_SQ()),
        mend=(CREATE_SQ(),),
        note="again",
    ),
    Row(
        DELETE_CQ,
        {"qid": 2},
        Status.INVALID_QUEUE_DELETION,
        "Base 2.0 §5.6: its SQ has to be deleted first",
        before=(*CQ, CREATE_SQ()),
        mend=(DELETE_SQ(),),
        note="before its SQ",
    ),
    Row(
        DELETE_CQ,
        {"qid": 2},
        Status.INVALID_QUEUE_DELETION,
        "Base 2.0 §5.6: one of its two SQs is left",
        before=(*CQ, CREATE_SQ(), CREATE_SQ(qid=3), DELETE_SQ()),
        mend=(DELETE_SQ(qid=3),),
        note="before its second SQ",
    ),
]

ROWS = [*CQ_ROWS, *SQ_ROWS, *DELETE_ROWS]
