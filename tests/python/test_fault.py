"""Ssd.fault(): arguments, handles, and data that are wrong, found by the verification."""

import gc

import pytest

import nvme as d

LBAS = 64


@pytest.fixture
def ssd():
    device = d.Ssd(capacity="64MiB", latency=0, namespaces=2)
    yield device
    device.unplug()


@pytest.fixture
def nvme0(ssd):
    nvme0 = d.Controller(ssd)
    yield nvme0
    nvme0.close()


@pytest.fixture
def n1(nvme0):
    n1 = d.Namespace(nvme0)
    n1.verify_enable()
    return n1


@pytest.fixture
def qpair(nvme0):
    return d.Qpair(nvme0, 16)


def fill(n1, qpair):
    buf = d.Buffer(LBAS * 512)
    n1.write(qpair, buf, 0, LBAS).waitdone()


def mismatches(n1, qpair, warned, lba_count=8):
    """The first wrong LBA of each read that was reported."""
    warned()
    buf = d.Buffer(lba_count * 512)
    for lba in range(0, LBAS, lba_count):
        n1.read(qpair, buf, lba, lba_count).waitdone()
    texts = warned()
    assert all(text.startswith("ERROR status: 07/81: LBA ") for text in texts), texts
    return [int(text.split()[4].rstrip(":"), 16) for text in texts]


@pytest.mark.parametrize(
    ("match", "action", "wrong"),
    [
        ({"opcode": 2, "lba": 11, "count": 1}, "flip", [11]),
        ({"opcode": 2, "lba": range(10, 12), "count": 1}, "zeroes", [10]),
        ("read,lba=8,count=1", "misdirect", [8]),
        ("read,lba=8,count=1", {"kind": "misdirect", "to": "-8"}, [8]),
        ({"opcode": ["read", "compare"], "lba": 8, "nth": 1}, {"kind": "drop"}, [8]),
    ],
)
def test_reads_that_return_something_else(ssd, n1, qpair, warned, match, action, wrong):
    fill(n1, qpair)
    fault = ssd.fault(match, action)
    assert mismatches(n1, qpair, warned) == wrong
    assert (fault.matched, fault.fired, fault.armed) == (1, 1, False)
    assert fault.commands[0].lba == wrong[0]
    assert mismatches(n1, qpair, warned) == []


@pytest.mark.parametrize(
    ("match", "action", "wrong"),
    [
        ("lba=11", "flip:where=write", [11]),
        ("write,lba=11", "flip:bits=4096,where=media", [11]),
        ("write,lba=11", "zeroes", [11]),
        ("lba=8", "drop", [8]),
        # Neither what was to be written is there, nor what was where it went.
        ("lba=8", "misdirect", [8, 16]),
        ("lba=8", "misdirect:to=40", [8, 40]),
        ("write,lba=8", "other_namespace", [8]),
        ("lba=8", "tear", [12]),
        ("lba=8", "tear:first=7", [15]),
        ("lba=8", "tear:last=7", [8]),
        ("lba=8", "tear:first_bytes=100", [8]),
        ("lba=8", {"kind": "tear", "last_bytes": 100}, [8]),
    ],
)
def test_writes_that_store_something_else(ssd, n1, qpair, warned, match, action, wrong):
    fill(n1, qpair)
    buf = d.Buffer(4096)
    with ssd.fault(match, action) as fault:
        n1.write(qpair, buf, 8, 8).waitdone()
    assert fault.fired == 1
    assert fault.commands[0].lba == wrong[0]
    assert mismatches(n1, qpair, warned) == wrong


def test_stale_data(ssd, n1, qpair, warned):
    fill(n1, qpair)
    fault = ssd.fault({"lba": 19}, "stale")
    assert mismatches(n1, qpair, warned) == []
    fill(n1, qpair)
    assert mismatches(n1, qpair, warned) == [19]
    fault.clear()
    assert mismatches(n1, qpair, warned) == []


def test_the_handle_tells_which_command(ssd, n1, qpair):
    fault = ssd.fault({"opcode": 1, "lba": 10}, "tear")
    n1.write(qpair, d.Buffer(4096), 8, 8).waitdone()
    (hit,) = fault.commands
    assert (hit.qid, hit.cid, hit.opcode) == (qpair.sqid, qpair.latest_cid, 1)
    assert (hit.command, hit.nsid, hit.slba, hit.nlb, hit.lba) == ("Write", 1, 8, 8, 12)
    assert (hit.match, hit.to_lba, hit.to_nsid) == (1, None, None)
    assert hit.text == "bytes 0 to 2048 of LBAs 8 to 15 stored"
    assert hit.time_us > 0


def test_listing_and_clearing(ssd):
    one = ssd.fault("write,seed=1", "drop")
    two = ssd.fault(None, "flip")
    assert [fault.id for fault in ssd.faults()] == [one.id, two.id]
    assert repr(one) == "<Fault 1: drop at write,seed=1; matched 0, fired 0>"
    one.clear()
    one.clear()
    assert [fault.id for fault in ssd.faults()] == [two.id]
    assert not one.armed
    assert two.armed
    assert repr(one).endswith("fired 0, over>")
    ssd.clear_faults()
    assert ssd.faults() == []
    assert not two.armed


def test_the_handle_keeps_the_ssd(n1):
    ssd = d.Ssd(capacity="1MiB")
    fault = ssd.fault("write", "drop")
    del ssd
    gc.collect()
    assert fault.armed


def test_the_seed_comes_from_srand(ssd, n1, qpair):
    def bits():
        with ssd.fault("read,lba=0", "flip:bits=3") as fault:
            n1.verify_enable(False)
            n1.read(qpair, d.Buffer(512), 0).waitdone()
        return fault.commands[0].text

    fill(n1, qpair)
    d.srand(5)
    first = bits()
    assert bits() != first
    d.srand(5)
    assert bits() == first


def test_faults_outlast_a_reset_and_the_power(ssd, nvme0, n1, qpair, warned):
    fault = ssd.fault("write,after=1", "drop")
    n1.write(qpair, d.Buffer(512), 0).waitdone()
    nvme0.reset()
    d.Subsystem(nvme0).power_cycle(0)
    nvme0.reset()
    n1.write(d.Qpair(nvme0, 16), d.Buffer(512), 0).waitdone()
    assert (fault.matched, fault.fired) == (2, 1)


def test_ioworkers_find_it(ssd, nvme0, n1):
    n1.ioworker(lba_random=False, read_percentage=0, region_end=4000).start().close()
    fault = ssd.fault("read,nth=1000", "flip")
    with pytest.warns(UserWarning, match="ERROR status: 07/81"):
        result = n1.ioworker(io_size=1, region_end=4000, io_count=5000).start().close()
    assert fault.fired == 1
    assert result.error != 0


@pytest.mark.parametrize(
    ("match", "action", "text"),
    [
        ({"opcode": "reed"}, "drop", "match: opcode=reed: give a number"),
        ({"colour": 1}, "drop", '"colour" is no key of a match; the keys are opcode, queue'),
        ({"opcode": 256}, "drop", "match: opcode=256: give a number from 0 to 255"),
        ({"lba": -1}, "drop", "match: lba=-1: give an LBA, or the first and the last"),
        ({"lba": range(5, 5)}, "drop", "must be a range of step 1, not empty"),
        ({"lba": range(0, 9, 2)}, "drop", "must be a range of step 1, not empty"),
        ({"lba": None, "chance": 1.5}, "drop", "chance=1.5: give a probability"),
        ({"count": 1.5}, "drop", "match: count=1.5: give a whole number from 0"),
        ({"nth": 1, "count": 1}, "drop", "match: nth is after and count in one"),
        ({"opcode": "a,b"}, "drop", "must be a number, a name, a range or a list"),
        ({"opcode": []}, "drop", "must be a number, a name, a range or a list"),
        ({1: 2}, "drop", "match: the key 1 must be a str"),
        (7, "drop", "match must be a dict or a str, not int"),
        ("write", "", "action: give one, such as flip:bits=2"),
        ("write", None, "action: give one, such as flip:bits=2"),
        ("write", "explode", 'action: "explode" is no action; the actions are flip'),
        ("write", {"bits": 2}, 'action: give its name as "kind"'),
        ("write", {"kind": "flip", "bits": 0}, "action: bits=0: give a whole number from 1 to"),
        ("write", {"kind": "drop", "bits": 1}, '"bits" is no key of drop; it has none'),
        ("flush", "flip", "acts on Read and Write commands only"),
    ],
)
def test_wrong_arguments_say_what_is_possible(ssd, match, action, text):
    with pytest.raises(d.ArgumentError) as error:
        ssd.fault(match, action)
    assert text in str(error.value)
    assert ssd.faults() == []
