"""Asynchronous events, as scripts of each generation handle them."""

import pytest

import nvme as d

TOO_HOT = 0x20101  # SMART / health, temperature threshold, log page 2


@pytest.fixture
def trigger(nvme0):
    """trigger(): one event; its AER completes within."""
    smart = d.Buffer(512)
    nvme0.setfeatures(0x0B, cdw11=0xFF).waitdone()

    def cause(expected=0):
        nvme0.setfeatures(4, cdw11=1).waitdone()
        nvme0.waitdone(expected)
        nvme0.setfeatures(4, cdw11=400).waitdone()
        nvme0.getlogpage(2, smart).waitdone()  # lets the next one out

    return cause


def bring_up(nvme0, aers):
    """An initialisation of a script's own, which sends its own AERs."""
    nvme0[0x14] = 0
    while nvme0[0x1C] & 1:
        pass
    nvme0.init_adminq()
    nvme0[0x14] = 0x00460001
    while not nvme0[0x1C] & 1:
        pass
    nvme0.init_ns()
    nvme0.init_queues(nvme0.setfeatures(7, cdw11=0x00030003).waitdone())
    for _ in range(aers):
        nvme0.aer()


def test_fixture(nvme0, aer, trigger):
    """The older generation: a callback for all events."""
    seen = []
    aer(lambda cdw0, status1: seen.append((cdw0, status1 >> 1)))
    for count in (1, 2, 3, 4, 5, 6):  # more than there are AERs: each is sent again
        with pytest.warns(UserWarning, match="AER notification is triggered: 0x20101"):
            trigger()
        assert seen == [(TOO_HOT, 0)] * count
    aer(None)
    with pytest.warns(UserWarning, match="AER notification"):
        trigger()
    assert len(seen) == 6


def test_method(nvme0, trigger, warned):
    """The newer generation: the callback is an argument of the command."""
    seen = []
    assert nvme0.aer(cb=lambda cpl: seen.append(cpl[0])) is nvme0
    nvme0.waitdone(0)
    assert warned() == []  # it takes over one of the driver's, none too many was sent
    trigger()
    assert seen == [TOO_HOT]
    assert warned() == [f"AER notification is triggered: {TOO_HOT:#x}"]
    nvme0.aer(cb=None)
    trigger()
    assert seen == [TOO_HOT]
    assert warned() == [f"AER notification is triggered: {TOO_HOT:#x}"]


def test_events_come_on_top_of_what_is_expected(nvme0, trigger, warned):
    order = []
    nvme0.aer(cb=lambda cdw0, status1: order.append("event"))
    nvme0.setfeatures(4, cdw11=1, cb=lambda cdw0, status1: order.append("set"))
    nvme0.getfeatures(7, cb=lambda cdw0, status1: order.append("get"))
    assert nvme0.waitdone(2) == nvme0.getfeatures(7).waitdone()
    nvme0.waitdone(0)
    assert sorted(order) == ["event", "get", "set"]
    with pytest.raises(TimeoutError):
        nvme0.waitdone()


def test_one_more_than_the_controller_takes(nvme0, warned):
    """The driver armed all of them: the device refuses the next one, by name."""
    assert nvme0.id_data(259) == 3  # AERL, 0-based
    nvme0.aer().waitdone()
    assert warned() == ["ERROR status: 01/05"]
    status = []
    nvme0.send_cmd(0x0C, cb=lambda cdw0, status1: status.append(status1 >> 1 & 0x7FF)).waitdone()
    assert warned() == ["ERROR status: 01/05"]
    assert status == [0x105]


def test_callbacks_beyond_what_the_driver_armed_reach_the_device(nvme0, warned):
    status = []
    for _ in range(4):
        nvme0.aer(cb=lambda cpl: status.append(cpl[3] >> 17 & 0x7FF))
    with pytest.raises(TimeoutError):
        nvme0.waitdone()
    nvme0.aer(cb=lambda cpl: status.append(cpl[3] >> 17 & 0x7FF)).waitdone()
    assert status == [0x105]
    assert warned() == ["ERROR status: 01/05"]


def test_script_that_sends_its_own(pcie, warned):
    nvme0 = d.Controller(pcie, nvme_init_func=lambda controller: bring_up(controller, 3))
    seen = []
    nvme0.aer(cb=lambda cdw0, status1: seen.append(cdw0))  # the fourth
    nvme0.waitdone(0)
    assert warned() == []
    nvme0.aer().waitdone()  # the fifth
    assert warned() == ["ERROR status: 01/05"]
    nvme0.setfeatures(0x0B, cdw11=0xFF).waitdone()
    nvme0.setfeatures(4, cdw11=1).waitdone()
    nvme0.waitdone(0)
    assert seen == [TOO_HOT]
    assert warned() == [f"AER notification is triggered: {TOO_HOT:#x}"]
    nvme0.reset()  # the same initialisation again
    nvme0.aer(cb=None)
    nvme0.waitdone(0)
    assert warned() == []
    nvme0.aer().waitdone()
    assert warned() == ["ERROR status: 01/05"]


def test_abort_of_an_own_one(pcie, warned):
    """It counts and calls back; those of the driver come on top, as always."""
    nvme0 = d.Controller(pcie, nvme_init_func=lambda controller: bring_up(controller, 0))
    status = []
    nvme0.aer(cb=lambda cdw0, status1: status.append(status1 >> 1 & 0x7FF))
    cid = nvme0.latest_cid
    nvme0.abort(cid, cb=lambda cdw0, status1: status.append(cdw0 & 1)).waitdone(2)
    assert sorted(status) == [0, 0x007]
    assert warned() == ["ERROR status: 00/07"]
    nvme0.aer()
    nvme0.waitdone(0)
    assert warned() == []


def test_errors_in_callbacks_of_events_are_warnings(nvme0, trigger, warned):
    def fails(cdw0, status1):
        assert cdw0 == 0, "an event nobody wanted"

    nvme0.aer(cb=fails)
    trigger()
    assert warned()[0] == f"AER notification is triggered: {TOO_HOT:#x}"
    trigger()
    assert warned()[1].startswith("ASSERT: an event nobody wanted")


def test_waiting_for_an_event_alone_is_a_timeout(nvme0):
    with pytest.raises(TimeoutError, match="nothing is outstanding"):
        nvme0.waitdone()
