# The report's workload table, once for the page and once for the terminal: same columns, same
# cells.
"""Summary table of a report."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nvme.report import Report, Workload

COLUMNS = ("workload", "IOs", "IOPS", "MB/s", "average", "50%", "99%", "99.9%", "max", "errors")


def _us(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def row(workload: Workload) -> tuple[str, ...]:
    """The cells of one workload, in the order of COLUMNS."""
    percentile = workload.percentile_latency_us
    return (
        workload.name,
        f"{workload.io_count:,}",
        f"{workload.iops:,.0f}",
        f"{workload.bytes_per_second / 1e6:,.1f}",
        _us(workload.latency_average_us),
        *(_us(percentile.get(p)) for p in (50, 99, 99.9)),
        _us(workload.latency_max_us),
        "none" if workload.error == 0 else str(workload.error),
    )


def render(report: Report, color: bool) -> str:
    """The whole summary as text for a terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    output = io.StringIO()
    console = Console(file=output, force_terminal=color, width=110, highlight=False)
    facts = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in report.device.items():
        facts.add_row(Text(name, style="dim"), Text(value))
    for step in report.steps:
        verdict = Text("passed", style="green") if step.passed else Text("FAILED", style="bold red")
        facts.add_row(Text(step.name, style="dim"), verdict + Text("  " + step.text))
    console.print(facts)
    if report.workloads:
        caption = "latency in microseconds"
        table = Table(box=box.SIMPLE_HEAD, caption=caption, caption_justify="left")
        for index, name in enumerate(COLUMNS):
            table.add_column(name, justify="left" if index == 0 else "right", no_wrap=True)
        for workload in report.workloads:
            table.add_row(*row(workload))
        console.print(table)
    if report.path is not None:
        console.print(Text("HTML report: ", style="bold") + Text(str(report.path)), soft_wrap=True)
    return output.getvalue().rstrip("\n")
