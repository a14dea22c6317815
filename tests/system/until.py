"""Waiting for what another thread, process or device does."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

LIMIT_S = 60
Found = TypeVar("Found")


def until(condition: Callable[[], Found]) -> Found:
    """Until it holds; what it returned then."""
    end = time.monotonic() + LIMIT_S
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {LIMIT_S} s"
        time.sleep(0.001)
    return found
