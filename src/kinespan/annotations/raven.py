"""Raven selection tables: begin and end in seconds of a recording, by the view and the channel they were drawn in."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

from ..data.clock import Clock
from ..errors import InputError
from ..files import write_atomically
from .base import FORMATS, AnnotationFormat
from .label_file import LabelFile, LabelRow
from .text_table import head_rows, number, plain_cell, read_cells
from .tiers import lost_lines

_OWN = frozenset(
    {
        "selection",
        "view",
        "channel",
        "begin time (s)",
        "end time (s)",
        "low freq (hz)",
        "high freq (hz)",
        "begin file",
        "begin path",
    }
)
_LABEL = ("annotation", "species", "label", "behavior", "call", "call type", "type", "class", "sound type")
"""Usual names of the column of labels, which users name."""
_BAND = ("0.0", "1000.0")
"""Lowest and highest frequency of what is written: a selection has them, motion does not, and any sound holds these."""


def sniff(path: Path, head: bytes) -> bool:
    """A header with a selection and its begin in seconds."""
    rows = head_rows(head, 1)
    return bool(rows) and {"selection", "begin time (s)"} <= {plain_cell(cell) for cell in rows[0]}


def read(path: Path) -> LabelFile:
    """The selections of a table; the tier is the view, and a selection drawn in several views is one.

    Recordings are those of the column ``Begin File``, else the file's own name. Raises InputError, naming the line.
    """
    table = read_cells(path, _OWN, least=2)
    begin, end, selection = (table.column(name) for name in ("begin time (s)", "end time (s)", "selection"))
    if begin is None or end is None or selection is None:
        raise InputError(f"{path}: no selection table; expected the columns Selection, Begin Time (s), End Time (s)")
    label = table.column(*_LABEL)
    if label is None:
        label = next(
            (i for i, name in enumerate(table.header) if plain_cell(name) not in _OWN and "(" not in name), None
        )
    view, recording = table.column("view"), table.column("begin file")
    rows: list[LabelRow] = []
    seen: set[tuple[str, ...]] = set()
    doubles = unlabelled = 0
    for line, cells in table.rows:
        times = []
        for index in (begin, end):
            try:
                times.append(number(cells[index].strip()))
            except ValueError:
                raise InputError(
                    f"{path}, line {line}: {table.header[index]} is {cells[index]!r}, expected seconds"
                ) from None
        name = (cells[recording].strip() if recording is not None else "") or path.stem
        text = cells[label] if label is not None else ""
        key = (name, cells[selection].strip(), text)
        if not text.strip():
            unlabelled += 1
        elif key in seen:
            doubles += 1
        else:
            seen.add(key)
            tier = cells[view].strip() if view is not None else ""
            rows.append(LabelRow(name, text, times[0], times[1], f"line {line}", unit="seconds", tier=tier))
    notes = list(table.notes)
    notes.append("decided: labels are " + ("of no column" if label is None else f"the column {table.header[label]!r}"))
    notes += [f"left out: {doubles} selections that stand there once more, of another view"] if doubles else []
    notes += [f"left out: {unlabelled} selections without a label"] if unlabelled else []
    return LabelFile(
        path, tuple(dict.fromkeys(row.recording for row in rows)) or (path.stem,), tuple(rows), notes=tuple(notes)
    )


def write(file: LabelFile, path: Path, clocks: Mapping[str, Clock]) -> tuple[str, ...]:
    """Write a selection a row: the label under Annotation, the recording under Begin File. Raises InputError."""
    text = io.StringIO(newline="")
    table = csv.writer(text, delimiter="\t", lineterminator="\n")
    band = ("Low Freq (Hz)", "High Freq (Hz)")
    table.writerow(
        ("Selection", "View", "Channel", "Begin Time (s)", "End Time (s)", *band, "Begin File", "Annotation")
    )
    for index, row in enumerate(file.rows, 1):
        end = row.start if row.end is None else row.end
        times = repr(float(row.start)), repr(float(end))
        table.writerow((index, row.tier or "Spectrogram 1", 1, *times, *_BAND, row.recording, row.label))
    write_atomically(path, text.getvalue())
    return tuple(lost_lines(file, "Raven", "tier"))


FORMATS.register("raven")(AnnotationFormat((".txt",), "Raven selection table", read, write, sniff))
