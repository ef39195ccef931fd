"""Time stamps of frames: the rate that they mean, and whether they are even."""

from __future__ import annotations

import numpy as np

from ..arrays import Float64Array

_EVEN = 0.05
"""Frames by which the stamps of an even rate may differ from it."""


def clock(seconds: Float64Array) -> tuple[Float64Array | None, float]:
    """Seconds (T,) from the first of two or more rising stamps, None where they are even; and frames a second.

    The rate of even stamps is their mean rate, that of uneven ones the median.
    """
    times = np.asarray(seconds - seconds[0], dtype=np.float64)
    mean = float(times[-1]) / (len(times) - 1)
    if np.abs(times - mean * np.arange(len(times))).max() < _EVEN * mean:
        return None, _near_whole(1 / mean)
    return times, _near_whole(1 / float(np.median(np.diff(times))))


def _near_whole(rate: float) -> float:
    """The whole rate where this one is it but for rounding."""
    return float(round(rate)) if abs(rate - round(rate)) < 1e-3 * rate else rate
