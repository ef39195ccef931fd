"""The field's usual way and ours, in turn, on this machine.

    python -m benchmarks.speed [--only CASE ...] [--quick] [--json FILE]

Each side runs in a process of its own, which is stopped while it is not its turn. A row says how long each took (the
median of its turns), conventional over ours, how far the middle half of the turns spreads, the goal, and the share of
the machine's measured matrix rate and memory bandwidth that each side reaches.
docs/research/performance.md says what the rows mean.
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

from .cases import Case, all_cases
from .interleave import measure_in_turns, serve
from .machine import doubts, drift, facts
from .options import RunOptions
from .rows import failed_row, measured_row
from .speed_tables import HEADINGS, text_line


def chosen_cases(names: Sequence[str], quick: bool) -> list[Case]:
    """The cases of these names (shell patterns), or those that run by default. Exits for a name of none."""
    cases = all_cases()
    if not names:
        return [case for case in cases if (case.in_quick if quick else case.in_full)]
    unknown = [name for name in names if not any(fnmatch(case.name, name) for case in cases)]
    if unknown:
        sys.exit(f"--only: unknown case {', '.join(unknown)}; available: {', '.join(case.name for case in cases)}")
    return [case for case in cases if any(fnmatch(case.name, name) for name in names)]


def measure(case: Case, options: RunOptions, machine: dict[str, Any], budget: float) -> dict[str, Any]:
    """A case's row; where a side fails, the row says so."""
    flags = ["--device", options.device, "--precision", options.precision, *(["--quick"] if options.quick else [])]
    words = {side: ["-m", "benchmarks.speed", "--only", case.name, "--side", side, *flags] for side in case.sides}
    try:
        sides, other_threads = measure_in_turns(words, budget, min_turns=2 if options.quick else 3)
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return failed_row(case, machine, str(error))
    return measured_row(case, sides, machine, other_threads)


def run(options: RunOptions, names: Sequence[str], budget: float, file: Path | None) -> int:
    """Measure and print row by row; 1 where a side failed."""
    from kinespan.train.engine import lightning_precision

    machine = facts(options.device)
    ours = "bfloat16 where it is safe" if lightning_precision(options.precision) == "bf16-mixed" else "float32"
    rates = ", ".join(f"{kind} {rate / 1e9:.0f}" for kind, rate in machine["matrix_rate"].items())
    units = "" if "bfloat16" in machine["matrix_rate"] else "; no units for bfloat16"
    print(f"{machine['name']}, {machine['cores']} cores, {machine['threads']} threads, torch {machine['torch']}")
    print(f"matrix products, 10^9 operations a second: {rates}{units}")
    print(f"memory: {machine['bandwidth'] / 1e9:.1f} GB/s; conventional in float32, ours in {ours}")
    if busy := doubts(machine["load_before"], None, None):
        print(f"NOT TO BE TRUSTED: {busy[0]}; the machine has other work")
    print("\n" + HEADINGS, flush=True)
    rows: list[dict[str, Any]] = []
    for case in chosen_cases(names, options.quick):
        rows.append(measure(case, options, machine, budget))
        print(text_line(rows[-1]), flush=True)
        if file is not None:
            measured = {"machine": machine, "quick": options.quick, "precision": ours, "rows": rows}
            file.write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    if (change := drift(machine)) is not None:
        print(f"\nThe machine was not the same at the end: {change}.")
    doubtful = [row["case"] for row in rows if row["doubts"]]
    if doubtful:
        print(f"\nToo unsteady to trust: {', '.join(doubtful)} (marked ?); run again on an idle machine.")
    return int(any(row["failed"] for row in rows))


def main(argv: list[str] | None = None) -> int:
    """The command line, and the entry of the processes of sides."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="CASE", help="names of cases, or patterns ('map*')")
    parser.add_argument("--list", action="store_true", help="the cases and what they are")
    parser.add_argument("--quick", action="store_true", help="small and few: to see that it runs, not to quote")
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for the rows, written as they are done")
    parser.add_argument("--seconds", type=float, default=40.0, help="to spend on the turns of a case (quick: 4)")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--precision", default="auto", choices=("auto", "32", "bf16"), help="of our side")
    parser.add_argument("--side", help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    options = RunOptions(arguments.device, arguments.quick, arguments.precision)
    if arguments.list:
        for case in all_cases():
            print(f"{case.name:<34} {case.about}")
        return 0
    if arguments.side is not None:
        (case,) = (case for case in all_cases() if case.name == arguments.only[0])
        serve(lambda: case.sides[arguments.side](options))
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and end the sides on the way out
    budget = min(arguments.seconds, 4.0) if arguments.quick else arguments.seconds
    return run(options, arguments.only, budget, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
