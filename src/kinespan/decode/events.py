"""Frame scores to events: the instants at which a score peaks.

Training aims at a bell around each event (`bell`), and decoding looks for bells: the scores of a label are correlated
with the bell, and an event is where the result is highest within the tolerance to either side.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from ..arrays import AnyArray, Float32Array, Float64Array, IntArray
from ..data.annotation import Event, LabelSet
from .frames import check_scores

BELL_WIDTH = 0.5
"""Standard deviation of the bell as a share of the tolerance."""
MIN_BELL_FRAMES = 0.75
"""Standard deviation of the bell in frames, at least, so that some frame is always near its top."""
BELL_REACH = 3.0
"""The bell is zero beyond this many standard deviations."""
MIN_EVENT_SCORE = 0.05
"""Candidates for average precision score this much; the answer, `DecodeConfig.event_threshold`."""


def bell_width(fps: float, tolerance: float) -> float:
    """Standard deviation in seconds of the bell around an event that may be off by `tolerance` seconds."""
    return max(BELL_WIDTH * tolerance, MIN_BELL_FRAMES / fps)


def bell(seconds: Float64Array, fps: float, tolerance: float) -> Float32Array:
    """exp(-t^2 / (2 w^2)) at `seconds` t from an event, w being `bell_width`; zero beyond `BELL_REACH` w."""
    distance = seconds / bell_width(fps, tolerance)
    return np.where(np.abs(distance) <= BELL_REACH, np.exp(-0.5 * distance**2), 0).astype(np.float32)


class Peak(NamedTuple):
    """Where the scores of a label look like an event."""

    frame: int
    """The frame that it is in or next to."""
    time: float
    """Seconds from the start of the first frame."""
    score: float
    """0 to 1."""


def decode_events(scores: AnyArray, fps: float, labels: LabelSet, min_score: float = MIN_EVENT_SCORE) -> list[Event]:
    """Scored events of frame scores (T, C + 1), in order of time: the peaks of each label of events.

    Those that score less than `min_score` are left out. Raises InputError as `decode` does.
    """
    values = check_scores(scores, fps, labels)
    events = [
        Event(peak.time, labels.names[column - 1], peak.score)
        for column in labels.event_columns
        for peak in event_peaks(values[:, column], fps, labels.tolerance)
        if peak.score >= min_score
    ]
    return sorted(events, key=lambda event: (event.time, event.label))


def event_peaks(column: Float32Array, fps: float, tolerance: float) -> list[Peak]:
    """The peaks of a label's scores (T,), in order of time.

    The response at a frame is the sum of the scores around it, weighted by the bell, over that of the bell itself: 1
    where the scores are the bell that training aims at. A peak is where it is the highest within the tolerance to
    either side (the earlier of equals). Its time and its score, at most 1, are those of the parabola through the
    response and its two neighbours.
    """
    if not len(column):
        return []
    response, events = np.round(responses(column, fps, tolerance), 6), []  # so that rounding errors settle no tie
    for frame in peaks(response, peak_reach_frames(fps, tolerance)).tolist():
        offset, height = _vertex(response[max(0, frame - 1) : frame + 2], float(response[frame]))
        events.append(Peak(frame, (frame + 0.5 + offset) / fps, min(1.0, height)))
    return events


def peak_reach_frames(fps: float, tolerance: float) -> int:
    """Frames to either side of an event within which there is no other of its label."""
    return max(1, math.floor(tolerance * fps + 1e-6))


def bell_reach_frames(fps: float, tolerance: float) -> int:
    """Frames to either side of an event that its bell reaches."""
    return math.floor(BELL_REACH * bell_width(fps, tolerance) * fps + 1e-6)


def responses(column: Float32Array, fps: float, tolerance: float) -> Float64Array:
    """The responses (T,) of a label's scores (T,): 1 where they are the bell of an event, also next to the ends."""
    reach = bell_reach_frames(fps, tolerance)
    shape = bell(np.arange(-reach, reach + 1) / fps, fps, tolerance).astype(np.float64)  # (2 reach + 1,)
    padded = np.pad(column.astype(np.float64), reach)
    inside = np.pad(np.ones(len(column)), reach)
    return np.convolve(padded, shape, "valid") / np.convolve(inside, shape**2, "valid")


def peaks(response: Float64Array, reach: int) -> IntArray:
    """The frames (N,) whose response (T,) is above zero and the highest of all up to `reach` frames away.

    Of equal ones the first counts.
    """
    padded = np.pad(response, reach, constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)  # (T, 2 reach + 1)
    is_peak = (windows.argmax(axis=1) == reach) & (response > 0)  # argmax is the first of equals
    return np.flatnonzero(is_peak)


def _vertex(neighbours: Float64Array, height: float) -> tuple[float, float]:
    """Where the parabola through three values peaks, in frames from the middle one, and how high.

    Where there are fewer, at an end of the recording: in the middle of the frame, at `height`.
    """
    if len(neighbours) < 3:
        return 0.0, height
    before, middle, after = neighbours.tolist()
    curvature = before - 2 * middle + after
    if curvature >= 0:
        return 0.0, height
    offset = 0.5 * (before - after) / curvature
    return offset, middle - 0.25 * (before - after) * offset
