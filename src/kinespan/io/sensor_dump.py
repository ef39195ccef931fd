"""Tables without a header, as programs around depth cameras write them: points in the order of the camera's SDK."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import Float64Array
from ..errors import InputError
from .base import DECIDED
from .free_points import Points
from .joint_orders import SENSORS
from .options import ReadOptions
from .table_columns import Columns
from .table_motion import Table, table_points
from .text_table import is_number

_BLOCKS = (4, 3, 7, 8)
"""Numbers of a joint: x y z and how it is tracked; x y z; x y z and a rotation; all of them."""
_MAX_KEYS = 3
"""Columns before the first joint: times, frame numbers, bodies."""


@dataclass(frozen=True)
class DumpLayout:
    """What the columns of a table without a header are."""

    sensor: str
    joints: tuple[str, ...]
    keys: int
    """Columns before the first joint."""
    block: int
    """Columns of a joint."""


def dump_layout(cells: Sequence[str]) -> DumpLayout | None:
    """The layout of a table by its first row; None where it is of no known camera."""
    cells = list(cells)
    while cells and not cells[-1]:
        cells.pop()
    if not all(is_number(cell) for cell in cells):
        return None
    values = np.array([float(cell.replace(",", ".")) for cell in cells])
    for sensor, joints in SENSORS:
        for block in _BLOCKS:
            keys = len(values) - block * len(joints)
            if not 0 < keys <= _MAX_KEYS:  # without times it may be anything
                continue
            blocks = values[keys:].reshape(-1, block)
            if _fits(blocks) and _has_even_limbs(joints, blocks[:, :3]):
                return DumpLayout(sensor, joints, keys, block)
    return None


def _has_even_limbs(names: Sequence[str], points: Float64Array) -> bool:
    """Whether the limbs of points (J, 3) by these names are of a length on both sides, within a factor of 2."""
    index = {_side_and_word(name): joint for joint, name in enumerate(names)}
    for start, end in (("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle")):
        ends = [[points[index[side, word]] for word in (start, end)] for side in ("left", "right")]
        if any(not point.any() for pair in ends for point in pair):  # not tracked
            continue
        left, right = (float(np.linalg.norm(second - first)) for first, second in ends)
        if not 0.5 * left <= right <= 2 * left or not left:
            return False
    return True


def _side_and_word(name: str) -> tuple[str, str]:
    word = name.lower().replace("_", "")
    side = next((side for side in ("left", "right") if side in word), "")
    return side, word.replace(side, "") if side else word


def _fits(joints: Float64Array) -> bool:
    """Whether the blocks (J, block) of a row can be those of joints: a state of 0 to 3, a rotation of length 1."""
    block = joints.shape[1]
    if np.abs(joints[:, :3]).max() > 2e4:
        return False
    states = joints[:, -1]
    if block in (4, 8) and not (np.all((states >= 0) & (states <= 3)) or np.all((states >= 0) & (states <= 100))):
        return False
    if block in (7, 8):
        lengths = np.linalg.norm(joints[:, 3:7], axis=1)
        return bool(np.all((np.abs(lengths - 1) < 0.05) | (lengths == 0)))
    return True


def dump_points(table: Table, first: Sequence[str], options: ReadOptions) -> Points:
    """The points of a table whose first row is `first`. Raises InputError where it is of no known camera."""
    layout = dump_layout(first)
    if layout is None:
        known = ", ".join(f"{len(joints)} of {name}" for name, joints in SENSORS)
        raise InputError(
            f"{table.path}: the table has no header, and its {len(first)} columns are no times and joints of a known "
            f"camera ({known}); write a header such as time,left_knee_x,left_knee_y,left_knee_z"
        )
    starts = [layout.keys + layout.block * joint for joint in range(len(layout.joints))]
    axes = {("", name): (at, at + 1, at + 2) for name, at in zip(layout.joints, starts, strict=True)}
    confidence = {}
    if layout.block in (4, 8):
        confidence = {("", name): at + layout.block - 1 for name, at in zip(layout.joints, starts, strict=True)}
    columns = Columns(joints=layout.joints, people=("",), axes=axes, confidence=confidence)
    columns = replace(columns, **_keys(table, layout.keys))  # type: ignore[arg-type]
    points = table_points(table, columns, options)
    note = (
        f"{DECIDED}no header: {len(layout.joints)} joints in the order of {layout.sensor}; others are named by --joints"
    )
    points = replace(points, notes=(note, *points.notes))
    if layout.sensor.startswith("Kinect"):
        return replace(points, unit="m", unit_is_sure=True, up="y", up_is_sure=True)
    return replace(points, unit="mm", up="-y") if layout.sensor == "Azure Kinect" else points


def _keys(table: Table, count: int) -> dict[str, int]:
    """Which of the first columns has times, frame numbers, people: by whether it rises, and by how much."""
    keys: dict[str, int] = {}
    for column in range(count):
        values = table.numbers(np.array([column]))[:, 0]
        steps = np.diff(values)
        if np.isnan(values).any() or not len(steps):
            continue
        if (steps >= 0).all() and (steps > 0).any():
            keys.setdefault("frame" if np.isin(steps, (0, 1)).all() else "time", column)
        else:
            keys.setdefault("person", column)
    if "time" in keys:
        keys.pop("frame", None)  # times tell the rate too
    return keys
