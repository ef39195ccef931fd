"""From a Recording to the motion that a network sees: joints, rate, gaps, place, heading and size, decided once.

The published ways to place motion are in `kinespan.transforms.ntu_preprocessing`.

Training and localizing both come through `model_motion`, so that they cannot drift apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..arrays import BoolArray, Float32Array, IntArray
from ..config import Normalisation
from ..joint_map import map_recording
from ..recording import Recording
from ..skeleton import Skeleton
from .ntu_preprocessing import PREPROCESSINGS, landmark


@dataclass(frozen=True)
class Motion:
    """A Recording on a model's skeleton and rate: positions (T, P, J, 3) float32, valid (T, P), fps, and its name.

    Positions are y up, in torso lengths or metres and about an origin that the Normalisation says.
    """

    positions: Float32Array
    valid: BoolArray
    fps: float
    name: str

    @property
    def num_frames(self) -> int:
        """Number of frames T."""
        return int(self.positions.shape[0])

    def part(self, start: int, stop: int) -> tuple[Float32Array, BoolArray]:
        """Positions and valid of the frames [start, stop)."""
        return self.positions[start:stop], self.valid[start:stop]


def model_motion(recording: Recording, skeleton: Skeleton, fps: float, normalisation: Normalisation) -> Motion:
    """The Motion of a recording for a model. Raises InputError where the skeletons do not map."""
    recording = map_recording(recording, skeleton)
    positions, valid = fill_gaps(recording.positions, recording.mask, round(normalisation.fill_gap * recording.fps))
    positions, valid = resample(positions, valid, recording.fps, fps)
    if normalisation.preprocessing == "kinespan":
        positions = _placed(positions, valid, skeleton, normalisation)
    else:
        positions, valid = PREPROCESSINGS[normalisation.preprocessing](positions, valid, skeleton)
    return Motion(positions, valid.copy(), fps, recording.name)  # its own mask: that of a recording is read-only


def num_resampled(num_frames: int, fps: float, target_fps: float) -> int:
    """Frames at the target rate that cover the same seconds, at least one."""
    return max(1, round(num_frames * target_fps / fps))


def resample(
    positions: Float32Array, valid: BoolArray, fps: float, target_fps: float
) -> tuple[Float32Array, BoolArray]:
    """Positions (T, P, J, 3) and valid (T, P) at another rate, by time: linear between the centres of frames.

    Frame j of the result is the motion at (j + 0.5) / target_fps seconds. It is valid where the frames that it
    is made from are; before the first and after the last centre the nearest frame holds.
    """
    if fps == target_fps:
        return positions, valid
    return Between.frames(0, num_resampled(len(positions), fps, target_fps), len(positions), fps, target_fps).mix(
        positions, valid
    )


class Between(NamedTuple):
    """Where frames of another rate lie: between the frames low and high (N,), at a part (N,) of the way."""

    low: IntArray
    high: IntArray
    part: Float32Array

    @classmethod
    def frames(cls, start: int, stop: int, num_frames: int, fps: float, target_fps: float) -> Between:
        """Of the frames [start, stop) at the target rate, in `num_frames` frames at `fps`."""
        at = np.clip((np.arange(start, stop) + 0.5) * fps / target_fps - 0.5, 0, num_frames - 1)
        low = np.floor(at).astype(np.int64)
        return cls(low, np.minimum(low + 1, num_frames - 1), (at - low).astype(np.float32))

    def seen(self, valid: BoolArray) -> BoolArray:
        """Which people (N, P) are there, of valid (T, P)."""
        seen: BoolArray = valid[self.low] & (valid[self.high] | (self.part == 0)[:, None])
        return seen

    def mix(self, positions: Float32Array, valid: BoolArray, first: int = 0) -> tuple[Float32Array, BoolArray]:
        """Positions (N, P, J, 3) and who is there (N, P), of the frames from `first` on."""
        here = Between(self.low - first, self.high - first, self.part)
        before, seen = positions[here.low], here.seen(valid)
        mixed = before + self.part[:, None, None, None] * (positions[here.high] - before)
        return np.where(seen[:, :, None, None], mixed, np.float32(0)), seen


def fill_gaps(positions: Float32Array, valid: BoolArray, longest: int) -> tuple[Float32Array, BoolArray]:
    """Interpolate each person's gaps of at most `longest` frames between two valid frames; returns new arrays."""
    found = short_gaps(valid, longest)
    if not found:
        return positions, valid
    positions, valid = positions.copy(), valid.copy()
    for gap in found:
        here = slice(gap.before + 1, gap.after), gap.person
        positions[here] = gap.between(positions[gap.before, gap.person], positions[gap.after, gap.person])
        valid[here] = True
    return positions, valid


class Gap(NamedTuple):
    """Frames in which a person is absent, between two frames in which it is there."""

    person: int
    before: int
    after: int

    def between(self, start: Float32Array, end: Float32Array) -> Float32Array:
        """Poses (N, J, 3) of the gap on the way from one pose (J, 3) to another."""
        length = self.after - self.before
        part = (np.arange(1, length) / length)[:, None, None]
        return (start + part * (end - start)).astype(np.float32)


def short_gaps(valid: BoolArray, longest: int) -> list[Gap]:
    """The gaps of at most `longest` frames in valid (T, P), person by person."""
    found = []
    for person in range(valid.shape[1] if longest >= 1 else 0):
        seen = np.flatnonzero(valid[:, person])
        apart = np.diff(seen)
        places = np.flatnonzero((apart > 1) & (apart <= longest + 1))
        found += [Gap(person, int(seen[place]), int(seen[place + 1])) for place in places]
    return found


def _placed(positions: Float32Array, valid: BoolArray, skeleton: Skeleton, how: Normalisation) -> Float32Array:
    """Move the first root over the origin, turn it to face +z, divide by the torso length."""
    if not valid.any():
        return positions
    place = Place.of(positions[first_seen(valid)], skeleton, how)
    positions = place.moved(positions)
    if how.size == "torso":
        positions = positions / torso_length(positions[valid], skeleton)
    return only_seen(positions, valid)


def first_seen(valid: BoolArray) -> tuple[int, int]:
    """The first frame of valid (T, P) that holds somebody, and who that is."""
    frame = int(valid.any(axis=1).argmax())
    return frame, int(valid[frame].argmax())


def only_seen(positions: Float32Array, valid: BoolArray) -> Float32Array:
    """positions (T, P, J, 3), zero where valid (T, P) is False."""
    return np.where(valid[:, :, None, None], positions, np.float32(0)).astype(np.float32)


class Place(NamedTuple):
    """Where a motion is taken to: an origin (3,) on the ground and, if it turns, a turn (3, 3) about the vertical."""

    origin: Float32Array
    turn: Float32Array | None

    @classmethod
    def of(cls, first: Float32Array, skeleton: Skeleton, how: Normalisation) -> Place:
        """By the first pose (J, 3) that is seen."""
        origin = landmark(first, skeleton.root) * np.array([1, 0, 1], np.float32)
        return cls(origin, facing(first, skeleton) if how.heading == "first" else None)

    def moved(self, positions: Float32Array) -> Float32Array:
        """positions (T, P, J, 3), there."""
        positions = positions - self.origin
        return positions if self.turn is None else positions @ self.turn.T


def facing(pose: Float32Array, skeleton: Skeleton) -> Float32Array:
    """Rotation (3, 3) about y that brings right-to-left (shoulders and hips) of a pose (J, 3) to +x, front to +z."""
    across = landmark(pose, skeleton.left_shoulder) - landmark(pose, skeleton.right_shoulder)
    across = across + landmark(pose, skeleton.left_hip) - landmark(pose, skeleton.right_hip)
    x, z = float(across[0]), float(across[2])
    length = np.hypot(x, z)
    if length < 1e-6:
        return np.eye(3, dtype=np.float32)
    cos, sin = x / length, z / length
    return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]], dtype=np.float32)


def torso_length(poses: Float32Array, skeleton: Skeleton) -> float:
    """Median distance from root to mid-shoulders over poses (N, J, 3); 1 where it is degenerate."""
    return usual_length(torso_lengths(poses, skeleton))


def torso_lengths(poses: Float32Array, skeleton: Skeleton) -> Float32Array:
    """Distances (N,) from root to mid-shoulders of poses (N, J, 3)."""
    shoulders = (landmark(poses, skeleton.left_shoulder) + landmark(poses, skeleton.right_shoulder)) / 2
    lengths: Float32Array = np.linalg.norm(shoulders - landmark(poses, skeleton.root), axis=-1)
    return lengths


def usual_length(lengths: Float32Array) -> float:
    """The median of lengths (N,); 1 where it is degenerate."""
    length = float(np.median(lengths))
    return length if length > 1e-3 else 1.0
