"""Text tables: cells, by what they are separated; and the numbers and times that stand in them.

Read are commas, semicolons, tabs and bars, decimal points and commas, times as a number or [h:]m:ss, any encoding that
`kinespan.annotations.text_file` knows, and lines before the header.
"""

from __future__ import annotations

import csv
import difflib
import io
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..errors import InputError
from .base import HEAD_BYTES
from .label_file import Unit
from .text_file import plain_head, read_text

_DELIMITERS = ",;\t|"
_CLOCK = re.compile(r"(-?)(?:(\d+):)?(\d+):(\d+(?:[.,]\d+)?)", re.ASCII)
"""[h:]m:ss[.ms]"""
_MAX_PREAMBLE = 80
"""The header is looked for in so many lines."""
NOT_AVAILABLE = frozenset({"", "n/a", "nan"})
"""Cells, in lower case, in which nothing stands."""


@dataclass(frozen=True)
class Table:
    """The cells of a text table."""

    path: Path
    header: tuple[str, ...]
    """The cells of the header as they are spelt; empty where the file is."""
    header_line: str
    """The line of the header, cut to 120 characters."""
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    """Line number and cells, as many as the header has, of each row that is not empty."""
    notes: tuple[str, ...] = ()
    """What was decided, in plain lines."""

    def column(self, *names: str) -> int | None:
        """The index of the first of `names`, in lower case, in the header. Raises InputError for one there twice."""
        plain = [plain_cell(cell) for cell in self.header]
        for name in names:
            if plain.count(name) > 1:
                raise InputError(f"{self.path}: the column {name} occurs twice in the header; keep one")
            if name in plain:
                return plain.index(name)
        return None


def read_cells(path: Path, known: Collection[str], least: int = 1, has_header: bool = True) -> Table:
    """The cells of a text table whose header has `least` of the `known` names (in lower case), else is its first line.

    Lines before the header are left out, and so are lines before it that begin with #. Raises InputError, naming the
    file and the line, for a file that is not a text table.
    """
    text, notes = read_text(path)
    lines = text.split("\n")
    index, delimiter = (
        _header(lines, known, least) if has_header else (0, _delimiter(next(filter(str.strip, lines), ""), ()))
    )
    skipped = sum(bool(line.strip()) for line in lines[:index])
    if skipped:
        notes = (*notes, f"left out: {skipped} line{'' if skipped == 1 else 's'} before the header")
    header, rows = _parsed(path, lines[index:], index, delimiter, has_header)
    shown = next((line for line in lines[index:] if line.strip()), "")
    return Table(path, header, shown[:120], tuple(rows), notes)


def _parsed(
    path: Path, lines: list[str], skipped: int, delimiter: str, has_header: bool
) -> tuple[tuple[str, ...], list[tuple[int, tuple[str, ...]]]]:
    """The header, and the line and the cells of each row. Raises InputError."""
    try:
        header, rows = _rows(path, lines, skipped, delimiter, has_header, csv.QUOTE_MINIMAL)
        if delimiter != "\t" or not any("\n" in cell and "\t" in cell for _, cells in rows for cell in cells):
            return header, rows
    except csv.Error as error:
        if delimiter != "\t":
            raise InputError(f"{path}, line {error.args[1]}: cannot be read as a table ({error.args[0]})") from None
    # many programs write tables separated by tabs without quoting: a quote is a character of the label
    return _rows(path, lines, skipped, delimiter, has_header, csv.QUOTE_NONE)


def _rows(
    path: Path, lines: list[str], skipped: int, delimiter: str, has_header: bool, quoting: Literal[0, 3]
) -> tuple[tuple[str, ...], list[tuple[int, tuple[str, ...]]]]:
    """As `_parsed`, with or without quotes. Raises csv.Error with a line."""
    reader = csv.reader(
        io.StringIO("\n".join(lines), newline=""),
        delimiter=delimiter,
        quoting=quoting,
        skipinitialspace=delimiter != "\t",
        strict=True,
    )
    header: tuple[str, ...] | None = None if has_header else ()
    rows: list[tuple[int, tuple[str, ...]]] = []
    try:
        for cells in reader:
            line = reader.line_num + skipped
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = tuple(cells)
                continue
            if header and any(cell.strip() for cell in cells[len(header) :]):
                raise InputError(
                    f"{path}, line {line}: {len(cells)} fields, but the header names {len(header)}; "
                    "put numbers with a decimal comma and labels with a comma into double quotes"
                )
            width = len(header) or len(cells)
            rows.append((line, tuple(cells[:width]) + ("",) * (width - len(cells))))
    except csv.Error as error:
        if quoting == csv.QUOTE_NONE:
            raise InputError(f"{path}, line {reader.line_num + skipped}: cannot be read as a table ({error})") from None
        raise csv.Error(str(error), reader.line_num + skipped) from None
    return header or (), rows


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
    """The columns of a text table that `aliases` knows, each by the first of its names that the header has.

    Raises InputError, naming the file and the line, for a file that is not a text table.
    """
    table = read_cells(path, {alias for names in aliases.values() for alias in names})
    places = {name: index for name, names in aliases.items() if (index := table.column(*names)) is not None}
    rows = tuple((line, {name: cells[index] for name, index in places.items()}) for line, cells in table.rows)
    return TextTable(tuple(places), table.header_line, rows)


def head_rows(head: bytes, count: int = 12) -> list[list[str]]:
    """The cells of the first lines of a file, of which the first bytes are given, for sniffing; it never raises.

    The last line is left out where the file may go on in it.
    """
    text = plain_head(head).decode("utf-8", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    lines = [line for line in (lines[:-1] if len(head) >= HEAD_BYTES else lines) if line.strip()][:count]
    try:
        return [next(csv.reader([line], delimiter=_delimiter(lines[0], ())), []) for line in lines]
    except csv.Error:
        return []


def nearest_column(name: str, header: str) -> str:
    """A hint to the word of a header that is most like a column's name, or nothing."""
    close = difflib.get_close_matches(name, re.split(r"[,;\t|]", header), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def plain_cell(cell: str) -> str:
    """A cell of a header in lower case, with single blanks."""
    return " ".join(cell.split()).casefold()


def number(text: str) -> float:
    """A number with a decimal point or comma. Raises ValueError for anything else."""
    value = float(text.replace(",", ".") if text.count(",") == 1 and "." not in text else text)
    if not math.isfinite(value) or "_" in text:
        raise ValueError(text)
    return value


def parse_time(text: str) -> tuple[float, Unit | None]:
    """A time as it stands in a table: a number, of what is not said, or [h:]m:ss. Raises ValueError."""
    clock = _CLOCK.fullmatch(text)
    if clock is None:
        return number(text), None
    sign, hours, minutes, seconds = clock.groups()
    value = number(f"{3600 * int(hours or 0) + 60 * int(minutes)}") + number(seconds)
    return (-value if sign else value), "seconds"


def _header(lines: list[str], known: Collection[str], least: int) -> tuple[int, str]:
    """The index of the line of the header, and what it is separated by."""
    filled = [index for index, line in enumerate(lines[:_MAX_PREAMBLE]) if line.strip()]
    candidates = [index for index in filled if not lines[index].lstrip().startswith("#")] or filled
    if not candidates:
        return 0, ","
    for index in candidates:
        delimiter = _delimiter(lines[index], known)
        if _known(lines[index], delimiter, known) >= least:
            return index, delimiter
    return candidates[0], _delimiter(lines[candidates[0]], known)


def _delimiter(line: str, known: Collection[str]) -> str:
    """What a line is separated by: where it has the most known names, then the most cells."""
    return max(_DELIMITERS, key=lambda delimiter: (_known(line, delimiter, known), _cells(line, delimiter)))


def _known(line: str, delimiter: str, known: Collection[str]) -> int:
    try:
        return sum(plain_cell(cell) in known for cell in next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:
        return 0


def _cells(line: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:
        return 0
