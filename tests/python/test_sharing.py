"""One device in the hands of several objects, as when two scripts use it in one process."""

import gc

import pytest

import nvme as d


@pytest.fixture
def io(nvme0n1):
    buf = d.Buffer(512)

    def run(qpair):
        return nvme0n1.read(qpair, buf, 0).waitdone()

    return run


@pytest.mark.parametrize("how", ["bytes", "str", "long", "ssd", "pcie", "pcie of it"])
def test_a_second_controller_shares_the_first_ones(ssd, pcie, nvme0, nvme0n1, qpair, io, how):
    """It is neither refused nor does it reset the device under the first one."""
    short = ssd.addr.removeprefix("0000:")
    given = {
        "bytes": short.encode(),
        "str": short,
        "long": ssd.addr,
        "ssd": ssd,
        "pcie": pcie,
        "pcie of it": d.Pcie(nvme0),
    }[how]
    nvme0.setfeatures(4, cdw11=350).waitdone()
    again = d.Controller(given)
    assert again.addr == nvme0.addr == ssd.addr
    assert again.getfeatures(4).waitdone() & 0xFFFF == 350
    assert io(qpair) == 0
    other = d.Qpair(again, 8)
    assert other.sqid != qpair.sqid
    assert io(other) == 0  # the Namespace of one, the Qpair of the other: it is one controller
    assert d.Namespace(again).capacity == nvme0n1.capacity
    again.close()
    with pytest.raises(AssertionError, match="is closed"):
        again[0]
    with pytest.raises(AssertionError, match="is deleted"):
        other.waitdone()
    assert nvme0[0x1C] & 1 == 1
    assert io(qpair) == 0
    assert pcie.register(9, 3) == 0x010802


def test_the_first_may_go_first(ssd):
    first = d.Controller(ssd)
    lost = d.Qpair(first, 8)
    second = d.Controller(ssd)
    kept = d.Qpair(second, 8)
    first.close()
    first.close()
    with pytest.raises(AssertionError, match="is deleted"):
        lost.waitdone()
    nvme0n1 = d.Namespace(second)
    assert nvme0n1.read(kept, d.Buffer(512), 0).waitdone() == 0
    assert d.Qpair(second, 8).sqid == 1  # lost's is free
    second.close()
    pcie = d.Pcie(ssd)
    assert d.Controller(pcie, nvme_init_func=True)[0x14] & 1 == 0  # the last one shut it down
    pcie.close()


def test_a_namespace_and_its_worker_end_with_their_controller_object(ssd):
    first, second = d.Controller(ssd), d.Controller(ssd)
    mine = d.Namespace(first).ioworker(time=60).start()
    yours = d.Namespace(second).ioworker(io_count=1000).start()
    first.close()
    assert not mine.running
    with pytest.warns(UserWarning, match="sudden terminated"):
        assert mine.close().error == -7
    assert yours.close().error == 0
    second.close()


def test_dropped_objects_close_nothing_of_others(ssd):
    first = d.Controller(ssd)
    qpair = d.Qpair(first, 8)
    second = d.Controller(ssd)
    del second
    gc.collect()
    assert first[0x1C] & 1 == 1
    assert d.Namespace(first).read(qpair, d.Buffer(512), 0).waitdone() == 0
    first.close()


def test_closing_a_controller_leaves_its_pcie_open(pcie):
    nvme0 = d.Controller(pcie)
    nvme0.close()
    assert pcie.register(9, 3) == 0x010802
    again = d.Controller(pcie)
    assert again.id_data(1, 0) == pcie.register(0, 2)
    again.close()


def test_closing_a_pcie_closes_what_was_made_on_it_only(ssd, nvme0):
    mine = d.Pcie(ssd)
    on_mine = d.Controller(mine)
    mine.close()
    for call in (lambda: mine[0], lambda: on_mine[0], lambda: d.Controller(mine)):
        with pytest.raises(AssertionError, match="is closed"):
            call()
    assert nvme0[0x1C] & 1 == 1
    assert nvme0.getfeatures(7).waitdone() != 0


def test_two_of_sim_are_one():
    first = d.Controller("sim:serial=SHARED,latency=0")
    second = d.Controller("sim:serial=SHARED,latency=0")
    first.setfeatures(4, cdw11=333).waitdone()
    assert second.getfeatures(4).waitdone() & 0xFFFF == 333
    first.close()
    second.close()


def test_an_init_function_is_called_on_a_shared_one_too(pcie, nvme0, qpair):
    """Who asks for an initialisation gets it; the queues are gone, as after any reset."""
    called = []

    def init(controller):
        called.append(controller)
        controller[0x14] = 0
        while controller[0x1C] & 1:
            pass
        controller.init_adminq()
        controller[0x14] = 0x00460001
        while not controller[0x1C] & 1:
            pass
        controller.init_ns()
        controller.init_queues(controller.setfeatures(7, cdw11=0x00020002).waitdone())

    again = d.Controller(pcie, nvme_init_func=init)
    assert called == [again]
    with pytest.raises(AssertionError, match="not usable"):
        d.Namespace(nvme0).read(qpair, d.Buffer(512), 0)
    assert nvme0.getfeatures(7).waitdone() == 0x00020002
    assert again[0x1C] & 1 == 1


def test_a_reset_by_one_is_seen_by_the_other(nvme0, ssd):
    second = d.Controller(ssd)
    qpair = d.Qpair(second, 8)
    nvme0.reset()
    with pytest.raises(AssertionError, match="not usable"):
        d.Namespace(second).read(qpair, d.Buffer(512), 0)
    assert d.Namespace(second).read(d.Qpair(second, 8), d.Buffer(512), 0).waitdone() == 0
    second.close()


def test_a_controller_that_is_down_is_brought_up(pcie, nvme0):
    pcie.reset()
    again = d.Controller(pcie)
    assert again[0x1C] & 1 == 1
    assert nvme0.getfeatures(7).waitdone() != 0


def test_events_reach_every_listener(nvme0, ssd):
    second = d.Controller(ssd)
    seen = []
    nvme0.aer(cb=lambda cdw0, status1: seen.append(("first", cdw0)))
    second.aer(cb=lambda cpl: seen.append(("second", cpl[0])))
    with pytest.warns(UserWarning, match="AER notification is triggered: 0x20101"):
        trigger(nvme0)
    assert seen == [("first", 0x20101), ("second", 0x20101)]
    second.close()
    seen.clear()
    with pytest.warns(UserWarning, match="AER notification is triggered"):
        trigger(nvme0)
    assert [name for name, _ in seen] == ["first"]


def trigger(nvme0):
    """A temperature threshold below the temperature, then back; the log lets the next event out."""
    nvme0.setfeatures(0x0B, cdw11=0xFF).waitdone()
    nvme0.setfeatures(4, cdw11=1).waitdone()
    nvme0.waitdone(0)
    nvme0.setfeatures(4, cdw11=400).waitdone()
    nvme0.getlogpage(2, d.Buffer(512)).waitdone()


# --- devices that come and go ---------------------------------------------------------------------


def test_a_device_that_was_pulled_and_plugged_is_opened_anew(ssd):
    old = d.Controller(ssd)
    old.timeout = 200
    ssd.unplug()
    ssd.plug()
    new = d.Controller(ssd)
    with pytest.raises(SystemError, match="gone"):
        old[0x1C]
    qpair = d.Qpair(new, 8)
    old.close()  # it does not pull the device from under the new one
    assert d.Namespace(new).read(qpair, d.Buffer(512), 0).waitdone() == 0
    new.close()


def test_another_device_in_the_slot_is_not_taken_for_the_first():
    first = d.Ssd("77:00.0", capacity="1GiB", latency=0, model="first")
    old = d.Controller(b"77:00.0")
    old.timeout = 200
    first.unplug()
    second = d.Ssd("77:00.0", capacity="1GiB", latency=0, model="second")
    new = d.Controller(b"77:00.0")
    assert new.id_data(63, 24, str).strip() == "second"
    old.close()
    assert new.id_data(63, 24, str).strip() == "second"
    new.close()
    second.unplug()
    first.plug()
    again = d.Controller("0000:77:00.0")
    assert again.id_data(63, 24, str).strip() == "first"
    again.close()
    first.unplug()


def test_names_of_an_address_are_one_everywhere():
    ssd = d.Ssd("78:00.0", capacity="1GiB", latency=0)
    nvme0 = d.Controller(b"78:00.0")
    assert ssd.addr == nvme0.addr == d.Pcie(nvme0).addr == "0000:78:00.0"
    nvme0.close()
