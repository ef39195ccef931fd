"""The content of a report: recordings with truth and what was predicted, metrics, the facts behind the figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..arrays import AnyArray
from ..data.annotation import Annotation, Event, LabelSet, Span
from ..data.recording import Recording
from ..errors import InputError

ROUNDING = 1e-3
"""Scores this far outside [0, 1] count as rounding errors."""


@dataclass(frozen=True, eq=False)
class ReportRecording:
    """A Recording with its truth and what was predicted.

    ``segmentation`` is the answer, shown as "Predicted" even where it is empty; None where there is none.
    ``events`` are those predicted, None where the model knows none. ``proposals`` are scored candidates that may
    overlap. ``scores`` (T', C + 1) are in [0, 1] at ``scores_fps`` per
    second; column 0 is background, column c + 1 is label c. All but the Recording may be missing.

    Raises InputError where scores have no rate, are not two-dimensional or leave [0, 1].
    """

    recording: Recording
    truth: Annotation | None = None
    segmentation: Sequence[Span] | None = None
    proposals: Sequence[Span] = ()
    scores: AnyArray | None = None
    scores_fps: float | None = None
    events: Sequence[Event] | None = None

    def __post_init__(self) -> None:
        """Check the scores."""
        if self.scores is None:
            return
        name = f"recording {self.recording.name!r}"
        scores = np.asarray(self.scores)
        if scores.ndim != 2 or 0 in scores.shape:
            raise InputError(f"{name}: scores have shape {scores.shape}, expected (frames, labels + 1)")
        if self.scores_fps is None or not (math.isfinite(self.scores_fps) and self.scores_fps > 0):
            raise InputError(f"{name}: scores_fps is {self.scores_fps}, expected the scores' frames per second")
        if not np.isfinite(scores).all() or scores.min() < -ROUNDING or scores.max() > 1 + ROUNDING:
            raise InputError(
                f"{name}: scores lie in [{scores.min():.3g}, {scores.max():.3g}], expected probabilities in [0, 1]; "
                "apply softmax or sigmoid first"
            )


@dataclass(frozen=True, eq=False)
class ReportData:
    """The content of a report.

    ``metrics`` is the content of a metrics.json, fractions in [0, 1]; a missing key leaves its table out.
    ``facts`` are those behind the figures, in order (model, protocol, split, fold, seeds, command, ...).
    ``curves`` holds training curves, name to (step, value) pairs.

    Raises InputError where a label is outside the label set or scores have a wrong number of columns.
    """

    title: str
    labels: LabelSet
    recordings: Sequence[ReportRecording]
    metrics: Mapping[str, Any] | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    curves: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that recordings and label set agree."""
        for item in self.recordings:
            name = f"recording {item.recording.name!r}"
            true_spans, true_events = (item.truth.spans, item.truth.events) if item.truth else ((), ())
            shown = {span.label for span in (*true_spans, *(item.segmentation or ()), *item.proposals)}
            shown |= {event.label for event in (*true_events, *(item.events or ()))}
            unknown = sorted(shown - set(self.labels.names))
            if unknown:
                raise InputError(f"{name}: label {unknown[0]!r} is not in the report's label set {self.labels.names}")
            if item.scores is not None and np.shape(item.scores)[1] != len(self.labels) + 1:
                raise InputError(
                    f"{name}: scores have {np.shape(item.scores)[1]} columns, expected {len(self.labels) + 1}: "
                    f"background and {len(self.labels)} labels"
                )
