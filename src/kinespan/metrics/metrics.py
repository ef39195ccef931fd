"""All metrics of predictions against ground truth, and metrics.json."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from ..arrays import IntArray
from ..data.annotation import BACKGROUND, Annotation, LabelSet, Span
from ..data.display import counted, facts_html
from ..data.predictions import Predictions, Truth
from ..data.span_table import SpanTable
from ..errors import InputError
from .calibration import Calibration, Claims, frame_claims, segment_claims
from .errors import Errors, detection_errors
from .events import EventMetrics, event_metrics, is_covered
from .frames import FrameCounts, confusion_matrix, frame_accuracy, frame_counts
from .matching import check_recordings, in_known_time
from .people import people_apart
from .segments import edit_score, f1_at_k
from .tiou_map import DEFAULT_FPS, DEFAULT_TIOUS, RULE_TIOUS, MapResult, Rule, detection_map

STRICT_TIOUS = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""0.50, 0.55, ..., 0.95: ActivityNet's own thresholds."""
F1_OVERLAPS = (0.10, 0.25, 0.50)
RULES_BY_TIME: tuple[Rule, ...] = ("activitynet", "stal")
"""Rules by which a span without length overlaps nothing. The others count both end frames of a span, and leave it out.
"""
MIN_SCORE = 0.5
"""Overlapping labels without a segmentation: a label holds in spans with this score or more."""


@dataclass(frozen=True)
class Metrics:
    """The result of `evaluate`; fractions, 0..1. Frame and segment metrics are None for overlapping labels."""

    labels: LabelSet
    """The labels of spans, over which all is measured but `events`."""
    detection: MapResult
    """mAP at the thresholds asked for."""
    map_average: Mapping[str, float]
    """Mean mAP over tIoU 0.1 to 0.5 and over 0.5 to 0.95, whatever was asked for."""
    frames: FrameCounts
    """Frames by label."""
    frame_accuracy: float | None
    """Share of the frames that are correct, background included."""
    edit: float | None
    """Edit score of the segments."""
    f1: Mapping[str, float] | None
    """F1 of the segments by overlap in per cent."""
    confusion: IntArray | None
    """(C + 1, C + 1) frames by true row and predicted column, background first, `unknown` last where that is answered.
    """
    counts: Mapping[str, int] = field(default_factory=dict)
    """How much was evaluated."""
    labels_without_truth: tuple[str, ...] = ()
    """Labels that the ground truth never shows."""
    unknown_labels: Mapping[str, int] = field(default_factory=dict)
    """Number of proposals and events by label, of predicted labels that the ground truth does not have."""
    errors: Errors | None = None
    """Kinds of errors at tIoU 0.5."""
    events: EventMetrics | None = None
    """None where no label names an event."""
    calibration: Calibration | None = None
    """How far scores can be trusted, and error over coverage; None where no label names a span."""
    unknown: str | None = None
    """The label of segments for which the answer is unknown; the last row and column of the confusion."""

    def to_dict(self) -> dict[str, Any]:
        """The content of metrics.json: plain values, None for what cannot be measured."""
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
            "unknown_labels": dict(self.unknown_labels),
            "frame_accuracy": _plain(self.frame_accuracy),
            "edit": _plain(self.edit),
            "f1": None if self.f1 is None else {name: _plain(value) for name, value in self.f1.items()},
            "confusion": None,
        }
        if self.confusion is not None:
            names = ["background", *self.labels.names, *([] if self.unknown is None else [self.unknown])]
            data["confusion"] = {"labels": names, "matrix": self.confusion.tolist()}
        if self.calibration is not None:
            data["calibration"] = self.calibration.to_dict()
        if self.events is not None:
            data["events"] = self.events.to_dict()
        if self.errors is not None:
            data["errors"] = {**asdict(self.errors), "cost": {k: _plain(v) for k, v in self.errors.cost.items()}}
        if result.figures:
            data["figures"] = {
                name: _by_tiou(keys, value) if isinstance(value, np.ndarray) else _plain(value)
                for name, value in result.figures.items()
            }
        return data

    def headline(self) -> dict[str, float | None]:
        """The main figures, fractions, by the name that people read; None for what cannot be measured."""
        figures: dict[str, float | None] = {}
        if self.labels.names:
            figures = {"mAP .1-.5": self.map_average["0.1:0.5"], "frame accuracy": self.frame_accuracy}
            figures |= {f"F1@{overlap}": value for overlap, value in (self.f1 or {}).items()} | {"edit": self.edit}
        if self.events is not None:
            figures["F1 of events"] = self.events.figures()["f1"]
        return {name: _plain(value) for name, value in figures.items()}

    def __repr__(self) -> str:
        figures = [f"{name} {100 * value:.1f}" for name, value in self.headline().items() if value is not None]
        return f"Metrics({counted(self.counts.get('recordings', 0), 'recording')}, per cent: {', '.join(figures)})"

    def _repr_html_(self) -> str:
        """A small table, for notebooks."""
        figures = [(name, f"{100 * value:.1f} %") for name, value in self.headline().items() if value is not None]
        return facts_html("Metrics", [("recordings", self.counts.get("recordings", 0)), *figures])


def _recording_counts(predictions: Predictions, truth: Truth) -> dict[str, int]:
    """How many recordings there are, of how many the rate is not known, and of how many nothing is predicted."""
    names = truth.annotations.keys()
    return {
        "recordings": len(names),
        "recordings_without_fps": sum(name not in truth.fps for name in names),
        "recordings_without_predictions": sum(
            not (predictions.proposals.get(name) or predictions.events.get(name)) for name in names
        ),
    }


def evaluate(
    predictions: Predictions,
    truth: Truth,
    tious: Sequence[float] | None = None,
    rule: Rule = "activitynet",
    tolerance: float | None = None,
) -> Metrics:
    """Score predictions against ground truth by all metrics.

    Parameters:
        predictions: proposals and, where there is one, the segmentation. Recordings without any count as missed.
        truth: annotations by recording. Frames are those of its fps (30 where unknown; ``recordings_without_fps``
            counts them).
        tious: thresholds of mAP, by default those of the rule.
        rule: how mAP is counted; see `kinespan.metrics.tiou_map`.
        tolerance: seconds by which a predicted event may be off, by default those of the truth's labels.

    The label of a frame is that of the segmentation or, without one, of the best span at the frame (overlapping
    labels: of every span that scores 0.5 or more). Predicted spans that lie for more than half outside the annotated
    time (``covered``, without that near point labels) are neither right nor wrong and are left out, as are events
    outside it. Rows without length, whose end is not after their start, count for mAP only, as in ActivityNet's
    evaluator: true ones as missed, predicted ones as wrong. Where the ground truth of a recording names people, each of
    them is scored alone, and a span or event that names nobody counts once for each (see `kinespan.metrics.people`);
    ``people`` counts them.

    Segments that are answered `unknown` are no claims: they are no segments of F1 and edit, and lower the coverage.
    Their frames count as wrong in frame accuracy, whatever is true.

    Raises InputError for predictions of recordings, or of labels, that the ground truth does not have.
    """
    undeclared = _check(_without_unknown(predictions), truth)
    names = set(truth.annotations)
    recordings = _recording_counts(predictions, truth)
    predictions, truth = people_apart(predictions, truth)
    recordings["people"] = len(truth.annotations.keys() - names)
    events = _events(predictions, truth, tolerance)
    truth = replace(
        truth,
        annotations={name: annotation.without_events for name, annotation in truth.annotations.items()},
        labels=truth.labels.without_events,
    )
    instants = {event.label for members in predictions.events.values() for event in members}
    labels = replace(truth.labels, names=(*truth.labels.names, *(name for name in undeclared if name not in instants)))
    true_spans = SpanTable.of({name: annotation.spans for name, annotation in truth.annotations.items()})
    predicted = SpanTable.of(predictions.proposals)
    if rule in RULES_BY_TIME:
        true_spans = true_spans.with_rows(truth.without_length)
        predicted = predicted.with_rows(predictions.without_length)
    in_covered_time = predicted.where(in_known_time(predicted, truth.annotations))
    fps = {name: truth.fps.get(name, DEFAULT_FPS) for name in truth.annotations}
    tious = tuple(RULE_TIOUS[rule] if tious is None else tious)
    all_tious = sorted({*tious, *DEFAULT_TIOUS, *STRICT_TIOUS})
    detection = detection_map(in_covered_time, true_spans, all_tious, rule, labels.names, fps)
    averages = {
        "0.1:0.5": detection.for_tious(DEFAULT_TIOUS).average,
        "0.5:0.95": detection.for_tious(STRICT_TIOUS).average,
    }
    counts = {
        **recordings,
        "true_spans": len(true_spans.label),
        "predicted_spans": len(predicted.label),
        "predicted_spans_left_out": len(predicted.label) - len(in_covered_time.label),
        "true_spans_without_length": len(truth.without_length),
        "predicted_spans_without_length": len(predictions.without_length),
    }
    calibration = _calibration(predictions, truth) if labels.names else None
    frames = _exclusive_frames if labels.exclusive and labels.names else _overlapping_frames
    return Metrics(
        labels,
        detection.for_tious(tious),
        averages,
        *frames(predictions, truth, labels, fps),
        counts,
        tuple(name for name in labels.names if name not in true_spans.labels),
        {name: _count(predictions, predicted, name) for name in undeclared},
        detection_errors(in_covered_time, true_spans, labels.names),
        events,
        calibration,
        None if predictions.unknown is None else predictions.unknown.label,
    )


def _without_unknown(predictions: Predictions) -> Predictions:
    """The predictions without the segments that are answered `unknown`."""
    if predictions.unknown is None or predictions.segmentation is None:
        return predictions
    label = predictions.unknown.label
    kept = {
        name: tuple(span for span in spans if span.label != label) for name, spans in predictions.segmentation.items()
    }
    return replace(predictions, segmentation=kept)


def _calibration(predictions: Predictions, truth: Truth) -> Calibration:
    """How far the scores of segments and frames can be trusted, as far as they are known."""
    answered = _without_unknown(predictions).segmentation
    segments, frames, num_unknown = None, None, 0
    if answered is not None and all(span.score is not None for spans in answered.values() for span in spans):
        segments = segment_claims(answered, truth.annotations)
        total = sum(len(spans) for spans in (predictions.segmentation or {}).values())
        num_unknown = total - sum(map(len, answered.values()))
    if predictions.scores:
        details = predictions.details
        names, events = tuple(details["labels"]), tuple(details.get("events", ()))
        labels = LabelSet(names, bool(details["exclusive"]), events)
        frames = Claims.joined(
            frame_claims(predictions.scores[name, None], annotation, labels, predictions.scores_fps)
            for name, annotation in truth.annotations.items()
            if (name, None) in predictions.scores
        )
    return Calibration(segments, frames, predictions.unknown, num_unknown)


def _events(predictions: Predictions, truth: Truth, tolerance: float | None) -> EventMetrics | None:
    """The figures of events, those outside the covered time left out; None where nothing names one."""
    predicted = {
        name: [event for event in events if is_covered(event.time, truth.annotations[name].covered)]
        for name, events in predictions.events.items()
    }
    used = {event.label for events in predicted.values() for event in events}
    names = (*truth.labels.events, *sorted(used - set(truth.labels.names)))
    if not names:
        return None
    true = {name: annotation.instants for name, annotation in truth.annotations.items()}
    tolerance = truth.labels.tolerance if tolerance is None else tolerance
    return event_metrics(predicted, true, names, tolerance, predictions.event_threshold)


def _count(predictions: Predictions, spans: SpanTable, label: str) -> int:
    """The number of predicted spans and events of a label."""
    num_spans = int(np.count_nonzero(spans.label == spans.labels.index(label))) if label in spans.labels else 0
    return num_spans + sum(event.label == label for events in predictions.events.values() for event in events)


_FrameMetrics = tuple[FrameCounts, float | None, float | None, Mapping[str, float] | None, IntArray | None]


def _exclusive_frames(
    predictions: Predictions, truth: Truth, labels: LabelSet, fps: Mapping[str, float]
) -> _FrameMetrics:
    """Frame counts, frame accuracy, edit, F1 and confusion of exclusive labels."""
    predicted, answered, true = [], [], []
    with_unknown = labels if predictions.unknown is None else predictions.unknown.labels(labels)
    for name, annotation in truth.annotations.items():
        spans = _segmentation(predictions, name)
        num_frames = _num_frames(name, truth, spans, fps[name])
        true.append(replace(annotation, labels=labels).frame_ids(num_frames, fps[name]))
        predicted.append(_frame_ids(spans, with_unknown, num_frames, fps[name]))
        answered.append(np.where(predicted[-1] > len(labels), BACKGROUND, predicted[-1]))
    confusion = confusion_matrix(predicted, true, len(with_unknown))
    counts = frame_counts(confusion)
    f1 = f1_at_k(answered, true, F1_OVERLAPS)
    return (
        FrameCounts(*(getattr(counts, name)[: len(labels)] for name in ("true", "predicted", "both"))),
        frame_accuracy(confusion),
        edit_score(answered, true),
        {f"{100 * overlap:g}": value for overlap, value in zip(F1_OVERLAPS, f1, strict=True)},
        confusion,
    )


def _overlapping_frames(
    predictions: Predictions, truth: Truth, labels: LabelSet, fps: Mapping[str, float]
) -> _FrameMetrics:
    """Frame counts of overlapping labels; the other frame metrics need one label a frame."""
    predictions = _without_unknown(predictions)
    true, predicted, both = np.zeros((3, len(labels)), dtype=np.int64)
    for name, annotation in truth.annotations.items():
        spans = _segmentation(predictions, name)
        if predictions.segmentation is None:
            spans = [span for span in spans if (span.score or 0.0) >= MIN_SCORE]
        num_frames = _num_frames(name, truth, spans, fps[name])
        targets, is_annotated = replace(annotation, labels=labels).frame_targets(num_frames, fps[name])  # (T, C), (T,)
        is_predicted, _ = Annotation(tuple(spans), labels).frame_targets(num_frames, fps[name])  # (T, C)
        is_predicted &= is_annotated[:, None]
        true += targets.sum(axis=0)
        predicted += is_predicted.sum(axis=0)
        both += (targets & is_predicted).sum(axis=0)
    return FrameCounts(true, predicted, both), None, None, None, None


def _segmentation(predictions: Predictions, name: str) -> Sequence[Span]:
    """The spans of a recording that give the labels of its frames."""
    return (predictions.proposals if predictions.segmentation is None else predictions.segmentation).get(name, ())


def _frame_ids(spans: Sequence[Span], labels: LabelSet, num_frames: int, fps: float) -> IntArray:
    """Frame ids (T,): that of the span with the highest score at each frame, of equals the one that starts later."""
    ids = np.zeros(num_frames, dtype=np.int64)
    label_index = {name: index for index, name in enumerate(labels.names)}
    ordered = sorted(spans, key=lambda span: (span.score or 0.0, span.start, span.end, span.label))
    bounds = np.array([(span.start, span.end) for span in ordered], dtype=np.float64).reshape(-1, 2)
    # Frame i is in a span if its centre, (i + 0.5) / fps, is.
    frames = np.maximum(0, np.ceil(np.round(bounds * fps - 0.5, 6))).astype(np.int64)
    for span, (first, stop) in zip(ordered, frames.tolist(), strict=True):
        ids[first:stop] = label_index[span.label] + 1
    return ids


def _num_frames(name: str, truth: Truth, spans: Iterable[Span], fps: float) -> int:
    """Frames of a recording; without a known duration it ends with its last span, true or predicted."""
    duration = truth.durations.get(name)
    if duration is None:
        duration = max((span.end for span in (*truth.annotations[name].spans, *spans)), default=0.0)
    return max(0, round(duration * fps))


def _check(predictions: Predictions, truth: Truth) -> list[str]:
    """The predicted labels that truth does not have, if its label set is not declared.

    Raises InputError for predictions of recordings or declared labels that truth does not have.
    """
    segmentation = predictions.segmentation or {}
    check_recordings((*predictions.proposals, *segmentation, *predictions.events), truth.annotations)
    spans = {*SpanTable.of(predictions.proposals).labels, *SpanTable.of(segmentation).labels}
    spans |= {row[0] for _, row in predictions.without_length}
    events = {event.label for members in predictions.events.values() for event in members}
    if mistaken := sorted((spans & set(truth.labels.events)) | (events & set(truth.labels.spans))):
        raise InputError(
            f"{', '.join(map(repr, mistaken[:8]))}: an event in one of predictions and truth, a span in the other"
        )
    used = spans | events
    undeclared = sorted(used - set(truth.labels.names))
    if undeclared and (truth.labels_are_declared or len(undeclared) == len(used)):
        raise InputError(
            f"predictions have labels that are not in the ground truth: {', '.join(map(repr, undeclared[:8]))}"
            f"{', ...' if len(undeclared) > 8 else ''}; available: {', '.join(map(repr, truth.labels.names[:20]))}; "
            "correct the names, or add them to the labels of the ground truth"
        )
    return undeclared


def _by_tiou(keys: Sequence[str], values: Iterable[float], average: float | None = None) -> dict[str, float | None]:
    """Values by threshold, and their average where given."""
    named = {key: _plain(value) for key, value in zip(keys, values, strict=True)}
    return named if average is None else {**named, "average": _plain(average)}


def _plain(value: float | None) -> float | None:
    """A float, None for NaN."""
    return None if value is None or math.isnan(value) else float(value)
