"""`pynvme bench`: how fast the driver and the embedded SSD are on this machine.

Every figure is measured `runs` times, the benchmarks taking turns, so that a drift of the machine's
speed meets all of them alike; the median is what counts.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

import nvme

MIB = 1 << 20
LBA_BYTES = 512
IO_LBAS = 4096 // LBA_BYTES
NULL_LOOP = Path(__file__).absolute().parents[2] / "bench" / "pynvme_null_loop"


class Figure(TypedDict):
    """One line of the result: the median of `runs`."""

    name: str
    value: float
    unit: str
    runs: list[float]


class Bed:
    """An SSD without latency model, its first GiB written by IOWorkers; an embedded one of its own,
    or what is served at an address."""

    def __init__(self, seconds: float, address: str = "", written: int = 1024 * MIB) -> None:
        self.seconds = seconds
        self.ssd = address or nvme.Ssd(latency=0, capacity="4GiB")
        self.nvme0 = nvme.Controller(self.ssd)
        self.nvme0n1 = nvme.Namespace(self.nvme0)
        self.qpair = nvme.Qpair(self.nvme0, 64)
        self.nvme0n1.ioworker(
            io_size=128,
            lba_random=False,
            read_percentage=0,
            qdepth=32,
            region_end=written // LBA_BYTES,
        ).start().close()

    def close(self) -> None:
        self.qpair.delete()
        self.nvme0n1.close()

    def io4k(
        self,
        region_bytes: int,
        verify: bool = False,
        read_percentage: int = 100,
        outputs: Callable[[], dict[str, Any]] = dict,
        qdepth: int = 32,
    ) -> float:
        """4 KiB random IOs a second of one IOWorker."""
        self.nvme0n1.verify_enable(verify)
        result = (
            self.nvme0n1.ioworker(
                io_size=IO_LBAS,
                lba_align=IO_LBAS,
                lba_random=True,
                read_percentage=read_percentage,
                qdepth=qdepth,
                region_end=region_bytes // LBA_BYTES,
                time=self.seconds,
                **outputs(),
            )
            .start()
            .close()
        )
        self.nvme0n1.verify_enable(False)
        if result.error != 0:
            raise RuntimeError(f"the IOWorker of the benchmark ended with error {result.error}")
        return float((result.io_count_read + result.io_count_nonread) * 1000 / result.mseconds)

    def worker_memory(self) -> float:
        """KiB of host memory that one more IOWorker takes, depth 32, all outputs."""
        count = 8
        before = own_kib()
        workers = [
            self.nvme0n1.ioworker(
                io_size=IO_LBAS,
                qdepth=32,
                region_end=64 * MIB // LBA_BYTES,
                iops=5000,
                time=self.seconds + 1,
                **all_outputs(),
            ).start()
            for _ in range(count)
        ]
        time.sleep(self.seconds)
        taken = own_kib() - before
        for worker in workers:
            if worker.close().error != 0:
                raise RuntimeError("an IOWorker of the benchmark ended with an error")
        return taken / count

    def verify_memory(self) -> float:
        """MiB of host memory that a million verified LBAs take."""
        ssd = nvme.Ssd(latency=0, capacity="4GiB")
        nvme0 = nvme.Controller(ssd)
        qpair = nvme.Qpair(nvme0, 8)
        step, count = 1 << 16, 4 * MIB >> 16
        taken = 0
        # Zeroed LBAs are remembered as written ones are. What the SSD itself needs for them it has
        # after the first time, when one LBA is verified; the second time all are.
        for verified in (1, 0):
            nvme0n1 = nvme.Namespace(nvme0, 1, verified)
            before = own_kib()
            for number in range(count):
                nvme0n1.write_zeroes(qpair, number * step, step).waitdone()
            taken = own_kib() - before
            nvme0n1.close()
        qpair.delete()
        return taken / 1024 / (count * step / 1e6)

    def python_read(self) -> float:
        """Microseconds for one 4 KiB read from Python, to its completion."""
        read, qpair = self.nvme0n1.read, self.qpair
        buf = nvme.Buffer(4096)
        lbas = range(0, 64 * MIB // LBA_BYTES, IO_LBAS)
        count = 0
        end = time.perf_counter() + self.seconds
        start = now = time.perf_counter()
        while now < end:
            for lba in lbas:
                read(qpair, buf, lba, IO_LBAS).waitdone()
            count += len(lbas)
            now = time.perf_counter()
        return (now - start) * 1e6 / count


class Served:
    """An SSD like the Bed's, in a process of its own, its first 64 MiB written; over vfio-user, or
    over NVMe/TCP on loopback."""

    def __init__(self, seconds: float, tcp: bool = False) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="pynvme-bench-")
        path = Path(self._folder.name) / "ssd.sock"
        door = ["--tcp", "127.0.0.1:0"] if tcp else ["--socket", str(path)]
        options = "sim:latency=0,capacity=4GiB"
        self._server = subprocess.Popen(
            [sys.executable, "-m", "nvme.cli", "serve", *door, "--dut", options],
            stdout=subprocess.PIPE,
            text=True,
        )
        # IOWorkers of this process take the first CPU that they may use; a server on that one would
        # have it only while they wait.
        cpus = sorted(os.sched_getaffinity(0))
        if tcp and len(cpus) > 1:
            os.sched_setaffinity(self._server.pid, cpus[1:])
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        if not line.startswith("serving"):
            raise RuntimeError("the server of the benchmark did not start")
        self.bed = Bed(seconds, line.split()[-1], 64 * MIB)

    def close(self) -> None:
        self.bed.close()
        self.bed.nvme0.close()
        self._server.terminate()
        self._server.communicate()
        self._folder.cleanup()


class VfioUser:
    """4 KiB random reads at depth 32 over 64 MiB: through a socket, and in this process."""

    def __init__(self, bed: Bed) -> None:
        self._bed = bed
        self._served: Served | None = None

    def iops(self) -> float:
        """Through the socket."""
        if self._served is None:
            self._served = Served(self._bed.seconds)
        return self._served.bed.io4k(64 * MIB)

    def ratio(self) -> float:
        """The same for each IO of the SSD in this process, measured right after."""
        return self.iops() / self._bed.io4k(64 * MIB)

    def close(self) -> None:
        if self._served is not None:
            self._served.close()


class NvmeTcp:
    """4 KiB random reads over 64 MiB, from a target in another process, over loopback."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._served: Served | None = None

    def iops(self, qdepth: int) -> float:
        """Through one connection."""
        if self._served is None:
            self._served = Served(self._seconds, tcp=True)
        return self._served.bed.io4k(64 * MIB, qdepth=qdepth)

    def close(self) -> None:
        if self._served is not None:
            self._served.close()


def own_kib() -> int:
    """KiB of memory that this process alone has written to."""
    smaps = Path("/proc/self/smaps_rollup").read_text()
    return int(smaps.partition("Private_Dirty:")[2].split()[0])


def all_outputs() -> dict[str, Any]:
    """Everything that an IOWorker can be asked to report."""
    return {
        "output_io_per_second": [],
        "output_percentile_latency": dict.fromkeys([50, 99, 99.9, 99.99, 99.99999]),
        "output_cmdlog_list": [None] * 1000,
    }


def null_loop(seconds: float) -> float:
    """Commands a second of the driver's loop on a device without data."""
    run = subprocess.run(
        [NULL_LOOP, str(seconds)], check=True, capture_output=True, text=True, timeout=seconds + 60
    )
    return float(run.stdout)


@dataclass
class Benchmark:
    name: str
    unit: str
    what: str
    run: Callable[[], float]
    runs: list[float] = field(default_factory=list)

    def figure(self) -> Figure:
        return {
            "name": self.name,
            "value": statistics.median(self.runs),
            "unit": self.unit,
            "runs": self.runs,
        }


def benchmarks(bed: Bed, vfio_user: VfioUser, nvme_tcp: NvmeTcp) -> list[Benchmark]:
    """All that can be measured here."""
    found = [
        Benchmark(
            "read4k_iops",
            "IO/s",
            "4 KiB random reads over 64 MiB",
            lambda: bed.io4k(64 * MIB),
        ),
        Benchmark(
            "read4k_verify_iops",
            "IO/s",
            "the same, all data verified",
            lambda: bed.io4k(64 * MIB, verify=True),
        ),
        Benchmark(
            "read4k_1g_iops",
            "IO/s",
            "4 KiB random reads over 1 GiB",
            lambda: bed.io4k(1024 * MIB),
        ),
        *(
            Benchmark(
                f"{name}_all_{switch}_iops",
                "IO/s",
                f"{what} over 1 GiB, all checks and outputs {switch}",
                partial(
                    bed.io4k,
                    1024 * MIB,
                    verify=switch == "on",
                    read_percentage=read_percentage,
                    outputs=all_outputs if switch == "on" else dict,
                ),
            )
            for name, what, read_percentage in (
                ("read4k", "4 KiB random reads", 100),
                ("mixed4k", "4 KiB random, 70 % reads", 70),
            )
            for switch in ("on", "off")
        ),
        Benchmark(
            "vfio_user_read4k_qd32_iops",
            "IO/s",
            "as read4k_iops, the SSD in another process over vfio-user",
            vfio_user.iops,
        ),
        Benchmark(
            "vfio_user_read4k_qd32_ratio",
            "",
            "the same for each IO in this process, measured in turns",
            vfio_user.ratio,
        ),
        Benchmark(
            "tcp4k_qd1_us",
            "us",
            "one 4 KiB read of an IOWorker at depth 1, over NVMe/TCP on loopback",
            lambda: 1e6 / nvme_tcp.iops(1),
        ),
        *(
            Benchmark(
                f"tcp4k_qd{qdepth}_iops",
                "IO/s",
                f"4 KiB random reads at depth {qdepth}, over NVMe/TCP on loopback",
                partial(nvme_tcp.iops, qdepth),
            )
            for qdepth in (32, 128)
        ),
        Benchmark("python_read_us", "us", "one 4 KiB read from Python", bed.python_read),
        Benchmark(
            "worker_memory_kib",
            "KiB",
            "host memory of one IOWorker at depth 32, 4 KiB",
            bed.worker_memory,
        ),
        Benchmark(
            "verify_memory_mib",
            "MiB",
            "host memory of a million verified LBAs",
            bed.verify_memory,
        ),
    ]
    if NULL_LOOP.exists():
        found.insert(
            0,
            Benchmark(
                "loop_null_iops",
                "IO/s",
                "the driver's loop, no data",
                lambda: null_loop(bed.seconds),
            ),
        )
    return found


def _progress(text: str) -> None:
    if sys.stdout.isatty():
        print(f"\r\033[K{text}", end="", flush=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `pynvme bench`."""
    parser.add_argument("--json", metavar="FILE", help="write the figures to FILE as well")
    parser.add_argument("--runs", type=int, default=5, help="measurements a figure (default: 5)")
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="time of one measurement (default: 1)"
    )
    parser.add_argument("--only", metavar="NAME", action="append", help="this figure; repeatable")


def run(args: argparse.Namespace) -> int:
    """Measures, prints a line a figure, and writes the JSON file."""
    bed = Bed(args.seconds)
    vfio_user = VfioUser(bed)
    nvme_tcp = NvmeTcp(args.seconds)
    chosen = benchmarks(bed, vfio_user, nvme_tcp)
    if not NULL_LOOP.exists():
        print("loop_null_iops is left out: it needs the source tree (./pynvme bench)")
    if args.only:
        names = [benchmark.name for benchmark in chosen]
        unknown = sorted(set(args.only) - set(names))
        if unknown:
            print(f"no such figure: {', '.join(unknown)}; there are {', '.join(names)}")
            return 2
        chosen = [benchmark for benchmark in chosen if benchmark.name in args.only]
    for turn in range(args.runs):
        for benchmark in chosen:
            _progress(f"  run {turn + 1} of {args.runs}: {benchmark.what}")
            benchmark.runs.append(benchmark.run())
    _progress("")
    for benchmark in chosen:
        figure = benchmark.figure()
        low, high = min(benchmark.runs), max(benchmark.runs)
        digits = 2 if figure["value"] < 1000 else 0
        print(
            f"{benchmark.name:27} {figure['value']:>14,.{digits}f} {benchmark.unit:5}"
            f"{low:>14,.{digits}f} to {high:,.{digits}f}   {benchmark.what}"
        )
    if args.json:
        Path(args.json).write_text(
            json.dumps([benchmark.figure() for benchmark in chosen], indent=2) + "\n"
        )
    nvme_tcp.close()
    vfio_user.close()
    bed.close()
    return 0
