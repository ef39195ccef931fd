"""What is shared by changing the annotation sets of a corpus, reading them and carrying them over: facts and rows."""

from __future__ import annotations

import getpass
import secrets
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..data.annotation import Annotation, Event, LabelSet, Span
from ..data.display import counted
from ..errors import InputError, unknown
from .covered_time import covered_text
from .index import Index, decode_annotation
from .info import RecordingInfo
from .set_content import (
    COLOUR,
    Delta,
    Row,
    apply,
    labels_of_text,
    labels_text,
)
from .set_file import (
    create_file,
    in_place,
    place_file,
    told,
)

FIRST_SET = "labels"
"""The set of the labels that a corpus is prepared with."""
PREPARED_BY = "kinespan prepare"


@dataclass(frozen=True)
class SetInfo:
    """The facts of an annotation set."""

    name: str
    author: str
    time: str
    """When it was made, ISO 8601, UTC; empty where only the corpus says it."""
    labels: LabelSet
    recordings: int
    """The number of recordings that it annotates."""

    def __str__(self) -> str:
        """The set in a few words."""
        return f"{self.name} ({counted(self.recordings, 'recording')}, by {self.author})"


@dataclass(frozen=True)
class Change:
    """A change of a set."""

    number: int
    time: str
    """ISO 8601, UTC."""
    author: str
    kind: str
    """edit, undo or redo; watch, colour, rename or prepare, which cannot be undone."""
    recording: str | None
    """None where it is of the whole set or of several recordings."""
    about: str
    """What was changed, in plain words."""
    undone: bool
    """Whether an undo took it back."""

    @staticmethod
    def of(row: Sequence[Any]) -> Change:
        """The change of a row of the file."""
        number, time, author, kind, recording, about, undone = row
        return Change(number, time, author, kind, recording, about, bool(undone))


def default_author() -> str:
    """The user of this computer."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


def author_name(given: str | None) -> str:
    """The name of an author, by default the user of this computer. Raises InputError for a name that none may have."""
    if given == PREPARED_BY:
        raise InputError(f"author {given!r}: stands for labels that no person gave; choose another name")
    return given or default_author()


def prepared_sets(index: Index) -> tuple[SetInfo, ...]:
    """The one set, or none, of a corpus whose annotations were never changed."""
    if index.labels is None:
        return ()
    annotated = sum(annotation is not None for annotation in index.annotations)
    return (SetInfo(FIRST_SET, PREPARED_BY, "", index.labels, annotated),)


def prepared_annotations(index: Index) -> dict[str, Annotation]:
    """The annotations of index.json by recording."""
    pairs = zip(index.infos, index.annotations, strict=True)
    labels = index.labels
    if labels is None:
        return {}
    return {info.name: decode_annotation(data, labels) for info, data in pairs if data is not None}


def set_infos(connection: sqlite3.Connection) -> tuple[SetInfo, ...]:
    """The sets of a file, in the order in which they were made."""
    count = "(SELECT count(*) FROM heads WHERE in_set = sets.number)"
    rows = connection.execute(f"SELECT name, author, time, labels, {count} FROM sets ORDER BY number")
    return tuple(SetInfo(name, author, time, labels_of_text(text), n) for name, author, time, text, n in rows)


def write_prepared(file: Path, index: Index) -> None:
    """Write the prepared labels to the file of sets, unless somebody else did so meanwhile."""
    fresh = file.with_name(f".{file.name}.{secrets.token_hex(6)}")
    with told(fresh), in_place(file):
        try:
            connection = create_file(fresh)
            if index.labels is not None:
                annotations = prepared_annotations(index)
                insert_set(connection, FIRST_SET, index.labels, annotations, PREPARED_BY, "labels of the corpus")
            connection.execute("COMMIT")
            connection.close()
            with suppress(FileExistsError):
                place_file(fresh, file)
        finally:
            for suffix in ("", "-wal", "-shm"):
                fresh.with_name(fresh.name + suffix).unlink(missing_ok=True)


def insert_set(
    connection: sqlite3.Connection,
    name: str,
    labels: LabelSet,
    annotations: Mapping[str, Annotation],
    author: str,
    about: str,
) -> int:
    """Add a set with its annotations, within a transaction; returns its number."""
    query = "INSERT INTO sets (name, author, time, labels) VALUES (?, ?, ?, ?)"
    number = connection.execute(query, (name, author, now(), labels_text(labels))).lastrowid
    assert number is not None
    rows = annotation_rows(annotations, next_number(connection))
    heads = tuple((recording, None, covered_text(each.covered)) for recording, each in annotations.items())
    apply(connection, number, Delta(added=rows, heads=heads))
    log_change(connection, number, author, "prepare", None, about)
    return number


def annotation_rows(annotations: Mapping[str, Annotation], first: int) -> tuple[Row, ...]:
    """The spans and events of annotations by recording as rows of a file, numbered from `first`."""
    items: list[tuple[str, Span | Event]] = []
    for name, annotation in annotations.items():
        items += [(name, span) for span in annotation.spans] + [(name, event) for event in annotation.events]
    return tuple(row_from(number, name, item) for number, (name, item) in enumerate(items, first))


def check_new_name(connection: sqlite3.Connection, name: str) -> None:
    """Raise InputError for a name that no set may have, and one that a set has."""
    if not name or name != name.strip() or not name.isprintable():
        raise InputError(f"annotation set {name!r}: expected a name of printable characters")
    if connection.execute("SELECT 1 FROM sets WHERE name = ?", (name,)).fetchone():
        raise InputError(f"annotation set {name!r} exists already; choose another name")


def check_colour(colour: str) -> str:
    """A colour in small letters. Raises InputError for what is none."""
    if not COLOUR.fullmatch(colour.lower()):
        raise InputError(f"colour {colour!r}: expected red, green and blue as in '#1f77b4'")
    return colour.lower()


def erase_set(connection: sqlite3.Connection, in_set: int) -> None:
    """Delete a set and all of its rows, within a transaction."""
    for table in ("items", "heads", "changes"):
        connection.execute(f"DELETE FROM {table} WHERE in_set = ?", (in_set,))
    connection.execute("DELETE FROM facts WHERE name = ?", (f"colours {in_set}",))
    connection.execute("DELETE FROM sets WHERE number = ?", (in_set,))


def log_change(
    connection: sqlite3.Connection,
    in_set: int,
    author: str,
    kind: str,
    recording: str | None,
    about: str,
    delta: Delta | None = None,
    target: int | None = None,
) -> int:
    """Keep a change as a row; returns its number."""
    query = "INSERT INTO changes (in_set, time, author, kind, recording, about, delta, target) "
    values = (in_set, now(), author, kind, recording, about, delta and delta.to_text(), target)
    number = connection.execute(f"{query} VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values).lastrowid
    assert number is not None
    return number


def check_fits(info: RecordingInfo, annotation: Annotation) -> None:
    """Check that an annotation lies within a recording and names people whom it has. Raises InputError."""
    last = info.duration + 1 / info.fps
    times = [(span.label, time) for span in annotation.spans for time in (span.start, span.end)]
    times += [(event.label, event.time) for event in annotation.events]
    times += [("covered time", time) for interval in annotation.covered or () for time in interval]
    for label, time in times:
        if not -1 / info.fps <= time <= last:
            raise InputError(
                f"recording {info.name!r}: {label!r} at {time:g} s is outside of its {info.duration:g} s of motion"
            )
    if annotation.people and annotation.people[-1] >= info.num_people:
        raise InputError(
            f"recording {info.name!r}: labels of person {annotation.people[-1]}, but the motion has "
            f"{info.num_people} {'person' if info.num_people == 1 else 'people'}, counted from 0"
        )


def check_exclusive(info: RecordingInfo, rows: Sequence[Row], numbers: Collection[int]) -> None:
    """Check that spans of some numbers share no time with others of their person but a slip under a frame.

    rows: all of the recording. Raises InputError.
    """
    slip = max(1 / info.fps, 0.02)
    spans = [(row.start, row.stop, row) for row in rows if row.stop is not None and row.stop - row.start > slip]
    running: list[tuple[float, Row]] = []  # those that go on for longer than a slip
    for start, stop, row in sorted(spans):
        running = [(end, earlier) for end, earlier in running if end - start > slip]
        for _, earlier in running:
            is_other_person = None not in (row.person, earlier.person) and row.person != earlier.person
            if not is_other_person and (row.number in numbers or earlier.number in numbers):
                span, cut = (row, earlier) if row.number in numbers else (earlier, row)
                raise InputError(
                    f"recording {info.name!r}: {words_of(span.item)} overlaps {words_of(cut.item)}, and labels of this "
                    "set exclude each other; cut one of them, or let labels overlap (exclusive=False)"
                )
        running.append((stop, row))


def now() -> str:
    """The time, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def set_of(connection: sqlite3.Connection, name: str) -> tuple[int, LabelSet]:
    """The number and the label set of a set. Raises InputError."""
    row = connection.execute("SELECT number, labels FROM sets WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise unknown("annotation set", name, [each[0] for each in connection.execute("SELECT name FROM sets")])
    return int(row[0]), labels_of_text(row[1])


def next_number(connection: sqlite3.Connection) -> int:
    """A number that no item ever had."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'items'").fetchone()
    return 1 if row is None else int(row[0]) + 1


def row_of(connection: sqlite3.Connection, in_set: int, number: int, name: str) -> Row:
    """The item of a set by number. Raises InputError, with the name of the set."""
    columns = "number, recording, start, stop, label, score, person"
    query = f"SELECT {columns} FROM items WHERE in_set = ? AND number = ?"
    row = connection.execute(query, (in_set, number)).fetchone()
    if row is None:
        raise InputError(f"annotation set {name!r} has no item {number}; it may have been deleted since")
    return Row(*row)


def row_from(number: int, recording: str, item: Span | Event) -> Row:
    """A span or event as the row of a file."""
    start, stop = (item.start, item.end) if isinstance(item, Span) else (item.time, None)
    stop = None if stop is None else float(stop)
    return Row(number, recording, float(start), stop, item.label, item.score, item.person)


def words_of(item: Span | Event) -> str:
    """A span or event in words."""
    if isinstance(item, Event):
        return f"{item.label!r} at {item.time:g} s"
    return f"{item.label!r} from {item.start:g} to {item.end:g} s"
