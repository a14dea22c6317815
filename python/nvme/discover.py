"""`pynvme discover`: what subsystems the Discovery service of an NVMe/TCP target tells of."""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import socket
import sys
from typing import Any

from nvme import _core
from nvme.errors import NvmeEnumerateError

# Not a number, and not the embedded SSD.
_HOST_NAME = r"(?!sim$)(?=.*[A-Za-z])[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?"
_COLUMNS = ("subtype", "trtype", "adrfam", "traddr", "trsvcid", "subnqn")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `pynvme discover`."""
    parser.add_argument(
        "target",
        metavar="HOST[:PORT]",
        help="name, IPv4 or [IPv6] address; port 4420 unless named",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def discover(address: str) -> list[dict[str, Any]]:
    """The entries of the Discovery log page at `address`, in its order."""
    *others, last = _numeric(address)
    for other in others:
        # A name has several addresses, and not everyone listens at all of them.
        with contextlib.suppress(NvmeEnumerateError):
            return _core.tcp_discover(other)
    return _core.tcp_discover(last)


def _numeric(address: str) -> list[str]:
    """What a host name with its port and keys stands for; anything else as it is."""
    place, semicolon, keys = address.partition(";")
    host, colon, port = place.partition(":")
    if not re.fullmatch(_HOST_NAME, host) or (colon and not port.isdecimal()):
        return [address]
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NvmeEnumerateError(f"{host}: {error.strerror}") from None
    hosts = [str(name[0]) for *_, name in found]
    return [(f"[{one}]" if ":" in one else one) + colon + port + semicolon + keys for one in hosts]


def table(entries: list[dict[str, Any]]) -> str:
    """The entries as lines of columns."""
    rows = [list(_COLUMNS)] + [[str(entry[key]) for key in _COLUMNS] for entry in entries]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def run(args: argparse.Namespace) -> int:
    """Asks the target and prints what it says."""
    try:
        entries = discover(args.target)
    except Exception as error:  # the sentence says all; a traceback would hide it
        print(f"pynvme discover: {error}", file=sys.stderr)
        return 1
    if args.json:
        print(json.dumps(entries, indent=2))
    elif entries:
        print(table(entries))
    else:
        print(
            f"{_core.without_secrets(args.target)}: the Discovery log has no entries for this host"
        )
    return 0
