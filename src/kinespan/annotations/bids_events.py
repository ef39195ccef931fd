"""BIDS events.tsv: onset and duration in seconds, n/a for what is not known, and what happened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..data.clock import Clock
from ..errors import InputError
from ..files import write_atomically
from . import csv_table
from .base import FORMATS, AnnotationFormat
from .label_file import LabelFile
from .text_table import head_rows, plain_cell
from .tiers import lost_lines

_ENDING = "_events"
_COLUMNS = ("onset", "duration", "trial_type")
_MORE = ("tier", "modifier", "person", "score")


def sniff(path: Path, head: bytes) -> bool:
    """A table separated by tabs that begins with onset and duration."""
    rows = head_rows(head, 1)
    return (
        bool(rows)
        and [plain_cell(cell) for cell in rows[0][:2]] == ["onset", "duration"]
        and b"\t" in head.replace(b"\0", b"")
    )


def read(path: Path) -> LabelFile:
    """The events of a run, named after the file without ``_events``; a duration of 0 or n/a is an instant.

    The label is trial_type, else event_type, annotation_type or value. Raises InputError, naming file and line.
    """
    file = csv_table.read(path)
    names = {path.stem: path.stem.removesuffix(_ENDING) or path.stem}
    return replace(
        file,
        recordings=tuple(names.get(name, name) for name in file.recordings),
        rows=tuple(
            replace(row, recording=names.get(row.recording, row.recording), unit=row.unit or "seconds")
            for row in file.rows
        ),
        notes=tuple(note for note in file.notes if not note.startswith("decided: no column of recordings")),
    )


def write(file: LabelFile, path: Path, clocks: Mapping[str, Clock]) -> tuple[str, ...]:
    """Write rows by onset, with the columns that are needed; an instant has the duration n/a.

    Raises InputError for a bad path, and for labels of more than one recording.
    """
    if len({row.recording for row in file.rows}) > 1:
        raise InputError(f"{path}: events.tsv is of one recording, not {len(file.recordings)}; write a file for each")
    more = [name for name in _MORE if any(getattr(row, name) not in (None, "") for row in file.rows)]
    lines = ["\t".join((*_COLUMNS, *more))]
    changed = 0
    for row in sorted(file.rows, key=lambda row: row.start):
        length = "n/a" if row.end is None else repr(float(row.end) - float(row.start))
        label = " ".join(row.label.split())
        changed += label != row.label
        cells = (
            " ".join(str(getattr(row, name)).split()) if getattr(row, name) not in (None, "") else "n/a"
            for name in more
        )
        lines.append("\t".join((repr(float(row.start)), length, label or "n/a", *cells)))
    write_atomically(path, "\n".join(lines) + "\n")
    lost = [f"blanks joined in {changed} labels, which a line of the table cannot hold"] if changed else []
    return (*lost, *lost_lines(file, "BIDS", *_MORE))


FORMATS.register("bids_events")(AnnotationFormat((".tsv",), "BIDS events", read, write, sniff, one_recording=True))
