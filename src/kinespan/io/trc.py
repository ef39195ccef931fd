"""TRC (Motion Analysis, OpenSim, OpenCap, Pose2Sim): labelled points as text."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ..errors import InputError
from .base import CHECK, DECIDED, READERS, FileMotion, floats, read_text_bytes
from .clock import stated_clock
from .decimals import NumberRows, number_rows
from .options import ReadOptions
from .points import labelled_points

_UNITS = {"mm": 0.001, "cm": 0.01, "m": 1.0, "dm": 0.1, "in": 0.0254, "ft": 0.3048,
          "millimeters": 0.001, "centimeters": 0.01, "meters": 1.0}  # fmt: skip
_HEADER_LINES = 5


@dataclass(frozen=True)
class _Header:
    """What the five lines above the rows say."""

    mark: str
    """What separates fields."""
    names: tuple[str, ...]
    fields: dict[str, str]
    """Values by their name in lower case."""
    start: int
    """Where the rows begin in the text."""
    line: int
    """Their first line, counted from 1."""


@READERS.register("trc")
class TrcReader:
    """TRC: frame number, time and x y z of each point a line, separated by tabs or commas.

    Names are counted, however many tabs stand between them; columns beyond them are left out. Missing are empty fields,
    NaN and the end of short rows. The rate is that of the times, which DataRate need not fit; the numbers of frames and
    points of the header need not hold either. Unit: that of the header. TRC does not say which axis points up: the body
    tells, or `ReadOptions.up`.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".trc",)
    about: ClassVar[str] = "TRC text, markers or keypoints (OpenSim, OpenCap, Pose2Sim)"

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """The first word is PathFileType."""
        return re.match(rb"(\xef\xbb\xbf)?\s*PathFileType\b", head) is not None

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """Positions (T, P, J, 3) of the named points."""
        text = read_text_bytes(path)
        header = _header(path, text)
        names, width = header.names, 2 + 3 * len(header.names)
        rows = number_rows(path, text[header.start :], header.mark, width, header.line)
        if not len(rows.values):
            raise InputError(f"{path}: no row of values follows the header; the file is cut off")
        stated = floats([header.fields.get("datarate", "")])
        rate = stated_clock(path, rows.values[:, 1], rows.line_numbers, None if stated is None else float(stated[0]))
        positions = rows.values[:, 2:].reshape(len(rows.values), len(names), 3)
        points = labelled_points(path, "trc", names, positions)
        return FileMotion(
            positions=points.positions,
            skeleton=points.skeleton,
            fps=rate.fps,
            fps_from=rate.origin,
            times=rate.times,
            unit=_unit(path, header, options),
            unit_from="unit of the file",
            up=None,
            attributes=points.attributes,
            history=(*_count_notes(header, rows, width), *rate.notes, *points.history),
        )


def _header(path: Path, text: bytes) -> _Header:
    """The header. Raises InputError, naming the line, for another one."""
    start, lines = 0, list[str]()
    while len(lines) < _HEADER_LINES and start < len(text):
        end = text.find(b"\n", start)
        end = len(text) if end < 0 else end
        lines.append(text[start:end].decode("utf-8", "replace").lstrip("\ufeff").rstrip("\r"))
        start = end + 1
    if len(lines) < _HEADER_LINES or not lines[0].strip().startswith("PathFileType"):
        raise InputError(f"{path}:{len(lines)}: the file ends before the names of the points; it is cut off")
    mark = "\t" if "\t" in lines[3] else ","
    words = [[word.strip() for word in line.split(mark)] for line in lines]
    keys, values = ([word for word in line if word] for line in words[1:3])
    fields = {key.lower(): value for key, value in zip(keys, values, strict=False)}
    names = [word for word in words[3] if word]
    if [name.lower() for name in names[:2]] != ["frame#", "time"] or len(names) < 3:
        found = lines[3].strip()[:40]
        raise InputError(f"{path}:4: found {found!r}, expected Frame#, Time and the names of the points")
    if not any(word.upper() == "X1" for word in words[4]):  # rows may follow the names at once
        raise InputError(f"{path}:5: found {lines[4].strip()[:40]!r}, expected X1, Y1, Z1 and so on")
    return _Header(mark, tuple(names[2:]), fields, start, _HEADER_LINES + 1)


def _unit(path: Path, header: _Header, options: ReadOptions) -> float | None:
    """Metres per unit. Raises InputError where the header names none and none is given."""
    if options.unit is not None:
        return None
    name = header.fields.get("units", "")
    if name.lower() not in _UNITS:
        raise InputError(f"{path}:3: Units is {name[:40]!r}, expected mm, cm or m; give the unit by --unit")
    return _UNITS[name.lower()]


def _count_notes(header: _Header, rows: NumberRows, width: int) -> list[str]:
    """Notes on numbers of the header that do not hold, and on columns without a name."""
    notes = []
    frames, stated = len(rows.values), header.fields.get("numframes", "")
    if stated.isdecimal() and int(stated) > frames:
        notes.append(f"{CHECK}the file has {frames} frames, its header says {stated}; if it was longer, copy it again")
    extra = int(rows.counts.max()) - width
    if extra > 0:
        notes.append(f"{DECIDED}columns without a name are left out ({extra})")
    return notes
