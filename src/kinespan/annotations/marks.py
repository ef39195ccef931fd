"""Spans of rows that say where a state starts and where it stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .label_file import LabelRow


def spans_of_marks(rows: Sequence[LabelRow], marks: Sequence[str], notes: list[str]) -> list[LabelRow]:
    """Rows of a start and a stop made one span each, in order of start; rows of a point stay instants.

    marks: ``start``, ``stop`` or ``point`` of each row. A stop belongs to the start before it of the same recording,
    tier, person, label and modifier. Those without a partner are left out and counted in `notes`.
    """
    order = sorted(range(len(rows)), key=lambda index: (rows[index].start, marks[index] == "start"))
    running: dict[object, LabelRow] = {}
    result: list[LabelRow] = []
    unpaired: list[LabelRow] = []
    for index in order:
        row, mark = rows[index], marks[index]
        key = (row.recording, row.tier, row.person, row.label.strip(), row.modifier)
        if mark == "point":
            result.append(replace(row, end=None))
        elif mark == "start":
            if key in running:
                unpaired.append(running[key])
            running[key] = row
        elif key in running:
            begin = running.pop(key)
            result.append(replace(begin, end=row.start, where=f"{begin.where} to {row.where.removeprefix('line ')}"))
        else:
            unpaired.append(row)
    unpaired += running.values()
    if unpaired:
        first = min(unpaired, key=lambda row: row.start)
        notes.append(f"left out: {len(unpaired)} starts and stops of states without their partner, first {first}")
    return sorted(result, key=lambda row: row.start)
