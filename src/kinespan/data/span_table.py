"""Spans by recording as columns: a table that reads like a mapping."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, chain

import numpy as np

from ..arrays import BoolArray, Float64Array, IntArray
from .annotation import Span

SpanRow = tuple[str, float, float, float | None, int]
"""Label, start, end, score (None: none) and person (-1: none) of a span."""
NamedRow = tuple[str, SpanRow]
"""The recording of a row, and the row."""


@dataclass(frozen=True, eq=False)
class SpanTable(Mapping[str, tuple[Span, ...]]):
    """The N Spans of R recordings as columns, and a mapping from a recording's name to its Spans.

    Metrics work on the columns; Spans are made when a recording is looked up. Rows are not checked.
    """

    recordings: tuple[str, ...]
    """Names of the R recordings, the keys of the mapping."""
    bounds: IntArray
    """(R + 1,): the rows of recording r are bounds[r] to bounds[r + 1], in the order of its Spans."""
    labels: tuple[str, ...]
    """The labels that occur."""
    label: IntArray
    """(N,) index into `labels`."""
    start: Float64Array
    """(N,) seconds."""
    end: Float64Array
    """(N,) seconds."""
    score: Float64Array
    """(N,), NaN for none."""
    person: IntArray
    """(N,), -1 for none."""

    @classmethod
    def of(cls, spans: Mapping[str, Iterable[Span]]) -> SpanTable:
        """The table of Spans by recording name; a SpanTable is returned as it is."""
        if isinstance(spans, SpanTable):
            return spans
        groups = [tuple(group) for group in spans.values()]
        rows = [
            (span.label, span.start, span.end, span.score, -1 if span.person is None else span.person)
            for span in chain.from_iterable(groups)
        ]
        return cls.of_rows(tuple(spans), [0, *accumulate(map(len, groups))], rows)

    @classmethod
    def of_rows(cls, recordings: tuple[str, ...], bounds: Sequence[int], rows: Sequence[SpanRow]) -> SpanTable:
        """The table of rows, those of recording r being bounds[r] to bounds[r + 1]."""
        label, start, end, score, person = zip(*rows, strict=True) if rows else ((),) * 5
        label_index = {name: index for index, name in enumerate(dict.fromkeys(label))}
        return cls(
            recordings,
            np.array(bounds),
            tuple(label_index),
            np.array([label_index[name] for name in label], dtype=np.int64),
            np.array(start, dtype=np.float64),
            np.array(end, dtype=np.float64),
            np.array(score, dtype=np.float64),  # None becomes NaN
            np.array(person, dtype=np.int64),
        )

    @cached_property
    def _recording_index(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.recordings)}

    @property
    def recording(self) -> IntArray:
        """Index of each row's recording, (N,)."""
        return np.repeat(np.arange(len(self.recordings)), np.diff(self.bounds))

    def __getitem__(self, name: str) -> tuple[Span, ...]:
        recording = self._recording_index[name]
        rows = slice(self.bounds[recording], self.bounds[recording + 1])
        labels = [self.labels[label] for label in self.label[rows].tolist()]
        scores = [None if math.isnan(score) else score for score in self.score[rows].tolist()]
        people = [None if person < 0 else person for person in self.person[rows].tolist()]
        return tuple(map(Span, self.start[rows].tolist(), self.end[rows].tolist(), labels, scores, people))

    def __iter__(self) -> Iterator[str]:
        return iter(self.recordings)

    def __len__(self) -> int:
        return len(self.recordings)

    def has_overlaps(self) -> bool:
        """Whether two spans of a recording that can be of one person share time, beyond rounding."""
        if not self._share_time():
            return False
        people = sorted(set(self.person.tolist()) - {-1})
        return not people or any(self.where(np.isin(self.person, (-1, slot)))._share_time() for slot in people)

    def _share_time(self) -> bool:
        """Whether two spans of a recording, whosever they are, share time, beyond rounding."""
        recording = self.recording
        order = np.lexsort((self.end, self.start, recording))
        earlier, later = order[:-1], order[1:]
        share_time = self.start[later] < self.end[earlier] - 1e-6
        return bool(np.any(share_time & (recording[later] == recording[earlier])))

    def with_rows(self, rows: Sequence[NamedRow]) -> SpanTable:
        """The table with further rows of its recordings, each after those of its recording."""
        if not rows:
            return self
        more = [(self._recording_index[name], row) for name, row in rows]
        recording = np.concatenate([self.recording, [index for index, _ in more]])
        order = np.argsort(recording, kind="stable")
        added = SpanTable.of_rows(("",), [0, len(rows)], [row for _, row in more])
        label_index = {name: index for index, name in enumerate(dict.fromkeys((*self.labels, *added.labels)))}
        added_label = np.array([label_index[name] for name in added.labels])[added.label]
        return SpanTable(
            self.recordings,
            np.searchsorted(recording[order], np.arange(len(self.recordings) + 1)),
            tuple(label_index),
            np.concatenate([self.label, added_label])[order],
            np.concatenate([self.start, added.start])[order],
            np.concatenate([self.end, added.end])[order],
            np.concatenate([self.score, added.score])[order],
            np.concatenate([self.person, added.person])[order],
        )

    def of_recordings(self, names: Collection[str]) -> SpanTable:
        """The rows of those recordings that are among `names`."""
        mask = np.array([name in names for name in self.recordings], dtype=bool)  # (R,)
        rows = self.where(mask[self.recording])
        recordings = tuple(name for name in self.recordings if name in names)
        return replace(rows, recordings=recordings, bounds=np.concatenate([[0], np.cumsum(np.diff(self.bounds)[mask])]))

    def where(self, mask: BoolArray) -> SpanTable:
        """The rows where `mask` (N,) is True, over the same recordings and labels."""
        num_before = np.concatenate([[0], np.cumsum(mask)])  # (N + 1,)
        return SpanTable(
            self.recordings,
            num_before[self.bounds],
            self.labels,
            self.label[mask],
            self.start[mask],
            self.end[mask],
            self.score[mask],
            self.person[mask],
        )
