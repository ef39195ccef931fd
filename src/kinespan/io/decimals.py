"""Numbers out of large text files: words found by their bytes, decimals read eight digits at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .base import read_text_bytes

_CHUNK = 1 << 14
"""Words read at once: what is worked out about them stays in the cache."""
_BEHIND = 10
"""Bytes that are looked at behind the end of a word."""
_ROOM = 4
"""How much is taken, for each byte of text, to work out where words end: twice what is used, so that it is most of
the memory that reading takes. What malloc got back as one such piece it keeps for the next file; to get it all from
the system again, page by page, takes as long as the rest of the work."""

_EIGHT = np.dtype("<u8")
"""Eight bytes of text as one number, the first in the lowest place."""
_ZEROS, _TOPS, _ABOVE_NINE = (np.uint64(byte * (2**64 // 255)) for byte in (ord("0"), 0x80, 0x80 - 10))
_KEPT = np.array([0, 0, *((1 << 8 * digits) - 1 for digits in range(9))], dtype=_EIGHT)
"""The digits behind the point, in eight letters, of a word of 0, 1, 2, ... 10 letters."""
_SUMS = [
    tuple(map(np.uint64, (10 << 8 | 1, 8, 0x00FF00FF00FF00FF))),
    tuple(map(np.uint64, (100 << 16 | 1, 16, 0x0000FFFF0000FFFF))),
    tuple(map(np.uint64, (10000 << 32 | 1, 32, 0xFFFFFFFF))),
]
"""What digits, pairs and fours are multiplied by, how far the sum stands then, and what is a sum."""
_WHITE = bytes(byte if byte > 32 or byte == 10 else 32 for byte in range(256))
"""White space other than the end of a line to blanks."""


@dataclass(frozen=True, eq=False)
class Lines:
    """The lines of a text (L of them, without empty ones at its end) and the words that stand on them.

    ``text``, and the same as ``letters`` (uint8). ``counts`` (L,) are the words on each line, ``starts`` (L,) where
    the first begins. ``ends`` says where words end; those of line k are ends[first[k]], ends[first[k] + 1], ...:
    exactly one letter is between the words of a line.
    """

    text: bytes
    letters: NDArray[np.uint8]
    counts: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    first: NDArray[np.int64]

    def word(self, line: int, place: int) -> str:
        """A word of a line, both counted from 0."""
        last = self.first[line] + place
        start = self.starts[line] if place == 0 else self.ends[last - 1] + 1
        return self.text[start : self.ends[last]].decode("latin-1")

    def first_words(self, lines: NDArray[np.int64]) -> list[bytes]:
        """The first word of each of these lines (N,), none of them empty."""
        bounds = zip(self.starts[lines].tolist(), self.ends[self.first[lines]].tolist(), strict=True)
        return [self.text[start:end] for start, end in bounds]

    def numbers(self, lines: NDArray[np.int64], count: int) -> NDArray[np.float64]:
        """The first `count` words of these lines (N,) as numbers (N, count), bit for bit those of `float`.

        NaN for a word that is no finite number. The lines have that many words and are in order.
        """
        values = np.empty((count, len(lines)))
        step = max(1, _CHUNK // count)
        for begin in range(0, len(lines), step):
            some = lines[begin : begin + step]
            ends = np.take(self.ends, self.first[some] + np.arange(count)[:, None])
            starts = np.empty_like(ends)
            starts[0] = self.starts[some]
            np.add(ends[:-1], 1, out=starts[1:])
            values[:, begin : begin + step] = self._decimals(starts.ravel(), ends.ravel()).reshape(ends.shape)
        return values.T

    def _decimals(self, starts: NDArray[np.int64], ends: NDArray[np.int64]) -> NDArray[np.float64]:
        """The words between these places (N,): those like -1.2345678 in bulk, all others one by one."""
        letters = self.letters
        if ends[-1] + _BEHIND > len(letters):
            letters = np.append(letters, np.full(_BEHIND, ord("\n"), np.uint8))
        values, plain = _one_digit_and_eight(letters, starts, ends - starts)
        odd = np.flatnonzero(~plain)
        bounds = zip(starts[odd].tolist(), ends[odd].tolist(), strict=True)
        values[odd] = _each([self.text[start:end] for start, end in bounds])
        return values


def read_lines(path: Path) -> Lines:
    """The lines of a file.

    Raises InputError where the file cannot be read, is empty or holds NUL bytes.
    """
    return lines_of(read_text_bytes(path))


def lines_of(text: bytes) -> Lines:
    """The lines of a text, which end with LF, CR LF or CR, and their words, split at white space."""
    text = text.removeprefix(b"\xef\xbb\xbf")
    if b"\n" not in text:
        text = text.replace(b"\r", b"\n")
    if not text.endswith(b"\n") or text.endswith(b"\n\n") or text[-3:].isspace():
        text = text.rstrip(bytes(range(33))) + b"\n"
    lines, regular = _split(text)
    if not regular:
        lines, _ = _split(b"\n".join(b" ".join(line.split()) for line in text.translate(_WHITE).split(b"\n")))
    return lines


def _split(text: bytes) -> tuple[Lines, bool]:
    """The lines of a text, and whether it is as `Lines` has to be: on each line a word, one letter of white space
    between words, none before the first, not more than two before the end of the line (a blank, a CR). Empty lines
    are taken too, if there is no other white space but what is between words."""
    letters = np.frombuffer(text, dtype=np.uint8)
    white, touching = np.empty((_ROOM, len(letters)), dtype=bool)[:2]
    np.less_equal(letters, ord(" "), out=white)
    touching[0] = False
    np.logical_and(white[1:], white[:-1], out=touching[1:])
    ends = np.flatnonzero(white)
    last = np.flatnonzero(letters[ends] == ord("\n"))
    stops = ends[last]
    behind = white[stops - 1].astype(np.int64)
    behind += touching[stops - 1]
    # an end of a line before another belongs to the line that it ends, not to what stands behind the next
    own = np.count_nonzero(touching[stops]) + np.count_nonzero(touching[stops - 1] & (letters[stops - 1] != ord("\n")))
    regular = not white[0] and np.count_nonzero(touching) == own
    first, starts = np.zeros((2, len(last)), dtype=np.int64)
    np.add(last[:-1], 1, out=first[1:])
    np.add(stops[:-1], 1, out=starts[1:])
    counts = np.maximum(0, last + 1 - first - behind)
    size = len(counts)
    while size and counts[size - 1] == 0:
        size -= 1
    return Lines(text, letters, counts[:size], starts[:size], ends, first[:size]), regular


def _one_digit_and_eight(
    letters: NDArray[np.uint8], starts: NDArray[np.int64], sizes: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Words of this form as numbers (N,), and which have it: a sign or none, one digit, then nothing, or a point and up
    to eight digits. That is how metres are written.

    The eight letters behind the point become one whole number: of a uint64 that holds eight digits, a byte each, one
    product adds every digit to ten times the one before, a second does so by pairs, a third by fours. Digit and
    eight-digit number make a whole number below 2 ** 53, so that the one division rounds as `float` does.
    """
    negative = letters[starts] == ord("-")
    places = starts + negative
    sizes = sizes - negative
    digit = letters[places] - np.uint8(ord("0"))
    places += 1
    plain = letters[places] == ord(".")
    plain |= sizes == 1
    plain &= sizes < len(_KEPT)
    plain &= digit < 10
    places += 1
    eights = np.ndarray(len(letters) - 7, _EIGHT, letters, strides=(1,))
    part = eights[places]
    part ^= _ZEROS
    part &= _KEPT.take(sizes, mode="clip")
    odd = part + _ABOVE_NINE
    odd |= part
    odd &= _TOPS
    plain &= odd == 0
    for product, bits, mask in _SUMS:
        part *= product
        part >>= bits
        part &= mask
    values = part.astype(np.float64)
    values += digit * 1e8
    values /= np.where(negative, -1e8, 1e8)
    return values, plain


def _each(words: list[bytes]) -> list[float]:
    """Each word as a number, NaN where it is none or not finite."""
    return [_one(word.decode("latin-1")) for word in words]


def _one(word: str) -> float:
    try:
        value = float(word)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) and "_" not in word else math.nan
