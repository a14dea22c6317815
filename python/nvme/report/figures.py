# Figures of the report as inline SVG. Without pyplot: no window system, no state of the process
# changed.
"""Figures: IOPS per second and the latency distribution."""

import io
import re
from collections.abc import Mapping, Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

_SIZE_INCHES = (7.2, 3.0)


def _axes(x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(visible=True, color="#d8dde3", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _svg(figure: Figure) -> str:
    text = io.StringIO()
    # Text stays text: smaller, searchable, and drawn in the page's own font.
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", text.getvalue(), flags=re.DOTALL)
    return svg[svg.index("<svg") :]


def iops_per_second(series: Mapping[str, Sequence[int]]) -> str:
    """One line for each workload: IOs completed in each second."""
    figure, axes = _axes("second", "thousand IO/s")
    for name, counts in series.items():
        seconds = range(1, len(counts) + 1)
        axes.plot(seconds, [count / 1000 for count in counts], marker="o", markersize=3, label=name)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(frameon=False, fontsize="small")
    return _svg(figure)


def latency_distribution(series: Mapping[str, Sequence[int]]) -> str:
    """One curve for each workload: share of IOs that took x or longer, both axes logarithmic.

    Each series counts the IOs that took 0, 1, 2, ... whole microseconds.
    """
    figure, axes = _axes("latency, us", "share of IOs that took as long")
    for name, counts in series.items():
        left = total = sum(counts)
        x, y = [], []
        for latency_us, count in enumerate(counts):
            if count != 0:
                x.append(max(latency_us, 0.5))  # a logarithmic axis has no 0
                y.append(left / total)
                left -= count
        axes.step(x, y, where="pre", label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(
        lambda share, _: f"{share:.0%}" if share >= 0.01 else f"{share * 100:g}%"
    )
    axes.legend(frameon=False, fontsize="small")
    return _svg(figure)
