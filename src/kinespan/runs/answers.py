"""The answers in a folder that `kinespan localize` or a tested run wrote, read back a recording at a time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import numpy as np

from ..annotations.activitynet import read_predictions, read_truth
from ..arrays import Float32Array
from ..data.annotation import Annotation, Event, LabelSet, Span
from ..data.predictions import Predictions, Truth
from ..errors import InputError
from .folder import PROPOSALS_FILE, SCORES_FILE, TRUTH_FILE
from .outputs import FrameScores, read_scores


@dataclass(frozen=True)
class Answer:
    """What a model says of a recording."""

    labels: LabelSet
    spans: tuple[Span, ...]
    """The segmentation or, where a file has none, the proposals."""
    events: tuple[Event, ...]
    scores: Float32Array | None
    """(T, C + 1) at `fps`, column 0 background; where people are told apart of each label the highest."""
    fps: float | None


class Answers:
    """The predictions, labels and truth of a folder; its frame scores are read when they are asked for."""

    def __init__(self, path: Path | str) -> None:
        """path: the folder, or its proposals.json. Raises InputError where there are no predictions."""
        path = Path(path)
        self.file = path / PROPOSALS_FILE if path.is_dir() else path
        if not self.file.is_file():
            raise InputError(f"{self.file}: no predictions; run kinespan localize, or finetune with --split")
        self.predictions: Predictions = read_predictions(self.file)
        truth_file = self.file.with_name(TRUTH_FILE)
        self.truth: Truth | None = read_truth(truth_file) if truth_file.is_file() else None
        self.labels = labels_of(self.predictions, self.truth)
        self.names = tuple(sorted(self.predictions.proposals))
        """The recordings that were localized."""

    @cached_property
    def scores(self) -> FrameScores | None:
        """The frame scores, None where there is no file of them. Raises InputError for one of an earlier version."""
        return read_scores(self.file.with_name(SCORES_FILE))

    @property
    def time(self) -> str:
        """When they were written, ISO 8601, UTC."""
        return datetime.fromtimestamp(self.file.stat().st_mtime, UTC).isoformat(timespec="seconds")

    def annotation(self, name: str) -> Annotation | None:
        """The ground truth of a recording beside the answers, None where there is none."""
        return None if self.truth is None else self.truth.annotations.get(name)

    def answer(self, name: str) -> Answer | None:
        """What was predicted for a recording, None where it was not localized."""
        predictions, scores = self.predictions, self.scores
        if name not in predictions.proposals:
            return None
        segmentation = predictions.segmentation
        spans = predictions.proposals[name] if segmentation is None else segmentation.get(name, ())
        events = tuple(event for event in predictions.events.get(name, ()) if predictions.is_answer(event))
        levels = None if scores is None else shown_scores(scores.scores.get(name), predictions)
        return Answer(self.labels, tuple(spans), events, levels, None if scores is None else scores.fps)


def labels_of(predictions: Predictions, truth: Truth | None) -> LabelSet:
    """The label set: that of the model, else of the truth, else of the spans; and `unknown`, where that is an answer.

    `unknown` is the last, so that frame scores, which have no column of it, have those of the labels before it.
    """
    labels = _named_labels(predictions, truth)
    return labels if predictions.unknown is None else predictions.unknown.labels(labels)


def _named_labels(predictions: Predictions, truth: Truth | None) -> LabelSet:
    """The label set without `unknown`."""
    declared = predictions.details.get("labels")
    if declared:
        events = tuple(predictions.details.get("events", ()))
        return LabelSet(tuple(declared), bool(predictions.details.get("exclusive", True)), events)
    if truth is not None:
        return truth.labels
    spans = {span.label for members in predictions.proposals.values() for span in members}
    instants = {event.label for members in predictions.events.values() for event in members}
    return LabelSet(tuple(sorted(spans | instants)), events=tuple(instants - spans))


def predictions_with_scores(file: Path) -> Predictions:
    """The predictions of a file, with the frame scores of the scores.npz beside it, where that is of the same labels.

    Raises InputError as `read_predictions` and `read_scores` do.
    """
    predictions, frame_scores = read_predictions(file), read_scores(file.with_name(SCORES_FILE))
    if frame_scores is None or list(frame_scores.labels) != predictions.details.get("labels"):
        return predictions
    return replace(predictions, scores=frame_scores.by_person, scores_fps=frame_scores.fps)


def shown_scores(scores: Float32Array | None, predictions: Predictions) -> Float32Array | None:
    """The frame scores (T, C + 1) of a recording for the labels of `labels_of`; those of `unknown` are zero."""
    levels = of_anybody(scores)
    return levels if levels is None or predictions.unknown is None else np.pad(levels, [(0, 0), (0, 1)])


def of_anybody(scores: Float32Array | None) -> Float32Array | None:
    """Scores (T, C + 1) of a recording: of each label the highest that a person has, where they are told apart.

    scores: (T, C + 1), or (P, T, C + 1) of P people; the background is what nobody's labels leave, the lowest.
    """
    if scores is None or scores.ndim == 2:
        return scores
    return np.concatenate([scores[..., :1].min(axis=0), scores[..., 1:].max(axis=0)], axis=1)
