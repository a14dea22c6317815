import pytest

import nvme as d


def test_configuration_space(pcie):
    assert pcie.register(0, 2) == pcie[0] | pcie[1] << 8
    assert pcie[0:4] == [pcie[i] for i in range(4)]
    assert pcie.register(9, 3) == 0x010802
    assert pcie.register(0) == int.from_bytes(bytes(pcie[0:4]), "little")
    with pytest.raises(IndexError):
        pcie[4096]
    with pytest.raises(IndexError):
        pcie[0:4097]
    with pytest.raises(AssertionError):
        pcie[0x3C] = 256


def test_write_a_byte(pcie):
    pcie[0x3C] = 0x5A  # Interrupt Line: has no effect
    assert pcie[0x3C] == 0x5A


def test_capabilities(pcie):
    for cap in (0x01, 0x05, 0x10, 0x11):
        offset = pcie.cap_offset(cap)
        assert offset is not None
        assert pcie[offset] == cap
    assert pcie.cap_offset(0x02) is None


def test_bar_memory(pcie, nvme0):
    assert pcie.mem_dword_read(0) == nvme0[0]
    nvme0[0x24] = 0x001F001F if nvme0[0x1C] & 1 == 0 else nvme0[0x24]
    pcie.mem_dword_write(0x0C, 0xFFFFFFFF)  # INTMS: undefined with MSI-X, harmless
    with pytest.raises(AssertionError, match="not a multiple of 4"):
        pcie.mem_dword_read(2)
    with pytest.raises(AssertionError, match="has no memory BAR 5"):
        pcie.mem_dword_read(0, 5)


def test_aspm(pcie):
    for value in (2, 1, 3, 0):
        pcie.aspm = value
        assert pcie.aspm == value
    with pytest.raises(AssertionError):
        pcie.aspm = 4


def test_power_states(pcie, nvme0):
    assert pcie.power_state == 0
    pcie.power_state = 3
    assert pcie.power_state == 3
    pcie.power_state = 0
    assert pcie.power_state == 0
    nvme0.reset()
    assert nvme0[0x1C] & 1 == 1


@pytest.mark.parametrize("how", ["reset", "flr", "own"])
def test_resets(pcie, nvme0, how):
    qpair = d.Qpair(nvme0, 8)
    if how == "own":
        pcie.reset(pcie.flr)
    else:
        getattr(pcie, how)()
    assert nvme0[0x14] & 1 == 0
    nvme0.reset()
    assert nvme0[0x1C] & 1 == 1
    with pytest.raises(AssertionError):
        d.Namespace(nvme0).read(qpair, d.Buffer(512), 0)
    d.Namespace(nvme0).read(d.Qpair(nvme0, 8), d.Buffer(512), 0).waitdone()


def test_pcie_of_a_controller(nvme0):
    assert d.Pcie(nvme0).register(9, 3) == 0x010802


def test_close(ssd):
    pcie = d.Pcie(ssd)
    nvme0 = d.Controller(pcie)
    qpair = d.Qpair(nvme0, 8)
    pcie.close()
    pcie.close()
    with pytest.raises(AssertionError, match="closed"):
        pcie[0]
    with pytest.raises(AssertionError, match="closed"):
        nvme0[0]
    with pytest.raises(AssertionError, match="deleted"):
        qpair.waitdone()
    d.Pcie(ssd).close()


def test_subsystem_power_cycle(nvme0, nvme0n1, qpair, subsystem):
    buf = d.Buffer(512, pvalue=1)
    nvme0n1.write(qpair, buf, 0).waitdone()
    subsystem.shutdown_notify()
    subsystem.power_cycle(0)
    nvme0.reset()
    read = d.Buffer(512)
    nvme0n1.read(d.Qpair(nvme0, 8), read, 0).waitdone()
    assert read[:] == buf[:]


def test_sudden_power_loss_takes_what_was_not_flushed(nvme0, nvme0n1, subsystem, verify):
    qpair = d.Qpair(nvme0, 8)
    kept, lost, read = d.Buffer(512), d.Buffer(512), d.Buffer(512)
    nvme0n1.write(qpair, kept, 0).waitdone()
    nvme0n1.flush(qpair).waitdone()
    nvme0n1.write(qpair, lost, 8).waitdone()
    subsystem.poweroff()
    with pytest.raises(SystemError):
        nvme0[0x1C]
    subsystem.poweron()
    nvme0.reset()
    qpair = d.Qpair(nvme0, 8)
    nvme0n1.read(qpair, read, 0).waitdone()
    assert read[:] == kept[:]
    nvme0n1.read(qpair, read, 8).waitdone()
    assert read[:] == bytes(512)


def test_subsystem_reset(nvme0, subsystem):
    subsystem.reset()
    nvme0.reset()
    assert nvme0[0x1C] & 1 == 1


def test_subsystem_callbacks(nvme0):
    calls = []
    subsystem = d.Subsystem(nvme0, lambda: calls.append("on"), lambda: calls.append("off"))
    subsystem.power_cycle(0)
    assert calls == ["off", "on"]


def test_ssd_keys_and_addresses():
    ssd = d.Ssd("0b:00.0", capacity="1GiB", lba=4096, queues=3, model="mine", latency=0)
    nvme0 = d.Controller(b"0b:00.0")
    assert nvme0.id_data(63, 24, str).strip() == "mine"
    assert d.Namespace(nvme0).sector_size == 4096
    assert nvme0.getfeatures(7).waitdone() == 0x00020002
    nvme0.close()
    with pytest.raises(d.NvmeEnumerateError):
        d.Ssd("0b:00.0")
    ssd.unplug()
    with pytest.raises(AssertionError, match="colour"):
        d.Ssd(colour="red")
    with pytest.raises(AssertionError, match="comma"):
        d.Ssd(model="a,b")


def test_wrong_arguments_do_nothing_to_the_device(nvme0, pcie, subsystem):
    for call, text in [
        (lambda: pcie.reset(5), "rst_fn must be callable or None, not 5"),
        (lambda: subsystem.power_cycle("x"), "sec must be a number of seconds, not str"),
        (lambda: subsystem.power_cycle(-1), "sec = -1 is no number of seconds"),
        (lambda: d.Subsystem(nvme0, 5), "poweron_cb must be callable or None, not 5"),
        (lambda: setattr(pcie, "aspm", 4), r"aspm = 4 is not in 0\.\.3"),
        (lambda: setattr(pcie, "power_state", "D0"), "power_state must be an integer, not str"),
        (lambda: pcie.mem_dword_write(2, 0), "offset = 2 is not a multiple of 4"),
        (lambda: pcie.cap_offset("PM"), "id must be an integer, not str"),
    ]:
        with pytest.raises(AssertionError, match=text):
            call()
    assert nvme0[0x1C] & 1 == 1
    assert nvme0.getfeatures(7).waitdone() == 0x000F000F
