"""Curves of a joint under the timeline: its height, its speed, the angle of the bones that meet in it."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from ..arrays import AnyArray, Float32Array, IntArray
from ..data.recording import Recording
from ..data.skeleton import Skeleton
from ..errors import InputError

CurveKind = Literal["height", "speed", "angle"]
CURVE_KINDS: tuple[CurveKind, ...] = get_args(CurveKind)
UNITS: dict[CurveKind, str] = {"height": "m", "speed": "m/s", "angle": "degrees"}


def joint_curve(recording: Recording, kind: CurveKind, person: int, joint: int, ground: float = 0.0) -> Float32Array:
    """The curve (T,) of a joint of a recording at an even rate; NaN where what it is measured on was not seen.

    height: metres above `ground`. speed: metres a second, over the frame before and the frame after. angle: degrees
    between the bones that meet in the joint, 180 where they are in line. Raises InputError for an angle where no two
    bones meet.
    """
    if kind == "height":
        heights = recording.positions[:, person, joint, 1] - np.float32(ground)
        return _seen_only(heights, recording.valid[:, person, joint])
    if kind == "speed":
        return _speed(_track(recording, person, joint), recording.fps)
    above, below = bone_ends(recording.skeleton, joint)
    middle = _track(recording, person, joint)
    to_above, to_below = (_track(recording, person, end) - middle for end in (above, below))
    lengths = np.linalg.norm(to_above, axis=1) * np.linalg.norm(to_below, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):  # bones without a length have no angle
        cosines = np.einsum("tc,tc->t", to_above, to_below) / lengths  # t frame, c coordinate
    return np.asarray(np.degrees(np.arccos(np.clip(cosines, -1, 1))), dtype=np.float32)


def bone_ends(skeleton: Skeleton, joint: int) -> tuple[int, int]:
    """The ends of the two bones that meet in a joint: its parent, and the child that most joints hang on.

    Raises InputError for a joint at an end of the body, or one that nothing carries.
    """
    parent = skeleton.parents[joint]
    sizes = [1] * skeleton.num_joints
    for each in reversed(skeleton.order):
        if skeleton.parents[each] >= 0:
            sizes[skeleton.parents[each]] += sizes[each]
    children = [child for child in range(skeleton.num_joints) if skeleton.parents[child] == joint]
    if parent < 0 or not children:
        ends = "carries no other" if not children else "hangs on no other"
        raise InputError(f"joint {skeleton.joints[joint]!r} {ends}, so no two bones meet in it; choose another joint")
    return parent, max(children, key=lambda child: (sizes[child], -child))


def least_and_greatest(values: Float32Array, edges: IntArray) -> tuple[Float32Array, Float32Array]:
    """The least and the greatest of values (T,) in each of `bins` parts, both (bins,); NaN where there is none.

    edges: (bins + 1,) rising frames: part i has the frames edges[i] to edges[i + 1] - 1. One in which no frame starts
    has the value of the frame before.
    """
    starts = np.clip(np.where(edges[1:] > edges[:-1], edges[:-1], edges[:-1] - 1), 0, len(values) - 1)
    stops = np.minimum(np.maximum(edges[1:], starts + 1), len(values))
    # reduceat takes pairs (start, stop); every second result is of the parts between, and is left out
    pairs = np.stack([starts, stops], axis=1).reshape(-1)
    padded = np.append(values, np.float32(np.nan))
    return np.fmin.reduceat(padded, pairs)[::2], np.fmax.reduceat(padded, pairs)[::2]


def _speed(track: Float32Array, fps: float) -> Float32Array:
    """Metres a second (T,) of a track (T, 3)."""
    speeds = np.full(len(track), np.nan, dtype=np.float32)
    if len(track) > 2:
        speeds[1:-1] = np.linalg.norm(track[2:] - track[:-2], axis=1) * (fps / 2)
    if len(track) > 1:
        first, last = np.linalg.norm(track[1] - track[0]), np.linalg.norm(track[-1] - track[-2])
        speeds[0], speeds[-1] = first * fps, last * fps
    return speeds


def _track(recording: Recording, person: int, joint: int) -> Float32Array:
    """Positions (T, 3), NaN where the joint was not seen."""
    return _seen_only(recording.positions[:, person, joint], recording.valid[:, person, joint])


def _seen_only(values: Float32Array, valid: AnyArray) -> Float32Array:
    """Values (T, ...) as a copy, NaN where not valid (T,)."""
    copy = np.array(values, dtype=np.float32)
    copy[~valid] = np.nan
    return copy
