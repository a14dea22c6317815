# The exceptions of the public module. The extension raises them too: it looks them up here when it
# is loaded, so this file imports nothing of the package.
"""Exceptions that pynvme raises, besides Python's own TimeoutError, SystemError and IndexError."""


class ArgumentError(AssertionError, ValueError):
    """A wrong argument. Scripts may catch it as AssertionError or as ValueError.

    >>> import nvme as d
    >>> try:
    ...     d.Buffer(0)
    ... except AssertionError as error:
    ...     assert isinstance(error, ValueError)
    """


class NvmeEnumerateError(Exception):
    """The device could not be found, opened or initialised; the text says which and why.

    >>> import nvme as d
    >>> try:
    ...     d.Controller("ff:1f.7")
    ... except d.NvmeEnumerateError as error:
    ...     print(error)
    there is no device at 0000:ff:1f.7...
    """


class NvmeDeletionError(Exception):
    """The device could not be given up cleanly.

    >>> import nvme as d
    >>> issubclass(d.NvmeDeletionError, Exception)
    True
    """


class NvmeShutdownStatusTimeoutError(Exception):
    """CSTS.SHST did not report a finished shutdown in time (NVMe Base 2.0 §3.6).

    Raised by Subsystem.shutdown_notify(). The time is RTD3E of Identify Controller, or 10
    seconds when that is longer.

    >>> import nvme as d
    >>> nvme0 = d.Controller("sim")
    >>> try:
    ...     d.Subsystem(nvme0).shutdown_notify()
    ... except d.NvmeShutdownStatusTimeoutError as error:
    ...     print("the drive does not finish its shutdown:", error)
    >>> nvme0.close()
    """


class QpairCreationError(Exception):
    """The device refused a Create I/O Completion or Submission Queue command.

    >>> import nvme as d
    >>> nvme0 = d.Controller("sim:queues=1")
    >>> qpair = d.Qpair(nvme0, 16)
    >>> try:
    ...     d.Qpair(nvme0, 16)
    ... except d.QpairCreationError as error:
    ...     print(error)
    sim:queues=1: ...
    >>> nvme0.close()
    """


class QpairDeletionError(Exception):
    """The device refused a Delete I/O Submission or Completion Queue command.

    >>> import nvme as d
    >>> nvme0 = d.Controller("sim")
    >>> qpair = d.Qpair(nvme0, 16)
    >>> cdw0 = nvme0.send_cmd(0x00, cdw10=qpair.sqid).waitdone()  # behind the driver's back
    >>> try:
    ...     qpair.delete()
    ... except d.QpairDeletionError as error:
    ...     print(error)
    IO queue 1: sim: Delete I/O Submission Queue failed with status 01/01, ...
    >>> nvme0.close()
    """


class NamespaceCreationError(Exception):
    """The namespace is not there, not active, or has a format that cannot be used.

    >>> import nvme as d
    >>> nvme0 = d.Controller("sim")
    >>> try:
    ...     d.Namespace(nvme0, 5)
    ... except d.NamespaceCreationError as error:
    ...     print(error)
    namespace 5 of sim is not active: it does not exist, or is not attached ... Active: 1.
    >>> nvme0.close()
    """


class NamespaceDeletionError(Exception):
    """The namespace object could not be closed, for example because an IOWorker runs on it.

    >>> import nvme as d
    >>> issubclass(d.NamespaceDeletionError, Exception)
    True
    """


class AddressError(NvmeEnumerateError, ArgumentError):
    """The text is no address of a device under test."""


class QpairArgumentError(QpairCreationError, ArgumentError):
    """A wrong argument of Qpair(): depth, priority or interrupt vector."""


class NamespaceArgumentError(NamespaceCreationError, ArgumentError):
    """A wrong argument of Namespace(): nsid or nlba_verify."""


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument of the wrong type, for example a float where an integer belongs."""
