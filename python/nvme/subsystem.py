# The public Subsystem: power and resets of everything behind a controller.
"""Subsystem."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from nvme import _core
from nvme.arguments import seconds
from nvme.controller import Controller
from nvme.errors import ArgumentError
from nvme.host import power, reappearance
from nvme.host.refusals import HostError
from nvme.host.tree import Tree


@contextlib.contextmanager
def _as_runtime_error() -> Iterator[None]:
    try:
        yield
    except (HostError, OSError) as error:
        raise RuntimeError(str(error)) from error


class Subsystem:
    """An NVM subsystem: its power, its shutdown, its reset.

    Args:
        nvme: a Controller of it
        poweron_cb, poweroff_cb: called with no arguments to switch the power (of a power module,
            for example). Without them an embedded SSD loses power for real: what its volatile write
            cache held is gone. For a drive on PCI Express the whole machine goes to sleep (S3,
            suspend to RAM), which takes the power from every drive, and its clock wakes it up; that
            needs root, and where the machine cannot do it RuntimeError says why.

    Controller.reset() is required after poweron(), power_cycle() and reset(). A drive that leaves
    PCI without power is looked for and taken over again by poweron(), as root.

    >>> import nvme as d
    >>> nvme0 = d.Controller("sim")
    >>> subsystem = d.Subsystem(nvme0)
    >>> subsystem.shutdown_notify()
    >>> subsystem.power_cycle(0)
    >>> nvme0.reset()
    >>> nvme0.close()
    """

    def __init__(
        self,
        nvme: Controller,
        poweron_cb: Callable[[], object] | None = None,
        poweroff_cb: Callable[[], object] | None = None,
    ) -> None:
        if not isinstance(nvme, _core.Controller):
            raise ArgumentError(f"nvme must be a Controller, not {type(nvme).__name__}")
        for name, callback in (("poweron_cb", poweron_cb), ("poweroff_cb", poweroff_cb)):
            if callback is not None and not callable(callback):
                raise ArgumentError(f"{name} must be callable or None, not {callback!r}")
        self._nvme = nvme
        self._poweron_cb = poweron_cb
        self._poweroff_cb = poweroff_cb
        self._sleep_s: float = 0
        self._slot: reappearance.Slot | None = None  # while its power is off

    def poweroff(self) -> None:
        """Take the power away, suddenly unless shutdown_notify() came before.

        A machine that has to sleep for it has come back, and so has the power, when this returns.

        >>> import nvme as d
        >>> nvme0 = d.Controller("sim")
        >>> subsystem = d.Subsystem(nvme0)
        >>> subsystem.poweroff()
        >>> subsystem.poweron()
        >>> nvme0.reset()
        >>> nvme0.close()
        """
        self._slot = self._slot or self._real_slot()  # it may be without power already, and gone
        if self._poweroff_cb is not None:
            self._poweroff_cb()
            _core.controller_power_lost(self._nvme)
        elif self._slot is not None:
            with _as_runtime_error():
                power.sleep_in_s3(Tree(), self._sleep_s)
            _core.controller_power_lost(self._nvme)
        else:
            _core.controller_power_off(self._nvme)

    def poweron(self) -> None:
        """Give the power back. Controller.reset() comes next.

        >>> import nvme as d
        >>> nvme0 = d.Controller("sim")
        >>> subsystem = d.Subsystem(nvme0)
        >>> subsystem.poweroff()
        >>> subsystem.poweron()
        >>> nvme0.reset()
        >>> nvme0.close()
        """
        if self._poweron_cb is not None:
            self._poweron_cb()
            if self._slot is None:
                return
        if self._slot is not None:
            with _as_runtime_error():
                reappearance.wait_until_back(Tree(), self._slot)
            self._slot = None
        _core.controller_power_on(self._nvme)

    def _real_slot(self) -> reappearance.Slot | None:
        """Of a drive on PCI Express, which is handed over; None for a simulated one."""
        if _core.controller_has_slot_power(self._nvme):
            return None
        return reappearance.slot_of(Tree(), self._nvme.addr)

    def power_cycle(self, sec: float = 10) -> None:
        """Power off, `sec` seconds later on again. Controller.reset() comes next.

        Args:
            sec: seconds without power, 0 or more; at least 5 where the machine has to sleep

        >>> import nvme as d
        >>> nvme0 = d.Controller("sim")
        >>> d.Subsystem(nvme0).power_cycle(0)
        >>> nvme0.reset()
        >>> nvme0.close()
        """
        delay = seconds("sec", sec)
        if self._poweroff_cb is None and self._real_slot() is not None:
            self._sleep_s, delay = delay, 0
        try:
            self.poweroff()
        finally:
            self._sleep_s = 0
        time.sleep(delay)
        self.poweron()

    def shutdown_notify(self, abrupt: bool = False) -> None:
        """Shutdown notification (CC.SHN), and wait for CSTS.SHST (NVMe Base 2.0 §3.6).

        Args:
            abrupt: an abrupt shutdown (CC.SHN 10b) instead of a normal one (01b)

        Raises NvmeShutdownStatusTimeoutError when the controller does not finish in time.

        >>> import nvme as d
        >>> nvme0 = d.Controller("sim")
        >>> d.Subsystem(nvme0).shutdown_notify()
        >>> nvme0[0x1c] >> 2 & 3  # CSTS.SHST: 2, shutdown processing complete
        2
        >>> nvme0.reset()
        >>> nvme0.close()
        """
        _core.controller_shutdown(self._nvme, abrupt)

    def reset(self) -> None:
        """NVM Subsystem Reset by NSSR.NSSRC. Controller.reset() comes next.

        AssertionError where CAP.NSSRS says it is not supported.

        >>> import nvme as d
        >>> nvme0 = d.Controller("sim")
        >>> d.Subsystem(nvme0).reset()
        >>> nvme0.reset()
        >>> nvme0[0x1c] >> 4 & 1  # CSTS.NSSRO: a subsystem reset occurred
        1
        >>> nvme0.close()
        """
        _core.controller_subsystem_reset(self._nvme)
