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
from nvme.faults import match_text
from nvme.target import Target

_LOOK_EVERY_S = 0.2


def _serve_socket(ssd: _core.ServedSsd, path: str) -> str:
    """Opens the door, and says how to come in."""
    path = str(Path(path.removeprefix("unix:")).absolute())
    ssd.listen_vfio_user(path)
    return f"vfio-user at {path}: ./pynvme test ... --dut unix:{path}"


class _Tcp:
    """NVMe/TCP, which has an SSD of its own."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._target = Target(
            _core.address_name(args.dut),
            args.tcp,
            nqn=args.nqn,
            hosts=args.allow_host,
            dhchap=_dhchap(args.dhchap_key, args.dhchap_ctrl_key),
            advertise=args.advertise,
            in_capsule=args.in_capsule,
            tls_key=args.tls_key,
        )
        try:
            for match, action in args.fault:
                self._target.ssd.fault(match, action)
        except ValueError:
            self._target.close()
            raise
        address = self._target.address
        self.lines = [
            f"NVMe/TCP at {address}: ./pynvme test ... --dut {address}",
            f"subsystem {self._target.nqn}",
        ]

    def close(self) -> None:
        self._target.close()


class _Socket:
    """vfio-user."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._ssd = _core.ServedSsd(_options(args.dut))
        for match, action in args.fault:
            self._ssd.plant_fault(match_text(match), action)
        self.lines = [_serve_socket(self._ssd, args.socket)]

    def close(self) -> None:
        self._ssd.close()


# Option -> what opens the door, has lines for the user, and closes it.
_DOORS: dict[str, Callable[[argparse.Namespace], _Socket | _Tcp]] = {
    "socket": _Socket,
    "tcp": _Tcp,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `pynvme serve`."""
    parser.add_argument(
        "--socket", metavar="PATH",
        help="serve it over vfio-user at this UNIX socket, to one client at a time",
    )  # fmt: skip
    parser.add_argument(
        "--tcp", metavar="ADDRESS[:PORT]",
        help="serve it over NVMe/TCP, to any number of hosts; port 0: any that is free",
    )  # fmt: skip
    parser.add_argument(
        "--nqn", default="", metavar="NQN",
        help="NVMe/TCP: the subsystem's name (default: made from the serial number)",
    )  # fmt: skip
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NQN",
        help="NVMe/TCP: this host may connect; all may when no one is named",
    )  # fmt: skip
    parser.add_argument(
        "--dhchap-key", action="append", default=[], metavar="HOSTNQN=DHHC-1:...",
        help="NVMe/TCP: this host may connect, and has to authenticate with this secret",
    )  # fmt: skip
    parser.add_argument(
        "--dhchap-ctrl-key", action="append", default=[], metavar="[HOSTNQN=]DHHC-1:...",
        help="NVMe/TCP: the secret by which the controller proves itself to this host, or to all",
    )  # fmt: skip
    parser.add_argument(
        "--advertise", default="", metavar="ADDRESS:PORT",
        help="NVMe/TCP: what discovery tells (default: where the host has connected to)",
    )  # fmt: skip
    parser.add_argument(
        "--in-capsule", type=int, default=8192, metavar="BYTES",
        help="NVMe/TCP: data that the command capsules of IO queues take (default: 8192)",
    )  # fmt: skip
    parser.add_argument(
        "--fault", nargs=2, action="append", default=[], metavar=("MATCH", "ACTION"),
        help="what the SSD does wrong, as Ssd.fault() takes it: read,lba=8-15 flip:bits=2",
    )  # fmt: skip
    parser.add_argument(
        "--tls-key", metavar="KEY_OR_FILE",
        help="NVMe/TCP: only with TLS 1.3 and this key (NVMeTLSkey-1:...), or the one in this file",
    )  # fmt: skip
    parser.add_argument(
        "--dut", "--pciaddr", default="sim", metavar="DEVICE",
        help="the embedded SSD: sim or sim:key=value,... (file=PATH keeps its data)",
    )  # fmt: skip


def _dhchap(keys: list[str], ctrl_keys: list[str]) -> dict[str, tuple[str, str]]:
    """The secrets of each host. ValueError for what is none, without a part of it."""
    theirs = dict(_of_host(text, "--dhchap-key") for text in keys)
    ours = dict(_of_host(text, "--dhchap-ctrl-key") for text in ctrl_keys)
    if "" in theirs:
        raise ValueError("--dhchap-key names its host: HOSTNQN=DHHC-1:...")
    for nqn in ours:
        if nqn and nqn not in theirs:
            raise ValueError(f"--dhchap-ctrl-key for {nqn}, which has no --dhchap-key")
    return {nqn: (secret, ours.get(nqn) or ours.get("", "")) for nqn, secret in theirs.items()}


def _of_host(text: str, option: str) -> tuple[str, str]:
    before, mark, secret = text.partition("DHHC-1:")
    if not mark or (before and not before.endswith("=")):
        raise ValueError(f"{option}: a secret begins with DHHC-1:, behind HOSTNQN=")
    return before.removesuffix("="), mark + secret


def _options(device: str) -> str:
    name = _core.address_name(device)
    if name != "sim" and not name.startswith("sim:"):
        raise NvmeEnumerateError(f"{name} cannot be served: only embedded SSDs can (sim:...)")
    return name.removeprefix("sim").removeprefix(":")


def run(args: argparse.Namespace) -> int:
    """Serves until SIGTERM or Ctrl-C, which end it cleanly."""
    doors = [name for name in _DOORS if getattr(args, name)]
    if len(doors) != 1:
        wanted = " or ".join(f"--{name}" for name in _DOORS)
        print(f"pynvme serve: say where: {wanted}", file=sys.stderr)
        return 2
    logging.basicConfig(
        stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S"
    )
    stop: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _frame: stop.append(received))
    try:
        door = _DOORS[doors[0]](args)
    except (NvmeEnumerateError, ValueError, RuntimeError) as error:
        print(f"pynvme serve: {error}", file=sys.stderr)
        return 1
    for line in door.lines:
        print(f"serving {args.dut}: {line}", flush=True)
    while not stop:
        time.sleep(_LOOK_EVERY_S)
        _core.pass_on_log()
    door.close()
    _core.pass_on_log()
    print("stopped; all data are written", flush=True)
    return 0
