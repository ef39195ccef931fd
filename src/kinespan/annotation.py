"""Spans, label sets and annotations: what was done when, in seconds, and the same as labels of frames."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

import numpy as np

from .arrays import BoolArray, Float64Array, IntArray
from .errors import InputError

BACKGROUND = 0
"""Frame id of time that was looked at and holds no action; label c of a LabelSet has the frame id c + 1."""
IGNORE = -100
"""Frame id of time that nobody labelled: it is left out of every loss and metric."""


@dataclass(frozen=True, order=True)
class Span:
    """A label with start and end in seconds, half open; predicted spans carry a score.

    ``person`` is the person slot that the span is about, None where it is about the whole recording.
    Raises InputError where start and end are not finite with start < end.
    """

    start: float
    end: float
    label: str
    score: float | None = None
    person: int | None = None

    def __post_init__(self) -> None:
        """Check the bounds."""
        if not (math.isfinite(self.start) and math.isfinite(self.end) and self.start < self.end):
            raise InputError(
                f"span {self.label!r}: [{self.start}, {self.end}) s is not a span, start must be before end"
            )

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start


@dataclass(frozen=True, eq=False)
class SpanTable(Mapping[str, tuple[Span, ...]]):
    """The Spans of many recordings as columns; as a mapping it gives those of a recording, made when asked for.

    ``recordings`` (R of them) are the keys; the rows of recording r are bounds[r] to bounds[r + 1], in the order of
    its Spans. A row of the N has ``label``, an index into ``labels`` (those that occur), ``start`` and ``end`` in
    seconds, ``score`` (NaN: none) and ``person`` (-1: none). Rows are taken as valid.
    """

    recordings: tuple[str, ...]
    bounds: IntArray
    labels: tuple[str, ...]
    label: IntArray
    start: Float64Array
    end: Float64Array
    score: Float64Array
    person: IntArray

    @classmethod
    def of(cls, spans: Mapping[str, Iterable[Span]]) -> SpanTable:
        """The table of Spans by recording; a table stays itself."""
        if isinstance(spans, SpanTable):
            return spans
        groups = [tuple(group) for group in spans.values()]
        rows = list(chain.from_iterable(groups))
        index = {name: number for number, name in enumerate(dict.fromkeys(span.label for span in rows))}
        return cls(
            tuple(spans),
            np.cumsum([0, *map(len, groups)]),
            tuple(index),
            np.array([index[span.label] for span in rows], dtype=np.int64),
            np.array([span.start for span in rows], dtype=np.float64),
            np.array([span.end for span in rows], dtype=np.float64),
            np.array([span.score for span in rows], dtype=np.float64),  # None becomes NaN
            np.array([-1 if span.person is None else span.person for span in rows], dtype=np.int64),
        )

    @cached_property
    def _row(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.recordings)}

    @property
    def recording(self) -> IntArray:
        """Index of each row's recording, (N,)."""
        return np.repeat(np.arange(len(self.recordings)), np.diff(self.bounds))

    def __getitem__(self, name: str) -> tuple[Span, ...]:
        row = self._row[name]
        mine = slice(self.bounds[row], self.bounds[row + 1])
        labels = [self.labels[label] for label in self.label[mine].tolist()]
        scores = [None if math.isnan(score) else score for score in self.score[mine].tolist()]
        people = [None if person < 0 else person for person in self.person[mine].tolist()]
        return tuple(map(Span, self.start[mine].tolist(), self.end[mine].tolist(), labels, scores, people))

    def __iter__(self) -> Iterator[str]:
        return iter(self.recordings)

    def __len__(self) -> int:
        return len(self.recordings)

    def where(self, chosen: BoolArray) -> SpanTable:
        """The chosen (N,) rows; all recordings and labels stay."""
        before = np.concatenate([[0], np.cumsum(chosen)])
        return SpanTable(
            self.recordings,
            before[self.bounds],
            self.labels,
            self.label[chosen],
            self.start[chosen],
            self.end[chosen],
            self.score[chosen],
            self.person[chosen],
        )


@dataclass(frozen=True)
class LabelSet:
    """The names of the actions, in order; ``exclusive`` says that at most one holds at a time.

    Raises InputError for a name given twice or an empty name.
    """

    names: tuple[str, ...]
    exclusive: bool = True

    def __post_init__(self) -> None:
        """Check the names."""
        if len(set(self.names)) != len(self.names) or any(not name for name in self.names):
            raise InputError(f"label names must be unique and not empty, found {self.names}")

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """Position of a label, 0-based. Raises InputError for an unknown one."""
        try:
            return self.names.index(name)
        except ValueError:
            raise InputError(f"unknown label {name!r}; the label set has {', '.join(self.names)}") from None


@dataclass(frozen=True)
class Annotation:
    """The Spans of one Recording over a LabelSet; spans may overlap.

    ``covered`` lists the (start, end) seconds that were looked at; None means the whole recording. Covered time
    without a span is background; time that is not covered is unlabelled and ignored, which is not the same.
    Spans are kept sorted. Raises InputError for a label outside the label set.
    """

    spans: tuple[Span, ...]
    labels: LabelSet
    covered: tuple[tuple[float, float], ...] | None = None

    def __post_init__(self) -> None:
        """Check the labels, sort the spans."""
        known = set(self.labels.names)
        for span in self.spans:
            if span.label not in known:
                self.labels.index(span.label)
        object.__setattr__(
            self, "spans", tuple(sorted(self.spans, key=lambda span: (span.start, span.end, span.label)))
        )

    def frame_ids(self, num_frames: int, fps: float) -> IntArray:
        """Frame ids (T,): IGNORE, BACKGROUND or label index + 1. A frame has the label that holds at its centre.

        Where spans overlap, the one that starts later (the more specific one) wins.
        """
        centres = frame_centres(num_frames, fps)
        ids = np.where(self._covered(centres), BACKGROUND, IGNORE).astype(np.int64)
        for label, first, stop in self._frames(centres):
            ids[first:stop] = label + 1
        return ids

    def frame_hits(self, num_frames: int, fps: float) -> tuple[BoolArray, BoolArray]:
        """For overlapping labels: which labels hold, (T, C) bool, and which frames were looked at, (T,) bool."""
        centres = frame_centres(num_frames, fps)
        hits = np.zeros((len(self.labels), num_frames), dtype=bool).T  # label by label in memory: spans are long
        for label, first, stop in self._frames(centres):
            hits[first:stop, label] = True
        return hits, self._covered(centres) | hits.any(axis=1)

    def _frames(self, centres: Float64Array) -> Iterator[tuple[int, int, int]]:
        """Index of the label, first frame and frame after the last of each span, by its frames' centres (T,)."""
        index = {name: number for number, name in enumerate(self.labels.names)}
        bounds = np.searchsorted(centres, [(span.start, span.end) for span in self.spans]).tolist()
        return ((index[span.label], *pair) for span, pair in zip(self.spans, bounds, strict=True))

    def _covered(self, times: Float64Array) -> BoolArray:
        if self.covered is None:
            return np.ones(times.shape, dtype=bool)
        covered = np.zeros(times.shape, dtype=bool)
        for start, end in self.covered:
            covered |= (times >= start) & (times < end)
        return covered


def frame_centres(num_frames: int, fps: float) -> Float64Array:
    """Seconds (T,) of the middle of each frame, (i + 0.5) / fps."""
    return (np.arange(num_frames, dtype=np.float64) + 0.5) / fps


def runs(ids: Sequence[int] | IntArray) -> list[tuple[int, int, int]]:
    """Maximal runs of equal values as (value, first frame, frame after the last), in order."""
    values = np.asarray(ids)
    if values.size == 0:
        return []
    starts = np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
    ends = np.r_[starts[1:], values.size]
    return [(int(values[start]), int(start), int(end)) for start, end in zip(starts, ends, strict=True)]


def spans_from_frames(ids: Sequence[int] | IntArray, fps: float, labels: LabelSet) -> Annotation:
    """The Annotation of frame ids (T,): each run of a label is a span; IGNORE frames are not covered.

    `Annotation.frame_ids` gives the same ids back. Raises InputError for an id outside the label set.
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
    whole = covered == [(0.0, len(ids) / fps)]
    return Annotation(tuple(spans), labels, None if whole else tuple(covered))


def label_set_of(annotations: Iterable[Annotation]) -> LabelSet:
    """The one LabelSet that all annotations share. Raises InputError where they differ or there is none."""
    found = {annotation.labels for annotation in annotations}
    if len(found) != 1:
        raise InputError(f"expected annotations over one label set, found {len(found)}")
    return found.pop()


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that puts "take9" before "take10"."""
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"(\d+)", text) if part)
