"""What a file of annotation sets holds: items, heads and label sets of sets, and changes as data."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ..data.annotation import Annotation, Event, LabelSet, Span
from ..errors import InputError
from .covered_time import Covered, covered_of_text, covered_text, merged
from .index import decode_labels, encode_labels

COLOUR = re.compile("#[0-9a-f]{6}")
"""A colour of a label: red, green and blue, two hexadecimal digits each."""


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


@dataclass(frozen=True)
class Delta:
    """What a change removes and adds, exactly; covered time as JSON text, None where a recording is not annotated."""

    removed: tuple[Row, ...] = ()
    added: tuple[Row, ...] = ()
    heads: tuple[tuple[str, str | None, str | None], ...] = ()
    """Recording, its covered time before and after."""
    labels: tuple[str, str] | None = None
    """The label set as text, before and after."""
    renamed: tuple[str, str] | None = None
    """A label, before and after, whose items got another label by a change of the whole set."""

    @property
    def inverse(self) -> Delta:
        """The change that takes this one back."""
        heads = tuple((recording, after, before) for recording, before, after in self.heads)
        labels, renamed = (pair and (pair[1], pair[0]) for pair in (self.labels, self.renamed))
        return Delta(self.added, self.removed, heads, labels, renamed)

    @property
    def recordings(self) -> set[str]:
        """The recordings that it changes."""
        return {row.recording for row in (*self.removed, *self.added)} | {head[0] for head in self.heads}

    def to_text(self) -> str:
        """As JSON; `from_text` reads it back."""
        data: dict[str, Any] = {
            "removed": self.removed,
            "added": self.added,
            "heads": self.heads,
            "labels": self.labels,
        }
        if self.renamed is not None:
            data["renamed"] = self.renamed
        return json.dumps(data, separators=(",", ":"), allow_nan=False)

    @staticmethod
    def from_text(text: str) -> Delta:
        """The Delta that `to_text` wrote."""
        data = json.loads(text)
        removed, added = (tuple(Row(*row) for row in data[name]) for name in ("removed", "added"))
        heads = tuple((str(name), before, after) for name, before, after in data["heads"])
        labels, renamed = (pair and (str(pair[0]), str(pair[1])) for pair in (data["labels"], data.get("renamed")))
        return Delta(removed, added, heads, labels, renamed)

    def with_label(self, old: str, new: str) -> Delta:
        """The change with another name of a label."""
        removed, added = (
            tuple(row._replace(label=new) if row.label == old else row for row in rows)
            for rows in (self.removed, self.added)
        )
        return replace(self, removed=removed, added=added)


class ConflictError(Exception):
    """A change does not fit what the file holds now."""


def apply(
    connection: sqlite3.Connection, in_set: int, delta: Delta, durations: Mapping[str, float] | None = None
) -> None:
    """Make a change, within a transaction.

    Items and labels must be there as the change found them; covered time is merged with what it is by now.
    durations: seconds of the recordings, which merging may need. Raises ConflictError.
    """
    for row in delta.removed:
        values = (in_set, *row)
        same = "in_set IS ? AND number IS ? AND recording IS ? AND start IS ? AND stop IS ? AND label IS ? "
        same += "AND score IS ? AND person IS ?"
        if connection.execute(f"DELETE FROM items WHERE {same}", values).rowcount != 1:
            raise ConflictError
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
    for recording, before_head, after_head in delta.heads:
        _apply_head(connection, in_set, recording, before_head, after_head, (durations or {}).get(recording))
    _check_labels(connection, in_set, delta)


def _apply_head(
    connection: sqlite3.Connection,
    in_set: int,
    recording: str,
    before: str | None,
    after: str | None,
    duration: float | None,
) -> None:
    """Change the covered time of a recording; one that has items stays annotated."""
    head = merged(before, after, covered_text_of(connection, in_set, recording), duration)
    query = "SELECT 1 FROM items WHERE in_set = ? AND recording = ? LIMIT 1"
    if head is None and connection.execute(query, (in_set, recording)).fetchone():
        head = covered_text(())
    if head is None:
        connection.execute("DELETE FROM heads WHERE in_set = ? AND recording = ?", (in_set, recording))
    else:
        connection.execute("INSERT OR REPLACE INTO heads VALUES (?, ?, ?)", (in_set, recording, head))


def _check_labels(connection: sqlite3.Connection, in_set: int, delta: Delta) -> None:
    """Check that every item has its label after a change. Raises ConflictError."""
    (text,) = connection.execute("SELECT labels FROM sets WHERE number = ?", (in_set,)).fetchone()
    labels = labels_of_text(text)
    spans = {row.label for row in delta.added if row.stop is not None}
    instants = {row.label for row in delta.added if row.stop is None}
    if delta.labels is not None:
        query = "SELECT DISTINCT label FROM items WHERE in_set = ? AND stop IS"
        spans = {row[0] for row in connection.execute(f"{query} NOT NULL", (in_set,))}
        instants = {row[0] for row in connection.execute(f"{query} NULL", (in_set,))}
    if spans - set(labels.spans) or instants - set(labels.names):
        raise ConflictError


def labels_text(labels: LabelSet) -> str:
    """A label set as text; `labels_of_text` reads it back."""
    return json.dumps(encode_labels(labels), ensure_ascii=False)


def labels_of_text(text: str) -> LabelSet:
    """The label set that `labels_text` wrote."""
    return decode_labels(json.loads(text))


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


def colours_in(connection: sqlite3.Connection, in_set: int) -> dict[str, str]:
    """The colours of labels, "#rrggbb", also of labels that are gone. Raises ValueError for what is none."""
    row = connection.execute("SELECT value FROM facts WHERE name = ?", (f"colours {in_set}",)).fetchone()
    colours = {} if row is None else json.loads(row[0])
    for label, colour in colours.items():
        if not COLOUR.fullmatch(colour):
            raise ValueError(f"label {label!r}: {colour!r} is no colour")
    return dict(colours)


def write_colours(connection: sqlite3.Connection, in_set: int, colours: Mapping[str, str]) -> None:
    """Keep the colours of labels, within a transaction."""
    values = (f"colours {in_set}", json.dumps(colours, ensure_ascii=False))
    connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", values)
