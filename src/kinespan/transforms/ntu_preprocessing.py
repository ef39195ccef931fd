"""The published preprocessings of NTU RGB+D coordinates, each named after a method that uses it.

* ``crosclr``: CrosSCLR (Li et al., CVPR 2021), AimCLR, HiCLR, PSTL, ActCLR.
* ``agcn``: 2s-AGCN (Shi et al., CVPR 2019), ISC, CMD, USDRL, UmURL; the BABEL corpus of STAL and of the paper.
* ``ctrgcn``: CTR-GCN (Chen et al., ICCV 2021) and its successors.

Which bodies each of them selects is in `kinespan.transforms.bodies`. A fourth, the ready-made file of PYSKL, is a
pickle and not read: no pickle is ever loaded.

Each takes positions (T, P, J, 3) in metres, y up, valid (T, P, J) and the Skeleton of a body, and returns positions and
valid, positions zero where not valid. Published code numbers the joints of Kinect v2; here landmarks replace them
(joint 1 is the root, 2 the spine, 5 and 9 the shoulders, 21 the body part "chest", else the middle of the shoulders),
which are those joints on `NTU_25`. Published code has the vertical as z after its rotation; here it stays y. Clips keep
their lengths, absent people stay absent (a person is never doubled), and the reference is the first person: the lowest
slot with anyone in it. Where that person is absent, its nearest earlier pose is the reference, or its first pose.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..arrays import BoolArray, Float32Array, Float64Array, IntArray
from ..data.skeleton import Landmark, Skeleton

Number = TypeVar("Number", bound=np.floating)
Preprocess = Callable[[Float32Array, BoolArray, Skeleton], tuple[Float32Array, BoolArray]]

_Z_TO_Y = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
"""The rotation that brings up from z to y and leaves x."""


def landmark(positions: NDArray[Number], joints: Landmark) -> NDArray[Number]:
    """The position (..., 3) of a landmark in positions (..., J, 3): the mean of its joints."""
    mean: NDArray[Number] = positions[..., list(joints), :].mean(axis=-2)
    return mean


def zero_invalid(positions: NDArray[np.floating[Any]], valid: BoolArray) -> Float32Array:
    """Positions (T, P, J, 3) as float32, zero where valid (T, P, J) is False."""
    return np.where(valid[..., None], positions, 0).astype(np.float32)


def crosclr(positions: Float32Array, valid: BoolArray, skeleton: Skeleton) -> tuple[Float32Array, BoolArray]:
    """Each frame relative to joint 21, rotated about the vertical so that right to left shoulder lies along +x.

    The first person gives the origin and the rotation of a frame, for all people in it. Up stays up: sloping shoulders
    keep their slope.
    """
    person, valid_frames = _first_person(valid)
    if not valid_frames.size:
        return positions, valid
    reference = _fill_with_latest(positions[:, person], valid_frames)
    chest = [joint for joint, part in enumerate(skeleton.body_parts) if part == "chest"]
    origin = landmark(reference, tuple(chest) or (*skeleton.left_shoulder, *skeleton.right_shoulder))
    across = landmark(reference, skeleton.left_shoulder) - landmark(reference, skeleton.right_shoulder)
    length = np.hypot(across[:, 0], across[:, 2])
    has_direction = length > 1e-6
    cos = np.divide(across[:, 0], length, out=np.ones_like(length), where=has_direction)
    sin = np.divide(across[:, 2], length, out=np.zeros_like(length), where=has_direction)
    centred = positions - origin[:, None, None]
    x, y, z = np.moveaxis(centred, -1, 0)
    cos, sin = cos[:, None, None], sin[:, None, None]
    return zero_invalid(np.stack([cos * x + sin * z, y, cos * z - sin * x], axis=-1), valid), valid


def agcn(positions: Float32Array, valid: BoolArray, skeleton: Skeleton) -> tuple[Float32Array, BoolArray]:
    """Each frame relative to joint 2, all rotated by the first frame: joint 1 to 2 upright, then 5 to 9 along +x.

    Both rotations are the shortest that align, as published: the second tilts a body with sloping shoulders, a little
    differently for each first heading. Right is at +x: people look towards -z, as people who face a Kinect do. Absent
    frames at a person's end are filled by repeating the track, as published; those at its beginning stay absent, since
    removing them, as published, would shift the motion in time.
    """
    positions, valid = _repeat_track(positions, valid)
    person, valid_frames = _first_person(valid)
    if not valid_frames.size:
        return positions, valid
    reference = _fill_with_latest(positions[:, person], valid_frames).astype(np.float64)
    centred = positions - landmark(reference, skeleton.spine)[:, None, None]
    pose = reference[valid_frames[0]]
    upright = _shortest_rotation(landmark(pose, skeleton.spine) - landmark(pose, skeleton.root), np.array([0.0, 0, 1]))
    across = landmark(pose, skeleton.right_shoulder) - landmark(pose, skeleton.left_shoulder)
    along_x = _shortest_rotation(upright @ across, np.array([1.0, 0, 0]))
    return zero_invalid(centred @ (_Z_TO_Y @ along_x @ upright).T, valid), valid


def ctrgcn(positions: Float32Array, valid: BoolArray, skeleton: Skeleton) -> tuple[Float32Array, BoolArray]:
    """All frames relative to joint 2 of the first person in its first frame; nothing is rotated."""
    person, valid_frames = _first_person(valid)
    if not valid_frames.size:
        return positions, valid
    return zero_invalid(positions - landmark(positions[valid_frames[0], person], skeleton.spine), valid), valid


PREPROCESSINGS: dict[str, Preprocess] = {"crosclr": crosclr, "agcn": agcn, "ctrgcn": ctrgcn}
"""By the name that `Normalisation.preprocessing` gives them."""


def _first_person(valid: BoolArray) -> tuple[int, IntArray]:
    """The lowest person slot with anyone in it, and its valid frames (N,), none in an empty recording."""
    present: BoolArray = np.any(valid, axis=2)
    person = int(present.any(axis=0).argmax())
    return person, np.flatnonzero(present[:, person])


def _fill_with_latest(poses: Float32Array, valid_frames: IntArray) -> Float32Array:
    """Poses (T, J, 3) with invalid ones replaced by the nearest earlier valid pose, else by the first."""
    index = np.searchsorted(valid_frames, np.arange(len(poses)), side="right") - 1
    filled: Float32Array = poses[valid_frames[np.maximum(index, 0)]]
    return filled


def _repeat_track(positions: Float32Array, valid: BoolArray) -> tuple[Float32Array, BoolArray]:
    """Positions and valid with every person's frames after its last valid one filled by repeating its track."""
    frames = np.arange(len(valid))
    source = np.tile(frames[:, None], valid.shape[1])
    present: BoolArray = np.any(valid, axis=2)
    for person in np.flatnonzero(present.any(axis=0)):
        source[:, person] = frames % (np.flatnonzero(present[:, person])[-1] + 1)
    people = np.arange(valid.shape[1])
    return positions[source, people], valid[source, people]


def _shortest_rotation(source: Float64Array, target: Float64Array) -> Float64Array:
    """The shortest rotation (3, 3) from the direction of vector `source` (3,) to that of `target` (3,).

    Identity where a vector is zero or the two are (anti)parallel.
    """
    axis = np.cross(source, target)
    lengths = float(np.linalg.norm(source) * np.linalg.norm(target))
    if lengths == 0 or np.abs(axis).sum() < 1e-6:
        return np.eye(3)
    sin, cos = float(np.linalg.norm(axis)) / lengths, float(source @ target) / lengths
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + sin * cross + (1 - cos) * (cross @ cross))
