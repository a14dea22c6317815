"""Asynchronous events of the embedded SSD: what raises them, what holds them back."""

import pytest

import nvme as d

EVENT_CONFIG, TEMPERATURE = 0x0B, 4
INVALID_DOORBELL, INVALID_VALUE, TOO_HOT = 0x010000, 0x010100, 0x020101
NAMESPACE_CHANGED = 0x040002
ERROR_LOG, SMART_LOG, CHANGED_NAMESPACES = 1, 2, 4
LONGEST = 0xFFFF  # Kelvin: never reached

pytestmark = pytest.mark.filterwarnings("ignore:AER notification")


class Listener:
    def __init__(self, nvme0):
        self.nvme0 = nvme0
        self.events = []
        self.pcie = d.Pcie(nvme0)
        nvme0.aer(cb=lambda cdw0, status1: self.events.append(cdw0))

    def heard(self):
        self.nvme0.getfeatures(7).waitdone()
        self.nvme0.waitdone(0)
        events, self.events = self.events, []
        return events

    def doorbell(self, index, value):
        self.pcie.mem_dword_write(0x1000 + 4 * index, value)

    def threshold(self, kelvin, under=False, sensor=0):
        cdw11 = kelvin | under << 20 | sensor << 16
        self.nvme0.setfeatures(TEMPERATURE, cdw11=cdw11).waitdone()

    def read_log(self, lid, retain=False):
        buf = d.Buffer(512)
        self.nvme0.send_cmd(
            2, buf, nsid=0xFFFFFFFF, cdw10=127 << 16 | retain << 15 | lid
        ).waitdone()
        return buf


@pytest.fixture(params=[0, 1], ids=["latency 0", "latency 1"])
def dut(connect, request):
    return Listener(connect(latency=request.param))


def test_doorbell_of_no_queue(dut):
    dut.doorbell(2 * 5, 1)
    assert dut.heard() == [INVALID_DOORBELL]
    entry = dut.read_log(ERROR_LOG)
    assert entry.data(7, 0) == 1
    assert entry.data(9, 8) == 0xFFFF, "no queue"
    assert entry.data(11, 10) == 0xFFFF, "no command"


def test_doorbell_out_of_range(dut):
    qpair = d.Qpair(dut.nvme0, 8)
    dut.doorbell(2 * qpair.sqid, 8)
    assert dut.heard() == [INVALID_VALUE]
    d.Namespace(dut.nvme0).flush(qpair).waitdone()  # the queue goes on


def test_masked_until_its_log_is_read(dut):
    for expected in ([INVALID_DOORBELL], [], []):
        dut.doorbell(10, 1)
        assert dut.heard() == expected
    dut.read_log(ERROR_LOG, retain=True)
    dut.doorbell(10, 1)
    assert dut.heard() == [], "RAE: still masked"
    dut.threshold(280)
    assert dut.heard() == [TOO_HOT], "another type is not masked"
    dut.read_log(ERROR_LOG)
    dut.doorbell(10, 1)
    assert dut.heard() == [INVALID_DOORBELL]


def test_temperature(dut):
    dut.threshold(280)
    assert dut.heard() == [TOO_HOT]
    assert dut.read_log(SMART_LOG)[0] & 2
    assert dut.heard() == [], "told once"
    dut.threshold(LONGEST)
    assert dut.read_log(SMART_LOG)[0] == 0
    dut.threshold(400, under=True)
    assert dut.heard() == [TOO_HOT]
    dut.threshold(0, under=True)
    dut.read_log(SMART_LOG)
    dut.threshold(280, sensor=2)
    assert dut.heard() == [TOO_HOT]


def test_events_that_are_not_wanted(dut):
    dut.nvme0.setfeatures(EVENT_CONFIG, cdw11=0).waitdone()
    dut.threshold(280)
    assert dut.heard() == []
    assert dut.read_log(SMART_LOG)[0] & 2, "the log says it all the same"
    dut.doorbell(10, 1)
    assert dut.heard() == [INVALID_DOORBELL], "errors are always told"


def test_namespace_attribute_notice(dut):
    d.Namespace(dut.nvme0).format(4096)
    assert dut.heard() == [], "off by default"
    dut.nvme0.setfeatures(EVENT_CONFIG, cdw11=1 << 8).waitdone()
    d.Namespace(dut.nvme0).format(512)
    assert dut.heard() == [NAMESPACE_CHANGED]
    changed = dut.read_log(CHANGED_NAMESPACES)
    assert changed.data(3, 0) == 1
    assert dut.read_log(CHANGED_NAMESPACES).data(3, 0) == 0, "read and gone"


def test_events_wait_for_a_request(connect):
    """More events than requests: the rest comes with the next requests, one for each."""
    nvme0 = connect(aerl=0)
    dut = Listener(nvme0)
    dut.nvme0.setfeatures(EVENT_CONFIG, cdw11=0x1FF).waitdone()
    dut.doorbell(10, 1)
    dut.threshold(280)
    d.Namespace(nvme0).format(4096)
    assert sorted(dut.heard() + dut.heard()) == sorted(
        [INVALID_DOORBELL, TOO_HOT, NAMESPACE_CHANGED]
    )


def test_subsystem_shutdown_is_told_immediately(connect):
    nvme0 = connect(version="2.0")
    dut = Listener(nvme0)
    dut.nvme0.setfeatures(EVENT_CONFIG, cdw11=1 << 15).waitdone()
    nvme0[0x64] = 0x4E726D6C  # NSSD: "Nrml"
    nvme0.waitdone(0)
    assert dut.events == [0x000003]
    assert nvme0[0x1C] >> 2 & 0x13 == 0x12  # CSTS: shut down, and of the subsystem
    d.Subsystem(nvme0).reset()
    nvme0.reset()
    assert dut.heard() == [0x000003], "and nothing more"


def test_a_reset_forgets_them(dut):
    dut.doorbell(10, 1)
    dut.nvme0.reset()
    assert dut.heard() == []
    dut.doorbell(10, 1)
    assert dut.heard() == [INVALID_DOORBELL], "not masked any more"
