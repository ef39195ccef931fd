"""The history of an annotation set: watching that goes on, and steps back and forth by anybody's own changes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from typing import Literal

from ..data.annotation import Interval
from ..errors import InputError
from .covered_time import marked, within
from .info import RecordingInfo
from .set_content import ConflictError, Delta, apply, covered_text_of, labels_of_text, rows_of
from .set_edits import ChangedMeanwhileError
from .set_rows import Change, check_exclusive, log_change

Step = Literal["undo", "redo"]


class NothingToStepError(InputError):
    """There is no change to undo, or to redo."""


def next_step(
    connection: sqlite3.Connection, in_set: int, kind: Step, author: str | None, recording: str | None
) -> int | None:
    """The number of the change that would be undone or redone, of an author and a recording where given."""
    where = "in_set = ? AND kind = 'edit'"
    values: list[int | str] = [in_set]
    for column, value in (("author", author), ("recording", recording)):
        if value is not None:
            where, values = f"{where} AND {column} = ?", [*values, value]
    order = "undone_by IS NULL ORDER BY number DESC"
    if kind == "redo":
        last = f"SELECT number FROM changes WHERE {where} ORDER BY number DESC LIMIT 1"
        order, values = f"undone_by > ({last}) ORDER BY undone_by DESC", values * 2
    row = connection.execute(f"SELECT number FROM changes WHERE {where} AND {order} LIMIT 1", values).fetchone()
    return None if row is None else int(row[0])


def step(
    connection: sqlite3.Connection, in_set: int, kind: Step, number: int, by: str, infos: Mapping[str, RecordingInfo]
) -> Change:
    """Take a change back, or make it again. Raises ChangedMeanwhileError where what it changed is different by now."""
    columns = "number, time, author, kind, recording, about, delta"
    row = connection.execute(f"SELECT {columns} FROM changes WHERE number = ?", (number,)).fetchone()
    delta = _with_present_labels(connection, in_set, number, Delta.from_text(row[6]))
    delta = delta.inverse if kind == "undo" else delta
    durations = {name: infos[name].duration for name in delta.recordings if name in infos}
    try:
        apply(connection, in_set, delta, durations)
        _check_exclusive(connection, in_set, delta, infos)
    except (ConflictError, sqlite3.IntegrityError) as error:
        action = "taken back" if kind == "undo" else "made again"
        raise ChangedMeanwhileError(
            f"change {row[0]} ({row[5]}, by {row[2]}) cannot be {action}, as it was changed again since"
            f"{f' ({error})' if isinstance(error, ConflictError) and str(error) else ''}; undo that first"
        ) from None
    number_of_step = log_change(connection, in_set, by, kind, row[4], f"{kind} of change {row[0]}", None, row[0])
    undone_by = number_of_step if kind == "undo" else None
    connection.execute("UPDATE changes SET undone_by = ? WHERE number = ?", (undone_by, row[0]))
    return Change.of((*row[:6], kind == "undo"))


def _with_present_labels(connection: sqlite3.Connection, in_set: int, number: int, delta: Delta) -> Delta:
    """A change with the names that its labels have by now, after renaming and merging."""
    query = (
        "SELECT json_extract(delta, '$.renamed') FROM changes WHERE in_set = ? AND number > ? AND kind = 'edit' "
        "AND recording IS NULL AND undone_by IS NULL AND json_extract(delta, '$.renamed') IS NOT NULL ORDER BY number"
    )
    if delta.labels is None:
        for (text,) in connection.execute(query, (in_set, number)):
            delta = delta.with_label(*json.loads(text))
    return delta


def _check_exclusive(
    connection: sqlite3.Connection, in_set: int, delta: Delta, infos: Mapping[str, RecordingInfo]
) -> None:
    """Check the spans that a step brings back. Raises ConflictError."""
    (text,) = connection.execute("SELECT labels FROM sets WHERE number = ?", (in_set,)).fetchone()
    if not labels_of_text(text).exclusive:
        return
    everything = delta.labels is not None and not labels_of_text(delta.labels[0]).exclusive
    recordings = {row.recording for row in (rows_of(connection, in_set) if everything else delta.added)}
    for recording in recordings & set(infos):
        rows = rows_of(connection, in_set, recording)
        numbers = {row.number for row in (rows if everything else delta.added)}
        try:
            check_exclusive(infos[recording], rows, numbers)
        except InputError as error:
            raise ConflictError(str(error)) from None


def log_watching(
    connection: sqlite3.Connection, in_set: int, info: RecordingInfo, intervals: Iterable[Interval], author: str
) -> None:
    """Add what an author watched to the covered time of a recording; consecutive watching is one row of history."""
    before = covered_text_of(connection, in_set, info.name)
    after = marked(before, info.duration, within(info, intervals, "watched"), ())
    if after == before:
        return
    apply(connection, in_set, Delta(heads=((info.name, before, after),)))
    query = (
        "SELECT number, kind, author, delta FROM changes WHERE in_set = ? AND (recording = ? OR recording IS NULL) "
        "ORDER BY number DESC LIMIT 1"
    )
    last = connection.execute(query, (in_set, info.name)).fetchone()
    if last is not None and last[1:3] == ("watch", author):
        ((_, earlier, _),) = Delta.from_text(last[3]).heads
        before = earlier
        connection.execute("DELETE FROM changes WHERE number = ?", (last[0],))
    delta = Delta(heads=((info.name, before, after),))
    log_change(connection, in_set, author, "watch", info.name, "watched", delta)
