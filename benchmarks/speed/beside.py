"""How long `finetune` and `learn` take alone and beside busy processes, by the number of threads.

    python -m benchmarks.speed.beside CORPUS@SPLIT/FOLD --json FILE [--command learn] [--busy 0 1] [--threads 1 auto]

A busy process counts upwards and never waits. Each run is a process of its own, from the command to the figures of the
test recordings: its seconds by the clock, and of the processor, its children's too. The rows of a file that are there
are kept; the load before each run tells whether the machine was quiet otherwise.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kinespan.corpus.training_set import parse_source

from ..results.store import markdown_table
from .machine import BUSY_THREADS, other_threads_running, processor

ROOT = Path(__file__).parents[2]
COMMANDS: Mapping[str, Sequence[str]] = {"finetune": ("--steps", "150"), "learn": ("--label-fraction", "0.2")}
"""What is run, with its settings."""
LOOKS = 20


@contextlib.contextmanager
def busy_processes(count: int) -> Iterator[None]:
    """Processes that fill a core each."""
    processes = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def others_running() -> float | None:
    """Threads of other programs that run, on average over a second."""
    counts = []
    for _ in range(LOOKS):
        time.sleep(1 / LOOKS)
        counts.append(other_threads_running())
    return None if None in counts else sum(filter(None, counts)) / LOOKS


def measure(command: str, source: str, threads: str, busy: int, precision: str) -> dict[str, Any]:
    """A row: seconds of one run, and how busy the machine was before it."""
    path, split, fold = parse_source(source)
    settings = [*COMMANDS[command], *([] if precision == "auto" else ["--precision", precision])]
    others = others_running()
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    with tempfile.TemporaryDirectory() as folder, busy_processes(busy):
        words = [path, "--out", f"{folder}/run", *(("--split", split, "--fold", str(fold)) if split else ())]
        begin, before = time.monotonic(), os.times()
        done = subprocess.run(
            [sys.executable, "-m", "kinespan.cli", command, *words, *settings, "--threads", threads],
            env=environment, capture_output=True, text=True, cwd=ROOT,
        )  # fmt: skip
        seconds, after = time.monotonic() - begin, os.times()  # before the busy processes are waited for
    if done.returncode:
        sys.exit(f"{command} ended with {done.returncode}: {done.stderr.strip().splitlines()[-1]}")
    told = (done.stdout + done.stderr).splitlines()
    lines = [line for line in told if line.startswith(("computing on", "two trainings", "one training"))]
    cpu = sum(after[2:4]) - sum(before[2:4])
    return {"command": command, "settings": settings, "source": f"{Path(path).name}@{split}/{fold}",
            "threads": threads, "busy": busy, "seconds": round(seconds, 1), "cpu": round(cpu, 1),
            "chosen": " | ".join(dict.fromkeys(lines)), "others": others, "machine": processor(),
            "cores": os.cpu_count()}  # fmt: skip


def beside_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A line for each command and number of threads: seconds alone and beside busy processes, as Markdown."""
    numbers = sorted({row["busy"] for row in rows})
    lines = []
    for command, threads in dict.fromkeys((row["command"], row["threads"]) for row in rows):
        own = [row for row in rows if (row["command"], row["threads"]) == (command, threads)]
        cells = []
        for busy in numbers:
            runs = [row for row in own if row["busy"] == busy]
            cells.append(", ".join(map(_seconds, runs)) or "-")
        cpu = [row["cpu"] for row in own if row["busy"] == numbers[0]]
        words = " ".join([command, *own[0]["settings"]])
        lines.append([f"`{words}`", threads, *cells, ", ".join(f"{value:.1f}" for value in cpu) or "-"])
    heads = {0: "alone, s", 1: "beside one busy process"}
    names = [heads.get(number, f"beside {number}") for number in numbers]
    return markdown_table(["command", "`--threads`", *names, "of the processor, s"], lines)


def _seconds(row: Mapping[str, Any]) -> str:
    """The seconds of a run, and how many threads of other programs ran before it, where some did."""
    others = row["others"] or 0.0
    return f"{row['seconds']:.1f}" + (f" ({others:.0f} other threads ran)" if others > BUSY_THREADS else "")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.speed.beside",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", help="a prepared corpus, such as corpora/precog@cross-performer/1")
    parser.add_argument(
        "--json", type=Path, required=True, metavar="FILE", help="JSON lines, one a run; new ones added"
    )
    parser.add_argument("--command", choices=tuple(COMMANDS), default="finetune")
    parser.add_argument("--busy", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--threads", nargs="+", default=["1", "2", "auto"])
    parser.add_argument("--precision", default="auto", choices=("auto", "32"), help="32: as without bfloat16 units")
    arguments = parser.parse_args()
    for busy in arguments.busy:
        for threads in arguments.threads:
            row = measure(arguments.command, arguments.source, threads, busy, arguments.precision)
            print(json.dumps(row), flush=True)
            with open(arguments.json, "a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
