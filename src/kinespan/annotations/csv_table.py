"""A table of labels: one line a span or an instant, opened by any spreadsheet or statistics program.

We write RFC 4180. Read are our own tables and those of other programs, by the names of their columns
(`kinespan.annotations.table_columns`): with a start and an end or a duration, with one time of an instant, or with one
time and a word that says whether a state starts or stops there. `kinespan.annotations.text_table` says what tables may
look like.
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
from .marks import spans_of_marks
from .table_columns import KNOWN, LABEL, MARKS, NO_TIER, TIMES, Columns
from .text_table import NOT_AVAILABLE, Table, head_rows, number, parse_time, plain_cell, read_cells
from .tiers import lost_lines

COLUMNS = ("recording", "label", "start", "end", "start_frame", "end_frame", "score", "person")
"""The header that we write. Start and end in seconds and in frames of the recording's own rate, the end excluded; an
event has no end. What is not known is empty."""
REQUIRED_COLUMNS = COLUMNS[:4]
"""The columns of a table of ours that has no others."""
_RANGE = re.compile(r"\s*([\d:.,]+)\s*(?:-|–|to)\s*([\d:.,]+)\s*", re.ASCII)
_WHOLE = re.compile(r"-?\d+", re.ASCII)


def write(file: LabelFile, path: Path, clocks: Mapping[str, Clock]) -> tuple[str, ...]:
    """Write the table of spans and events, UTF-8, lines ended by CR LF.

    With columns for tiers and for the time that was looked at, in the first row of each recording, where there are
    some. Raises InputError for a bad path.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text)
    more = [name for name in ("tier", "modifier") if any(getattr(row, name) for row in file.rows)]
    covered: dict[str, str] = {}
    for row in file.covered:
        earlier = f"{covered[row.recording]}; " if row.recording in covered else ""
        covered[row.recording] = f"{earlier}{row.start:.6f}-{row.end:.6f}"
    has_covered = bool(covered)
    table.writerow((*COLUMNS, *more, *(["covered"] if has_covered else [])))
    for row in file.rows:
        clock = clocks.get(row.recording)
        frames: tuple[int | None, int | None] = None, None
        if clock is not None:
            frames = (clock.frame(row.start), None) if row.end is None else clock.frames(row.start, row.end)
        cells = (row.recording, row.label, row.start, row.end, *frames, row.score, row.person)
        watched = (covered.pop(row.recording, ""),) if has_covered else ()
        table.writerow((*cells, *(getattr(row, name) for name in more), *watched))
    for name, stretches in covered.items():
        table.writerow((name, *[""] * (len(COLUMNS) - 1 + len(more)), stretches))
    write_atomically(path, text.getvalue())
    return tuple(lost_lines(file, "CSV", "tier", "person", "score", "modifier", "covered"))


def read(path: Path) -> LabelFile:
    """The rows of a table with columns for a label and for times, and for the recording, else they are of the file's.

    Further columns are those of tiers, modifiers and scores, ``person`` (a person slot), ``offset`` (seconds to add to
    the times of the row) and ``covered`` (the time that was looked at, such as ``0-60`` or ``0-20; 30-60``); each may
    be empty, others are ignored. A row that has a recording only, or with covered time, lists it. Times are as the
    header says, else seconds or ``m:ss.ms``; a row without an end is an instant. Raises InputError, naming file and
    line, for anything else.
    """
    table = read_cells(path, KNOWN, least=2)
    columns = Columns.of(table)
    rows: list[LabelRow] = []
    covered: list[LabelRow] = []
    marks: list[str] = []
    recordings: dict[str, None] = {}
    unlabelled = 0
    for line, cells in table.rows:
        entry = _Entry(columns, cells, line, f"{path}, line {line}")
        if entry.is_line_of_units():
            continue
        recording = entry.text(columns.recording) if columns.recording is not None else path.stem
        if not recording:
            raise InputError(f"{entry.where}: field recording is empty; give all of {', '.join(REQUIRED_COLUMNS)}")
        recordings[recording] = None
        covered += entry.covered(recording)
        if entry.label.strip().casefold() in NOT_AVAILABLE - {"", "nan"}:
            unlabelled += 1
        elif entry.label.strip() or entry.has_times():
            rows.append(entry.row(recording))
            marks.append(MARKS.get(entry.text(columns.status).casefold(), "point"))
    if not recordings and columns.recording is not None:
        raise InputError(f"{path}: no annotation after the header")
    recordings = recordings or {path.stem: None}
    notes = [*table.notes, *columns.notes(table)]
    if columns.recording is None:
        notes.append(f"decided: no column of recordings; all rows are of {path.stem!r}")
    if unlabelled:
        notes.append(f"left out: {unlabelled} row{'' if unlabelled == 1 else 's'} without a label (n/a)")
    if columns.status is not None:
        rows = spans_of_marks(rows, marks, notes)
    open_unit = _open_unit(table, columns, rows)
    return LabelFile(path, tuple(recordings), tuple(rows), tuple(covered), notes=tuple(notes), open_unit=open_unit)


def sniff(path: Path, head: bytes) -> bool:
    """A table whose header has a label and a time."""
    times = {name for each in TIMES for name in (*each.starts, *each.times)}
    return any(
        not names.isdisjoint(LABEL) and not names.isdisjoint(times)
        for cells in head_rows(head, 60)
        if (names := {plain_cell(cell) for cell in cells})
    )


FORMATS.register("csv")(AnnotationFormat((".csv",), "a table, one line a span", read, write, sniff))


@dataclass(frozen=True)
class _Entry:
    """A line of a table."""

    columns: Columns
    cells: Sequence[str]
    line: int
    where: str

    def text(self, column: int | None) -> str:
        """A cell, nothing for a column that is not there."""
        return "" if column is None else self.cells[column].strip()

    @property
    def label(self) -> str:
        """The label as it is spelt: who joins spellings says so."""
        return self.cells[self.columns.label]

    def has_times(self) -> bool:
        """Whether one of its times is filled."""
        times = self.columns.times
        return any(self.text(column) for column in (times.start, times.end, times.time))

    def is_line_of_units(self) -> bool:
        """Whether it is the line of units that follows the header in some tables."""
        times = self.columns.times
        return self.text(times.start if times.time is None else times.time) in ("s", "ms") and not self.label.strip()

    def row(self, recording: str) -> LabelRow:
        """The row of a label. Raises InputError for a time that is none."""
        columns, times = self.columns, self.columns.times
        if not self.label.strip():
            raise InputError(f"{self.where}: field label is empty; give all of {', '.join(REQUIRED_COLUMNS)}")
        is_span = times.start is not None
        start, unit = self.time(times.start if is_span else times.time, "start" if is_span else "time")
        end, end_unit = self.end(start, unit) if is_span else (None, unit)
        if unit != end_unit and start != 0 and end != 0:
            raise InputError(
                f"{self.where}: one of start and end is written as m:ss, the other is not; write both alike"
            )
        unit, offset = (
            unit or end_unit or times.columns.unit,
            self.number(columns.offset, "offset", "seconds as a number"),
        )
        fps = self.number(columns.fps, "the rate", "frames a second") if unit == "frames" else None
        if fps:
            start, end, unit = start / fps, None if end is None else end / fps, "seconds"
        tier = " / ".join(
            filter(None, (name for i in columns.tiers if (name := self.text(i)).casefold() not in NO_TIER))
        )
        modifier = " | ".join(filter(None, (self.text(i) for i in columns.modifiers)))
        score = self.number(columns.score, "score", "a number")
        return LabelRow(
            recording, self.label, start, end, f"line {self.line}", self.person(), unit, offset, tier, score, modifier
        )

    def end(self, start: float, unit: Unit | None) -> tuple[float | None, Unit | None]:
        """The end of a span, or none."""
        times = self.columns.times
        if times.end is not None:
            if self.text(times.end).casefold() in NOT_AVAILABLE:
                return None, unit
            return self.time(times.end, "end")
        if times.duration is None or self.text(times.duration).casefold() in NOT_AVAILABLE:
            return None, unit
        length, length_unit = self.time(times.duration, "duration")
        return (start + length if length else None), unit or length_unit

    def time(self, column: int | None, name: str) -> tuple[float, Unit | None]:
        """The time in a cell, and its unit where the cell shows it."""
        text = self.text(column)
        if not text:
            raise InputError(f"{self.where}: field {name} is empty; give all of {', '.join(REQUIRED_COLUMNS)}")
        try:
            return parse_time(text)
        except ValueError:
            raise InputError(f"{self.where}: {name} is {text!r}, expected seconds as a number, or m:ss") from None

    def number(self, column: int | None, name: str, expected: str) -> float | None:
        """A number, None for an empty cell."""
        text = self.text(column)
        if text.casefold() in {*NOT_AVAILABLE, "na"}:
            return None
        try:
            return number(text)
        except ValueError:
            raise InputError(f"{self.where}: {name} is {text!r}, expected {expected}") from None

    def person(self) -> int | None:
        """The person slot."""
        person = self.text(self.columns.person)
        if person.casefold() in ("", "n/a"):
            return None
        if not (person.isascii() and person.isdecimal()):
            raise InputError(f"{self.where}: person is {person!r}, expected the number of a person slot, 0 or more")
        return int(person)

    def covered(self, recording: str) -> list[LabelRow]:
        """The stretches of time in the cell ``covered``."""
        rows = []
        for stretch in filter(str.strip, self.text(self.columns.covered).split(";")):
            bounds = _RANGE.fullmatch(stretch)
            try:
                (start, unit), (end, _) = map(parse_time, bounds.groups() if bounds else ("", ""))
            except ValueError:
                start = end = 0.0
            if end <= start:
                raise InputError(
                    f"{self.where}: covered is {stretch.strip()!r}, expected start-end in seconds, such as 0-60"
                )
            offset = self.number(self.columns.offset, "offset", "seconds as a number")
            rows.append(LabelRow(recording, "", start, end, f"line {self.line}", unit=unit, offset=offset))
        return rows


def _open_unit(table: Table, columns: Columns, rows: Sequence[LabelRow]) -> str:
    """The column of times whose unit nothing says: a name that programs use for several, and whole numbers only."""
    times = columns.times
    if not times.columns.is_open or times.start is None or any(row.unit for row in rows):
        return ""
    texts = {cells[i].strip() for _, cells in table.rows for i in (times.start, times.end) if i is not None} - {""}
    return table.header[times.start] if all(map(_WHOLE.fullmatch, texts)) else ""
