# One HTML report of a test session: facts of the device, steps, workloads and their figures. What a
# report looks like is in report.html.j2, its figures in figures.py, its terminal form in
# summary.py.
"""HTML reports that open without a network.

>>> from nvme.report import Report
>>> report = Report("Read test", {"model": "pynvme embedded SSD"})
>>> report.add_step("hello world", "written and read back")
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from nvme import _core
from nvme.report.summary import COLUMNS, render, row

__all__ = ["Report", "Step", "Workload", "saved"]

PERCENTILES = (50.0, 90.0, 99.0, 99.9, 99.99)

saved: list[Report] = []  # the reports of this process, for the terminal summary


@dataclass
class Step:
    """One thing that was done and how it ended; made by Report.add_step().

    >>> from nvme.report import Step
    >>> Step("hello world", "written and read back").passed
    True
    """

    name: str
    text: str
    passed: bool = True


@dataclass
class Workload:
    """Figures of one IOWorker, as its result has them. Latencies in microseconds.

    Args:
        name: what the report calls it
        io_count: IOs completed
        mseconds: length of the run in milliseconds
        io_bytes: bytes of an IO
        latency_average_us, latency_max_us: microseconds
        error: of the result, 0 for none
        percentile_latency_us: {percentile: microseconds}
        io_per_second: IOs of each second
        latency_distribution: IOs that took 0, 1, 2, ... microseconds

    >>> from nvme.report import Workload
    >>> Workload("random read", 500_000, 2000, 4096, 61.0, 140.5).iops
    250000.0
    """

    name: str
    io_count: int
    mseconds: int
    io_bytes: int
    latency_average_us: float
    latency_max_us: float
    error: int = 0
    percentile_latency_us: Mapping[float, float] = field(default_factory=dict)
    io_per_second: Sequence[int] = ()
    latency_distribution: Sequence[int] = ()  # IOs that took 0, 1, 2, ... microseconds

    @property
    def iops(self) -> float:
        """IOs completed in a second, over the whole run.

        >>> from nvme.report import Workload
        >>> Workload("random read", 500_000, 2000, 4096, 61.0, 140.5).iops
        250000.0
        """
        return self.io_count * 1000 / self.mseconds if self.mseconds else 0.0

    @property
    def bytes_per_second(self) -> float:
        """Bandwidth over the whole run, in bytes a second.

        >>> from nvme.report import Workload
        >>> Workload("random read", 500_000, 2000, 4096, 61.0, 140.5).bytes_per_second
        1024000000.0
        """
        return self.iops * self.io_bytes


class Report:
    """Collects what a session did and found, and writes it as one HTML file.

    Args:
        title: the heading
        device: facts of the device, {name: text}

    >>> from nvme.report import Report
    >>> report = Report("Read test", {"model": "pynvme embedded SSD"})
    >>> report.add_step("identify", "pynvme embedded SSD")
    """

    def __init__(self, title: str, device: Mapping[str, str]) -> None:
        self.title = title
        self.device = {name: _core.without_secrets(text) for name, text in device.items()}
        self.steps: list[Step] = []
        self.workloads: list[Workload] = []
        self.path: Path | None = None

    def add_step(self, name: str, text: str, passed: bool = True) -> None:
        """Note one thing that was done.

        Args:
            name: a few words
            text: what was found
            passed: how it ended

        >>> from nvme.report import Report
        >>> report = Report("Read test", {})
        >>> report.add_step("hello world", "written and read back")
        """
        self.steps.append(Step(name, text, passed))

    def add_workload(self, workload: Workload) -> None:
        """Add the figures of one IOWorker, a Workload.

        >>> from nvme.report import Report, Workload
        >>> report = Report("Read test", {})
        >>> report.add_workload(Workload("random read", 500_000, 2000, 4096, 61.0, 140.5))
        """
        self.workloads.append(workload)

    def save(self, path: str | Path) -> Path:
        """Write the report to `path`; folders are made as needed. Returns the absolute path.

        At the end of a pytest session its summary is printed on the terminal too.

        >>> import tempfile
        >>> from nvme.report import Report
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Report("Read test", {}).save(folder + "/read.html").name
        'read.html'
        """
        import jinja2

        from nvme.report import figures

        pictures = []
        per_second = {w.name: w.io_per_second for w in self.workloads if w.io_per_second}
        if per_second:
            pictures.append(("IOPS per second", figures.iops_per_second(per_second)))
        latency = {w.name: w.latency_distribution for w in self.workloads if w.latency_distribution}
        if latency:
            pictures.append(("Latency distribution", figures.latency_distribution(latency)))

        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("nvme.report", ""),
            autoescape=True,
            trim_blocks=True,
            undefined=jinja2.StrictUndefined,
        )
        html = environment.get_template("report.html.j2").render(
            report=self,
            created=datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S %Z"),
            version=metadata.version("pynvme"),
            columns=COLUMNS,
            rows=[row(workload) for workload in self.workloads],
            figures=pictures,
        )
        self.path = Path(path).absolute()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(html, encoding="utf-8")
        saved.append(self)
        return self.path

    def text(self, color: bool = False) -> str:
        """The summary for a terminal, with colours when `color` is true.

        >>> from nvme.report import Report
        >>> report = Report("Read test", {})
        >>> report.add_step("hello world", "written and read back")
        >>> "hello world" in report.text()
        True
        """
        return render(self, color)
