"""The yardstick: the field's usual way and ours, in turn, on this machine.

    python -m benchmarks [--only WORK ...] [--quick] [--json FILE]

Each side runs in a process of its own and stands still while it is not its turn. A row says how long each took (the
median of its turns), conventional over ours, how far the middle half of the turns spreads, the goal, and the share of
the machine's measured matrix rate and memory bandwidth that each side reaches. docs/performance.md says what the rows
mean.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from .machine import changed, doubts, facts
from .rows import HEADINGS, row, shown
from .turns import in_turn, serve
from .works import Setting, Work, works


def chosen(names: Sequence[str], quick: bool) -> list[Work]:
    """The works that are named (shell patterns), or those that a run takes by itself. Exits where none fits."""
    every = works()
    if not names:
        return [work for work in every if (work.in_quick if quick else work.in_full)]
    lost = [name for name in names if not any(fnmatch(work.name, name) for work in every)]
    if lost:
        sys.exit(f"--only: no work is named {', '.join(lost)}; there is {', '.join(work.name for work in every)}")
    return [work for work in every if any(fnmatch(work.name, name) for name in names)]


def measure(work: Work, setting: Setting, machine: dict[str, Any], budget: float) -> dict[str, Any]:
    """A work's row; where a side fails, the row says so."""
    flags = ["--device", setting.device, "--precision", setting.precision, *(["--quick"] if setting.quick else [])]
    words = {side: ["-m", "benchmarks", "--only", work.name, "--side", side, *flags] for side in work.sides}
    try:
        measured, others = in_turn(words, budget, least=2 if setting.quick else 3)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return row(work, {}, machine, None, failed=str(error).strip().splitlines()[-1])
    return row(work, measured, machine, others)


def run(setting: Setting, names: Sequence[str], budget: float, file: Path | None) -> int:
    """Measure and print row by row; 1 where a side failed."""
    from kinespan.train.common import lightning_precision

    machine = facts(setting.device)
    ours = "bfloat16 where it is safe" if lightning_precision(setting.precision) == "bf16-mixed" else "float32"
    rates = ", ".join(f"{kind} {rate / 1e9:.0f}" for kind, rate in machine["matrix_rate"].items())
    units = "" if "bfloat16" in machine["matrix_rate"] else "; no units for bfloat16"
    print(f"{machine['name']}, {machine['cores']} cores, {machine['threads']} threads, torch {machine['torch']}")
    print(f"matrix products, 10^9 operations a second: {rates}{units}")
    print(f"memory: {machine['bandwidth'] / 1e9:.1f} GB/s; conventional in float32, ours in {ours}")
    before = doubts(machine["load_before"], None, None)
    if before:
        print(f"NOT TO BE TRUSTED: {before[0]}; others are at work on this machine")
    print("\n" + HEADINGS, flush=True)
    rows: list[dict[str, Any]] = []
    for work in chosen(names, setting.quick):
        rows.append(measure(work, setting, machine, budget))
        print(shown(rows[-1]), flush=True)
        if file is not None:
            kept = {"machine": machine, "quick": setting.quick, "precision": ours, "rows": rows}
            file.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    if (drift := changed(machine)) is not None:
        print(f"\nThe machine was not the same at the end: {drift}.")
    weak = [found["work"] for found in rows if found["doubts"]]
    if weak:
        print(f"\nThe machine was too busy to trust: {', '.join(weak)} (marked ?); run again when nothing else does.")
    return int(any(found["failed"] for found in rows))


def main(argv: list[str] | None = None) -> int:
    """The command line, and the entry of the processes of sides."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="WORK", help="names of works, or patterns ('map*')")
    parser.add_argument("--list", action="store_true", help="the works and what they are")
    parser.add_argument("--quick", action="store_true", help="small and few: to see that it runs, not to quote")
    parser.add_argument("--json", type=Path, metavar="FILE", help="file to keep the rows in, as they are done")
    parser.add_argument("--seconds", type=float, default=40.0, help="to spend on the turns of a work (quick: 4)")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--precision", default="auto", choices=("auto", "32", "bf16"), help="of our side")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    setting = Setting(arguments.device, arguments.quick, arguments.precision)
    if arguments.list:
        for work in works():
            print(f"{work.name:<34} {work.about}")
        return 0
    if arguments.side is not None:
        (work,) = (one for one in works() if one.name == arguments.only[0])
        serve(lambda: work.sides[arguments.side](setting))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and end the sides on the way out
    budget = min(arguments.seconds, 4.0) if arguments.quick else arguments.seconds
    return run(setting, arguments.only, budget, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
