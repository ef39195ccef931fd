"""Named points in space without a hierarchy, as tables, arrays and JSON hold them: what was seen, and what they are of.

2-D points are refused. The unit and the axis that points up are never taken from an animal as if it were a person:
where neither the file nor a person's body tells them, `finish` asks for them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..arrays import BoolArray, Float64Array
from ..data.joint_names import skeleton_from_names
from ..errors import InputError
from .base import CHECK, DECIDED, FileMotion
from .joint_orders import MEDIAPIPE
from .options import METRES, Axis, ReadOptions, UnitName

TRIANGULATE = (
    "kinespan needs 3-D: triangulate several cameras (Anipose, Pose2Sim, FreeMoCap, DeepLabCut 3D), or take the 3-D "
    "output of a pose estimator (of MediaPipe the world landmarks)"
)


@dataclass(frozen=True, kw_only=True)
class Points:
    """What a file holds of points in space."""

    positions: Float64Array
    """(T, P, J, 3), NaN where the file has no number."""
    joints: tuple[str, ...]
    """J names, all different."""
    confidence: Float64Array | None = None
    """(T, P, J) as the file has it: 0 or less, or NaN, is not seen."""
    times: Float64Array | None = None
    """(T,) seconds from the first frame, where frames are uneven."""
    fps: float | None = None
    fps_from: str = "frames without times"
    unit: UnitName | None = None
    """As the file or the format states it."""
    unit_is_sure: bool = False
    up: Axis | None = None
    """As the format has it."""
    up_is_sure: bool = False
    people_by_order: bool = False
    """As in FileMotion."""
    notes: tuple[str, ...] = ()
    attributes: Mapping[str, str] = field(default_factory=dict)
    name: str | None = None


def flat_error(path: Path, why: str) -> InputError:
    """The refusal of points in two dimensions."""
    return InputError(f"{path}: the points are 2-D ({why}); {TRIANGULATE}")


def points_motion(path: Path, points: Points, options: ReadOptions) -> FileMotion:
    """The motion of points. Raises InputError, naming the file, for 2-D points, and where no point is ever seen."""
    positions = points.positions
    if not positions.size:
        raise InputError(f"{path}: no frames, no people or no points, shape {positions.shape}")
    if np.isinf(positions).any():
        frame = int(np.argmax(np.isinf(positions).any(axis=(1, 2, 3))))
        raise InputError(f"{path}: frame {frame} holds an infinite value")
    valid, notes = _seen(points, options.min_confidence)
    if not valid.any():
        raise InputError(f"{path}: no point is seen in any of {len(positions)} frames; leave the file out")
    _check_depth(path, positions, valid)
    joints, named = _names(points.joints)
    unit, up, kind = points.unit, points.up, ""
    if _words(joints) >= _LANDMARKS:
        kind = _landmarks(path, joints, positions, valid)
        unit, up = (unit or "m", up or "-y") if kind else (unit, up)
    return FileMotion(
        positions=positions,
        skeleton=skeleton_from_names(f"points{len(joints)}", joints, (-1,) * len(joints)),
        fps=points.fps,
        fps_from=points.fps_from,
        unit=None if unit is None else METRES[unit],
        unit_from=kind or "unit of the file",
        unit_is_sure=points.unit_is_sure,
        asks_unit=True,
        up=up,
        up_is_sure=points.up_is_sure,
        valid=valid,
        people_by_order=points.people_by_order,
        times=points.times,
        attributes=dict(points.attributes),
        history=(*points.notes, *named, *notes),
        name=points.name,
    )


def _seen(points: Points, min_confidence: float) -> tuple[BoolArray, list[str]]:
    """What was seen (T, P, J), and notes: exact zeros are not seen, nor what is not sure enough."""
    positions, notes = points.positions, []
    finite: BoolArray = np.asarray(~np.isnan(positions).any(axis=3))
    zero = finite & (positions == 0).all(axis=3)
    others = finite & ~zero
    hidden: BoolArray = np.asarray(zero & ~(_is_origin(positions, zero, others) & others.any(axis=2, keepdims=True)))
    if hidden.any():
        notes.append(f"{DECIDED}points at exactly 0 0 0 count as not seen ({100 * hidden.mean():.1f} %)")
    seen: BoolArray = np.asarray(finite & ~hidden)
    if points.confidence is not None:
        sure = (points.confidence > 0) & (points.confidence >= min_confidence)
        doubtful = float((seen & ~sure).mean())
        if doubtful:
            threshold = f"below {min_confidence:g}" if min_confidence else "0"
            notes.append(f"{DECIDED}joints of confidence {threshold} count as not seen ({100 * doubtful:.1f} %)")
        seen = np.asarray(seen & sure)
    elif min_confidence:
        notes.append(f"{CHECK}the file has no confidence, --min-confidence changes nothing")
    return seen, notes


def _is_origin(positions: Float64Array, zero: BoolArray, others: BoolArray) -> BoolArray:
    """Which joint (P, J) positions are relative to: the only one that is always at zero, and amid the others."""
    origins = np.zeros(zero.shape[1:], dtype=bool)
    for person in range(zero.shape[1]):
        candidates = np.flatnonzero(zero[:, person].any(axis=0) & ~others[:, person].any(axis=0))
        frames = others[:, person].any(axis=1)
        if len(candidates) == 1 and frames.any():
            points = np.where(others[frames, person, :, None], positions[frames, person], np.nan)
            amid = (np.nanmin(points, axis=1) <= 0).all(axis=1) & (np.nanmax(points, axis=1) >= 0).all(axis=1)
            origins[person, candidates] = amid.mean() > 0.9
    return origins


def _check_depth(path: Path, positions: Float64Array, valid: BoolArray) -> None:
    """Raise InputError where all points lie in one plane at right angles to an axis."""
    if valid.shape[2] < 2 or int(valid.sum()) < 4:
        return
    spread = np.ptp(positions[valid], axis=0)
    for axis in np.flatnonzero(spread <= 1e-9 * max(float(spread.max()), 1e-30)):
        raise flat_error(path, f"{'xyz'[axis]} is {positions[valid][0, axis]:g} everywhere")


def _names(joints: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """The names of points that are numbered alone, and notes of it."""
    if not all(re.fullmatch(r"\d+", joint) for joint in joints):
        return tuple(joints), []
    numbers = [int(joint) for joint in joints]
    if sorted(numbers) == list(range(33)):
        return tuple(MEDIAPIPE[n] for n in numbers), [
            f"{DECIDED}33 numbered points are named in the order of MediaPipe"
        ]
    note = f"{CHECK}the {len(joints)} points have numbers for names; say what they are by --joints FILE"
    return tuple(joints), [note]


def _words(joints: Sequence[str]) -> set[str]:
    return {re.sub(r"[^a-z]", "", joint.lower()) for joint in joints}


_LANDMARKS = {"leftfootindex", "rightfootindex", "leftheel", "leftpinky", "lefthip", "righthip", "leftshoulder"} | {
    "rightshoulder", "nose", "mouthleft"
}  # fmt: skip
"""Points that only MediaPipe's body has together."""


def _landmarks(path: Path, joints: Sequence[str], positions: Float64Array, valid: BoolArray) -> str:
    """Where the unit of MediaPipe's points comes from; empty where they are neither world nor image landmarks.

    World landmarks are in metres around the middle of the hips. Image landmarks have the depth alone around it, their x
    and y are of the picture: such are refused by InputError.
    """
    index = {re.sub(r"[^a-z]", "", joint.lower()): joint for joint in reversed(joints)}
    ends = [joints.index(index[word]) for word in ("lefthip", "righthip", "leftshoulder", "rightshoulder")]
    rows = valid[:, :, ends].all(axis=2)
    if not rows.any():
        return ""
    points = positions[rows][:, ends]  # (N, 4, 3)
    hips, shoulders = points[:, :2].mean(axis=1), points[:, 2:].mean(axis=1)
    torso = float(np.median(np.linalg.norm((shoulders - hips)[:, :2], axis=1))) or 1.0
    aside, deep = np.abs(hips[:, :2]).max(axis=1) / torso, np.abs(hips[:, 2]) / torso
    if np.quantile(deep, 0.95) > 0.1:
        return ""
    if np.quantile(aside, 0.95) < 0.1:
        return "MediaPipe's world landmarks"
    if np.median(aside) > 0.3:
        raise flat_error(path, "MediaPipe's image landmarks: x and y are of the picture, z is only relative")
    return ""
