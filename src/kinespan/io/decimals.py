"""Numbers from large text files: lines, words and decimals in one pass, in C where it could be compiled."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..arrays import Float64Array, IntArray
from .base import read_text_bytes

_scan_compiled: Callable[[bytes, int], tuple[bytes, bytes, bytes, bytes]] | None
try:
    from ._scan import scan as _scan_compiled
except ImportError:  # installed from source without a C compiler
    _scan_compiled = None

_WHITE = bytes(byte if byte > 32 or byte == 10 else 32 for byte in range(256))
"""Maps white space other than line ends to blanks."""
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
