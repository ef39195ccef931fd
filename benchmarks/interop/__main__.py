"""Files that kinespan writes, opened by the programs that they are for.

    python -m benchmarks.interop [--environments FOLDER] [--only PROGRAM ...] [--json FILE]

Made labels and made motion are written by `kinespan convert`. Programs open their files with a Python that has no
kinespan, in virtual environments of requirements.txt (Python 3.12) and, as BORIS needs another numpy, of
requirements-boris.txt (Python 3.13); they are made in FOLDER where it has none. A row of the table says how many labels
or points are as they were made, the largest difference, and what differs. It is the table of docs/start/formats.md. It
is run by hand, as the programs are large and change when they want to.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import kinespan

HERE = Path(__file__).parent
FPS = 100.0
LABELS = (  # label, start, end, tier: touching, overlapping between tiers, with marks that formats treat specially
    ("walk", 0.5, 2.25, "gait"), ("turn & stop", 2.25, 3.125, "gait"), ("Gehen – schnell", 4.004, 6.75, "gait"),
    ('"quoted" label', 7.0, 8.5, "gait"), ("arms up", 1.333, 5.5, "arms"), ("wave", 5.5, 7.777, "arms"),
    ("left foot strike", 0.75, None, "steps"), ("right foot strike", 1.25, None, "steps"),
    ("left foot strike", 2.101, None, "steps"),
)  # fmt: skip
LABEL_PROGRAMS = {
    "elan": ("pympi-ling",), "boris": ("boris-behav-obs",), "textgrid": ("praatio", "textgrid"),
    "webvtt": ("webvtt-py",), "srt": ("pysrt",), "audacity": ("crowsetta",), "raven": ("crowsetta",),
    "label_studio": ("label-studio-sdk",),
}  # fmt: skip
EVENTS = (("Left", "Foot Strike", 0.5), ("Right", "Foot Off", 1.234))
MOTION_PROGRAMS = {"c3d": ("ezc3d", "c3d"), "trc": ("opensim",), "bvh": ("bvhio",)}
BONES = {  # parent, and bone in metres, y up
    "hips": (None, (0, 1.0, 0)),
    "left_hip": ("hips", (0.1, -0.02, 0)), "left_knee": ("left_hip", (0, -0.43, 0)),
    "left_ankle": ("left_knee", (0, -0.42, 0)),
    "right_hip": ("hips", (-0.1, -0.02, 0)), "right_knee": ("right_hip", (0, -0.43, 0)),
    "right_ankle": ("right_knee", (0, -0.42, 0)),
}  # fmt: skip


@dataclass(frozen=True)
class Line:
    """What a program makes of a file."""

    format: str
    program: str
    version: str
    as_made: str
    """How many labels or points it has as they were made, and of how many."""
    largest: str
    """The largest difference of those, in ms or mm."""
    differs: str
    """What is not as it was made; empty where nothing is."""


def compare_labels(rows: list[list[Any]]) -> tuple[int, float, list[str]]:
    """How many of the made labels the rows have, the largest difference in ms, and in words what is not as made."""
    left = [list(row) for row in rows]
    found, largest, differs = 0, 0.0, []
    for label, start, end, tier in LABELS:
        same = [row for row in left if row[0] == label and row[3] in (None, tier) and abs(row[1] - start) < 0.05]
        if not same:
            differs.append(f"{label!r} of {tier} at {start} s is missing")
            continue
        row = min(same, key=lambda row: abs(row[1] - start))
        left.remove(row)
        found += 1
        largest = max(largest, abs(row[1] - start), *([abs(row[2] - end)] if end is not None else []))
        if end is None and row[2] is not None and row[2] > row[1]:
            differs.append(f"instants last {1000 * (row[2] - row[1]):.0f} ms")
    differs += [f"{row[0]!r} at {row[1]} s is not of ours" for row in left]
    if rows and all(row[3] is None for row in rows):
        differs.append("without tiers")
    return found, 1000 * largest, list(dict.fromkeys(differs))


def made_motion() -> tuple[np.ndarray, np.ndarray]:
    """Positions (T, J, 3) in metres of legs that swing, and whether each point was seen (T, J)."""
    frames = np.arange(200)
    names, points = list(BONES), {}
    for index, (name, (parent, bone)) in enumerate(BONES.items()):
        angle = 0.0 if "hip" in name else 0.4 * np.sin(0.05 * frames + index)
        bone = np.array(bone, float)
        y, z = bone[1] * np.cos(angle) - bone[2] * np.sin(angle), bone[1] * np.sin(angle) + bone[2] * np.cos(angle)
        turned = np.stack([np.full(len(frames), bone[0]), y + 0 * frames, z + 0 * frames], axis=-1)
        way = np.stack([np.zeros(len(frames)), np.zeros(len(frames)), 0.01 * frames], axis=-1)
        points[name] = points[parent] + turned if parent else bone + way
    seen = np.ones((len(frames), len(names)), bool)
    seen[50:70, 3] = seen[:5, 6] = False
    return np.stack(list(points.values()), axis=1), seen


def compare_motion(points: dict[str, list[Any]], has_gaps: bool) -> tuple[int, float, list[str]]:
    """How many points are where they were made and as seen, the largest distance in mm, and what is not as made."""
    positions, seen = made_motion()
    found, largest, differs = 0, 0.0, []
    for index, name in enumerate(BONES):
        rows = points.get(name)
        if rows is None or len(rows) != len(positions):
            differs.append(f"{name}: {'missing' if rows is None else f'{len(rows)} frames'}")
            continue
        there = np.array([[np.nan] * 3 if row is None else row for row in rows], float)
        distance = 1000 * np.linalg.norm(there - positions[:, index], axis=-1)
        known = np.isfinite(distance)
        as_seen = known == seen[:, index] if has_gaps else np.ones(len(known), bool)
        if not as_seen.all():
            differs.append(f"{name}: {int((~as_seen).sum())} frames seen or not, other than made")
        judged = seen[:, index] & known
        good = np.where(seen[:, index], known & (distance < 1.0), as_seen)
        found += int(good.sum())
        largest = max(largest, float(distance[judged].max(initial=0)))
    return found, largest, differs


def command(*words: object) -> None:
    """Run a command of the command line. Exits with its message where it fails."""
    done = subprocess.run([sys.executable, "-m", "kinespan.cli", *map(str, words)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"kinespan {' '.join(map(str, words))}\n{done.stderr}")


def write_files(folder: Path) -> dict[str, Path]:
    """Every file to open, by format, written by `kinespan convert`."""
    with open(folder / "labels.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["recording", "label", "start", "end", "tier"])
        table.writerows(("take", label, start, end, tier) for label, start, end, tier in LABELS)
    positions, seen = made_motion()
    names = list(BONES)
    parents = [-1 if parent is None else names.index(parent) for parent, _ in BONES.values()]
    skeleton = kinespan.Skeleton("legs", tuple(names), tuple(parents))
    recording = kinespan.Recording(positions, FPS, skeleton, "take", valid=seen[:, None])
    events = tuple(kinespan.Event(time, f"{side} {label}") for side, label, time in EVENTS)
    labels = tuple(event.label for event in events)
    annotation = kinespan.Annotation((), kinespan.LabelSet(labels, events=labels), None, events)
    kinespan.write(recording, folder / "take.npz", annotation)
    files = {}
    for format in LABEL_PROGRAMS:
        command("convert", folder / "labels.csv", folder / format, "--to", format)
        (files[format],) = (folder / format).iterdir()
    for format in MOTION_PROGRAMS:
        files[format] = folder / f"take.{format}"
        command("convert", folder / "take.npz", files[format])
    return files


def environment(folder: Path, program: str) -> Path:
    """The Python of the environment of a program, which is made where it is not there."""
    of_boris = program == "boris-behav-obs"
    name, version = ("requirements-boris", "python3.13") if of_boris else ("requirements", "python3.12")
    python = folder / name / "bin" / "python"
    if not python.exists():
        subprocess.run([version, "-m", "venv", folder / name], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", HERE / f"{name}.txt"], check=True)
    return python


def opened(python: Path, program: str, format: str, file: Path) -> Line:
    """What a program makes of a file."""
    words = [python, HERE / "programs.py", program, file]
    done = subprocess.run(list(map(str, words)), capture_output=True, text=True, check=False)
    if done.returncode:
        return Line(format, program, "", "", "", f"not opened: {(done.stderr.strip().splitlines() or ['?'])[-1]}")
    said = json.loads(done.stdout.splitlines()[-1])
    if "points" not in said:
        found, largest, differs = compare_labels(said["rows"])
        return Line(
            format,
            program,
            said["version"],
            f"{found} of {len(LABELS)} labels",
            f"{largest:.3g} ms",
            "; ".join(differs),
        )
    found, largest, differs = compare_motion(said["points"], has_gaps=format != "bvh")
    if said["rate"] is not None and abs(said["rate"] - FPS) > 1e-4:
        differs.append(f"{said['rate']:g} frames a second")
    if "events" in said and [tuple(event) for event in said["events"]] != list(EVENTS):
        differs.append(f"events {said['events']}")
    total = made_motion()[1].size
    return Line(
        format, program, said["version"], f"{found:,} of {total:,} points", f"{largest:.2g} mm", "; ".join(differs)
    )


def table(lines: list[Line]) -> str:
    """Markdown."""
    head = ["format", "program", "version", "as made", "largest difference", "what differs"]
    rows = [head, ["---"] * len(head), *([str(cell) for cell in asdict(line).values()] for line in lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main(argv: list[str] | None = None) -> int:
    """Write, open, compare, print; 1 where a program did not open a file or lacks something."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.interop", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--environments", type=Path, metavar="FOLDER", help="keep the environments in, or take them from, this folder"
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="PROGRAM", help="only these programs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="file for the rows")
    arguments = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environments = (arguments.environments or folder / "environments").absolute()
        files = write_files(folder)
        lines = [
            opened(environment(environments, program), program, format, files[format])
            for format, programs in {**LABEL_PROGRAMS, **MOTION_PROGRAMS}.items()
            for program in programs
            if not arguments.only or program in arguments.only
        ]
    print(table(lines))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps([asdict(line) for line in lines], indent=1) + "\n", encoding="utf-8")
    return int(any("missing" in line.differs or "not opened" in line.differs for line in lines))


if __name__ == "__main__":
    sys.exit(main())
