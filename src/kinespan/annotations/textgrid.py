"""Praat TextGrid, the long and the short text form: tiers of intervals, and tiers of points.

Both forms are read alike, as Praat does: what counts are numbers, texts in double quotes and flags; all else says to
people what they are. Written is the long form.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from ..data.clock import Clock
from ..errors import InputError
from ..files import write_atomically
from .base import FORMATS, AnnotationFormat
from .label_file import LabelFile, LabelRow
from .text_file import plain_head, read_text
from .tiers import Tier, lost_lines, overflow_lines, rows_of, tiers_of, with_text

_TOKEN = re.compile(r'"([^"]*(?:""[^"]*)*)"|!.*|<([^>\s]*)>|([^\s"=]+)|=')
"""A text in quotes, a comment, a flag, or a word, which may be a number."""
_SNAP = 1e-4
"""Intervals that overlap by fewer seconds touch."""
_UNFIT = re.compile("[\0\r\ud800-\udfff]")
"""Characters that a text cannot hold."""
_POINT = 1e-6
"""Seconds between two points of a tier, at the least."""


def sniff(path: Path, head: bytes) -> bool:
    """A text file of Praat that holds a TextGrid."""
    start = plain_head(head)[:200]
    return start.startswith(b'File type = "ooTextFile') and b'"TextGrid"' in start


def read(path: Path) -> LabelFile:
    """Intervals and points of all tiers; the recording is named after the file.

    Intervals without text are gaps: they are left out and counted. Times are as they stand, on the clock of the file,
    which need not begin at 0. Raises InputError, naming the file and line, for anything else.
    """
    text, notes = read_text(path)
    tokens = _Tokens(text, path)
    if not tokens.text("the type of the file").startswith("ooTextFile") or tokens.text("its class") != "TextGrid":
        raise InputError(f"{path}: no TextGrid; expected a text file of Praat, saved as a text file or a short one")
    begin, _ = tokens.number("xmin"), tokens.number("xmax")
    has_tiers = tokens.flag("tiers?") == "exists"
    rows: list[LabelRow] = []
    gaps = snapped = 0
    for number in range(1, tokens.count("the number of tiers") + 1 if has_tiers else 1):
        kind, name = tokens.text(f"the class of tier {number}"), tokens.text(f"the name of tier {number}")
        tokens.number("xmin"), tokens.number("xmax")
        if kind not in ("IntervalTier", "TextTier"):
            raise tokens.error(f"the class of tier {number} is {kind!r}, expected IntervalTier or TextTier")
        items = [
            _item(tokens, kind, path.stem, name, index)
            for index in range(1, tokens.count(f"the size of tier {number}") + 1)
        ]
        items, changed = _snapped(items)
        snapped += changed
        labelled = [row for row in items if row.label.strip()]
        gaps += len(items) - len(labelled)
        rows += labelled
    said = list(notes)
    if begin:
        said.append(f"decided: times are on the clock of the file, which begins at {begin:g} s; --offset shifts them")
    if snapped:
        said.append(f"decided: intervals that overlap by less than {_SNAP:g} s touch: {rows_of(snapped)}")
    if gaps:
        said.append(f"intervals and points without text left out: {gaps}")
    return LabelFile(path, (path.stem,), tuple(rows), notes=tuple(said))


def _item(tokens: _Tokens, kind: str, recording: str, tier: str, index: int) -> LabelRow:
    """The next interval or point."""
    what = f"tier {tier!r}, {'interval' if kind == 'IntervalTier' else 'point'} {index}"
    start = tokens.number(f"the start of {what}")
    end = tokens.number(f"the end of {what}") if kind == "IntervalTier" else None
    if end is not None and end < start:
        raise tokens.error(f"{what} ends at {end:g}, before it starts at {start:g}")
    return LabelRow(recording, tokens.text(f"the text of {what}"), start, end, what, unit="seconds", tier=tier)


def _snapped(rows: Sequence[LabelRow]) -> tuple[list[LabelRow], int]:
    """Intervals that end where the next one starts if they overlap by next to nothing, and how many were changed."""
    result, count = list(rows[:1]), 0
    for before, row in pairwise(rows):
        if before.end is not None and row.start < before.end < row.start + _SNAP and before.start < row.start:
            result[-1], count = replace(result[-1], end=row.start), count + 1
        result.append(row)
    return result, count


class _Tokens:
    """The values of a text file of Praat, one after the other, with errors that name the line."""

    def __init__(self, text: str, path: Path) -> None:
        self._path, self._text, self._at = path, text, 0
        self._matches: Iterator[re.Match[str]] = _TOKEN.finditer(text)

    def error(self, message: str) -> InputError:
        """An error at the line of the last value."""
        return InputError(f"{self._path}, line {self._text.count(chr(10), 0, self._at) + 1}: {message}")

    def text(self, what: str) -> str:
        """The next value, a text."""
        match = self._next(what)
        if match.group(1) is None:
            raise self.error(f"found {match.group()!r}, expected {what}, a text in double quotes")
        return match.group(1).replace('""', '"')

    def number(self, what: str) -> float:
        """The next value, a finite number."""
        match = self._next(what)
        value = _number(match.group(3) or "")
        if value is None:
            raise self.error(f"found {match.group()[:40]!r}, expected {what}, a number")
        return value

    def count(self, what: str) -> int:
        """The next value, a whole number from 0."""
        value = self.number(what)
        if value < 0 or value != int(value):
            raise self.error(f"{what} is {value:g}, expected a whole number")
        return int(value)

    def flag(self, what: str) -> str:
        """The next value, a flag."""
        match = self._next(what)
        if match.group(2) is None:
            raise self.error(f"found {match.group()[:40]!r}, expected {what} <exists>")
        return match.group(2)

    def _next(self, what: str) -> re.Match[str]:
        for match in self._matches:
            word = match.group(3)
            if match.group(1) is not None or match.group(2) is not None or (word and _number(word) is not None):
                self._at = match.start()
                return match
        self._at = len(self._text)
        raise self.error(f"the file ends, expected {what}")


def _number(word: str) -> float | None:
    """The finite number that a word is, if it is one."""
    if not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", word):
        return None
    value = float(word)
    return value if math.isfinite(value) else None


def write(file: LabelFile, path: Path, clocks: Mapping[str, Clock]) -> tuple[str, ...]:
    """Write rows of one recording: tiers of intervals without a gap or overlap, and tiers of points."""
    rows, lines = with_text(file.rows, _UNFIT, "\ufffd", "Praat")
    tiers = tiers_of(rows, 2 * _POINT)
    lines += overflow_lines(tiers, "a tier of Praat")
    lines += lost_lines(file, "Praat", "tier")
    ends = [row.start if row.end is None else row.end for row in rows]
    ends += [clock.duration for name, clock in clocks.items() if name in file.recordings]
    begin, end = min([0.0, *(row.start for row in rows)]), max([1e-3, *ends])
    text = ['File type = "ooTextFile"', 'Object class = "TextGrid"', "", f"xmin = {begin!r}", f"xmax = {end!r}"]
    text += [f"tiers? <{'exists' if tiers else 'absent'}>"]
    text += [f"size = {len(tiers)}", "item []:"] if tiers else []
    for number, tier in enumerate(tiers, 1):
        kind = "TextTier" if tier.is_events else "IntervalTier"
        text += [f"    item [{number}]:", f'        class = "{kind}"', f"        name = {_quoted(tier.name)}"]
        text += [f"        xmin = {begin!r}", f"        xmax = {end!r}"]
        text += _points(tier) if tier.is_events else _intervals(tier, begin, end)
    write_atomically(path, "\n".join([*text, ""]))
    return tuple(lines)


def _points(tier: Tier) -> list[str]:
    """The points of a tier."""
    text = [f"        points: size = {len(tier.rows)}"]
    for index, row in enumerate(tier.rows, 1):
        text += [f"        points [{index}]:", f"            number = {float(row.start)!r}"]
        text.append(f"            mark = {_quoted(row.label)}")
    return text


def _intervals(tier: Tier, begin: float, end: float) -> list[str]:
    """The intervals of a tier, with those without text between them."""
    intervals: list[tuple[float, float, str]] = []
    last = begin
    for row in tier.rows:
        assert row.end is not None
        if row.start > last:
            intervals.append((last, row.start, ""))
        intervals.append((max(last, row.start), row.end, row.label))
        last = row.end
    if last < end or not intervals:
        intervals.append((last, end, ""))
    text = [f"        intervals: size = {len(intervals)}"]
    for index, (start, stop, label) in enumerate(intervals, 1):
        text += [f"        intervals [{index}]:", f"            xmin = {float(start)!r}"]
        text += [f"            xmax = {float(stop)!r}", f"            text = {_quoted(label)}"]
    return text


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


FORMATS.register("textgrid")(
    AnnotationFormat((".textgrid",), "Praat, tiers of intervals and points", read, write, sniff, one_recording=True)
)
