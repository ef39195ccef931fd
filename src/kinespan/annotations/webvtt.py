"""WebVTT, captions of the web: cues with times in milliseconds, whose voice is the tier.

A cue needs a length: an instant is written as one of `EVENT_SECONDS` whose name says so, and read back as an instant.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from pathlib import Path

from ..data.clock import Clock
from ..errors import InputError
from ..files import write_atomically
from .base import FORMATS, AnnotationFormat
from .cues import Cue, clock, cues_of
from .label_file import LabelFile, LabelRow
from .text_file import plain_head, read_text
from .tiers import lost_lines, rows_of, whole_milliseconds, with_text

EVENT_SECONDS = 0.04
_EVENT = re.compile(r"instant \d+")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?[ \t\n]+([^>]*)>")
_TAG = re.compile(r"<[^>]*>")
_UNFIT = re.compile("[\0\r\ud800-\udfff]|\n(?=[^\\S\n]*(\n|$))|^[^\\S\n]*\n")
"""Characters that a cue cannot hold: line ends before a blank line, or that make one, among them."""


def sniff(path: Path, head: bytes) -> bool:
    """A first line that begins with WEBVTT."""
    return plain_head(head).startswith(b"WEBVTT")


def read(path: Path) -> LabelFile:
    """The cues, without tags, styles and notes; the recording is named after the file, tiers after the voices.

    A cue without text is left out and counted. Raises InputError, naming the file and line, for anything else.
    """
    text, notes = read_text(path)
    if not text.startswith("WEBVTT"):
        raise InputError(f"{path}, line 1: found {text.split(chr(10))[0][:20]!r}, expected WEBVTT")
    cues, _ = cues_of(text, path)  # what is outside of cues are notes and styles
    rows = [row for cue in cues for row in _rows(cue, path.stem)]
    labelled = [row for row in rows if row.label.strip()]
    if empty := len(rows) - len(labelled):
        notes += (f"cues without text left out: {empty}",)
    return LabelFile(path, (path.stem,), tuple(labelled), notes=notes)


def _rows(cue: Cue, recording: str) -> list[LabelRow]:
    """The row of a cue, or one for each of its voices."""
    is_event = _EVENT.fullmatch(cue.name) is not None or cue.end == cue.start
    pieces = _VOICE.split(cue.text)
    voices = [("", pieces[0]), *zip(pieces[1::2], pieces[2::2], strict=True)]
    if len(voices) > 1 and not _plain(voices[0][1]).strip():
        voices = voices[1:]
    end = None if is_event else cue.end
    where = f"line {cue.line}"
    return [
        LabelRow(
            recording, _plain(text), cue.start, end, where, unit="seconds", tier=html.unescape(voice.replace("\n", " "))
        )
        for voice, text in voices
    ]


def _plain(text: str) -> str:
    """Text without tags; without blanks around it where tags were taken out."""
    bare = _TAG.sub("", text)
    return html.unescape(bare if bare == text else bare.strip())


def write(file: LabelFile, path: Path, clocks: Mapping[str, Clock]) -> tuple[str, ...]:
    """Write rows of one recording, in order of time."""
    rows, lines = with_text(file.rows, _UNFIT, " ", "WebVTT")
    rows, more = whole_milliseconds(rows, "WebVTT")
    lines += more
    text, instants = ["WEBVTT"], 0
    for row in sorted(rows, key=lambda row: (row.start, row.end or row.start)):
        text.append("")
        end = row.end
        if end is None:
            instants += 1
            end = row.start + EVENT_SECONDS
            text.append(f"instant {instants}")
        voice = f"<v {_escaped(row.tier.replace(chr(10), ' '))}>" if row.tier.strip() else ""
        text += [f"{clock(row.start, '.')} --> {clock(end, '.')}", f"{voice}{_escaped(row.label)}"]
    if instants:
        lines.append(f"written as cues of {1000 * EVENT_SECONDS:g} ms, as WebVTT needs a length: {rows_of(instants)}")
    write_atomically(path, "\n".join([*text, ""]))
    return (*lines, *lost_lines(file, "WebVTT", "tier"))


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


FORMATS.register("webvtt")(
    AnnotationFormat((".vtt",), "WebVTT captions", read, write, sniff, one_recording=True, resolution=0.001)
)
