# The public Pcie: resets, power states and ASPM as the PCI Express and Power Management
# specifications sequence them, on the register accesses of the C++ class.
"""Pcie."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from nvme import _core
from nvme.address import address_text
from nvme.arguments import integer
from nvme.errors import ArgumentError

if TYPE_CHECKING:
    from nvme.controller import Controller
    from nvme.ssd import Ssd

_POWER_MANAGEMENT = 0x01
_PCI_EXPRESS = 0x10
_D3HOT = 3
_D3HOT_DELAY_S = 0.01  # PCI Power Management 1.2 §5.6.1: 10 ms after entering and leaving D3hot


class Pcie(_core.Pcie):
    """A PCIe function: its configuration space and BAR memory, resets, power states.

    Args:
        addr: an address ("sim", "01:00.0", str or bytes), an Ssd, or a Controller that is open
            already

    `pcie[i]` is a byte, `pcie[a:b]` a list of bytes, `pcie[i] = byte` writes one. Works for
    functions that are not NVMe. After reset() and flr(), Controller.reset() comes next.

    >>> import nvme as d
    >>> pcie = d.Pcie("sim")
    >>> vendor_id = pcie.register(0, 2)
    >>> pm_offset = pcie.cap_offset(1)  # Power Management Capability
    >>> pcie.close()
    """

    def __init__(self, addr: str | bytes | Ssd | Controller) -> None:
        if isinstance(addr, _core.Controller):
            super().__init__(addr)
        else:
            super().__init__(address_text(addr))

    def reset(self, rst_fn: Callable[[], object] | None = None) -> None:
        """Hot reset by the port above, or by `rst_fn` (a hardware fixture, for example).

        Configuration space is restored afterwards. Controller.reset() comes next.

        >>> import nvme as d
        >>> nvme0 = d.Controller("sim")
        >>> pcie = d.Pcie(nvme0)
        >>> pcie.reset()
        >>> nvme0.reset()
        >>> pcie.close()
        """
        if rst_fn is None:
            _core.pcie_hot_reset(self)
            return
        if not callable(rst_fn):
            raise ArgumentError(f"rst_fn must be callable or None, not {rst_fn!r}")
        saved = _core.pcie_config_save(self)
        rst_fn()
        _core.pcie_config_restore(self, saved)

    def flr(self) -> None:
        """Function Level Reset (PCIe 5.0 §6.6.2). Configuration space is restored afterwards.

        Controller.reset() comes next.

        >>> import nvme as d
        >>> nvme0 = d.Controller("sim")
        >>> pcie = d.Pcie(nvme0)
        >>> pcie.flr()
        >>> nvme0.reset()
        >>> pcie.close()
        """
        _core.pcie_function_level_reset(self)

    @property
    def aspm(self) -> int:
        """ASPM Control of Link Control: 0 disabled, 1 L0s, 2 L1, 3 both. Settable, 0 to 3.

        >>> import nvme as d
        >>> pcie = d.Pcie("sim")
        >>> pcie.aspm = 2
        >>> pcie.aspm
        2
        >>> pcie.close()
        """
        return self.register(self._link_control(), 2) & 3

    @aspm.setter
    def aspm(self, value: int) -> None:
        value = integer("aspm", value, 0, 3)
        offset = self._link_control()
        _core.pcie_config_write(self, offset, self.register(offset, 2) & ~3 | value, 2)

    @property
    def power_state(self) -> int:
        """PowerState of PMCSR: 0 D0, 1 D1, 2 D2, 3 D3hot. Settable, 0 to 3.

        Entering and leaving D3hot takes 10 ms (PCI Power Management 1.2 §5.6.1). A function without
        No_Soft_Reset is reset on its way back to D0, and its configuration space restored here;
        then Controller.reset() comes next. The embedded SSD has No_Soft_Reset.

        >>> import nvme as d
        >>> nvme0 = d.Controller("sim")
        >>> pcie = d.Pcie(nvme0)
        >>> pcie.power_state = 3
        >>> pcie.power_state
        3
        >>> pcie.power_state = 0
        >>> nvme0.reset()
        >>> pcie.close()
        """
        return self.register(self._pmcsr(), 2) & 3

    @power_state.setter
    def power_state(self, value: int) -> None:
        value = integer("power_state", value, 0, 3)
        offset = self._pmcsr()
        before = self.register(offset, 2)
        leaves_d3hot = before & 3 == _D3HOT and value == 0
        if value == _D3HOT and before & 3 != _D3HOT:
            self._config_before_d3hot = _core.pcie_config_save(self)
        _core.pcie_config_write(self, offset, before & ~3 & 0xFFFF | value, 2)
        if value == _D3HOT or before & 3 == _D3HOT:
            time.sleep(_D3HOT_DELAY_S)
        saved = getattr(self, "_config_before_d3hot", None)
        no_soft_reset = before & 8
        if leaves_d3hot and not no_soft_reset and saved is not None:
            _core.pcie_config_restore(self, saved)

    def _link_control(self) -> int:
        offset = self.cap_offset(_PCI_EXPRESS)
        if offset is None:
            raise ArgumentError(f"{self.addr} has no PCI Express capability")
        return offset + 0x10

    def _pmcsr(self) -> int:
        offset = self.cap_offset(_POWER_MANAGEMENT)
        if offset is None:
            raise ArgumentError(f"{self.addr} has no Power Management capability")
        return offset + 4
