"""Each fault, planted once in an IOWorker run with everything verified: what is found, and where.

`python tests/system/fault_table.py 10000000` runs all of it with 10 million IOs a fault and prints
the table; `... clean 100000000` verifies so many IOs on an SSD without a fault.
"""

from __future__ import annotations

import logging
import re
import sys
import time
import warnings
from dataclasses import dataclass, field

import nvme as d

NLB = 8
TIMEOUT_MS = 300  # where it is waited for
READ_PERCENTAGE = 70
SEED = 20_000
LATE_US = 100_000


@dataclass
class Case:
    """A fault, and what has to be said of it."""

    name: str
    opcode: str
    action: str
    # One of these: what wrong data are classified as; of completions, what is said of them.
    says: tuple[str, ...]
    kind: str = "data"  # or "command", "completion", "latency"


CASES = [
    Case("a bit flips in what is read", "read", "flip", ("bit_flips",)),
    Case("3 bits flip in what is written", "write", "flip:bits=3", ("bit_flips",)),
    Case("a bit flips on the media", "write", "flip:where=media", ("bit_flips",)),
    Case("zeroes are read", "read", "zeroes", ("zeroes",)),
    Case("zeroes are written", "write", "zeroes", ("zeroes",)),
    Case("a write is dropped", "write", "drop", ("stale",)),
    Case("a write goes to other LBAs", "write", "misdirect", ("stale", "misdirected")),
    Case("other LBAs are read", "read", "misdirect", ("misdirected",)),
    Case("a write is torn within an LBA", "write", "tear:first_bytes=1234", ("torn", "stale")),
    Case("a write is torn between LBAs", "write", "tear:last=3", ("torn", "stale")),
    Case("old data are read", "read", "stale", ("stale",)),
    Case("another namespace is read", "read", "other_namespace", ("other_namespace",)),
    Case("a write goes to another namespace", "write", "other_namespace", ("stale",)),
    Case("read data arrive elsewhere", "read", "dma:address=1", ("misdirected", "stale", "zeroes")),
    Case("a completion is late", "read", f"delay:us={LATE_US}", ("latency",), "latency"),
    Case("a completion is lost", "read", "swallow", ("was not completed",), "command"),
    Case(
        "a completion comes twice",
        "read",
        "duplicate",
        # The latter when it is taken for that of the next command with the CID.
        ("second time", "misdirected", "stale"),
        "completion",
    ),
    Case("a completion has another CID", "read", "mistag", ("never sent",), "command"),
    Case(
        "a completion has another SQID", "read", "mistag:sqid=9", ("another submission",), "command"
    ),
    Case("a completion has a wrong SQHD", "read", "mistag:sqhd=9999", ("SQ head",), "completion"),
    Case("a wrong status", "read", "status:sct=2,sc=0x81", ("02/81",), "command"),
    Case("a phase bit is not toggled", "read", "phase", ("phase bit",), "completion"),
    Case("an old completion appears", "read", "stale_completion", ("not outstanding",), "command"),
]


@dataclass
class Row:
    """What came of a case."""

    case: Case
    ios: int = 0
    seconds: float = 0
    fired: int = 0
    found: bool = False
    lba: int | None = None  # that was reported
    bad_lbas: list[int] = field(default_factory=list)  # all that were
    classification: str = ""
    lbas: list[range] = field(default_factory=list)  # that are wrong by the fault
    text: str = ""

    @property
    def lba_right(self) -> bool:
        """Whether the LBAs that were reported are some that the fault hit."""
        reported = self.bad_lbas or [self.lba]
        return all(any(lba in lbas for lbas in self.lbas) for lba in reported)

    @property
    def classified(self) -> str:
        """What it was called; of a completion the words of the case, when they were said."""
        said = next((word for word in self.case.says if word in self.text), "")
        if self.case.kind == "completion" and said:
            return said
        return self.classification or said or self.text

    @property
    def right(self) -> bool:
        """Whether it was found, where it is, and called what it is."""
        return (
            self.found
            and (self.case.kind not in ("data", "command") or self.lba_right)
            and (self.classified in self.case.says)
        )

    def markdown(self) -> str:
        """A line of the table."""
        found = "yes" if self.found else "no"
        lba = "-"
        if self.case.kind in ("data", "command"):
            lba = "right" if self.lba_right else "wrong"
        action = f"`{self.case.opcode}`, `{self.case.action}`"
        return f"| {self.case.name} | {action} | {found} | {lba} | {self.classified} |"


class Log(logging.Handler):
    """What the driver says of completions."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record):
        """Keep it."""
        self.lines.append(record.getMessage())


def region_of(ios):
    """LBAs of the load: every one is touched often."""
    return NLB * min(max(256, ios // 100), 16_384)


class Bench:
    """An SSD with two filled namespaces, for one case."""

    def __init__(self, ios, timeout_ms=60_000):
        self.region = region_of(ios)
        self.ssd = d.Ssd(capacity="256MiB", namespaces=2, latency=0)
        self.nvme0 = d.Controller(self.ssd)
        self.nvme0.timeout = timeout_ms
        self.spaces = [d.Namespace(self.nvme0, nsid) for nsid in (1, 2)]
        for space in self.spaces:
            space.verify_enable()
            self.run(space, lba_random=False, read_percentage=0)

    def run(self, space, **options):
        """The result of a worker on the region."""
        return space.ioworker(io_size=NLB, region_end=self.region, **options).start().close()

    def load(self, ios, plant=None):
        """Random reads and writes; then the fault, under one pass of writes and random reads.

        Nothing is written again after that pass, so what it spoils stays to be found: by the reads
        beside it, or by the pass of reads at the end. Returns the results of all workers.
        """
        space = self.spaces[0]
        mixed = ios * 9 // 10
        results = [self.run(space, read_percentage=READ_PERCENTAGE, io_count=mixed, qdepth=32)]
        writes = self.region // NLB
        reads = ios - mixed
        if plant is not None:
            plant(reads, writes)
        options = {"io_size": NLB, "region_end": self.region}
        writer = space.ioworker(**options, lba_random=False, read_percentage=0, qdepth=8)
        reader = space.ioworker(**options, io_count=reads, qdepth=32)
        with writer, reader:
            pass
        results += [writer.close(), reader.close()]
        if all(result.error == 0 for result in results):
            results.append(self.run(space, lba_random=False))
        return results

    def close(self):
        """Everything goes."""
        self.ssd.clear_faults()
        self.nvme0.close()
        self.ssd.unplug()


def wrong_lbas(fault):
    """Of the command that a fault hit, and of where it went instead."""
    lbas = []
    for hit in fault.commands:
        lbas.append(range(hit.slba, hit.slba + hit.nlb))
        if hit.to_lba is not None and hit.opcode == 1:
            lbas.append(range(hit.to_lba, hit.to_lba + hit.nlb))
    return lbas


def run_case(case, ios):
    """Plant the fault in the last tenth of the run, and see what is reported."""
    log = Log()
    logger = logging.getLogger("nvme")
    d.srand(SEED + CASES.index(case))
    bench = Bench(ios, TIMEOUT_MS if case.kind in ("command", "completion") else 60_000)
    elsewhere = d.Buffer(4096)
    action = case.action
    if action.startswith("dma"):
        action = f"dma:address={elsewhere.phys_addr}"
    faults = []

    def plant(reads, writes):
        nth = (reads if case.opcode == "read" else writes) // 2
        # It matches only where something older is known.
        nth = 20 if case.action == "stale" else nth
        faults.append(bench.ssd.fault({"opcode": case.opcode, "nsid": 1, "nth": nth}, action))

    row = Row(case, ios)
    d.forensics.clear()
    logger.addHandler(log)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            began = time.monotonic()
            results = bench.load(ios, plant)
            row.seconds = time.monotonic() - began
        row.fired, row.lbas = faults[0].fired, wrong_lbas(faults[0])
        failed = next((result for result in results if result.error != 0), None)
        detail = failed.detail if failed else ""
        row.text = " ".join([detail, *log.lines, *(str(one.message) for one in caught)]).strip()
        if case.kind == "latency":
            slowest = max(result.latency_max_us for result in results)
            row.found = slowest >= LATE_US
            row.text = f"latency_max_us is {slowest}"
        else:
            row.found = failed is not None or case.says[0] in row.text
        lba = re.search(r"LBA 0x([0-9a-f]+): ", detail) or re.search(r"LBA 0x([0-9a-f]+),", detail)
        row.lba = int(lba[1], 16) if lba else None
        if d.forensics.reports():
            report = d.forensics.reports()[0]
            row.lba, row.classification = report.lba, report.classification
            row.bad_lbas = [lba for one in d.forensics.reports() for lba in one.bad_lbas]
    finally:
        logger.removeHandler(log)
        bench.close()
    return row


def run_clean(ios):
    """Nothing is wrong: (results, seconds)."""
    d.srand(SEED)
    bench = Bench(ios)
    try:
        began = time.monotonic()
        return bench.load(ios), time.monotonic() - began
    finally:
        bench.close()


def main():
    """Print the table."""
    logging.getLogger("nvme").addHandler(logging.NullHandler())
    if sys.argv[1:2] == ["clean"]:
        results, seconds = run_clean(int(sys.argv[2]))
        done = sum(result.io_count_read + result.io_count_nonread for result in results)
        errors = [result.detail for result in results if result.error != 0]
        print(f"{done} IOs, every read verified, in {seconds:.0f} s: {errors or 'no error'}")
        return
    ios = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    print("| fault | planted as | found | LBA | classified as |\n| --- | --- | --- | --- | --- |")
    for case in CASES:
        row = run_case(case, ios)
        print(row.markdown(), flush=True)
        print(f"  {row.seconds:.1f} s, fired {row.fired}, {row.text[:200]}", file=sys.stderr)


if __name__ == "__main__":
    main()
