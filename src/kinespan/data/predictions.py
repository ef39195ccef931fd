"""Predicted spans and events of recordings, and their ground truth."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..arrays import Float32Array
from .annotation import Annotation, Event, LabelSet, Span
from .span_table import NamedRow, SpanTable
from .unknown import Unknown


@dataclass(frozen=True)
class Predictions:
    """What is scored against ground truth: predicted spans and events by recording."""

    proposals: Mapping[str, tuple[Span, ...]]
    """Scored candidates for mAP, which may overlap."""
    segmentation: Mapping[str, tuple[Span, ...]] | None = None
    """The answer that people get, for frame accuracy, edit score and F1; other programs' files have none."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """Further facts ("external_data"), such as the model."""
    without_length: tuple[NamedRow, ...] = ()
    """Rows of a file whose end is not after their start: wrong proposals, as in ActivityNet's evaluator."""
    events: Mapping[str, tuple[Event, ...]] = field(default_factory=dict)
    """Scored candidates for average precision."""
    event_threshold: float = 0.0
    """The events that score at least this much are the answer, for precision, recall and F1."""
    unknown: Unknown | None = None
    """How the segmentation says that it does not know; None: it always answers."""
    scores: Mapping[tuple[str, int | None], Float32Array] = field(default_factory=dict)
    """Frame scores (T, C + 1), where known, by recording and person (None: everybody together), column 0 background,
    of the labels in `details`."""
    scores_fps: float = 0.0
    """Frames a second of those scores."""

    def is_answer(self, event: Event) -> bool:
        """Whether an event scores enough to be in the answer; one without a score is."""
        return event.score is None or event.score >= self.event_threshold

    def of_recordings(self, names: Collection[str]) -> Predictions:
        """The predictions of those recordings that are among `names`."""
        segmentation = self.segmentation
        return replace(
            self,
            proposals=SpanTable.of(self.proposals).of_recordings(names),
            segmentation=None if segmentation is None else SpanTable.of(segmentation).of_recordings(names),
            without_length=tuple(row for row in self.without_length if row[0] in names),
            events={name: events for name, events in self.events.items() if name in names},
            scores={(name, person): scores for (name, person), scores in self.scores.items() if name in names},
        )


@dataclass(frozen=True)
class Truth:
    """The ground truth: annotations by recording, over one LabelSet."""

    annotations: Mapping[str, Annotation]
    labels: LabelSet
    durations: Mapping[str, float] = field(default_factory=dict)
    """Seconds, of the recordings where it is known."""
    fps: Mapping[str, float] = field(default_factory=dict)
    """Frames a second, where known; plain ActivityNet files have none."""
    subsets: Mapping[str, str] = field(default_factory=dict)
    """The "subset" of each recording that has one: validation, test, ..."""
    labels_are_declared: bool = True
    """False where the file lists no labels and they are those that occur."""
    without_length: tuple[NamedRow, ...] = ()
    """Rows of a file whose end is not after their start: true spans for mAP that no proposal can match, as in
    ActivityNet's evaluator; nothing else counts them."""
    people: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The people seen in recordings whose annotations name people, by slot: also those who do nothing."""

    def of_recordings(self, names: Collection[str]) -> Truth:
        """The truth of those recordings that are among `names`."""
        return replace(
            self,
            annotations={name: annotation for name, annotation in self.annotations.items() if name in names},
            without_length=tuple(row for row in self.without_length if row[0] in names),
        )
