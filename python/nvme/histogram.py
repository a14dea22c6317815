# What an IOWorker measured, value by value: the C++ histogram, and the formats of other tools.
"""Latency histograms."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

from nvme import _core

# Of the interchange format of HdrHistogram, version 2: the low byte says that counts are zig-zag
# LEB128 numbers of 64 bits.
_V2_COOKIE = 0x1C849303 | 0x10
_V2_COMPRESSED_COOKIE = 0x1C849304 | 0x10
# Two significant digits: 128 linear buckets for each power of two. They are our own buckets.
_SIGNIFICANT_DIGITS = 2
_HIGHEST = 2**63 - 1


class Histogram(_core.LatencyHistogram):
    """Latencies of any length, each kept to better than 1 %: part of the result of an IOWorker.

    `count`, `min_us`, `average_us`, `max_us` (these three exact) and `percentile_us(percent)`.
    `counts` and `bounds_ns` are numpy arrays without a copy: how many latencies are in each bucket,
    and the lowest one that goes there, in nanoseconds. Histograms of several workers add up.

    >>> import nvme as d
    >>> nvme0 = d.Controller("sim")
    >>> nvme0n1 = d.Namespace(nvme0)
    >>> workers = [nvme0n1.ioworker(io_size=8, io_count=100).start() for _ in range(2)]
    >>> first, second = [worker.close().latency for worker in workers]
    >>> both = first + second
    >>> both.count, int(both.counts.sum())
    (200, 200)
    >>> both.min_us <= both.percentile_us(99.9) <= both.max_us
    True
    >>> nvme0.close()
    """

    def __add__(self, other: Histogram) -> Histogram:
        both = Histogram(self)
        both.merge(other)
        return both

    def __radd__(self, other: Histogram | int) -> Histogram:
        return self if other == 0 else NotImplemented  # sum() begins with 0

    def __repr__(self) -> str:
        return (
            f"<Histogram of {self.count}: min {self.min_us:.1f}, average {self.average_us:.1f}, "
            f"max {self.max_us:.1f} us>"
        )

    def hdr(self) -> str:
        """All of it in the compressed and base64-coded form of HdrHistogram's logs, version 2.

        Values are nanoseconds; two significant digits.

        >>> import nvme as d
        >>> nvme0 = d.Controller("sim")
        >>> r = d.Namespace(nvme0).ioworker(io_size=8, io_count=100).start().close()
        >>> r.latency.hdr()[:7]
        'HISTFAA'
        >>> nvme0.close()
        """
        packed = zlib.compress(hdr_payload(self.counts.tolist()))
        return base64.b64encode(
            struct.pack(">ii", _V2_COMPRESSED_COOKIE, len(packed)) + packed
        ).decode()

    def write_hdr_log(self, path: str | Path, seconds: float = 0, tag: str | None = None) -> None:
        """Write a log of one interval that the tools of HdrHistogram read.

        Args:
            path: the file, replaced when it exists
            seconds: the length of the interval
            tag: the name of the line, without commas and spaces

        >>> import nvme as d, pathlib, tempfile
        >>> nvme0 = d.Controller("sim")
        >>> r = d.Namespace(nvme0).ioworker(io_size=8, io_count=100).start().close()
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "latency.hlog"
        >>> r.latency.write_hdr_log(path, seconds=r.mseconds / 1000, tag="read")
        >>> path.read_text().splitlines()[0]
        '#[Histogram log format version 1.3]'
        >>> nvme0.close()
        """
        name = "" if tag is None else f"Tag={tag},"
        Path(path).write_text(
            "#[Histogram log format version 1.3]\n"
            "#[Latencies in nanoseconds]\n"
            '"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"\n'
            f"{name}0.000,{seconds:.3f},{self.max_us / 1000:.3f},{self.hdr()}\n",
            encoding="ascii",
        )


def hdr_payload(counts: Iterable[int]) -> bytes:
    """HdrHistogram's form of these counts before its compression.

    >>> from nvme.histogram import hdr_payload
    >>> hdr_payload([0, 0, 300]).hex()[80:]
    '03d804'
    """
    runs = _zig_zag_runs(counts)
    return (
        struct.pack(">iiiiqqd", _V2_COOKIE, len(runs), 0, _SIGNIFICANT_DIGITS, 1, _HIGHEST, 1.0)
        + runs
    )


def _zig_zag_runs(counts: Iterable[int]) -> bytes:
    """Counts up to the last one that is not 0; n zeroes in a row are the number -n."""
    coded = bytearray()
    zeroes = 0
    for count in counts:
        if count == 0:
            zeroes += 1
            continue
        if zeroes:
            _leb128(coded, 2 * zeroes - 1)
            zeroes = 0
        _leb128(coded, 2 * count)
    return bytes(coded)


def _leb128(coded: bytearray, value: int) -> None:
    # Seven bits a byte, the lowest first; a ninth byte has eight.
    for _ in range(8):
        if value < 0x80:
            coded.append(value)
            return
        coded.append(value & 0x7F | 0x80)
        value >>= 7
    coded.append(value)
