"""Runs of every fold of a split, `--fold all`: a folder a fold, and the mean and spread of their figures.

OUT/fold1, OUT/fold2, ... are runs like any other. OUT/settings.yaml has the settings that they share, with fold: all,
and OUT/folds.json the figures of each finished fold, their mean and their standard deviation.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..corpus.store import Corpus
from ..errors import InputError
from .folder import CHECKPOINT, ENCODER_FILE, FOLDS_FILE, MODEL_FILE
from .settings import load_settings

Figures = Mapping[str, Any]
"""Figures by name, which may be nested, as in metrics.json."""
NOT_AVERAGED = ("facts", "recordings")
"""Entries of metrics.json that say what was measured."""


def fold_folder(out: Path, number: int) -> Path:
    """The folder of a fold's run."""
    return out / f"fold{number}"


def fold_numbers(corpora: Sequence[Corpus], split: str | None) -> tuple[int, ...]:
    """The numbers of the folds of a split that all corpora have.

    Raises InputError without a split, and where the corpora differ in their folds.
    """
    if split is None:
        known = ", ".join(dict.fromkeys(name for corpus in corpora for name in corpus.splits)) or "none"
        raise InputError(f"--fold all: say with --split NAME whose folds; available: {known}")
    folds = []
    for corpus in corpora:
        if split not in corpus.splits:
            corpus.fold(split, 1)  # raises
        folds.append(tuple(corpus.splits[split].folds))
    if len(set(folds)) > 1:
        raise InputError(
            f"--fold all: the corpora have different folds of split {split!r}: "
            f"{' and '.join(', '.join(map(str, numbers)) for numbers in folds)}"
        )
    return folds[0]


def is_run_of_folds(path: str | Path | None) -> bool:
    """Whether a path is the folder of a run of every fold."""
    return path is not None and Path(path).is_dir() and load_settings(Path(path)).get("config", {}).get("fold") == "all"


def run_of_fold(path: str | Path, split: str | None, number: int) -> Path:
    """The run of a fold in the folder of a run of every fold.

    Raises InputError where that was of another split, or that fold is not finished.
    """
    path = Path(path)
    trained_split = load_settings(path)["config"].get("split")
    if split != trained_split:
        need = f"this run has {f'--split {split}' if split else 'no --split'}; give one of its folds, such as"
        raise InputError(f"{path}: a run of every fold of split {trained_split!r}, {need} {path / 'fold1'}")
    folder = fold_folder(path, number)
    if not any((folder / name).is_file() for name in (ENCODER_FILE, MODEL_FILE)):
        raise InputError(f"{folder}: no finished run, which fold {number} is to start from")
    return folder


def check_folds_folder(out: Path, command: str, resume: bool) -> None:
    """Raise InputError where a new run of every fold would overwrite another, or where there is none to resume."""
    settings = load_settings(out)
    if resume:
        if settings.get("stage") != command or not is_run_of_folds(out):
            raise InputError(f"{out}: holds no run of kinespan {command} --fold all to resume; start without --resume")
    elif settings or any((out / name).exists() for name in (ENCODER_FILE, MODEL_FILE, CHECKPOINT)):
        raise InputError(f"{out}: holds a run already; resume it with --resume, or name another --out")


def read_folds(out: Path) -> dict[int, Figures]:
    """The figures of the folds that are finished, by number; empty where there are none."""
    file = out / FOLDS_FILE
    if not file.is_file():
        return {}
    return {int(number): figures for number, figures in json.loads(file.read_text(encoding="utf-8"))["folds"].items()}


def summary_of(figures: Mapping[int, Figures], facts: Figures) -> dict[str, Any]:
    """The content of folds.json: `facts`, the figures of each fold, their mean and their standard deviation."""
    mean, deviation = spread(list(figures.values()))
    folds = {str(number): figures[number] for number in sorted(figures)}
    return {**facts, "folds": folds, "mean": mean, "deviation": deviation}


def spread(figures: Sequence[Figures]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Mean and sample standard deviation of each number that folds have, nested as they are.

    A fold that has no such number, where there was nothing to measure, does not count; the mean of none is None, as is
    the deviation of fewer than two.
    """
    mean: dict[str, Any] = {}
    deviation: dict[str, Any] = {}
    for name in dict.fromkeys(name for each in figures for name in each if name not in NOT_AVERAGED):
        values = [each.get(name) for each in figures]
        if nested := [value for value in values if isinstance(value, Mapping)]:
            inner = spread(nested)
            if inner[0]:
                mean[name], deviation[name] = inner
        elif all(value is None or (isinstance(value, int | float) and not isinstance(value, bool)) for value in values):
            numbers = [value for value in values if value is not None]
            mean[name] = statistics.fmean(numbers) if numbers else None
            deviation[name] = statistics.stdev(numbers) if len(numbers) > 1 else None
    return mean, deviation
