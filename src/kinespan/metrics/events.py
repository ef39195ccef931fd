"""Precision, recall, F1, mean absolute error and average precision of predicted events.

A predicted event is right if it lies within the tolerance of a true event of its recording and label that no better
prediction took: best score first, each takes the nearest true event that is free (the earlier of equals). So every true
event counts once. The tolerance makes it the point metric of action points (Nowozin and Shotton: Action Points,
MSR-TR-2012-68, with 0.333 s); matching by score, as in ActivityNet, gives average precision from the same matches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import Float64Array, IntArray
from ..data.annotation import Event, Interval
from ..errors import InputError
from .average_precision import interpolated_ap
from .matching import check_recordings


@dataclass(frozen=True, eq=False)
class EventMetrics:
    """Figures of C labels; fractions in 0..1, NaN for what cannot be measured."""

    tolerance: float
    """Seconds by which a prediction may be off."""
    threshold: float
    """Predictions that score less count for average precision only."""
    labels: tuple[str, ...]
    """C labels."""
    true: IntArray
    """(C,) true events."""
    predicted: IntArray
    """(C,) predicted events."""
    right: IntArray
    """(C,) predicted events that are right."""
    error: Float64Array
    """(C,) sum of the distances in seconds of right predictions from their true events."""
    ap: Float64Array
    """(C,) average precision, NaN for labels without true events."""

    def figures(self, index: int | slice = slice(None)) -> dict[str, float]:
        """Precision, recall, F1, and mean absolute error in seconds, of a label, or of all with counts pooled."""
        true, predicted, right, error = (
            float(np.sum(values[index])) for values in (self.true, self.predicted, self.right, self.error)
        )
        return {
            "precision": right / predicted if predicted else math.nan,
            "recall": right / true if true else math.nan,
            "f1": 2 * right / (true + predicted) if true + predicted else math.nan,
            "mae": error / right if right else math.nan,
        }

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain values, None for what cannot be measured; those of all labels under "all"."""

        def row(index: int | slice, ap: float) -> dict[str, float | int | None]:
            figures = {**self.figures(index), "ap": ap}
            counts = {"true": self.true, "predicted": self.predicted, "right": self.right}
            return {
                **{name: None if math.isnan(value) else value for name, value in figures.items()},
                **{name: int(np.sum(values[index])) for name, values in counts.items()},
            }

        mean_f1 = None if math.isnan(self.mean_f1) else self.mean_f1
        return {
            "tolerance": self.tolerance,
            "threshold": self.threshold,
            "all": {**row(slice(None), self.map), "mean_f1": mean_f1},
            "per_class": {label: row(index, float(self.ap[index])) for index, label in enumerate(self.labels)},
        }

    @property
    def map(self) -> float:
        """Mean of the average precision over the labels with true events."""
        known = self.ap[self.true > 0]
        return float(known.mean()) if len(known) else math.nan

    @property
    def mean_f1(self) -> float:
        """Mean of F1 over the labels with true events; that of all together is `figures()`."""
        values = [self.figures(index)["f1"] for index in np.flatnonzero(self.true).tolist()]
        return float(np.mean(values)) if values else math.nan


def event_metrics(
    predictions: Mapping[str, Sequence[Event]],
    truth: Mapping[str, Sequence[Event]],
    labels: Sequence[str],
    tolerance: float,
    threshold: float = 0.0,
) -> EventMetrics:
    """The figures of predicted against true events, both by recording; events of other labels are left out.

    Average precision is of all predictions, the other figures of those that score `threshold` or more. A recording
    without predictions counts as missed, a prediction without a score as sure. Whose they are does not matter here:
    `evaluate` makes each person a recording (see `kinespan.metrics.people`).
    Raises InputError for predictions of a recording that truth lacks, and a tolerance that is not positive.
    """
    if not (math.isfinite(tolerance) and tolerance > 0):
        raise InputError(f"tolerance: found {tolerance}, expected a positive number of seconds")
    check_recordings(predictions, truth)
    counts, values = [], []
    for label in labels:
        label_truth = {name: [event for event in events if event.label == label] for name, events in truth.items()}
        scored = [
            (-1.0 if event.score is None else -event.score, name, event.time, event)
            for name, events in predictions.items()
            for event in events
            if event.label == label
        ]
        scored.sort(key=lambda item: item[:3])
        distance = _match([(name, event) for _, name, _, event in scored], label_truth, tolerance)
        is_right = ~np.isnan(distance)
        num_true = sum(map(len, label_truth.values()))
        ap = interpolated_ap(is_right[None], np.zeros(len(scored), dtype=np.int64), np.array([num_true]))[0, 0]
        num_predicted = sum(-score >= threshold for score, *_ in scored)  # best first: the answer comes first
        counts.append((num_true, num_predicted, int(is_right[:num_predicted].sum())))
        values.append((float(np.nansum(distance[:num_predicted])), float(ap)))
    true, predicted, right = np.array(counts, dtype=np.int64).reshape(-1, 3).T
    error, ap_column = np.array(values, dtype=np.float64).reshape(-1, 2).T
    return EventMetrics(tolerance, threshold, tuple(labels), true, predicted, right, error, ap_column)


def _match(
    predicted: Sequence[tuple[str, Event]], truth: Mapping[str, Sequence[Event]], tolerance: float
) -> Float64Array:
    """Seconds (N,) from each prediction, best first, to the true event that it takes; NaN where there is none."""
    times = {name: np.array([event.time for event in events]) for name, events in truth.items()}
    free = {name: np.ones(len(events), dtype=bool) for name, events in truth.items()}
    distance = np.full(len(predicted), np.nan)
    for number, (name, event) in enumerate(predicted):
        # a millionth of a second is rounding of the times
        candidates = free[name] & (np.abs(times[name] - event.time) <= tolerance + 1e-6)
        if candidates.any():
            off = np.where(candidates, np.abs(times[name] - event.time), np.inf)
            nearest = int(off.argmin())
            free[name][nearest], distance[number] = False, off[nearest]
    return distance


def is_covered(time: float, covered: Sequence[Interval] | None) -> bool:
    """Whether an instant lies in the covered time of a recording; None: all of it is."""
    return covered is None or any(start <= time < end for start, end in covered)
