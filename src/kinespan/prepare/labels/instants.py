"""Rows without a length: instants of an event, points of an action, and mistakes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from ...annotations.label_file import LabelFile, LabelRow, event_labels
from ...errors import InputError, unknown
from .names import label_key, plural


def split_instants(
    file: LabelFile, rows: Sequence[LabelRow], points: Sequence[str], decisions: list[str]
) -> tuple[list[LabelRow], frozenset[str], list[LabelRow]]:
    """The rows, instants without an end; the labels that name events; and the rows that end before they start.

    A label names an event where the file says so, else where none of its rows has a length and it is not one of
    `points`. Other rows without an end are points of an action. Of action labels a row whose end is its start is
    left out. Raises InputError for `points` that no row has.
    """
    labels = {label_key(label): label for label in {row.label for row in rows}}
    for point in points:
        if label_key(point) not in labels:
            raise InputError(f"--points: {unknown('label', point, sorted(labels.values()))}")
    point_labels = {labels[label_key(point)] for point in points}
    events = event_labels(rows, file.events, tuple(point_labels))
    result: list[LabelRow] = []
    empty: list[LabelRow] = []
    reversed_: list[LabelRow] = []
    for row in rows:
        is_point = row.label in events or row.label in point_labels
        if row.end is None or (row.is_instant and is_point):
            result.append(replace(row, end=None))
        elif row.end < row.start:
            reversed_.append(row)
        elif row.end == row.start:
            empty.append(row)
        else:
            result.append(row)
    _tell(result, events, empty, reversed_, file, decisions)
    return result, events, reversed_


def _tell(
    rows: Sequence[LabelRow],
    events: Collection[str],
    empty: Sequence[LabelRow],
    reversed_: Sequence[LabelRow],
    file: LabelFile,
    decisions: list[str],
) -> None:
    instants = Counter(row.label for row in rows if row.end is None)
    said = "" if file.events is None else ", as the file says"
    named = [f"{label!r} ({plural(instants[label], 'row')})" for label in instants if label in events]
    if named:
        decisions.append(
            f"events, labels of an instant{said or ', as none of their rows has a length'}: {', '.join(named)}"
        )
    named = [f"{label!r} ({plural(instants[label], 'row')})" for label in instants if label not in events]
    if named:
        decisions.append(f"points inside actions whose bounds are not given: {', '.join(named)}")
    with_length = [row for row in rows if row.label in events and row.end is not None]
    if with_length:
        decisions.append(f"events with a length, of which only the start counts: {len(with_length)} ({with_length[0]})")
    if empty:
        decisions.append(f"rows without length left out: {len(empty)} ({empty[0]})")
    if reversed_:
        decisions.append(
            f"rows that end before they start left out: {len(reversed_)} ({reversed_[0]}); the time between is ignored"
        )
