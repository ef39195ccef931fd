"""Numbers out of large text files: lines, words and decimals in one pass, compiled where there was a compiler."""

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
"""White space other than the end of a line to blanks."""
_MOST_DIGITS = 18
"""Digits of a whole number that fit into 64 bits, whatever they are."""


@dataclass(frozen=True, eq=False)
class Lines:
    """The lines of a text (L of them, without empty ones at its end) and what stands on them.

    ``counts`` (L,) are the words on each line. ``wholes`` (L,): its first word as a whole number, -1 where it is none
    of at most 18 digits alone. ``values`` (L, K) float64: its first K words, bit for bit as `float` reads them, NaN
    where there is none or it is no finite number.
    """

    text: bytes
    starts: IntArray
    counts: IntArray
    wholes: IntArray
    values: Float64Array

    def word(self, line: int, place: int) -> str:
        """A word of a line, both counted from 0."""
        start = int(self.starts[line])
        words = self.text[start : self.text.index(b"\n", start)].translate(_WHITE).split()
        return words[place].decode("latin-1")


def read_lines(path: Path, columns: int) -> Lines:
    """The lines of a file, of each the first `columns` words as numbers.

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
    *parts, values = (_scan_compiled or _scan_plainly)(text, columns)
    starts, counts, wholes = (np.frombuffer(part, dtype=np.int64) for part in parts)
    size = len(counts)
    while size and counts[size - 1] == 0:
        size -= 1
    table = np.frombuffer(values).reshape(len(counts), columns)
    return Lines(text, starts[:size], counts[:size], wholes[:size], table[:size])


def _scan_plainly(text: bytes, columns: int) -> tuple[bytes, bytes, bytes, bytes]:
    """What `scan` of _scan.c finds."""
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
    return int(word) if word.isdigit() and len(word) <= _MOST_DIGITS else -1


def _number(word: bytes) -> float:
    """A word as a number, NaN where it is none or not finite."""
    try:
        value = float(word)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) and b"_" not in word else math.nan
