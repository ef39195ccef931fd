"""How cost grows: time and memory over size, with a fit, and the peak memory of each stage.

    python -m benchmarks.speed.growth --out runs/growth           # about ten minutes on two cores, otherwise idle
    python -m benchmarks.speed.growth --out runs/growth --quick   # small sizes: to see that it runs, never to quote
    python -m benchmarks.speed.growth --out runs/growth --only localize 'step-*'

Points go to rows.jsonl as they are done; a stopped run is resumed. From them come growth.svg and tables.md beside it;
once every point is there, also benchmarks/results/growth.jsonl and docs/images/growth.svg, from which
`python -m benchmarks.results` writes the tables of the docs.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ..results.store import IMAGES, ROOT, append_rows, read_rows, store_rows
from .growth_table import CURVES, STAGES, Curve, bytes_text, growth_table, picture, seconds_text, stages_table
from .machine import BUSY_LOAD, load, memory

MODULE = "benchmarks.speed.growth"
PICTURE = IMAGES / "growth.svg"


def measure_curve(out: Path, curve: Curve, values: Sequence[int]) -> None:
    """Measure the values of a curve that have no row yet."""
    done = {row["value"] for row in read_rows(out) if row.get("curve") == curve.name}
    left = [value for value in values if value not in done]
    for group in [left] if curve.together and left else [[value] for value in left]:
        words = [sys.executable, "-m", MODULE, "--out", str(out.resolve()), "--point", curve.name, *map(str, group)]
        process = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        rows = [json.loads(line) for line in process.stdout.splitlines() if line.startswith("{")]
        append_rows(out, [{"curve": curve.name, **row} for row in rows])
        for row in rows:
            print(f"{curve.name:<14} {row['value']:>9,} {curve.over}: {seconds_text(row['seconds'])}", flush=True)


def measure_stages(out: Path, quick: bool) -> None:
    """The peak memory of every command, by default settings on the built-in corpus; a few steps need as much as all."""
    done = {row["stage"] for row in read_rows(out) if "stage" in row}
    steps, folder = ("3" if quick else "20"), out / "stages"
    if not done.issuperset(STAGES):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        done = set()
    run, model, corpus = folder / "pretrain", folder / "finetune", folder / "corpus"
    split = ["--split", "by-performer", "--steps", steps]
    commands = {
        "prepare": ["prepare", "synthetic", "--out", corpus, *(["--recordings", "12"] if quick else [])],
        "pretrain": ["pretrain", corpus, "--out", run, *split],
        "finetune": ["finetune", corpus, "--out", model, "--pretrained", run, *split],
        "localize": ["localize", model, corpus, "--out", folder / "localized"],
        "evaluate": ["evaluate", model, corpus, "--out", folder / "metrics.json"],
        "report": ["report", folder / "localized", "--out", folder / "report.html"],
    }
    for stage in STAGES:
        if stage in done:
            continue
        begin = time.monotonic()
        peak = peak_of(list(map(str, commands[stage])))
        append_rows(out, [{"stage": stage, "peak_bytes": peak, "seconds": time.monotonic() - begin}])
        print(f"{stage:<14} {bytes_text(peak)} at most", flush=True)


def peak_of(words: Sequence[str]) -> int:
    """The peak memory, in bytes, of a kinespan command in its own process. Raises RuntimeError where it fails."""
    command = [sys.executable, "-m", MODULE, "--command", *words]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if process.returncode:
        output = (process.stderr or process.stdout).strip().splitlines()
        raise RuntimeError(f"kinespan {' '.join(words)}: {output[-1] if output else process.returncode}")
    return int(json.loads(process.stdout.splitlines()[-1])["VmHWM"])


def run_command(words: Sequence[str]) -> int:
    """Run a kinespan command in this process, then print the memory of the process as the last line."""
    from kinespan.cli import main

    try:
        code = main(words)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    print("\n" + json.dumps(memory()), flush=True)
    return code


def machine_row(quick: bool) -> dict[str, Any]:
    """The machine that the points were taken on."""
    from .machine import facts

    machine = facts("cpu")
    names = ("name", "cores", "threads", "torch", "kinespan", "load_before")
    return {"machine": {name: machine[name] for name in names}, "quick": quick}


def write(out: Path, quick: bool) -> None:
    """growth.svg and tables.md; the stored rows and the picture of the docs too where a full run is complete."""
    rows = read_rows(out)
    (out / "growth.svg").write_text(picture(rows))
    text = f"{growth_table(rows)}\n\n{stages_table(rows)}\n"
    (out / "tables.md").write_text(text)
    print(f"\n{text}\nwritten to {out}: growth.svg, tables.md")
    done = {(row.get("curve"), row.get("value")) for row in rows} | {("stage", row.get("stage")) for row in rows}
    wanted = {(curve.name, value) for curve in CURVES for value in curve.values} | {("stage", name) for name in STAGES}
    if not quick and wanted <= done:
        store_rows("growth", rows)
        PICTURE.write_text(picture(rows))
        print("every point is there: stored for the docs; `python -m benchmarks.results` writes their tables")


def main(argv: Sequence[str] | None = None) -> int:
    """The command line, and the entry of the processes of points."""
    parser = argparse.ArgumentParser(
        prog=f"python -m {MODULE}", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="folder of the rows, the picture and the tables")
    parser.add_argument("--only", nargs="+", default=["*"], metavar="CURVE", help="names or patterns; 'memory': stages")
    parser.add_argument("--quick", action="store_true", help="few and small points")
    parser.add_argument("--point", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.command:
        return run_command(arguments.command)
    if arguments.out is None:
        parser.error("say where the rows go: --out FOLDER")
    out: Path = arguments.out
    if arguments.point:
        from .growth_points import points

        for row in points(arguments.point[0], [int(value) for value in arguments.point[1:]], out):
            print(json.dumps(row), flush=True)
        return 0
    names = [curve.name for curve in CURVES] + ["memory"]
    chosen = [name for name in names if any(fnmatch(name, pattern) for pattern in arguments.only)]
    if not chosen:
        sys.exit(f"--only: unknown curve {' '.join(arguments.only)}; available: {', '.join(names)}")
    out.mkdir(parents=True, exist_ok=True)
    before = [row for row in read_rows(out) if "machine" in row]
    if before and before[0]["quick"] != arguments.quick:
        sys.exit(f"--out {out}: holds the points of a {'quick' if before[0]['quick'] else 'full'} run; name another")
    if (busy := load()) is not None and busy > BUSY_LOAD:
        print(f"NOT TO BE TRUSTED: the load average is {busy:.1f}; the machine has other work")
    if not before:
        append_rows(out, [machine_row(arguments.quick)])
    begin = time.monotonic()
    for curve in CURVES:
        if curve.name in chosen:
            measure_curve(out, curve, curve.quick if arguments.quick else curve.values)
    if "memory" in chosen:
        measure_stages(out, arguments.quick)
    print(f"{time.monotonic() - begin:.0f} s")
    write(out, arguments.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
