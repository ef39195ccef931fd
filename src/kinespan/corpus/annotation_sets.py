"""The annotation sets of a corpus: named, each by an author, changed by hand while others read, nothing ever lost.

A corpus that was just prepared has one set, `FIRST_SET`, the labels of its files; they are in index.json, which never
changes. The first change writes all of them to `annotations.sqlite` beside it (see `set_file`), which from then on
holds every set. Motion is never touched, and a corpus remains a folder that can be moved.

    sets = AnnotationSets.open("corpus")
    sets.create("anna", LabelSet(("squat", "rise")), author="Anna")
    number = sets.add("anna", "take_01", Span(1.2, 3.4, "squat"), author="Anna")
    sets.change("anna", number, Span(1.1, 3.4, "squat"), author="Anna")
    sets.undo("anna")
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..data.annotation import Annotation, Event, LabelSet, Span
from ..errors import InputError, unknown
from .index import INDEX_FILE, Index, read_index
from .info import RecordingInfo
from .set_content import (
    ConflictError,
    Covered,
    Delta,
    Row,
    annotation_of,
    annotations_in,
    apply,
    covered_of_text,
    covered_text,
    covered_text_of,
    labels_text,
    rows_of,
)
from .set_file import (
    SETS_FILE,
    changing,
    in_place,
    reading,
)
from .set_rows import (
    Change,
    SetInfo,
    check_exclusive,
    check_fits,
    default_author,
    insert_set,
    log_change,
    next_number,
    prepared_annotations,
    prepared_sets,
    row_from,
    row_of,
    set_infos,
    set_of,
    words_of,
    write_prepared,
)


class AnnotationSets:
    """The annotation sets of the corpus in a folder, for reading what they hold now and for changing it.

    Each method is one transaction: it is made as a whole or not at all, and others see it from then on. Any number of
    processes and threads may change sets at once; they wait for each other. A `Corpus` that is open keeps the
    annotations that it was opened with.
    """

    def __init__(self, folder: Path, index: Index) -> None:
        self.file = folder / SETS_FILE
        self._use(index)

    @classmethod
    def open(cls, folder: str | Path) -> AnnotationSets:
        """The sets of the corpus in a folder. Raises InputError where there is none."""
        return cls(Path(folder), read_index(Path(folder)))

    # ---- reading -----------------------------------------------------------------------------------------------

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
        self._recording(recording)
        self._make_file()
        with reading(self.file) as connection:
            number, _ = set_of(connection, name)
            return {row.number: row.item for row in rows_of(connection, number, recording)}

    def history(self, name: str, recording: str | None = None) -> tuple[Change, ...]:
        """The changes of a set, or of one recording in it, first to last; empty where nothing was changed yet."""
        if not self._has_file():
            self._info(name)
            return ()
        columns = "number, time, author, kind, recording, about, undone_by IS NOT NULL"
        with reading(self.file) as connection:
            number, _ = set_of(connection, name)
            query = f"SELECT {columns} FROM changes WHERE in_set = ? ORDER BY number"
            changes = [Change.of(row) for row in connection.execute(query, (number,))]
        return tuple(change for change in changes if recording is None or change.recording == recording)

    # ---- changing ----------------------------------------------------------------------------------------------

    def create(
        self,
        name: str,
        labels: LabelSet,
        annotations: Mapping[str, Annotation] | None = None,
        author: str | None = None,
    ) -> None:
        """Make a set, empty or with annotations over its labels. Raises InputError for a name that exists."""
        if not name or name != name.strip() or not name.isprintable():
            raise InputError(f"annotation set {name!r}: expected a name of printable characters")
        self._make_file()
        author = author or default_author()
        with changing(self.file) as connection:
            if connection.execute("SELECT 1 FROM sets WHERE name = ?", (name,)).fetchone():
                raise InputError(f"annotation set {name!r} exists already; choose another name")
            self._check(annotations or {}, labels)
            insert_set(connection, name, labels, annotations or {}, author, "made")

    def add(self, name: str, recording: str, item: Span | Event, author: str | None = None) -> int:
        """Add a span, event or point label to a recording; returns its number.

        Of a recording without annotation nothing but its items is then known: `cover` says what else was looked at.
        Raises InputError for a label that the set has not, a time outside of the recording, a person whom the motion
        has not, and a span that overlaps another one of a set whose labels exclude each other.
        """
        added: list[int] = []

        def make(connection: sqlite3.Connection, number: int, labels: LabelSet) -> Delta:
            self._check_item(connection, number, labels, recording, item)
            added.append(next_number(connection))
            heads: tuple[tuple[str, str | None, str | None], ...] = ()
            if covered_text_of(connection, number, recording) is None:
                heads = ((recording, None, covered_text(())),)
            return Delta(added=(row_from(added[0], recording, item),), heads=heads)

        self._edit(name, author, recording, f"added {words_of(item)}", make)
        return added[0]

    def change(self, name: str, item_number: int, item: Span | Event, author: str | None = None) -> None:
        """Replace a span, event or point label, given by number; it keeps its number. Raises InputError as `add`."""

        def make(connection: sqlite3.Connection, number: int, labels: LabelSet) -> Delta:
            row = row_of(connection, number, item_number, name)
            self._check_item(connection, number, labels, row.recording, item, item_number)
            return Delta((row,), (row_from(item_number, row.recording, item),))

        self._edit(name, author, None, f"changed to {words_of(item)}", make)

    def delete(self, name: str, item_number: int, author: str | None = None) -> None:
        """Delete a span, event or point label, given by number. Raises InputError for an unknown number."""

        def make(connection: sqlite3.Connection, number: int, labels: LabelSet) -> Delta:
            return Delta((row_of(connection, number, item_number, name),))

        self._edit(name, author, None, "deleted", make)

    def cover(self, name: str, recording: str, covered: Covered, author: str | None = None) -> None:
        """Say what time of a recording was looked at, as (start, end) seconds; None: all of it."""
        text = covered_text(covered and tuple((float(start), float(end)) for start, end in covered))
        self._check({recording: Annotation((), LabelSet(()), covered)}, LabelSet(()))

        def make(connection: sqlite3.Connection, number: int, labels: LabelSet) -> Delta:
            return Delta(heads=((recording, covered_text_of(connection, number, recording), text),))

        self._edit(name, author, recording, "time that was looked at", make)

    def replace(
        self,
        name: str,
        annotations: Mapping[str, Annotation | None],
        author: str | None = None,
        about: str = "annotations replaced",
        labels: LabelSet | None = None,
    ) -> None:
        """Replace the annotations of recordings, None by nothing, and with `labels` the label set: one change."""
        given = {recording: each for recording, each in annotations.items() if each is not None}
        for recording in annotations:
            self._recording(recording)

        def make(connection: sqlite3.Connection, number: int, old: LabelSet) -> Delta:
            new = labels or old
            self._check(given, new)
            removed: list[Row] = []
            added: list[Row] = []
            heads = []
            first = next_number(connection)
            for recording, annotation in annotations.items():
                removed += rows_of(connection, number, recording)
                covered = None if annotation is None else covered_text(annotation.covered)
                heads.append((recording, covered_text_of(connection, number, recording), covered))
                items: Sequence[Span | Event] = () if annotation is None else (*annotation.spans, *annotation.events)
                added += [row_from(first + len(added) + offset, recording, item) for offset, item in enumerate(items)]
            texts = None if new == old else (labels_text(old), labels_text(new))
            return Delta(tuple(removed), tuple(added), tuple(heads), texts)

        recordings = list(annotations)
        self._edit(name, author, recordings[0] if len(recordings) == 1 else None, about, make)

    def set_labels(self, name: str, labels: LabelSet, author: str | None = None) -> None:
        """Replace the label set of a set. Raises InputError where a label that is in use would be gone."""

        def make(connection: sqlite3.Connection, number: int, old: LabelSet) -> Delta:
            return Delta(labels=(labels_text(old), labels_text(labels)))

        self._edit(name, author, None, f"labels: {', '.join(labels.names)}", make)

    def rename_label(self, name: str, old: str, new: str, author: str | None = None) -> None:
        """Rename a label wherever it is used. Raises InputError for an unknown label, and a new one that exists."""

        def make(connection: sqlite3.Connection, number: int, labels: LabelSet) -> Delta:
            labels.index(old)
            names, events = (tuple(new if each == old else each for each in group)
                             for group in (labels.names, labels.events))  # fmt: skip
            renamed = replace(labels, names=names, events=events)  # raises
            removed = tuple(row for row in rows_of(connection, number) if row.label == old)
            added = tuple(row._replace(label=new) for row in removed)
            return Delta(removed, added, labels=(labels_text(labels), labels_text(renamed)))

        self._edit(name, author, None, f"label {old!r} renamed to {new!r}", make)

    def undo(self, name: str, author: str | None = None, recording: str | None = None, by: str | None = None) -> Change:
        """Take the last change of a set back, exactly; returns it.

        Parameters:
            author, recording: the last change by this author, of this recording, in place of the last one of all.
            by: who undoes; by default `author`, else the user of this computer.

        Raises InputError where there is nothing to undo, and where it was changed again since, by somebody else.
        """
        return self._step(name, "undo", author, recording, by)

    def redo(self, name: str, author: str | None = None, recording: str | None = None, by: str | None = None) -> Change:
        """Make the change again that was undone last, where nothing was changed since; as `undo`."""
        return self._step(name, "redo", author, recording, by)

    # ---- how ---------------------------------------------------------------------------------------------------

    def _use(self, index: Index) -> None:
        self._index = index
        self._infos = {info.name: info for info in index.infos}
        self._stamp = os.stat(self.file.with_name(INDEX_FILE)).st_ino

    def _refresh(self) -> None:
        """Read the index again where the corpus was prepared again, or extended, since."""
        if os.stat(self.file.with_name(INDEX_FILE)).st_ino != self._stamp:
            self._use(read_index(self.file.parent))

    def _has_file(self) -> bool:
        """Whether any set was ever changed."""
        with in_place(self.file):
            return self.file.is_file()

    def _edit(
        self,
        name: str,
        author: str | None,
        recording: str | None,
        about: str,
        make: Callable[[sqlite3.Connection, int, LabelSet], Delta],
    ) -> None:
        """Make a change and keep it as a row. Raises InputError as `make` does."""
        if recording is not None:
            self._recording(recording)
        self._make_file()
        author = author or default_author()
        with changing(self.file) as connection:
            self._refresh()
            number, labels = set_of(connection, name)
            delta = make(connection, number, labels)
            try:
                apply(connection, number, delta)
            except ConflictError:
                raise InputError(
                    f"annotation set {name!r}: spans or events still have a label that would be gone, or become an "
                    "event; delete or rename them first"
                ) from None
            recordings = delta.recordings
            where = recording or (recordings.pop() if len(recordings) == 1 else None)
            log_change(connection, number, author, "edit", where, about, delta)

    def _step(self, name: str, kind: str, author: str | None, recording: str | None, by: str | None) -> Change:
        """Undo or redo."""
        if not self.history(name):
            raise InputError(f"annotation set {name!r}: nothing to {kind}")
        with changing(self.file) as connection:
            number, _ = set_of(connection, name)
            where = "in_set = ? AND kind = 'edit'"
            values: list[int | str] = [number]
            for column, value in (("author", author), ("recording", recording)):
                if value is not None:
                    where, values = f"{where} AND {column} = ?", [*values, value]
            order = "undone_by IS NULL ORDER BY number DESC"
            if kind == "redo":
                order = f"undone_by > (SELECT max(number) FROM changes WHERE {where}) ORDER BY undone_by DESC"
                values *= 2
            columns = "number, time, author, kind, recording, about, delta"
            query = f"SELECT {columns} FROM changes WHERE {where} AND {order} LIMIT 1"
            row = connection.execute(query, values).fetchone()
            if row is None:
                raise InputError(f"annotation set {name!r}: nothing to {kind}")
            delta = Delta.from_text(row[6])
            try:
                apply(connection, number, delta.inverse if kind == "undo" else delta)
            except (ConflictError, sqlite3.IntegrityError):
                raise InputError(
                    f"annotation set {name!r}: change {row[0]} ({row[5]}, by {row[2]}) cannot be taken back, as it was "
                    "changed again since; undo that first"
                ) from None
            by = by or author or default_author()
            step = log_change(connection, number, by, kind, row[4], f"{kind} of change {row[0]}", None, row[0])
            undone_by = step if kind == "undo" else None
            connection.execute("UPDATE changes SET undone_by = ? WHERE number = ?", (undone_by, row[0]))
            return Change.of((*row[:6], kind == "undo"))

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

    def _check(self, annotations: Mapping[str, Annotation], labels: LabelSet) -> None:
        """Check annotations against the recordings and a label set. Raises InputError."""
        for recording, annotation in annotations.items():
            for label in annotation.labels.names:
                labels.index(label)
            replace(annotation, labels=labels)  # raises for a span of an event's label
            check_fits(self._recording(recording), annotation)

    def _check_item(
        self,
        connection: sqlite3.Connection,
        number: int,
        labels: LabelSet,
        recording: str,
        item: Span | Event,
        same: int | None = None,
    ) -> None:
        """Check a span or event that replaces item `same`. Raises InputError."""
        info = self._recording(recording)
        check_fits(info, annotation_of([item], labels, None))
        if labels.exclusive and isinstance(item, Span):
            check_exclusive(info, item, [row for row in rows_of(connection, number, recording) if row.number != same])
