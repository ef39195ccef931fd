"""Slices in seconds, of recordings and annotations alike."""

from __future__ import annotations

import math

from ..errors import InputError


def seconds_of(seconds: object, owner: str) -> tuple[float, float]:
    """Start and end in seconds of a slice; infinity where it has no end.

    owner: what is sliced, which errors name. Raises InputError for anything but a slice in seconds that are not
    negative, and for a step.
    """
    if not isinstance(seconds, slice):
        raise InputError(f"{owner}: found [{seconds!r}], expected a slice in seconds, such as [2.0:5.5]")
    if seconds.step is not None:
        raise InputError(f"{owner}: a slice in seconds has no step, found {seconds.step!r}")
    start = 0.0 if seconds.start is None else float(seconds.start)
    end = math.inf if seconds.stop is None else float(seconds.stop)
    if not (start >= 0 and end >= 0):
        raise InputError(
            f"{owner}: the slice is from {start:g} to {end:g} s; seconds count from its start, so they are not negative"
        )
    return start, end
