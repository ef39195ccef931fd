"""CSV of OptiTrack Motive, versions 1.21 to 1.25: bones, markers and rigid bodies in columns."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from ..errors import InputError
from .base import CHECK, DECIDED, READERS, FileMotion, floats, read_text_bytes
from .clock import stated_clock
from .decimals import NumberRows, number_rows
from .options import ReadOptions
from .points import is_unlabelled, labelled_points

_METRES = {"meters": 1.0, "centimeters": 0.01, "millimeters": 0.001, "inches": 0.0254, "feet": 0.3048}
_KINDS = ("bone", "marker", "rigid body marker", "rigid body", "bone marker")
"""Types of columns, those that make the joints first: bones, else markers as measured, else as solved, else bodies."""
_MAX_HEADER = 12


class _Point(NamedTuple):
    """Three neighbouring columns X, Y and Z of a position."""

    kind: str
    name: str
    parent: str
    column: int


@dataclass(frozen=True)
class _Header:
    fields: dict[str, str]
    """The pairs of the first line, names in lower case."""
    points: tuple[_Point, ...]
    width: int
    start: int
    """Where the rows begin in the text."""
    line: int
    """Their first line, counted from 1."""


@READERS.register("motive")
class MotiveReader:
    """CSV of Motive: frame, time, then columns by type, name and axis; empty fields were not seen.

    The joints are the bones of skeletons, with their hierarchy; in files without bones the labelled markers, without
    markers those of rigid bodies, or the rigid bodies. All other columns are left out and counted. Several skeletons
    are people, by the prefix of their names. Unit and rate are in the first line; y is up, as Motive has it, unless the
    body tells another.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".csv",)
    about: ClassVar[str] = "OptiTrack Motive CSV, bones, markers or rigid bodies"

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """The first words are Format Version."""
        return re.match(rb'(\xef\xbb\xbf)?"?Format Version"?\s*,', head) is not None

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """Positions (T, P, J, 3) of bones, markers or rigid bodies."""
        text = read_text_bytes(path)
        header = _header(path, text)
        points, left_out = _joints(header.points)
        rows = number_rows(path, text[header.start :], ",", header.width, header.line)
        if not len(rows.values):
            raise InputError(f"{path}: no row of values follows the header; the file is cut off")
        columns = np.array([point.column for point in points])[:, None] + np.arange(3)
        labels = [point.name for point in points]
        parents = [labels.index(point.parent) if point.parent in labels else -1 for point in points]
        labelled = labelled_points(path, "motive", labels, rows.values[:, columns], parents=parents)
        stated = floats([header.fields.get("export frame rate") or header.fields.get("capture frame rate") or ""])
        rate = stated_clock(
            path, rows.values[:, 1], rows.line_numbers, float(stated[0]) if stated is not None else None
        )
        return FileMotion(
            positions=labelled.positions,
            skeleton=labelled.skeleton,
            fps=rate.fps,
            fps_from=rate.origin,
            times=rate.times,
            unit=_unit(path, header, options),
            unit_from="unit of the file",
            up="y",
            attributes=labelled.attributes,
            history=(*left_out, *_count_notes(header, rows), *rate.notes, *labelled.history),
        )


def _header(path: Path, text: bytes) -> _Header:
    """The lines above the rows. Raises InputError for others."""
    rows: list[list[str]] = []
    start = 0
    while len(rows) < _MAX_HEADER and start < len(text):
        end = text.find(b"\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end].decode("utf-8", "replace").lstrip("\ufeff").rstrip("\r")
        try:
            rows.append([cell.strip() for cell in next(csv.reader([line]), [])])
        except csv.Error as error:
            raise InputError(f"{path}:{len(rows) + 1}: is no line of a CSV: {error}") from None
        start = end + 1
        if rows[-1][:1] == ["Frame"]:
            return _parsed(path, rows, start)
    raise InputError(f"{path}:{len(rows)}: no line begins with Frame, as the last one above the values does")


def _parsed(path: Path, rows: list[list[str]], start: int) -> _Header:
    """The header whose rows were read, the last of them the axes."""
    fields = {key.lower(): value for key, value in zip(rows[0][::2], rows[0][1::2], strict=False)}
    width = len(rows[-1])
    named = {row[1].lower(): row for row in rows[1:-1] if len(row) > 1 and row[1]}
    plain = [row for row in rows[1:-1] if any(row)]  # 1.21 has no words Type and Name
    if len(plain) < 3:
        raise InputError(f"{path}:{len(rows)}: the lines of types, names and IDs above Frame are missing")

    def cells(word: str, place: int) -> list[str]:
        row = named.get(word, [] if place < 0 else plain[place])
        return (row + [""] * width)[:width]

    kinds, names, parents = cells("type", 0), cells("name", 1), cells("parent", -1)
    quantities = (plain[-1] + [""] * width)[:width]
    points = tuple(
        _Point(kinds[column].lower(), names[column], parents[column], column)
        for column in range(2, width - 2)
        if quantities[column].lower() == "position"
        and [axis.upper() for axis in rows[-1][column : column + 3]] == ["X", "Y", "Z"]
        and len({(kinds[at], names[at]) for at in range(column, column + 3)}) == 1
    )
    if not points:
        raise InputError(f"{path}:{len(rows)}: no columns of positions X, Y, Z; export positions, not rotations alone")
    return _Header(fields, points, width, start, len(rows) + 1)


def _joints(points: tuple[_Point, ...]) -> tuple[list[_Point], tuple[str, ...]]:
    """The points that are joints, and a note on the others."""
    counts = Counter(point.kind for point in points)
    kind = next(
        (kind for kind in _KINDS if any(point.kind == kind and not is_unlabelled(point.name) for point in points)),
        points[0].kind,
    )
    joints = [point for point in points if point.kind == kind]
    others = ", ".join(f"{count} of type {name.title()}" for name, count in counts.items() if name != kind)
    note = f"{DECIDED}the joints are the columns of type {kind.title()}; others are left out ({others})"
    return joints, (note,) if others else ()


def _unit(path: Path, header: _Header, options: ReadOptions) -> float | None:
    """Metres per unit. Raises InputError where the file names none and none is given."""
    name = header.fields.get("length units", "")
    if options.unit is None and name.lower() not in _METRES:
        raise InputError(f"{path}:1: Length Units is {name[:40]!r}, expected {', '.join(_METRES)}; give it by --unit")
    return _METRES.get(name.lower())


def _count_notes(header: _Header, rows: NumberRows) -> list[str]:
    """A warning where fewer rows are there than announced."""
    stated = header.fields.get("total exported frames") or header.fields.get("total frames in take") or ""
    frames = len(rows.values)
    if not stated.isdecimal() or int(stated) <= frames:
        return []
    return [f"{CHECK}the file has {frames} frames, its header says {stated}; if it was longer, copy it again"]
