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
from ..corpus.store import INDEX_FILE, Corpus
from ..data.predictions import Predictions, Truth
from ..data.recording import Recording
from ..errors import InputError
from ..runs.answers import labels_of, shown_scores
from ..runs.folder import LOG_FILE, METRICS_FILE, PROPOSALS_FILE, SCORES_FILE, TRUTH_FILE
from ..runs.inputs import corpus_truth
from ..runs.outputs import read_scores
from .data import ReportData, ReportRecording


def gather(
    inputs: Sequence[Path],
    *,
    recordings: Path | None = None,
    most: int = 12,
    proposals: bool = False,
    title: str | None = None,
    set: str | None = None,
    options: io.ReadOptions | None = None,
    only: Sequence[str] | None = None,
) -> ReportData:
    """The report of a run's folder, or of proposals and metrics files; truth and scores are read from their folder.

    Recordings are read from the corpus or the files that proposals.json names, or from `recordings` (a corpus, a
    folder of motion files or a file). Motion files are read as they were localized, or as `options` says otherwise. At
    most `most` are shown, of those in `only` where that is given. The segmentation is shown and, with `proposals` or
    where a file has no segmentation, the proposals. Raises InputError for missing and for other files, and where no
    recording is left.
    """
    predictions_file, metrics_file = _files(inputs)
    predictions = read_predictions(predictions_file)
    folder = predictions_file.parent
    truth = read_truth(folder / TRUTH_FILE) if (folder / TRUTH_FILE).is_file() else None
    if set is not None:
        truth = _truth_of_set(predictions, set, recordings, predictions_file)
    metrics = None if metrics_file is None else _json(metrics_file)
    frame_scores = read_scores(folder / SCORES_FILE)
    localized = [name for name in sorted(predictions.proposals) if only is None or name in only]
    if only is not None and not localized:
        raise InputError(f"{predictions_file}: has no predictions of {', '.join(map(repr, only))}; localize it first")
    names = localized[:most]
    segmentation = predictions.segmentation
    motion = _recordings(predictions, names, recordings, predictions_file, options or io.ReadOptions())
    details, labels = predictions.details, labels_of(predictions, truth)
    is_answer = predictions.is_answer
    shown = [
        ReportRecording(
            recording=motion[name],
            truth=None if truth is None else truth.annotations.get(name),
            segmentation=None if segmentation is None or not labels.spans else segmentation.get(name, ()),
            proposals=predictions.proposals[name] if proposals or segmentation is None else (),
            scores=None if frame_scores is None else shown_scores(frame_scores.scores.get(name), predictions),
            scores_fps=None if frame_scores is None else frame_scores.fps,
            events=[event for event in predictions.events.get(name, ()) if is_answer(event)] if labels.events else None,
        )
        for name in names
    ]
    total = len(localized)
    return ReportData(
        title=title or f"kinespan: {names[0] if total == 1 else f'{total} recordings localized'}",
        labels=labels,
        recordings=shown,
        metrics=metrics,
        facts=_facts(details if set is None else {**details, "set": set}, metrics, total, len(names)),
        curves=training_curves(folder),
    )


def _truth_of_set(predictions: Predictions, name: str, source: Path | None, file: Path) -> Truth:
    """The labels of an annotation set of the corpus that was localized. Raises InputError where it was none."""
    folder = source or predictions.details.get("corpus")
    if folder is None:
        raise InputError(f"{file}: localized motion files, which have no annotation sets; leave --set out")
    corpus = Corpus.open(folder, name)
    return corpus_truth(corpus, [name for name in predictions.proposals if name in corpus])


def _files(inputs: Sequence[Path]) -> tuple[Path, Path | None]:
    """The proposals file and the metrics file, if there is one."""
    predictions = metrics = None
    for path in inputs:
        if path.is_dir():
            predictions = path / PROPOSALS_FILE
            metrics = path / METRICS_FILE if (path / METRICS_FILE).is_file() else metrics
        elif path.is_file() and "results" in _json(path):
            predictions = path
        elif path.is_file() and "map" in _json(path):
            metrics = path
        else:
            raise InputError(f"{path}: neither a run's folder, predictions (results) nor metrics (map)")
    if predictions is None or not predictions.is_file():
        missing = predictions or inputs[0]
        raise InputError(f"{missing}: no predictions to show; run kinespan localize, or finetune with --split")
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
    predictions: Predictions, names: Sequence[str], source: Path | None, file: Path, given: io.ReadOptions
) -> Mapping[str, Recording]:
    """The localized recordings by name: from `source`, else from the corpus or the files that the predictions name."""
    details = predictions.details
    hint = "say where they are with --recordings"
    options = io.ReadOptions.of(details.get("read", {}) | given.given())
    override_fps = bool(details.get("override_fps", True))
    if source is None and "corpus" in details:
        source = Path(details["corpus"])
        if not source.is_dir():
            raise InputError(f"{file}: its corpus {source} is gone; {hint}")
    if source is None:
        sources = details.get("files", {})
        missing = [name for name in names if not Path(sources.get(name, "")).is_file()]
        if missing:
            raise InputError(f"{file}: the motion of {missing[0]!r} is not where it was; {hint}")
        return {name: io.read(sources[name], options=options, override_fps=override_fps).recording for name in names}
    if (source / INDEX_FILE).is_file():
        if given.given():
            raise InputError(f"{source}: a corpus, which options of reading motion files do not change")
        corpus = Corpus.open(source)
        recordings = {name: corpus[name] for name in names if name in corpus}
    else:
        files = [path for path, _ in io.find_files(source)] if source.is_dir() else [source]
        recordings = {
            path.stem: io.read(path, options=options, override_fps=override_fps).recording
            for path in files
            if path.stem in names
        }
    missing = [name for name in names if name not in recordings]
    if missing:
        raise InputError(f"{source}: does not hold recording {missing[0]!r} of {file}")
    return recordings


def _facts(details: Mapping[str, Any], metrics: Mapping[str, Any] | None, total: int, shown: int) -> dict[str, str]:
    """The facts behind the figures: training, pretraining, the rule of the mAP, the number of recordings."""
    training = dict(details.get("training") or {})
    pretrained = training.pop("pretrained", None)
    facts = {
        name.replace("_", " "): ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        for name, value in training.items()
        if value is not None
    }
    if isinstance(pretrained, Mapping):
        method = f"{pretrained.get('method')}, snippets {pretrained.get('snippets')}"
        models = f" ({pretrained['models']} models)" if "models" in pretrained else ""
        facts["pretrained"] = f"{method}, {pretrained.get('steps')} steps, seed {pretrained.get('seed')}{models}"
    elif training:
        facts["pretrained"] = "no"
    if metrics is not None:
        facts["mAP rule"] = str(metrics.get("rule"))
    if "set" in details:
        facts["annotation set"] = str(details["set"])
    facts["recordings"] = f"{total}" if shown == total else f"{total}, the first {shown} are shown"
    return facts


def training_curves(folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Training curves of a run, (step, value) by name; without curves of its own, those of the runs in its folder."""
    own = folder / LOG_FILE
    curves: dict[str, list[tuple[float, float]]] = {}
    for file in [own] if own.is_file() else sorted(folder.glob(f"*/{LOG_FILE}")):
        prefix = "" if file == own else f"{file.parent.name}: "
        with open(file, newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream):
                for name, text in row.items():
                    if name not in ("epoch", "step") and text and math.isfinite(float(text)):
                        curves.setdefault(prefix + name, []).append((float(row["step"]), float(text)))
    return curves
