"""From a Recording to the motion that a network sees: joints, rate, gaps, place, heading and size, decided once.

The published ways to place motion are in `kinespan.transforms.families`.

Training and localizing both come through `model_motion`, so that they cannot drift apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..config import Normalisation
from ..joint_map import map_recording
from ..recording import Recording
from ..skeleton import Skeleton
from .families import FAMILIES, Floats, landmark


@dataclass(frozen=True)
class Motion:
    """A Recording on a model's skeleton and rate: positions (T, P, J, 3) float32, valid (T, P), fps, and its name.

    Positions are y up, in torso lengths or metres and about an origin that the Normalisation says.
    """

    positions: Floats
    valid: NDArray[np.bool_]
    fps: float
    name: str

    @property
    def num_frames(self) -> int:
        """Number of frames T."""
        return int(self.positions.shape[0])


def model_motion(recording: Recording, skeleton: Skeleton, fps: float, normalisation: Normalisation) -> Motion:
    """The Motion of a recording for a model. Raises InputError where the skeletons do not map."""
    recording = map_recording(recording, skeleton)
    positions, valid = fill_gaps(recording.positions, recording.mask, round(normalisation.fill_gap * recording.fps))
    positions, valid = resample(positions, valid, recording.fps, fps)
    if normalisation.family == "kinespan":
        positions = _placed(positions, valid, skeleton, normalisation)
    else:
        positions, valid = FAMILIES[normalisation.family](positions, valid, skeleton)
    return Motion(positions, valid.copy(), fps, recording.name)  # its own mask: that of a recording is read-only


def num_resampled(num_frames: int, fps: float, target_fps: float) -> int:
    """Frames at the target rate that cover the same seconds, at least one."""
    return max(1, round(num_frames * target_fps / fps))


def resample(
    positions: Floats, valid: NDArray[np.bool_], fps: float, target_fps: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """Positions (T, P, J, 3) and valid (T, P) at another rate, by time: linear between the centres of frames.

    Frame j of the result is the motion at (j + 0.5) / target_fps seconds. It is valid where the frames that it
    is made from are; before the first and after the last centre the nearest frame holds.
    """
    if fps == target_fps:
        return positions, valid
    count = num_resampled(len(positions), fps, target_fps)
    at = np.clip((np.arange(count) + 0.5) * fps / target_fps - 0.5, 0, len(positions) - 1)
    low = np.floor(at).astype(np.int64)
    high = np.minimum(low + 1, len(positions) - 1)
    part = (at - low).astype(np.float32)
    mixed = positions[low] + part[:, None, None, None] * (positions[high] - positions[low])
    seen = valid[low] & (valid[high] | (part == 0)[:, None])
    return np.where(seen[:, :, None, None], mixed, np.float32(0)), seen


def fill_gaps(positions: Floats, valid: NDArray[np.bool_], longest: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Interpolate each person's gaps of at most `longest` frames between two valid frames; returns new arrays."""
    if valid.all() or longest < 1:
        return positions, valid
    positions, valid = positions.copy(), valid.copy()
    for person in range(valid.shape[1]):
        seen = np.flatnonzero(valid[:, person])
        for before, after in pairwise(seen):
            if 1 < after - before <= longest + 1:
                part = (np.arange(1, after - before, dtype=np.float32) / (after - before))[:, None, None]
                ends = positions[before, person], positions[after, person]
                positions[before + 1 : after, person] = ends[0] + part * (ends[1] - ends[0])
                valid[before + 1 : after, person] = True
    return positions, valid


def _placed(positions: Floats, valid: NDArray[np.bool_], skeleton: Skeleton, how: Normalisation) -> Floats:
    """Move the first root over the origin, turn it to face +z, divide by the torso length."""
    if not valid.any():
        return positions
    frame, person = (int(index) for index in np.argwhere(valid)[0])
    first = positions[frame, person]
    origin = landmark(first, skeleton.root) * np.array([1, 0, 1], np.float32)
    positions = positions - origin
    if how.heading == "first":
        positions = positions @ facing(first, skeleton).T
    if how.size == "torso":
        positions = positions / torso_length(positions[valid], skeleton)
    return np.where(valid[:, :, None, None], positions, np.float32(0)).astype(np.float32)


def facing(pose: Floats, skeleton: Skeleton) -> Floats:
    """Rotation (3, 3) about y that brings right-to-left (shoulders and hips) of a pose (J, 3) to +x, front to +z."""
    across = landmark(pose, skeleton.left_shoulder) - landmark(pose, skeleton.right_shoulder)
    across = across + landmark(pose, skeleton.left_hip) - landmark(pose, skeleton.right_hip)
    x, z = float(across[0]), float(across[2])
    length = np.hypot(x, z)
    if length < 1e-6:
        return np.eye(3, dtype=np.float32)
    cos, sin = x / length, z / length
    return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]], dtype=np.float32)


def torso_length(poses: Floats, skeleton: Skeleton) -> float:
    """Median distance from root to mid-shoulders over poses (N, J, 3); 1 where it is degenerate."""
    shoulders = (landmark(poses, skeleton.left_shoulder) + landmark(poses, skeleton.right_shoulder)) / 2
    length = float(np.median(np.linalg.norm(shoulders - landmark(poses, skeleton.root), axis=-1)))
    return length if length > 1e-3 else 1.0
