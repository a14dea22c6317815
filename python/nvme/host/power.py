# The power of a drive in a machine that cannot switch its slots: the machine sleeps (S3, suspend to
# RAM), which takes the power from every drive, and its clock wakes it up.
"""Sleep of the whole machine, with a wake-up by its clock."""

from __future__ import annotations

import math

from nvme.host.refusals import FailedError, RefusedError
from nvme.host.tree import Tree

_STATE = "/sys/power/state"
_KIND = "/sys/power/mem_sleep"
_CLOCKS = "/sys/class/rtc"
# The alarm must not be over before the machine is asleep, or nothing wakes it up. Devices may take
# seconds to be put to sleep.
SLEEP_S_MIN = 5


def sleep_in_s3(tree: Tree, seconds: float) -> float:
    """Let the machine sleep in S3 for about `seconds` (at least SLEEP_S_MIN); returns when it is
    awake again, with how long it slept. Raises RefusedError, FailedError."""
    clock = _check(tree)
    alarm = f"{_CLOCKS}/{clock}/wakealarm"
    before = tree.read(_KIND)
    try:
        tree.write(alarm, "0")  # an older alarm would be EBUSY
        tree.write(alarm, f"+{max(SLEEP_S_MIN, math.ceil(seconds))}")
        if before is not None:
            tree.write(_KIND, "deep")
        slept = tree.suspended_s()
        tree.write(_STATE, "mem")
        slept = tree.suspended_s() - slept
    except OSError as error:
        raise FailedError(
            f"the machine did not go to sleep ({error.strerror}): a device or a program kept it "
            "awake; `dmesg | tail` says which"
        ) from None
    finally:
        _put_back(tree, alarm, before)
    if slept < 1:
        raise FailedError(
            "the machine woke up at once, so no power was lost: something else than its clock woke "
            "it (`cat /sys/power/pm_wakeup_irq`, /proc/acpi/wakeup)"
        )
    return slept


def _check(tree: Tree) -> str:
    """Refuses where it cannot be done; returns the clock that can wake the machine."""
    where = "This machine cannot take a drive's power away by sleeping (S3): "
    otherwise = ". Give Subsystem() callbacks that switch the power (poweron_cb, poweroff_cb)"
    if not tree.is_root():
        raise RefusedError(f"{where}only root may put it to sleep{otherwise}")
    if "mem" not in (tree.read(_STATE) or "").split():
        raise RefusedError(f"{where}its kernel has no suspend to RAM (/sys/power/state){otherwise}")
    kinds = tree.read(_KIND)
    if kinds is not None and "deep" not in kinds.replace("[", " ").replace("]", " ").split():
        raise RefusedError(
            f"{where}it has only {kinds.strip('[]')} (/sys/power/mem_sleep), in which drives keep "
            f'their power; some BIOSes have a switch for S3 ("Linux" sleep state){otherwise}'
        )
    for clock in tree.names(_CLOCKS):
        if tree.exists(f"{_CLOCKS}/{clock}/wakealarm"):
            return clock
    raise RefusedError(f"{where}it has no clock that can wake it up (rtc wakealarm){otherwise}")


def _put_back(tree: Tree, alarm: str, kinds: str | None) -> None:
    chosen = (kinds or "").partition("[")[2].partition("]")[0]
    for name, text in ((alarm, "0"), (_KIND, chosen)):
        if text and tree.exists(name):
            try:
                tree.write(name, text)
            except OSError:
                pass  # the alarm has rung, or the kernel keeps its choice: neither does harm
