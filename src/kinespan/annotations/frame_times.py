"""Times of rows on the frames of their recordings, for formats that count frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..data.clock import Clock
from .label_file import LabelRow
from .tiers import rows_of

_ROUNDING = 1e-6
"""Seconds that make no difference."""


def rounded_lines(rows: Iterable[LabelRow], clocks: Mapping[str, Clock]) -> list[str]:
    """A line on the rows whose times are not bounds of frames of their recordings, where there are some."""
    count = sum(_is_rounded(row, clocks[row.recording]) for row in rows if row.recording in clocks)
    return [f"rounded to frames: the times of {rows_of(count)}"] if count else []


def _is_rounded(row: LabelRow, clock: Clock) -> bool:
    """Whether a start or an end lies inside a frame."""
    first, stop = (clock.frame(row.start), None) if row.end is None else clock.frames(row.start, row.end)
    if clock.times is not None:
        bounds = [*map(float, clock.times), clock.duration]
        times = [bounds[first], *([] if stop is None else [bounds[stop]])]
    else:
        times = [first / clock.fps, *([] if stop is None else [stop / clock.fps])]
    return any(
        abs(time - written) > _ROUNDING
        for time, written in zip((row.start, row.end), times, strict=False)
        if time is not None
    )
