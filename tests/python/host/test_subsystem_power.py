"""What Subsystem does for a drive on PCI Express; the machine and its slot are played here."""

import contextlib
import time

import pytest

import nvme as d
from nvme import subsystem as module
from nvme.host.reappearance import Slot
from nvme.host.refusals import FailedError, RefusedError


@pytest.fixture
def nvme0():
    nvme0 = d.Controller("sim")
    yield nvme0
    nvme0.close()


@pytest.fixture
def real(nvme0, monkeypatch):
    """The drive counts as a real one; returns what happened, in order."""
    happened = []
    core = module._core
    power_on = core.controller_power_on
    monkeypatch.setattr(core, "controller_has_slot_power", lambda nvme: False)
    monkeypatch.setattr(core, "controller_power_on", lambda nvme: (
        happened.append("power on"), power_on(nvme)
    ))  # fmt: skip
    monkeypatch.setattr(module.reappearance, "slot_of", lambda tree, addr: Slot(addr, "vfio-pci"))
    monkeypatch.setattr(module.reappearance, "wait_until_back", lambda tree, slot: (
        happened.append(f"wait for {slot.address}")
    ))  # fmt: skip
    monkeypatch.setattr(module.power, "sleep_in_s3", lambda tree, sec: (
        happened.append(f"sleep {sec:g}"), core.controller_power_off(nvme0)
    ))  # fmt: skip
    monkeypatch.setattr(time, "sleep", lambda sec: happened.append(f"wait {sec:g}"))
    return happened


def test_the_machine_sleeps(nvme0, real):
    d.Subsystem(nvme0).power_cycle(7)
    assert real == ["sleep 7", "wait 0", "wait for sim", "power on"]
    nvme0.reset()
    assert nvme0.id_data(23, 4, str)


def test_off_and_on(nvme0, real):
    subsystem = d.Subsystem(nvme0)
    subsystem.poweroff()
    assert real == ["sleep 0"]
    subsystem.poweron()
    nvme0.reset()


def test_a_machine_that_cannot_says_so(nvme0, real, monkeypatch):
    def refuse(tree, sec):
        raise RefusedError("This machine cannot take a drive's power away by sleeping")

    monkeypatch.setattr(module.power, "sleep_in_s3", refuse)
    with pytest.raises(RuntimeError, match="cannot take a drive's power away"):
        d.Subsystem(nvme0).power_cycle(7)
    assert real == []
    nvme0.getfeatures(4).waitdone()  # nothing has happened to it


def test_a_power_module(nvme0, real):
    subsystem = d.Subsystem(nvme0, lambda: real.append("on"), lambda: real.append("off"))
    subsystem.power_cycle(3)
    assert real == ["off", "wait 3", "on", "wait for sim", "power on"]
    nvme0.reset()


def test_off_twice(nvme0, real, monkeypatch):
    """The second time the drive is not there to be asked."""
    subsystem = d.Subsystem(nvme0, lambda: real.append("on"), lambda: real.append("off"))
    subsystem.poweroff()
    monkeypatch.setattr(module.reappearance, "slot_of", lambda tree, addr: None)
    subsystem.poweroff()
    subsystem.poweron()
    assert real == ["off", "off", "on", "wait for sim", "power on"]
    nvme0.reset()


def test_a_drive_that_stays_away(nvme0, real, monkeypatch):
    def fail(tree, slot):
        raise FailedError("it did not come back")

    monkeypatch.setattr(module.reappearance, "wait_until_back", fail)
    subsystem = d.Subsystem(nvme0, lambda: None, lambda: None)
    with pytest.raises(RuntimeError, match="did not come back"):
        subsystem.power_cycle(0)
    with contextlib.suppress(Exception):
        nvme0.reset()


def test_callbacks_of_a_simulated_drive_are_all(nvme0, monkeypatch):
    happened = []
    monkeypatch.setattr(module.reappearance, "slot_of", lambda *_: pytest.fail("not asked for"))
    subsystem = d.Subsystem(nvme0, lambda: happened.append("on"), lambda: happened.append("off"))
    subsystem.power_cycle(0)
    assert happened == ["off", "on"]
    nvme0.reset()
