import gc
import time
import warnings
import weakref

import pytest

import nvme as d


def test_registers(nvme0):
    assert nvme0[0x1C] & 1 == 1
    assert nvme0.cap == nvme0[4] << 32 | nvme0[0]
    assert nvme0[8] == 0x00010400
    with pytest.raises(AssertionError, match="not a multiple of 4"):
        nvme0[2]
    with pytest.raises(IndexError):
        nvme0[1 << 20]


def test_identify_and_id_data(nvme0):
    buf = d.Buffer(4096)
    nvme0.identify(buf, nsid=0, cns=1).waitdone()
    assert buf[24:64].decode() == nvme0.id_data(63, 24, str)
    assert nvme0.id_data(63, 24, str) == "pynvme embedded SSD".ljust(40)
    assert nvme0.id_data(1, 0) == buf.data(1, 0)
    assert nvme0.id_data(77) == 5  # MDTS 128 KiB
    assert nvme0.mdts == 128 * 1024


def test_identify_into_a_short_buffer(nvme0):
    buf = d.Buffer(512, "part of identify data")
    nvme0.identify(buf).waitdone()
    assert buf.data(1, 0) == nvme0.id_data(1, 0)


def test_commands_return_the_controller(nvme0):
    assert nvme0.getfeatures(7) is nvme0
    assert nvme0.waitdone(1) == nvme0.getfeatures(7).waitdone() == 0x000F000F
    assert nvme0.latest_latency >= 0


def test_two_callback_styles(nvme0):
    seen = []

    class Method:
        def cb(self, cpl):
            seen.append(("method", cpl))

    nvme0.getfeatures(7, cb=lambda cdw0, status1: seen.append((cdw0, status1 >> 1)))
    nvme0.getfeatures(7, cb=lambda cpl: seen.append(cpl))
    nvme0.getfeatures(7, cb=Method().cb)
    nvme0.getfeatures(7, cb=lambda cdw0, status1, tag=5: seen.append((cdw0, tag)))
    nvme0.getfeatures(7, cb=lambda *both: seen.append(len(both)))
    nvme0.waitdone(5)
    assert seen[0] == (0x000F000F, 0)
    assert seen[1][0] == 0x000F000F
    assert len(seen[1]) == 4
    assert seen[1][3] >> 17 == 0
    assert seen[2][0] == "method"
    assert seen[3] == (0x000F000F, 5)
    assert seen[4] == 2


def test_callback_that_cannot_be_called_is_refused_when_sent(nvme0):
    for cb in (lambda: None, lambda a, b, c: None, 5):
        with pytest.raises(AssertionError, match="cb must be callable"):
            nvme0.getfeatures(7, cb=cb)
    with pytest.raises(TimeoutError):
        nvme0.waitdone()  # nothing was sent


def test_errors_in_callbacks_become_warnings(nvme0):
    def asserts(cdw0, status1):
        assert cdw0 == 1, "wrong value"

    def raises(cdw0, status1):
        raise KeyError("missing")

    def waits(cdw0, status1):
        nvme0.waitdone()

    with pytest.warns(UserWarning, match="ASSERT: wrong value"):
        nvme0.getfeatures(7, cb=asserts).waitdone()
    with pytest.warns(UserWarning, match="callback: KeyError: 'missing'"):
        nvme0.getfeatures(7, cb=raises).waitdone()
    with pytest.warns(UserWarning, match=r"ASSERT: waitdone\(\) was called inside a callback"):
        nvme0.getfeatures(7, cb=waits).waitdone()


def test_commands_sent_in_callbacks(nvme0):
    order = []

    def second(cdw0, status1):
        order.append(2)

    def first(cdw0, status1):
        order.append(1)
        nvme0.getfeatures(2, cb=second)

    nvme0.getfeatures(1, cb=first).waitdone(2)
    assert order == [1, 2]


def test_error_status_is_a_warning_at_the_script_s_line(nvme0):
    with pytest.warns(UserWarning, match="ERROR status") as record:
        nvme0.send_cmd(0xFF).waitdone()
    assert [str(w.message) for w in record] == ["ERROR status: 00/01"]
    assert record[0].filename == __file__
    with pytest.warns(UserWarning, match="ERROR status: 00/0b") as record:
        nvme0.id_data(7, 0, nsid=77, cns=0)
    assert record[0].filename == __file__


def test_error_status_with_a_callback_warns_too(nvme0):
    seen = []
    with pytest.warns(UserWarning, match="ERROR status: 00/01"):
        nvme0.send_cmd(0xFF, cb=lambda cdw0, status1: seen.append(status1 >> 1 & 0x7FF)).waitdone()
    assert seen == [1]


def test_warnings_as_errors_lose_no_callback(nvme0):
    seen = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="ERROR status: 00/01"):
            nvme0.send_cmd(0xFF, cb=lambda cdw0, status1: seen.append(1)).waitdone()
    assert seen == [1]
    assert nvme0.getfeatures(7).waitdone() == 0x000F000F


def test_features_and_log_pages(nvme0):
    nvme0.setfeatures(4, cdw11=333).waitdone()
    assert nvme0.getfeatures(4).waitdone() == 333
    smart = d.Buffer(512)
    nvme0.getlogpage(2, smart, 512).waitdone()
    assert 273 < smart.data(2, 1) < 373
    tail = d.Buffer(512)
    nvme0.getlogpage(2, tail, 4, offset=0).waitdone()
    assert tail[0:4] == smart[0:4]
    with pytest.raises(AssertionError, match="size = 3 is not a multiple of 4"):
        nvme0.getlogpage(2, smart, 3)
    with pytest.raises(AssertionError, match="transfers 1024 bytes, but the Buffer"):
        nvme0.getlogpage(2, smart, 1024)


def test_supports_and_cmdname(nvme0):
    assert nvme0.supports(0x06)
    assert nvme0.supports(0x80)
    assert not nvme0.supports(0xC5)
    assert nvme0.cmdname(0x06) == "Identify"


def test_cmdlog(nvme0, capsys):
    nvme0.getfeatures(7).waitdone()
    text = nvme0.cmdlog(1)
    assert capsys.readouterr().out == text + "\n"
    lines = text.splitlines()
    assert lines[0] == "cmdlog of the admin queue"
    assert len(lines) == 2
    assert "Get Features" in lines[1]
    assert "Successful Completion" in lines[1]


def test_timeout_property(nvme0):
    assert nvme0.timeout == 10000
    nvme0.timeout = 30000
    assert nvme0.timeout == 30000
    with pytest.raises(AssertionError):
        nvme0.timeout = 0


def test_waitdone_with_nothing_outstanding_is_a_timeout(nvme0):
    nvme0.timeout = 600_000
    start = time.monotonic()
    with pytest.raises(TimeoutError, match="nothing is outstanding"):
        nvme0.waitdone()
    assert time.monotonic() - start < 300
    assert nvme0.waitdone(0) == 0


def test_aer_by_method_and_fixture(nvme0, aer):
    seen = []
    smart = d.Buffer(512)

    def too_hot():
        # Temperature below the over temperature threshold's reach: 1 kelvin always fires.
        nvme0.setfeatures(4, cdw11=1).waitdone()
        nvme0.waitdone(0)
        nvme0.getlogpage(2, smart, 512).waitdone()

    aer(lambda cdw0, status1: seen.append(cdw0))
    nvme0.setfeatures(0x0B, cdw11=0xFF).waitdone()
    with pytest.warns(UserWarning, match="AER notification is triggered: 0x"):
        too_hot()
    assert len(seen) == 1
    assert seen[0] & 7 == 1  # SMART / health status
    assert nvme0.aer(cb=lambda cpl: None) is nvme0


def test_reset_ends_queues(nvme0):
    qpair = d.Qpair(nvme0, 8)
    nvme0.reset()
    with pytest.raises(AssertionError):
        d.Namespace(nvme0).read(qpair, d.Buffer(512), 0)
    assert d.Qpair(nvme0, 8).sqid == 1


def test_custom_initialisation(pcie):
    steps = []

    def init(nvme0):
        steps.append("init")
        nvme0[0x14] = 0
        while nvme0[0x1C] & 1:
            pass
        nvme0.init_adminq()
        nvme0[0x14] = 0x00460000
        nvme0[0x14] = 0x00460001
        while not nvme0[0x1C] & 1:
            pass
        nvme0.identify(d.Buffer(4096)).waitdone()
        nvme0.init_ns()
        nvme0.setfeatures(7, cdw11=0x00010001).waitdone()
        nvme0.init_queues(nvme0.getfeatures(7).waitdone())
        for _ in range(nvme0.id_data(259) + 1):
            nvme0.aer()

    nvme0 = d.Controller(pcie, nvme_init_func=init)
    assert steps == ["init"]
    qpairs = [d.Qpair(nvme0, 4) for _ in range(2)]
    with pytest.raises(d.QpairCreationError):
        d.Qpair(nvme0, 4)
    del qpairs
    nvme0.reset()
    assert steps == ["init", "init"]


def test_no_initialisation(pcie):
    nvme0 = d.Controller(pcie, nvme_init_func=True)
    assert nvme0[0x1C] & 1 == 0
    nvme0.reset()
    assert nvme0[0x1C] & 1 == 0


def test_an_initialisation_that_raises_leaves_the_device_closed(ssd):
    def init(nvme0):
        raise RuntimeError("on purpose")

    with pytest.raises(RuntimeError, match="on purpose"):
        d.Controller(ssd, init)
    d.Controller(ssd).close()


def test_wrong_addresses():
    for address in ("nonsense", "99:99.9", b"sim:nonsense=1", 5):
        with pytest.raises((d.NvmeEnumerateError, AssertionError)):
            d.Controller(address)
    with pytest.raises(d.NvmeEnumerateError):
        d.Controller(b"0a:00.0")


def test_objects_in_any_order(ssd):
    for order in range(6):
        nvme0 = d.Controller(ssd)
        parts = {
            "nvme0": nvme0,
            "nvme0n1": d.Namespace(nvme0),
            "qpair": d.Qpair(nvme0, 8),
        }
        del nvme0
        names = list(parts)
        for _ in range(3):
            names.remove(name := names[order % len(names)])
            del parts[name]
            gc.collect()
    nvme0 = d.Controller(ssd)
    assert d.Qpair(nvme0, 8).sqid == 1
    nvme0.close()


def test_cycle_through_a_pending_callback_is_collected(nvme0, nvme0n1):
    def send():
        qpair = d.Qpair(nvme0, 8)

        def cb(cdw0, status1):
            nvme0n1.read(qpair, d.Buffer(512), 0)

        nvme0n1.read(qpair, d.Buffer(512), 0, cb=cb)
        return weakref.ref(qpair)

    reference = send()
    gc.collect()
    assert reference() is None
    assert d.Qpair(nvme0, 8).sqid == 1


def test_device_that_vanishes(ssd):
    nvme0 = d.Controller(ssd)
    nvme0.timeout = 500
    ssd.unplug()
    with pytest.raises(SystemError):
        nvme0[0x1C]
    with pytest.raises((SystemError, TimeoutError)):
        nvme0.getfeatures(7).waitdone()
    nvme0.close()
    ssd.plug()
    d.Controller(ssd).close()


def test_ctrl_c_ends_a_wait(ctrl_c_at):
    slow = d.Ssd(capacity="1GiB", latency=0, ready_ms=120_000, timeout=255)
    start = time.monotonic()
    ctrl_c_at("_core.controller_initialise(")
    with pytest.raises(KeyboardInterrupt):
        d.Controller(slow)
    assert time.monotonic() - start < 60
    d.Pcie(slow).close()  # it is free again


def test_an_open_ssd_stays_in_its_slot():
    nvme0 = d.Controller(d.Ssd(capacity="1GiB", latency=0))
    gc.collect()
    address = nvme0.addr
    assert nvme0[0x1C] & 1 == 1
    nvme0.close()
    with pytest.raises(d.NvmeEnumerateError):
        d.Controller(address)


def test_download_of_firmware(nvme0, tmp_path):
    image = tmp_path / "firmware.bin"
    image.write_bytes(bytes(10))
    with pytest.raises(AssertionError, match="10 bytes are no multiple of 4"):
        nvme0.downfw(image)
