"""SubRip .srt, subtitles: numbered cues with times in milliseconds; an instant is a cue without length."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ..data.clock import Clock
from ..errors import InputError
from ..files import write_atomically
from .base import FORMATS, AnnotationFormat
from .cues import clock, cues_of
from .label_file import LabelFile, LabelRow
from .text_file import decoded, plain_head, read_text
from .tiers import lost_lines, rows_of, whole_milliseconds, with_text

_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
"""What players take for a tag; brackets around other characters are text."""
_UNFIT = re.compile("[\0\r\ud800-\udfff]|\n(?=[^\\S\n]*(\n|$))|^[^\\S\n]*\n")
"""Characters that a cue cannot hold: line ends before a blank line, or that make one, among them."""
_FIRST = re.compile(r"\s*(\d+\s*\n)?\s*\d{1,6}:\d{1,2}:\d{1,2}[.,]\d{1,3}\s*-->")


def sniff(path: Path, head: bytes) -> bool:
    """A first cue, with or without its number."""
    try:
        text, _ = decoded(head[: len(head) // 2 * 2], path)
    except InputError:
        text = plain_head(head).decode("latin-1").replace("\r\n", "\n")
    return _FIRST.match(text) is not None


def read(path: Path) -> LabelFile:
    """The cues, without tags, numbered or not; the recording is named after the file.

    A cue without text is left out and counted. Raises InputError, naming the file and line, for anything else.
    """
    text, notes = read_text(path)
    cues, outside = cues_of(text, path)
    if not cues and text.strip():
        raise InputError(f"{path}: no cue; expected lines such as 00:00:01,000 --> 00:00:02,500")
    if not cues:
        raise InputError(f"{path}: it is empty, expected SubRip cues")
    rows = [
        LabelRow(
            path.stem,
            _plain(cue.text),
            cue.start,
            None if cue.end == cue.start else cue.end,
            f"line {cue.line}",
            unit="seconds",
        )
        for cue in cues
    ]
    labelled = [row for row in rows if row.label.strip()]
    if empty := len(rows) - len(labelled):
        notes += (f"cues without text left out: {empty}",)
    if outside:
        notes += (f"lines outside of cues left out: {outside}",)
    return LabelFile(path, (path.stem,), tuple(labelled), notes=notes)


def _plain(text: str) -> str:
    """Text without tags; without blanks around it where tags were taken out."""
    bare = _TAG.sub("", text)
    return bare if bare == text else bare.strip()


def write(file: LabelFile, path: Path, clocks: Mapping[str, Clock]) -> tuple[str, ...]:
    """Write rows of one recording, numbered, in order of time."""
    rows, lines = with_text(file.rows, _UNFIT, " ", "SubRip")
    rows, more = whole_milliseconds(rows, "SubRip")
    lines += more
    tagged = [index for index, row in enumerate(rows) if _TAG.search(row.label) or "-->" in row.label]
    for index in tagged:  # there is no way to write what players take for a tag, or for times
        label = re.sub("<(?=/?[A-Za-z])", "< ", rows[index].label).replace("-->", "-- >")
        rows[index] = replace(rows[index], label=label)
    if tagged:
        lines.append(
            f"with text that players take for tags or times, written with a blank in it: {rows_of(len(tagged))}"
        )
    text = []
    for number, row in enumerate(sorted(rows, key=lambda row: (row.start, row.end or row.start)), 1):
        end = row.start if row.end is None else row.end
        text += [str(number), f"{clock(row.start, ',')} --> {clock(end, ',')}", row.label, ""]
    write_atomically(path, "\n".join(text))
    return (*lines, *lost_lines(file, "SubRip"))


FORMATS.register("srt")(
    AnnotationFormat((".srt",), "SubRip subtitles", read, write, sniff, one_recording=True, resolution=0.001)
)
