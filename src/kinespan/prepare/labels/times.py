"""Times of a label file on the clock of the motion: unit, offset, and the bounds of each recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median

from ...annotations.label_file import UNITS, LabelRow, Unit
from ...corpus.info import RecordingInfo
from ...data.annotation import Annotation
from ...errors import InputError
from .names import plural

_SLIP_SHARE = 0.1
"""Where less of the rows lie outside their recordings, these rows are wrong; else the unit is."""
_EXCESS_SECONDS, _EXCESS_SHARE = 1.0, 0.05
"""A label may lie outside of its recording by so many seconds or by such a share of it, where all else is right."""
_ROUNDING = 1e-6
"""Seconds that make no difference."""
_MIN_WHOLE_ROWS = 4
"""The fewest rows of whole numbers that are worth a word."""


def in_seconds(
    rows: Sequence[LabelRow], infos: Mapping[str, RecordingInfo], unit: Unit | None, offset: float
) -> list[LabelRow]:
    """Rows in seconds from the start of their recordings: in the unit of the row, else in `unit`, else in seconds.

    A row's own offset goes before `offset`. Frames count from 0, and the end is the first frame that is not in it.
    """
    result = []
    for row in rows:
        seconds = UNITS[row.unit or unit or "seconds"](infos[row.recording].fps)
        shift = row.offset if row.offset is not None else offset
        end = None if row.end is None else row.end * seconds + shift
        result.append(replace(row, start=row.start * seconds + shift, end=end, unit="seconds", offset=None))
    return result


def check_inside(
    rows: Sequence[LabelRow],
    written: Sequence[LabelRow],
    infos: Mapping[str, RecordingInfo],
    file: Path,
    unit: Unit | None,
    offset: float,
) -> None:
    """Check that no row lies outside its recording; `written` are the rows as they stand in the file.

    Raises InputError that names the first such row, and the unit in which all rows would fit.
    """
    outside = [index for index, row in enumerate(rows) if _is_outside(row, infos[row.recording].duration)]
    if not outside:
        return
    row, info = rows[outside[0]], infos[rows[outside[0]].recording]
    times = f"{row.start:g} s" if row.end is None else f"{row.start:g} to {row.end:g} s"
    what = repr(row.label) if row.label else "covered"
    facts = f"{row.where}: {what} {times}, but {info.name!r} lasts {info.duration:.3f} s"
    begin = f"{file}: {len(outside)} of {plural(len(rows), 'row')} outside of the recordings ({facts})"
    if len(outside) < _SLIP_SHARE * len(rows):
        raise InputError(f"{begin}; correct or remove {'it' if len(outside) == 1 else 'them'}, or shift by --offset")
    fits = _fitting_units(written, infos, offset) if any(row.unit is None for row in written) else []
    if not fits:
        raise InputError(
            f"{begin}; in no unit (seconds, frames, milliseconds, minutes) do all rows fit; check that the labels "
            "are of these recordings, shift them by --offset SECONDS, or pair the names by --match FILE"
        )
    rates = sorted({infos[row.recording].fps for row in rows})
    rate = f" ({rates[0]:g} a second)" if fits[0] == "frames" and len(rates) == 1 else ""
    others = f"; as {' and as '.join(fits[1:])} too" if fits[1:] else ""
    raise InputError(
        f"{begin}, so times are not in {unit or 'seconds'}: "
        f"as {fits[0]}{rate} all rows fit, give --time {fits[0]}{others}"
    )


def _is_outside(row: LabelRow, duration: float) -> bool:
    """Whether a row lies so far outside that its unit, its clock or its recording is wrong."""
    margin = _margin(duration)
    start, end = (row.start, row.start) if row.end is None else sorted((row.start, row.end))
    return start > duration + margin or end < -margin


def _margin(duration: float) -> float:
    return max(_EXCESS_SECONDS, _EXCESS_SHARE * duration)


def _fitting_units(rows: Sequence[LabelRow], infos: Mapping[str, RecordingInfo], offset: float) -> list[Unit]:
    """The units in which no row sticks out of its recording but for a little, the one that fills them most first.

    A unit in which most labels are shorter than a frame is none.
    """
    fills: dict[Unit, float] = {}
    for unit in UNITS:
        ends: list[float] = []
        frames: list[float] = []
        for row in in_seconds([replace(row, unit=unit) for row in rows], infos, unit, offset):
            info, end = infos[row.recording], row.start if row.end is None else row.end
            if max(-row.start, end - info.duration) > _margin(info.duration):
                break
            ends.append(end / info.duration)
            if not row.is_instant:
                frames.append((end - row.start) * info.fps)
        else:
            if median(frames or [1.0]) >= 1.0 - _ROUNDING:
                fills[unit] = max(ends)
    return sorted(fills, key=lambda unit: -fills[unit])


def cut_to_recordings(
    rows: Sequence[LabelRow], infos: Mapping[str, RecordingInfo], decisions: list[str]
) -> list[LabelRow]:
    """Rows cut to their recordings, those left out that lie outside; decisions name the first of each."""
    result: list[LabelRow] = []
    cut: list[LabelRow] = []
    outside: list[LabelRow] = []
    for row in rows:
        duration = infos[row.recording].duration
        if row.end is None:
            is_inside = -_ROUNDING <= row.start <= duration + _ROUNDING
        else:
            is_inside = row.start < duration and row.end > 0
        if not is_inside:
            outside.append(row)
            continue
        start, end = min(max(row.start, 0.0), duration), None if row.end is None else min(row.end, duration)
        if (start, end) == (row.start, row.end):
            result.append(row)
            continue
        result.append(replace(row, start=start, end=end))
        if row.end is not None:
            cut.append(row)
    for members, what in ((cut, "cut to the recording"), (outside, "just outside of the recording, left out")):
        if members:
            first = members[0]
            lasts = f"{first.recording!r} lasts {infos[first.recording].duration:.2f} s"
            decisions.append(f"{what}: {plural(len(members), 'label')} ({first}; {lasts})")
    return result


def doubtful_units(
    rows: Sequence[LabelRow], written: Sequence[LabelRow], infos: Mapping[str, RecordingInfo], unit: Unit | None
) -> list[str]:
    """Decisions on times that were taken for seconds and might be in another unit."""
    unsaid = [index for index, row in enumerate(written) if row.unit is None]
    if unit is not None or len(unsaid) < _MIN_WHOLE_ROWS:
        return []
    times = [time for index in unsaid for time in (written[index].start, written[index].end) if time is not None]
    ends: dict[str, float] = {}
    for row in rows:
        ends[row.recording] = max(ends.get(row.recording, 0.0), row.end or row.start)
    if all(60 * end <= infos[name].duration for name, end in ends.items()):
        return [
            "warning: all labels lie in the first 1/60 of their recordings; if times are minutes, give --time minutes"
        ]
    if all(time == int(time) for time in times):
        return ["warning: all times are whole numbers, taken for seconds; if they are frames, give --time frames"]
    return []


def fit(annotation: Annotation, duration: float) -> tuple[Annotation, int]:
    """The annotation of a motion file cut to its recording of `duration` seconds, and how many spans were cut.

    Raises InputError for a span or event that lies outside altogether.
    """
    spans, cut = [], 0
    for span in annotation.spans:
        if span.start >= duration or span.end <= 0:
            raise InputError(
                f"span {span.label!r} [{span.start:g}, {span.end:g}) s lies outside the recording of {duration:.3f} s; "
                "give times in seconds (not frames) and check the fps"
            )
        start, end = max(span.start, 0.0), min(span.end, duration)
        cut += (start, end) != (span.start, span.end)
        spans.append(replace(span, start=start, end=end))
    for event in annotation.events:
        if not 0 <= event.time <= duration:
            raise InputError(
                f"event {event.label!r} at {event.time:g} s lies outside the recording of {duration:.3f} s; "
                "give times in seconds (not frames) and check the fps"
            )
    covered = annotation.covered
    if covered is not None:
        inside = ((max(start, 0.0), min(end, duration)) for start, end in covered)
        covered = tuple((start, end) for start, end in inside if start < end)
    return Annotation(tuple(spans), annotation.labels, covered, annotation.events), cut
