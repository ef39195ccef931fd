"""Tab-delimited text of ELAN: one row an annotation (long), or one column a tier (wide), with a header or without.

ELAN writes each time in any of hh:mm:ss.ms, ss.msec, msec and SMPTE frames, as the header says after a hyphen, in the
language of its menus. Written is the long form with a header and milliseconds, which ELAN imports.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data.clock import Clock
from ..errors import InputError
from ..files import write_atomically
from .base import FORMATS, AnnotationFormat
from .label_file import LabelFile, LabelRow, Unit
from .table_columns import RECORDING
from .text_table import Table, head_rows, parse_time, plain_cell, read_cells
from .tiers import lost_lines, rows_of

_FORMS: Mapping[str, Unit] = {"hh:mm:ss.ms": "seconds", "ss.msec": "seconds", "msec": "milliseconds"}
"""What stands after the hyphen of a time, and its unit."""
_TIMED = re.compile(r"(?P<word>.+?) - (?P<form>hh:mm:ss\.ms|ss\.msec|msec|hh:mm:ss:ff.*|.*SMPTE.*)", re.IGNORECASE)
_PLAIN = ("begin time", "end time", "duration")
"""The words of times without a unit, as tables made for ELAN have them."""
_TIER, _PARTICIPANT, _TEXT = (
    ("tier", "tier name"),
    ("participant",),
    ("annotation", "annotation value", "value", "text"),
)
_FILE = ("file", "file name", "file path", "media file", "filename", "transcription", "transcription name", *RECORDING)
_TOLERANCE = 0.0021
"""Seconds by which a duration may differ from end minus start."""
_MAX_TIMES = 12
"""Time columns in the rows of a table without a header."""


@dataclass(frozen=True)
class _Layout:
    """Which columns hold what, by index."""

    start: int
    end: int
    unit: Unit | None
    """None where nothing says it."""
    is_open: bool
    tier: int | None
    text: int | None
    """The column of labels; None for the wide form."""
    tiers: tuple[int, ...] = ()
    """The columns of the wide form, each of which is a tier."""
    recording: int | None = None
    notes: tuple[str, ...] = ()


def sniff(path: Path, head: bytes) -> bool:
    """A header with ELAN's times, or rows of a tier, two to twelve times that agree, and a value."""
    rows = head_rows(head)
    if not rows or b"\t" not in head.replace(b"\0", b""):
        return False
    names = [plain_cell(cell) for cell in rows[0]]
    if any(_TIMED.fullmatch(cell.strip()) for cell in rows[0]) or set(_PLAIN[:2]) <= set(names):
        return True
    return _headerless([cells for cells in rows if len(cells) == len(rows[0])]) is not None


def read(path: Path) -> LabelFile:
    """The annotations of all tiers; of a wide table each filled cell of a tier's column is one.

    An annotation that ends where it begins is an instant. Raises InputError, naming file and line.
    """
    table = read_cells(path, {*_PLAIN, *_TIER}, has_header=False)
    if not table.rows:
        raise InputError(f"{path}: it has no rows")
    layout = _headerless([cells for _, cells in table.rows])
    body = table.rows
    if layout is None:
        header = Table(path, tuple(table.rows[0][1]), "\t".join(table.rows[0][1])[:120], table.rows[1:])
        layout, body = _layout(header), table.rows[1:]
    names = [cell.strip() for cell in table.rows[0][1]]
    rows: list[LabelRow] = []
    empty = 0
    for line, cells in body:
        cells = (*cells, *[""] * (len(names) - len(cells)))
        start, end = _time(path, line, cells, layout.start), _time(path, line, cells, layout.end)
        recording = (cells[layout.recording].strip() if layout.recording is not None else "") or path.stem
        if layout.text is not None:
            tier = "" if layout.tier is None else cells[layout.tier].strip()
            texts = [(tier, cells[layout.text])]
        else:
            texts = [(names[index], cells[index]) for index in layout.tiers if cells[index].strip()]
        for tier, text in texts:
            if not text.strip():
                empty += 1
                continue
            rows.append(LabelRow(recording, text, start, end, f"line {line}", unit=layout.unit, tier=tier))
    notes = [*table.notes, *layout.notes]
    if empty:
        notes.append(f"left out: {empty} annotation{'' if empty == 1 else 's'} without text")
    is_open = layout.is_open and all(
        row.start == int(row.start) and (row.end or 0) == int(row.end or 0) for row in rows
    )
    recordings = tuple(dict.fromkeys(row.recording for row in rows)) or (path.stem,)
    open_unit = (names[layout.start] if body is not table.rows else "begin time") if is_open else ""
    return LabelFile(path, recordings, tuple(rows), notes=tuple(notes), open_unit=open_unit)


def write(file: LabelFile, path: Path, clocks: Mapping[str, Clock]) -> tuple[str, ...]:
    """Write a row an annotation, in whole milliseconds; an instant ends where it begins. Raises InputError."""
    text = io.StringIO(newline="")
    table = csv.writer(text, delimiter="\t", lineterminator="\n")
    has_files = len({row.recording for row in file.rows}) > 1
    more = ("File",) if has_files else ()
    table.writerow(("Tier", "Begin Time - msec", "End Time - msec", "Duration - msec", "Annotation", *more))
    rounded = 0
    for row in file.rows:
        end_time = row.start if row.end is None else row.end
        start, end = round(row.start * 1000), round(end_time * 1000)
        if row.end is not None and row.end > row.start:
            end = max(end, start + 1)
        rounded += max(abs(row.start * 1000 - start), abs(end_time * 1000 - end)) > 1e-6
        tier = row.tier or ("labels" if row.person is None else f"person {row.person}")
        table.writerow((tier, start, end, end - start, row.label, *([row.recording] if has_files else [])))
    write_atomically(path, text.getvalue())
    lost = [f"rounded to whole milliseconds: the times of {rows_of(rounded)}"] if rounded else []
    return (*lost, *lost_lines(file, "text of ELAN", "tier"))


FORMATS.register("elan_tab")(
    AnnotationFormat((".txt", ".tsv"), "ELAN tab-delimited text, long and wide", read, write, sniff, resolution=0.001)
)


def _time(path: Path, line: int, cells: Sequence[str], index: int) -> float:
    """A time as it stands."""
    text = cells[index].strip() if index < len(cells) else ""
    try:
        return parse_time(text)[0]
    except ValueError:
        raise InputError(f"{path}, line {line}: {text!r} in column {index + 1}, expected a time") from None


def _layout(table: Table) -> _Layout:
    """The layout that a header says. Raises InputError where it has no times."""
    columns = _timed_columns(table.header)
    plain = [table.column(name) for name in _PLAIN[:2]]
    notes: list[str] = []
    unit: Unit | None
    if columns:
        form = next((form for form in ("msec", "ss.msec", "hh:mm:ss.ms") if form in columns), None)
        if form is None or len(columns[form]) < 2 or _is_length(table.header[columns[form][1]]):
            raise InputError(f"{table.path}: no begin and end but in SMPTE frames; export begin and end times in msec")
        start, end = columns[form][:2]
        unit, is_open = _FORMS[form], False
        notes.append(f"decided: times are the columns {table.header[start]!r} and {table.header[end]!r}")
        times = {index for indices in columns.values() for index in indices}
    elif plain[0] is not None and plain[1] is not None:
        start, end = plain[0], plain[1]
        clock = any(":" in cells[start] for _, cells in table.rows)
        unit, is_open = ("seconds" if clock else None), not clock
        times = {start, end, *(index for name in _PLAIN if (index := table.column(name)) is not None)}
    else:
        raise InputError(
            f"{table.path}: no times of ELAN; expected columns such as 'Begin Time - msec' and 'End Time - msec', "
            f"found {table.header_line!r}"
        )
    tier, text = table.column(*_TIER), table.column(*_TEXT)
    recording = table.column(*(name for name in _FILE if name not in ("tier", "text")))
    if text is not None and (tier is not None or len(table.header) <= len(times) + 1):
        return _Layout(start, end, unit, is_open, tier, text, recording=recording, notes=tuple(notes))
    last = max(times)
    tiers = tuple(i for i, name in enumerate(table.header) if i not in times and name.strip() and i > min(times))
    if not tiers:
        raise InputError(f"{table.path}: no column of a tier; found {table.header_line!r}")
    notes.append(f"decided: each of the {len(tiers)} columns after the times is a tier")
    aside = [table.header[i] for i in range(min(min(times), last)) if i != recording and table.header[i].strip()]
    if aside:
        notes.append(
            f"left out: the column{'s' if len(aside) > 1 else ''} before the times: {', '.join(map(repr, aside))}"
        )
    recording = recording if recording is not None and recording not in tiers else None
    return _Layout(start, end, unit, is_open, None, None, tiers, recording, tuple(notes))


def _is_length(name: str) -> bool:
    """Whether a column is a duration, in one of the languages of ELAN's menus."""
    return plain_cell(name).startswith(("dur", "dau", "länge", "longu", "lunghe"))


def _timed_columns(header: Sequence[str]) -> dict[str, list[int]]:
    """The columns of begin, end and duration, in this order, of each form of time, in any language of ELAN's menus."""
    columns: dict[str, list[int]] = {}
    for index, cell in enumerate(header):
        match = _TIMED.fullmatch(cell.strip())
        if match:
            columns.setdefault(match["form"].lower(), []).append(index)
    return columns


def _headerless(rows: Sequence[Sequence[str]]) -> _Layout | None:
    """The layout of rows without a header: tier, perhaps a participant, times, a value; None where they are not so."""
    rows = [cells for cells in rows if any(cell.strip() for cell in cells)]
    if not rows or len({len(cells) for cells in rows}) != 1 or any(not cells[0].strip() for cells in rows):
        return None
    if any(_seconds(cells[0]) is not None for cells in rows):
        return None
    for first in (1, 2):
        count = 0
        while (
            first + count < len(rows[0])
            and count < _MAX_TIMES
            and all(_seconds(cells[first + count]) is not None for cells in rows)
        ):
            count += 1
        for size, has_lengths in ((count // 3, True), (count // 2, False)):
            if size and first + size * (3 if has_lengths else 2) < len(rows[0]):
                layout = _agreeing(rows, first, size, has_lengths)
                if layout is not None:
                    return layout
    return None


def _agreeing(rows: Sequence[Sequence[str]], first: int, size: int, has_lengths: bool) -> _Layout | None:
    """The layout of `size` forms of each time from a column on, if starts, ends and lengths agree in all rows."""
    text = first + size * (3 if has_lengths else 2)
    for form in range(size):
        start, end = first + form, first + size + form
        for cells in rows:
            begin, stop = _seconds(cells[start]), _seconds(cells[end])
            length = _seconds(cells[first + 2 * size + form]) if has_lengths else None
            if begin is None or stop is None or stop < begin:
                return None
            if has_lengths and (length is None or abs(stop - begin - length) > _TOLERANCE):
                return None
    exact = next((i for i in range(size) if any(set(":.,") & set(cells[first + i]) for cells in rows)), None)
    start = first + (exact or 0)
    words = ["tier", *["participant"] * (first - 1), "begin", "end", *["duration"] * has_lengths, "value"]
    notes = (f"decided: no header; columns are {', '.join(words)}, as begin, end and value agree",)
    unit: Unit | None = None if exact is None else "seconds"
    return _Layout(start, start + size, unit, exact is None, 0, text, notes=notes)


def _seconds(text: str) -> float | None:
    """A time, None for what is none."""
    try:
        return parse_time(text.strip())[0]
    except ValueError:
        return None
