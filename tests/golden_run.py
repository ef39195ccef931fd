"""The main job on a tiny made corpus, whose every weight, score and span must stay what it was.

    python tests/golden_run.py COMMIT     run it from a commit's source and from this one, and compare to the bit

Everything runs in float32 on one thread, by the commands that people type, so that the two sources may differ in any
way but in what users measure. `tests/integration/test_golden_run.py` compares this source with stored figures, which
hold on other processors to rounding.
"""

from __future__ import annotations

import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file

SOURCE = Path(__file__).resolve().parents[1] / "src"
SMALL = ["--precision", "32", "--split", "by-performer", "--batch-size", "4", "--clip-frames", "32"]
# a small learning rate, since Adam's first steps have the size of that rate whatever the gradient's, rounding included
SLOW = [*SMALL, "--steps", "6", "--lr", "1e-4"]
COMMANDS = (
    ["prepare", "synthetic", "--out", "corpus", "--recordings", "8", "--seed", "3"],
    ["pretrain", "corpus", "--out", "pretrain", *SLOW, "--probe-every", "3"],
    ["finetune", "corpus", "--out", "finetune", "--pretrained", "pretrain", *SLOW],
    ["finetune", "corpus", "--out", "linear", "--pretrained", "pretrain", "--protocol", "linear", *SMALL,
     "--steps", "6"],
    ["learn", "corpus", "--out", "learn", *SMALL[:4], "--label-fraction", "0.4", "--teach", "on",
     "--pretrain-steps", "2", "--steps", "2"],
    ["localize", "learn", "corpus", "--out", "localize", "--split", "by-performer"],
)  # fmt: skip
STEADY = ("pretrain", "finetune", "learn/pretrain", "learn/scratch")
"""Runs whose first loss and whose weights hardly depend on the processor."""


def run(folder: Path, source: Path = SOURCE) -> None:
    """Run every command in a folder, with the kinespan of a source tree."""
    environment = {**os.environ, "PYTHONPATH": str(source), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    for words in COMMANDS:
        command = [sys.executable, "-m", "kinespan.cli", *words]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"kinespan {' '.join(words)}: {done.stdout}{done.stderr}")


def arrays(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Every weight and frame score that the commands wrote, by file and name."""
    for file in sorted(folder.rglob("*.safetensors")):
        for name, values in sorted(load_file(file).items()):
            yield f"{file.relative_to(folder).as_posix()}:{name}", values
    for file in sorted(folder.rglob("scores.npz")):
        with np.load(file) as scores:
            for name in sorted(scores.files):
                yield f"{file.relative_to(folder).as_posix()}:{name}", scores[name]


def spans(folder: Path) -> Iterator[tuple[str, list[list[str]]]]:
    """Every row of every spans.csv, by file."""
    for file in sorted(folder.rglob("spans.csv")):
        with open(file, newline="", encoding="utf-8") as rows:
            yield file.relative_to(folder).as_posix(), list(csv.reader(rows))


def figures(folder: Path) -> dict[str, Any]:
    """Figures that stand for all of them and are the same on every processor but for rounding.

    weights: the root mean square of each run's weights. losses: the loss of its first step. scores: the mean score of
    each label, background first, by test recording of the finetuned model. Runs that start from several steps at a full
    learning rate are left out, and the linear probe: both make rounding large.
    """
    weights = {run: _root_mean_square(folder / run) for run in (*STEADY, "learn")}
    losses = {run: _first_loss(folder / run / "metrics.csv") for run in STEADY}
    with np.load(folder / "finetune" / "scores.npz") as scores:
        names = sorted(name for name in scores.files if name.startswith("scores/"))
        means = {name.removeprefix("scores/"): scores[name].mean(axis=0, dtype=np.float64).tolist() for name in names}
    return {"weights": weights, "losses": losses, "scores": means}


def _root_mean_square(run: Path) -> float:
    (file,) = run.glob("*.safetensors")
    values = np.concatenate([part.astype(np.float64).ravel() for part in load_file(file).values()])
    return float(np.sqrt(np.mean(values**2)))


def _first_loss(file: Path) -> float:
    with open(file, newline="", encoding="utf-8") as rows:
        return float(next(csv.DictReader(rows))["loss"])


def differences(before: Path, now: Path) -> list[str]:
    """What is not the same to the bit in two folders that `run` filled."""
    old, new = dict(arrays(before)), dict(arrays(now))
    different = [f"{name}: only on one side" for name in sorted(set(old) ^ set(new))]
    for name in sorted(set(old) & set(new)):
        if old[name].dtype != new[name].dtype or old[name].tobytes() != new[name].tobytes():
            largest = float(np.abs(np.subtract(old[name], new[name], dtype=np.float64)).max())
            different.append(f"{name}: differs by up to {largest:.3g}")
    old_spans, new_spans = dict(spans(before)), dict(spans(now))
    names = sorted({*old_spans, *new_spans})
    different += [f"{name}: other spans" for name in names if old_spans.get(name) != new_spans.get(name)]
    return different


def main(commit: str) -> int:
    """Compare this source with that of a commit; returns the exit code."""
    root = SOURCE.parent
    with tempfile.TemporaryDirectory() as temporary:
        folders = {name: Path(temporary) / name for name in ("tree", "before", "now")}
        for name in ("before", "now"):
            folders[name].mkdir()
        subprocess.run(["git", "worktree", "add", "--detach", str(folders["tree"]), commit], cwd=root, check=True)
        try:
            run(folders["before"], folders["tree"] / "src")
            run(folders["now"])
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(folders["tree"])], cwd=root, check=True)
        count = sum(1 for _ in arrays(folders["now"]))
        different = differences(folders["before"], folders["now"])
    print("\n".join(different) or f"the same to the bit: {count} arrays of weights and scores, and all spans")
    return 1 if different else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
