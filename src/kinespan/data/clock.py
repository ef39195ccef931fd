"""Clock: from seconds of a Recording to its frames, as its file numbers them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arrays import Float64Array
from .recording import Recording

ROUNDING = 1e-6
"""Frames this much before a bound count as at it."""


@dataclass(frozen=True, eq=False)
class Clock:
    """When the T frames of a Recording are: frame i covers the seconds from its start to that of the next one."""

    fps: float
    """Frames a second; of uneven frames the nominal rate."""
    num_frames: int
    times: Float64Array | None = None
    """(T,) seconds at which frames start, where they are uneven; None: frame i starts at i / fps."""

    @classmethod
    def of(cls, recording: Recording) -> Clock:
        """The clock of a Recording."""
        return cls(recording.fps, recording.num_frames, recording.times)

    @property
    def duration(self) -> float:
        """Seconds, to the end of the last frame."""
        return self.num_frames / self.fps if self.times is None else float(self.times[-1]) + 1 / self.fps

    def frame(self, time: float) -> int:
        """The frame that covers an instant in seconds; the first or the last one outside the recording."""
        if self.times is None:
            index = int(np.floor(time * self.fps + ROUNDING))
        else:
            index = int(np.searchsorted(self.times, time + ROUNDING / self.fps, side="right")) - 1
        return min(max(index, 0), self.num_frames - 1)

    def frames(self, start: float, end: float) -> tuple[int, int]:
        """First frame, and the frame after the last, of a span in seconds: those whose centres lie in [start, end).

        At least one frame, so that a span shorter than a frame is the frame that it starts in or next to.
        """
        first, stop = self._first_centre_from(start), self._first_centre_from(end)
        first = min(max(first, 0), self.num_frames - 1)
        return first, min(max(stop, first + 1), self.num_frames)

    def _first_centre_from(self, time: float) -> int:
        """The first frame whose centre is at an instant or after it; it need not exist."""
        if self.times is None:
            return int(np.ceil(time * self.fps - 0.5 - ROUNDING))
        ends = np.append(self.times[1:], self.duration)
        return int(np.searchsorted((self.times + ends) / 2, time - ROUNDING / self.fps))
