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

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ..data.annotation import Annotation, Event, Interval, LabelSet, Span
from ..errors import InputError
from .covered_time import Covered, covered_text
from .set_content import (
    ConflictError,
    Delta,
    Row,
    apply,
    colours_in,
    covered_text_of,
    labels_text,
    rows_of,
    write_colours,
)
from .set_edits import edit_delta, labels_delta, merged_delta, renamed_delta
from .set_file import changing
from .set_reading import ReadableSets
from .set_rows import (
    Change,
    annotation_rows,
    author_name,
    check_colour,
    check_fits,
    check_new_name,
    erase_set,
    insert_set,
    log_change,
    next_number,
    row_of,
    set_of,
    words_of,
)
from .set_steps import NothingToStepError, Step, log_watching, next_step, step


class AnnotationSets(ReadableSets):
    """The annotation sets of the corpus in a folder, for reading what they hold now and for changing it.

    Each method is one transaction: it is made as a whole or not at all, and others see it from then on. Any number of
    processes and threads may change sets at once; they wait for each other. A `Corpus` that is open keeps the
    annotations that it was opened with.
    """

    def create(
        self,
        name: str,
        labels: LabelSet,
        annotations: Mapping[str, Annotation] | None = None,
        author: str | None = None,
        colours: Mapping[str, str] | None = None,
    ) -> None:
        """Make a set, empty or with annotations over its labels. Raises InputError for a name that exists."""
        self._make_file()
        author = author_name(author)
        with changing(self.file) as connection:
            check_new_name(connection, name)
            self._check(annotations or {}, labels)
            number = insert_set(connection, name, labels, annotations or {}, author, "made")
            if colours:
                write_colours(connection, number, {label: check_colour(colour) for label, colour in colours.items()})

    def rename_set(self, name: str, new: str, author: str | None = None) -> None:
        """Give a set another name. Raises InputError for a name that exists."""
        self._make_file()
        with changing(self.file) as connection:
            number, _ = set_of(connection, name)
            check_new_name(connection, new)
            connection.execute("UPDATE sets SET name = ? WHERE number = ?", (new, number))
            log_change(connection, number, author_name(author), "rename", None, f"renamed from {name!r}")

    def delete_set(self, name: str) -> None:
        """Delete a set with its history, for good. Raises InputError for an unknown set."""
        self._make_file()
        with changing(self.file) as connection:
            erase_set(connection, set_of(connection, name)[0])

    def add(self, name: str, recording: str, item: Span | Event, author: str | None = None) -> int:
        """Add a span, event or point label to a recording; returns its number.

        Of a recording without annotation nothing but its items is then known: `cover` and `watch` say what else was
        looked at. Raises InputError for a label that the set has not, a time outside of the recording, a person whom
        the motion has not, and a span that overlaps another one of a set whose labels exclude each other.
        """
        return self.edit(name, recording, add=(item,), about=f"added {words_of(item)}", author=author)[0]

    def change(self, name: str, item_number: int, item: Span | Event, author: str | None = None) -> None:
        """Replace a span, event or point label, given by number; it keeps its number. Raises InputError as `add`."""

        def make(connection: sqlite3.Connection, number: int, labels: LabelSet) -> Delta:
            row = row_of(connection, number, item_number, name)
            info = self._recording(row.recording)
            return edit_delta(connection, number, labels, info, change=((item_number, row.item, item),))

        self._edit(name, author, None, f"changed to {words_of(item)}", make)

    def delete(self, name: str, item_number: int, author: str | None = None) -> None:
        """Delete a span, event or point label, given by number. Raises InputError for an unknown number."""

        def make(connection: sqlite3.Connection, number: int, labels: LabelSet) -> Delta:
            return Delta((row_of(connection, number, item_number, name),))

        self._edit(name, author, None, "deleted", make)

    def edit(
        self,
        name: str,
        recording: str,
        *,
        delete: Sequence[tuple[int, Span | Event]] = (),
        change: Sequence[tuple[int, Span | Event, Span | Event]] = (),
        add: Sequence[Span | Event] = (),
        watched: Sequence[Interval] = (),
        unwatched: Sequence[Interval] = (),
        about: str,
        author: str | None = None,
    ) -> tuple[int, ...]:
        """Change several things of a recording at once, as one step of undo; returns the numbers of what was added.

        Only what the recording is in the end has to fit: two neighbours may be moved in one go.

        Parameters:
            delete: number and item, as the caller saw it.
            change: number, item as the caller saw it, and what it becomes.
            add: new items.
            watched, unwatched: seconds that are marked as looked at, and as not looked at.
            about: what is done, in plain words, for the history.

        Raises ChangedMeanwhileError where an item is not as the caller saw it, and InputError as `add`; then nothing is
        changed.
        """
        added: list[int] = []

        def make(connection: sqlite3.Connection, number: int, labels: LabelSet) -> Delta:
            delta = edit_delta(connection, number, labels, self._recording(recording), delete=delete, change=change,
                               add=add, watched=watched, unwatched=unwatched)  # fmt: skip
            added.extend(row.number for row in delta.added[len(delta.added) - len(add) :])
            return delta

        self._edit(name, author, recording, about, make)
        return tuple(added)

    def watch(self, name: str, recording: str, intervals: Sequence[Interval], author: str | None = None) -> None:
        """Add (start, end) seconds that somebody watched to the time that was looked at; no step of undo.

        What was watched and has no label is background from then on. Raises InputError for time outside of the
        recording.
        """
        self._recording(recording)
        self._make_file()
        with changing(self.file) as connection:
            self._refresh()
            number, _ = set_of(connection, name)
            log_watching(connection, number, self._recording(recording), intervals, author_name(author))

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
            heads = []
            for recording, annotation in annotations.items():
                removed += rows_of(connection, number, recording)
                covered = None if annotation is None else covered_text(annotation.covered)
                heads.append((recording, covered_text_of(connection, number, recording), covered))
            texts = None if new == old else (labels_text(old), labels_text(new))
            return Delta(tuple(removed), annotation_rows(given, next_number(connection)), tuple(heads), texts)

        recordings = list(annotations)
        self._edit(name, author, recordings[0] if len(recordings) == 1 else None, about, make)

    def set_labels(self, name: str, labels: LabelSet, author: str | None = None) -> None:
        """Replace the label set of a set: other labels, another order, exclusive or not.

        Raises InputError where a label that is in use would be gone, spans would be of an event, and where labels that
        are to exclude each other overlap.
        """

        self.change_labels(name, lambda _: labels, f"labels: {', '.join(labels.names)}", author)

    def change_labels(
        self, name: str, change: Callable[[LabelSet], LabelSet], about: str, author: str | None = None
    ) -> None:
        """Make another label set of the one that a set has by then; raises InputError as `set_labels`."""

        def make(connection: sqlite3.Connection, number: int, old: LabelSet) -> Delta:
            new = change(old)
            return Delta() if new == old else labels_delta(connection, number, old, new, self._infos)

        self._edit(name, author, None, about, make)

    def rename_label(self, name: str, old: str, new: str, author: str | None = None) -> None:
        """Rename a label wherever it is used. Raises InputError for an unknown label, and a new one that exists."""

        def make(connection: sqlite3.Connection, number: int, labels: LabelSet) -> Delta:
            return renamed_delta(connection, number, labels, old, new)

        self._edit(name, author, None, f"label {old!r} renamed to {new!r}", make)

    def merge_labels(self, name: str, old: str, into: str, author: str | None = None) -> None:
        """Give all of a label's items another label, and delete it. Raises InputError for labels of two kinds."""

        def make(connection: sqlite3.Connection, number: int, labels: LabelSet) -> Delta:
            return merged_delta(connection, number, labels, old, into)

        self._edit(name, author, None, f"label {old!r} merged with {into!r}", make)

    def set_colour(self, name: str, label: str, colour: str | None, author: str | None = None) -> None:
        """Give a label a colour, "#rrggbb", or with None none; no step of undo. Raises InputError."""
        colour = None if colour is None else check_colour(colour)
        self._make_file()
        with changing(self.file) as connection:
            number, labels = set_of(connection, name)
            labels.index(label)
            colours = {key: value for key, value in colours_in(connection, number).items() if key != label}
            write_colours(connection, number, colours if colour is None else {**colours, label: colour})
            about = f"label {label!r} has no colour of its own" if colour is None else f"label {label!r} is {colour}"
            log_change(connection, number, author_name(author), "colour", None, about)

    def undo(self, name: str, author: str | None = None, recording: str | None = None, by: str | None = None) -> Change:
        """Take the last change of a set back, exactly; returns it.

        Parameters:
            author, recording: the last change by this author, of this recording, in place of the last one of all.
            by: who undoes; by default `author`, else the user of this computer.

        What was watched meanwhile stays watched. Raises InputError where there is nothing to undo, and
        ChangedMeanwhileError where it was changed again since, by somebody else.
        """
        return self._step(name, "undo", author, recording, by)

    def redo(self, name: str, author: str | None = None, recording: str | None = None, by: str | None = None) -> Change:
        """Make the change again that was undone last, where nothing was changed since; as `undo`."""
        return self._step(name, "redo", author, recording, by)

    # ---- how ---------------------------------------------------------------------------------------------------

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
        author = author_name(author)
        with changing(self.file) as connection:
            self._refresh()
            number, labels = set_of(connection, name)
            delta = make(connection, number, labels)
            if delta == Delta():
                return
            try:
                apply(connection, number, delta)
            except ConflictError:
                raise InputError(
                    f"annotation set {name!r}: spans or events still have a label that would be gone, or become an "
                    "event; delete or rename them first"
                ) from None
            recordings = delta.recordings
            where = recording or (recordings.pop() if len(recordings) == 1 and delta.renamed is None else None)
            log_change(connection, number, author, "edit", where, about, delta)

    def _step(self, name: str, kind: Step, author: str | None, recording: str | None, by: str | None) -> Change:
        """Undo or redo."""
        if recording is not None:
            self._recording(recording)
        self._make_file()
        with changing(self.file) as connection:
            self._refresh()
            number, _ = set_of(connection, name)
            change = next_step(connection, number, kind, author, recording)
            if change is None:
                raise NothingToStepError(f"annotation set {name!r}: nothing to {kind}")
            return step(connection, number, kind, change, author_name(by or author), self._infos)

    def _check(self, annotations: Mapping[str, Annotation], labels: LabelSet) -> None:
        """Check annotations against the recordings and a label set. Raises InputError."""
        for recording, annotation in annotations.items():
            for label in annotation.labels.names:
                labels.index(label)
            replace(annotation, labels=labels)  # raises for a span of an event's label
            check_fits(self._recording(recording), annotation)
