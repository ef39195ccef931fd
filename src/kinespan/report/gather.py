"""From the files of a run to the data of a report."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import io
from ..annotations.activitynet import read_predictions, read_truth
from ..corpus.store import Corpus
from ..data.annotation import LabelSet
from ..data.predictions import Predictions, Truth
from ..data.recording import Recording
from ..errors import InputError
from ..runs.folder import METRICS_FILE, PREDICTIONS_FILE, SCORES_FILE, TRUTH_FILE
from ..runs.outputs import read_scores
from .data import ReportData, ReportRecording


def gather(
    inputs: Sequence[Path], *, recordings: Path | None = None, most: int = 12, title: str | None = None
) -> ReportData:
    """The report of a run's folder, or of predictions and metrics files; truth and scores are taken from beside them.

    Recordings are found where predictions.json says that they were, or at `recordings` (a corpus, a folder of motion
    files or one file). At most `most` are shown. Raises InputError for files that are missing or are something else.
    """
    predictions_file, metrics_file = _files(inputs)
    predictions = read_predictions(predictions_file)
    folder = predictions_file.parent
    truth = read_truth(folder / TRUTH_FILE) if (folder / TRUTH_FILE).is_file() else None
    metrics = None if metrics_file is None else _json(metrics_file)
    scores = read_scores(folder / SCORES_FILE)
    names = sorted(predictions.spans)[:most]
    found = _recordings(predictions, names, recordings, predictions_file)
    details = predictions.details
    shown = [
        ReportRecording(
            recording=found[name],
            truth=None if truth is None else truth.annotations.get(name),
            predictions=predictions.spans[name],
            segmentation=(predictions.segmentation or {}).get(name, ()),
            scores=scores.get(name),
            scores_fps=float(details["fps"]) if name in scores and "fps" in details else None,
        )
        for name in names
    ]
    return ReportData(
        title=title
        or "kinespan: "
        + (names[0] if len(predictions.spans) == 1 else f"{len(predictions.spans)} recordings localized"),
        labels=_labels(predictions, truth),
        recordings=shown,
        metrics=metrics,
        facts=_facts(details, metrics, len(predictions.spans), len(names)),
        curves=_curves(folder),
    )


def _files(inputs: Sequence[Path]) -> tuple[Path, Path | None]:
    """The predictions file and the metrics file, if there is one."""
    predictions = metrics = None
    for path in inputs:
        if path.is_dir():
            predictions = path / PREDICTIONS_FILE
            metrics = path / METRICS_FILE if (path / METRICS_FILE).is_file() else metrics
        elif path.is_file() and "results" in _json(path):
            predictions = path
        elif path.is_file() and "map" in _json(path):
            metrics = path
        else:
            raise InputError(f"{path}: neither a run's folder, predictions (results) nor metrics (map)")
    if predictions is None or not predictions.is_file():
        where = predictions or inputs[0]
        raise InputError(f"{where}: no predictions to show; run kinespan localize, or finetune with --split")
    return predictions, metrics


def _json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: not JSON ({error})") from None
    if not isinstance(data, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(data).__name__}")
    return data


def _recordings(
    predictions: Predictions, names: Sequence[str], moved: Path | None, file: Path
) -> Mapping[str, Recording]:
    """The recordings that were localized, by name."""
    details = predictions.details
    hint = "say where they are with --recordings"
    if moved is None and "corpus" in details:
        moved = Path(details["corpus"])
        if not moved.is_dir():
            raise InputError(f"{file}: its corpus {moved} is gone; {hint}")
    if moved is None:
        sources = details.get("files", {})
        missing = [name for name in names if not Path(sources.get(name, "")).is_file()]
        if missing:
            raise InputError(f"{file}: the motion of {missing[0]!r} is not where it was; {hint}")
        options = io.ReadOptions(**details.get("read", {}))
        return {name: io.read(sources[name], options=options).recording for name in names}
    found: dict[str, Recording] = {}
    if (moved / "index.json").is_file():
        corpus = Corpus.open(moved)
        found = {name: corpus[name] for name in names if name in corpus}
    else:
        options = io.ReadOptions(**details.get("read", {}))
        files = [path for path, _ in io.find_files(moved)] if moved.is_dir() else [moved]
        found = {path.stem: io.read(path, options=options).recording for path in files if path.stem in names}
    lost = [name for name in names if name not in found]
    if lost:
        raise InputError(f"{moved}: does not hold recording {lost[0]!r} of {file}")
    return found


def _labels(predictions: Predictions, truth: Truth | None) -> LabelSet:
    """The label set: as declared by the model, else of the truth, else of the spans."""
    declared = predictions.details.get("labels")
    if declared:
        return LabelSet(tuple(declared), bool(predictions.details.get("exclusive", True)))
    if truth is not None:
        return truth.labels
    return LabelSet(tuple(sorted({span.label for spans in predictions.spans.values() for span in spans})))


def _facts(details: Mapping[str, Any], metrics: Mapping[str, Any] | None, total: int, shown: int) -> dict[str, str]:
    """What the figures rest on, in the order in which a reader asks."""
    training = dict(details.get("training") or {})
    pretrained = training.pop("pretrained", None)
    facts = {name.replace("_", " "): _words(value) for name, value in training.items() if value is not None}
    if isinstance(pretrained, Mapping):
        how = f"{pretrained.get('method')}, snippets {pretrained.get('snippets')}"
        some = f" ({pretrained['models']} models)" if "models" in pretrained else ""
        facts["pretrained"] = f"{how}, {pretrained.get('steps')} steps, seed {pretrained.get('seed')}{some}"
    elif training:
        facts["pretrained"] = "no"
    if metrics is not None:
        facts["mAP rule"] = str(metrics.get("rule"))
    facts["recordings"] = f"{total}" if shown == total else f"{total}, the first {shown} are shown"
    return facts


def _words(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _curves(folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Training curves of a run, by name: (step, value); of one that is made of others, those of each of them."""
    if (folder / "metrics.csv").is_file():
        return _curves_of(folder / "metrics.csv")
    parts = {file.parent.name: _curves_of(file) for file in sorted(folder.glob("*/metrics.csv"))}
    return {f"{run}: {name}": curve for run, curves in parts.items() for name, curve in curves.items()}


def _curves_of(file: Path) -> dict[str, list[tuple[float, float]]]:
    curves: dict[str, list[tuple[float, float]]] = {}
    with open(file, newline="", encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            for name, text in row.items():
                if name not in ("epoch", "step") and text:
                    value = float(text)
                    if math.isfinite(value):
                        curves.setdefault(name, []).append((float(row["step"]), value))
    return curves
