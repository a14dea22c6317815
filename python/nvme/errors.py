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
    """The device could not be found, opened or initialised; the text says which and why."""


class NvmeDeletionError(Exception):
    """The device could not be given up cleanly."""


class NvmeShutdownStatusTimeoutError(Exception):
    """CSTS.SHST did not report a finished shutdown in time (NVMe Base 2.0 §3.6)."""


class QpairCreationError(Exception):
    """The device refused a Create I/O Completion or Submission Queue command."""


class QpairDeletionError(Exception):
    """The device refused a Delete I/O Submission or Completion Queue command."""


class NamespaceCreationError(Exception):
    """The namespace is not there, not active, or has a format that cannot be used."""


class NamespaceDeletionError(Exception):
    """The namespace object could not be closed, for example because an IOWorker runs on it."""


class AddressError(NvmeEnumerateError, ArgumentError):
    """The text is no address of a device under test."""


class QpairArgumentError(QpairCreationError, ArgumentError):
    """A wrong argument of Qpair(): depth, priority or interrupt vector."""


class NamespaceArgumentError(NamespaceCreationError, ArgumentError):
    """A wrong argument of Namespace(): nsid or nlba_verify."""


class ArgumentTypeError(ArgumentError, TypeError):
    """An argument of the wrong type, for example a float where an integer belongs."""
