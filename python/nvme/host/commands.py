# setup, reset and info of the command line: arguments in, text and exit codes out.
"""The commands ./pynvme setup, reset and info."""

from __future__ import annotations

import argparse
import json
import re
import sys
import textwrap
from dataclasses import asdict

from nvme import _core
from nvme.errors import AddressError
from nvme.host.controllers import controller_address
from nvme.host.handover import Options, reset, set_up
from nvme.host.hugepages import DEFAULT_MIB
from nvme.host.inventory import take_stock
from nvme.host.inventory_text import SIMULATED, explain_other, render
from nvme.host.machine import USER_DRIVERS, machine
from nvme.host.refusals import EXIT_DONE, EXIT_USAGE, HostError
from nvme.host.tree import Tree

_EXIT_CODES = """exit codes: 0 done; 1 begun and failed, the text says how things stand; 2 wrong
command line; 3 refused, nothing was changed"""


def add_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the three commands."""
    setup = commands.add_parser(
        "setup",
        help="hand a PCIe drive over to pynvme (vfio-pci)",
        description="Take PCIe drives from the kernel's driver, for tests: bind them to vfio-pci, "
        "or to uio_pci_generic where the machine has no IOMMU. A drive that is in use is refused.",
        epilog=_EXIT_CODES,
    )
    setup.add_argument("device", nargs="+", help="PCI address, as 01:00.0")
    setup.add_argument(
        "--force", action="append", default=[], metavar="SERIAL",
        help="hand the drive with this serial number over although it is in use: its data are lost",
    )  # fmt: skip
    setup.add_argument("--user", metavar="NAME", help="who may use it without being root")
    setup.add_argument("--group", metavar="NAME", help="the group that may use it")
    setup.add_argument("--driver", choices=USER_DRIVERS, help="instead of the fitting one")
    setup.add_argument("--not-nvme", action="store_true", help="also a device of another kind")
    setup.add_argument(
        "--hugepages", type=_mib, default=DEFAULT_MIB, metavar="MIB",
        help=f"memory to reserve where there is no IOMMU, in MiB (default: {DEFAULT_MIB})",
    )  # fmt: skip
    setup.set_defaults(run=_setup)

    back = commands.add_parser(
        "reset",
        help="give PCIe drives back to the kernel's driver",
        description="Give PCIe drives back to the kernel's driver, also after a crash; without a "
        "name those that setup handed over since the machine started.",
        epilog=_EXIT_CODES,
    )
    back.add_argument("device", nargs="*", help="PCI address, as 01:00.0")
    back.set_defaults(run=_reset)

    info = commands.add_parser(
        "info",
        help="the NVMe drives of this machine, who uses them, what setup would do",
        description="Show every NVMe function, or the named PCI functions of any kind.",
        epilog="exit codes: 0 shown; 2 wrong command line; 3 no such device",
    )
    info.add_argument("device", nargs="*", help="PCI address, as 01:00.0")
    info.add_argument("--json", action="store_true", help="for programs")
    info.set_defaults(run=_info)


def _mib(text: str) -> int:
    value = int(text)
    if value < 2:
        raise argparse.ArgumentTypeError("at least 2")
    return value


def _sort(names: list[str]) -> tuple[list[str], list[tuple[str, str]]]:
    """PCI addresses, and the others with the kind of device they name. Raises AddressError."""
    functions, others = [], []
    for text in names:
        _check_name(text)
        name = _core.address_name(text)
        if re.fullmatch(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", name):
            functions.append(name)
        else:
            kind = name.partition(":")[0]
            others.append((name, kind if kind in ("sim", "unix") else "tcp"))
    return functions, others


def _check_name(text: str) -> None:
    """What people write for a drive, that is none of its names here. Raises AddressError."""
    if not text.strip():
        raise AddressError("the name of the device is empty: a PCI address has the form 01:00.0")
    match = re.fullmatch(r"(?:/dev/)?(?:ng|nvme)(\d+)(?:n\d+)?(?:p\d+)?", text.strip())
    if match is None and not text.strip().startswith("/dev/"):
        return
    address = controller_address(_tree(), f"nvme{match[1]}") if match is not None else None
    hint = f": {address}" if address is not None else "; `./pynvme info` lists the drives"
    raise AddressError(f"{text} is the kernel's name. Name the drive by its PCI address{hint}")


def _setup(args: argparse.Namespace) -> int:
    functions, others = _sort(args.device)
    for name, kind in others:
        print(f"{name} is {explain_other(kind)}")
    options = Options(
        force=tuple(args.force),
        user=args.user,
        group=args.group,
        driver=args.driver,
        not_nvme=args.not_nvme,
        hugepages_mib=args.hugepages,
    )
    if functions:
        set_up(_tree(), functions, options, _say, _warn)
    return EXIT_DONE


def _reset(args: argparse.Namespace) -> int:
    functions, others = _sort(args.device)
    for name, kind in others:
        print(f"{name} is {explain_other(kind)}")
    if functions or not others:
        reset(_tree(), functions, _say)
    return EXIT_DONE


def _info(args: argparse.Namespace) -> int:
    tree = _tree()
    functions, others = _sort(args.device)
    items = take_stock(tree, functions) if functions or not others else []
    host = machine(tree)
    if args.json:
        shown = {
            "machine": {**asdict(host), "root": tree.is_root()},
            "functions": [item.as_json() for item in items],
            "others": [{"name": name, "kind": kind} for name, kind in others],
            "simulated": SIMULATED,
        }
        print(json.dumps(shown, indent=2))
        return EXIT_DONE
    for name, kind in others:
        print(textwrap.fill(f"{name}: {explain_other(kind)}", 80, break_on_hyphens=False))
    if functions or not others:
        print(render(items, host, tree.is_root()))
    return EXIT_DONE


def _tree() -> Tree:
    return Tree()


def _say(text: str) -> None:
    print(text, flush=True)


def _warn(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def run_checked(args: argparse.Namespace) -> int:
    """Run one of the commands; errors become a line on stderr and an exit code."""
    try:
        return int(args.run(args))
    except AddressError as error:
        _warn(f"pynvme: {error}")
        return EXIT_USAGE
    except HostError as error:
        _warn(f"pynvme: {error}")
        return error.exit_code
