"""Reading the annotation sets of a corpus: what a set says of recordings, its counts, its history."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..data.annotation import Annotation, Event, LabelSet, Span
from ..errors import unknown
from .covered_time import Covered, covered_of_text, covered_seconds
from .index import INDEX_FILE, Index, read_index
from .info import RecordingInfo
from .set_content import annotation_of, annotations_in, colours_in, covered_text_of, rows_of
from .set_edits import Item
from .set_file import SETS_FILE, in_place, reading
from .set_rows import (
    Change,
    SetInfo,
    annotation_rows,
    prepared_annotations,
    prepared_sets,
    set_infos,
    set_of,
    write_prepared,
)
from .set_steps import next_step


@dataclass(frozen=True)
class RecordingLabels:
    """What a set says of a recording."""

    items: Mapping[int, Item]
    """The spans, events and point labels by number, in order of start."""
    covered: Covered
    """Seconds that were looked at; None: all."""
    annotated: bool
    """Whether the set says anything of the recording, if only that somebody looked at it."""
    version: int
    """Grows with every change of the set."""
    can_undo: bool
    """Whether there is a change to undo, of the author who was asked for."""
    can_redo: bool


@dataclass(frozen=True)
class SetSummary:
    """The counts of a set; recordings and labels without any are left out."""

    items: Mapping[str, int]
    """Spans, events and point labels by recording."""
    watched: Mapping[str, float]
    """Seconds that were looked at, by recording; of each recording that is annotated."""
    labels: Mapping[str, int]
    """Spans, events and point labels by label."""
    version: int
    """Grows with every change of the set."""


def version_in(connection: sqlite3.Connection, in_set: int) -> int:
    """The number of the last change of a set."""
    query = "SELECT number FROM changes WHERE in_set = ? ORDER BY number DESC LIMIT 1"
    row = connection.execute(query, (in_set,)).fetchone()
    return 0 if row is None else int(row[0])


def recording_labels(
    connection: sqlite3.Connection, in_set: int, recording: str, author: str | None
) -> RecordingLabels:
    """What a set says of a recording, and whether an author has something to undo there."""
    text = covered_text_of(connection, in_set, recording)
    can_undo, can_redo = (
        next_step(connection, in_set, kind, author, recording) is not None for kind in ("undo", "redo")
    )
    return RecordingLabels(
        {row.number: row.item for row in rows_of(connection, in_set, recording)},
        () if text is None else covered_of_text(text),
        text is not None,
        version_in(connection, in_set),
        can_undo,
        can_redo,
    )


def prepared_recording_labels(index: Index, recording: str) -> RecordingLabels:
    """As `recording_labels`, of a corpus whose sets were never changed; numbers are those of the file to come."""
    annotations = prepared_annotations(index)
    rows = [row for row in annotation_rows(annotations, 1) if row.recording == recording]
    rows.sort(key=lambda row: (row.start, row.number))
    covered = annotations[recording].covered if recording in annotations else ()
    return RecordingLabels({row.number: row.item for row in rows}, covered, recording in annotations, 0, False, False)


def summary_in(connection: sqlite3.Connection, in_set: int, infos: Mapping[str, RecordingInfo]) -> SetSummary:
    """The counts of a set."""
    heads = connection.execute("SELECT recording, covered FROM heads WHERE in_set = ?", (in_set,))
    watched = {name: _seconds(infos, name, covered_of_text(text)) for name, text in heads}
    by_recording, by_label = (
        dict(connection.execute(f"SELECT {each}, count(*) FROM items WHERE in_set = ? GROUP BY {each}", (in_set,)))
        for each in ("recording", "label")
    )
    return SetSummary(by_recording, watched, by_label, version_in(connection, in_set))


def prepared_summary(index: Index, infos: Mapping[str, RecordingInfo]) -> SetSummary:
    """The counts of the set of a corpus whose sets were never changed."""
    annotations = prepared_annotations(index)
    by_recording: dict[str, int] = {}
    by_label: dict[str, int] = {}
    for row in annotation_rows(annotations, 1):
        by_recording[row.recording] = by_recording.get(row.recording, 0) + 1
        by_label[row.label] = by_label.get(row.label, 0) + 1
    watched = {name: _seconds(infos, name, annotation.covered) for name, annotation in annotations.items()}
    return SetSummary(by_recording, watched, by_label, 0)


def _seconds(infos: Mapping[str, RecordingInfo], name: str, covered: Covered) -> float:
    return covered_seconds(covered, infos[name].duration if name in infos else 0.0)


class ReadableSets:
    """The annotation sets of the corpus in a folder, for reading what they hold now."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / SETS_FILE
        self._stamp: tuple[int, ...] = ()
        self._refresh()

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """The sets of the corpus in a folder. Raises InputError where there is none."""
        return cls(Path(folder))

    @property
    def recordings(self) -> Mapping[str, RecordingInfo]:
        """The recordings of the corpus by name, as it is now."""
        self._has_file()
        return self._infos

    @property
    def infos(self) -> tuple[SetInfo, ...]:
        """The sets, in the order in which they were made."""
        if self._has_file():
            with reading(self.file) as connection:
                return set_infos(connection)
        return prepared_sets(self._index)

    def labels(self, name: str) -> LabelSet:
        """The label set of a set. Raises InputError for an unknown set."""
        return self._info(name).labels

    def annotation(self, name: str, recording: str) -> Annotation | None:
        """The annotation of a recording, None where it has none. Raises InputError for an unknown set or recording."""
        self._recording(recording)
        if not self._has_file():
            return self.annotations(name).get(recording)
        with reading(self.file) as connection:
            number, labels = set_of(connection, name)
            covered = covered_text_of(connection, number, recording)
            if covered is None:
                return None
            items = [row.item for row in rows_of(connection, number, recording)]
            return annotation_of(items, labels, covered_of_text(covered))

    def annotations(self, name: str) -> dict[str, Annotation]:
        """The annotations of a set by recording. Raises InputError for an unknown set."""
        if not self._has_file():
            self._info(name)
            return prepared_annotations(self._index)
        with reading(self.file) as connection:
            return annotations_in(connection, *set_of(connection, name))

    def items(self, name: str, recording: str) -> dict[int, Span | Event]:
        """The spans, events and point labels of a recording by number, which `change` and `delete` take."""
        return dict(self.of_recording(name, recording).items)

    def of_recording(self, name: str, recording: str, author: str | None = None) -> RecordingLabels:
        """What a set says of a recording at one moment, and whether an author has anything to undo there."""
        self._recording(recording)
        if not self._has_file():
            self._info(name)
            return prepared_recording_labels(self._index, recording)
        with reading(self.file) as connection:
            return recording_labels(connection, set_of(connection, name)[0], recording, author)

    def summary(self, name: str) -> SetSummary:
        """The counts of a set by recording and by label. Raises InputError for an unknown set."""
        if not self._has_file():
            self._info(name)
            return prepared_summary(self._index, self._infos)
        with reading(self.file) as connection:
            return summary_in(connection, set_of(connection, name)[0], self._infos)

    def version(self, name: str) -> int:
        """A number that grows with every change of a set; 0 before the first one."""
        if not self._has_file():
            self._info(name)
            return 0
        with reading(self.file) as connection:
            return version_in(connection, set_of(connection, name)[0])

    def colours(self, name: str) -> dict[str, str]:
        """The colours, "#rrggbb", of the labels that were given one."""
        if not self._has_file():
            self._info(name)
            return {}
        with reading(self.file) as connection:
            number, labels = set_of(connection, name)
            colours = colours_in(connection, number)
            return {label: colours[label] for label in labels.names if label in colours}

    def history(self, name: str, recording: str | None = None, last: int | None = None) -> tuple[Change, ...]:
        """The changes of a set, or of one recording in it, first to last; with `last` only so many of the newest."""
        if not self._has_file():
            self._info(name)
            return ()
        columns = "number, time, author, kind, recording, about, undone_by IS NOT NULL"
        with reading(self.file) as connection:
            number, _ = set_of(connection, name)
            where = "in_set = ? AND (? IS NULL OR recording = ?) ORDER BY number DESC LIMIT ?"
            values = (number, recording, recording, -1 if last is None else last)
            rows = connection.execute(f"SELECT {columns} FROM changes WHERE {where}", values).fetchall()
        return tuple(Change.of(row) for row in reversed(rows))

    def _refresh(self) -> None:
        """Read the index again where the corpus was prepared again, or extended, since. Raises InputError."""
        stamp: tuple[int, ...] = ()
        with suppress(OSError):  # which reading it tells
            stat = os.stat(self.file.with_name(INDEX_FILE))
            stamp = stat.st_ino, stat.st_mtime_ns
        if not stamp or stamp != self._stamp:
            self._index = read_index(self.file.parent)
            self._infos = {info.name: info for info in self._index.infos}
            self._stamp = stamp

    def _has_file(self) -> bool:
        """Whether any set was ever changed. Raises InputError where the corpus is gone."""
        with in_place(self.file):
            self._refresh()
            return self.file.is_file()

    def _make_file(self) -> None:
        """Write the prepared labels to the file, where there is none yet; of several writers one wins."""
        if not self._has_file():
            write_prepared(self.file, self._index)

    def _info(self, name: str) -> SetInfo:
        infos = {info.name: info for info in self.infos}
        if name not in infos:
            raise unknown("annotation set", name, infos)
        return infos[name]

    def _recording(self, name: str) -> RecordingInfo:
        if name not in self._infos:
            with in_place(self.file):
                self._refresh()
        if name not in self._infos:
            raise unknown("recording", name, self._infos)
        return self._infos[name]
