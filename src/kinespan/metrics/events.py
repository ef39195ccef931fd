"""Precision, recall, F1, mean absolute error and average precision of predicted events.

A predicted event is right if it lies within the tolerance of a true event of its recording, label and person that no
better prediction took: best score first, each takes the nearest true event that is free (the earlier of equals). So
every true event counts once. The tolerance makes it the point metric of action points (Nowozin and Shotton: Action
Points, MSR-TR-2012-68, with 0.333 s); matching by score, as in ActivityNet, gives average precision from the same
matches.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import BoolArray, Float64Array, IntArray
from ..data.annotation import Event
from ..errors import InputError
from .average_precision import interpolated_ap
from .matching import check_recordings


@dataclass(frozen=True, eq=False)
class EventMetrics:
    """Figures of C labels; fractions in 0..1, NaN for what cannot be measured."""

    tolerance: float
    """Seconds by which a prediction may be off."""
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
) -> EventMetrics:
    """The figures of predicted against true events, both by recording; events of other labels are left out.

    A recording without predictions counts as missed. A prediction without a score counts as sure. Where one of a pair
    names no person, any person's will do.
    Raises InputError for predictions of a recording that truth lacks, and a tolerance that is not positive.
    """
    if not (math.isfinite(tolerance) and tolerance > 0):
        raise InputError(f"tolerance: found {tolerance}, expected a positive number of seconds")
    check_recordings(predictions, truth)
    rows = []
    for row, label in enumerate(labels):
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
        rows.append((row, num_true, len(scored), int(is_right.sum()), float(np.nansum(distance)), float(ap)))
    columns = np.array(rows, dtype=np.float64).reshape(-1, 6).T
    _, true, predicted, right, error, ap_column = columns
    counts = (values.astype(np.int64) for values in (true, predicted, right))
    return EventMetrics(tolerance, tuple(labels), *counts, error, ap_column)


def _match(
    predicted: Sequence[tuple[str, Event]], truth: Mapping[str, Sequence[Event]], tolerance: float
) -> Float64Array:
    """Seconds (N,) from each prediction, best first, to the true event that it takes; NaN where there is none."""
    times = {name: np.array([event.time for event in events]) for name, events in truth.items()}
    free = {name: np.ones(len(events), dtype=bool) for name, events in truth.items()}
    distance = np.full(len(predicted), np.nan)
    for number, (name, event) in enumerate(predicted):
        # a millionth of a second is rounding of the times
        candidates = free[name] & (np.abs(times[name] - event.time) <= tolerance + 1e-6) & _same_person(event, truth[name])
        if candidates.any():
            off = np.where(candidates, np.abs(times[name] - event.time), np.inf)
            nearest = int(off.argmin())
            free[name][nearest], distance[number] = False, off[nearest]
    return distance


def _same_person(event: Event, truth: Sequence[Event]) -> BoolArray:
    """Mask of the true events that can be of the same person."""
    people = (event.person, None)
    return np.array([event.person is None or other.person in people for other in truth], dtype=bool)
