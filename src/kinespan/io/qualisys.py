"""TSV of Qualisys Track Manager: labelled points under a header of one word a line."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from ..arrays import Float64Array
from ..data.annotation import Annotation, Event, LabelSet
from ..errors import InputError
from .base import CHECK, READERS, FileMotion, floats, read_text_bytes
from .clock import stated_clock
from .decimals import number_rows
from .options import ReadOptions
from .points import labelled_points

_MAX_HEADER = 500


class _Header(NamedTuple):
    fields: dict[str, list[str]]
    """Values by the word that begins their line."""
    events: list[tuple[str, str, str]]
    """Label, frame and seconds as written."""
    columns: list[str]
    """The line of column names; empty where there is none."""
    start: int
    """Where the rows begin in the text."""
    line: int
    """Their first line, counted from 1."""


@READERS.register("qualisys")
class QualisysReader:
    """TSV of Qualisys Track Manager, 3-D data: with or without the columns Frame and Time and a line of column names.

    The program exports millimetres; which axis points up depends on its calibration, so the body tells, or
    `ReadOptions.up`. Points at 0 0 0 and empty fields were not seen. Lines EVENT are events.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".tsv",)
    about: ClassVar[str] = "Qualisys Track Manager TSV, labelled markers"

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """The first word is NO_OF_FRAMES."""
        return re.match(rb"(\xef\xbb\xbf)?NO_OF_FRAMES\t", head) is not None

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """Positions (T, P, J, 3) of the points."""
        text = read_text_bytes(path)
        header = _header(path, text)
        names = [name for name in header.fields.get("MARKER_NAMES", []) if name]
        kind = "".join(header.fields.get("DATA_INCLUDED", ["3D"])[:1])
        if kind != "3D" or not names:
            raise InputError(f"{path}: it holds {kind or 'other'} data without MARKER_NAMES; export 3D data as TSV")
        first = text[header.start : text.find(b"\n", header.start)].rstrip(b"\r\n")
        lead = _lead(path, header, len(names), first.count(b"\t") + 1)
        rows = number_rows(path, text[header.start :], "\t", lead + 3 * len(names), header.line)
        if not len(rows.values):
            raise InputError(f"{path}: no row of values follows the header; the file is cut off")
        positions = rows.values[:, lead:].reshape(len(rows.values), len(names), 3)
        positions = np.where((positions == 0).all(axis=2, keepdims=True), np.nan, positions)
        stated = floats(header.fields.get("FREQUENCY", [])[:1])
        seconds = rows.values[:, 1] if lead == 2 else np.zeros(0)
        rate = stated_clock(
            path, seconds, rows.line_numbers, float(stated[0]) if stated is not None and len(stated) else None
        )
        points = labelled_points(path, "qualisys", names, positions)
        frames, announced = len(positions), "".join(header.fields.get("NO_OF_FRAMES", [])[:1])
        if announced.isdecimal() and int(announced) > frames:
            cut = f"the file has {frames} frames, its header says {announced}; if it was longer, copy it again"
            rate = rate._replace(notes=(*rate.notes, f"{CHECK}{cut}"))
        return FileMotion(
            positions=points.positions,
            skeleton=points.skeleton,
            fps=rate.fps,
            fps_from=rate.origin,
            times=rate.times,
            unit=0.001,
            unit_from="Qualisys files are in millimetres",
            up=None,
            annotation=_events(header, seconds, rate.fps, frames),
            attributes=points.attributes,
            history=(*rate.notes, *points.history),
        )


def _header(path: Path, text: bytes) -> _Header:
    """The lines above the rows. Raises InputError where no row follows them."""
    fields: dict[str, list[str]] = {}
    events: list[tuple[str, str, str]] = []
    columns: list[str] = []
    start, number = 0, 0
    while number < _MAX_HEADER and start < len(text):
        end = text.find(b"\n", start)
        end = len(text) if end < 0 else end
        words = [word.strip() for word in text[start:end].decode("utf-8", "replace").lstrip("\ufeff").split("\t")]
        number += 1
        if floats([word for word in words if word] or ["x"]) is not None and "MARKER_NAMES" in fields:
            return _Header(fields, events, columns, start, number)
        if words[0] == "EVENT" and len(words) >= 4:
            events.append((words[1], words[2], words[3]))
        elif (
            words[-1:] in (["Z"], ["z"]) or words[0] == "Frame" or (len(words) > 2 and words[2].endswith((" X", " Z")))
        ):
            columns = words
        elif words[0]:
            fields.setdefault(words[0].rstrip(":"), words[1:])
        start = end + 1
    raise InputError(f"{path}:{number}: the file ends before the values; it is cut off")


def _lead(path: Path, header: _Header, points: int, width: int) -> int:
    """How many columns stand before the points. Raises InputError where the columns do not fit the points."""
    lead = (
        header.columns[:2].count("Frame") + header.columns[:2].count("Time") if header.columns else width - 3 * points
    )
    if lead not in (0, 1, 2) or width < lead + 3 * points:
        expected = f"3 for each of {points} markers, after Frame and Time or neither"
        raise InputError(f"{path}:{header.line}: found {width} columns, expected {expected}")
    return lead


def _events(header: _Header, seconds: Float64Array, fps: float | None, frames: int) -> Annotation | None:
    """The events of the header in seconds from the first frame."""
    start = float(seconds[0]) if len(seconds) else 0.0
    times = ((label, floats([time])) for label, _, time in header.events)
    events = tuple(
        Event(float(time[0]) - start, label)
        for label, time in times
        if label and time is not None and fps and 0 <= time[0] - start < frames / fps
    )
    names = tuple(sorted({event.label for event in events}))
    return Annotation((), LabelSet(names, events=names), events=events) if events else None
