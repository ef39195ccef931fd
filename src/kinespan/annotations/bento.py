"""Bento .annot: bouts of each channel and behaviour, by their first and last frame."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath

from ..data.clock import Clock
from ..errors import InputError
from ..files import write_atomically
from .base import FORMATS, AnnotationFormat
from .frame_times import rounded_lines
from .label_file import LabelFile, LabelRow, Unit
from .text_file import plain_head, read_text
from .text_table import number
from .tiers import lost_lines, rows_of

_TITLE = "Bento annotation file"
_CHANNEL = re.compile(r"(\S.*?)-{3,}")
_RATE = "Annotation framerate:"
_ROUNDING = 1e-3
"""Frames by which seconds may be off one, as they are rounded."""
_TOLERANCE = 0.1
"""Frames by which a duration may differ from what it should be."""


def sniff(path: Path, head: bytes) -> bool:
    """Its first line."""
    return plain_head(head).startswith(_TITLE.encode())


def read(path: Path) -> LabelFile:
    """The bouts of all channels, which are tiers; classes that are declared and do not occur stay declared.

    Stop is the last frame, which is included. Numbers are seconds or frames from 1: the column Duration tells, as it
    holds one frame more than Stop minus Start. Raises InputError, naming file and line.
    """
    text, notes = read_text(path)
    lines = text.split("\n")
    if lines[0].strip() != _TITLE:
        raise InputError(f"{path}, line 1: no file of Bento; expected {_TITLE!r}")
    rate = _rate(path, lines)
    bouts: list[tuple[int, str, str, float, float, float]] = []
    declared: list[str] = []
    channel = label = section = ""
    for index, line in enumerate(lines, 1):
        stripped = line.strip()
        match = _CHANNEL.fullmatch(stripped)
        if stripped.startswith(("List of channels:", "List of annotations:")) and not label:
            section = stripped
        elif stripped and section:
            declared += [stripped] if section.startswith("List of annotations") else []
        elif stripped.startswith(">"):
            label = stripped[1:].strip()
        elif match:
            channel, label = match[1], ""
        elif not stripped:
            section = ""
        elif label and not stripped.lower().startswith("start"):
            bouts.append((index, channel, label, *_bout(path, index, stripped)))
    unit = _unit(path, bouts, rate)
    movie = _movie(path, lines)
    written: Unit = "frames" if rate is None else "seconds"
    rows = [
        LabelRow(movie, label, *_bounds(start, stop, unit, rate), f"line {index}", unit=written, tier=channel)
        for index, channel, label, start, stop, _ in bouts
    ]
    said = [*notes, "decided: Stop is the last frame of a bout, and one more frame is its end"]
    if bouts:
        said.append(f"decided: times are {unit}{' from 1' if unit == 'frames' else ''}, as Duration says")
    labels = tuple(dict.fromkeys([*declared, *(row.label for row in rows)])) or None
    return LabelFile(path, (movie,), tuple(rows), labels=labels, notes=tuple(said))


def write(file: LabelFile, path: Path, clocks: Mapping[str, Clock]) -> tuple[str, ...]:
    """Write bouts in seconds on the grid of frames, as Bento does. Raises InputError for more than one recording.

    The rate of the recording is needed, as an end is that of the last frame.
    """
    if len({row.recording for row in file.rows}) > 1:
        raise InputError(
            f"{path}: a file of Bento is of one recording, not {len(file.recordings)}; write a file for each"
        )
    name = next((row.recording for row in file.rows), next(iter(file.recordings), path.stem))
    clock = clocks.get(name)
    spans = [row for row in file.rows if row.end is not None]
    if clock is None and spans:
        raise InputError(f"{path}: nothing says the rate of {name!r}, and Bento's ends are last frames; give --fps")
    fps, count = (30.0, 0) if clock is None else (clock.fps, clock.num_frames)
    channels: dict[str, dict[str, list[tuple[int, int]]]] = {}
    for row in spans:
        assert clock is not None
        assert row.end is not None
        bounds = clock.frames(row.start, row.end)
        channels.setdefault(_word(row.tier).strip(">-") or "Ch1", {}).setdefault(_word(row.label), []).append(bounds)
    labels = sorted(
        {label for behaviours in channels.values() for label in behaviours} | {_word(x) for x in file.labels or ()}
    )
    out = [_TITLE, f"Movie file(s):  {name}", "", "Stimulus name: ", "Annotation start frame: 1"]
    out += [f"Annotation stop frame: {count}", f"{_RATE} {fps:.6f}", "", "List of channels:", *channels, ""]
    out += ["List of annotations:", *labels, "", ""]
    for channel, behaviours in channels.items():
        out.append(f"{channel}----------")
        for label, bouts in behaviours.items():
            out += [f">{label}", "Start\t Stop\t Duration "]
            out += [
                f"{first / fps:.12g}\t{(end - 1) / fps:.12g}\t{(end - first) / fps:.12g}"
                for first, end in sorted(bouts)
            ]
            out.append("")
        out.append("")
    write_atomically(path, "\n".join(out))
    lost = rounded_lines(spans, clocks)
    if len(spans) < len(file.rows):
        lost.append(f"left out, as Bento has no instants: {rows_of(len(file.rows) - len(spans))}")
    return (*lost, *lost_lines(file, "Bento", "tier"))


FORMATS.register("bento")(
    AnnotationFormat((".annot",), "Bento, bouts of channels", read, write, sniff, one_recording=True, resolution=1e-9)
)


def _word(name: str) -> str:
    """A name in one line."""
    return " ".join(name.split())


def _movie(path: Path, lines: list[str]) -> str:
    """The name of the first movie, else of the file."""
    for line in lines[:12]:
        if line.startswith("Movie file(s):"):
            names = re.split(r"\s+(?=[A-Za-z]:\\|/)", line.split(":", 1)[1].strip())
            return PureWindowsPath(names[0].strip()).name or path.stem
    return path.stem


def _rate(path: Path, lines: list[str]) -> float | None:
    """Frames a second of the header."""
    for index, line in enumerate(lines[:30], 1):
        if line.startswith(_RATE):
            try:
                rate = number(line.removeprefix(_RATE).strip())
            except ValueError:
                rate = math.nan
            if not 0 < rate < 1e6:
                raise InputError(f"{path}, line {index}: {line.strip()!r}, expected a number of frames a second")
            return rate
    return None


def _bout(path: Path, index: int, line: str) -> tuple[float, float, float]:
    """Start, stop and duration of a line."""
    try:
        start, stop, duration = map(number, line.split())
    except ValueError:
        raise InputError(
            f"{path}, line {index}: {line[:60]!r}, expected the numbers Start, Stop and Duration"
        ) from None
    if stop < start:
        raise InputError(f"{path}, line {index}: Stop {stop:g} is before Start {start:g}")
    return start, stop, duration


def _unit(path: Path, bouts: list[tuple[int, str, str, float, float, float]], rate: float | None) -> Unit:
    """What the numbers count, by their durations. Raises InputError for seconds without a rate."""
    are_whole = all(value == int(value) for bout in bouts for value in bout[3:5])
    if rate is not None:
        excess = [abs(bout[5] - (bout[4] - bout[3]) - 1 / rate) * rate for bout in bouts]
        if not are_whole or (bouts and max(excess) < _TOLERANCE and rate != 1):
            return "seconds"
    if not are_whole:
        raise InputError(f"{path}: times are seconds, but there is no {_RATE!r}, and a stop is that of the last frame")
    return "frames"


def _bounds(start: float, stop: float, unit: Unit, rate: float | None) -> tuple[float, float]:
    """Start and end of a bout, in seconds where the rate is known, else in frames from 0."""
    if rate is None:
        return start - 1, stop
    if unit == "frames":
        return (start - 1) / rate, stop / rate
    return _on_frames(start * rate) / rate, (_on_frames(stop * rate) + 1) / rate


def _on_frames(frame: float) -> float:
    """The number of a frame without the rounding of its seconds."""
    return round(frame) if abs(frame - round(frame)) < _ROUNDING else frame
