"""Tables of events that BORIS exports: tabular (a row a start, a stop or a point), old and new, and aggregated (a row a
span). BORIS does not read them back: write a project, `.boris`, for it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import InputError
from .base import FORMATS, AnnotationFormat
from .boris import NO_SUBJECT, Pairing, offset_lines
from .label_file import LabelFile, LabelRow
from .text_file import plain_head, read_text
from .text_table import parse_time

_DELIMITERS = ",\t;"
_LAYOUTS: Mapping[str, frozenset[str]] = {
    "aggregated": frozenset({"observation id", "behavior", "behavior type", "start (s)", "stop (s)"}),
    "tabular": frozenset({"observation id", "behavior", "behavior type", "time"}),
    "old": frozenset({"time", "behavior", "status"}),
}
"""The columns by which each layout is known."""
_NOTHING = ("", "na", "nan", "none")


def sniff(path: Path, head: bytes) -> bool:
    """A header of one of the layouts, or what stands above an old one."""
    words = plain_head(head)
    lower = words.lower()
    if words.startswith(b"Observation id") and b"Player #1" in words:
        return True
    is_old = b"media file path" in lower and b"status" in lower
    return b"behavior" in lower and (is_old or (b"observation id" in lower and b"behavior type" in lower))


@dataclass(frozen=True)
class _Table:
    """The rows of a table below its header, and what stands above it."""

    layout: str
    path: Path
    columns: Mapping[str, int]
    modifiers: Sequence[int]
    """The columns of modifiers."""
    lines: Sequence[tuple[int, Sequence[str]]]
    """Line number and cells."""
    above: Mapping[str, str]
    """First and second cell of the lines above the header."""

    def cell(self, cells: Sequence[str], *names: str) -> str:
        """The text in the first of the columns that the table has."""
        for name in names:
            index = self.columns.get(name)
            if index is not None and index < len(cells):
                return cells[index].strip()
        return ""


def read(path: Path) -> LabelFile:
    """The observations, by name: states as spans, points as instants, the subject as tier.

    Starts and stops are paired by observation, subject, behaviour and modifier; others are left out and counted. Raises
    InputError, naming the file and line, for anything else.
    """
    text, notes = read_text(path)
    table = _table(text, path)
    pairing = Pairing(path)
    media: dict[str, str] = {}
    offsets: dict[str, float] = {}
    comments = 0
    for line, cells in table.lines:
        row = _row(table, cells, line)
        offset = offsets[row.recording] = _offset(table, cells, f"{path}, line {line}")
        row = replace(row, start=row.start - offset, end=None if row.end is None else row.end - offset)
        media.setdefault(row.recording, table.cell(cells, "media file name", "media file path", "media file"))
        comments += any(table.cell(cells, name) for name in ("comment", "comment start", "comment stop"))
        if table.layout == "aggregated":
            pairing.add(row, "POINT")
        else:
            mark = table.cell(cells, "status" if table.layout == "old" else "behavior type").upper()
            if mark not in ("START", "STOP", "POINT"):
                raise InputError(f"{path}, line {line}: found {mark!r}, expected START, STOP or POINT")
            pairing.add(row, mark)
    if not table.lines:
        raise InputError(f"{path}: no event below the header")
    recordings = tuple(media)
    rows, lines = pairing.finish()
    if comments:
        lines.append(f"comments left out: those of {comments} lines")
    films = {name: film for name, film in media.items() if film.lower() not in _NOTHING}
    return LabelFile(path, recordings, rows, notes=(*notes, *lines, *offset_lines(offsets)), media=films)


def _table(text: str, path: Path) -> _Table:
    """The table in a text, from its header on. Raises InputError where there is none."""
    for delimiter in _DELIMITERS:
        above: dict[str, str] = {}
        lines = _lines(text, delimiter, path)
        for _, cells in lines:
            names = [" ".join(cell.split()).casefold() for cell in cells]
            layout = next((name for name, columns in _LAYOUTS.items() if columns <= set(names)), None)
            if layout is None:
                above.setdefault(names[0], cells[1].strip() if len(cells) > 1 else "")
                continue
            columns = {name: index for index, name in reversed(list(enumerate(names)))}
            modifiers = [index for index, name in enumerate(names) if name.startswith("modifier")]
            return _Table(layout, path, columns, modifiers, list(lines), above)
    expected = "; or ".join(", ".join(sorted(columns)) for columns in _LAYOUTS.values())
    raise InputError(f"{path}: no header of a table of BORIS, which has the columns {expected}")


def _lines(text: str, delimiter: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each line that is not empty. Raises InputError for text that is no table."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: cannot be read as a table ({error})") from None


def _row(table: _Table, cells: Sequence[str], line: int) -> LabelRow:
    """A line as a row: a span in the aggregated layout, else the instant of a start, a stop or a point."""
    where = f"{table.path}, line {line}"
    name = table.cell(cells, "observation id") or table.above.get("observation id", "")
    name = name or table.cell(cells, "media file path") or table.path.stem
    label = cells[table.columns["behavior"]] if table.columns["behavior"] < len(cells) else ""
    if not label.strip():
        raise InputError(f"{where}: the column Behavior is empty")
    subject = table.cell(cells, "subject")
    modifiers = [cells[index].strip() for index in table.modifiers if index < len(cells)]
    column, end = ("start (s)", None) if table.layout == "aggregated" else ("time", None)
    start = _seconds(table, cells, column, where)
    if table.layout == "aggregated":
        kind = table.cell(cells, "behavior type").upper()
        if kind not in ("STATE", "POINT"):
            raise InputError(f"{where}: Behavior type is {kind!r}, expected STATE or POINT")
        end = _seconds(table, cells, "stop (s)", where) if kind == "STATE" else None
    return LabelRow(
        name,
        label,
        start,
        end,
        f"line {line}",
        unit="seconds",
        tier="" if subject in NO_SUBJECT or subject.lower() in ("na", "nan") else subject,
        modifier="|".join(modifiers) if any(modifiers) else "",
    )


def _offset(table: _Table, cells: Sequence[str], where: str) -> float:
    """The time offset of the observation in seconds, which its times include. Raises InputError."""
    text = table.cell(cells, "time offset (s)") or table.above.get("time offset (s)", "")
    try:
        return parse_time(text)[0] if text.lower() not in _NOTHING else 0.0
    except ValueError:
        raise InputError(f"{where}: Time offset (s) is {text!r}, expected seconds") from None


def _seconds(table: _Table, cells: Sequence[str], column: str, where: str) -> float:
    """The time in a column. Raises InputError."""
    text = table.cell(cells, column)
    try:
        return parse_time(text)[0]
    except ValueError:
        raise InputError(f"{where}: {column} is {text!r}, expected seconds as a number, or h:mm:ss") from None


FORMATS.register("boris_table")(AnnotationFormat((".tsv",), "BORIS exports, tabular and aggregated", read, None, sniff))
