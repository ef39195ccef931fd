"""Tables of text (CSV, semicolons, tabs): the header and, by the compiled scanner, the numbers under it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..arrays import Float64Array, IntArray
from ..errors import InputError
from .base import read_text_bytes
from .decimals import scan_fields

MISSING_WORDS = ("nan", "NaN", "NAN", "-nan", "NA", "N/A", "n/a", "null", "NULL", "None", "none")
"""What stands for no number, beside nothing at all."""
_MAX_HEADER = 12
_MAX_WORD = 256
"""Letters of the longest word of a column of text."""
_COMMENT = re.compile(r"(?:^|[\s,;#])(fps|unit|up)\s*[:=]\s*(-?[\w.]+)")


@dataclass(frozen=True, eq=False)
class Header:
    """How a text table begins."""

    rows: tuple[tuple[str, ...], ...]
    """The rows above the numbers, cells stripped; none in a table without a header."""
    first: tuple[str, ...]
    """The first row of values; empty where there is none."""
    delimiter: str
    line: int
    """Line number of the first row of values, counted from 1."""
    start: int
    """Where the values begin in the text."""
    stated: Mapping[str, str]
    """What comments above the header say: fps, unit, up."""

    @property
    def width(self) -> int:
        """The number of columns."""
        return max(map(len, self.rows), default=len(self.first))


def read_header(text: bytes) -> Header | None:
    """The header of a text, or of its beginning; None where it is no table: where no line has two fields."""
    text = text.removeprefix(b"\xef\xbb\xbf")
    text = text if b"\n" in text else text.replace(b"\r", b"\n")
    rows: list[tuple[str, ...]] = []
    delimiter, start, number = "", 0, 0
    stated: dict[str, str] = {}
    for line in io.BytesIO(text):
        number += 1
        plain = line.decode("utf-8", "replace").strip("\r\n")
        if not plain.strip() or (plain.startswith("#") and not rows and not _is_header(plain)):
            stated |= {name: value for name, value in _COMMENT.findall(plain)}
        else:
            delimiter = delimiter or _delimiter(plain)
            try:
                cells = tuple(cell.strip() for cell in next(csv.reader([plain], delimiter=delimiter or ","), []))
            except csv.Error:  # a carriage return within a line, a field beyond all bounds
                return None
            if _is_values(cells, bool(rows)):
                return Header(tuple(rows), cells, delimiter, number, start, stated) if delimiter else None
            rows.append(cells)
        start += len(line)
        if len(rows) > _MAX_HEADER:
            return None
    return Header(tuple(rows), (), delimiter, number + 1, start, stated) if delimiter and rows else None


def _is_header(line: str) -> bool:
    """Whether a line that begins with # is a header all the same, as of a column '#frame'."""
    return len(line.split(",")) > 6


def _delimiter(line: str) -> str:
    """What separates the fields of a line; empty where nothing does."""
    return next((mark for mark in ("\t", ";", ",") if mark in line), "")


def is_number(cell: str) -> bool:
    """Whether a cell is a number, with a decimal point or comma."""
    try:
        float(cell.replace(",", "."))
    except ValueError:
        return False
    return cell.lower().lstrip("+-") not in ("nan", "inf", "infinity")


def _is_values(cells: tuple[str, ...], below_header: bool) -> bool:
    """Whether a row is of values: a quarter of what stands there are numbers; or nothing does, below a header."""
    present = [cell for cell in cells if cell]
    if not present:
        return below_header
    if present[0].lower() in ("scorer", "individuals", "bodyparts", "coords"):
        return False
    numbers = sum(is_number(cell) or (below_header and cell in MISSING_WORDS) for cell in present)
    return 4 * numbers >= len(present)


@dataclass(frozen=True, eq=False)
class TextTable:
    """The values of a text table: N rows, K columns."""

    path: Path
    header: Header
    text: bytes
    """The rows, each ended by a newline"""
    starts: IntArray
    """(N,) where each row begins in the text"""
    values: Float64Array
    """(N, K), NaN for what is missing and for words; `numbers` refuses words"""
    row_lines: IntArray
    """(N,) line numbers"""
    first_word: tuple[int, int] | None
    """Row and column of the first field that is neither a number nor missing."""

    def __len__(self) -> int:
        return len(self.row_lines)

    def row(self, index: int) -> str:
        """Where a row is, for messages."""
        return f"{self.path}:{self.row_lines[index]}"

    def numbers(self, columns: IntArray) -> Float64Array:
        """The numbers (N, C) of columns, NaN where missing. Raises InputError, naming line and field, for words."""
        for column in columns.tolist() if self.first_word is not None else ():
            row = self._first_word(column)
            if row is not None:
                found = self._fields(column, np.array([row]))[0][:40]
                raise InputError(f"{self.row(row)}: field {column + 1} is {found!r}, expected a number or nothing")
        first, last = (int(columns[0]), int(columns[-1])) if len(columns) else (0, -1)
        if np.array_equal(columns, np.arange(first, last + 1)):
            return self.values[:, first : last + 1]
        return self.values[:, columns]

    def has_words(self, column: int) -> bool:
        """Whether a column holds anything but numbers and nothing."""
        return self.first_word is not None and self._first_word(column) is not None

    def words(self, column: int) -> list[str]:
        """The fields of a column as text (N,), empty where missing."""
        return ["" if word in MISSING_WORDS else word for word in self._fields(column, np.arange(len(self)))]

    def _first_word(self, column: int) -> int | None:
        """The first row in which a column holds a word."""
        rows = np.flatnonzero(np.isnan(self.values[:, column]))
        fields = self._fields(column, rows) if len(rows) else []
        return next(
            (int(row) for row, word in zip(rows, fields, strict=True) if word and word not in MISSING_WORDS), None
        )

    def _fields(self, column: int, rows: IntArray) -> list[str]:
        """The text of a column in some rows, without blanks at its ends."""
        letters = np.frombuffer(self.text, dtype=np.uint8)
        ends = self._ends[rows, column]
        starts = self._ends[rows, column - 1] + 1 if column else self.starts[rows]
        lengths = np.minimum(ends - starts, _MAX_WORD)
        places = np.arange(max(1, int(lengths.max(initial=1))))
        words: list[bytes] = []
        for first in range(0, len(starts), 2**16):
            part = slice(first, first + 2**16)
            indices = np.minimum(starts[part, None] + places, len(letters) - 1)
            cells = np.where(places < lengths[part, None], letters[indices], np.uint8(0))
            words += np.ascontiguousarray(cells).view(f"S{len(places)}").ravel().tolist()
        texts = {word: word.decode("utf-8", "replace").strip() for word in set(words)}
        return [texts[word] for word in words]

    @cached_property
    def _ends(self) -> IntArray:
        """(N, K) where each field ends in the text."""
        letters = np.frombuffer(self.text, dtype=np.uint8)
        ends = np.flatnonzero((letters == ord(self.header.delimiter)) | (letters == ord("\n")))
        return ends.reshape(len(self), -1)[:, : self.values.shape[1]]


def read_text_table(path: Path) -> TextTable:
    """The table in a text file.

    Raises InputError, naming the file and the line, for a file that is no table and for rows of other lengths than the
    header or, without one, the first row.
    """
    text = read_text_bytes(path).removeprefix(b"\xef\xbb\xbf")
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    header = read_header(text)
    if header is None or header.width < 2:
        raise InputError(f"{path}: no table with two or more columns, separated by commas, semicolons or tabs")
    if not header.first:
        raise InputError(f"{path}: no row of values follows the header")
    body = _plain_rows(path, text[header.start :], header)
    lines = np.flatnonzero(np.diff(np.append(-1, line_ends(body))) > 1)
    row_lines = header.line + lines
    if len(lines) < body.count(b"\n"):  # empty lines in between
        rows = body.split(b"\n")
        body = b"\n".join([rows[line] for line in lines.tolist()]) + b"\n"
    body = _even_rows(path, body, header, row_lines)
    fields = scan_fields(body, header.width, header.delimiter)
    return TextTable(path, header, body, fields.starts, fields.values, row_lines, fields.first_word)


def line_ends(text: bytes) -> IntArray:
    """Where the lines of a text end."""
    return np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == ord("\n"))


def _even_rows(path: Path, body: bytes, header: Header, row_lines: IntArray) -> bytes:
    """The rows, without a delimiter at the end where all have one too many. Raises InputError for other lengths."""
    mark, width = header.delimiter.encode(), header.width
    marks = np.flatnonzero(np.frombuffer(body, dtype=np.uint8) == mark[0])
    counts = np.diff(np.searchsorted(marks, np.append(0, line_ends(body)))) + 1
    if (counts == width + 1).all() and header.rows:
        rows = [row.rstrip() for row in body.split(b"\n")[:-1]]
        if all(row.endswith(mark) for row in rows):
            return b"\n".join([row[:-1] for row in rows]) + b"\n"
    for row in np.flatnonzero(counts != width)[:1]:
        raise InputError(
            f"{path}:{row_lines[row]}: found {counts[row]} fields, expected {width} as in the "
            f"{'header' if header.rows else 'first row'}; is the file cut off?"
        )
    return body


def _plain_rows(path: Path, body: bytes, header: Header) -> bytes:
    """The rows without quotes, with decimal points, and with nothing for the words that stand for nothing."""
    mark = header.delimiter.encode()
    if b'"' in body:
        body = _unquoted(path, body, header)
    if mark != b"," and b"," in body:
        body = body.replace(b",", b".")
    if not body.endswith(b"\n"):
        body += b"\n"
    if b"N" in body or b"n" in body:  # one letter is found several times as fast as a word
        for word in (word.encode() for word in MISSING_WORDS if word.lower() not in ("nan", "-nan", "n/a")):
            body = _without(body, mark, word) if word in body else body
    return body


def _without(body: bytes, mark: bytes, word: bytes) -> bytes:
    """The rows with nothing in each field that is `word`."""
    for _ in range(2):  # of neighbours every second is replaced at a time
        body = body.replace(mark + word + mark, mark + mark)
    body = body.replace(mark + word + b"\n", mark + b"\n").replace(b"\n" + word + mark, b"\n" + mark)
    return body[len(word) :] if body.startswith(word + mark) else body


def _unquoted(path: Path, body: bytes, header: Header) -> bytes:
    """The rows without quotes; delimiters within quotes become blanks."""
    text = io.StringIO(body.decode("utf-8", "surrogateescape"), newline="")
    try:
        rows = list(csv.reader(text, delimiter=header.delimiter, strict=True))
    except csv.Error as error:
        raise InputError(f"{path}: quotes do not match: {error}") from None
    unwanted = re.compile(f"[{re.escape(header.delimiter)}\r\n]")
    decimal = header.delimiter == ","
    cells = ((c.replace(",", ".") if decimal and is_number(c) else unwanted.sub(" ", c) for c in row) for row in rows)
    return "\n".join(header.delimiter.join(row) for row in cells).encode("utf-8", "surrogateescape")
