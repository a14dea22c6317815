"""What a script gets for its mistakes: an error that says what was wrong, at once, and no harm."""

import subprocess
import sys
import time

import pytest

import nvme as d

FORMS = (
    'Possible are: "sim" or "sim:key=value,..." (embedded SSD), "01:00.0" or "0000:01:00.0" '
    '(PCIe function), "10.0.0.1", "10.0.0.1:4420" or "[::1]:4420" (NVMe/TCP), "unix:/path" '
    "(vfio-user socket)"
)
SIM_KEYS = (
    "capacity, lba, queues, mqes, mdts, namespaces, cache, latency, seed, file, model, serial, "
    "firmware, elpe, aerl, acl, version, ready_ms, timeout, dstrd, "
    "interrupts, lbaformats, nssizes, nsformats, powerstates, trace"
)


def text_of(caught):
    return str(caught.value)


# --- naming a device ------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["--pciaddr", "--dut"])
def test_wrong_pciaddr_names_the_forms(tmp_path, option):
    script = tmp_path / "test_script.py"
    script.write_text("def test_it(nvme0):\n    raise SystemError('not reached')\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", option, "sda", str(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert f'"sda" is not a device name: it has none of the known forms. {FORMS}' in (done.stderr)
    assert "not reached" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("sda", "it has none of the known forms"),
        (b"/", None),
        ("nvme0", "it has none of the known forms"),
        ("simulator", "it has none of the known forms"),
        ("300.1.1.1", "it has none of the known forms"),
        ("01:00.8", "a PCI address is [domain:]bus:device.function in hexadecimal"),
        ("01:20.0", "device up to 1f, function up to 7"),
        ("1.2.3.4:0", "a port is 1 to 65535"),
        ("1.2.3.4:65536", "a port is 1 to 65535"),
        ("[::1", "between [ and ] belongs an IPv6 address"),
        ("1.2.3.4;subsystem", "after the semicolon comes nqn=<subsystem>"),
        ("unix:", "unix: needs a path"),
    ],
)
@pytest.mark.parametrize("opener", [d.Pcie, d.Controller])
def test_wrong_address(opener, address, why):
    with pytest.raises(d.NvmeEnumerateError) as caught:
        opener(address)
    if why is None:  # a good name, of a kind that cannot be opened
        assert text_of(caught).startswith("cannot open unix:/: ")
        return
    assert isinstance(caught.value, AssertionError)
    assert f'"{address}" is not a device name: ' in text_of(caught)
    assert why in text_of(caught)
    assert FORMS in text_of(caught)


@pytest.mark.parametrize("address", [5, None, 1.5, ["sim"]])
@pytest.mark.parametrize("opener", [d.Pcie, d.Controller])
def test_address_of_wrong_type(opener, address):
    with pytest.raises(AssertionError, match="names no device: give an address such as 'sim'"):
        opener(address)


def test_nothing_at_the_address():
    with pytest.raises(d.NvmeEnumerateError, match=r"there is no device at 0000:7f:1f\.7"):
        d.Controller("7f:1f.7")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ("speed=9", f'"speed" is no key of an embedded SSD; the keys are {SIM_KEYS}'),
        ("Capacity=1GiB", '"Capacity" is no key of an embedded SSD'),
        ("latency", "latency=: this is not possible; give a value: key=value,key=value"),
        ("lba=512,lba=512", "lba=512: this is not possible; give each key only once"),
        ("lba=520", "lba=520: this is not possible; give 512 or 4096"),
        ("capacity=12", "capacity=12: this is not possible; give 1MiB to 8TiB"),
        ("capacity=lots", "capacity=lots: this is not possible"),
        ("mqes=0", "mqes=0: this is not possible; give a whole number from 1 to 65535"),
        ("queues=4.5", "queues=4.5: this is not possible; give a whole number from 1 to 1024"),
        ("mdts=5KiB", "mdts=5KiB: this is not possible; give 0 (no limit) or a power of two"),
        ("latency=-1", "latency=-1: this is not possible; give a factor from 0"),
        ("version=3.0", "version=3.0: this is not possible; give 1.4 or 2.0"),
        ("serial=123456789012345678901", "give 1 to 20 printable ASCII characters"),
    ],
)
def test_wrong_sim_options(options, text):
    for opener in (d.Pcie, d.Controller):
        with pytest.raises(AssertionError) as caught:
            opener(f"sim:{options}")
        assert text in text_of(caught)


def test_wrong_ssd_options():
    with pytest.raises(AssertionError, match=f"the keys are {SIM_KEYS}"):
        d.Ssd(speed=9)
    with pytest.raises(AssertionError, match="capacity=12: this is not possible"):
        d.Ssd(capacity=12)
    with pytest.raises(AssertionError, match="model = 'a,b' must not hold a comma"):
        d.Ssd(model="a,b")
    with pytest.raises(AssertionError, match='"99" is not a device name'):
        d.Ssd("99")


def test_capacity_as_vendors_count(connect):
    """Drives are sold by the decimal gigabyte; what is no whole number of 4 KiB is not used."""
    nvme0 = connect(capacity="1GB", lba=4096)
    assert d.Namespace(nvme0).capacity == 10**9 // 4096


# --- a slot that is taken -------------------------------------------------------------------------


def test_ssd_at_an_address_that_is_taken(drive):
    with pytest.raises(d.NvmeEnumerateError, match="is taken: unplug what is there first"):
        d.Ssd(drive.addr)


# --- buffers, LBAs, regions -----------------------------------------------------------------------


def test_buffer_too_small(nvme0, nvme0n1, qpair):
    small = d.Buffer(512, "small one")
    wants = "transfers 1024 bytes, but the Buffer 'small one' has 512 from its offset on."
    for command in (nvme0n1.read, nvme0n1.write, nvme0n1.compare):
        with pytest.raises(AssertionError) as caught:
            command(qpair, small, 0, 2)
        assert wants in text_of(caught)
        assert "Nothing was sent" in text_of(caught)
    with pytest.raises(AssertionError, match="Dataset Management transfers 528 bytes"):
        nvme0n1.dsm(qpair, small, 33)
    shifted = d.Buffer(4096)
    shifted.offset = 3584
    with pytest.raises(AssertionError, match="has 512 from its offset on"):
        nvme0n1.read(qpair, shifted, 0, 2)
    shortened = d.Buffer(4096)
    shortened.size = 512
    with pytest.raises(AssertionError, match="has 512 from its offset on"):
        nvme0n1.read(qpair, shortened, 0, 2)
    with pytest.raises(AssertionError, match="Identify transfers 4096 bytes"):
        nvme0.identify(shifted)
    with pytest.raises(AssertionError, match="Get Log Page"):
        nvme0.getlogpage(2, small, 1024)
    with pytest.raises(AssertionError, match="Read needs a Buffer, not None"):
        nvme0n1.read(qpair, None, 0)
    with pytest.raises(TimeoutError):  # none of them was sent
        qpair.waitdone()
    with pytest.raises(TimeoutError):
        nvme0.waitdone()


@pytest.mark.parametrize("past", ["behind the end", "over the end", "far behind", "last address"])
def test_lba_past_the_end(nvme0n1, qpair, warned, past):
    capacity = nvme0n1.capacity
    lba, count = {
        "behind the end": (capacity, 1),
        "over the end": (capacity - 1, 2),
        "far behind": (1 << 40, 8),
        "last address": (2**64 - 1, 2),
    }[past]
    buf = d.Buffer(4096)
    status = []
    commands = [
        lambda cb: nvme0n1.read(qpair, buf, lba, count, cb=cb),
        lambda cb: nvme0n1.write(qpair, buf, lba, count, cb=cb),
        lambda cb: nvme0n1.compare(qpair, buf, lba, count, cb=cb),
        lambda cb: nvme0n1.write_zeroes(qpair, lba, count, cb=cb),
        lambda cb: nvme0n1.write_uncorrectable(qpair, lba, count, cb=cb),
        lambda cb: nvme0n1.verify(qpair, lba, count, cb=cb),
    ]
    for command in commands:
        command(None).waitdone()
        assert warned() == ["ERROR status: 00/80"]
        command(lambda cdw0, status1: status.append(status1)).waitdone()
        assert warned() == ["ERROR status: 00/80"]  # also with a callback
    # No retry helps: DNR; and the error log knows more: M (NVMe Base 2.0 §3.3.3.2.1).
    assert {value & ~1 for value in status} == {0x80 << 1 | 1 << 14 | 1 << 15}
    assert len(status) == len(commands)
    buf.set_dsm_range(0, lba, count)
    nvme0n1.dsm(qpair, buf, 1).waitdone()
    assert warned() == ["ERROR status: 00/80"]
    nvme0n1.read(qpair, buf, capacity - 1, 1).waitdone()
    assert warned() == []


def test_region_smaller_than_an_io(nvme0n1, system, nvme0):
    text = "ioworker: io_size 8 is larger than the region, which has 7 LBAs"
    with pytest.raises(AssertionError) as caught:
        nvme0n1.ioworker(io_size=8, region_start=1, region_end=8, io_count=1)
    assert text_of(caught) == text
    with pytest.raises(AssertionError) as caught:  # one size of several
        nvme0n1.ioworker(io_size=[1, 8], region_start=1, region_end=8, io_count=1)
    assert text_of(caught) == text
    with pytest.raises(AssertionError, match="no IO of 8 LBAs aligned to 16 fits between"):
        nvme0n1.ioworker(io_size=8, lba_align=16, region_start=1, region_end=20, io_count=1)
    with pytest.raises(AssertionError, match="region_start is 8, must be below region_end 8"):
        nvme0n1.ioworker(io_size=8, region_start=8, region_end=8, io_count=1)
    end = nvme0n1.capacity
    with pytest.raises(AssertionError, match=f"the namespace has only {end} LBAs"):
        nvme0n1.ioworker(io_size=8, region_start=end, io_count=1)
    with nvme0n1.ioworker(io_size=8, region_start=1, region_end=9, io_count=3) as exact:
        pass
    assert exact.close().io_count_read == 3
    system.assert_clean(nvme0)


def test_ioworker_arguments(nvme0n1, warned):
    for arguments, text in [
        ({"qdepth": 0, "io_count": 1}, "qdepth is 0, must be 1..1024"),
        ({"qdepth": 1025, "io_count": 1}, "qdepth is 1025, must be 1..1024"),
        ({"io_size": 0, "io_count": 1}, "io_size is 0, must be 1..65536"),
        ({"read_percentage": 101, "io_count": 1}, "read_percentage is 101, must be 0..100"),
        ({"op_percentage": {1: 50, 2: 49}, "io_count": 1}, "the sum of op_percentage is 99"),
        ({"distribution": [100] * 99, "io_count": 1}, "distribution has 99 values, must have 100"),
        ({"io_size": "8", "io_count": 1}, "io_size must be an integer, not str ('8')"),
        ({"qdepth": 2.5, "io_count": 1}, "qdepth must be an integer, not float (2.5)"),
        ({"time": "1"}, "time must be a number of seconds, not str"),
        ({"output_io_per_second": 1}, "output_io_per_second must be a list, not int"),
    ]:
        with pytest.raises(AssertionError) as caught:
            nvme0n1.ioworker(**arguments)
        assert text in text_of(caught)
    with pytest.raises(AssertionError, match="neither time nor io_count is given"):
        nvme0n1.ioworker(io_size=8).start()
    result = nvme0n1.ioworker(io_size=257, io_count=1).start().close()  # MDTS: 256 LBAs
    assert result.error == -2
    assert result.io_count_read == 0
    assert warned() == ["ioworker host ERROR -2: io_size is larger than MDTS"]
    worker = nvme0n1.ioworker(io_size=8, lba_start=nvme0n1.capacity - 4, lba_random=False)
    assert worker.close().error == 0  # never started


# --- queues ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [0, 1, 33, 1024, 1 << 20])
def test_queue_depth_out_of_range(connect, system, depth):
    nvme0 = connect(mqes=31)
    with pytest.raises(d.QpairCreationError) as caught:
        d.Qpair(nvme0, depth)
    assert isinstance(caught.value, AssertionError)
    assert text_of(caught) == (
        f"{nvme0.addr}: a queue can be 2 to 32 deep (CAP.MQES is 31), not {depth}"
    )
    assert d.Qpair(nvme0, 32).sqid == 1
    assert d.Qpair(nvme0, 2).sqid == 1
    system.assert_clean(nvme0)


def test_deepest_queue(nvme0):
    assert nvme0.cap & 0xFFFF == 1023
    with pytest.raises(AssertionError, match=r"2 to 1024 deep \(CAP\.MQES is 1023\), not 1025"):
        d.Qpair(nvme0, 1025)
    d.Qpair(nvme0, 1024)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"depth": -1}, "depth = -1 is not in"),
        ({"depth": "8"}, r"depth must be an integer, not str \('8'\)"),
        ({"depth": 8.0}, r"depth must be an integer, not float \(8\.0\)"),
        ({"depth": 8, "prio": 4}, r"prio = 4 is not in 0\.\.3"),
        ({"depth": 8, "iv": 65536}, r"iv = 65536 is not in 0\.\.65535"),
    ],
)
def test_wrong_qpair_arguments(nvme0, arguments, text):
    with pytest.raises(AssertionError, match=text) as caught:
        d.Qpair(nvme0, **arguments)
    assert isinstance(caught.value, d.QpairCreationError)


def test_interrupt_vector_the_device_has_not(nvme0, system):
    with pytest.raises(d.QpairCreationError, match=r"01/08"):  # Invalid Interrupt Vector
        d.Qpair(nvme0, 8, iv=1000)
    system.assert_clean(nvme0)  # its completion queue is not left behind


def test_more_queues_than_the_device_has(connect):
    nvme0 = connect(queues=3)
    qpairs = [d.Qpair(nvme0, 8) for _ in range(3)]
    text = (
        f"{nvme0.addr}: all 3 IO queue pairs that the device granted are in use; delete one first"
    )
    with pytest.raises(d.QpairCreationError) as caught:
        d.Qpair(nvme0, 8)
    assert text_of(caught) == text
    qpairs[1].delete()
    assert d.Qpair(nvme0, 8).sqid == 2


def test_ioworker_without_a_queue_left(connect, warned):
    nvme0 = connect(queues=1)
    nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 8)
    result = nvme0n1.ioworker(io_size=8, io_count=1).start().close()
    assert result.error == -1
    reason = f"{nvme0.addr}: all 1 IO queue pairs that the device granted are in use"
    assert warned() == [f"ioworker host ERROR -1: init fail: {reason}; delete one first"]
    qpair.delete()
    assert nvme0n1.ioworker(io_size=8, io_count=1).start().close().error == 0


@pytest.mark.parametrize("latency", [0, 1])
def test_one_command_more_than_a_queue_holds(connect, latency):
    nvme0 = connect(latency=latency)
    nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 8), d.Buffer(512)
    finished = []
    for turn in range(20):  # round and round the rings
        for i in range(7):
            nvme0n1.read(qpair, buf, i, cb=lambda cdw0, status1, i=i: finished.append((i, status1)))
        with pytest.raises(AssertionError) as caught:
            nvme0n1.read(qpair, buf, 7, cb=lambda cdw0, status1: finished.append("too many"))
        assert "is full: 7 commands" in text_of(caught)
        assert "one less than its depth; nothing was sent" in text_of(caught)
        if latency == 0:
            assert finished == []  # callbacks run inside waitdone() only
        qpair.waitdone(7)
        assert sorted(i for i, _ in finished) == list(range(7)), turn
        assert {status1 >> 1 for _, status1 in finished} == {0}
        finished.clear()
    with pytest.raises(TimeoutError):
        qpair.waitdone()


def test_one_admin_command_more_than_fits(nvme0):
    """Four of the queue's 255 commands are AERs."""
    features = []

    def sent(cdw0, status1):
        features.append(cdw0)

    for _ in range(251):
        nvme0.getfeatures(7, cb=sent)
    with pytest.raises(AssertionError, match="admin queue is full: 255 commands"):
        nvme0.getfeatures(7, cb=sent)
    nvme0.waitdone(251)
    assert features == [0x000F000F] * 251
    with pytest.raises(TimeoutError):
        nvme0.waitdone()


# --- types and keywords ---------------------------------------------------------------------------


def test_wrong_types(nvme0, nvme0n1, qpair):
    buf = d.Buffer(512)
    integers = [
        (lambda: nvme0n1.read(qpair, buf, "0"), "lba must be an integer, not str ('0')"),
        (lambda: nvme0n1.read(qpair, buf, 0.0), "lba must be an integer, not float (0.0)"),
        (lambda: nvme0n1.write(qpair, buf, 0, b"1"), "lba_count must be an integer, not bytes"),
        (lambda: nvme0n1.send_cmd("2", qpair), "opcode must be an integer, not str ('2')"),
        (lambda: nvme0.getfeatures("7"), "fid must be an integer, not str ('7')"),
        (lambda: nvme0.send_cmd(6, buf, nsid=[]), "nsid must be an integer, not list ([])"),
        (lambda: qpair.waitdone("1"), "expected must be an integer, not str ('1')"),
        (lambda: d.Buffer("512"), "size must be an integer, not str ('512')"),
        (lambda: d.Namespace(nvme0, "1"), "nsid must be an integer, not str ('1')"),
    ]
    for call, text in integers:
        with pytest.raises(AssertionError) as caught:
            call()
        assert text in text_of(caught)
        assert isinstance(caught.value, ValueError)
    for call in [
        lambda: nvme0n1.read(buf, qpair, 0),
        lambda: nvme0n1.read(qpair, bytearray(512), 0),
        lambda: nvme0n1.read(None, buf, 0),
        lambda: nvme0n1.read(qpair, buf, None),
        lambda: d.Qpair(nvme0n1, 8),
        lambda: d.Namespace("sim"),
        lambda: nvme0n1.read(qpair, buf),
    ]:
        with pytest.raises(AssertionError, match=r"(read|Qpair|Namespace)\(\): ") as caught:
            call()
        assert isinstance(caught.value, TypeError)
    with pytest.raises(TimeoutError):  # nothing was sent
        qpair.waitdone()
    with pytest.raises(TimeoutError):
        nvme0.waitdone()


def test_values_out_of_range(nvme0, nvme0n1, qpair):
    buf = d.Buffer(512)
    for call, text in [
        (lambda: nvme0n1.read(qpair, buf, -1), "lba = -1 is not in 0..18446744073709551615"),
        (lambda: nvme0n1.read(qpair, buf, 2**64), "is not in 0..18446744073709551615"),
        (lambda: nvme0n1.read(qpair, buf, 0, 0), "lba_count = 0 is not in 1..65536"),
        (lambda: nvme0n1.read(qpair, buf, 0, 65537), "lba_count = 65537 is not in 1..65536"),
        (lambda: nvme0n1.dsm(qpair, buf, 257), "range_count = 257 is not in 1..256"),
        (lambda: nvme0.getfeatures(256), "fid = 256 is not in 0..255"),
        (lambda: nvme0.send_cmd(6, cdw10=2**32), "cdw10 = 4294967296 is not in 0..4294967295"),
        (lambda: qpair.waitdone(-1), "expected = -1 is not in 0..65535"),
        (lambda: d.Namespace(nvme0, 0), "nsid = 0 is not in 1..4294967294"),
        (lambda: d.Buffer(0), "size = 0 is not in 1..4294967296"),
    ]:
        with pytest.raises(AssertionError) as caught:
            call()
        assert text in text_of(caught)


def test_namespace_that_is_not_there(nvme0):
    with pytest.raises(d.NamespaceCreationError) as caught:
        d.Namespace(nvme0, 2)
    assert text_of(caught) == (
        f"namespace 2 of {nvme0.addr} is not active: it does not exist, or is not attached to the "
        "controller. Active: 1."
    )
    with pytest.raises(d.NamespaceCreationError, match="failed with status 00/0b, Invalid Name"):
        d.Namespace(nvme0, 200)


def test_unknown_keyword(nvme0, nvme0n1, qpair):
    buf = d.Buffer(512)
    for call in [
        lambda: nvme0n1.read(qpair, buf, 0, lbacount=1),
        lambda: nvme0.getfeatures(7, cdw16=1),
        lambda: nvme0n1.ioworker(io_size=8, queue_depth=4, io_count=1),
        lambda: d.Qpair(nvme0, depth=8, priority=0),
        lambda: d.Buffer(size=512, fill=0),
        lambda: d.Controller("sim", init=None),
        lambda: d.Namespace(nvme0, namespace=1),
        lambda: d.Pcie("sim", 1),
    ]:
        with pytest.raises(TypeError, match=r"\w+\(\)"):
            call()
    with pytest.raises(TimeoutError):
        qpair.waitdone()


# --- waitdone() and callbacks ---------------------------------------------------------------------


def test_waitdone_for_more_than_was_sent(nvme0, nvme0n1, qpair):
    buf = d.Buffer(512)
    finished = []
    nvme0.timeout = 60_000
    for _ in range(3):
        nvme0n1.read(qpair, buf, 0, cb=lambda cdw0, status1: finished.append(status1 >> 1))
    began = time.monotonic()
    with pytest.raises(TimeoutError) as caught:
        qpair.waitdone(5)
    assert time.monotonic() - began < nvme0.timeout / 1000 / 2  # at once, not after a timeout
    assert text_of(caught) == (
        f"{nvme0.addr}: IO queue 1: waiting for 5 completions, but after 3 nothing is outstanding "
        "that could complete"
    )
    assert finished == [0, 0, 0]
    nvme0.getfeatures(7)
    with pytest.raises(TimeoutError, match="admin queue: waiting for 2 completions, but after 1 "):
        nvme0.waitdone(2)
    assert nvme0n1.read(qpair, buf, 0).waitdone() == 0


def test_waitdone_inside_a_callback(nvme0, nvme0n1, qpair, warned):
    buf = d.Buffer(512)
    caught = []

    def wait(cdw0, status1):
        for waiter in (qpair, nvme0):
            with pytest.raises(AssertionError) as error:
                waiter.waitdone()
            caught.append(text_of(error))

    nvme0n1.read(qpair, buf, 0, cb=wait).waitdone()
    nvme0.getfeatures(7, cb=wait).waitdone()
    assert len(caught) == 4
    assert {text.split(":")[0] for text in caught} == {"waitdone() was called inside a callback"}
    assert warned() == []
    # Not caught by the script, it is like any assertion in a callback.
    nvme0n1.read(qpair, buf, 0, cb=lambda cdw0, status1: qpair.waitdone()).waitdone()
    (text,) = warned()
    assert text.startswith("ASSERT: waitdone() was called inside a callback: ")
    assert nvme0n1.read(qpair, buf, 0).waitdone() == 0


def test_errors_raised_in_callbacks(nvme0, nvme0n1, qpair, warned):
    buf = d.Buffer(512)
    finished = []

    def fails(cdw0, status1):
        raise AssertionError("0x1234 is not what was written")

    def breaks(cpl):
        return {}["no such key"]

    for command in [
        lambda cb: nvme0n1.read(qpair, buf, 0, cb=cb).waitdone(),
        lambda cb: nvme0.getfeatures(7, cb=cb).waitdone(),
    ]:
        command(fails)
        assert warned() == ["ASSERT: 0x1234 is not what was written"]
        command(breaks)
        assert warned() == ["callback: KeyError: 'no such key'"]
    # The commands around it are delivered all the same.
    for cb in (fails, lambda cdw0, status1: finished.append(status1 >> 1), breaks, None):
        nvme0n1.read(qpair, buf, 0, cb=cb)
    qpair.waitdone(4)
    assert finished == [0]
    assert warned() == [
        "ASSERT: 0x1234 is not what was written",
        "callback: KeyError: 'no such key'",
    ]
    # A command's error and the callback's: two warnings, the command's first.
    nvme0n1.read(qpair, buf, nvme0n1.capacity, cb=fails).waitdone()
    assert warned() == ["ERROR status: 00/80", "ASSERT: 0x1234 is not what was written"]


@pytest.mark.parametrize("cb", [5, "print", lambda: None, lambda a, b, c: None])
def test_callback_that_cannot_be_called(nvme0n1, qpair, cb):
    with pytest.raises(AssertionError, match="cb must be callable"):
        nvme0n1.read(qpair, d.Buffer(512), 0, cb=cb)
    with pytest.raises(TimeoutError):
        qpair.waitdone()


def test_use_after_close(connect):
    nvme0 = connect()
    nvme0n1, qpair, buf = d.Namespace(nvme0), d.Qpair(nvme0, 8), d.Buffer(512)
    pcie, addr = d.Pcie(nvme0), nvme0.addr
    nvme0.close()
    for call, text in [
        (lambda: nvme0.getfeatures(7), f"the controller of {addr} is closed"),
        (lambda: nvme0[0], f"the controller of {addr} is closed"),
        (lambda: nvme0.reset(), f"the controller of {addr} is closed"),
        (lambda: nvme0n1.read(qpair, buf, 0), f"queue 1 of {addr} is deleted"),
        (lambda: qpair.waitdone(), f"queue 1 of {addr} is deleted"),
        (lambda: d.Qpair(nvme0, 8), f"the controller of {addr} is closed"),
        (lambda: pcie[0], f"{addr} is closed"),
    ]:
        with pytest.raises(AssertionError) as caught:
            call()
        assert text in text_of(caught)
    nvme0.close()
    pcie.close()
    qpair.delete()
    nvme0n1.close()
