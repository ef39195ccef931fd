"""The figures of a test, from frame scores: of spans, of events, and of clips that show one action each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import replace
from typing import Any, Literal

import numpy as np

from kinespan.corpus.splitting import labels_of
from kinespan.data.predictions import Predictions, Truth
from kinespan.decode import DecodeConfig, decode, decode_events, segment
from kinespan.decode.events import MIN_EVENT_SCORE
from kinespan.metrics import detection_map, evaluate

from .baselines import Scores

HIGH_TIOUS = (0.5, 0.6, 0.7, 0.8, 0.9)
SEGMENTATIONS: tuple[Literal["argmax", "viterbi"], ...] = ("argmax", "viterbi")
EVENT_THRESHOLDS = (0.2, 0.3, 0.4, 0.5)
EVENT_FIGURES = ("precision", "recall", "f1", "ap", "mae")


def figures(
    scores: Mapping[str, Scores], fps: float, decoding: DecodeConfig, truth: Truth, trained: Set[str]
) -> dict[str, Any]:
    """The figures of a test by frame scores (T, C + 1) at `fps`, and the labels that it shows but training did not.

    trained: the labels that the labelled recordings have. Figures whose names end in `_trained` are of them alone.
    """
    occurring = set().union(*(labels_of(annotation) for annotation in truth.annotations.values()))
    row: dict[str, Any] = {"untrained": [name for name in truth.labels.names if name in occurring - trained]}
    if truth.labels.spans:
        row |= span_figures(scores, fps, decoding, truth, trained) | clip_figures(scores, truth)
    if truth.labels.events:
        row |= event_figures(scores, fps, decoding, truth, trained)
    return row


def span_figures(
    scores: Mapping[str, Scores], fps: float, decoding: DecodeConfig, truth: Truth, trained: Set[str]
) -> dict[str, Any]:
    """mAP; frame accuracy, F1 and edit for each way to segment; kinds of errors."""
    labels = truth.labels
    spans = {name: tuple(decode(frames, fps, labels, decoding)) for name, frames in scores.items()}
    by_segmentation: dict[str, Any] = {}
    for segmentation in SEGMENTATIONS:
        config = replace(decoding, segmentation=segmentation)
        segments = {name: tuple(segment(frames, fps, labels, config)) for name, frames in scores.items()}
        metrics = evaluate(Predictions(spans, segments), truth).to_dict()
        by_segmentation[segmentation] = {"frame_accuracy": metrics["frame_accuracy"], "edit": metrics["edit"]}
        by_segmentation[segmentation] |= {f"f1_{k}": metrics["f1"][k] for k in ("10", "25", "50")}
    true = {name: annotation.spans for name, annotation in truth.annotations.items()}
    high = detection_map(spans, true, HIGH_TIOUS, labels=labels.spans)
    of_trained = detection_map(spans, true, labels=[name for name in labels.spans if name in trained])
    errors = metrics["errors"]
    kinds = {"right": errors["right"], "missed": sum(errors["missed"].values()), "true": sum(errors["true"].values())}
    cost = {f"cost of {kind}": value for kind, value in errors["cost"].items()}
    return {"map": metrics["map"]["average"], "map_trained": _plain(of_trained.average),
            "map_high": float(high.average), **by_segmentation[decoding.segmentation], **by_segmentation,
            "segmentation": decoding.segmentation, "errors": {**kinds, **cost}}  # fmt: skip


def clip_figures(scores: Mapping[str, Scores], truth: Truth) -> dict[str, float]:
    """Where every recording is one action from end to end: the share whose best label in the mean is the right one."""
    right = []
    for name, annotation in truth.annotations.items():
        first = annotation.spans[0] if annotation.spans else None
        if len(annotation.spans) != 1 or first is None or first.end - first.start < 0.99 * truth.durations[name]:
            return {}
        columns = np.array(truth.labels.span_columns[1:])
        best = columns[scores[name][:, columns].mean(axis=0).argmax()]
        right.append(truth.labels.names[best - 1] == first.label)
    return {"clip_accuracy": float(np.mean(right))}


def event_figures(
    scores: Mapping[str, Scores], fps: float, decoding: DecodeConfig, truth: Truth, trained: Set[str]
) -> dict[str, Any]:
    """Precision, recall, F1, AP, and mean absolute error in seconds of events; F1 at other thresholds too.

    Right is what lies within the tolerance of the label set.
    """
    events = {name: tuple(decode_events(frames, fps, truth.labels, MIN_EVENT_SCORE)) for name, frames in scores.items()}

    def measured(threshold: float) -> dict[str, Any]:
        predictions = Predictions({}, None, events=events, event_threshold=threshold)
        result: dict[str, Any] = evaluate(predictions, truth).to_dict()["events"]
        return result

    result = measured(decoding.event_threshold)
    aps = [figures["ap"] for name, figures in result["per_class"].items() if name in trained and figures["true"]]
    row = {f"event_{name}": result["all"][name] for name in EVENT_FIGURES}
    row |= {"event_ap_trained": float(np.mean(aps)) if aps else None, "event_tolerance": result["tolerance"]}
    by_threshold = {f"{threshold:g}": measured(threshold)["all"]["f1"] for threshold in EVENT_THRESHOLDS}
    return {**row, "event_threshold": decoding.event_threshold, "by_threshold": by_threshold}


def _plain(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
