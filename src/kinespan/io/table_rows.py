"""Which frame and which person each row of a motion table belongs to, and when the frames are.

A row may be a frame, a body or a point: rows of one frame have one frame number, or times that differ by little.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..arrays import Float64Array, IntArray
from ..errors import InputError
from .base import CHECK, DECIDED
from .clock import clock

_UNITS = ((1.0, "seconds"), (1e-3, "milliseconds"), (1e-6, "microseconds"), (1e-7, "100 ns"), (1e-9, "nanoseconds"))
_RATES = 5.0, 400.0
"""Frames a second that a recording may have, where the unit of its times is not stated."""
_USUAL_RATE = 45.0
"""Of two units that are both possible, the one with the rate nearer to this, by ratio."""
_SAME_FRAME = 0.25
"""Share of a frame by which the times of two bodies in it may differ."""
_MAX_GAPS = 4
"""Times as many frames as are there may be put into gaps of frame numbers."""


@dataclass(frozen=True, eq=False)
class Rows:
    """The frame of each row, and the clock of the frames."""

    frames: IntArray
    """(N,) from 0"""
    num_frames: int
    times: Float64Array | None = None
    """(T,) seconds from the first frame, where uneven"""
    fps: float | None = None
    fps_from: str = "no times in the file"
    notes: tuple[str, ...] = ()


def seconds(
    stamps: Float64Array, unit: float | None, where: Callable[[int], str], given_fps: float | None
) -> tuple[Float64Array | None, tuple[str, ...]]:
    """Seconds (N,) from the first time stamp, and notes; None where there are none, or a given rate stands for them.

    unit: seconds of a unit of the stamps; None where it is not stated: then the rate must be a likely one. Raises
    InputError, naming the row, for a missing stamp among others, and for stamps that can be of no unit.
    """
    missing = np.isnan(stamps)
    if missing.all():
        return None, ()
    if missing.any():
        raise InputError(f"{where(int(np.argmax(missing)))}: the time is missing, though other rows have one")
    values = stamps - stamps[0]
    if unit is not None:
        return values * unit, ()
    steps = np.diff(np.unique(values))
    if not len(steps):
        return None, ()
    step = float(np.median(steps[steps > _SAME_FRAME * np.quantile(steps, 0.9)]))
    fitting = [(scale, name) for scale, name in _UNITS if _RATES[0] <= 1 / (step * scale) <= _RATES[1]]
    if fitting:
        scale, name = min(fitting, key=lambda choice: abs(np.log(_USUAL_RATE * step * choice[0])))
        note = () if scale == 1.0 else (f"{DECIDED}the times are in {name}, by their steps of {step:g}",)
        return values * scale, note
    if given_fps is not None:
        return None, (f"{CHECK}the times rise by {step:g} a frame, in no known unit; --fps holds",)
    raise InputError(
        f"{where(0)}: the times rise by {step:g} a frame, in no known unit; name the column time_s, time_ms, time_us "
        "or time_ns, or give --fps"
    )


def rows_of_frames(frames: IntArray, times: Float64Array | None) -> Rows:
    """Rows by their frame numbers (N,); gaps between the numbers are frames in which nobody is seen."""
    numbers, index = np.unique(frames, return_inverse=True)
    if times is not None:
        starts = np.full(len(numbers), np.inf)
        np.minimum.at(starts, index, times)
        if np.all(np.diff(starts) > 0) and len(starts) > 1:
            uneven, mean = clock(starts)
            return Rows(index, len(numbers), uneven, mean, _origin("times of the file", starts, uneven))
    gaps = np.diff(numbers)
    step = int(gaps.min()) if len(gaps) else 1
    count = int((numbers[-1] - numbers[0]) // step) + 1
    notes: tuple[str, ...] = ()
    if len(gaps) and gaps.max() > step:
        if count > _MAX_GAPS * len(numbers) + 100 or (gaps % step).any():
            notes = (f"{CHECK}frame numbers jump by up to {gaps.max()}; the frames are taken one after the other",)
            return Rows(index, len(numbers), notes=notes)
        notes = (f"{DECIDED}frame numbers without a row are frames in which nobody is seen ({count - len(numbers)})",)
    rate: float | None = None
    origin = "no times in the file"
    if times is not None and count > 1 and np.ptp(times) > 0:  # stamps too coarse to tell frames apart
        rate, origin = round((count - 1) / float(np.ptp(times)), 3), "mean of coarse times"
    return Rows((frames - numbers[0]) // step, count, None, rate, origin, notes)


def rows_of_times(times: Float64Array, people: IntArray | None, where: Callable[[int], str]) -> Rows:
    """Rows by their times (N,) alone: of one frame, where they are less than a quarter of a frame apart.

    people: (N,) whose row it is, where known; nobody is twice in a frame. Raises InputError where times fall.
    """
    fall = np.diff(times) < 0
    if fall.any():
        raise InputError(f"{where(int(np.argmax(fall)) + 1)}: the time falls, expected times that rise from row to row")
    limit = _SAME_FRAME * _typical_step(times, people)
    new = np.concatenate([[True], np.diff(times) > limit])
    if people is not None:
        inside: set[int] = set()
        for row, person in enumerate(people.tolist()):
            if new[row] or person in inside:
                new[row] = True
                inside = set()
            inside.add(person)
    frames = np.cumsum(new) - 1
    starts = times[new]
    if len(starts) > 1 and np.any(np.diff(starts) <= 0):
        row = int(np.flatnonzero(new)[1:][np.diff(starts) <= 0][0])
        raise InputError(f"{where(row)}: the time does not rise, expected another one for each frame")
    if len(starts) < 2:
        return Rows(frames, len(starts))
    uneven, rate = clock(starts)
    return Rows(frames, len(starts), uneven, rate, _origin("times of the file", starts, uneven))


def _typical_step(times: Float64Array, people: IntArray | None) -> float:
    """Seconds between two frames, as a rule."""
    if people is not None:
        steps = [np.diff(times[people == person]) for person in np.unique(people)]
        medians = [float(np.median(of_person)) for of_person in steps if len(of_person)]
        return float(np.median(medians)) if medians else 0.0
    steps_of_all = np.diff(times)
    return float(np.quantile(steps_of_all, 0.9)) if len(steps_of_all) else 0.0


def _origin(name: str, starts: Float64Array, uneven: Float64Array | None) -> str:
    """Where the rate comes from."""
    if uneven is None:
        return name
    steps = 1000 * np.diff(starts)
    return f"{name}, {steps.min():.0f} to {steps.max():.0f} ms apart"


def followed(frames: IntArray, places: Float64Array) -> IntArray:
    """The person (N,) of each row, a body at places (N, 3): the nearest of those seen before who is not taken.

    Rows are in the order of their frames. Whoever comes in while all others are there is somebody new.
    """
    people = np.zeros(len(frames), dtype=np.int64)
    last: list[Float64Array] = []
    bounds = np.flatnonzero(np.concatenate([[True], np.diff(frames) > 0, [True]]))
    for start, stop in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        free = list(range(len(last)))
        open_rows = list(range(start, stop))
        while open_rows and free:
            distances = [[_distance(places[row], last[person]) for person in free] for row in open_rows]
            nearest, person = divmod(int(np.argmin(distances)), len(free))
            people[open_rows[nearest]] = free[person]
            last[free.pop(person)] = places[open_rows.pop(nearest)]
        for row in open_rows:
            people[row] = len(last)
            last.append(places[row])
    return people


def _distance(first: Float64Array, second: Float64Array) -> float:
    distance = float(np.sum((first - second) ** 2))
    return distance if np.isfinite(distance) else 1e300
