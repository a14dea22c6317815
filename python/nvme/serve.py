# `pynvme serve`: an embedded SSD that other programs use. Each way to reach it is an option and an
# entry of _DOORS; what is spoken there is C++.
"""Serve an embedded SSD to other programs."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from nvme import _core
from nvme.errors import NvmeEnumerateError

_LOOK_EVERY_S = 0.2


def _serve_socket(ssd: _core.ServedSsd, path: str) -> str:
    """Opens the door, and says how to come in."""
    path = str(Path(path.removeprefix("unix:")).absolute())
    ssd.listen_vfio_user(path)
    return f"vfio-user at {path}: ./pynvme test ... --dut unix:{path}"


# Option -> what opens the door for its value and returns a line for the user.
_DOORS: dict[str, Callable[[_core.ServedSsd, str], str]] = {"socket": _serve_socket}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `pynvme serve`."""
    parser.add_argument(
        "--socket", metavar="PATH",
        help="serve it over vfio-user at this UNIX socket, to one client at a time",
    )  # fmt: skip
    parser.add_argument(
        "--dut", "--pciaddr", default="sim", metavar="DEVICE",
        help="the embedded SSD: sim or sim:key=value,... (file=PATH keeps its data)",
    )  # fmt: skip


def _options(device: str) -> str:
    name = _core.address_name(device)
    if name != "sim" and not name.startswith("sim:"):
        raise NvmeEnumerateError(f"{name} cannot be served: only embedded SSDs can (sim:...)")
    return name.removeprefix("sim").removeprefix(":")


def run(args: argparse.Namespace) -> int:
    """Serves until SIGTERM or Ctrl-C, which end it cleanly."""
    doors = [(open_door, getattr(args, name)) for name, open_door in _DOORS.items()]
    doors = [(open_door, value) for open_door, value in doors if value]
    if not doors:
        wanted = ", ".join(f"--{name}" for name in _DOORS)
        print(f"pynvme serve: say where: {wanted}", file=sys.stderr)
        return 2
    logging.basicConfig(
        stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S"
    )
    stop: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: stop.append(received))
    try:
        ssd = _core.ServedSsd(_options(args.dut))
        lines = [open_door(ssd, value) for open_door, value in doors]
    except (NvmeEnumerateError, ValueError, RuntimeError) as error:
        print(f"pynvme serve: {error}", file=sys.stderr)
        return 1
    for line in lines:
        print(f"serving {args.dut}: {line}", flush=True)
    while not stop:
        time.sleep(_LOOK_EVERY_S)
        _core.pass_on_log()
    ssd.close()
    _core.pass_on_log()
    print("stopped; all data are written", flush=True)
    return 0
