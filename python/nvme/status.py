# The warning of a failed command, for commands that Python code of the package sends and waits for
# itself.
"""Status of completions."""

import sys
import warnings


def warn_of(status1: int) -> bool:
    """Warn as waitdone() does when the status is an error; True when it is.

    The warning names the line of the script, the nearest one outside of the package.
    """
    sct, sc = status1 >> 9 & 7, status1 >> 1 & 0xFF
    if sct == 0 and sc == 0:
        return False
    level = 1
    frame = sys._getframe(0)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("nvme."):
        frame = frame.f_back
        level += 1
    warnings.warn(f"ERROR status: {sct:02x}/{sc:02x}", UserWarning, stacklevel=level)
    return True
