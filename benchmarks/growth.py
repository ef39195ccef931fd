"""How cost grows: time and memory over size, with a fit, and the peak memory of each stage.

    python -m benchmarks.growth --out runs/growth           # about ten minutes on two cores; leave the machine alone
    python -m benchmarks.growth --out runs/growth --quick   # small sizes: to see that it runs, never to quote
    python -m benchmarks.growth --out runs/growth --only localize 'step-*'

Points go to rows.jsonl as they are done; a stopped run goes on where it was. From them come growth.svg and tables.md
beside it; once every point is there, also benchmarks/results/growth.jsonl, docs/images/growth.svg and the tables of
docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

from .loglog import Panel, drawing
from .machine import load, memory
from .trial import keep_rows, markdown, read_rows

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "benchmarks" / "results" / "growth.jsonl"
PICTURE = ROOT / "docs" / "images" / "growth.svg"
NONE_YET = "No figures have been taken yet: `python -m benchmarks.growth --out runs/growth` takes them."


@dataclass(frozen=True)
class Curve:
    """A cost over a size: what is done, over what, at which sizes, and how it should grow.

    together: all sizes in one process, in turn. Else each has a process of its own, whose memory is told too.
    """

    name: str
    title: str
    over: str
    values: tuple[int, ...]
    quick: tuple[int, ...]
    should: str
    together: bool = False


CURVES = (
    Curve("step-batch", "pretraining step", "clips in a batch", (8, 16, 32, 64, 128), (2, 4), "1", True),
    Curve("step-frames", "pretraining step", "frames of a clip", (32, 64, 128, 256, 512), (32, 64), "1", True),
    Curve("step-joints", "pretraining step", "joints", (25, 50, 100, 200), (25, 50), "1 to 2", True),
    Curve("step-people", "pretraining step", "people", (1, 2, 4, 8), (1, 2), "1", True),
    Curve(
        "step-queue", "pretraining step", "keys in a queue", (2048, 8192, 32768, 131072), (256, 1024), "up to 1", True
    ),
    Curve("step-snippets", "pretraining step", "snippets of a view", (4, 8, 16, 32, 64), (4, 8), "up to 1", True),
    Curve("localize", "localizing", "minutes of motion", (1, 10, 60, 360, 1440), (1, 2), "1"),
    Curve("prepare", "preparing", "tiny files", (100, 300, 1000, 3000, 10000), (30, 100), "1"),
    Curve("map", "mAP", "predictions", (1000, 10_000, 100_000, 1_000_000), (1000, 3000), "1.1 (n log n)"),
)
STAGES = ("prepare", "pretrain", "finetune", "localize", "evaluate", "report")


class Fit(NamedTuple):
    """y = factor x^exponent, and the standard error of the exponent."""

    exponent: float
    error: float
    factor: float


def fitted(points: Sequence[tuple[float, float]]) -> Fit:
    """The straight line through the logarithms of points, by least squares; the error is nan for fewer than three."""
    xs, ys = ([math.log(value) for value in column] for column in zip(*points, strict=True))
    count, x, y = len(points), sum(xs) / len(points), sum(ys) / len(points)
    square = sum((one - x) ** 2 for one in xs)
    slope = sum((one - x) * (other - y) for one, other in zip(xs, ys, strict=True)) / square
    rest = sum((other - y - slope * (one - x)) ** 2 for one, other in zip(xs, ys, strict=True))
    error = math.sqrt(rest / (count - 2) / square) if count > 2 else math.nan
    return Fit(slope, error, math.exp(y - slope * x))


# ---- taking the points -----------------------------------------------------------------------------------------------


def take(out: Path, curve: Curve, values: Sequence[int]) -> None:
    """Measure the values of a curve that are not there yet, and keep their rows."""
    done = {row["value"] for row in read_rows(out) if row.get("curve") == curve.name}
    left = [value for value in values if value not in done]
    for some in [left] if curve.together and left else [[value] for value in left]:
        words = [sys.executable, "-m", "benchmarks.growth", "--out", str(out.resolve()), "--point", curve.name]
        found = subprocess.run([*words, *map(str, some)], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
        rows = [json.loads(line) for line in found.stdout.splitlines() if line.startswith("{")]
        keep_rows(out, [{"curve": curve.name, **row} for row in rows])
        for row in rows:
            print(f"{curve.name:<14} {row['value']:>9,} {curve.over}: {said_seconds(row['seconds'])}", flush=True)


def take_stages(out: Path, quick: bool) -> None:
    """The peak memory of every command, by its defaults on the built-in corpus; a few steps take what all take."""
    done = {row["stage"] for row in read_rows(out) if "stage" in row}
    steps, folder = ("3" if quick else "20"), out / "stages"
    if not done.issuperset(STAGES):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        done = set()
    run, model, corpus = folder / "pretrain", folder / "finetune", folder / "corpus"
    split = ["--split", "by-performer", "--steps", steps]
    words = {
        "prepare": ["prepare", "synthetic", "--out", corpus, *(["--recordings", "12"] if quick else [])],
        "pretrain": ["pretrain", corpus, "--out", run, *split],
        "finetune": ["finetune", corpus, "--out", model, "--pretrained", run, *split],
        "localize": ["localize", model, corpus, "--out", folder / "found"],
        "evaluate": ["evaluate", model, corpus, "--out", folder / "metrics.json"],
        "report": ["report", folder / "found", "--out", folder / "report.html"],
    }
    for stage in STAGES:
        if stage in done:
            continue
        begin = time.monotonic()
        peak = peak_of(list(map(str, words[stage])))
        row = {"stage": stage, "peak_bytes": peak, "seconds": time.monotonic() - begin}
        keep_rows(out, [row])
        print(f"{stage:<14} {said_bytes(peak)} at most", flush=True)


def peak_of(words: Sequence[str]) -> int:
    """The most memory that a command of kinespan held, in a process of its own. Raises RuntimeError where it fails."""
    whole = [sys.executable, "-m", "benchmarks.growth", "--command", *words]
    found = subprocess.run(whole, cwd=ROOT, capture_output=True, text=True)
    if found.returncode:
        told = (found.stderr or found.stdout).strip().splitlines()
        raise RuntimeError(f"kinespan {' '.join(words)}: {told[-1] if told else found.returncode}")
    return int(json.loads(found.stdout.splitlines()[-1])["VmHWM"])


def run_command(words: Sequence[str]) -> int:
    """Run a command of kinespan here; the last line tells the memory of this process."""
    from kinespan.cli import main

    try:
        code = main(words)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    print("\n" + json.dumps(memory()), flush=True)
    return code


def machine_row(quick: bool) -> dict[str, Any]:
    """What the points were taken on."""
    from .machine import facts

    found = facts("cpu")
    names = ("name", "cores", "threads", "torch", "kinespan", "load_before")
    return {"machine": {name: found[name] for name in names}, "quick": quick}


# ---- showing them ----------------------------------------------------------------------------------------------------


def series(rows: Sequence[dict[str, Any]], curve: str, what: str = "seconds") -> list[tuple[float, float]]:
    """The points (value, cost) of a curve, by value."""
    return sorted((row["value"], cost_of(row, what)) for row in rows if row.get("curve") == curve)


def cost_of(row: dict[str, Any], what: str) -> float:
    """seconds; or own: the most memory that the process held, without the pages of files that it mapped."""
    return float(row["seconds"] if what == "seconds" else row["peak_bytes"] - row["mapped_bytes"])


def shown_curves(rows: Sequence[dict[str, Any]]) -> list[tuple[Curve, str, list[tuple[float, float]]]]:
    """Each curve with at least two points, what of it is shown, and its points; memory where it was measured alone."""
    found = []
    for curve in CURVES:
        for what in ("seconds",) if curve.together else ("seconds", "own"):
            points = series(rows, curve.name, what)
            if len(points) > 1:
                found.append((curve, what, points))
    return found


def growth_table(rows: Sequence[dict[str, Any]]) -> str:
    """A row a curve: its ends and its exponent; one more of memory where that was measured."""
    if not rows:
        return NONE_YET
    lines = []
    for curve, what, points in shown_curves(rows):
        (least, cost), (most, highest) = points[0], points[-1]
        said, fit = said_seconds if what == "seconds" else said_bytes, fitted(points)
        should = (
            curve.should
            if what == "seconds"
            else {"localize": "0, but for the scores", "map": "1"}.get(curve.name, "0")
        )
        exponent = f"{fit.exponent:.2f}" + ("" if math.isnan(fit.error) else f" ± {fit.error:.2f}")
        what_is = curve.title + ("" if what == "seconds" else ", memory")
        lines.append(
            [what_is, curve.over, f"{least:,.0f} to {most:,.0f}", f"{said(cost)} to {said(highest)}", exponent, should]
        )
    return markdown(["cost", "over", "from, to", "takes", "exponent", "should be"], lines)


def stages_table(rows: Sequence[dict[str, Any]]) -> str:
    """A row a stage."""
    if not rows:
        return NONE_YET
    found = {row["stage"]: row for row in rows if "stage" in row}
    return markdown(
        ["stage", "peak memory", "took"],
        [[name, said_bytes(row["peak_bytes"]), said_seconds(row["seconds"])] for name, row in found.items()],
    )


def picture_link(rows: Sequence[dict[str, Any]]) -> str:
    """The picture and what it was taken on, once there is one."""
    if not rows:
        return NONE_YET
    machine = next(row["machine"] for row in rows if "machine" in row)
    where = f"{machine['name']}, {machine['cores']} cores, torch {machine['torch']}"
    busy = machine["load_before"]
    doubt = "" if busy is None or busy < 0.5 else f" The load average was {busy:.1f} before: not to be quoted."
    return f"![Time and memory over size, both axes logarithmic](../images/growth.svg)\n\nTaken on {where}.{doubt}"


def picture(rows: Sequence[dict[str, Any]]) -> str:
    """All curves as SVG."""
    panels = []
    for curve, what, points in shown_curves(rows):
        fit = fitted(points)
        title = curve.title if what == "seconds" else f"{curve.title}, memory"
        scale, unit = (1.0, "seconds") if what == "seconds" else (2.0**20, "MiB")
        line = [(x, fit.factor * x**fit.exponent / scale) for x in (points[0][0], points[-1][0])]
        panels.append(Panel(title, curve.over, unit, [(x, y / scale) for x, y in points], line, f"{fit.exponent:.2f}"))
    return drawing(panels)


def kept() -> list[dict[str, Any]]:
    """The rows of the last whole run; none where there has been none."""
    return [json.loads(line) for line in KEPT.read_text().splitlines()] if KEPT.is_file() else []


def said_seconds(value: float) -> str:
    """Seconds for people."""
    for scale, unit in ((3600, "h"), (60, "min"), (1, "s"), (1e-3, "ms")):
        if value >= scale * (1 if scale <= 1 else 2):
            return f"{value / scale:.3g} {unit}"
    return f"{value / 1e-6:.3g} us"


def said_bytes(value: float) -> str:
    """Bytes for people."""
    return f"{value / 2**30:.2f} GiB" if value >= 2**30 else f"{value / 2**20:.0f} MiB"


def write(out: Path, quick: bool) -> None:
    """growth.svg and tables.md; those of the docs too where a full run is whole."""
    rows = read_rows(out)
    (out / "growth.svg").write_text(picture(rows))
    text = f"{growth_table(rows)}\n\n{stages_table(rows)}\n"
    (out / "tables.md").write_text(text)
    print(f"\n{text}\nwritten to {out}: growth.svg, tables.md")
    there = {(row.get("curve"), row.get("value")) for row in rows} | {("stage", row.get("stage")) for row in rows}
    wanted = {(curve.name, value) for curve in CURVES for value in curve.values} | {("stage", name) for name in STAGES}
    if quick or not wanted <= there:
        return
    from .results import PAGES, filled

    KEPT.write_text("".join(json.dumps(row) + "\n" for row in rows))
    PICTURE.write_text(picture(rows))
    for page in PAGES:
        page.write_text(filled(page.read_text()))
    print(f"every point is there: {KEPT.relative_to(ROOT)}, {PICTURE.relative_to(ROOT)} and the tables of the docs too")


def main(argv: Sequence[str] | None = None) -> int:
    """The command line, and the entry of the processes of points."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.growth", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="folder of the rows, the picture and what is made")
    parser.add_argument("--only", nargs="+", default=["*"], metavar="CURVE", help="names or patterns; 'memory': stages")
    parser.add_argument("--quick", action="store_true", help="few and small points")
    parser.add_argument("--point", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.command:
        return run_command(arguments.command)
    if arguments.out is None:
        parser.error("say where the rows are to be kept: --out FOLDER")
    out: Path = arguments.out
    if arguments.point:
        from .growth_points import points

        for row in points(arguments.point[0], [int(value) for value in arguments.point[1:]], out):
            print(json.dumps(row), flush=True)
        return 0
    names = [curve.name for curve in CURVES] + ["memory"]
    chosen = [name for name in names if any(fnmatch(name, pattern) for pattern in arguments.only)]
    if not chosen:
        sys.exit(f"--only: nothing is named {' '.join(arguments.only)}; there is {', '.join(names)}")
    out.mkdir(parents=True, exist_ok=True)
    before = [row for row in read_rows(out) if "machine" in row]
    if before and before[0]["quick"] != arguments.quick:
        sys.exit(f"--out {out}: holds the points of a {'quick' if before[0]['quick'] else 'full'} run; name another")
    busy = load()
    if busy is not None and busy > 0.5:
        print(f"NOT TO BE TRUSTED: the load average is {busy:.1f}; others are at work on this machine")
    if not before:
        keep_rows(out, [machine_row(arguments.quick)])
    begin = time.monotonic()
    for curve in CURVES:
        if curve.name in chosen:
            take(out, curve, curve.quick if arguments.quick else curve.values)
    if "memory" in chosen:
        take_stages(out, arguments.quick)
    print(f"{time.monotonic() - begin:.0f} s")
    write(out, arguments.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
