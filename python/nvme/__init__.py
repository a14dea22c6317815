# The public names, loaded when they are first used: pytest imports this package in every project of
# the environment (for the plugin), and should pay nothing for it.
"""Test NVMe devices from Python.

    >>> import nvme as d
    >>> nvme0 = d.Controller("sim")           # the embedded SSD; "01:00.0" would be a PCIe device
    >>> nvme0n1 = d.Namespace(nvme0)
    >>> qpair = d.Qpair(nvme0, 16)
    >>> buf = d.Buffer(4096)
    >>> nvme0n1.write(qpair, buf, lba=0, lba_count=8).waitdone()
    0
    >>> r = nvme0n1.ioworker(io_size=8, read_percentage=100, io_count=1000).start().close()
    >>> r.io_count_read
    1000
    >>> nvme0.close()

Classes:
    Buffer       memory that the device reads and writes
    Pcie         PCIe configuration space, BAR memory, resets, power states
    Controller   registers and admin commands
    Qpair        an IO submission and completion queue
    Namespace    IO commands, data verification, IOWorkers
    IOWorker     a workload with a native thread of its own, made by Namespace.ioworker();
                 its result is a DotDict, a dict whose keys are attributes too
    Subsystem    power, shutdown and reset of the whole NVM subsystem
    Ssd          an embedded SSD made to measure
    Fault        something that it is to do wrong, planted by Ssd.fault()
    Tcp          an NVMe/TCP target by address and port

Functions:
    srand        seed every random choice
    cmdlog_merged  the commands of all queues of a controller, in the order of time
    cmdlog_export  command logs as JSON lines
    device_trace  what an embedded SSD saw and did itself: "sim:trace=4096" keeps it
    device_trace_export  the same as JSON lines
    forensics    a module: what reads that did not match turned out to be

Commands are asynchronous: they are sent at once, and `waitdone()` of the Controller or Qpair waits
for them and calls their callbacks, `cb(cdw0, status1)` or `cb(cpl)` with the completion's four
dwords. A command that completes in error is a warning, `ERROR status: 02/81`: status code type and
status code in hexadecimal. Nothing is raised, so that errors can be tested.

What is raised:
    ArgumentError    a wrong argument; an AssertionError and a ValueError
    TimeoutError     nothing comes any more that could be waited for
    SystemError      the device is gone: its registers read all ones
    IndexError       outside of a Buffer, of configuration space, of BAR memory
    NvmeEnumerateError, QpairCreationError, NamespaceCreationError
                     what was to be opened or made is not there, or was refused
    QpairDeletionError, NamespaceDeletionError, NvmeDeletionError
                     what was to be given up could not be
    NvmeShutdownStatusTimeoutError
                     CSTS.SHST did not report the end of a shutdown

A device is named by an address: "sim" or "sim:capacity=1GiB,lba=4096" is an embedded SSD, "01:00.0"
a PCIe function, "127.0.0.1:4420" an NVMe/TCP target. Only devices that were named are ever touched.

Under pytest, fixtures open the device: a test asks for `pcie`, `nvme0`, `nvme0n1`, `qpair`,
`subsystem`, `buf`, `verify` or `aer` by argument; `--dut` names the device. The module `psd` makes
queues, entries and PRPs by hand; `nvme.report` writes HTML reports.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nvme import forensics
    from nvme.buffer import Buffer
    from nvme.cmdlog import (
        cmdlog_export,
        cmdlog_merged,
        device_trace,
        device_trace_export,
    )
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
    from nvme.faults import Fault
    from nvme.ioworker import DotDict, IOWorker
    from nvme.namespace import Namespace
    from nvme.pcie import Pcie
    from nvme.qpair import Qpair
    from nvme.seeding import srand
    from nvme.ssd import Ssd
    from nvme.subsystem import Subsystem
    from nvme.tcp import Tcp

__all__ = [
    "ArgumentError",
    "Buffer",
    "Controller",
    "DotDict",
    "Fault",
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
    "Tcp",
    "cmdlog_export",
    "cmdlog_merged",
    "device_trace",
    "device_trace_export",
    "forensics",
    "srand",
]

_HOME = {
    "Buffer": "buffer",
    "Controller": "controller",
    "DotDict": "ioworker",
    "Fault": "faults",
    "IOWorker": "ioworker",
    "Namespace": "namespace",
    "Pcie": "pcie",
    "Qpair": "qpair",
    "Ssd": "ssd",
    "Subsystem": "subsystem",
    "Tcp": "tcp",
    "cmdlog_export": "cmdlog",
    "cmdlog_merged": "cmdlog",
    "device_trace": "cmdlog",
    "device_trace_export": "cmdlog",
    "srand": "seeding",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'nvme' has no attribute {name!r}")
    if name == "forensics":
        return importlib.import_module("nvme.forensics")
    value = getattr(importlib.import_module(f"nvme.{_HOME.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
