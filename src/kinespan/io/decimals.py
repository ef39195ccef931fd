"""Numbers out of large text files, many at once: words found by their bytes, decimals added up column by column."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .base import read_text_bytes

_LONGEST = 18
"""Bytes of the longest word that is read in bulk."""
_DIGITS = 15
"""Digits that an integer of a float64 holds for certain, so that one division rounds as `float` does."""
_TENS = np.array([float(10**power) for power in range(_LONGEST + 1)])
_CHUNK = 1 << 15
"""Words read at once: their bytes stay in the cache."""


@dataclass(frozen=True, eq=False)
class Words:
    """The words of a text and the lines that they stand on.

    ``text``, and the same as ``letters`` (uint8); word i is text[starts[i]:ends[i]]; line k (from 0) holds the words
    first[k] to first[k + 1].
    """

    text: bytes
    letters: NDArray[np.uint8]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    first: NDArray[np.int64]

    @cached_property
    def counts(self) -> list[int]:
        """Words of each line; lines without any at the end of the text do not count."""
        counts: list[int] = np.diff(self.first).tolist()
        while counts and counts[-1] == 0:
            counts.pop()
        return counts

    def __getitem__(self, word: int) -> str:
        return self.text[self.starts[word] : self.ends[word]].decode("latin-1")

    def line_of(self, word: int) -> int:
        """The line that a word stands on, counted from 1 as people do."""
        return int(np.searchsorted(self.first, word, side="right"))


def read_words(path: Path) -> Words:
    """The words of a file, split at white space.

    Raises InputError where the file cannot be read, is empty or holds NUL bytes.
    """
    return words_of(read_text_bytes(path))


def words_of(data: bytes) -> Words:
    """The words of a text, split at white space; lines end with LF, CR LF or CR."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    if b"\n" not in data:
        data = data.replace(b"\r", b"\n")
    data += b"\n" * _LONGEST
    letters = np.frombuffer(data, dtype=np.uint8)
    inside = np.zeros(len(letters) + 1, dtype=bool)
    np.greater(letters, 32, out=inside[1:])
    edges = np.flatnonzero(inside[1:] != inside[:-1])
    starts = edges[::2]
    first = np.searchsorted(starts, np.flatnonzero(letters == 10))
    return Words(data, letters, starts, edges[1::2], np.concatenate(([0], first)))


def numbers(words: Words, which: NDArray[np.int64]) -> NDArray[np.float64]:
    """The chosen words (N,) as numbers, bit for bit those of `float`; NaN for a word that is no finite number."""
    values = np.empty(len(which))
    for begin in range(0, len(which), _CHUNK):
        part = which[begin : begin + _CHUNK]
        values[begin : begin + _CHUNK] = _decimals(words, part)
    return values


def _decimals(words: Words, which: NDArray[np.int64]) -> NDArray[np.float64]:
    """As `numbers`: words of an optional sign, digits and at most one point in bulk, all others one by one."""
    starts = words.starts[which]
    lengths = words.ends[which] - starts
    columns = np.arange(min(int(lengths.max()), _LONGEST))[:, None]
    letters = words.letters[starts + columns]  # (columns, N); the text ends with room for the last word
    inside = columns < lengths
    digit = letters - np.uint8(48)
    is_digit = (digit < 10) & inside
    is_point = (letters == ord(".")) & inside
    points = is_point.sum(axis=0)
    digit *= is_digit
    tenfold = is_digit * np.uint8(9) + np.uint8(1)
    whole = np.zeros(len(which))
    for column in range(len(columns)):
        whole *= tenfold[column]
        whole += digit[column]
    point = (is_point * columns.astype(np.int8)).sum(axis=0)
    behind = np.clip(np.where(points == 1, lengths - 1 - point, 0), 0, _LONGEST)
    values: NDArray[np.float64] = whole / _TENS[behind]
    negative = letters[0] == ord("-")
    signed = negative | (letters[0] == ord("+"))
    np.negative(values, out=values, where=negative)
    digits = is_digit.sum(axis=0)
    plain = (digits > 0) & (digits <= _DIGITS) & (points <= 1) & (digits + points + signed == lengths)
    for odd in np.flatnonzero(~plain):
        values[odd] = _one(words[int(which[odd])])
    return values


def _one(word: str) -> float:
    """A word as a number, NaN where it is none or not finite."""
    try:
        value = float(word)
    except ValueError:
        return float("nan")
    return value if np.isfinite(value) and "_" not in word else float("nan")
