# What is made of a miscompare: the core says what the data turned out to be, here are the report
# object, its two files and the text of the warning. The page is in miscompare_page.py.
"""Miscompare forensics: what a read that does not match turned out to be.

While reads are checked (`verify_enable()`), each one that does not match makes a Report: what the
data are (`classification`), which write they are of, which was expected, and the last commands that
touched the LBA. `reports()` lists them, `last()` is the newest one. Each has two files, a JSON
artefact and a page for people, in `directory()`: with pytest below its temporary directory or in
`--miscompare-dir`, else in the directory that the environment variable PYNVME_MISCOMPARE_DIR names,
or in a new one for temporary files.

    >>> import nvme as d
    >>> nvme0 = d.Controller("sim")
    >>> nvme0n1, qpair = d.Namespace(nvme0), d.Qpair(nvme0, 16)
    >>> nvme0n1.verify_enable()
    True
    >>> buf = d.Buffer(512, ptype=32, pvalue=0x12345678)
    >>> qpair = nvme0n1.send_cmd(1, qpair, buf, cdw10=5)  # a raw write: no stamps
    >>> import warnings
    >>> with warnings.catch_warnings(record=True):
    ...     warnings.simplefilter("always")
    ...     cdw0 = nvme0n1.read(qpair, buf, 5).waitdone(2)
    >>> report = d.forensics.last()
    >>> report.classification, report.lba, report.page_path.suffix
    ('unstamped', 5, '.html')
    >>> nvme0.close()
"""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections import deque
from collections.abc import Callable
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from nvme import miscompare_page
from nvme.cmdlog import exported, wall_clock

__all__ = ["Report", "clear", "directory", "last", "reports", "set_directory"]

SCHEMA = "pynvme-miscompare-1"

_KEPT = 256  # reports
_FILES = 100  # reports with files, of one process
_KEYS = (
    "device", "nsid", "queue", "cid", "opcode", "command", "slba", "nlb", "lba_bytes", "lba",
    "bad_lbas", "classification", "certain", "text", "expected_state", "expected_crc", "got_crc",
    "found_write", "expected_write", "flips", "flipped_bits", "boundary_byte", "boundary_lba",
    "head_is_new", "shift", "expected_from",
)  # fmt: skip
_NEXT = {
    "stale": "see whether the expected write completed, and when: a write that the drive "
    "acknowledged was dropped, or an old copy was served (cache, mapping)",
    "lost": "see what made the write durable (Flush, FUA, shutdown): the drive acknowledged that "
    "and lost the data",
    "misdirected": "read the other LBA too: if it is stale, the write went astray; if it is right, "
    "the read did",
    "other_namespace": "read the same LBA of the other namespace: if it is stale, the write went "
    "astray; if it is right, the read did",
    "torn": "see what interrupted the write at this boundary, and whether AWUN/AWUPF promise that "
    "it is whole",
    "bit_flips": "read again: flips that move are of the transfer or of memory, flips that stay "
    "are of the media or of the write",
    "zeroes": "see whether a trim, Write Zeroes or format touched the LBA, or the write was "
    "dropped",
    "constant": "see whether the LBA was ever programmed: one byte repeated is erased or "
    "uninitialised memory",
    "shifted": "look at the transfer: offsets and lengths of data pointers, and of DMA",
    "compare_refused": "read these LBAs: that shows which of them is wrong, and what it holds",
    "unstamped": "write with Namespace.write(), which stamps, or switch the checking off for raw "
    "data",
    "garbage": "read again, and compare with the neighbours: these data were never sent",
}

_log = logging.getLogger("nvme")
_reports: deque[Report] = deque(maxlen=_KEPT)
_numbers = count(1)
_directory: Path | None = None
_find_directory: Callable[[], Path] | None = None


class Report:
    """One miscompare. Made by reads that do not match; see `nvme.forensics`.

    Attributes: `classification` ("stale", "lost", "misdirected", "other_namespace", "torn",
    "bit_flips", "zeroes", "constant", "shifted", "unstamped", "compare_refused",
    "garbage"), `certain` (False: the
    most likely one), `text` (one sentence), `next_step`; `device`, `nsid`, `queue`, `cid`,
    `command`, `slba`, `nlb` of the read; `lba`, the first LBA that is wrong, `bad_lbas`, all of
    this read; `found_write` and `expected_write`, dicts with lba, token, writer, queue, cid, slba,
    nlb and time_us, or None; `flips`, pairs (byte, mask), and `flipped_bits`; `boundary_byte` or
    `boundary_lba` where it is torn, and `head_is_new`; `shift` in bytes; `got` and `expected`
    (None: cannot be made again), the bytes of the LBA; `commands`, the last ones that touched it;
    `json_path` and `page_path`, None when no file was written.

    >>> import nvme as d
    >>> report = d.forensics.last()
    >>> report is None or report.classification in report.text or True
    True
    """

    def __init__(self, record: dict[str, Any]) -> None:
        self.classification: str = record["classification"]
        self.certain: bool = record["certain"]
        self.text: str = record["text"]
        self.next_step: str = _NEXT[self.classification]
        self.device: str = record["device"]
        self.nsid: int = record["nsid"]
        self.queue: int = record["queue"]
        self.cid: int = record["cid"]
        self.command: str = record["command"]
        self.slba: int = record["slba"]
        self.nlb: int = record["nlb"]
        self.lba: int = record["lba"]
        self.lba_bytes: int = record["lba_bytes"]
        self.bad_lbas: list[int] = record["bad_lbas"]
        self.found_write: dict[str, Any] | None = record["found_write"]
        self.expected_write: dict[str, Any] | None = record["expected_write"]
        self.flips: list[tuple[int, int]] = record["flips"]
        self.flipped_bits: int = record["flipped_bits"]
        self.boundary_byte: int | None = record["boundary_byte"]
        self.boundary_lba: int | None = record["boundary_lba"]
        self.head_is_new: bool = record["head_is_new"]
        self.shift: int = record["shift"]
        self.got: bytes = record["got"]
        self.expected: bytes | None = record["expected"]
        self.commands: list[dict[str, Any]] = record["commands"]
        self.time_us: float = record["time_us"]
        self.json_path: Path | None = None
        self.page_path: Path | None = None
        self.record = record

    def __repr__(self) -> str:
        return f"<Report {self.classification}, LBA {self.lba:#x} of {self.device}>"

    def to_json(self) -> dict[str, Any]:
        """The artefact as it is written; docs/miscompare.md has its schema.

        >>> import nvme as d
        >>> report = d.forensics.last()
        >>> report is None or report.to_json()["schema"]
        'pynvme-miscompare-1'
        """
        record = self.record
        old = record["old"]
        return {
            "schema": SCHEMA,
            "time": next(wall_clock([self.time_us], "%Y-%m-%dT%H:%M:%S.%f")),
            "time_us": self.time_us,
            **{key: record[key] for key in _KEYS},
            "next_step": self.next_step,
            "got": self.got.hex(),
            "expected": None if self.expected is None else self.expected.hex(),
            "old": None if old is None else old.hex(),
            "commands": [exported(command) for command in self.commands],
        }


def reports() -> list[Report]:
    """All miscompares of this process, oldest first; the newest 256 are kept.

    >>> import nvme as d
    >>> isinstance(d.forensics.reports(), list)
    True
    """
    return list(_reports)


def last() -> Report | None:
    """The newest miscompare, or None.

    >>> import nvme as d
    >>> report = d.forensics.last()
    """
    return _reports[-1] if _reports else None


def clear() -> None:
    """Forget the reports so far; their files stay.

    >>> import nvme as d
    >>> d.forensics.clear()
    >>> d.forensics.last()
    """
    _reports.clear()


def directory() -> Path:
    """Where the files of the next report go.

    >>> import nvme as d
    >>> d.forensics.directory().name != ""
    True
    """
    global _directory
    if _directory is None:
        named = os.environ.get("PYNVME_MISCOMPARE_DIR")
        if named:
            _directory = Path(named)
        elif _find_directory is not None:
            _directory = _find_directory()
        else:
            _directory = Path(tempfile.gettempdir()) / f"pynvme-miscompare-{os.getpid()}"
    return _directory


def set_directory(path: str | os.PathLike[str] | Callable[[], Path]) -> None:
    """Write the files of later reports there; it is made when the first one comes.

    Args:
        path: a directory, or a function that returns one when it is needed

    >>> import nvme as d
    >>> before = d.forensics.directory()
    >>> d.forensics.set_directory("/tmp/miscompares")
    >>> d.forensics.directory().name
    'miscompares'
    >>> d.forensics.set_directory(before)
    """
    global _directory, _find_directory
    if callable(path):
        _directory, _find_directory = None, path
    else:
        _directory, _find_directory = Path(path), None


def report(record: dict[str, Any]) -> str:
    """Make the report of a record of the core; returns what it adds to the warning."""
    made = Report(record)
    number = next(_numbers)
    if number <= _FILES:
        _write(made, number)
    _reports.append(made)
    what = made.text.partition(": ")[2]
    where = f"{made.device}, namespace {made.nsid}, queue {made.queue}, CID {made.cid}"
    seen = f"; see {made.page_path} and .json" if made.page_path is not None else ""
    named = made.classification in what.partition(":")[0]
    label = "" if named else f"{made.classification}: "
    return f"; {label}{what} [{where}]{seen}; next: {made.next_step}"


def _write(made: Report, number: int) -> None:
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    stem = f"{stamp}-{os.getpid()}-{number:03d}-{made.classification}-lba-{made.lba:#x}"
    try:
        folder = directory()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{stem}.json").write_text(json.dumps(made.to_json(), indent=1) + "\n")
        made.json_path = folder / f"{stem}.json"
        (folder / f"{stem}.html").write_text(miscompare_page.page(made), encoding="utf-8")
        made.page_path = folder / f"{stem}.html"
    except OSError as error:
        _log.warning("no files for the miscompare of LBA %#x: %s", made.lba, error)
