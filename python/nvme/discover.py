"""`pynvme discover`: what subsystems the Discovery service of an NVMe/TCP target tells of."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from nvme import _core

_COLUMNS = ("subtype", "trtype", "adrfam", "traddr", "trsvcid", "subnqn")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `pynvme discover`."""
    parser.add_argument(
        "target", metavar="HOST[:PORT]", help="IPv4 or [IPv6] address; port 4420 unless named"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")


def discover(address: str) -> list[dict[str, Any]]:
    """The entries of the Discovery log page at `address`, in its order."""
    return _core.tcp_discover(address)


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
        print(f"{args.target}: the Discovery log has no entries for this host")
    return 0
