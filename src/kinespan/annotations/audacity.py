"""Audacity label tracks: a line a label, start and end in seconds and text between tabs; start = end is an instant.

A line that begins with a backslash is the range of frequencies of the label above it. Audacity 1.2 wrote no end.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from ..data.clock import Clock
from ..errors import InputError
from ..files import write_atomically
from .base import FORMATS, AnnotationFormat
from .label_file import LabelFile, LabelRow
from .text_file import plain_head, read_text
from .tiers import lost_lines, with_text

_NUMBER = r"-?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][-+]?\d{1,3})?"
_FULL = re.compile(rf"({_NUMBER})\t({_NUMBER})(?:\t(.*))?")
_OLD = re.compile(rf"({_NUMBER})\t(.*)")
_UNFIT = re.compile("[\0\r\n\t\x0b\x0c\x1c-\x1e\x85\u2028\u2029\ud800-\udfff]")
"""Characters that end a line, or a cell."""


def sniff(path: Path, head: bytes) -> bool:
    """A first line of two numbers and a text between tabs, without a header."""
    line = plain_head(head).split(b"\n", 1)[0].rstrip(b"\r").decode("latin-1")
    match = _FULL.fullmatch(line)
    return match is not None and match.group(3) is not None and "\t" not in match.group(3)


def read(path: Path) -> LabelFile:
    """The labels of a track; the recording is named after the file.

    Labels without text and ranges of frequencies are left out and counted. Raises InputError, naming the file and line,
    for anything else.
    """
    text, notes = read_text(path)
    rows: list[LabelRow] = []
    empty = frequencies = 0
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        if line.startswith("\\"):
            frequencies += 1
            continue
        row = _row(line, path, number)
        rows += [row] if row.label.strip() else []
        empty += not row.label.strip()
    if not rows and not empty:
        raise InputError(f"{path}: no label; expected lines of start, end and text between tabs")
    if empty:
        notes += (f"labels without text left out: {empty}",)
    if frequencies:
        notes += (f"ranges of frequencies left out: {frequencies}",)
    return LabelFile(path, (path.stem,), tuple(rows), notes=notes)


def _row(line: str, path: Path, number: int) -> LabelRow:
    """The label in a line. Raises InputError for a line of another kind."""
    match = _FULL.fullmatch(line)
    old = None if match else _OLD.fullmatch(line)
    if match is None and old is None:
        raise InputError(f"{path}, line {number}: found {line[:60]!r}, expected start, end and text between tabs")
    first, last, label = match.groups() if match else (old.group(1), old.group(1), old.group(2))  # type: ignore[union-attr]
    start, end = float(first.replace(",", ".")), float(last.replace(",", "."))
    if end < start:
        raise InputError(f"{path}, line {number}: it ends at {end:g} s, before it starts at {start:g} s")
    return LabelRow(path.stem, label or "", start, None if end == start else end, f"line {number}", unit="seconds")


def write(file: LabelFile, path: Path, clocks: Mapping[str, Clock]) -> tuple[str, ...]:
    """Write rows of one recording, in order of time."""
    rows, lines = with_text(file.rows, _UNFIT, " ", "Audacity")
    text = []
    for row in sorted(rows, key=lambda row: (row.start, row.end or row.start)):
        end = row.start if row.end is None else row.end
        text.append(f"{_number(row.start)}\t{_number(end)}\t{row.label}\n")
    write_atomically(path, "".join(text))
    return (*lines, *lost_lines(file, "Audacity"))


def _number(seconds: float) -> str:
    """Seconds without an exponent, to the last digit."""
    text = repr(float(seconds))
    return text if "e" not in text else f"{seconds:.12f}"


FORMATS.register("audacity")(
    AnnotationFormat((".txt",), "Audacity label track", read, write, sniff, one_recording=True)
)
