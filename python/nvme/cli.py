# The command line: `pynvme ...` and `python -m nvme.cli ...`; ./pynvme comes here after set-up.
# What runs scripts is pytest in a process of its own, and its exit code is ours.
"""Command line of pynvme."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_DEMO = Path("scripts") / "demo_test.py"


def _demo_script() -> Path:
    """In the repository, or installed with the package."""
    package = Path(__file__).resolve().parent
    for root in (package.parents[1], package):
        if (root / _DEMO).is_file():
            return root / _DEMO
    raise FileNotFoundError(f"{_DEMO} is neither in {package.parents[1]} nor in {package}")


def _pytest(arguments: Sequence[str]) -> int:
    command = [sys.executable, "-m", "pytest", *arguments]
    process = subprocess.Popen(command)
    while True:
        try:
            status = process.wait()
            break
        except KeyboardInterrupt:  # pytest got the same Ctrl-C; it stops the workers and sums up
            continue
    return status if status >= 0 else 128 - status  # ended by a signal, as shells write it


def _demo(args: argparse.Namespace) -> int:
    from rich.console import Console

    from nvme import _core

    console = Console(highlight=False)
    script = _demo_script()
    devices = args.dut or ["sim"]
    console.rule("[bold]pynvme demo")
    console.print(
        f"device   {_core.without_secrets(devices[0])}"
        + (", the embedded SSD" if devices[0] == "sim" else "")
    )
    console.print(f"script   {os.path.relpath(script)}", soft_wrap=True)
    console.print("what     identify, hello world, verified random IO for ten seconds, trim\n")
    options = [f"--dut={device}" for device in devices]
    if args.report:
        options.append(f"--report={args.report}")
    if args.seed is not None:
        options.append(f"--seed={args.seed}")
    # The demo is the same wherever it is started: no configuration of the folder it happens to be
    # in.
    status = _pytest(
        [
            str(script), "-v", "--no-header", "-c", os.devnull, f"--rootdir={script.parent}",
            "-p", "no:cacheprovider", "-o", "log_cli=true", "-o", "log_cli_level=INFO",
            "-o", "log_cli_format=%(asctime)s %(message)s", "-o", "log_cli_date_format=%H:%M:%S",
            *options,
        ]
    )  # fmt: skip
    verdict = "[bold green]passed" if status == 0 else f"[bold red]FAILED (exit code {status})"
    console.print(f"\npynvme demo {verdict}")
    return status


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; the value is the process's exit code."""
    parser = argparse.ArgumentParser(
        prog="pynvme", description="Test NVMe devices from Python at the speed of C++."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    demo = commands.add_parser(
        "demo", help="a first test session on the embedded SSD, with a report"
    )
    demo.add_argument(
        "--dut", "--pciaddr", action="append", metavar="DEVICE",
        help="device under test, which is written to (default: sim, the embedded SSD)",
    )  # fmt: skip
    demo.add_argument("--report", metavar="FILE", help="HTML report (default: reports/demo.html)")
    demo.add_argument("--seed", metavar="N", help="replay a run's random choices")
    demo.set_defaults(run=_demo)

    commands.add_parser(
        "test",
        help="run test scripts with pytest",
        usage="pynvme test FILE... [pytest options] [--dut DEVICE]",
    )

    from nvme import bench
    from nvme.host import commands as host

    bench_parser = commands.add_parser("bench", help="measure the driver and the embedded SSD")
    bench.add_arguments(bench_parser)
    bench_parser.set_defaults(run=bench.run)
    host.add_commands(commands)

    from nvme import serve

    serve_parser = commands.add_parser("serve", help="let other programs use an embedded SSD")
    serve.add_arguments(serve_parser)
    serve_parser.set_defaults(run=serve.run)

    from nvme import discover

    discover_parser = commands.add_parser(
        "discover", help="list the subsystems that an NVMe/TCP target tells of"
    )
    discover.add_arguments(discover_parser)
    discover_parser.set_defaults(run=discover.run)

    arguments = sys.argv[1:] if argv is None else list(argv)
    if arguments[:1] == ["test"] and arguments[1:] not in (["-h"], ["--help"]):
        return _pytest(["--pynvme-launcher", *arguments[1:]])  # options and all: they are pytest's
    args = parser.parse_args(arguments)
    try:
        return host.run_checked(args)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
