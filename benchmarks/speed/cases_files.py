"""Both sides of reading files and of scoring predictions; and the demonstration, from start to report."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from . import conventional_files
from .counting import Need
from .interleave import Job
from .options import RunOptions

TIOUS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
LABELS = tuple(f"action {number}" for number in range(20))
SECONDS, SPANS, PREDICTIONS = 300.0, 12, 100
"""Length of a recording, true spans in it, predictions about it."""

Entries = dict[str, list[dict[str, Any]]]


def made_detections(options: RunOptions) -> tuple[Entries, Entries]:
    """Predictions and true spans of each recording, as ActivityNet files hold them."""
    rng = np.random.default_rng(0)
    results: Entries = {}
    truth: Entries = {}
    for number in range(100 if options.quick else 1000):
        starts, lengths = rng.uniform(0, SECONDS - 10, SPANS), rng.uniform(1, 10, SPANS)
        labels = rng.integers(len(LABELS), size=SPANS)
        truth[f"take {number}"] = [
            {"label": LABELS[label], "segment": [start, start + length]}
            for start, length, label in zip(starts.tolist(), lengths.tolist(), labels.tolist(), strict=True)
        ]
        target = rng.integers(SPANS, size=PREDICTIONS)  # the true span that a prediction is about
        begins = np.maximum(0, starts[target] + rng.normal(0, 1, PREDICTIONS))
        spans = np.maximum(0.1, lengths[target] + rng.normal(0, 1, PREDICTIONS))
        predicted = np.where(rng.random(PREDICTIONS) < 0.7, labels[target], rng.integers(len(LABELS), size=PREDICTIONS))
        results[f"take {number}"] = [
            {"label": LABELS[label], "segment": [start, start + length], "score": score}
            for start, length, label, score in zip(
                begins.tolist(), spans.tolist(), predicted.tolist(), rng.random(PREDICTIONS).tolist(), strict=True
            )
        ]
    return results, truth


def write_detections(options: RunOptions, folder: Path) -> tuple[Path, Path]:
    """The files P.json and T.json of the made predictions and true spans."""
    results, truth = made_detections(options)
    database = {name: {"duration": SECONDS, "annotations": entries} for name, entries in truth.items()}
    paths = folder / "P.json", folder / "T.json"
    paths[0].write_text(json.dumps({"version": "1.0", "results": results}))
    paths[1].write_text(json.dumps({"version": "1.0", "database": database}))
    return paths


def conventional_map(options: RunOptions, grouped: bool = False) -> Job:
    """mAP of predictions in memory, in nested loops."""
    with tempfile.TemporaryDirectory() as folder:
        predictions, truth = conventional_files.read_activitynet(*write_detections(options, Path(folder)))
    return Job(lambda: conventional_files.mean_average_precision(predictions, truth, TIOUS, grouped), warmup=0)


def our_map(options: RunOptions) -> Job:
    """mAP of predictions in memory."""
    from kinespan.annotations.activitynet import read_predictions, read_truth
    from kinespan.metrics import detection_map

    with tempfile.TemporaryDirectory() as folder:
        predicted_file, truth_file = write_detections(options, Path(folder))
        predictions = read_predictions(predicted_file).spans
        truth = {name: annotation.spans for name, annotation in read_truth(truth_file).annotations.items()}
    return Job(lambda: detection_map(predictions, truth, TIOUS))


def our_map_from_files(options: RunOptions) -> Job:
    """From P.json and T.json to the figure."""
    from kinespan.annotations.activitynet import read_predictions, read_truth
    from kinespan.metrics import detection_map

    folder = tempfile.TemporaryDirectory()
    predicted_file, truth_file = write_detections(options, Path(folder.name))

    def whole() -> None:
        predictions, truth = read_predictions(predicted_file), read_truth(truth_file)
        detection_map(predictions.proposals, {name: a.spans for name, a in truth.annotations.items()}, TIOUS)
        assert folder.name  # the folder lives as long as the job

    return Job(whole)


def write_skeletons(options: RunOptions, folder: Path) -> list[Path]:
    """NTU RGB+D files of 100 frames, every third with a second body, with every field of the published ones."""
    rng = np.random.default_rng(0)
    paths = []
    for number in range(3 if options.quick else 24):
        lines = ["100"]
        bodies = 2 if number % 3 == 2 else 1
        for _ in range(100):
            lines.append(str(bodies))
            for body in range(bodies):
                lines += [f"7205759403793{body:04d} 0 1 1 1 1 0 0.02764709 0.05745083 2", "25"]
                for values in rng.normal(0, 1, (25, 11)).tolist():
                    lines.append(" ".join(f"{value:.7g}" for value in values) + " 2")
        paths.append(folder / f"S001C001P001R{number + 1:03d}A001.skeleton")
        paths[-1].write_text("\r\n".join(lines) + "\r\n")
    return paths


def _reading(options: RunOptions, read: Any) -> Job:
    """A unit is a file; its bytes are read from memory once."""
    folder = tempfile.TemporaryDirectory()
    paths = write_skeletons(options, Path(folder.name))
    size = sum(path.stat().st_size for path in paths) / len(paths)

    def whole() -> None:
        for path in paths:
            read(path)
        assert folder.name  # the folder lives as long as the job

    return Job(whole, units=len(paths), need=Need(values=size), value_bytes=1)


def conventional_reading(options: RunOptions) -> Job:
    """.skeleton files line by line."""
    return _reading(options, conventional_files.read_skeleton)


def our_reading(options: RunOptions) -> Job:
    """.skeleton files by our reader, with its checks."""
    from kinespan.io.ntu import read_bodies

    return _reading(options, read_bodies)


def write_table(options: RunOptions, kind: str, folder: Path) -> Path:
    """A wide table of 25 points, CSV or TRC, of numbers with six decimals."""
    rng = np.random.default_rng(0)
    frames = 3_600 if options.quick else 36_000
    names = [f"joint{number}" for number in range(25)]
    values = rng.normal(0, 1, (frames, 75))
    mark, path = ("," if kind == "csv" else "\t"), folder / f"walk.{kind}"
    with path.open("w") as file:
        if kind == "csv":
            file.write(",".join(["frame", "time", *(f"{name}_{axis}" for name in names for axis in "xyz")]) + "\n")
        else:
            axes = "\t".join(f"{axis}{number}" for number in range(1, 26) for axis in "XYZ")
            file.write(f"PathFileType\t4\t(X/Y/Z)\t{path.name}\n")
            file.write(
                "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames\n"
            )
            file.write(f"60\t60\t{frames}\t25\tm\t60\t1\t{frames}\n")
            file.write("Frame#\tTime\t" + "\t\t\t".join(names) + f"\n\t\t{axes}\n\n")
        for frame, row in enumerate(values.tolist(), start=1):
            numbers = mark.join([f"{value:.6f}" for value in row])
            file.write(f"{frame}{mark}{(frame - 1) / 60:.6f}{mark}{numbers}\n")
    return path


def _table(options: RunOptions, kind: str, read: Any) -> Job:
    """A unit is a megabyte of the file."""
    folder = tempfile.TemporaryDirectory()
    path = write_table(options, kind, Path(folder.name))

    def whole() -> None:
        read(path)
        assert folder.name  # the folder lives as long as the job

    return Job(whole, units=max(1, round(path.stat().st_size / 1e6)), need=Need(values=1e6), value_bytes=1)


def conventional_table(options: RunOptions, kind: str) -> Job:
    """Rows by the csv module, numbers by float."""
    return _table(options, kind, conventional_files.read_table)


def our_table(options: RunOptions, kind: str, compiled: bool = True) -> Job:
    """From the file to a recording, with its checks; by the compiled scanner or the one in Python."""
    from kinespan.io import ReadOptions, decimals, read

    settings = ReadOptions(fps=60.0, unit="m", up="y")

    def read_one(path: Path) -> None:
        scanners = {name: getattr(decimals, name) for name in ("_scan_compiled", "_scan_fields_compiled")}
        if compiled and None in scanners.values():
            raise SystemExit("kinespan.io._scan is not compiled: run make")
        for name, scanner in scanners.items():
            setattr(decimals, name, scanner if compiled else None)
        try:
            read(path, options=settings)
        finally:
            for name, scanner in scanners.items():
                setattr(decimals, name, scanner)

    return _table(options, kind, read_one)


def demo(options: RunOptions) -> Job:
    """What `make demo` runs after the install."""

    def whole() -> None:
        with tempfile.TemporaryDirectory() as folder:
            words = [sys.executable, "-m", "kinespan.cli", "demo", "--out", str(Path(folder) / "demo")]
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    return Job(whole, warmup=0, once=True)
