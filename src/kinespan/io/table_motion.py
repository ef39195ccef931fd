"""The points that a motion table holds, wide or long, by the meaning of its columns."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from ..arrays import Float64Array, IntArray
from ..errors import InputError
from .base import DECIDED
from .free_points import Points, flat_error
from .options import ReadOptions
from .table_columns import Columns
from .table_rows import Rows, followed, rows_of_frames, rows_of_times, seconds
from .text_table import is_number

_MAX_CELLS = 2 * 10**8
"""Frames x people x points of the largest table that is read."""


class Table(Protocol):
    """N rows of numbers and words."""

    @property
    def path(self) -> Path:
        """The file."""

    def __len__(self) -> int: ...

    def row(self, index: int) -> str:
        """Where a row is, for messages."""

    def numbers(self, columns: IntArray) -> Float64Array:
        """The numbers (N, C) of columns, NaN where missing. Raises InputError, naming the row, for a word."""

    def has_words(self, column: int) -> bool:
        """Whether a column holds words."""

    def words(self, column: int) -> list[str]:
        """A column as text (N,), empty where missing."""


def table_points(table: Table, columns: Columns, options: ReadOptions) -> Points:
    """The points of a table. Raises InputError, naming file and row, for a table of 2-D points or of none."""
    if not columns.axes:
        if columns.flat:
            shown = ", ".join(columns.flat[:3])
            raise flat_error(table.path, f"x and y alone of {shown}{'...' if len(columns.flat) > 3 else ''}")
        raise InputError(
            f"{table.path}: no columns x, y and z of any joint, such as left_knee_x, left_knee_y, left_knee_z, or "
            "joint, x, y, z"
        )
    if columns.repeated:
        raise InputError(f"{table.path}: {columns.repeated[0]} has an axis twice in the header; rename one of them")
    points = _long(table, columns, options) if columns.is_long else _wide(table, columns, options)
    notes = list(points.notes)
    if columns.no_positions:
        notes.append(f"{DECIDED}columns that are no positions are left out ({columns.no_positions})")
    if columns.flat and not columns.is_long:
        notes.append(f"{DECIDED}points with x and y alone are left out ({len(columns.flat)})")
    unit = columns.unit
    return replace(
        points,
        notes=tuple(notes),
        unit=unit or points.unit,  # type: ignore[arg-type]
        unit_is_sure=unit is not None,
    )


def _wide(table: Table, columns: Columns, options: ReadOptions) -> Points:
    """The points of a table with columns for each of them."""
    joints, people = columns.joints, columns.people
    keys = [(person, joint) for person in people for joint in joints]
    indices = np.array([columns.axes.get(key, (-1, -1, -1)) for key in keys]).reshape(-1)
    has_confidence = bool(columns.confidence)
    sure_columns = np.array([columns.confidence.get(key, -1) for key in keys])
    shape = (len(table), len(people), len(joints))
    numbers = _columns_of(table, indices).reshape(*shape, 3)
    confidence = _columns_of(table, sure_columns).reshape(shape) if has_confidence else None
    if confidence is not None and (sure_columns < 0).any():
        confidence[:, sure_columns.reshape(shape[1:]) < 0] = 1.0
    names, persons = _people(table, columns)
    rows, notes = _rows(table, columns, options, persons, is_wide=True)
    if persons is None and len(people) == 1 and len(np.unique(rows.frames)) < len(rows.frames):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a body of which nothing is seen has no place
            places = np.nanmean(numbers[:, 0], axis=1)
        order = np.argsort(rows.frames, kind="stable")
        persons = np.empty(len(order), dtype=np.int64)
        persons[order] = followed(rows.frames[order], places[order])
        names = tuple(str(person) for person in range(int(persons.max()) + 1))
        notes = (
            *notes,
            f"{DECIDED}{len(names)} people, as some frames have several rows; each is followed by nearness",
        )
    if persons is not None:
        if len(people) > 1:
            raise InputError(f"{table.path}: people are told by a column and by the names of others; keep one of them")
        flat = rows.frames * len(names) + persons
        _check_once(table, flat)
        numbers = _spread(table, numbers[:, 0], flat, (rows.num_frames, len(names)))
        confidence = None if confidence is None else _spread(table, confidence[:, 0], flat, numbers.shape[:2])
    elif rows.num_frames != len(table) or np.any(np.diff(rows.frames) != 1):
        flat = rows.frames
        _check_once(table, flat)
        numbers = _spread(table, numbers, flat, (rows.num_frames,))
        confidence = None if confidence is None else _spread(table, confidence, flat, (rows.num_frames,))
    names = names if persons is not None else people
    return _points(rows, notes, numbers, joints, confidence, names)


def _columns_of(table: Table, indices: IntArray) -> Float64Array:
    """The numbers (N, C) of columns, NaN for those that are -1."""
    known = indices >= 0
    if known.all():
        return table.numbers(indices)
    numbers = np.full((len(table), len(indices)), np.nan)
    numbers[:, known] = table.numbers(indices[known])
    return numbers


def _spread(table: Table, values: Float64Array, flat: IntArray, shape: tuple[int, ...]) -> Float64Array:
    """The values (N, ...) at their flat places in an array of a shape, NaN elsewhere."""
    cells = int(np.prod(shape, dtype=np.float64) * np.prod(values.shape[1:], dtype=np.float64))
    if cells > 3 * _MAX_CELLS:
        counts = " x ".join(map(str, (*shape, *values.shape[1:])))
        raise InputError(
            f"{table.path}: {counts} numbers do not fit into memory; are the frame numbers or people right?"
        )
    spread = np.full((int(np.prod(shape)), *values.shape[1:]), np.nan)
    spread[flat] = values
    return spread.reshape(*shape, *values.shape[1:])


def _check_once(table: Table, flat: IntArray, rows: IntArray | None = None) -> None:
    """Raise InputError where two rows have the same place; `rows` (N,) are theirs, by default all."""
    _, first = np.unique(flat, return_index=True)
    if len(first) < len(flat):
        row = int(np.setdiff1d(np.arange(len(flat)), first)[0])
        row = row if rows is None else int(rows[row])
        raise InputError(f"{table.row(row)}: the frame, person and point of this row were there before")


def _long(table: Table, columns: Columns, options: ReadOptions) -> Points:
    """The points of a table with a row for each of them."""
    assert columns.joint is not None
    numbers = table.numbers(np.array(columns.axes["", ""]))
    confidence = None
    if columns.confidence:
        confidence = table.numbers(np.array([columns.confidence["", ""]]))[:, 0]
    words = table.words(columns.joint)
    label_of = {word: re.sub(r"^(\d+)\.0+$", r"\1", word) for word in set(words)}
    labels = [label_of[word] for word in words]
    names, persons = _people(table, columns)
    chosen, labels, notes, is_freemocap = _of_body(table, columns, labels)
    joint_of = {joint: index for index, joint in enumerate(dict.fromkeys(label for label in labels if label))}
    if not joint_of:
        raise InputError(f"{table.path}: no row names its joint")
    codes = np.array([joint_of.get(label, -1) for label in labels], dtype=np.int64)
    chosen &= codes >= 0
    rows, clock_notes = _rows(table, columns, options, None, is_wide=False, codes=codes, persons_of_rows=persons)
    people = np.zeros(len(codes), dtype=np.int64) if persons is None else persons
    shape = (rows.num_frames, max(1, len(names)), len(joint_of))
    flat = (rows.frames * shape[1] + people) * shape[2] + codes
    flat = flat[chosen]
    _check_once(table, flat, np.flatnonzero(chosen))
    spread = _spread(table, numbers[chosen], flat, shape)
    sure = None if confidence is None else _spread(table, confidence[chosen], flat, shape)
    points = _points(rows, (*notes, *clock_notes), spread, tuple(joint_of), sure, names)
    return replace(points, unit="mm", up="z") if is_freemocap else points


def _of_body(
    table: Table, columns: Columns, labels: list[str]
) -> tuple[np.ndarray[tuple[int], np.dtype[np.bool_]], list[str], tuple[str, ...], bool]:
    """Which rows (N,) are used, the names of their joints, notes, and whether it is a table of FreeMoCap.

    Of several models (body, hands, face) the body is used.
    """
    chosen = np.ones(len(labels), dtype=bool)
    if columns.model is None:
        return chosen, labels, (), False
    models = table.words(columns.model)
    bodies = [model for model in dict.fromkeys(models) if "body" in model.lower()]
    if not bodies:
        named = [f"{model}:{label}" if label else "" for model, label in zip(models, labels, strict=True)]
        return chosen, named, (), False
    chosen = np.array([model == bodies[0] for model in models])
    others = {(model, label) for model, label in zip(models, labels, strict=True) if model != bodies[0]}
    notes = () if not others else (f"{DECIDED}points of other models than {bodies[0]} are left out ({len(others)})",)
    joints = [label if is_body else "" for label, is_body in zip(labels, chosen.tolist(), strict=True)]
    return chosen, joints, notes, True


def _people(table: Table, columns: Columns) -> tuple[tuple[str, ...], IntArray | None]:
    """The people by their column, in the order in which they come, and whose row each is (N,); None for one person."""
    if columns.person is None:
        return (), None
    words = table.words(columns.person)
    index = {word: number for number, word in enumerate(dict.fromkeys(words))}
    if len(index) < 2 or (len(index) == len(words) > 2):  # of one person, or numbers of rows
        return (), None
    return tuple(index), np.array([index[word] for word in words], dtype=np.int64)


def _rows(
    table: Table,
    columns: Columns,
    options: ReadOptions,
    persons: IntArray | None,
    *,
    is_wide: bool,
    codes: IntArray | None = None,
    persons_of_rows: IntArray | None = None,
) -> tuple[Rows, tuple[str, ...]]:
    """The frames of the rows, by frame numbers, else times, else by the order of the rows; and notes."""
    times, notes = _times(table, columns, options)
    frames = _frame_numbers(table, columns)
    if frames is not None:
        if is_wide and persons is None and np.any(np.diff(frames) < 0):
            row = int(np.argmax(np.diff(frames) < 0)) + 1
            raise InputError(
                f"{table.row(row)}: frame {frames[row]} after {frames[row - 1]}, expected numbers that rise"
            )
        rows = rows_of_frames(frames, times)
    elif times is not None:
        owners = persons
        if not is_wide:
            assert codes is not None
            owners = codes if persons_of_rows is None else persons_of_rows * (int(codes.max(initial=0)) + 1) + codes
        rows = rows_of_times(times, owners, table.row)
    elif is_wide and persons is None:
        rows = Rows(np.arange(len(table)), len(table))
    else:
        owners = persons if codes is None else codes
        if persons_of_rows is not None and codes is not None:
            owners = persons_of_rows * (int(codes.max(initial=0)) + 1) + codes
        assert owners is not None
        rows = _counted(owners)
        notes = (*notes, f"{DECIDED}a new frame begins wherever a point comes again, as no column has frames or times")
    return rows, (*notes, *rows.notes)


def _counted(owners: IntArray) -> Rows:
    """Rows in the order of frames: each owner's first row is of frame 0, the second of frame 1."""
    order = np.argsort(owners, kind="stable")
    _, starts, counts = np.unique(owners[order], return_index=True, return_counts=True)
    frames = np.empty(len(owners), dtype=np.int64)
    frames[order] = np.arange(len(owners)) - np.repeat(starts, counts)
    return Rows(frames, int(frames.max(initial=0)) + 1)


def _times(table: Table, columns: Columns, options: ReadOptions) -> tuple[Float64Array | None, tuple[str, ...]]:
    """Seconds (N,) from the first time, and notes; None without times."""
    if columns.time is None:
        return None, ()
    if table.has_words(columns.time):
        words = table.words(columns.time)
        if is_number(words[0]):
            table.numbers(np.array([columns.time]))  # raises for the first word that is none
        try:
            moments = np.array([word.rstrip("Z") for word in words], dtype="datetime64[us]")
        except ValueError:
            raise InputError(
                f"{table.row(0)}: the time is {words[0][:40]!r}, expected seconds, or a date and time as in "
                "2026-11-30T12:00:00.040"
            ) from None
        stamps = (moments - moments[0]).astype(np.float64) * 1e-6
        return seconds(stamps, 1.0, table.row, options.fps)
    stamps = table.numbers(np.array([columns.time]))[:, 0]
    return seconds(stamps, columns.time_unit, table.row, options.fps)


def _frame_numbers(table: Table, columns: Columns) -> IntArray | None:
    """The frame number (N,) of each row; None without."""
    if columns.frame is None:
        return None
    if table.has_words(columns.frame):  # names of pictures, as in tables of labelled frames
        ends = [re.search(r"(\d{1,15})\D*$", word) for word in table.words(columns.frame)]
        return np.array([int(end.group(1)) for end in ends if end]) if all(ends) else None
    values = table.numbers(np.array([columns.frame]))[:, 0]
    missing = np.isnan(values)
    if missing.all():
        return None
    bad = missing | (values != np.round(values)) | (np.abs(values) > 2**53)
    if bad.any():
        row = int(np.argmax(bad))
        raise InputError(f"{table.row(row)}: the frame is {values[row]:g}, expected a whole number")
    return values.astype(np.int64)


def _points(
    rows: Rows,
    notes: tuple[str, ...],
    positions: Float64Array,
    joints: Sequence[str],
    confidence: Float64Array | None,
    people: tuple[str, ...],
) -> Points:
    return Points(
        positions=positions,
        joints=tuple(joints),
        confidence=confidence,
        times=rows.times,
        fps=rows.fps,
        fps_from=rows.fps_from,
        notes=notes,
        attributes={"people": ", ".join(people)} if len(people) > 1 and all(people) else {},
    )
