# The line that shows what IOWorkers do while they do it. For people at a terminal only: everywhere
# else nothing is started and nothing is written. A thread of its own, so that it shows while the
# script waits, sleeps or works.
"""A terminal line of the IOWorkers that are at work."""

from __future__ import annotations

import atexit
import sys
import threading
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

    from nvme.ioworker import IOWorker

# Shorter work needs no line.
_SHOW_AFTER_S = 2.0
_PERIOD_S = 0.5


class _Line:
    """The workers that are shown, and the thread that shows them."""

    def __init__(self) -> None:
        self._workers: WeakSet[IOWorker] = WeakSet()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._show, name="ioworker-line", daemon=True)

    def add(self, worker: IOWorker) -> None:
        self._workers.add(worker)
        if not self._thread.is_alive():
            self._over.clear()
            self._thread = threading.Thread(target=self._show, name="ioworker-line", daemon=True)
            self._thread.start()

    def remove(self, worker: IOWorker) -> None:
        self._workers.discard(worker)
        if not self._workers:
            self.stop()

    def stop(self) -> None:
        """The line is gone when this returns, so that the script can go on writing."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def _show(self) -> None:
        live: Live | None = None
        while not self._over.wait(_PERIOD_S):
            running = [worker for worker in list(self._workers) if worker.progress().running]
            line = text(running)
            if not running:
                break
            del running  # no worker is kept for the line
            if line:
                live = live or _start()
                live.update(_one_line(line), refresh=True)
        if live is not None:
            live.stop()


def _one_line(line: str) -> Text:
    from rich.text import Text

    return Text(line, no_wrap=True, overflow="ellipsis")


def _start() -> Live:
    from rich.console import Console
    from rich.live import Live

    # A console of its own: scripts may have a display of rich at the same time. What they print
    # goes above the line, if it goes to the terminal at all.
    live = Live(
        console=Console(stderr=True, highlight=False),
        auto_refresh=False,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),
        vertical_overflow="crop",
    )
    live.start()
    return live


def text(workers: list[IOWorker]) -> str:
    """What the line says of these workers; nothing before it is worth it."""
    figures = [worker.progress() for worker in workers]
    seconds = max((worker.seconds for worker in figures), default=0)
    if seconds < _SHOW_AFTER_S:
        return ""
    counts = [worker.io_count_read + worker.io_count_nonread for worker in figures]
    total_us = sum(
        worker.latency_average_us * count for worker, count in zip(figures, counts, strict=True)
    )
    name = "1 IOWorker" if len(figures) == 1 else f"{len(figures)} IOWorkers"
    return (
        f"{name}: {seconds:.0f} s, {sum(worker.iops for worker in figures):,} IOPS, "
        f"{sum(counts):,} IOs, latency {total_us / max(sum(counts), 1):.0f} us, "
        f"max {max(worker.latency_max_us for worker in figures):.0f} us"
    )


_line: _Line | None = None


def watch(worker: IOWorker, waiting: bool = False) -> None:
    """Show this worker from now on, if standard error is a terminal.

    At the interpreter's prompt, where somebody types, only while the script is `waiting` for it.
    """
    global _line
    if not sys.stderr.isatty() or (hasattr(sys, "ps1") and not waiting):
        return
    if _line is None:
        _line = _Line()
        atexit.register(_line.stop)
    _line.add(worker)


def forget(worker: IOWorker) -> None:
    """The worker is over; the line goes with the last one."""
    if _line is not None:
        _line.remove(worker)
