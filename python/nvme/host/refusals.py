# How setup and reset end when they do not succeed; the exit codes are decided here, once.
"""Outcomes of handing a device over that are no success."""

from __future__ import annotations

from collections.abc import Sequence

EXIT_DONE = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_REFUSED = 3


class HostError(Exception):
    """Something could not be done; the text says what, why, and what to do."""

    exit_code = EXIT_FAILED


class RefusedError(HostError):
    """It was not begun: nothing was changed."""

    exit_code = EXIT_REFUSED


class InUseError(RefusedError):
    """A device is in use. `uses` are pairs of a sentence and the way out."""

    def __init__(self, address: str, uses: Sequence[tuple[str, str]], last: str) -> None:
        lines = [f"{address} is in use, and stays as it is:"]
        for text, remedy in uses:
            lines += [f"  - {text}", f"    ({remedy})"]
        super().__init__("\n".join([*lines, *([last] if last else [])]))


class FailedError(HostError):
    """It was begun and did not succeed; the text says how things stand now."""
