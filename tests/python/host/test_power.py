"""The machine's sleep in place of a power switch, and a drive that leaves PCI without power."""

import errno

import pytest

from nvme.host.handover import Options, set_up
from nvme.host.machine import VFIO
from nvme.host.power import SLEEP_S_MIN, sleep_in_s3
from nvme.host.reappearance import slot_of, wait_until_back
from nvme.host.refusals import FailedError, RefusedError

A = "0000:01:00.0"
BUS = "/sys/class/pci_bus/0000:01"


@pytest.fixture
def sleeper(machine, monkeypatch):
    """A machine that can sleep; `asleep` is how long it does, or an error of the kernel's."""
    machine.file("/sys/power/state", "freeze mem disk")
    machine.file("/sys/power/mem_sleep", "[s2idle] deep")
    machine.file("/sys/class/rtc/rtc0/name", "no alarm here")
    machine.file("/sys/class/rtc/rtc1/wakealarm", "")
    machine.asleep = 7.5
    machine.slept = 100.0
    write = machine.write

    def kernel(name, text):
        write(name, text)
        if name == "/sys/power/state":
            if isinstance(machine.asleep, OSError):
                raise machine.asleep
            machine.slept += machine.asleep

    monkeypatch.setattr(machine, "write", kernel)
    monkeypatch.setattr(machine, "suspended_s", lambda: machine.slept)
    return machine


@pytest.mark.parametrize(("seconds", "alarm"), [(7, 7), (6.2, 7), (0, SLEEP_S_MIN)])
def test_sleep(sleeper, seconds, alarm):
    assert sleep_in_s3(sleeper, seconds) == 7.5
    assert sleeper.log == [
        ("/sys/class/rtc/rtc1/wakealarm", "0"),
        ("/sys/class/rtc/rtc1/wakealarm", f"+{alarm}"),
        ("/sys/power/mem_sleep", "deep"),
        ("/sys/power/state", "mem"),
        ("/sys/class/rtc/rtc1/wakealarm", "0"),
        ("/sys/power/mem_sleep", "s2idle"),
    ]


def no_kernel(machine):
    machine.file("/sys/power/state", "freeze disk")


def no_deep_sleep(machine):
    machine.file("/sys/power/mem_sleep", "[s2idle]")


def no_clock(machine):
    machine.path("/sys/class/rtc/rtc1/wakealarm").unlink()


def no_root(machine):
    machine.as_root = False


@pytest.mark.parametrize(
    ("lack", "words"),
    [
        (no_kernel, "no suspend to RAM"),
        (no_deep_sleep, "only s2idle"),
        (no_clock, "no clock that can wake it"),
        (no_root, "only root may put it to sleep"),
    ],
)
def test_machines_that_cannot(sleeper, lack, words):
    lack(sleeper)
    with pytest.raises(RefusedError, match=words) as caught:
        sleep_in_s3(sleeper, 5)
    assert "poweron_cb" in str(caught.value)
    assert sleeper.log == []


def test_a_machine_that_stays_awake(sleeper):
    sleeper.asleep = OSError(errno.EBUSY, "Device or resource busy")
    with pytest.raises(FailedError, match="did not go to sleep"):
        sleep_in_s3(sleeper, 5)
    assert sleeper.log[-2:] == [
        ("/sys/class/rtc/rtc1/wakealarm", "0"), ("/sys/power/mem_sleep", "s2idle")
    ]  # fmt: skip
    sleeper.asleep = 0.01
    with pytest.raises(FailedError, match="woke up at once"):
        sleep_in_s3(sleeper, 5)


# --- away and back ------------------------------------------------------------------------------


@pytest.fixture
def handed_over(machine):
    machine.drive(A)
    machine.file(f"/sys/bus/pci/devices/{A}/config", "\x4d\x14")
    machine.file("/sys/bus/pci/rescan", "")
    machine.file(f"{BUS}/rescan", "")
    set_up(machine, [A], Options(), print, print)
    machine.log.clear()
    return machine


def leave(machine):
    machine._unbound(A)
    machine.path(f"/sys/bus/pci/devices/{A}").rename(machine.path(f"/away-{A}"))


def come_back(machine, driver="nvme"):
    machine.path(f"/away-{A}").rename(machine.path(f"/sys/bus/pci/devices/{A}"))
    machine.file(f"/sys/bus/pci/devices/{A}/driver_override", "(null)")
    if driver is not None:
        machine._bound(A, driver)


def test_a_drive_that_never_left(handed_over):
    assert not wait_until_back(handed_over, slot_of(handed_over, A))
    assert handed_over.log == []


@pytest.mark.parametrize("driver", ["nvme", None])
def test_a_drive_that_is_back(handed_over, driver):
    slot = slot_of(handed_over, A)
    leave(handed_over)
    come_back(handed_over, driver)
    assert wait_until_back(handed_over, slot)
    assert handed_over.bound_to(A) == VFIO
    assert handed_over.read(f"/sys/bus/pci/devices/{A}/driver_override") == VFIO


def test_its_bus_alone_is_scanned(handed_over, monkeypatch):
    slot = slot_of(handed_over, A)
    leave(handed_over)
    write = handed_over.write

    def kernel(name, text):
        write(name, text)
        if name == f"{BUS}/rescan" and len(handed_over.log) == 3:
            come_back(handed_over)

    monkeypatch.setattr(handed_over, "write", kernel)
    assert wait_until_back(handed_over, slot)
    assert handed_over.log[:3] == [(f"{BUS}/rescan", "1")] * 3
    assert handed_over.bound_to(A) == VFIO


def test_a_drive_that_stays_away(handed_over):
    slot = slot_of(handed_over, A)
    leave(handed_over)
    with pytest.raises(FailedError, match="did not come back within 0 s"):
        wait_until_back(handed_over, slot, timeout_s=0.1)
    handed_over.as_root = False
    with pytest.raises(FailedError, match="only root can look for it"):
        wait_until_back(handed_over, slot)


def test_a_drive_that_does_not_answer(handed_over):
    slot = slot_of(handed_over, A)
    handed_over.path(f"/sys/bus/pci/devices/{A}/config").write_bytes(b"\xff" * 64)
    with pytest.raises(FailedError, match="did not come back"):
        wait_until_back(handed_over, slot, timeout_s=0.1)


def test_only_what_is_handed_over_has_a_slot(machine):
    machine.drive(A)
    assert slot_of(machine, A) is None
    assert slot_of(machine, "0000:0f:00.0") is None
    assert slot_of(machine, "sim") is None
