"""Changes of an annotation set as data: of the items and the watched time of a recording, and of the label set."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from ..data.annotation import Event, Interval, LabelSet, Span
from ..data.display import counted
from ..errors import InputError
from .covered_time import covered_text, marked, within
from .info import RecordingInfo
from .set_content import Delta, Row, annotation_of, colours_in, covered_text_of, labels_text, rows_of, write_colours
from .set_rows import check_exclusive, check_fits, next_number, row_from, words_of

Item = Span | Event


class ChangedMeanwhileError(InputError):
    """Somebody else changed what is to be changed; nothing was done."""


def edit_delta(
    connection: sqlite3.Connection,
    in_set: int,
    labels: LabelSet,
    info: RecordingInfo,
    *,
    delete: Iterable[tuple[int, Item]] = (),
    change: Iterable[tuple[int, Item, Item]] = (),
    add: Sequence[Item] = (),
    watched: Iterable[Interval] = (),
    unwatched: Iterable[Interval] = (),
) -> Delta:
    """A change of one recording; the items that it adds are the last of `added`, in order. Raises InputError."""
    rows = {row.number: row for row in rows_of(connection, in_set, info.name)}
    numbers: set[int] = set()
    removed: list[Row] = []
    changed: list[Row] = []
    given = [(number, item, None) for number, item in delete]
    for number, item, new in (*given, *change):
        row = _row_as_seen(rows, number, item, info.name)
        if number in numbers:
            raise InputError(f"recording {info.name!r}: item {number} is changed twice at once")
        numbers.add(number)
        removed.append(row)
        changed += [] if new is None else [row_from(number, info.name, new)]
    first = next_number(connection) if add else 0
    added = [*changed, *(row_from(first + offset, info.name, item) for offset, item in enumerate(add))]
    check_fits(info, annotation_of([row.item for row in added], labels, None))
    if labels.exclusive:
        gone = {row.number for row in removed}
        final = [*(row for row in rows.values() if row.number not in gone), *added]
        check_exclusive(info, final, {row.number for row in added})
    before = covered_text_of(connection, in_set, info.name)
    watched, unwatched = within(info, watched, "watched"), within(info, unwatched, "unwatched")
    after = marked(before, info.duration, watched, unwatched)
    if after is None and add:
        after = covered_text(())
    heads = () if after == before else ((info.name, before, after),)
    unchanged = set(removed) & set(changed)
    return Delta(
        tuple(row for row in removed if row not in unchanged),
        tuple(row for row in added if row not in unchanged),
        heads,
    )


def _row_as_seen(rows: Mapping[int, Row], number: int, item: Item, recording: str) -> Row:
    """The row of an item, which is as somebody saw it. Raises ChangedMeanwhileError."""
    if number not in rows:
        raise ChangedMeanwhileError(
            f"recording {recording!r}: {words_of(item)} was deleted meanwhile; nothing was changed, look at it again"
        )
    present = rows[number].item
    if replace(present, score=None) != replace(item, score=None):
        raise ChangedMeanwhileError(
            f"recording {recording!r}: {words_of(item)} was changed to {words_of(present)} meanwhile; nothing was "
            "changed, look at it again"
        )
    return rows[number]


# ---- label sets ------------------------------------------------------------------------------------------------


def labels_delta(
    connection: sqlite3.Connection, in_set: int, old: LabelSet, new: LabelSet, infos: Mapping[str, RecordingInfo]
) -> Delta:
    """Another label set. Raises InputError for a label in use that would be gone, and for items that no longer fit."""
    counts: dict[tuple[str, bool], int] = {}
    query = "SELECT label, stop IS NOT NULL, count(*) FROM items WHERE in_set = ? GROUP BY 1, 2"
    for label, is_span, count in connection.execute(query, (in_set,)):
        counts[label, bool(is_span)] = count
    for (label, is_span), count in counts.items():
        if label not in new.names:
            raise InputError(
                f"label {label!r} is still used by {counted(count, 'span' if is_span else 'event')}; delete or rename "
                "them, or merge the label with another one"
            )
        if is_span and label in new.events:
            raise InputError(
                f"label {label!r} cannot name an event, as there {_are(count)} {counted(count, 'span')} of it; delete "
                "or relabel them first"
            )
    if new.exclusive and not old.exclusive:
        by_recording: dict[str, list[Row]] = {}
        for row in rows_of(connection, in_set):
            by_recording.setdefault(row.recording, []).append(row)
        for recording, rows in by_recording.items():
            check_exclusive(infos[recording], rows, {row.number for row in rows})
    return Delta(labels=(labels_text(old), labels_text(new)))


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def renamed_delta(connection: sqlite3.Connection, in_set: int, labels: LabelSet, old: str, new: str) -> Delta:
    """Another name of a label, wherever it is used, with its colour. Raises InputError."""
    labels.index(old)
    names, events = (tuple(new if each == old else each for each in group) for group in (labels.names, labels.events))
    renamed = replace(labels, names=names, events=events)  # raises
    colours = colours_in(connection, in_set)
    if old in colours:  # the old name keeps its colour, should this be undone
        write_colours(connection, in_set, {**colours, new: colours[old]})
    else:
        colours.pop(new, None)
        write_colours(connection, in_set, colours)
    return _relabelled(connection, in_set, labels, renamed, old, new)


def merged_delta(connection: sqlite3.Connection, in_set: int, labels: LabelSet, old: str, into: str) -> Delta:
    """A label that becomes part of another one, and is gone. Raises InputError."""
    for name in (old, into):
        labels.index(name)
    if old == into:
        raise InputError(f"label {old!r} cannot be merged with itself; name another one")
    if (old in labels.events) != (into in labels.events):
        spans, event = (into, old) if old in labels.events else (old, into)
        raise InputError(f"label {spans!r} names spans and {event!r} an event; only labels of a kind can be merged")
    names, events = (tuple(name for name in group if name != old) for group in (labels.names, labels.events))
    return _relabelled(connection, in_set, labels, replace(labels, names=names, events=events), old, into)


def _relabelled(
    connection: sqlite3.Connection, in_set: int, labels: LabelSet, new_labels: LabelSet, old: str, new: str
) -> Delta:
    """The change that gives the items of a label another one."""
    removed = tuple(row for row in rows_of(connection, in_set) if row.label == old)
    added = tuple(row._replace(label=new) for row in removed)
    texts = labels_text(labels), labels_text(new_labels)
    return Delta(removed, added, labels=texts, renamed=(old, new))
