"""Time stamps of frames: the rate that they mean, and whether they are even."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..arrays import Float64Array, IntArray
from ..errors import InputError
from .base import DECIDED

_EVEN = 0.05
"""Frames by which the stamps of an even rate may differ from it."""
_AGREEMENT = 0.02
"""Share by which a stated rate may differ from that of the times."""
_ROUNDING = 0.5
"""Frames by which printed times may be off where they have the stated rate."""
_MILLISECOND = 1e-3
"""Seconds by which steps between times that are printed as milliseconds may be off."""


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


class StatedClock(NamedTuple):
    """The rate of a file that states one and has a time a row."""

    times: Float64Array | None
    """(T,) seconds of uneven frames"""
    fps: float | None
    origin: str
    notes: tuple[str, ...] = ()


def stated_clock(path: Path, seconds: Float64Array, lines: IntArray, stated: float | None) -> StatedClock:
    """The rate that a file states where its times (T,), NaN or empty for none, agree with it; else that of the times.

    Printed times are rounded, so that frames count as even where each is within half a frame of the stated rate.
    Raises InputError, naming the line, for times that do not rise.
    """
    stated = stated if stated is not None and stated > 0 else None
    if len(seconds) < 2 or np.isnan(seconds).any():
        return StatedClock(None, stated, "rate of the file")
    is_late = np.diff(seconds) > 0
    if not is_late.all():
        row = int(np.argmin(is_late)) + 1
        found = f"the time is {seconds[row]:g} s, after {seconds[row - 1]:g} s"
        raise InputError(f"{path}:{lines[row]}: {found}; expected a later one")
    if stated is not None:
        off = np.abs(seconds - seconds[0] - np.arange(len(seconds)) / stated).max()
        if off < _ROUNDING / stated:
            return StatedClock(None, stated, "rate of the file")
    times, rate = clock(seconds)
    if (
        stated is not None
        and times is not None
        and abs(1 / stated - 1 / rate) <= max(_AGREEMENT / stated, _MILLISECOND)
    ):
        return StatedClock(times, stated, "rate of the file")
    if stated is not None and abs(stated / rate - 1) <= _AGREEMENT:
        return StatedClock(times, rate, f"times of the rows, though the header says {stated:g}")
    notes: tuple[str, ...] = ()
    if stated is not None:
        why = f"they are {1 / rate:.4g} s apart, though the header says {stated:g}"
        notes = (f"{DECIDED}{rate:g} frames a second by the times of the rows ({why})",)
    return StatedClock(times, rate, "times of the rows", notes)
