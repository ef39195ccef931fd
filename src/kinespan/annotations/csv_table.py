"""A table of labels: one line a span or an instant, opened by any spreadsheet or statistics program.

We write RFC 4180. Read are commas, semicolons and tabs, decimal points and commas, and times as seconds or m:ss.
"""

from __future__ import annotations

import csv
import difflib
import io
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..data.clock import Clock
from ..errors import InputError
from ..files import write_atomically
from .base import FORMATS, AnnotationFormat
from .label_file import LabelFile, LabelRow, Unit

COLUMNS = ("recording", "label", "start", "end", "start_frame", "end_frame", "score", "person")
"""The header that we write. Start and end in seconds and in frames of the recording's own rate, the end excluded; an
event has no end. What is not known is empty."""
REQUIRED_COLUMNS = COLUMNS[:4]
"""The columns that are read; others may be beside them."""
ALIASES: Mapping[str, tuple[str, ...]] = {
    "recording": ("recording",),
    "label": ("label",),
    "start": ("start",),
    "end": ("end",),
    "time": ("time",),
    "person": ("person",),
    "offset": ("offset",),
    "covered": ("covered",),
}
"""The columns that have a meaning, and the headers by which each is known, in lower case."""
_DELIMITERS = ",;\t|"
_CLOCK = re.compile(r"(-?)(?:(\d+):)?(\d+):(\d+(?:[.,]\d+)?)")
"""[h:]m:ss[.ms]"""
_RANGE = re.compile(r"\s*([\d:.,]+)\s*(?:-|–|to)\s*([\d:.,]+)\s*")


def write(file: LabelFile, path: Path, clocks: Mapping[str, Clock]) -> tuple[str, ...]:
    """Write the table of spans and events, UTF-8, lines ended by CR LF; with a column for tiers where there are some.

    Raises InputError for a bad path.
    """
    text = io.StringIO(newline="")
    table = csv.writer(text)
    has_tiers = any(row.tier for row in file.rows)
    table.writerow((*COLUMNS, "tier") if has_tiers else COLUMNS)
    for row in file.rows:
        clock = clocks.get(row.recording)
        frames: tuple[int | None, int | None] = None, None
        if clock is not None:
            frames = (clock.frame(row.start), None) if row.end is None else clock.frames(row.start, row.end)
        cells = (row.recording, row.label, row.start, row.end, *frames, row.score, row.person)
        table.writerow((*cells, row.tier) if has_tiers else cells)
    write_atomically(path, text.getvalue())
    return ()


def read(path: Path) -> LabelFile:
    """The rows of a table with the header ``recording,label,start,end``, or ``recording,label,time`` for instants.

    Further columns are ``person`` (a person slot), ``offset`` (seconds to add to the times of the row) and ``covered``
    (the time that was looked at, such as ``0-60`` or ``0-20; 30-60``); each may be empty, others are ignored. A row
    that has a recording only, or with covered time, lists it. Times are seconds or ``m:ss.ms``; a row without an end is
    an instant. Raises InputError, naming file and line, for anything else.
    """
    table = read_table(path, ALIASES)
    has_times = {"start", "end"} <= set(table.columns) or "time" in table.columns
    missing = [name for name in ("recording", "label") if name not in table.columns]
    missing += [] if has_times else [name for name in ("start", "end") if name not in table.columns]
    if missing:
        hint = (
            ""
            if "end" not in missing or "start" in missing
            else "; for instants name the column time in place of start"
        )
        raise InputError(
            f"{path}: no column {', '.join(missing)}; expected the header {','.join(REQUIRED_COLUMNS)}, "
            f"found {table.header!r}{hint}"
        )
    rows: list[LabelRow] = []
    covered: list[LabelRow] = []
    recordings: dict[str, None] = {}
    for line, texts in table.rows:
        where = f"{path}, line {line}"
        # a label stays as it is spelt: who joins spellings says so
        cells = {name: text if name == "label" and text.strip() else text.strip() for name, text in texts.items()}
        if not cells["recording"]:
            raise InputError(f"{where}: field recording is empty; give all of {', '.join(REQUIRED_COLUMNS)}")
        recordings[cells["recording"]] = None
        covered += _covered(cells, line, where)
        if any(cells.get(name) for name in ("label", "start", "end", "time")):
            rows.append(_row(cells, line, where))
    if not recordings:
        raise InputError(f"{path}: no annotation after the header")
    return LabelFile(path, tuple(recordings), tuple(rows), tuple(covered))


FORMATS.register("csv")(AnnotationFormat((".csv",), "a table, one line a span", read, write))


@dataclass(frozen=True)
class TextTable:
    """The cells of a text table by column."""

    columns: tuple[str, ...]
    """The columns that are known, by their own names."""
    header: str
    """The first line of the file, cut to 120 characters."""
    rows: tuple[tuple[int, dict[str, str]], ...]
    """Line number and cells, by column, of each row that is not empty."""


def read_table(path: Path, aliases: Mapping[str, tuple[str, ...]]) -> TextTable:
    """The columns of a text table that `aliases` knows, separated by what its header is separated by.

    Raises InputError, naming the file and the line, for a file that is not a text table.
    """
    text = _text(path)
    header = next((line for line in text.splitlines() if line.strip()), "")
    names = {alias: column for column, headers in aliases.items() for alias in headers}

    def known(delimiter: str) -> int:
        cells = next(csv.reader([header], delimiter=delimiter), [])
        return sum(_plain(cell) in names for cell in cells)

    delimiter = max(_DELIMITERS, key=known)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True, strict=True)
    columns: list[str | None] | None = None
    rows: list[tuple[int, dict[str, str]]] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None:
                columns = [names.get(_plain(cell)) for cell in cells]
                _check_columns(columns, path)
                continue
            if any(cell.strip() for cell in cells[len(columns) :]):
                raise InputError(
                    f"{path}, line {reader.line_num}: {len(cells)} fields, but the header names {len(columns)}; "
                    "put numbers with a decimal comma and labels with a comma into double quotes"
                )
            values = {name: cell for name, cell in zip(columns, cells, strict=False) if name is not None}
            rows.append((reader.line_num, {**{name: "" for name in columns if name is not None}, **values}))
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: cannot be read as a table ({error})") from None
    return TextTable(tuple(name for name in columns or () if name is not None), header[:120], tuple(rows))


def nearest_column(name: str, header: str) -> str:
    """A hint to the word of a header that is most like a column's name, or nothing."""
    close = difflib.get_close_matches(name, re.split(r"[,;\t|]", header), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def number(text: str) -> float:
    """A number with a decimal point or comma. Raises ValueError for anything else."""
    value = float(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text)
    if not math.isfinite(value) or "_" in text:
        raise ValueError(text)
    return value


def _text(path: Path) -> str:
    """The text of a file. Raises InputError where it cannot be read or is not UTF-8."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(
            f"{path}, line {line}: a character that is not UTF-8; save the table as text with the encoding UTF-8 "
            "(in a spreadsheet: CSV UTF-8)"
        ) from None


def _plain(cell: str) -> str:
    return " ".join(cell.split()).casefold()


def _check_columns(columns: list[str | None], path: Path) -> None:
    named = [name for name in columns if name is not None]
    for name in named:
        if named.count(name) > 1:
            raise InputError(f"{path}: the column {name} occurs twice in the header; keep one")


def _row(cells: Mapping[str, str], line: int, where: str) -> LabelRow:
    is_span = "start" in cells
    for column in ("label", "start" if is_span else "time"):
        if not cells[column]:
            raise InputError(f"{where}: field {column} is empty; give all of {', '.join(REQUIRED_COLUMNS)}")
    start, unit = _time(cells, "start" if is_span else "time", where)
    end, end_unit = _time(cells, "end", where) if is_span and cells.get("end") else (None, unit)
    if unit != end_unit and start != 0 and end != 0:
        raise InputError(f"{where}: one of start and end is written as m:ss, the other is not; write both alike")
    person = cells.get("person") or None
    if person is not None and not person.isdecimal():
        raise InputError(f"{where}: person is {person!r}, expected the number of a person slot, 0 or more")
    offset = None
    if cells.get("offset"):
        try:
            offset = number(cells["offset"])
        except ValueError:
            raise InputError(f"{where}: offset is {cells['offset']!r}, expected seconds as a number") from None
    return LabelRow(
        cells["recording"],
        cells["label"],
        start,
        end,
        f"line {line}",
        None if person is None else int(person),
        unit or end_unit,
        offset,
    )


def _time(cells: Mapping[str, str], column: str, where: str) -> tuple[float, Unit | None]:
    """The time in a cell, and its unit where the cell shows it."""
    try:
        return parse_time(cells[column])
    except ValueError:
        raise InputError(f"{where}: {column} is {cells[column]!r}, expected seconds as a number, or m:ss") from None


def parse_time(text: str) -> tuple[float, Unit | None]:
    """A time as it stands in a table: a number, of what is not said, or [h:]m:ss. Raises ValueError."""
    clock = _CLOCK.fullmatch(text)
    if clock is None:
        return number(text), None
    sign, hours, minutes, seconds = clock.groups()
    value = 3600 * int(hours or 0) + 60 * int(minutes) + number(seconds)
    return (-value if sign else value), "seconds"


def _covered(cells: Mapping[str, str], line: int, where: str) -> list[LabelRow]:
    """The stretches of time in the cell ``covered``."""
    rows = []
    for stretch in filter(str.strip, (cells.get("covered") or "").split(";")):
        bounds = _RANGE.fullmatch(stretch)
        try:
            (start, unit), (end, _) = map(parse_time, bounds.groups() if bounds else ("", ""))
        except ValueError:
            start = end = 0.0
        if end <= start:
            raise InputError(f"{where}: covered is {stretch.strip()!r}, expected start-end in seconds, such as 0-60")
        offset = number(cells["offset"]) if cells.get("offset") else None
        rows.append(LabelRow(cells["recording"], "", start, end, f"line {line}", unit=unit, offset=offset))
    return rows
