"""What the viewer is given: skeletons as JSON, motion as 16-bit steps, scores as bytes; for the report and the page."""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import AnyArray, BoolArray, Float32Array, Float64Array, IntArray, UInt8Array
from ..data.recording import Recording
from ..data.skeleton import Skeleton

MAX_FPS = 30.0
"""Scores, and the motion in a report, are shown at no more than this many frames a second."""
MILLIMETRE = 1e-3
INT16_MAX = 32767
SURVEY_FRAMES = 4000
"""The ground and the reach of a motion are measured on about this many of its frames."""
_CHUNK_FRAMES = 2**14
_LEAST_HEIGHT, _LEAST_WIDTH = 0.2, 0.12


def frame_picks(num_frames: int, fps: float) -> tuple[IntArray, float]:
    """Frames to show, (T',), and their rate: all of them up to 30 a second, above that 30 picked by their time."""
    if fps <= MAX_FPS:
        return np.arange(num_frames), fps
    shown = max(1, math.ceil(num_frames / fps * MAX_FPS - 1e-9))
    # the start of a frame belongs to it, also after rounding
    frames = (np.arange(shown) + 0.5) * (fps / MAX_FPS) + 1e-6
    return np.minimum(frames.astype(np.int64), num_frames - 1), MAX_FPS


def skeleton_payload(skeleton: Skeleton) -> dict[str, Any]:
    """Names, parents, bones (child, parent), sides (-1 left, 1 right, 0 middle), the torso's corners, the head."""
    sides = [0] * skeleton.num_joints
    for left, right in skeleton.pairs:
        sides[left], sides[right] = -1, 1
    corners = (skeleton.left_shoulder, skeleton.right_shoulder, skeleton.right_hip, skeleton.left_hip)
    return {
        "name": skeleton.name,
        "joints": skeleton.num_joints,
        "names": list(skeleton.joints),
        "parents": list(skeleton.parents),
        "bones": [list(bone) for bone in skeleton.bones if not _is_bare_root(skeleton, bone[1])],
        "sides": sides,
        "torso": [list(corner) for corner in corners] if skeleton.has_torso else [],
        "head": skeleton.body_parts.index("head") if "head" in skeleton.body_parts else -1,
    }


def _is_bare_root(skeleton: Skeleton, joint: int) -> bool:
    """Whether a joint is a root outside the body, often on the floor, that only carries it: one child, no body part.

    In a skeleton without known body parts, any joint may be of the body.
    """
    is_outside = skeleton.body_parts[joint] is None and any(skeleton.body_parts)
    return is_outside and skeleton.parents[joint] < 0 and skeleton.parents.count(joint) == 1


class MotionBytes:
    """The motion of a Recording at an even rate, as int16 steps of `unit` metres around `origin`.

    People who are never present are left out. In frames where a joint was not seen it stays where it was last, or else
    first, seen; one that was never seen lies on its parent, or else on the first joint that was seen.
    """

    def __init__(self, recording: Recording, frames: IntArray | None = None) -> None:
        """frames: (T',) those that are shown, by default all; bounds and people are theirs."""
        self.recording = recording
        self._shown = frames
        present = recording.present if frames is None else recording.present[frames]
        people = np.flatnonzero(present.any(axis=0))
        if people.size == 0:  # present only in frames that are not shown
            people = np.flatnonzero(recording.present.any(axis=0))
        self.slots: tuple[int, ...] = tuple(people.tolist())
        self._people = people
        self._everybody = people.size == recording.num_people
        self._sources, self._last = self._stand_ins()
        low, high = self._bounds()
        self.origin: Float64Array = np.round((low + high) / 2, 4)
        """(3,) metres."""
        self.unit = max(MILLIMETRE, float((high - low).max()) / 2 / INT16_MAX)
        """Metres."""

    @property
    def num_bytes(self) -> int:
        """What it holds beside the Recording."""
        return 0 if self._last is None else self._last.nbytes

    def steps(self, frames: IntArray) -> NDArray[np.int16]:
        """The motion in frames (n,): (n, P, J, 3) little-endian int16."""
        scaled = (self.positions(frames) - self.origin) / self.unit
        return np.clip(np.rint(scaled), -INT16_MAX, INT16_MAX).astype("<i2")

    def seen(self, frames: IntArray) -> UInt8Array:
        """(n, P): 1 where a person is present."""
        return self.recording.present[frames][:, self._people].astype(np.uint8)

    def positions(self, frames: IntArray) -> Float32Array:
        """Positions (n, P, J, 3) in metres, without gaps, of frames (n,)."""
        if self._last is None:
            # the frames of a range are one slice of a file, which is read faster than frames one by one
            picked: Float32Array = self.recording.positions[_as_range(frames)]
            return picked if self._everybody else picked[:, self._people]
        last = self._last[frames]  # (n, P, J)
        columns = np.arange(len(self._people))[:, None]
        positions: Float32Array = self.recording.positions[
            np.take_along_axis(last, self._sources[None], axis=2), self._people[columns], self._sources
        ]
        return positions

    @cached_property
    def first(self) -> int:
        """The first of the frames that are shown in which anybody is seen."""
        return int(self.recording.present[self._frames_shown()].any(axis=1).argmax())

    @cached_property
    def facing(self) -> float:
        """Direction in radians, from +z towards +x, that the first person faces in the first second; 0 for nowhere."""
        if not self.recording.skeleton.has_heading:
            return 0.0
        frames = self._frames_shown()
        rate = self.recording.fps if self._shown is None else min(self.recording.fps, MAX_FPS)
        opening = self.positions(frames[: max(1, round(rate))])[:, 0].astype(np.float64)
        skeleton = self.recording.skeleton
        left = opening[:, [*skeleton.left_shoulder, *skeleton.left_hip]].mean(axis=(0, 1))
        right = opening[:, [*skeleton.right_shoulder, *skeleton.right_hip]].mean(axis=(0, 1))
        across = left - right  # times up is forward
        return float(np.arctan2(-across[2], across[0]))

    @cached_property
    def survey(self) -> tuple[float, float, float]:
        """Metres: the ground, the height that the bodies reach above it, and how far they reach from their middle."""
        frames = self._frames_shown()
        picks = frames[:: max(1, len(frames) // SURVEY_FRAMES)]
        positions = self.positions(picks).astype(np.float64)
        valid = self.recording.valid[picks][:, self._people]  # (n, P, J)
        if not valid.any():
            return 0.0, _LEAST_HEIGHT, _LEAST_WIDTH
        lows = np.where(valid, positions[..., 1], np.inf).min(axis=(1, 2))
        ground = float(np.percentile(lows[np.isfinite(lows)], 5))
        heights = positions[..., 1][valid] - ground
        middle = _mean_where(positions[..., [0, 2]], valid)  # (n, 2)
        widths = np.hypot(*np.moveaxis(positions[..., [0, 2]] - middle[:, None, None], -1, 0))[valid]
        height, width = (float(np.percentile(values, 98)) for values in (heights, widths))
        return ground, max(_LEAST_HEIGHT, height), max(_LEAST_WIDTH, width)

    def _frames_shown(self) -> IntArray:
        return np.arange(self.recording.num_frames) if self._shown is None else self._shown

    def _stand_ins(self) -> tuple[IntArray, NDArray[np.int32] | None]:
        """For each person and joint (P, J) the joint that stands in for it, and (T, P, J) the frame that does.

        The frames are None where every joint of every person was seen in every frame.
        """
        valid = self.recording.valid if self._everybody else self.recording.valid[:, self._people]
        num_frames, num_people, num_joints = valid.shape
        sources = np.tile(np.arange(num_joints), (num_people, 1))
        if valid.all():
            return sources, None
        numbers = np.arange(num_frames, dtype=np.int32)[:, None, None]
        last = np.where(valid, numbers, np.int32(-1))
        np.maximum.accumulate(last, axis=0, out=last)
        first = valid.argmax(axis=0).astype(np.int32)  # (P, J)
        np.copyto(last, first, where=last < 0)
        is_seen: BoolArray = np.any(valid, axis=0)
        for person in range(num_people):
            for joint in self.recording.skeleton.order:
                parent = self.recording.skeleton.parents[joint]
                if not is_seen[person, joint]:
                    stand_in = parent if parent >= 0 else int(is_seen[person].argmax())
                    sources[person, joint] = sources[person, stand_in]
        return sources, last

    def _bounds(self) -> tuple[Float64Array, Float64Array]:
        """The least and the greatest position (3,) of what is shown."""
        lows, highs = zip(
            *((part.min(axis=(0, 1, 2)), part.max(axis=(0, 1, 2))) for part in self._parts()), strict=True
        )
        return np.min(lows, axis=0).astype(np.float64), np.max(highs, axis=0).astype(np.float64)

    def _parts(self) -> Iterator[Float32Array]:
        frames = self._frames_shown()
        return (self.positions(frames[start : start + _CHUNK_FRAMES]) for start in range(0, len(frames), _CHUNK_FRAMES))


def _as_range(frames: IntArray) -> slice | IntArray:
    """Rising frames at equal distances as a slice, others as they are."""
    if len(frames) < 2:
        return frames
    step = int(frames[1] - frames[0])
    is_even = step > 0 and bool((np.diff(frames) == step).all())
    return slice(int(frames[0]), int(frames[-1]) + 1, step) if is_even else frames


def _mean_where(points: Float64Array, valid: AnyArray) -> Float64Array:
    """The mean (n, 2) of points (n, P, J, 2) that are valid (n, P, J); where none is, that of the frame before."""
    counts = valid.sum(axis=(1, 2))
    sums = np.where(valid[..., None], points, 0).sum(axis=(1, 2))
    means = sums / np.maximum(counts, 1)[:, None]
    numbers = np.maximum.accumulate(np.where(counts > 0, np.arange(len(counts)), 0))
    return np.asarray(means[np.maximum(numbers, int((counts > 0).argmax()))])


def scores_payload(scores: AnyArray, fps: float) -> dict[str, Any]:
    """Scores (T, C + 1) in [0, 1] at a rate, as one byte each, deflated."""
    values = np.asarray(scores, dtype=np.float64)
    picks, shown_fps = frame_picks(len(values), fps)
    levels = np.rint(np.clip(values[picks], 0, 1) * 255).astype(np.uint8)
    return {"fps": shown_fps, "frames": len(picks), "columns": values.shape[1], "levels": deflated(levels)}


def deflated(array: AnyArray) -> str:
    """The bytes of an array, deflated, as base64."""
    return base64.b64encode(zlib.compress(np.ascontiguousarray(array).tobytes(), 9)).decode("ascii")
