"""All metrics of a set of predictions against truth, and metrics.json."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from ..activitynet import Predictions, Truth
from ..annotation import Annotation, LabelSet, Span, SpanTable
from ..arrays import BoolArray, IntArray
from ..errors import InputError
from .errors import Errors, detection_errors
from .frames import FrameCounts, confusion_matrix, frame_accuracy, frame_counts
from .segments import edit_score, f1_at_k
from .tiou_map import DEFAULT_FPS, DEFAULT_TIOUS, RULE_TIOUS, MapResult, Rule, detection_map

STRICT_TIOUS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""0.50, 0.55, ..., 0.95: ActivityNet's own thresholds."""
F1_OVERLAPS = (0.10, 0.25, 0.50)
HOLDS = 0.5
"""Overlapping labels without a segmentation: a label holds where a span scores this or more."""


@dataclass(frozen=True)
class Metrics:
    """What `evaluate` found; fractions, 0..1.

    ``detection`` holds mAP at the tIoUs asked for; ``map_average`` the mean mAP over 0.1..0.5 and over 0.5..0.95,
    whatever was asked for. ``frames`` are the frame counts by label. ``frame_accuracy``, ``edit``, ``f1`` (by
    overlap in per cent) and ``confusion`` (C + 1, C + 1; true rows, predicted columns, background first) are None
    for overlapping labels, which have no one label a frame. ``counts`` says how much was evaluated, ``errors`` the
    kinds of errors at tIoU 0.5.
    """

    labels: LabelSet
    detection: MapResult
    map_average: Mapping[str, float]
    frames: FrameCounts
    frame_accuracy: float | None
    edit: float | None
    f1: Mapping[str, float] | None
    confusion: IntArray | None
    counts: Mapping[str, int] = field(default_factory=dict)
    labels_without_truth: tuple[str, ...] = ()
    errors: Errors | None = None

    def to_dict(self) -> dict[str, Any]:
        """metrics.json: plain values only, None where there is nothing to measure."""
        result = self.detection
        keys = [f"{tiou:g}" for tiou in result.tious]
        per_class = {
            label: {
                "ap": _by_tiou(keys, result.ap[row], float(result.ap[row].mean())),
                "precision": _plain(self.frames.precision[row]),
                "recall": _plain(self.frames.recall[row]),
                "frames": int(self.frames.true[row]),
            }
            for row, label in enumerate(self.labels.names)
        }
        data: dict[str, Any] = {
            "unit": "fraction",
            "rule": result.rule,
            "tiou": list(result.tious),
            "exclusive": self.labels.exclusive,
            **self.counts,
            "map": _by_tiou(keys, result.map, result.average),
            "map_average": {name: _plain(value) for name, value in self.map_average.items()},
            "per_class": per_class,
            "labels_without_truth": list(self.labels_without_truth),
            "frame_accuracy": None if self.frame_accuracy is None else _plain(self.frame_accuracy),
            "edit": None if self.edit is None else _plain(self.edit),
            "f1": None if self.f1 is None else {name: _plain(value) for name, value in self.f1.items()},
            "confusion": None,
        }
        if self.confusion is not None:
            data["confusion"] = {"labels": ["background", *self.labels.names], "matrix": self.confusion.tolist()}
        if self.errors is not None:
            data["errors"] = {**asdict(self.errors), "cost": {k: _plain(v) for k, v in self.errors.cost.items()}}
        if result.figures:
            data["figures"] = {
                name: _by_tiou(keys, value) if isinstance(value, np.ndarray) else _plain(value)
                for name, value in result.figures.items()
            }
        return data


def evaluate(
    predictions: Predictions,
    truth: Truth,
    tious: Sequence[float] | None = None,
    rule: Rule = "activitynet",
) -> Metrics:
    """All metrics. Recordings of truth without predictions count as missed.

    `tious` are by default those that are reported under the rule. Frames are those of truth's fps (30 where it says
    none; ``recordings_without_fps`` counts them). What is predicted at a frame comes from the
    segmentation; without one it is the span with the highest score that covers the frame (overlapping labels: every
    label with a span that scores 0.5 or more). Predicted spans that lie for more than half in time that was never
    looked at (outside ``covered``) are neither right nor wrong and are left out.
    Raises InputError for predictions of recordings or of declared labels that truth does not have.
    """
    strange = _check(predictions, truth)
    labels = replace(truth.labels, names=(*truth.labels.names, *strange))
    true_spans = SpanTable.of({name: annotation.spans for name, annotation in truth.annotations.items()})
    predicted = SpanTable.of(predictions.spans)
    found = predicted.where(_looked_at(predicted, truth.annotations))
    fps = {name: truth.fps.get(name, DEFAULT_FPS) for name in truth.annotations}
    tious = tuple(RULE_TIOUS[rule] if tious is None else tious)
    every = detection_map(found, true_spans, sorted({*tious, *DEFAULT_TIOUS, *STRICT_TIOUS}), rule, labels.names, fps)
    averages = {"0.1:0.5": every.at(DEFAULT_TIOUS).average, "0.5:0.95": every.at(STRICT_TIOUS).average}
    counts = {
        "recordings": len(truth.annotations),
        "recordings_without_fps": sum(name not in truth.fps for name in truth.annotations),
        "recordings_without_predictions": len(truth.annotations) - int(np.count_nonzero(np.diff(predicted.bounds))),
        "true_spans": len(true_spans.label),
        "predicted_spans": len(predicted.label),
        "predicted_spans_left_out": len(predicted.label) - len(found.label),
    }
    frames = _exclusive_frames if labels.exclusive else _overlapping_frames
    return Metrics(
        labels,
        every.at(tious),
        averages,
        *frames(predictions, truth, labels, fps),
        counts,
        tuple(name for name in labels.names if name not in true_spans.labels),
        detection_errors(found, true_spans, labels.names),
    )


_FrameMetrics = tuple[FrameCounts, float | None, float | None, Mapping[str, float] | None, IntArray | None]


def _exclusive_frames(
    predictions: Predictions, truth: Truth, labels: LabelSet, fps: Mapping[str, float]
) -> _FrameMetrics:
    """Frame counts, frame accuracy, edit, F1 and confusion of exclusive labels."""
    found, true = [], []
    for name, annotation in truth.annotations.items():
        spans = _segmentation(predictions, name)
        num_frames = _num_frames(name, truth, spans, fps[name])
        true.append(replace(annotation, labels=labels).frame_ids(num_frames, fps[name]))
        found.append(_paint(spans, labels, num_frames, fps[name]))
    confusion = confusion_matrix(found, true, len(labels))
    f1 = f1_at_k(found, true, F1_OVERLAPS)
    return (
        frame_counts(confusion),
        frame_accuracy(confusion),
        edit_score(found, true),
        {f"{100 * overlap:g}": value for overlap, value in zip(F1_OVERLAPS, f1, strict=True)},
        confusion,
    )


def _overlapping_frames(
    predictions: Predictions, truth: Truth, labels: LabelSet, fps: Mapping[str, float]
) -> _FrameMetrics:
    """Frame counts of overlapping labels; the other frame metrics have no meaning there."""
    true, predicted, both = np.zeros((3, len(labels)), dtype=np.int64)
    for name, annotation in truth.annotations.items():
        spans = _segmentation(predictions, name)
        if predictions.segmentation is None:
            spans = [span for span in spans if (span.score or 0.0) >= HOLDS]
        num_frames = _num_frames(name, truth, spans, fps[name])
        hits, looked_at = replace(annotation, labels=labels).frame_targets(num_frames, fps[name])
        holds, _ = Annotation(tuple(spans), labels).frame_targets(num_frames, fps[name])
        holds &= looked_at[:, None]
        true += hits.sum(axis=0)
        predicted += holds.sum(axis=0)
        both += (hits & holds).sum(axis=0)
    return FrameCounts(true, predicted, both), None, None, None, None


def _segmentation(predictions: Predictions, name: str) -> Sequence[Span]:
    """The spans that say what holds at each frame of a recording."""
    return (predictions.spans if predictions.segmentation is None else predictions.segmentation).get(name, ())


def _paint(spans: Sequence[Span], labels: LabelSet, num_frames: int, fps: float) -> IntArray:
    """Frame ids (T,): at each frame the span with the highest score, of equals the one that starts later."""
    ids = np.zeros(num_frames, dtype=np.int64)
    place = {name: index for index, name in enumerate(labels.names)}
    ordered = sorted(spans, key=lambda span: (span.score or 0.0, span.start, span.end, span.label))
    bounds = np.array([(span.start, span.end) for span in ordered], dtype=np.float64).reshape(-1, 2)
    # Frame i is in the span if its centre, (i + 0.5) / fps, is.
    frames = np.maximum(0, np.ceil(np.round(bounds * fps - 0.5, 6))).astype(np.int64)
    for span, (first, stop) in zip(ordered, frames.tolist(), strict=True):
        ids[first:stop] = place[span.label] + 1
    return ids


def _num_frames(name: str, truth: Truth, spans: Iterable[Span], fps: float) -> int:
    """Frames of a recording; where truth gives no duration it ends with its last span, true or predicted."""
    duration = truth.durations.get(name)
    if duration is None:
        duration = max((span.end for span in (*truth.annotations[name].spans, *spans)), default=0.0)
    return max(0, round(duration * fps))


def _looked_at(spans: SpanTable, annotations: Mapping[str, Annotation]) -> BoolArray:
    """Whether at least half of each span (N,) lies in time that the annotation of its recording covers."""
    chosen = np.ones(len(spans.label), dtype=bool)
    for row, name in enumerate(spans.recordings):
        covered = annotations[name].covered
        if covered is None:
            continue
        mine = slice(spans.bounds[row], spans.bounds[row + 1])
        start, end = spans.start[mine], spans.end[mine]
        shared = np.zeros(len(start))
        for first, last in covered:
            shared += np.maximum(0.0, np.minimum(end, last) - np.maximum(start, first))
        chosen[mine] = shared >= (end - start) / 2
    return chosen


def _check(predictions: Predictions, truth: Truth) -> list[str]:
    """Refuse predictions that do not belong to the truth; the labels that an undeclared label set lacks."""
    segmentation = predictions.segmentation or {}
    missing = sorted({*predictions.spans, *segmentation} - set(truth.annotations))
    if missing:
        raise InputError(
            f"{len(missing)} recordings have predictions and are not in truth: "
            f"{', '.join(map(repr, missing[:5]))}{', ...' if len(missing) > 5 else ''}; "
            "give the truth (and the subset) that belongs to the predictions"
        )
    used = {*SpanTable.of(predictions.spans).labels, *SpanTable.of(segmentation).labels}
    strange = sorted(used - set(truth.labels.names))
    if strange and (truth.labels_are_declared or len(strange) == len(used)):
        raise InputError(
            f"predictions have labels that truth does not know: {', '.join(map(repr, strange[:8]))}"
            f"{', ...' if len(strange) > 8 else ''}; truth has {', '.join(map(repr, truth.labels.names[:20]))}: "
            "correct the names, or add them to the labels of truth"
        )
    return strange


def _by_tiou(keys: Sequence[str], values: Iterable[float], average: float | None = None) -> dict[str, float | None]:
    """Values by threshold, and their average if there is one."""
    named = {key: _plain(value) for key, value in zip(keys, values, strict=True)}
    return named if average is None else {**named, "average": _plain(average)}


def _plain(value: float) -> float | None:
    """A float, None for NaN."""
    return None if math.isnan(value) else float(value)
