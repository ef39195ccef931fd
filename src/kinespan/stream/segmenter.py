"""Frame scores to spans as they come: what `kinespan.decode.segment` finds, each span as soon as it is certain."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..annotation import LabelSet, Span
from ..decode import moving_mean, segment

Scores = NDArray[np.float32]
LONGEST_DOUBT = 60.0
"""Seconds (or ten times `min_duration`) after which runs that are all too short to stand are settled as they are."""


@dataclass
class _Run:
    """A run of a column of the scores so far: its first frame, the one after its last, the sum of its scores."""

    column: int
    start: int
    end: int
    total: float

    def grow(self, row: NDArray[np.float32]) -> None:
        self.end += 1
        self.total += float(row[self.column])


class Segmenter:
    """Spans of scores (n, C + 1) that come row by row; spans that are closed never change any more.

    Exclusive labels: a run of the best column stands once it lasts `min_duration`; what lies between two that stand
    is then settled as `segment` does it, and the first of them closes. Overlapping labels: a run above 0.5 closes
    where it ends. `smooth`: seconds, as in `segment`; spans come half of it later.
    """

    def __init__(self, fps: float, labels: LabelSet, min_duration: float, smooth: float) -> None:
        self.fps, self.labels, self.min_duration = fps, labels, min_duration
        self.shortest = max(1, math.ceil(min_duration * fps - 1e-6))
        self.most = max(10 * self.shortest, round(LONGEST_DOUBT * fps))
        self.smooth, self.lag = smooth, math.floor(smooth * fps / 2 + 1e-6)
        self._raw: Scores = np.zeros((0, len(labels) + 1), dtype=np.float32)  # what the moving mean still looks at
        self._raw_next = 0  # the row in it whose mean comes next
        self._frames = 0
        self._stands: _Run | None = None  # exclusive labels
        self._doubtful: list[NDArray[np.float32]] = []  # rows after the run that stands
        self._best = (-1, 0)  # best column of the last row, and for how many rows it has been that
        self._hits: dict[int, _Run] = {}  # overlapping labels

    def push(self, scores: Scores) -> list[Span]:
        """The spans that the next rows close."""
        return [] if not len(scores) else self._take(self._smoothed(scores, end=False))

    def finish(self, scores: Scores) -> list[Span]:
        """The spans that are left when the recording ends after these rows."""
        return self._take(self._smoothed(scores, end=True)) + self.open()

    def open(self) -> list[Span]:
        """The spans that are not closed, with their scores so far: those that there are if the recording ends now."""
        if self.labels.exclusive:
            found = self._settled() if self._doubtful else [self._stands] if self._stands else []
        else:
            found = [run for run in self._hits.values() if run.end - run.start >= self.shortest]
        return self._spans(found)

    def _smoothed(self, scores: Scores, end: bool) -> Scores:
        """Rows of the moving mean that are final."""
        if not self.lag:
            return scores
        self._raw = np.concatenate([self._raw, scores])
        done = self._raw_next
        ready = len(self._raw) if end else max(done, len(self._raw) - self.lag)
        means = moving_mean(self._raw, self.fps, self.smooth)[done:ready]
        cut = max(0, ready - self.lag)
        self._raw, self._raw_next = self._raw[cut:].copy(), ready - cut
        return means

    def _take(self, scores: Scores) -> list[Span]:
        closed: list[_Run] = []
        for row in scores:
            closed += self._exclusive(row) if self.labels.exclusive else self._overlapping(row)
            self._frames += 1
        return self._spans(closed)

    def _overlapping(self, row: NDArray[np.float32]) -> list[_Run]:
        """One row, each label for itself."""
        above = row > 0.5
        ended = [self._hits.pop(column) for column in list(self._hits) if not above[column]]
        for column in (np.flatnonzero(above[1:]) + 1).tolist():
            self._hits.setdefault(column, _Run(column, self._frames, self._frames, 0.0)).grow(row)
        return [run for run in ended if run.end - run.start >= self.shortest]

    def _exclusive(self, row: NDArray[np.float32]) -> list[_Run]:
        """One row, of which the best column counts."""
        best = int(row.argmax())
        if self._stands is not None and best == self._stands.column and not self._doubtful:
            self._stands.grow(row)
            return []
        self._best = best, self._best[1] + 1 if self._doubtful and best == self._best[0] else 1
        self._doubtful.append(row)
        if self._best[1] < self.shortest and len(self._doubtful) < self.most:
            return []
        *closed, self._stands = self._settled()
        self._doubtful = []
        return closed

    def _settled(self) -> list[_Run]:
        """All runs, background among them, from the one that stands on, for a recording that ends after the rows."""
        stands = self._stands
        # a run that stands is never absorbed, so that the fewest rows that stand can be there for it
        front = 0 if stands is None else self.shortest
        rows = np.stack(self._doubtful)
        if stands is not None:
            rows = np.concatenate([np.repeat(np.eye(1, rows.shape[1], stands.column, np.float32), front, axis=0), rows])
        begin = self._frames_before() - front
        found, at = [], 0
        for span in [*segment(rows, self.fps, self.labels, self.min_duration), None]:
            edges = (len(rows), len(rows)) if span is None else (span.start * self.fps, span.end * self.fps)
            start, end = (round(edge) for edge in edges)
            if start > at:
                found.append(_Run(0, at, start, 0.0))
            if span is not None:
                column = self.labels.index(span.label) + 1
                found.append(_Run(column, start, end, float(rows[start:end, column].sum(dtype=np.float64))))
            at = end
        for run in found:
            run.start, run.end = run.start + begin, run.end + begin
        if stands is not None:
            found[0].start, found[0].total = stands.start, found[0].total - front + stands.total
        return found

    def _frames_before(self) -> int:
        """The number of the first doubtful row."""
        return 0 if self._stands is None else self._stands.end

    def _spans(self, found: list[_Run]) -> list[Span]:
        spans = []
        for run in found:
            if run.column > 0:
                length = run.end - run.start
                label, score = self.labels.names[run.column - 1], run.total / length
                spans.append(Span(run.start / self.fps, run.end / self.fps, label, score))
        return sorted(spans, key=lambda span: (span.start, span.end, span.label))
