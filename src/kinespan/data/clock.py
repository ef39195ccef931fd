"""Clock: from seconds of a Recording to its frames, as its file numbers them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .recording import Recording


@dataclass(frozen=True)
class Clock:
    """The rate and the number of frames of a Recording: frame i covers the seconds [i / fps, (i + 1) / fps)."""

    fps: float
    """Frames a second."""
    num_frames: int

    @classmethod
    def of(cls, recording: Recording) -> Clock:
        """The clock of a Recording."""
        return cls(recording.fps, recording.num_frames)

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.num_frames / self.fps

    def frames(self, start: float, end: float) -> tuple[int, int]:
        """First frame, and the frame after the last, of a span in seconds: those whose centres lie in [start, end).

        At least one frame, so that a span shorter than a frame is the frame that it starts in or next to.
        """
        first, stop = np.ceil(np.round(np.array([start, end]) * self.fps - 0.5, 6)).astype(np.int64).tolist()
        first = min(max(first, 0), self.num_frames - 1)
        return first, min(max(stop, first + 1), self.num_frames)
