"""The published preprocessings of NTU RGB+D, their part on coordinates, by the name of a method that made each known.

* ``crosclr``: CrosSCLR (Li et al., CVPR 2021), AimCLR, HiCLR, PSTL, ActCLR.
* ``agcn``: 2s-AGCN (Shi et al., CVPR 2019), ISC, CMD, USDRL, UmURL; the BABEL corpus of STAL and of the paper.
* ``ctrgcn``: CTR-GCN (Chen et al., ICCV 2021) and its successors.

Which bodies each of them keeps is in `kinespan.transforms.bodies`. A fourth way, the ready-made pickle of PYSKL, is
not read: no pickle is ever loaded.

Each takes positions (T, P, J, 3) in metres, y up, valid (T, P) and any Skeleton, and gives both back, positions zero
where not valid. Published code numbers joints of Kinect v2; here landmarks stand for them (joint 1 root, 2 spine,
5 and 9 shoulders, 21 the body part "chest", else the middle of the shoulders), which are those joints on
`NTU_25`. Published code writes the vertical as z after its turn; here it stays y. Clips keep their lengths, absent
people stay absent (a person is never doubled), and bodies go by the first person: the lowest slot with anyone in it.
Where the first person is absent, what would have been measured on it is that of its nearest earlier frame, of its
first frame before that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..arrays import BoolArray, Float32Array, Float64Array, IntArray
from ..skeleton import Landmark, Skeleton

Number = TypeVar("Number", bound=np.floating)
Preprocess = Callable[[Float32Array, BoolArray, Skeleton], tuple[Float32Array, BoolArray]]

_Z_TO_Y = np.array([[1.0, 0, 0], [0, 0, 1], [0, -1, 0]])
"""The turn that brings up from z to y and leaves x."""


def landmark(positions: NDArray[Number], joints: Landmark) -> NDArray[Number]:
    """The landmark's place (..., 3) in positions (..., J, 3): the mean of its joints."""
    mean: NDArray[Number] = positions[..., list(joints), :].mean(axis=-2)
    return mean


def crosclr(positions: Float32Array, valid: BoolArray, skeleton: Skeleton) -> tuple[Float32Array, BoolArray]:
    """Each frame relative to joint 21 and turned about the vertical until right to left shoulder lies along +x.

    The first person gives the origin and the turn of a frame, for all people in it. Up stays up: shoulders that slope
    keep their slope.
    """
    person, seen = _first_person(valid)
    if not seen.size:
        return positions, valid
    first = _held(positions[:, person], seen)
    chest = [joint for joint, part in enumerate(skeleton.body_parts) if part == "chest"]
    origin = landmark(first, tuple(chest) or (*skeleton.left_shoulder, *skeleton.right_shoulder))
    across = landmark(first, skeleton.left_shoulder) - landmark(first, skeleton.right_shoulder)
    length = np.hypot(across[:, 0], across[:, 2])
    known = length > 1e-6
    cos = np.divide(across[:, 0], length, out=np.ones_like(length), where=known)
    sin = np.divide(across[:, 2], length, out=np.zeros_like(length), where=known)
    moved = positions - origin[:, None, None]
    x, y, z = np.moveaxis(moved, -1, 0)
    cos, sin = cos[:, None, None], sin[:, None, None]
    return _masked(np.stack([cos * x + sin * z, y, cos * z - sin * x], axis=-1), valid), valid


def agcn(positions: Float32Array, valid: BoolArray, skeleton: Skeleton) -> tuple[Float32Array, BoolArray]:
    """Each frame relative to joint 2, the whole turned by the first frame: joint 1 to 2 upright, then 5 to 9 along +x.

    Both turns are the shortest that align, as published: the second tilts a body with sloping shoulders, and how much
    depends a little on where it looked before. Right
    is at +x: people look towards -z, as people who face a Kinect do. Null frames at a person's end are filled by
    repeating what came before, as published; those at its beginning stay null, for taking them out, as published,
    would move the motion away from its time.
    """
    positions, valid = _repeated_to_the_end(positions, valid)
    person, seen = _first_person(valid)
    if not seen.size:
        return positions, valid
    first = _held(positions[:, person], seen).astype(np.float64)
    moved = positions - landmark(first, skeleton.spine)[:, None, None]
    pose = first[seen[0]]
    upright = _turn(landmark(pose, skeleton.spine) - landmark(pose, skeleton.root), np.array([0.0, 0, 1]))
    across = landmark(pose, skeleton.right_shoulder) - landmark(pose, skeleton.left_shoulder)
    along_x = _turn(upright @ across, np.array([1.0, 0, 0]))
    return _masked(moved @ (_Z_TO_Y @ along_x @ upright).T, valid), valid


def ctrgcn(positions: Float32Array, valid: BoolArray, skeleton: Skeleton) -> tuple[Float32Array, BoolArray]:
    """All frames relative to joint 2 of the first person in its first frame; nothing is turned."""
    person, seen = _first_person(valid)
    if not seen.size:
        return positions, valid
    return _masked(positions - landmark(positions[seen[0], person], skeleton.spine), valid), valid


PREPROCESSINGS: dict[str, Preprocess] = {"crosclr": crosclr, "agcn": agcn, "ctrgcn": ctrgcn}
"""By the name that `Normalisation.preprocessing` gives them."""


def _first_person(valid: BoolArray) -> tuple[int, IntArray]:
    """The lowest person slot with anyone in it, and the frames in which it is valid; no frames where nobody is."""
    person = int(valid.any(axis=0).argmax())
    return person, np.flatnonzero(valid[:, person])


def _held(poses: Float32Array, seen: IntArray) -> Float32Array:
    """Poses (T, J, 3) with those not seen taken from the nearest earlier frame that is, else from the first."""
    latest = np.searchsorted(seen, np.arange(len(poses)), side="right") - 1
    held: Float32Array = poses[seen[np.maximum(latest, 0)]]
    return held


def _repeated_to_the_end(positions: Float32Array, valid: BoolArray) -> tuple[Float32Array, BoolArray]:
    """Every person's null frames after its last valid one, filled by all before them over and over."""
    frames = np.arange(len(valid))
    source = np.tile(frames[:, None], valid.shape[1])
    for person in np.flatnonzero(valid.any(axis=0)):
        source[:, person] = frames % (np.flatnonzero(valid[:, person])[-1] + 1)
    people = np.arange(valid.shape[1])
    return positions[source, people], valid[source, people]


def _turn(source: Float64Array, target: Float64Array) -> Float64Array:
    """The shortest rotation (3, 3) that brings the direction of a vector to that of another, both (3,).

    None where a vector is null or the two are parallel or opposite (then no turn is the shortest one).
    """
    axis = np.cross(source, target)
    lengths = float(np.linalg.norm(source) * np.linalg.norm(target))
    if lengths == 0 or np.abs(axis).sum() < 1e-6:
        return np.eye(3)
    sin, cos = float(np.linalg.norm(axis)) / lengths, float(source @ target) / lengths
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.asarray(np.eye(3) + sin * cross + (1 - cos) * (cross @ cross))


def _masked(positions: NDArray[np.floating[Any]], valid: BoolArray) -> Float32Array:
    """Positions as float32, zero where not valid."""
    return np.where(valid[:, :, None, None], positions, 0).astype(np.float32)
