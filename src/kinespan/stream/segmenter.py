"""Frame scores to spans as they come: those of `kinespan.decode.segments.segment`, each as soon as it is final."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ..arrays import Float32Array
from ..data.annotation import LabelSet, Span
from ..decode import DecodeConfig, segment
from ..decode.calibration import SpanCalibration, span_probability
from ..decode.frames import moving_mean

Scores = Float32Array
MAX_WAIT = 60.0
"""Seconds (or ten times `min_duration`, if longer) after which runs that are all too short are settled as they are."""


@dataclass
class _Run:
    """A run of a column of the scores so far: its first frame, the one after its last, the sum of its scores."""

    column: int
    start: int
    end: int
    total: float

    def grow(self, row: Float32Array) -> None:
        """One frame longer, of scores (C + 1,)."""
        self.end += 1
        self.total += float(row[self.column])

    def span(self, fps: float, labels: LabelSet, calibration: SpanCalibration) -> Span:
        """The span of a run that is not background."""
        score = span_probability(self.total / (self.end - self.start), calibration)
        return Span(self.start / fps, self.end / fps, labels.names[self.column - 1], score)


class Segmenter:
    """Spans of scores (n, C + 1) that come row by row; those that are returned never change any more.

    Exclusive labels: a run of the best column stands once it lasts `min_duration`. What lies between two runs that
    stand is then settled as `segment` does it, and the first of them is final. Overlapping labels: a run above 0.5 is
    final where it ends. `smooth`: seconds, as in `segment`; spans come half of it later. `span_calibration`: how their
    scores come from their mean probabilities, as in `segment`.
    """

    def __init__(
        self,
        fps: float,
        labels: LabelSet,
        min_duration: float,
        smooth: float,
        span_calibration: SpanCalibration = (),
    ) -> None:
        self.fps, self.labels, self.min_duration = fps, labels, min_duration
        self.span_calibration = span_calibration
        self.min_frames = max(1, math.ceil(min_duration * fps - 1e-6))
        self.max_unsettled = max(10 * self.min_frames, round(MAX_WAIT * fps))
        self.smooth, self.smooth_reach = smooth, math.floor(smooth * fps / 2 + 1e-6)
        self._raw: Scores = np.zeros((0, len(labels) + 1), dtype=np.float32)  # what the moving mean still looks at
        self._next_raw = 0  # the row in it whose mean comes next
        self._num_frames = 0
        self._standing: _Run | None = None  # exclusive labels
        self._unsettled: list[Float32Array] = []  # rows after the run that stands
        self._latest_run = (-1, 0)  # best column of the last row, and for how many unsettled rows it has been that
        self._above: dict[int, _Run] = {}  # overlapping labels: the runs that have not ended, by column

    def push(self, scores: Scores) -> list[Span]:
        """The spans that the next rows (n, C + 1) make final."""
        return [] if not len(scores) else self._advance(self._smoothed(scores, last=False))

    def finish(self, scores: Scores) -> list[Span]:
        """The spans that are left when the recording ends after these rows (n, C + 1)."""
        return self._advance(self._smoothed(scores, last=True)) + self.open()

    def open(self) -> list[Span]:
        """The spans that are not final, with their scores so far, as if the recording ended now."""
        if not self.labels.exclusive:
            runs = [run for run in self._above.values() if run.end - run.start >= self.min_frames]
        elif self._unsettled:
            runs = self._settled()
        else:
            runs = [self._standing] if self._standing else []
        return self._spans(runs)

    def _smoothed(self, scores: Scores, last: bool) -> Scores:
        """Rows of the moving mean that are final."""
        if not self.smooth_reach:
            return scores
        self._raw = np.concatenate([self._raw, scores])
        start = self._next_raw
        stop = len(self._raw) if last else max(start, len(self._raw) - self.smooth_reach)
        means = moving_mean(self._raw, self.fps, self.smooth)[start:stop]
        forgotten = max(0, stop - self.smooth_reach)
        self._raw, self._next_raw = self._raw[forgotten:].copy(), stop - forgotten
        return means

    def _advance(self, scores: Scores) -> list[Span]:
        """The spans that rows of the moving mean make final."""
        final: list[_Run] = []
        for row in scores:
            final += self._exclusive(row) if self.labels.exclusive else self._overlapping(row)
            self._num_frames += 1
        return self._spans(final)

    def _overlapping(self, row: Float32Array) -> list[_Run]:
        """The runs that a row ends, each label for itself."""
        above = row > 0.5
        ended = [self._above.pop(column) for column in list(self._above) if not above[column]]
        for column in (np.flatnonzero(above[1:]) + 1).tolist():
            self._above.setdefault(column, _Run(column, self._num_frames, self._num_frames, 0.0)).grow(row)
        return [run for run in ended if run.end - run.start >= self.min_frames]

    def _exclusive(self, row: Float32Array) -> list[_Run]:
        """The runs that a row makes final; its best column counts."""
        best = int(row.argmax())
        if self._standing is not None and best == self._standing.column and not self._unsettled:
            self._standing.grow(row)
            return []
        column, length = self._latest_run
        self._latest_run = best, length + 1 if self._unsettled and best == column else 1
        self._unsettled.append(row)
        if self._latest_run[1] < self.min_frames and len(self._unsettled) < self.max_unsettled:
            return []
        *final, self._standing = self._settled()
        self._unsettled = []
        return final

    def _settled(self) -> list[_Run]:
        """All runs, background too, from the one that stands on, as if the recording ended with the latest row."""
        standing = self._standing
        # a run that stands is never absorbed, so the fewest rows that stand can represent it
        front = 0 if standing is None else self.min_frames
        rows = np.stack(self._unsettled)
        if standing is not None:
            one_hot = np.eye(1, rows.shape[1], standing.column, np.float32)
            rows = np.concatenate([np.repeat(one_hot, front, axis=0), rows])
        runs = self._tiling(rows)
        first = 0 if standing is None else standing.end - front
        for run in runs:
            run.start, run.end = run.start + first, run.end + first
        if standing is not None:
            runs[0].start, runs[0].total = standing.start, runs[0].total - front + standing.total
        return runs

    def _tiling(self, rows: Scores) -> list[_Run]:
        """The runs of the segmentation of rows (n, C + 1), background between them; the first row is number 0."""
        runs, end = [], 0
        for span in segment(rows, self.fps, self.labels, DecodeConfig(min_duration=self.min_duration)):
            start, previous_end = round(span.start * self.fps), end
            end, column = round(span.end * self.fps), self.labels.index(span.label) + 1
            if start > previous_end:
                runs.append(_Run(0, previous_end, start, 0.0))
            runs.append(_Run(column, start, end, float(rows[start:end, column].sum(dtype=np.float64))))
        if len(rows) > end:
            runs.append(_Run(0, end, len(rows), 0.0))
        return runs

    def _spans(self, runs: list[_Run]) -> list[Span]:
        """The spans of runs, without background, in order of time."""
        spans = [run.span(self.fps, self.labels, self.span_calibration) for run in runs if run.column > 0]
        return sorted(spans, key=lambda span: (span.start, span.end, span.label))
