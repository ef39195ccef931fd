"""Localizing many recordings: predictions, their scores, the truth to score them against, and the files of both."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from .activitynet import Predictions, Truth
from .annotation import Annotation, LabelSet, Span
from .atomic import write_atomically
from .corpus.splits import without_labels
from .corpus.store import Corpus
from .decode_presets import DECODERS
from .errors import InputError
from .evaluate import Metrics, Rule, evaluate
from .export import WRITERS
from .recording import Recording

if TYPE_CHECKING:  # torch takes seconds to import
    from .model import Model, Scores

PREDICTIONS_FILE, TRUTH_FILE, SPANS_FILE = "predictions.json", "truth.json", "spans.csv"
SCORES_FILE, METRICS_FILE = "scores.npz", "metrics.json"


@dataclass(frozen=True)
class LocalizationResult:
    """Predictions of a model, and the frame scores (T, C + 1) of each recording at ``fps``."""

    predictions: Predictions
    scores: Mapping[str, Scores]
    fps: float
    labels: LabelSet


def localize_recordings(
    model: Model,
    recordings: Iterable[Recording],
    *,
    people: Literal["together", "each"] = "together",
    decoder: str | None = None,
    details: Mapping[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
) -> LocalizationResult:
    """Localize recordings one by one; `decoder` names a way of decoding in place of the model's own.

    It makes the scored spans; the segmentation is the model's own under every decoder. Raises InputError for two
    recordings of the same name, one that does not map, or an unknown decoder.
    """
    config = None if decoder is None else DECODERS[decoder]
    spans: dict[str, tuple[Span, ...]] = {}
    segmentation: dict[str, tuple[Span, ...]] = {}
    scores: dict[str, Scores] = {}
    for number, recording in enumerate(recordings):
        name = recording.name
        if name in spans:
            raise InputError(f"two recordings are named {name!r}; localize them into different folders")
        scores[name] = model.frame_scores(recording)
        segmentation[name] = tuple(model.segment(scores[name]))
        if people == "together":
            decoded = model.decode(scores[name], config)
        else:
            decoded = model.localize(recording, people, config)
        spans[name] = tuple(decoded)
        if progress is not None:
            progress(number + 1)
    fps = model.spec.input.fps
    facts = {"training": dict(model.spec.training), "fps": fps, **_decoder_fact(decoder), **(details or {})}
    labels = {"labels": list(model.labels.names), "exclusive": model.labels.exclusive}
    predictions = Predictions(spans, segmentation, {**facts, **labels})
    return LocalizationResult(predictions, scores, fps, model.labels)


def _decoder_fact(decoder: str | None) -> dict[str, str]:
    """The decoder's name as a fact; nothing where it is the model's own."""
    return {} if decoder is None else {"decoder": decoder}


def corpus_truth(corpus: Corpus, names: Sequence[str], dropped: tuple[str, ...] = ()) -> Truth:
    """The truth of annotated recordings of a corpus. Raises InputError where there are no labels."""
    if corpus.labels is None:
        raise InputError(f"corpus {corpus.name!r} has no labels to evaluate against")
    annotations: dict[str, Annotation] = {}
    for name in names:
        annotation = corpus.annotation(name, drop=dropped)
        if annotation is not None:
            annotations[name] = annotation
    if not annotations:
        raise InputError(f"corpus {corpus.name!r}: none of the {len(names)} recordings is annotated")
    infos = {name: corpus.infos[corpus.index(name)] for name in annotations}
    durations = {name: info.duration for name, info in infos.items()}
    rates = {name: info.fps for name, info in infos.items()}
    return Truth(annotations, without_labels(corpus.labels, dropped), durations, rates)


def evaluate_on(
    model: Model,
    corpus: Corpus,
    names: Sequence[str],
    *,
    dropped: tuple[str, ...] = (),
    rule: Rule = "activitynet",
    tious: Sequence[float] | None = None,
    decoder: str | None = None,
    details: Mapping[str, Any] | None = None,
    progress: Callable[[int], None] | None = None,
) -> tuple[LocalizationResult, Truth, dict[str, Any]]:
    """Localize recordings of a corpus and score the result against their annotations; metrics as in metrics.json.

    `tious` are by default those that are reported under the rule; `decoder` names a way of decoding in place of the
    model's own.
    Raises InputError where the model names labels that the corpus has not.
    """
    truth = corpus_truth(corpus, names, dropped)
    unknown = [label for label in model.labels.names if label not in truth.labels.names]
    if unknown:
        raise InputError(f"the model names {', '.join(unknown)}, which corpus {corpus.name!r} has not")
    recordings = (corpus[name] for name in truth.annotations)
    result = localize_recordings(model, recordings, decoder=decoder, details=details, progress=progress)
    metrics: Metrics = evaluate(result.predictions, truth, tious, rule)
    facts = {**model.spec.training, **_decoder_fact(decoder), **(details or {})}
    return result, truth, {**metrics.to_dict(), "facts": facts}


def write_result(result: LocalizationResult, out: Path) -> None:
    """Write predictions.json, spans.csv and scores.npz into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    WRITERS["json"](result.predictions, out / PREDICTIONS_FILE)
    WRITERS["csv"](result.predictions, out / SPANS_FILE)
    write_scores(result.scores, out / SCORES_FILE)


def write_scores(scores: Mapping[str, Scores], file: Path) -> None:
    """Write frame scores (T, C + 1) by recording as float16."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        # not numpy's savez: names are recordings', and `file` is one it cannot take
        for name, frame_scores in scores.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                np.lib.format.write_array(entry, frame_scores.astype(np.float16), allow_pickle=False)
    write_atomically(file, buffer.getvalue())


def read_scores(file: Path) -> dict[str, Scores]:
    """The frame scores of `write_scores`; empty where there is no such file."""
    if not file.is_file():
        return {}
    with np.load(file, allow_pickle=False) as data:
        return {name: data[name].astype(np.float32) for name in data.files}


def headline(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """The headline figures of a metrics.json, with the split, fold and part that they were measured on."""
    figures = {name: metrics.get(name) for name in ("map", "frame_accuracy", "edit", "f1", "recordings")}
    facts = metrics.get("facts", {})
    return figures | {name: facts.get(name) for name in ("split", "fold", "part")}


def write_metrics(metrics: Mapping[str, Any], file: Path) -> None:
    """Write metrics.json."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(file, json.dumps(metrics, indent=1, default=str) + "\n")
