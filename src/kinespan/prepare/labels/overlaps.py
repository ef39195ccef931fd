"""Rows at the same time: doubled ones, slips under a frame, and whether labels exclude each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from ...annotations.label_file import LabelRow
from ...corpus.info import RecordingInfo
from .names import plural

_ROUNDING = 1e-6
"""Seconds that are no overlap."""
_SLIP_SECONDS = 0.02
"""An overlap that is cut may be as long as a frame; at high rates as long as this, as times are typed to 0.01 s."""


def drop_doubles(rows: Sequence[LabelRow], decisions: list[str]) -> list[LabelRow]:
    """The rows without those that say the same as an earlier one."""
    result: dict[tuple[object, ...], LabelRow] = {}
    doubles: list[LabelRow] = []
    for row in rows:
        end = None if row.end is None else round(row.end, 6)
        key = (row.recording, row.label, round(row.start, 6), end, row.person)
        if key in result:
            doubles.append(row)
        else:
            result[key] = row
    if doubles:
        decisions.append(f"double rows left out: {len(doubles)} ({doubles[0]})")
    return list(result.values())


def settle_overlaps(
    rows: Sequence[LabelRow], infos: Mapping[str, RecordingInfo], declared: bool | None, decisions: list[str]
) -> tuple[list[LabelRow], bool]:
    """Rows of spans in which nothing overlaps by mistake, and whether the labels exclude each other.

    Rows of a label that share time are joined and overlaps under a frame are cut, where no others are left; else
    the rows stay as they are and the labels do not exclude each other. What different people do is no overlap.
    `declared` is what the file says of exclusive labels.
    """
    if declared is False:
        decisions.append("labels may overlap, as the file says: each is trained on its own")
        return list(rows), False
    groups: dict[tuple[str, int | None], list[LabelRow]] = defaultdict(list)
    for row in rows:
        groups[row.recording, row.person].append(row)
    joined: list[tuple[LabelRow, LabelRow]] = []
    cut: list[tuple[LabelRow, LabelRow]] = []
    for (name, person), members in groups.items():
        members, pairs = _join_same_label(members)
        joined += pairs
        groups[name, person], pairs = _cut_slips(members, max(1.0 / infos[name].fps, _SLIP_SECONDS) + _ROUNDING)
        cut += pairs
    overlaps: list[tuple[LabelRow, LabelRow]] = []
    for (name, person), members in groups.items():
        anybodys = groups.get((name, None), []) if person is not None else []
        overlaps += _overlaps([*members, *anybodys])
    settled = [row for members in groups.values() for row in members]
    if overlaps:
        before, after = overlaps[0]
        facts = f"{plural(len(overlaps), 'overlap')}, first {before} and {after} in {before.recording!r}"
        if declared:
            decisions.append(f"labels exclude each other, as the file says, though rows overlap: {facts}")
        else:
            decisions.append(
                f"labels overlap, so each is trained on its own: {facts}; "
                "where one action happens at a time, correct the rows"
            )
        return list(rows), bool(declared)
    if joined:
        first, second = joined[0]
        decisions.append(f"rows of one label that share time joined: {len(joined)} ({first} and {second})")
    if cut:
        first, second = cut[0]
        decisions.append(f"overlaps under a frame cut: {len(cut)} ({first} and {second})")
    if len({row.label for row in settled}) > 1:
        decisions.append("labels exclude each other: one action at a time")
    return settled, True


def _join_same_label(rows: Sequence[LabelRow]) -> tuple[list[LabelRow], list[tuple[LabelRow, LabelRow]]]:
    """The rows of a person, those of one label that share time joined to one; and the pairs."""
    pairs: list[tuple[LabelRow, LabelRow]] = []
    result: list[LabelRow] = []
    last: dict[str, int] = {}
    for row in sorted(rows, key=_times):
        index = last.get(row.label)
        if index is not None and row.start < _end(result[index]) - _ROUNDING:
            pairs.append((result[index], row))
            result[index] = replace(result[index], end=max(_end(result[index]), _end(row)))
        else:
            last[row.label] = len(result)
            result.append(row)
    return result, pairs


def _cut_slips(rows: Sequence[LabelRow], frame: float) -> tuple[list[LabelRow], list[tuple[LabelRow, LabelRow]]]:
    """The rows of a person without overlaps of up to `frame` seconds, and the pairs that had one.

    The earlier row ends where the later one starts; a row that is no longer than a frame and lies within another goes.
    """
    pairs: list[tuple[LabelRow, LabelRow]] = []
    result: list[LabelRow] = []
    for row in sorted(rows, key=_times):
        current: LabelRow | None = row
        while result and current is not None:
            last = result[-1]
            shared = min(_end(last), _end(current)) - current.start
            if not _ROUNDING < shared <= frame:
                break
            pairs.append((last, row))
            if _end(current) <= _end(last):
                current = None
            elif last.start < current.start:
                result[-1] = replace(last, end=current.start)
            else:
                result.pop()
        if current is not None:
            result.append(current)
    return result, pairs


def _overlaps(rows: Sequence[LabelRow]) -> list[tuple[LabelRow, LabelRow]]:
    """Each row that shares time with an earlier one, after the longest lasting such one."""
    pairs: list[tuple[LabelRow, LabelRow]] = []
    longest: LabelRow | None = None
    for row in sorted(rows, key=_times):
        if longest is not None and row.start < _end(longest) - _ROUNDING:
            pairs.append((longest, row))
        if longest is None or _end(row) > _end(longest):
            longest = row
    return pairs


def _times(row: LabelRow) -> tuple[float, float]:
    return row.start, _end(row)


def _end(row: LabelRow) -> float:
    return row.start if row.end is None else row.end
