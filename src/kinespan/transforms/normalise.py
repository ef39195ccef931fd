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
    """(T, P, J, 3), y up, in torso lengths, bone lengths or metres about the origin of the Normalisation; zero where
    not valid."""
    valid: BoolArray
    """(T, P, J): which joints of the people who are present were seen; all False for a person who is absent."""
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

    Uneven frames are brought to the recording's rate, joints are mapped, gaps filled, frames resampled to `fps`, roots
    that were not seen estimated (`estimate_roots`), people of whom too little was seen left out (`leave_out_absent`),
    and the result normalised, in this order.

    Raises InputError where the skeletons do not map.
    """
    recording = map_recording(even_rate(recording), skeleton)
    positions, valid = fill_gaps(recording.positions, recording.valid, round(normalisation.fill_gap * recording.fps))
    positions, valid = resample(positions, valid, recording.fps, fps)
    positions, valid = estimate_roots(positions, valid, skeleton)
    valid = leave_out_absent(valid, skeleton)
    if normalisation.preprocessing == "kinespan":
        positions = _normalised(positions, valid, skeleton, fps, normalisation)
    else:
        positions, valid = PREPROCESSINGS[normalisation.preprocessing](positions, valid, skeleton)
    return Motion(positions, valid.copy(), fps, recording.name)  # a recording's own mask is read-only


def lost_roots(valid: BoolArray, skeleton: Skeleton) -> BoolArray:
    """Mask (T, P) of valid (T, P, J): where no joint of the root was seen, but one next to it."""
    neighbours = list(skeleton.root_neighbours)
    has_root: BoolArray = np.any(valid[..., list(skeleton.root)], axis=2)
    has_neighbour: BoolArray = np.any(valid[..., neighbours], axis=2)
    return ~has_root & has_neighbour


def estimate_roots(positions: Float32Array, valid: BoolArray, skeleton: Skeleton) -> tuple[Float32Array, BoolArray]:
    """Positions (T, P, J, 3) and valid (T, P, J) with a root where none of its joints was seen, but one next to it.

    The first of its joints is then where those next to it are on average. The input stays as it is.
    """
    lost = lost_roots(valid, skeleton)
    if not lost.any():
        return positions, valid
    root, neighbours = skeleton.root[0], list(skeleton.root_neighbours)
    positions, valid = positions.copy(), valid.copy()
    weight = valid[..., neighbours, None].astype(np.float32)  # (T, P, N, 1)
    mean = (positions[..., neighbours, :] * weight).sum(axis=2) / np.maximum(weight.sum(axis=2), 1)  # (T, P, 3)
    positions[..., root, :] = np.where(lost[..., None], mean, positions[..., root, :])
    valid[..., root] |= lost
    return positions, valid


MIN_VISIBLE = 0.5
"""Share of a person's joints that must be seen for the person to count as present."""


def leave_out_absent(valid: BoolArray, skeleton: Skeleton) -> BoolArray:
    """valid (T, P, J) without the joints of people of whom too little was seen.

    A person is present in a frame where at least half of the joints were seen, among them one of the root's.
    """
    if valid.all():
        return valid
    enough = valid.sum(axis=2) >= MIN_VISIBLE * skeleton.num_joints  # (T, P)
    present: BoolArray = valid & (enough & valid[..., list(skeleton.root)].any(axis=2))[..., None]
    return present


MAX_STEP_FRAMES = 1.5
"""Uneven frames further apart than this many frames of the nominal rate have a hole between them."""


def even_rate(recording: Recording) -> Recording:
    """The recording at frames of equal length, by time; itself where they are even already.

    Frame j of the result, which starts at j / fps seconds, is linear in time between the recorded frames that start
    before and after it. A joint was seen where it was in both. Nothing was seen in a hole, that is between two frames
    that start more than 1.5 frames apart.
    """
    times = recording.times
    if times is None:
        return recording
    fps = recording.fps
    seconds = np.arange(max(1, round(recording.duration * fps))) / fps  # (N,), starts of the even frames
    low = np.clip(np.searchsorted(times, seconds + 1e-9, side="right") - 1, 0, len(times) - 1)
    high = np.minimum(low + 1, len(times) - 1)
    step = np.maximum(times[high] - times[low], 1e-9)  # (N,)
    weight = np.clip((seconds - times[low]) / step, 0, 1)
    weight[weight * step * fps < 1e-3] = 0  # a thousandth of a frame is rounding of the time stamps
    is_hole = (step * fps > MAX_STEP_FRAMES) & (weight > 0)
    resampling = Resampling(low, high, weight.astype(np.float32))
    positions, valid = resampling.apply(recording.positions, recording.valid)
    valid[is_hole] = False
    steps = np.diff(times) * 1000
    note = f"brought to {fps:g} fps by time: frames were {steps.min():.4g} to {steps.max():.4g} ms apart"
    return recording.with_changes(note, positions=positions, valid=valid, times=None)


def num_resampled(num_frames: int, fps: float, target_fps: float) -> int:
    """The number of frames at `target_fps` that cover the same seconds, at least one."""
    return max(1, round(num_frames * target_fps / fps))


def resample(
    positions: Float32Array, valid: BoolArray, fps: float, target_fps: float
) -> tuple[Float32Array, BoolArray]:
    """Positions (T, P, J, 3) and valid (T, P, J) at another rate, linear in time between the centres of frames.

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
        """The resampled mask (N, P, J) of a mask (T, P, J): both frames must be valid, or `low` alone at weight 0."""
        resampled: BoolArray = valid[self.low] & (valid[self.high] | (self.weight == 0)[:, None, None])
        return resampled

    def apply(self, positions: Float32Array, valid: BoolArray, first: int = 0) -> tuple[Float32Array, BoolArray]:
        """Resampled positions (N, P, J, 3) and mask (N, P, J); the arrays given begin at recorded frame `first`."""
        shifted = Resampling(self.low - first, self.high - first, self.weight)
        before, mask = positions[shifted.low], shifted.valid(valid)
        mixed = before + self.weight[:, None, None, None] * (positions[shifted.high] - before)  # (N, P, J, 3)
        return np.where(mask[..., None], mixed, np.float32(0)), mask


def fill_gaps(positions: Float32Array, valid: BoolArray, longest: int) -> tuple[Float32Array, BoolArray]:
    """Interpolate each joint's gaps of at most `longest` frames between two valid frames; the input stays as it is.

    Positions are (T, P, J, 3), valid (T, P, J).
    """
    gaps = short_gaps(valid, longest)
    if not gaps:
        return positions, valid
    positions, valid = positions.copy(), valid.copy()
    for gap in gaps:
        frames = slice(gap.before + 1, gap.after), gap.person, gap.joints
        start, end = (positions[frame, gap.person, gap.joints] for frame in (gap.before, gap.after))
        positions[frames] = gap.interpolate(start, end)
        valid[frames] = True
    return positions, valid


class Gap(NamedTuple):
    """Frames in which neighbouring joints of a person were not seen, between two frames in which they were."""

    person: int
    joints: slice
    """Joints with the same gap."""
    before: int
    """The last valid frame before the gap."""
    after: int
    """The first valid frame after it."""

    def interpolate(self, start: Float32Array, end: Float32Array) -> Float32Array:
        """Positions (N, J', 3) of the gap's frames, linear from `start` (J', 3) to `end`."""
        length = self.after - self.before
        weight = (np.arange(1, length) / length)[:, None, None]
        return (start + weight * (end - start)).astype(np.float32)


def short_gaps(valid: BoolArray, longest: int) -> list[Gap]:
    """The gaps of at most `longest` frames in valid (T, P, J), person by person."""
    gaps: list[Gap] = []
    if longest < 1 or valid.all():
        return gaps
    for person in range(valid.shape[1]):
        joints = 0
        while joints < valid.shape[2]:
            column = valid[:, person, joints]
            # joints that were lost together are filled together
            stop = joints + 1
            while stop < valid.shape[2] and np.array_equal(valid[:, person, stop], column):
                stop += 1
            valid_frames = np.flatnonzero(column)
            distance = np.diff(valid_frames)
            indices = np.flatnonzero((distance > 1) & (distance <= longest + 1))
            members = slice(joints, stop)
            gaps += [Gap(person, members, int(valid_frames[i]), int(valid_frames[i + 1])) for i in indices]
            joints = stop
    return gaps


def _normalised(
    positions: Float32Array, valid: BoolArray, skeleton: Skeleton, fps: float, normalisation: Normalisation
) -> Float32Array:
    """Positions (T, P, J, 3) with the first root over the origin, facing +z, in torso or bone lengths."""
    if not valid.any():
        return positions
    frame, person = first_valid(valid)
    start = slice(frame, frame + start_frames(normalisation, fps))
    reference = ReferenceFrame.of(positions[start, person], valid[start, person], skeleton, normalisation)
    positions = reference.apply(positions)
    if normalisation.size == "torso":
        positions = positions / median_length(body_sizes(positions, valid, skeleton))
    return zero_invalid(positions, valid)


def first_valid(valid: BoolArray) -> tuple[int, int]:
    """The first frame of valid (T, P, J) with a person in it, and that person."""
    present: BoolArray = np.any(valid, axis=2)
    frame = int(present.any(axis=1).argmax())
    return frame, int(present[frame].argmax())


HEADING_SECONDS = 1.0
"""The heading of the start is that of so much motion."""
MIN_POINTING = 0.1
"""What points nearer to the vertical than this share of its length is not turned."""


def start_frames(normalisation: Normalisation, fps: float) -> int:
    """How many frames, from the first one with anybody in it, a `ReferenceFrame` is made of."""
    return max(1, round(HEADING_SECONDS * fps)) if normalisation.heading == "start" else 1


class ReferenceFrame(NamedTuple):
    """The origin on the ground, (3,), and, with a heading, the rotation (3, 3) about the vertical."""

    origin: Float32Array
    rotation: Float32Array | None

    @classmethod
    def of(
        cls, poses: Float32Array, valid: BoolArray, skeleton: Skeleton, normalisation: Normalisation
    ) -> ReferenceFrame:
        """The frame of the first `start_frames` poses (N, J, 3), of which the joints valid (N, J) were seen.

        At least one joint of the root was seen in the first of them.
        """
        root = tuple(joint for joint in skeleton.root if valid[0, joint])
        origin = landmark(poses[0], root) * np.array([1, 0, 1], np.float32)
        if normalisation.heading == "none":
            return cls(origin, None)
        if normalisation.heading == "start" and not skeleton.has_heading:
            return cls(origin, pointing(poses, valid, skeleton))
        return cls(origin, facing(poses, valid, skeleton))

    def apply(self, positions: Float32Array) -> Float32Array:
        """Positions (T, P, J, 3) relative to the frame."""
        positions = positions - self.origin
        return positions if self.rotation is None else positions @ self.rotation.T


def facing(poses: Float32Array, valid: BoolArray, skeleton: Skeleton) -> Float32Array:
    """Rotation (3, 3) about y that turns poses (N, J, 3) to face +z: from right to left lies, in sum, along +x.

    Left and right are those of shoulders and hips, as far as the skeleton has them and valid (N, J) says that they were
    seen. Identity where they are not apart on the ground.
    """
    across = np.zeros(3, dtype=np.float32)
    pairs = (skeleton.left_shoulder, skeleton.right_shoulder), (skeleton.left_hip, skeleton.right_hip)
    for left, right in pairs:
        if left and right:
            seen = valid[:, [*left, *right]].all(axis=1)
            across = across + (landmark(poses[seen], left) - landmark(poses[seen], right)).sum(axis=0)
    return _turn_along_x(float(across[0]), float(across[2]))


def pointing(poses: Float32Array, valid: BoolArray, skeleton: Skeleton) -> Float32Array:
    """Rotation (3, 3) about y that turns poses (N, J, 3) so that from their roots to their other joints lies along +z.

    It is the sum over frames of the ways from the root to the mean of all joints that valid (N, J) says were seen.
    Identity where that is (almost) vertical.
    """
    weight = valid[..., None].astype(np.float32)  # (N, J, 1)
    root = list(skeleton.root)
    has_root = valid[:, root].any(axis=1)  # (N,)
    centre = (poses * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1)  # (N, 3)
    origin = (poses[:, root] * weight[:, root]).sum(axis=1) / np.maximum(weight[:, root].sum(axis=1), 1)
    ahead = (centre - origin)[has_root].sum(axis=0)  # (3,)
    if np.hypot(ahead[0], ahead[2]) < MIN_POINTING * np.linalg.norm(ahead):
        return np.eye(3, dtype=np.float32)
    return _turn_along_x(float(ahead[2]), -float(ahead[0]))  # what is ahead along +z has its left along +x


def _turn_along_x(x: float, z: float) -> Float32Array:
    """Rotation (3, 3) about y that turns the direction (x, z) on the ground to +x; identity where there is none."""
    length = np.hypot(x, z)
    if length < 1e-6:
        return np.eye(3, dtype=np.float32)
    cos, sin = x / length, z / length
    return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]], dtype=np.float32)


def body_sizes(positions: Float32Array, valid: BoolArray, skeleton: Skeleton) -> Float32Array:
    """The size of every body in positions (T, P, J, 3) of which enough was seen: (N,), in the unit of positions.

    Of a skeleton with shoulders and hips that is its torso, the distance from root to mid-shoulders; of another the
    median length of its bones, or, without bones, the median distance of its joints from the root.
    """
    present: BoolArray = np.any(valid, axis=2)
    poses, seen = positions[present], valid[present]  # (N, J, 3), (N, J)
    if skeleton.has_torso:
        needed = [*skeleton.left_shoulder, *skeleton.right_shoulder, *skeleton.root]
        whole = poses if seen.all() else poses[seen[:, needed].all(axis=1)]
        shoulders = (landmark(whole, skeleton.left_shoulder) + landmark(whole, skeleton.right_shoulder)) / 2
        torsos: Float32Array = np.linalg.norm(shoulders - landmark(whole, skeleton.root), axis=-1)
        return torsos
    if skeleton.bones:
        ends, starts = (list(joints) for joints in zip(*skeleton.bones, strict=True))
        lengths = np.linalg.norm(poses[:, ends] - poses[:, starts], axis=-1)  # (N, bones)
        is_seen = seen[:, ends] & seen[:, starts]
    else:
        lengths, is_seen = np.linalg.norm(poses - landmark(poses, skeleton.root)[:, None], axis=-1), seen
    lengths, is_seen = lengths[is_seen.any(axis=1)], is_seen[is_seen.any(axis=1)]
    sizes: Float32Array = np.nanmedian(np.where(is_seen, lengths, np.nan), axis=1).astype(np.float32)
    return sizes


def median_length(lengths: Float32Array) -> float:
    """The median of lengths (N,); 1 where there are none or it is (almost) 0."""
    length = float(np.median(lengths)) if len(lengths) else 0.0
    return length if length > 1e-5 else 1.0
