"""From a Recording to the motion that a network sees: joints, gaps, rate, origin, heading and size.

Training and localizing both use `model_motion`, so that they cannot drift apart. The published preprocessings of NTU
are in `kinespan.transforms.ntu_preprocessing`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..arrays import BoolArray, Float32Array, IntArray
from ..config import Normalisation
from ..data.joint_map import map_recording
from ..data.recording import Recording
from ..data.skeleton import Skeleton
from .ntu_preprocessing import PREPROCESSINGS, landmark, zero_invalid


@dataclass(frozen=True)
class Motion:
    """A Recording on a model's skeleton and rate, normalised."""

    positions: Float32Array
    """(T, P, J, 3), y up, in torso lengths or metres about the origin of the Normalisation; zero where not valid."""
    valid: BoolArray
    """(T, P): whether the person is present."""
    fps: float
    name: str
    """The name of the recording."""

    @property
    def num_frames(self) -> int:
        """Number of frames T."""
        return int(self.positions.shape[0])

    def window(self, start: int, stop: int) -> tuple[Float32Array, BoolArray]:
        """Positions and valid of the frames [start, stop)."""
        return self.positions[start:stop], self.valid[start:stop]


def model_motion(recording: Recording, skeleton: Skeleton, fps: float, normalisation: Normalisation) -> Motion:
    """The Motion of a recording on a model's skeleton and rate.

    Joints are mapped, gaps filled, frames resampled to `fps` and the result normalised, in this order.

    Raises InputError where the skeletons do not map.
    """
    recording = map_recording(recording, skeleton)
    positions, valid = fill_gaps(recording.positions, recording.mask, round(normalisation.fill_gap * recording.fps))
    positions, valid = resample(positions, valid, recording.fps, fps)
    if normalisation.preprocessing == "kinespan":
        positions = _normalised(positions, valid, skeleton, normalisation)
    else:
        positions, valid = PREPROCESSINGS[normalisation.preprocessing](positions, valid, skeleton)
    return Motion(positions, valid.copy(), fps, recording.name)  # a recording's own mask is read-only


def num_resampled(num_frames: int, fps: float, target_fps: float) -> int:
    """The number of frames at `target_fps` that cover the same seconds, at least one."""
    return max(1, round(num_frames * target_fps / fps))


def resample(
    positions: Float32Array, valid: BoolArray, fps: float, target_fps: float
) -> tuple[Float32Array, BoolArray]:
    """Positions (T, P, J, 3) and valid (T, P) at another rate, linear in time between the centres of frames.

    Frame j of the result is the motion at (j + 0.5) / target_fps seconds, valid where both frames that it lies between
    are. Before the first and after the last centre it is the nearest frame.
    """
    if fps == target_fps:
        return positions, valid
    stop = num_resampled(len(positions), fps, target_fps)
    return Resampling.of(0, stop, len(positions), fps, target_fps).apply(positions, valid)


class Resampling(NamedTuple):
    """The N frames at another rate as linear interpolations of recorded frames."""

    low: IntArray
    """(N,) the recorded frame before"""
    high: IntArray
    """(N,) the recorded frame after"""
    weight: Float32Array
    """(N,) how much `high` counts, in [0, 1)"""

    @classmethod
    def of(cls, start: int, stop: int, num_frames: int, fps: float, target_fps: float) -> Resampling:
        """Of the frames [start, stop) at `target_fps` of a recording of `num_frames` frames at `fps`."""
        frame = np.clip((np.arange(start, stop) + 0.5) * fps / target_fps - 0.5, 0, num_frames - 1)  # fractional, (N,)
        low = np.floor(frame).astype(np.int64)
        return cls(low, np.minimum(low + 1, num_frames - 1), (frame - low).astype(np.float32))

    def valid(self, valid: BoolArray) -> BoolArray:
        """The resampled mask (N, P) of a mask (T, P): both frames must be valid, or `low` alone at weight 0."""
        resampled: BoolArray = valid[self.low] & (valid[self.high] | (self.weight == 0)[:, None])
        return resampled

    def apply(self, positions: Float32Array, valid: BoolArray, first: int = 0) -> tuple[Float32Array, BoolArray]:
        """Resampled positions (N, P, J, 3) and mask (N, P); the arrays given begin at recorded frame `first`."""
        shifted = Resampling(self.low - first, self.high - first, self.weight)
        before, mask = positions[shifted.low], shifted.valid(valid)
        mixed = before + self.weight[:, None, None, None] * (positions[shifted.high] - before)  # (N, P, J, 3)
        return np.where(mask[:, :, None, None], mixed, np.float32(0)), mask


def fill_gaps(positions: Float32Array, valid: BoolArray, longest: int) -> tuple[Float32Array, BoolArray]:
    """Interpolate each person's gaps of at most `longest` frames between two valid frames; the input stays as it is.

    Positions are (T, P, J, 3), valid (T, P).
    """
    gaps = short_gaps(valid, longest)
    if not gaps:
        return positions, valid
    positions, valid = positions.copy(), valid.copy()
    for gap in gaps:
        frames = slice(gap.before + 1, gap.after), gap.person
        positions[frames] = gap.interpolate(positions[gap.before, gap.person], positions[gap.after, gap.person])
        valid[frames] = True
    return positions, valid


class Gap(NamedTuple):
    """Frames in which a person is absent, between two frames in which it is present."""

    person: int
    before: int
    """The last valid frame before the gap."""
    after: int
    """The first valid frame after it."""

    def interpolate(self, start: Float32Array, end: Float32Array) -> Float32Array:
        """Poses (N, J, 3) of the gap's frames, linear from pose `start` (J, 3) to pose `end`."""
        length = self.after - self.before
        weight = (np.arange(1, length) / length)[:, None, None]
        return (start + weight * (end - start)).astype(np.float32)


def short_gaps(valid: BoolArray, longest: int) -> list[Gap]:
    """The gaps of at most `longest` frames in valid (T, P), person by person."""
    gaps = []
    for person in range(valid.shape[1] if longest >= 1 else 0):
        valid_frames = np.flatnonzero(valid[:, person])
        distance = np.diff(valid_frames)
        indices = np.flatnonzero((distance > 1) & (distance <= longest + 1))
        gaps += [Gap(person, int(valid_frames[index]), int(valid_frames[index + 1])) for index in indices]
    return gaps


def _normalised(
    positions: Float32Array, valid: BoolArray, skeleton: Skeleton, normalisation: Normalisation
) -> Float32Array:
    """Positions (T, P, J, 3) with the first root over the origin, facing +z, in torso lengths."""
    if not valid.any():
        return positions
    frame = ReferenceFrame.of(positions[first_valid(valid)], skeleton, normalisation)
    positions = frame.apply(positions)
    if normalisation.size == "torso":
        positions = positions / torso_length(positions[valid], skeleton)
    return zero_invalid(positions, valid)


def first_valid(valid: BoolArray) -> tuple[int, int]:
    """The first frame of valid (T, P) with a person in it, and that person."""
    frame = int(valid.any(axis=1).argmax())
    return frame, int(valid[frame].argmax())


class ReferenceFrame(NamedTuple):
    """The origin on the ground, (3,), and, with a heading, the rotation (3, 3) about the vertical."""

    origin: Float32Array
    rotation: Float32Array | None

    @classmethod
    def of(cls, first_pose: Float32Array, skeleton: Skeleton, normalisation: Normalisation) -> ReferenceFrame:
        """The frame of the first pose (J, 3)."""
        origin = landmark(first_pose, skeleton.root) * np.array([1, 0, 1], np.float32)
        return cls(origin, facing(first_pose, skeleton) if normalisation.heading == "first" else None)

    def apply(self, positions: Float32Array) -> Float32Array:
        """Positions (T, P, J, 3) relative to the frame."""
        positions = positions - self.origin
        return positions if self.rotation is None else positions @ self.rotation.T


def facing(pose: Float32Array, skeleton: Skeleton) -> Float32Array:
    """Rotation (3, 3) about y that turns a pose (J, 3) to face +z: from its right to its left lies along +x.

    Left and right are those of shoulders and hips. Identity where they are not apart on the ground.
    """
    across = landmark(pose, skeleton.left_shoulder) - landmark(pose, skeleton.right_shoulder)
    across = across + landmark(pose, skeleton.left_hip) - landmark(pose, skeleton.right_hip)
    x, z = float(across[0]), float(across[2])
    length = np.hypot(x, z)
    if length < 1e-6:
        return np.eye(3, dtype=np.float32)
    cos, sin = x / length, z / length
    return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]], dtype=np.float32)


def torso_length(poses: Float32Array, skeleton: Skeleton) -> float:
    """Median distance from root to mid-shoulders over poses (N, J, 3); 1 for bodies without extent."""
    return median_length(torso_lengths(poses, skeleton))


def torso_lengths(poses: Float32Array, skeleton: Skeleton) -> Float32Array:
    """Distances (N,) from root to mid-shoulders of poses (N, J, 3)."""
    shoulders = (landmark(poses, skeleton.left_shoulder) + landmark(poses, skeleton.right_shoulder)) / 2
    lengths: Float32Array = np.linalg.norm(shoulders - landmark(poses, skeleton.root), axis=-1)
    return lengths


def median_length(lengths: Float32Array) -> float:
    """The median of lengths (N,); 1 where it is (almost) 0."""
    length = float(np.median(lengths))
    return length if length > 1e-3 else 1.0
