"""Counts the instructions of the hot loop, which are the same on a quiet and on a busy machine.

usage: python tools/instructions.py [--build DIR] [--write]

Runs `pynvme_counted_loop` under callgrind for two numbers of IOs; the difference is what an IO
takes, set-up left out. Fails when an IO takes more than `bench/instructions.json` allows by more
than 2 %, and asks for new figures when it takes less by more than 5 %. The counts belong to one
compiler; with another one they are printed and not judged.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "bench" / "instructions.json"
LOOPS = [("null", 128), ("null", 1), ("read", 32), ("verified", 32), ("write", 32)]
FEW, MANY = 5_000, 25_000
MORE_ALLOWED, LESS_NOTED = 1.02, 0.95


def compiler(build: Path) -> str:
    """Its first line about itself, such as "c++ (Debian 12.2.0-14) 12.2.0"."""
    cache = (build / "CMakeCache.txt").read_text()
    found = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", cache, re.MULTILINE)
    if found is None:
        raise SystemExit(f"{build} is not a build tree")
    shown = subprocess.run([found[1], "--version"], capture_output=True, text=True, check=True)
    version = re.search(r"(\d+)\.\d+\.\d+", shown.stdout)
    name = "clang" if "clang" in shown.stdout else "g++"
    return f"{name} {version[1] if version else '?'}"


def count(program: Path, kind: str, ios: int, depth: int) -> int:
    """All instructions of one run."""
    with tempfile.TemporaryDirectory() as scratch:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={scratch}/out"]
        run = subprocess.run(
            [*command, program, kind, str(ios), str(depth)],
            capture_output=True,
            text=True,
            timeout=600,
        )
    collected = re.search(r"Collected : (\d+)", run.stderr)
    if run.returncode != 0 or collected is None:
        raise SystemExit(f"{kind} at depth {depth} failed ({run.returncode}):\n{run.stderr}")
    return int(collected[1])


def per_io(program: Path, kind: str, depth: int) -> float:
    """Instructions an IO."""
    few, many = (count(program, kind, ios, depth) for ios in (FEW, MANY))
    return (many - few) / (MANY - FEW)


def main() -> int:
    """Exit code 1: an IO takes more instructions than it may."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release")
    parser.add_argument("--write", action="store_true", help=f"make these the figures of {FIGURES}")
    args = parser.parse_args()

    known = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    here = compiler(args.build)
    judged = here == known.get("compiler")
    program = args.build / "bench" / "pynvme_counted_loop"
    figures: dict[str, float] = {}
    too_many = []
    for kind, depth in LOOPS:
        name = f"{kind} at depth {depth}"
        figures[name] = round(per_io(program, kind, depth), 1)
        allowed = known.get("instructions_per_io", {}).get(name)
        verdict = ""
        if judged and allowed is not None:
            ratio = figures[name] / allowed
            verdict = f"{ratio - 1:+.1%} of {allowed}"
            if ratio > MORE_ALLOWED:
                too_many.append(name)
            elif ratio < LESS_NOTED:
                verdict += "; better: run this with --write"
        print(f"{name:22} {figures[name]:8.1f} instructions an IO   {verdict}", flush=True)
    if args.write:
        FIGURES.write_text(
            json.dumps({"compiler": here, "instructions_per_io": figures}, indent=2) + "\n"
        )
    elif not judged:
        print(f"not judged: the figures are of {known.get('compiler')}, this build is of {here}")
    elif too_many:
        print(
            f"FAILED: {', '.join(too_many)}: over {MORE_ALLOWED - 1:.0%} above {FIGURES.name}. "
            "Mend it, or say in the commit why it is worth it and run this with --write."
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
