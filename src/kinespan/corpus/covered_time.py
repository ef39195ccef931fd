"""The time of a recording that was looked at, as the file of sets has it: text, unions, and changes that are merged."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable

from ..data.annotation import Interval
from ..errors import InputError
from .info import RecordingInfo

Covered = tuple[Interval, ...] | None
"""Start and end in seconds; None: the whole recording."""
_EVERYTHING: tuple[Interval, ...] = ((-math.inf, math.inf),)


def covered_text(covered: Covered) -> str:
    """Covered time as text; `covered_of_text` reads it back."""
    return json.dumps(covered, allow_nan=False)


def covered_of_text(text: str) -> Covered:
    """The covered time that `covered_text` wrote."""
    covered = json.loads(text)
    return None if covered is None else tuple((float(start), float(end)) for start, end in covered)


def covered_seconds(covered: Covered, duration: float) -> float:
    """Seconds that were looked at, of a recording of `duration` seconds; time that is given twice counts once."""
    return duration if covered is None else sum(end - start for start, end in union(covered))


def union(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The time that is in any of the intervals (start, end): in order, apart, none empty."""
    joined: list[Interval] = []
    for start, end in sorted(interval for interval in intervals if interval[0] < interval[1]):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return tuple(joined)


def difference(intervals: Iterable[Interval], holes: Iterable[Interval]) -> tuple[Interval, ...]:
    """The time that is in one of the intervals (start, end) and in none of the holes, as `union`."""
    rest: list[Interval] = []
    apart = union(holes)
    index = 0
    for start, end in union(intervals):
        while index < len(apart) and apart[index][0] < end:
            low, high = apart[index]
            if start < low:
                rest.append((start, low))
            start = max(start, high)
            if high > end:  # the hole may reach into the next interval
                break
            index += 1
        if start < end:
            rest.append((start, end))
    return tuple(rest)


def within(info: RecordingInfo, intervals: Iterable[Interval], field: str) -> tuple[Interval, ...]:
    """Intervals (start, end) as `union`, cut at the bounds of a recording.

    Raises InputError, naming the field, where one does not end after it starts, or lies a frame or more outside.
    """
    given = [(float(start), float(end)) for start, end in intervals]
    slack = 1 / info.fps
    for start, end in given:
        if not (math.isfinite(start) and math.isfinite(end) and start < end):
            raise InputError(f"{field}: [{start}, {end}) s is no time, start must be before end")
        if start < -slack or end > info.duration + slack:
            raise InputError(
                f"{field}: {start:g} to {end:g} s is outside of the {info.duration:g} s of recording {info.name!r}"
            )
    return union((max(start, 0.0), min(end, info.duration)) for start, end in given)


def marked(text: str | None, duration: float, watched: Iterable[Interval], unwatched: Iterable[Interval]) -> str | None:
    """Covered time as text after some was watched and some unmarked; None where the recording is not annotated still.

    Time that is in both is covered. A recording all of which was looked at stays so where nothing is unmarked.
    """
    watched, unwatched = tuple(watched), tuple(unwatched)
    if not watched and not unwatched:
        return text
    covered = () if text is None else covered_of_text(text)
    if covered is None:
        if not unwatched:
            return text
        covered = ((0.0, duration),)
    return covered_text(union((*difference(covered, unwatched), *watched)))


def merged(before: str | None, after: str | None, current: str | None, duration: float | None) -> str | None:
    """Covered time after a change of it from `before` to `after` is made to what it is by now; None: not annotated.

    What the change added is added to the current time, and what it removed is removed: no two changes conflict.
    duration: seconds of the recording; needed where part of one is removed all of which was looked at.
    """
    if current == before:
        return after
    old, new, present = (_intervals(text) for text in (before, after, current))
    time = union((*difference(present, difference(old, new)), *difference(new, old)))
    if not time:
        is_same = (before is None) == (after is None)
        return None if (current if is_same else after) is None else covered_text(())
    if time == _EVERYTHING:
        return covered_text(None)
    bounds = [(0.0 if start == -math.inf else start, duration if end == math.inf else end) for start, end in time]
    finite = [(start, end) for start, end in bounds if end is not None]
    if len(finite) < len(bounds):
        raise ValueError("the duration of the recording is needed")
    return covered_text(union(finite))


def _intervals(text: str | None) -> tuple[Interval, ...]:
    """Covered time for the algebra of intervals: nothing where a recording is not annotated."""
    covered = () if text is None else covered_of_text(text)
    return _EVERYTHING if covered is None else covered
