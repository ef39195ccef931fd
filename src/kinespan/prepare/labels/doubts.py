"""Rows that look like slips of the pen: labels far longer than their kind, rows out of order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from statistics import median

from ...annotations.label_file import LabelRow
from .names import plural

_LONG = 5.0
"""A label is far longer than its kind from this many times the median length of its kind on."""
_MIN_KIND = 4
"""The fewest rows of a label whose lengths say what is usual."""
_MIN_ORDERED = 8
"""The fewest rows whose order says that they are sorted."""
_RARE = 0.05
"""The largest share of rows that are slips; more are how the file is."""


def doubts(rows: Sequence[LabelRow]) -> list[str]:
    """Decisions on rows, in the order of the file, that look wrong; they are kept."""
    return [*_long_rows(rows), *_unsorted_rows(rows)]


def _long_rows(rows: Sequence[LabelRow]) -> list[str]:
    kinds: dict[str, list[tuple[float, LabelRow]]] = defaultdict(list)
    for row in rows:
        if row.end is not None:
            kinds[row.label].append((row.end - row.start, row))
    found = []
    for members in kinds.values():
        usual = median(length for length, _ in members)
        long = [(length, row, usual) for length, row in members if length > _LONG * usual]
        if len(members) >= _MIN_KIND and len(long) <= max(1, _RARE * len(members)):
            found += long
    if not found:
        return []
    length, row, usual = max(found, key=lambda item: item[0] / item[2])
    example = f"{row.where} in {row.recording!r}: {row.label!r} lasts {length:.1f} s, usually {usual:.1f} s"
    check = "check it" if len(found) == 1 else "check them"
    return [
        f"warning: far longer than others of their label: {plural(len(found), 'row')}, most of all {example}; {check}"
    ]


def _unsorted_rows(rows: Sequence[LabelRow]) -> list[str]:
    """A row that starts before the one above it, in a file whose others are in order of time."""
    if len(rows) < _MIN_ORDERED:
        return []
    groupings: tuple[Callable[[LabelRow], object], ...] = (
        lambda row: row.recording,
        lambda row: (row.recording, row.label, row.person),
    )
    for group in groupings:
        last: dict[object, LabelRow] = {}
        late: list[LabelRow] = []
        for row in rows:
            before = last.get(group(row))
            if before is not None and row.start < before.start:
                late.append(row)
            last[group(row)] = row
        if len(late) <= max(1, _RARE * len(rows)):
            if not late:
                return []
            return [
                f"warning: out of order, though all other rows are in order of time: {plural(len(late), 'row')}, first "
                f"{late[0]} in {late[0].recording!r}; check {'it' if len(late) == 1 else 'them'}"
            ]
    return []
