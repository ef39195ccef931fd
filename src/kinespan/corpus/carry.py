"""Carrying the annotation sets of a corpus over to the one that replaces it: labels by hand are never lost."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ..annotations.label_file import listed
from ..data.annotation import Annotation, LabelSet
from ..data.display import counted
from ..errors import InputError
from .covered_time import covered_text
from .index import INDEX_FILE, Index, read_index
from .info import RecordingInfo
from .set_content import (
    Delta,
    annotations_in,
    apply,
    covered_text_of,
    labels_text,
    rows_of,
)
from .set_file import (
    SETS_FILE,
    changing,
    copy_file,
    create_file,
    in_place,
    reading,
)
from .set_rows import (
    FIRST_SET,
    PREPARED_BY,
    SetInfo,
    annotation_rows,
    check_fits,
    insert_set,
    log_change,
    next_number,
    prepared_annotations,
    set_infos,
    set_of,
)
from .splits import union_of


@contextmanager
def carried_sets(
    old: Path,
    folder: Path,
    index: Index,
    additions: tuple[str, Mapping[str, Annotation]] | None = None,
    with_prepared: bool = False,
) -> Iterator[None]:
    """Carry the annotation sets of the corpus `old` over into `folder`, which replaces it within the block.

    Nobody changes the sets meanwhile. Annotations are matched to recordings by name. Labels that the new corpus is
    prepared with, those of `index`, are the new `FIRST_SET`; where that was changed by hand, it stays, and the new
    labels, if they are others than before, become a set of their own. With `additions`, a set and annotations, that set
    gets these in recordings that have none, and no other change is made. `with_prepared`: where `index` has no labels,
    those that the old corpus was prepared with are carried over too.

    Raises InputError, naming the recordings, where one with labels would vanish, or is too short for them now.
    """
    if not (old / INDEX_FILE).is_file():
        yield
        return
    file = old / SETS_FILE
    with in_place(file, replacing=True):
        prepared = _index_or_none(old)
        if file.is_file():
            copy_file(file, folder / SETS_FILE)
        elif with_prepared and index.labels is None and prepared is not None and prepared.labels is not None:
            connection = create_file(folder / SETS_FILE)
            annotations = prepared_annotations(prepared)
            insert_set(connection, FIRST_SET, prepared.labels, annotations, PREPARED_BY, "labels of the corpus")
            connection.execute("COMMIT")
            connection.close()
        if (folder / SETS_FILE).is_file():
            with changing(folder / SETS_FILE) as connection:
                _check(connection, {info.name: info for info in index.infos}, old)
                if additions is not None:
                    _replace(connection, *additions, keep=True)
                elif index.labels is not None:
                    _take_in(connection, index, prepared)
        yield


def carried_lines(old: Path, index_labels: LabelSet | None) -> list[str]:
    """A line that says which sets of a corpus `carried_sets` carries over; empty where there is none."""
    infos: Sequence[SetInfo] = ()
    if (old / SETS_FILE).is_file():
        with reading(old / SETS_FILE) as connection:
            infos = set_infos(connection)
    elif index_labels is None and (index := _index_or_none(old)) is not None and index.labels is not None:
        count = len(prepared_annotations(index))
        infos = (SetInfo(FIRST_SET, PREPARED_BY, "", index.labels, count),)
    return [f"annotation sets carried over from the corpus before: {', '.join(map(str, infos))}"] if infos else []


def _index_or_none(folder: Path) -> Index | None:
    """The index of a corpus; None where this version cannot read it."""
    try:
        return read_index(folder)
    except InputError:
        return None


def _check(connection: sqlite3.Connection, infos: Mapping[str, RecordingInfo], old: Path) -> None:
    """Raise InputError where annotations have no recording to belong to, or do not fit it."""
    for info in set_infos(connection):
        annotations = annotations_in(connection, *set_of(connection, info.name))
        lost = [name for name in annotations if name not in infos]
        if lost:
            raise InputError(
                f"{old}: {counted(len(lost), 'recording')} with labels in set {info.name!r} would vanish "
                f"({listed(lost)}); prepare their motion too, or write the labels to a file first "
                f"(kinespan annotations {old} --set {info.name} --write FILE) and prepare to another --out"
            )
        for name, annotation in annotations.items():
            try:
                check_fits(infos[name], annotation)
            except InputError as error:
                raise InputError(
                    f"{old}: labels in set {info.name!r} do not fit the motion that replaces it: {error}; prepare it "
                    "as before, or to another --out"
                ) from None


def _take_in(connection: sqlite3.Connection, index: Index, prepared: Index | None) -> None:
    """Take in the labels that the new corpus is prepared with."""
    new = prepared_annotations(index)
    names = [info.name for info in set_infos(connection)]
    if FIRST_SET not in names:
        assert index.labels is not None
        insert_set(connection, FIRST_SET, index.labels, new, PREPARED_BY, "labels of the corpus")
    elif not _is_by_hand(connection, FIRST_SET):
        _replace(connection, FIRST_SET, new, keep=False)
    elif prepared is None or prepared_annotations(prepared) != new:
        assert index.labels is not None
        number = next(n for n in range(2, len(names) + 3) if f"{FIRST_SET}-{n}" not in names)
        insert_set(connection, f"{FIRST_SET}-{number}", index.labels, new, PREPARED_BY, "labels of the corpus")


def _is_by_hand(connection: sqlite3.Connection, name: str) -> bool:
    """Whether anybody changed a set since it was prepared."""
    number, _ = set_of(connection, name)
    query = "SELECT 1 FROM changes WHERE in_set = ? AND kind IN ('edit', 'watch') AND author <> ? AND undone_by IS NULL"
    return connection.execute(query, (number, PREPARED_BY)).fetchone() is not None


def _replace(connection: sqlite3.Connection, name: str, new: Mapping[str, Annotation], keep: bool) -> None:
    """Replace the annotations of a set, or with `keep` those of recordings that have none, as one change."""
    number, labels = set_of(connection, name)
    old = annotations_in(connection, number, labels)
    new = {recording: annotation for recording, annotation in new.items() if not (keep and recording in old)}
    if not new or (not keep and old == new):
        return
    label_sets = [annotation.labels for annotation in new.values()]
    union = union_of([labels, *label_sets] if keep else label_sets)
    assert union is not None
    fitting = {recording: replace(annotation, labels=union) for recording, annotation in new.items()}
    added = annotation_rows(fitting, next_number(connection))
    heads: list[tuple[str, str | None, str | None]] = [
        (recording, covered_text_of(connection, number, recording), covered_text(annotation.covered))
        for recording, annotation in new.items()
    ]
    removed = [] if keep else rows_of(connection, number)
    heads += [
        (recording, covered_text_of(connection, number, recording), None)
        for recording in ([] if keep else old)
        if recording not in new
    ]
    texts = None if union == labels else (labels_text(labels), labels_text(union))
    delta = Delta(tuple(removed), added, tuple(heads), texts)
    apply(connection, number, delta)
    log_change(
        connection, number, PREPARED_BY, "edit", None, "labels of recordings added" if keep else "prepared again", delta
    )
