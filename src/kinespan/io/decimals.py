"""Numbers from large text files: lines, words and decimals in one pass, in C where it could be compiled."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..arrays import Float64Array, IntArray
from ..errors import InputError
from .base import read_text_bytes

_scan_compiled: Callable[[bytes, int], tuple[bytes, bytes, bytes, bytes]] | None
_scan_fields_compiled: Callable[[bytes, int, int], tuple[bytes, bytes, bytes, int, int]] | None
try:
    from ._scan import scan as _scan_compiled
    from ._scan import scan_fields as _scan_fields_compiled
except ImportError:  # installed from source without a C compiler
    _scan_compiled = _scan_fields_compiled = None

_WHITE = bytes(byte if byte > 32 or byte == 10 else 32 for byte in range(256))
"""Maps white space other than line ends to blanks."""
_BLANKS = bytes(byte for byte in range(33) if byte != 10)
"""White space within lines."""
_NO_NUMBERS = (b"", b"nan", b"+nan", b"-nan", b"n/a", b"+n/a", b"-n/a")
"""Fields in lower case that hold no number."""
_MAX_DIGITS = 18
"""Any whole number of at most this many digits fits into 64 bits."""


@dataclass(frozen=True, eq=False)
class Lines:
    """The L lines of a text, without empty ones at its end, and the numbers on them."""

    text: bytes
    starts: IntArray
    """(L,) where each line begins in the text"""
    counts: IntArray
    """(L,) words on each line"""
    wholes: IntArray
    """(L,) the first word as a whole number; -1 unless it is 1 to 18 digits"""
    values: Float64Array
    """(L, K) the first K words, bit for bit as `float` reads them; NaN for a missing word or no finite number"""

    def word(self, line: int, index: int) -> str:
        """A word of a line, both counted from 0."""
        start = int(self.starts[line])
        words = self.text[start : self.text.index(b"\n", start)].translate(_WHITE).split()
        return words[index].decode("latin-1")


def read_lines(path: Path, columns: int) -> Lines:
    """The lines of a file, with the first `columns` words of each as numbers.

    Raises InputError where the file cannot be read, is empty or holds NUL bytes.
    """
    return lines_of(read_text_bytes(path), columns)


def lines_of(text: bytes, columns: int) -> Lines:
    """The lines of a text, which end with LF, CR LF or CR, and their words, split at white space."""
    text = text.removeprefix(b"\xef\xbb\xbf")
    if b"\n" not in text:
        text = text.replace(b"\r", b"\n")
    if not text.endswith(b"\n"):
        text += b"\n"
    *buffers, values = (_scan_compiled or _scan_plainly)(text, columns)
    starts, counts, wholes = (np.frombuffer(buffer, dtype=np.int64) for buffer in buffers)
    size = len(counts)
    while size and counts[size - 1] == 0:
        size -= 1
    table = np.frombuffer(values).reshape(len(counts), columns)
    return Lines(text, starts[:size], counts[:size], wholes[:size], table[:size])


@dataclass(frozen=True, eq=False)
class NumberRows:
    """R rows of fields that are numbers or missing; lines without anything are left out."""

    values: Float64Array
    """(R, K) the first K fields, bit for bit as `float` reads them; NaN where missing"""
    counts: IntArray
    """(R,) fields of each row, up to the last that holds anything"""
    line_numbers: IntArray
    """(R,) counted from 1"""


@dataclass(frozen=True, eq=False)
class Fields:
    """The fields of the L lines of a text."""

    text: bytes
    starts: IntArray
    """(L,) where each line begins in the text"""
    counts: IntArray
    """(L,) fields of each line, up to the last that holds anything"""
    values: Float64Array
    """(L, K) the first K fields, bit for bit as `float` reads them; NaN for missing ones and for words"""
    first_word: tuple[int, int] | None
    """Line and field, from 0, of the first field that is neither missing nor a finite number."""


def scan_fields(text: bytes, columns: int, mark: str) -> Fields:
    """The fields between the marks, such as a comma, in each line of a text; nothing, nan and n/a are missing."""
    if b"\n" not in text:
        text = text.replace(b"\r", b"\n")
    if not text.endswith(b"\n"):
        text += b"\n"
    *buffers, bad_line, bad_field = (_scan_fields_compiled or _scan_fields_plainly)(text, columns, ord(mark))
    starts, counts = (np.frombuffer(buffer, dtype=np.int64) for buffer in buffers[:2])
    values = np.frombuffer(buffers[2]).reshape(len(counts), columns)
    return Fields(text, starts, counts, values, (bad_line, bad_field) if bad_line >= 0 else None)


def number_rows(path: Path, text: bytes, mark: str, columns: int, first_line: int = 1) -> NumberRows:
    """The numbers between the marks, a tab or a comma, in each line of a text; fields that are not there are missing.

    Empty fields, nan and n/a are missing. Raises InputError, naming the file and the line, counted from `first_line`,
    for the first of these fields that is neither missing nor a finite number.
    """
    fields = scan_fields(text, columns, mark)
    if fields.first_word is not None:
        line, field = fields.first_word
        start = int(fields.starts[line])
        row = fields.text[start : fields.text.index(b"\n", start)]
        found = row.split(mark.encode())[field].strip().decode("latin-1")[:40]
        location = f"{path}:{first_line + line}: field {field + 1}"
        raise InputError(f"{location} is {found!r}, expected a finite number or nothing")
    is_row = fields.counts > 0
    lines = np.flatnonzero(is_row) + first_line
    values = fields.values if is_row.all() else fields.values[is_row]
    return NumberRows(values, fields.counts[is_row], lines)


def _scan_plainly(text: bytes, columns: int) -> tuple[bytes, bytes, bytes, bytes]:
    """The same result as `scan` of _scan.c, in Python."""
    lines = text.translate(_WHITE).split(b"\n")[:-1]
    rows = [line.split() for line in lines]
    starts = np.cumsum([0, *(len(line) + 1 for line in lines[:-1])], dtype=np.int64)
    counts = np.array([len(row) for row in rows], dtype=np.int64)
    wholes = np.array([_whole(row[0]) if row else -1 for row in rows], dtype=np.int64)
    values = np.full((len(rows), columns), math.nan)
    words = [word for row in rows for word in row[:columns]]
    values[np.arange(columns) < counts[:, None]] = [_number(word) for word in words]
    return starts.tobytes(), counts.tobytes(), wholes.tobytes(), values.tobytes()


def _whole(word: bytes) -> int:
    return int(word) if word.isdigit() and len(word) <= _MAX_DIGITS else -1


def _number(word: bytes) -> float:
    """A word as a number, NaN where it is not a finite number."""
    try:
        value = float(word)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) and b"_" not in word else math.nan


def _scan_fields_plainly(text: bytes, columns: int, mark: int) -> tuple[bytes, bytes, bytes, int, int]:
    """The same result as `scan_fields` of _scan.c, in Python."""
    lines = text.split(b"\n")[:-1]
    starts = np.cumsum([0, *(len(line) + 1 for line in lines[:-1])], dtype=np.int64)
    counts = np.zeros(len(lines), dtype=np.int64)
    values = np.full((len(lines), columns), math.nan)
    bad = -1, -1
    for row, line in enumerate(lines):
        fields = [field.strip(_BLANKS) for field in line.split(bytes([mark]))]
        while fields and not fields[-1]:
            fields.pop()
        counts[row] = len(fields)
        fields = fields[:columns]
        values[row, : len(fields)] = numbers = [_number(field) if field else math.nan for field in fields]
        if bad[0] < 0:
            words = (
                c
                for c, (f, x) in enumerate(zip(fields, numbers, strict=True))
                if math.isnan(x) and f.lower() not in _NO_NUMBERS
            )
            bad = next(((row, column) for column in words), bad)
    return starts.tobytes(), counts.tobytes(), values.tobytes(), *bad
