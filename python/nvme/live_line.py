# The line that shows what IOWorkers do while they do it. For people at a terminal only.
"""A terminal line of the IOWorkers that are at work."""

from __future__ import annotations

import atexit
import sys
import threading
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from rich.live import Live

    from nvme.ioworker import IOWorker

# Shorter work needs no line.
_SHOW_AFTER_S = 2.0
_LOCK = threading.Lock()
_workers: WeakSet[IOWorker] = WeakSet()
_live: Live | None = None


def watch(worker: IOWorker) -> None:
    """Show this worker from now on, if standard error is a terminal."""
    global _live
    if not sys.stderr.isatty():
        return
    with _LOCK:
        _workers.add(worker)
        if _live is not None:
            return
        from rich.console import Console
        from rich.live import Live
        from rich.text import Text

        # A console of its own: scripts may have a display of rich at the same time.
        _live = Live(
            console=Console(stderr=True),
            get_renderable=lambda: Text(text(), no_wrap=True, overflow="ellipsis"),
            refresh_per_second=2,
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
        )
        _live.start()
        atexit.register(_stop)


def forget(worker: IOWorker) -> None:
    """The worker is over; the line goes with the last one."""
    with _LOCK:
        _workers.discard(worker)
        if _workers:
            return
    _stop()


def text() -> str:
    """What the line says now; nothing before it is worth it."""
    figures = [worker.progress() for worker in list(_workers)]
    running = [worker for worker in figures if worker.running]
    seconds = max((worker.seconds for worker in running), default=0)
    if seconds < _SHOW_AFTER_S:
        return ""
    count = sum(worker.io_count_read + worker.io_count_nonread for worker in running)
    total_us = sum(
        worker.latency_average_us * (worker.io_count_read + worker.io_count_nonread)
        for worker in running
    )
    workers = "1 IOWorker" if len(running) == 1 else f"{len(running)} IOWorkers"
    return (
        f"{workers}: {seconds:.0f} s, {sum(worker.iops for worker in running):,} IOPS, "
        f"{count:,} IOs, latency {total_us / max(count, 1):.0f} us, "
        f"max {max(worker.latency_max_us for worker in running):.0f} us"
    )


def _stop() -> None:
    global _live
    with _LOCK:
        live, _live = _live, None
    if live is not None:
        live.stop()
        atexit.unregister(_stop)
