"""Frame scores to events as they come: those of `kinespan.decode.events`, each as soon as it is final."""

from __future__ import annotations

import numpy as np

from ..arrays import Float32Array
from ..data.annotation import Event, LabelSet
from ..decode.events import bell_reach_frames, event_peaks, peak_reach_frames

Scores = Float32Array


class EventFinder:
    """Events of scores (n, C + 1) that come row by row; those that are returned never change any more.

    An event is final once the scores are known up to the reach of the bell beyond the time in which no other event of
    its label may follow: `delay` frames after it.
    """

    def __init__(self, fps: float, labels: LabelSet, threshold: float) -> None:
        """threshold: the least score of an event."""
        self.fps, self.labels, self.threshold = fps, labels, threshold
        self.delay = peak_reach_frames(fps, labels.tolerance) + bell_reach_frames(fps, labels.tolerance)
        self._rows: Scores = np.zeros((0, len(labels) + 1), dtype=np.float32)  # from frame `_start` on
        self._start = 0
        self._next = 0
        """The first frame of which it is not known whether it has an event."""

    def push(self, scores: Scores, last: bool = False) -> list[Event]:
        """The events that the next rows (n, C + 1) make final; `last`: the recording ends with them."""
        if not self.labels.events:
            return []
        self._rows = np.concatenate([self._rows, scores])
        stop = self._start + len(self._rows) - (0 if last else self.delay)
        if stop <= self._next:
            return []
        events = []
        for column in self.labels.event_columns:
            for peak in event_peaks(self._rows[:, column], self.fps, self.labels.tolerance):
                if self._next <= self._start + peak.frame < stop and peak.score >= self.threshold:
                    time = self._start / self.fps + peak.time
                    events.append(Event(time, self.labels.names[column - 1], peak.score))
        self._next = stop
        forgotten = max(0, stop - self.delay - self._start)
        self._rows, self._start = self._rows[forgotten:].copy(), self._start + forgotten
        return sorted(events, key=lambda event: (event.time, event.label))
