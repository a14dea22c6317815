# The public IOWorker: arguments of many shapes become the plain ones of the C++ class, and its
# figures become the result and the outputs that were asked for.
"""IOWorker."""

from __future__ import annotations

import functools
import inspect
import logging
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from numbers import Real
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from nvme import _core, live_line
from nvme.arguments import integer, is_integer, seconds
from nvme.errors import ArgumentError, ArgumentTypeError
from nvme.histogram import Histogram

if TYPE_CHECKING:
    from nvme.namespace import Namespace


P = ParamSpec("P")
T = TypeVar("T")

_INIT_FAIL = -1
# A longer argument is given by its name in the line that replays a run.
_LONGEST_ARGUMENT = 500

_log = logging.getLogger("nvme")


class DotDict(dict[str, Any]):
    """A dict whose keys are attributes too: the result of an IOWorker.

    Keys: `io_count_read`, `io_count_nonread` (all that is no Read), `io_count_write`; `mseconds`,
    the run's length in milliseconds; `latency_max_us`, `latency_average_us`; `cpu_usage`, 0.0 to
    1.0 of one processor; `error`, 0 or that of the warning `ioworker host ERROR`. With
    output_io_per_second also `iops_consistency`, with output_percentile_latency
    `latency_distribution`, a list of IOs that took 0, 1, 2, ... microseconds.

    >>> import nvme as d
    >>> r = d.DotDict(io_count_read=1000, mseconds=20)
    >>> r.io_count_read / r["mseconds"]
    50.0
    """

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"the result has no {name!r}; it has {', '.join(self)}") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __delattr__(self, name: str) -> None:
        del self[name]


class Result(DotDict):
    """The result of an IOWorker: a DotDict with more figures as attributes that are no keys.

    `latency`, a Histogram of all IOs; `latency_by_opcode`, {opcode: Histogram};
    `sent_by_opcode`, {opcode: count}; `poll_gap`, a Histogram of the time from one look at the
    completion queue to the next while IOs were under way: that much of a latency may be the host's
    own (on the embedded SSD, whose work is done in the doorbell, that work is part of it).
    `per_second`, IOs sent in each second; `detail`, a sentence about the error; `replay`, the line
    that repeats the run.

    >>> import nvme as d
    >>> nvme0 = d.Controller("sim")
    >>> r = d.Namespace(nvme0).ioworker(op_percentage={2: 75, 1: 25}, io_count=100).start().close()
    >>> r.sent_by_opcode, r.latency_by_opcode[1].count
    ({2: 75, 1: 25}, 25)
    >>> r.latency_max_us == int(r.latency.max_us), "latency" in r
    (True, False)
    >>> nvme0.close()
    """

    latency: Histogram
    latency_by_opcode: dict[int, Histogram]
    sent_by_opcode: dict[int, int]
    poll_gap: Histogram
    per_second: list[int]
    detail: str
    replay: str

    def __init__(self, values: Mapping[str, Any], **attributes: Any) -> None:
        super().__init__(values)
        self.__dict__.update(attributes)

    def __reduce__(self) -> tuple[Any, ...]:
        return DotDict, (dict(self),)  # a copy elsewhere has the figures of the contract


def checked_call(function: Callable[P, T]) -> Callable[P, T]:
    """Make a call with unknown or missing arguments an ArgumentError, as in the C++ classes."""
    signature = inspect.signature(function)

    @functools.wraps(function)
    def call(*arguments: P.args, **keywords: P.kwargs) -> T:
        try:
            signature.bind(*arguments, **keywords)
        except TypeError as error:
            raise ArgumentTypeError(f"{function.__name__}() {error}") from None
        return function(*arguments, **keywords)

    return call


class IOWorker(_core.IOWorker):
    """A workload with a queue pair and a native thread of its own; made by Namespace.ioworker().

    start() starts it and close() waits for its end, or `with` does both. Several run together.

    >>> import nvme as d
    >>> nvme0 = d.Controller("sim")
    >>> nvme0n1 = d.Namespace(nvme0)
    >>> with nvme0n1.ioworker(io_size=8, io_count=100) as first:
    ...     second = nvme0n1.ioworker(io_size=8, io_count=100).start()
    ...     cdw0 = nvme0.getfeatures(7).waitdone()  # the script goes on meanwhile
    >>> first.close().io_count_read + second.close().io_count_read
    200
    >>> nvme0.close()
    """

    def __init__(self, namespace: Namespace, **arguments: Any) -> None:
        outputs = {name: arguments.pop(name) for name in tuple(arguments) if name[:7] == "output_"}
        self._nsid = namespace.nsid
        self._arguments = dict(arguments)
        self._per_second_output = _output("output_io_per_second", outputs, list)
        self._percentile_latency = _output("output_percentile_latency", outputs, dict)
        for percent in self._percentile_latency or ():
            if not isinstance(percent, Real) or not 0 <= float(percent) <= 100:
                raise ArgumentError(
                    f"output_percentile_latency: {percent!r} is no percentile in 0..100"
                )
        self._cmdlog_list = _output("output_cmdlog_list", outputs, list)
        self._op_percentage: dict[int, int] | None = arguments["op_percentage"]
        if isinstance(self._op_percentage, dict):
            self._arguments["op_percentage"] = dict(self._op_percentage)  # will be overwritten
        self._result: Result | None = None
        sizes = _sizes(arguments.pop("io_size"))
        super().__init__(
            namespace,
            io_size=sizes,
            lba_align=_aligns(arguments.pop("lba_align")),
            lba_random=_percentage("lba_random", arguments.pop("lba_random")),
            op_percentage=_opcodes(arguments.pop("op_percentage")),
            distribution=_sections(arguments.pop("distribution")),
            io_sequence=_sequence(arguments.pop("io_sequence")),
            time=seconds("time", arguments.pop("time")),
            fw_debug=bool(arguments.pop("fw_debug")),
            cmdlog_count=0 if self._cmdlog_list is None else len(self._cmdlog_list),
            lba_step=_optional_integer("lba_step", arguments.pop("lba_step")),
            region_start=arguments.pop("region_start"),
            region_end=arguments.pop("region_end"),
            lba_start=arguments.pop("lba_start"),
            ptype=arguments.pop("ptype"),
            pvalue=arguments.pop("pvalue"),
            **{name: _integer(name, value) for name, value in arguments.items()},
        )

    def start(self) -> IOWorker:
        """Create the queue and start the thread. Returns self.

        ArgumentError when it was started before or is closed. A worker that cannot be started, for
        example because the device has no queue left, says so when it is closed: `error` is -1.

        >>> import nvme as d
        >>> nvme0 = d.Controller("sim")
        >>> worker = d.Namespace(nvme0).ioworker(io_size=8, io_count=100).start()
        >>> worker.close().io_count_read
        100
        >>> nvme0.close()
        """
        _core.ioworker_launch(self)
        live_line.watch(self)
        return self

    def progress(self) -> DotDict:
        """The figures so far, a few milliseconds old; the last ones when it is over.

        Keys, and attributes: `running`, `seconds`, `io_count_read`, `io_count_nonread`,
        `io_count_write`, `outstanding` (IOs under way), `iops` (sent in the last full second, in
        the first one so far), `iops_average`, `latency_min_us`, `latency_average_us`,
        `latency_max_us`, `poll_gap_max_us`. Costs the worker nothing; any thread may ask.

        >>> import nvme as d, time
        >>> nvme0 = d.Controller("sim")
        >>> worker = d.Namespace(nvme0).ioworker(io_size=8, time=60).start()
        >>> while worker.progress().io_count_read < 1000:
        ...     time.sleep(0.001)
        >>> worker.stop()
        >>> r = worker.close()
        >>> worker.progress().io_count_read == r.io_count_read
        True
        >>> nvme0.close()
        """
        return DotDict(_core.ioworker_progress(self))

    @property
    def replay(self) -> str:
        """The line that repeats this worker: the same commands in the same order.

        >>> import nvme as d
        >>> nvme0 = d.Controller("sim")
        >>> nvme0n1 = d.Namespace(nvme0)
        >>> d.srand(7)
        >>> worker = nvme0n1.ioworker(io_size=8, io_count=100)
        >>> worker.replay
        'd.srand(0x7); nvme0n1.ioworker(io_count=100).start().close()'
        >>> nvme0.close()
        """
        from nvme.namespace import Namespace

        given = ", ".join(
            f"{name}={_shown(name, self._arguments[name])}"
            for name, parameter in inspect.signature(Namespace.ioworker).parameters.items()
            if name in self._arguments and not _is(self._arguments[name], parameter.default)
        )
        seed = _core.ioworker_seed(self)
        return f"d.srand({seed:#x}); nvme0n{self._nsid}.ioworker({given}).start().close()"

    def close(self) -> Result:
        """Wait for the end, delete the queue, fill the outputs, and return the result.

        A worker that failed is reported by warnings, and by `error` of the result. Ctrl-C ends it.
        Closing again returns the same result.

        >>> import nvme as d
        >>> nvme0 = d.Controller("sim")
        >>> per_second, percentiles = [], {50: None, 99.9: None}
        >>> worker = d.Namespace(nvme0).ioworker(
        ...     io_size=8, time=2, iops=1000,
        ...     output_io_per_second=per_second, output_percentile_latency=percentiles,
        ... )
        >>> r = worker.start().close()
        >>> r.error, len(per_second), percentiles[50] <= percentiles[99.9]
        (0, 2, True)
        >>> nvme0.close()
        """
        if self._result is not None:
            return self._result
        live_line.watch(self, waiting=True)
        try:
            values = _core.ioworker_wait_result(self)
        finally:
            live_line.forget(self)
        opcodes = _core.ioworker_opcodes(self)
        result = Result(
            values,
            latency=Histogram(_core.ioworker_latency(self)),
            latency_by_opcode={opcode: Histogram(latency) for opcode, _, latency in opcodes},
            sent_by_opcode={opcode: sent for opcode, sent, _ in opcodes},
            poll_gap=Histogram(_core.ioworker_poll_gap(self)),
            per_second=_core.ioworker_io_per_second(self),
            detail=_core.ioworker_failure(self)[2],
            replay=self.replay,
        )
        if self._per_second_output is not None:
            self._per_second_output[:] = result.per_second
            result["iops_consistency"] = _core.ioworker_iops_consistency(self)
        if self._percentile_latency is not None:
            for percent in self._percentile_latency:
                self._percentile_latency[percent] = _core.ioworker_latency_percentile_us(
                    self, float(percent)
                )
            result["latency_distribution"] = _core.ioworker_latency_distribution(self)
        if self._cmdlog_list is not None:
            self._cmdlog_list[:] = _core.ioworker_last_commands(self)
        if self._op_percentage is not None:
            for opcode in self._op_percentage:
                self._op_percentage[opcode] = result.sent_by_opcode.get(opcode, 0)
        self._result = result
        self._warn(result["error"])
        return result

    def __enter__(self) -> IOWorker:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is not None:
            self.stop()  # the script failed: do not keep it waiting
        self.close()

    def _warn(self, error: int) -> None:
        text, status1, detail = _core.ioworker_failure(self)
        level = _script_level()
        sct, sc = status1 >> 9 & 7, status1 >> 1 & 0xFF
        if sct or sc:
            miscompare: Any = _core.ioworker_miscompare(self)
            if miscompare is not None:
                from nvme.forensics import report

                detail += report(miscompare)
            warnings.warn(
                f"ioworker device respond an ERROR status: {sct:02x}/{sc:02x}"
                + (f": {detail}" if sct == 7 else ""),
                UserWarning,
                stacklevel=level,
            )
        if error != 0:
            _log.error("to replay the IOWorker: %s", self.replay)
            reason = f": {detail}" if error == _INIT_FAIL and detail else ""
            warnings.warn(
                f"ioworker host ERROR {error}: {text}{reason}", UserWarning, stacklevel=level
            )


def _script_level() -> int:
    frame = sys._getframe(1)
    level = 1
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("nvme."):
        frame = frame.f_back
        level += 1
    return level


def _is(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


def _shown(name: str, value: Any) -> str:
    if hasattr(value, "tolist"):
        value = value.tolist()  # numpy's texts are no Python
    shown = repr(value)
    return shown if len(shown) <= _LONGEST_ARGUMENT else name


def _output(name: str, outputs: dict[str, Any], kind: type) -> Any:
    value = outputs[name]
    if value is not None and not isinstance(value, kind):
        raise ArgumentTypeError(f"{name} must be a {kind.__name__}, not {type(value).__name__}")
    return value


def _integer(name: str, value: Any) -> int:
    return integer(name, value, -(2**63), 2**63 - 1)


def _optional_integer(name: str, value: Any) -> int | None:
    return None if value is None else _integer(name, value)


def _integers(name: str, values: Any) -> list[int]:
    if values is None:
        return []
    if not isinstance(values, Iterable) or isinstance(values, str | bytes):
        raise ArgumentTypeError(f"{name} must be a list of integers, not {type(values).__name__}")
    return [_integer(name, value) for value in values]


def _sections(distribution: Any) -> list[int]:
    counts = _integers("distribution", distribution)
    if distribution is not None and not counts:
        raise ArgumentError("distribution has 0 values, must have 100")
    return counts


def _sizes(io_size: Any) -> list[tuple[int, int]]:
    if isinstance(io_size, Mapping):
        return [(_integer("io_size", n), _integer("io_size", r)) for n, r in io_size.items()]
    if _is_list(io_size):
        # A size that is listed twice comes twice as often.
        return list(Counter(_integers("io_size", io_size)).items())
    return [(_integer("io_size", io_size), 1)]


def _aligns(lba_align: Any) -> list[int]:
    if lba_align is None:
        return []
    if _is_list(lba_align):
        return _integers("lba_align", lba_align)
    return [_integer("lba_align", lba_align)]


def _percentage(name: str, value: Any) -> int:
    kind = getattr(getattr(value, "dtype", None), "kind", "")
    if isinstance(value, bool) or kind == "b":  # numpy's is no bool
        return 100 if value else 0
    return _integer(name, value)


def _opcodes(op_percentage: Any) -> list[tuple[int, int]]:
    if op_percentage is None:
        return []
    if not isinstance(op_percentage, dict):
        raise ArgumentTypeError("op_percentage must be a dict {opcode: per cent}")
    if not op_percentage:
        raise ArgumentError("op_percentage names no opcode; None is for read_percentage")
    mix = []
    for opcode, percent in op_percentage.items():
        if not 0 <= _integer("an opcode of op_percentage", opcode) <= 0xFF:
            raise ArgumentError(f"op_percentage: opcode {opcode!r} is not in 0..255")
        mix.append((int(opcode), _integer("op_percentage", percent)))
    return mix


_IO = (("time_us", 64), ("opcode", 8), ("slba", 64), ("nlb", 32))


def _sequence(io_sequence: Any) -> list[Any]:
    if io_sequence is None:
        return []
    if not _is_list(io_sequence):
        raise ArgumentTypeError(
            "io_sequence must be a list of (time_us, opcode, slba, nlb), "
            f"not {type(io_sequence).__name__}"
        )
    ios: list[Any] = []
    for index, io in enumerate(io_sequence):
        if not _is_list(io) or len(io) != len(_IO):
            raise ArgumentError(
                f"io_sequence[{index}] must be (time_us, opcode, slba, nlb), not {io!r}"
            )
        ios.append(
            tuple(
                integer(f"io_sequence[{index}]: {name}", value, 0, (1 << bits) - 1)
                for (name, bits), value in zip(_IO, io, strict=True)
            )
        )
    return ios


def _is_list(value: Any) -> bool:
    return (
        isinstance(value, Iterable)
        and not isinstance(value, str | bytes | Mapping)
        and not is_integer(value)
    )
