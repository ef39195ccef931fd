"""What a file of annotation sets holds: items, heads and label sets of sets, and changes as data."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..data.annotation import Annotation, Event, Interval, LabelSet, Span
from ..errors import InputError
from .index import decode_labels, encode_labels


class Row(NamedTuple):
    """A span, an event or a point label as the file has it."""

    number: int
    recording: str
    start: float
    stop: float | None
    """None of an event and of a point label."""
    label: str
    score: float | None
    person: int | None

    @property
    def item(self) -> Span | Event:
        """It as a Span or an Event."""
        if self.stop is None:
            return Event(self.start, self.label, self.score, self.person)
        return Span(self.start, self.stop, self.label, self.score, self.person)


Covered = tuple[Interval, ...] | None


@dataclass(frozen=True)
class Delta:
    """What a change removes and adds, exactly; covered time as JSON text, None where a recording is not annotated."""

    removed: tuple[Row, ...] = ()
    added: tuple[Row, ...] = ()
    heads: tuple[tuple[str, str | None, str | None], ...] = ()
    """Recording, its covered time before and after."""
    labels: tuple[str, str] | None = None
    """The label set as text, before and after."""

    @property
    def inverse(self) -> Delta:
        """The change that takes this one back."""
        heads = tuple((recording, after, before) for recording, before, after in self.heads)
        return Delta(self.added, self.removed, heads, self.labels and (self.labels[1], self.labels[0]))

    @property
    def recordings(self) -> set[str]:
        """The recordings that it changes."""
        return {row.recording for row in (*self.removed, *self.added)} | {head[0] for head in self.heads}

    def to_text(self) -> str:
        """As JSON; `from_text` reads it back."""
        data = {"removed": self.removed, "added": self.added, "heads": self.heads, "labels": self.labels}
        return json.dumps(data, separators=(",", ":"), allow_nan=False)

    @staticmethod
    def from_text(text: str) -> Delta:
        """The Delta that `to_text` wrote."""
        data = json.loads(text)
        removed, added = (tuple(Row(*row) for row in data[name]) for name in ("removed", "added"))
        heads = tuple((str(name), before, after) for name, before, after in data["heads"])
        return Delta(removed, added, heads, data["labels"] and (data["labels"][0], data["labels"][1]))


class ConflictError(Exception):
    """A change does not fit what the file holds now."""


def apply(connection: sqlite3.Connection, in_set: int, delta: Delta) -> None:
    """Make a change, within a transaction. Raises ConflictError where what it removes is not there as it was."""
    for row in delta.removed:
        values = (in_set, *row)
        same = "in_set IS ? AND number IS ? AND recording IS ? AND start IS ? AND stop IS ? AND label IS ? "
        same += "AND score IS ? AND person IS ?"
        if connection.execute(f"DELETE FROM items WHERE {same}", values).rowcount != 1:
            raise ConflictError
    for recording, before, after in delta.heads:
        if covered_text_of(connection, in_set, recording) != before:
            raise ConflictError
        connection.execute("DELETE FROM heads WHERE in_set = ? AND recording = ?", (in_set, recording))
        if after is not None:
            connection.execute("INSERT INTO heads VALUES (?, ?, ?)", (in_set, recording, after))
    if delta.labels is not None:
        before, after = delta.labels
        update = "UPDATE sets SET labels = ? WHERE number = ? AND labels = ?"
        if connection.execute(update, (after, in_set, before)).rowcount != 1:
            raise ConflictError
    connection.executemany(
        "INSERT INTO items (in_set, number, recording, start, stop, label, score, person) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(in_set, *row) for row in delta.added],
    )
    _check_whole(connection, in_set, delta)


def _check_whole(connection: sqlite3.Connection, in_set: int, delta: Delta) -> None:
    """Check that every item has its label and its head after a change. Raises ConflictError."""
    if delta.labels is not None:
        labels = labels_of_text(delta.labels[1])
        spans = {row[0] for row in connection.execute(
            "SELECT DISTINCT label FROM items WHERE in_set = ? AND stop IS NOT NULL", (in_set,))}  # fmt: skip
        instants = {row[0] for row in connection.execute(
            "SELECT DISTINCT label FROM items WHERE in_set = ? AND stop IS NULL", (in_set,))}  # fmt: skip
        if spans - set(labels.spans) or instants - set(labels.names):
            raise ConflictError
    for recording, _, after in delta.heads:
        if after is None and rows_of(connection, in_set, recording):
            raise ConflictError


def labels_text(labels: LabelSet) -> str:
    """A label set as text; `labels_of_text` reads it back."""
    return json.dumps(encode_labels(labels), ensure_ascii=False)


def labels_of_text(text: str) -> LabelSet:
    """The label set that `labels_text` wrote."""
    return decode_labels(json.loads(text))


def covered_text(covered: Covered) -> str:
    """Covered time as text; `covered_of_text` reads it back."""
    return json.dumps(covered, allow_nan=False)


def covered_of_text(text: str) -> Covered:
    """The covered time that `covered_text` wrote."""
    covered = json.loads(text)
    return None if covered is None else tuple((float(start), float(end)) for start, end in covered)


def covered_text_of(connection: sqlite3.Connection, in_set: int, recording: str) -> str | None:
    """The covered time of a recording as text; None where it is not annotated."""
    query = "SELECT covered FROM heads WHERE in_set = ? AND recording = ?"
    row = connection.execute(query, (in_set, recording)).fetchone()
    return None if row is None else str(row[0])


def rows_of(connection: sqlite3.Connection, in_set: int, recording: str | None = None) -> list[Row]:
    """The items of a recording, or of all, in order of recording, start and number."""
    columns = "number, recording, start, stop, label, score, person"
    where, values = ("", (in_set,)) if recording is None else (" AND recording = ?", (in_set, recording))
    query = f"SELECT {columns} FROM items WHERE in_set = ?{where} ORDER BY recording, start, number"
    return [Row(*row) for row in connection.execute(query, values)]


@dataclass(frozen=True)
class StoredSet:
    """A set as the file had it at one moment; an annotation is made of its rows when it is asked for."""

    labels: LabelSet
    covered: Mapping[str, str]
    """The covered time of each recording that is annotated, as text."""
    rows: Mapping[str, Sequence[tuple[Any, ...]]]
    """The items of each recording, without its name."""

    def annotation(self, recording: str) -> Annotation | None:
        """The annotation of a recording, None where it has none. Raises InputError for rows that are damaged."""
        if recording not in self.covered:
            return None
        try:
            items = [Row(number, recording, *values).item for number, *values in self.rows.get(recording, ())]
            return annotation_of(items, self.labels, covered_of_text(self.covered[recording]))
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
            if isinstance(error, InputError):
                raise
            where = f"labels of {recording!r} are damaged ({error})"
            raise InputError(f"{where}; restore annotations.sqlite from a copy") from None


def stored_set(connection: sqlite3.Connection, in_set: int, labels: LabelSet) -> StoredSet:
    """All rows of a set."""
    heads = connection.execute("SELECT recording, covered FROM heads WHERE in_set = ?", (in_set,)).fetchall()
    rows: dict[str, list[tuple[Any, ...]]] = {}
    query = "SELECT recording, number, start, stop, label, score, person FROM items WHERE in_set = ?"
    for recording, *values in connection.execute(query, (in_set,)):
        rows.setdefault(recording, []).append(tuple(values))
    return StoredSet(labels, dict(heads), rows)


def annotations_in(connection: sqlite3.Connection, in_set: int, labels: LabelSet) -> dict[str, Annotation]:
    """The annotations of a set by recording."""
    stored = stored_set(connection, in_set, labels)
    annotations = ((name, stored.annotation(name)) for name in stored.covered)
    return {name: annotation for name, annotation in annotations if annotation is not None}


def annotation_of(items: Sequence[Span | Event], labels: LabelSet, covered: Covered) -> Annotation:
    """The annotation with these spans and events."""
    spans = tuple(item for item in items if isinstance(item, Span))
    return Annotation(spans, labels, covered, tuple(item for item in items if isinstance(item, Event)))
