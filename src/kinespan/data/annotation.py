"""Spans, events, label sets and annotations: what was done when, in seconds or frame by frame."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from ..arrays import BoolArray, Float64Array, IntArray
from ..errors import InputError
from .display import SPAN_COLUMNS, counted, rows_html
from .seconds import seconds_of

if TYPE_CHECKING:  # these are extras, and each takes a second to import
    import pandas
    from matplotlib.axes import Axes

Interval = tuple[float, float]
"""Start and end in seconds."""
BACKGROUND = 0
"""Frame id of annotated time without an action; label c of a LabelSet has the frame id c + 1."""
IGNORE = -100
"""Frame id of time that nobody annotated; losses and metrics leave it out. (The ignore index of cross-entropy.)"""
TOLERANCE = 0.2
"""Seconds by which an event may be off, unless its label set says otherwise."""
POINT_MARGIN = 2.0
"""Seconds to each side of a point label in which nothing is known but spans: the bounds of its action are not."""


@dataclass(frozen=True, order=True, repr=False)
class Span:
    """A label with start and end in seconds, half open; predicted spans carry a score.

    Raises InputError where start and end are not finite with start < end.
    """

    start: float
    """Seconds, included."""
    end: float
    """Seconds, excluded."""
    label: str
    """A name of the LabelSet."""
    score: float | None = None
    """How sure a prediction is; None for annotations."""
    person: int | None = None
    """Slot of the person who does it; None: nobody in particular, which holds for everybody in the recording."""

    def __post_init__(self) -> None:
        """Check the bounds. Raises InputError."""
        if not (math.isfinite(self.start) and math.isfinite(self.end) and self.start < self.end):
            raise InputError(
                f"span {self.label!r}: [{self.start}, {self.end}) s is not a span, start must be before end"
            )

    def __repr__(self) -> str:
        return f"Span({self.start:.6g}, {self.end:.6g}, {self.label!r}{_score_and_person(self)})"

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start


@dataclass(frozen=True, order=True, repr=False)
class Event:
    """A label at an instant in seconds (a heel strike, an action point); predicted events carry a score.

    An Event whose label names a span of the LabelSet is a point label: an instant inside an action whose bounds nobody
    gave. Raises InputError where the time is not finite.
    """

    time: float
    """Seconds."""
    label: str
    """A name of the LabelSet."""
    score: float | None = None
    """How sure a prediction is; None for annotations."""
    person: int | None = None
    """Slot of the person whose event it is; None: nobody in particular, which holds for everybody in the recording."""

    def __post_init__(self) -> None:
        """Check the time. Raises InputError."""
        if not math.isfinite(self.time):
            raise InputError(f"event {self.label!r}: {self.time} s is not a time")

    def __repr__(self) -> str:
        return f"Event({self.time:.6g}, {self.label!r}{_score_and_person(self)})"


def _score_and_person(item: Span | Event) -> str:
    """What is given of score and person, as arguments."""
    score = "" if item.score is None else f", score={item.score:.4g}"
    return score if item.person is None else f"{score}, person={item.person}"


@dataclass(frozen=True)
class LabelSet:
    """The names of the actions and events, in order.

    Raises InputError for a name given twice, an empty name, and an event that is not among the names.
    """

    names: tuple[str, ...]
    exclusive: bool = True
    """Whether at most one label holds at a time, or, where people are told apart, for a person; False: labels may
    overlap."""
    events: tuple[str, ...] = ()
    """The names, in the order of `names`, of what happens at an instant; all others name spans."""
    tolerance: float = TOLERANCE
    """Seconds by which an event may be off: a predicted event counts within it, and training aims at that much time to
    each side."""

    def __post_init__(self) -> None:
        """Check the names and sort the events. Raises InputError."""
        if not (math.isfinite(self.tolerance) and self.tolerance > 0):
            raise InputError(f"tolerance: found {self.tolerance} s, expected a positive number of seconds")
        if len(set(self.names)) != len(self.names) or any(not name for name in self.names):
            raise InputError(f"label names must be unique and not empty, found {self.names}")
        for name in self.events:
            self.index(name)  # raises
        object.__setattr__(self, "events", tuple(name for name in self.names if name in set(self.events)))

    @property
    def spans(self) -> tuple[str, ...]:
        """The names that are not events, in order."""
        events = set(self.events)
        return tuple(name for name in self.names if name not in events)

    @property
    def span_columns(self) -> tuple[int, ...]:
        """The columns of frame scores (T, C + 1) that are background, 0, or the label of a span."""
        return (0, *(self.names.index(name) + 1 for name in self.spans))

    @property
    def event_columns(self) -> tuple[int, ...]:
        """The columns of frame scores (T, C + 1) that are the label of an event."""
        return tuple(self.names.index(name) + 1 for name in self.events)

    @property
    def without_events(self) -> LabelSet:
        """The label set of the spans alone; itself where there are no events."""
        return replace(self, names=self.spans, events=()) if self.events else self

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """Index of a label, from 0. Raises InputError for an unknown one."""
        try:
            return self.names.index(name)
        except ValueError:
            raise InputError(f"unknown label {name!r}; available: {', '.join(self.names)}") from None


SpanRow = tuple[str, float, float | None, float | None, int | None]
"""A Span or an Event as a row of `SPAN_COLUMNS`."""


@dataclass(frozen=True, repr=False)
class Annotation:
    """The Spans and Events of one Recording over a LabelSet, and the time that the annotator looked at.

    A slice is in seconds, and is the annotation of the same slice of the recording: ``annotation[2.0:5.5]``.

    Raises InputError for a label outside the label set, and for a span whose label names an event.
    """

    spans: tuple[Span, ...]
    """In order of start, end and label; they may overlap."""
    labels: LabelSet
    """The labels that spans may have."""
    covered: tuple[Interval, ...] | None = None
    """The (start, end) seconds that were looked at; None: the whole recording. Covered time without a span is
    background; time that is not covered is unlabelled and ignored."""
    events: tuple[Event, ...] = ()
    """In order of time and label. Those whose label names a span are point labels: they are neither background nor
    action, and time up to `POINT_MARGIN` seconds from one is unlabelled but for spans."""

    def __post_init__(self) -> None:
        """Check the labels and sort spans and events. Raises InputError."""
        known, instants = set(self.labels.names), set(self.labels.events)
        for label in (*(span.label for span in self.spans), *(event.label for event in self.events)):
            if label not in known:
                self.labels.index(label)  # raises
        for span in self.spans:
            if span.label in instants:
                raise InputError(
                    f"label {span.label!r} names an event, but is given from {span.start:g} to {span.end:g} s"
                )
        object.__setattr__(self, "events", tuple(sorted(self.events, key=lambda event: (event.time, event.label))))
        object.__setattr__(
            self, "spans", tuple(sorted(self.spans, key=lambda span: (span.start, span.end, span.label)))
        )

    def __getitem__(self, seconds: slice) -> Annotation:
        """The annotation from a start to an end in seconds, as in ``annotation[2.0:5.5]``, with its own clock from 0.

        Spans and covered time are cut there; events at the end itself are left out. It belongs to
        ``recording[2.0:5.5]``. Raises InputError for anything but a slice, a step, and a start or end that is negative.
        """
        start, end = seconds_of(seconds, "annotation")
        if end <= start:
            raise InputError(f"annotation: no time from {start:g} to {end:g} s")
        spans = tuple(
            replace(span, start=max(span.start, start) - start, end=min(span.end, end) - start)
            for span in self.spans
            if span.start < end and span.end > start
        )
        events = tuple(replace(event, time=event.time - start) for event in self.events if start <= event.time < end)
        covered = self.covered
        if covered is not None:
            cut = ((max(first, start) - start, min(last, end) - start) for first, last in covered)
            covered = tuple((first, last) for first, last in cut if first < last)
        return Annotation(spans, self.labels, covered, events)

    __iter__ = None  # Python would else take slicing for iterating

    def __repr__(self) -> str:
        return f"Annotation({self._facts()})"

    def _repr_html_(self) -> str:
        """A small table, for notebooks."""
        return rows_html(f"Annotation: {self._facts()}", SPAN_COLUMNS, self.rows())

    def rows(self) -> list[SpanRow]:
        """Spans and events as rows of `SPAN_COLUMNS`, in order of their start; an event has no end."""
        rows: list[SpanRow] = [(span.label, span.start, span.end, span.score, span.person) for span in self.spans]
        rows += [(event.label, event.time, None, event.score, event.person) for event in self.events]
        return sorted(rows, key=lambda row: (row[1], row[0]))

    def _facts(self) -> str:
        """What is in it, in words."""
        occurring = {row[0] for row in self.rows()}
        facts = [counted(len(self.spans), "span")]
        if self.events:
            facts.append(counted(len(self.events), "event"))
        facts.append(f"{len(occurring)} of {counted(len(self.labels), 'label')}")
        if self.covered is not None:
            facts.append(f"{sum(last - first for first, last in self.covered):.2f} s covered")
        return ", ".join(facts)

    def to_dataframe(self) -> pandas.DataFrame:
        """A pandas table with a row for each span and event: label, start, end, score, person.

        Seconds; an event has no end. Raises InputError without pandas.
        """
        from .tables import annotation_to_dataframe

        return annotation_to_dataframe(self)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw a timeline with a row for each label, events as marks; returns the axes.

        ax: axes to draw into, by default new ones. Raises InputError without matplotlib.
        """
        from .plots import plot_annotation

        return plot_annotation(self, ax)

    @property
    def point_labels(self) -> tuple[Event, ...]:
        """The events whose label names a span."""
        instants = set(self.labels.events)
        return tuple(event for event in self.events if event.label not in instants)

    @property
    def instants(self) -> tuple[Event, ...]:
        """The events whose label names an event: all but the point labels."""
        instants = set(self.labels.events)
        return tuple(event for event in self.events if event.label in instants)

    @property
    def without_events(self) -> Annotation:
        """The spans alone, over the labels of spans, with the point labels among the events."""
        return replace(self, labels=self.labels.without_events, events=self.point_labels)

    @property
    def watched(self) -> tuple[Interval, ...] | None:
        """The time whose actions all have a span or a point label; None: all of the recording.

        That is what is covered. Where no point lies in it, as in a table of points alone, nobody said what was looked
        at, and there is one instant for every action.
        """
        points = self.point_labels
        if self.covered is None or not points:
            return self.covered
        inside = any(start <= point.time < end for point in points for start, end in self.covered)
        return self.covered if inside else None

    @property
    def known(self) -> tuple[Interval, ...] | None:
        """The covered time without that near point labels, where only spans are known; None: all time."""
        windows = self._unknown
        if not windows:
            return self.covered
        return subtract(((-math.inf, math.inf),) if self.covered is None else self.covered, windows)

    @property
    def _unknown(self) -> tuple[Interval, ...]:
        """The time near point labels that are in no span of their own; spans of exclusive labels are known."""
        windows = tuple(
            (point.time - POINT_MARGIN, point.time + POINT_MARGIN)
            for point in self.point_labels
            if not any(span.label == point.label and span.start <= point.time < span.end for span in self.spans)
        )
        return subtract(windows, [(s.start, s.end) for s in self.spans]) if self.labels.exclusive else windows

    @property
    def people(self) -> tuple[int, ...]:
        """The people whom spans and events name, by slot; empty where nobody is told apart."""
        named = {*(span.person for span in self.spans), *(event.person for event in self.events)}
        return tuple(sorted(person for person in named if person is not None))

    def of_person(self, person: int | None) -> Annotation:
        """What a person does: the spans and events of the person and of nobody in particular; all where it is None."""
        if person is None:
            return self
        spans = tuple(span for span in self.spans if span.person in (person, None))
        return replace(
            self, spans=spans, events=tuple(event for event in self.events if event.person in (person, None))
        )

    def frame_ids(self, num_frames: int, fps: float) -> IntArray:
        """Frame ids (T,): IGNORE, BACKGROUND or label index + 1, by the label at each frame's centre.

        Where spans overlap, the one that starts last, as the more specific one, wins. Events are not in it.
        """
        centres = frame_centres(num_frames, fps)
        ids = np.where(self._covered(centres), BACKGROUND, IGNORE).astype(np.int64)
        for label, first, stop in self._frames(centres):
            ids[first:stop] = label + 1
        return ids

    def frame_targets(self, num_frames: int, fps: float) -> tuple[BoolArray, BoolArray]:
        """Multi-hot targets (T, C), the labels at each frame's centre, and a mask (T,) of the annotated frames.

        A frame is annotated where its centre is covered or in a span; near a point label, where another label may
        hold too, only if labels exclude each other. Columns of events are zero.
        """
        centres = frame_centres(num_frames, fps)
        # (T, C), contiguous along T: spans are long
        multi_hot = np.zeros((len(self.labels), num_frames), dtype=bool).T
        for label, first, stop in self._frames(centres):
            multi_hot[first:stop, label] = True
        if not self.labels.exclusive:
            multi_hot[_inside(centres, self._unknown)] = False
        return multi_hot, self._covered(centres) | multi_hot.any(axis=1)

    def _frames(self, centres: Float64Array) -> Iterator[tuple[int, int, int]]:
        """Of each span: label index, first frame and frame after the last, given the frame centres (T,)."""
        label_index = {name: index for index, name in enumerate(self.labels.names)}
        bounds = np.searchsorted(centres, [(span.start, span.end) for span in self.spans]).tolist()
        return ((label_index[span.label], *pair) for span, pair in zip(self.spans, bounds, strict=True))

    def _covered(self, times: Float64Array) -> BoolArray:
        """Mask (T,) of the times that are known."""
        known = self.known
        return np.ones(times.shape, dtype=bool) if known is None else _inside(times, known)


def subtract(intervals: Iterable[Interval], holes: Iterable[Interval]) -> tuple[Interval, ...]:
    """The intervals (start, end) without the time of the holes (start, end)."""
    for low, high in holes:
        intervals = [
            (first, last)
            for start, end in intervals
            for first, last in ((start, min(end, low)), (max(start, high), end))
            if first < last
        ]
    return tuple(intervals)


def _inside(times: Float64Array, intervals: Iterable[Interval]) -> BoolArray:
    """Mask (T,) of the times that are in an interval."""
    inside = np.zeros(times.shape, dtype=bool)
    for start, end in intervals:
        inside |= (times >= start) & (times < end)
    return inside


def frame_centres(num_frames: int, fps: float) -> Float64Array:
    """Seconds (T,) of the middle of each frame, (i + 0.5) / fps."""
    return (np.arange(num_frames, dtype=np.float64) + 0.5) / fps


def runs(ids: Sequence[int] | IntArray) -> list[tuple[int, int, int]]:
    """Maximal runs of equal ids (T,) as (id, first frame, frame after the last), in order."""
    values = np.asarray(ids)
    if values.size == 0:
        return []
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    ends = np.r_[starts[1:], values.size]
    return [(int(values[start]), int(start), int(end)) for start, end in zip(starts, ends, strict=True)]


def spans_from_frames(ids: Sequence[int] | IntArray, fps: float, labels: LabelSet) -> Annotation:
    """The Annotation of frame ids (T,): a span for each run of a label; IGNORE frames are not covered.

    The inverse of `Annotation.frame_ids`. Raises InputError for an id outside the label set.
    """
    spans: list[Span] = []
    covered: list[tuple[float, float]] = []
    for value, start, end in runs(ids):
        if value == IGNORE:
            continue
        if not 0 <= value <= len(labels):
            raise InputError(f"frame {start}: id {value} is outside 0..{len(labels)} of the label set")
        if covered and covered[-1][1] == start / fps:
            covered[-1] = (covered[-1][0], end / fps)
        else:
            covered.append((start / fps, end / fps))
        if value != BACKGROUND:
            spans.append(Span(start / fps, end / fps, labels.names[value - 1]))
    all_covered = covered == [(0.0, len(ids) / fps)]
    return Annotation(tuple(spans), labels, None if all_covered else tuple(covered))


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key by which "take9" comes before "take10"."""
    tokens = [token for token in re.split(r"(\d+)", text) if token]
    return tuple((0, int(token), "") if token.isdecimal() else (1, 0, token) for token in tokens)
