# The public names, loaded when they are first used: pytest imports this package in every project of
# the environment (for the plugin), and should pay nothing for it.
"""Test NVMe devices from Python.

    import nvme as d

    nvme0 = d.Controller("sim")               # the embedded SSD; "01:00.0" would be a PCIe device
    nvme0n1 = d.Namespace(nvme0)
    qpair = d.Qpair(nvme0, 16)
    buf = d.Buffer(4096)
    nvme0n1.write(qpair, buf, 0, 8).waitdone()
    r = nvme0n1.ioworker(io_size=8, read_percentage=100, time=1).start().close()
    print(r.io_count_read, r.latency_average_us)

Classes:
    Buffer       memory that the device reads and writes
    Pcie         PCIe configuration space, BAR memory, resets
    Controller   registers and admin commands
    Namespace    IO commands, data verification, IOWorkers
    Qpair        an IO submission and completion queue
    Subsystem    power and resets of the whole NVM subsystem
    Ssd          an embedded SSD made to measure

Commands are asynchronous: they are sent at once, and `waitdone()` of the Controller or Qpair waits
for them, calls their callbacks and warns of errors. Under pytest, fixtures open the device: a test
asks for `nvme0`, `nvme0n1`, `qpair`, `pcie`, `subsystem`, `buf`, `verify` or `aer` by argument;
`--pciaddr` names the device. Only devices that were named are ever touched.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nvme.buffer import Buffer
    from nvme.controller import Controller
    from nvme.errors import (
        ArgumentError,
        NamespaceCreationError,
        NamespaceDeletionError,
        NvmeDeletionError,
        NvmeEnumerateError,
        NvmeShutdownStatusTimeoutError,
        QpairCreationError,
        QpairDeletionError,
    )
    from nvme.ioworker import DotDict, IOWorker
    from nvme.namespace import Namespace
    from nvme.pcie import Pcie
    from nvme.qpair import Qpair
    from nvme.seeding import srand
    from nvme.ssd import Ssd
    from nvme.subsystem import Subsystem

__all__ = [
    "ArgumentError",
    "Buffer",
    "Controller",
    "DotDict",
    "IOWorker",
    "Namespace",
    "NamespaceCreationError",
    "NamespaceDeletionError",
    "NvmeDeletionError",
    "NvmeEnumerateError",
    "NvmeShutdownStatusTimeoutError",
    "Pcie",
    "Qpair",
    "QpairCreationError",
    "QpairDeletionError",
    "Ssd",
    "Subsystem",
    "srand",
]

_HOME = {
    "Buffer": "buffer",
    "Controller": "controller",
    "DotDict": "ioworker",
    "IOWorker": "ioworker",
    "Namespace": "namespace",
    "Pcie": "pcie",
    "Qpair": "qpair",
    "Ssd": "ssd",
    "Subsystem": "subsystem",
    "srand": "seeding",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'nvme' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"nvme.{_HOME.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
