"""From recorded frames to the motion that a network sees, as they come: what `model_motion` does to a whole recording.

Frames go through stages. Each stage has a method ``push(positions, valid, last)`` that takes the next frames, positions
(n, P, J, 3) and valid (n, P, J), and returns those that have become final, in the same form: with some stages fewer
than came, with others more. ``last`` says that the recording ends with these frames, so that nothing waits any longer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np

from ..arrays import BoolArray, Float32Array
from ..data.joint_map import joint_map, map_positions, map_valid
from ..data.recording import Recording
from ..data.skeleton import Skeleton
from ..models.base import Model
from ..models.model_file import ModelSpec
from ..transforms.normalise import (
    ReferenceFrame,
    Resampling,
    body_sizes,
    estimate_roots,
    fill_gaps,
    first_valid,
    leave_out_absent,
    median_length,
    model_motion,
    num_resampled,
    start_frames,
)
from ..transforms.ntu_preprocessing import PREPROCESSINGS, zero_invalid

Frames = tuple[Float32Array, BoolArray]
"""Positions (n, P, J, 3) and valid (n, P, J)."""


class Stage(Protocol):
    """One step from recorded frames to those that a network sees."""

    def push(self, positions: Float32Array, valid: BoolArray, last: bool) -> Frames:
        """The frames that these make final; see the head of this module."""


class GapFilling:
    """Fills gaps of at most `longest` frames by interpolation; while a gap is open, frames wait for its end."""

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self.buffer: Frames | None = None
        """The latest final frame, from which a gap is filled, and the frames that wait."""

    def push(self, positions: Float32Array, valid: BoolArray, last: bool) -> Frames:
        """The frames of which it is certain what was seen."""
        start = 0 if self.buffer is None else 1
        positions, valid = joined(self.buffer, positions, valid)
        if not len(valid):
            return positions, valid
        positions, valid = fill_gaps(positions, valid, self.longest)
        stop = len(valid) - (0 if last else self._num_open(valid))
        self.buffer = copied(positions, valid, since=stop - 1)
        return positions[start:stop], valid[start:stop]

    def _num_open(self, valid: BoolArray) -> int:
        """How many of the latest frames lie in a gap that may yet be filled."""
        since_present = valid[::-1].argmax(axis=0)  # (P, J)
        may_return = valid.any(axis=0) & (since_present <= self.longest)
        return int(since_present[may_return].max(initial=0))


class RateChange:
    """Frames at another rate, as `resample` gives them, as soon as the recorded frames around them have come."""

    def __init__(self, fps: float, target_fps: float) -> None:
        self.fps, self.target_fps = fps, target_fps
        self.buffer: Frames | None = None
        """Recorded frames that are still needed; ``buffer_start`` is the number of the first."""
        self.buffer_start = 0
        self.num_returned = 0

    def push(self, positions: Float32Array, valid: BoolArray, last: bool) -> Frames:
        """The frames at the target rate that lie between recorded ones."""
        positions, valid = joined(self.buffer, positions, valid)
        if self.fps == self.target_fps or not len(valid):
            return positions, valid
        recorded = self.buffer_start + len(valid)
        count = num_resampled(recorded, self.fps, self.target_fps)
        stop = count if last else self._stop(recorded, count)
        resampled = self._between(self.num_returned, stop, recorded).apply(positions, valid, self.buffer_start)
        needed = int(self._between(stop, stop + 1, recorded).low[0])
        self.buffer = copied(positions, valid, since=needed - self.buffer_start)
        self.num_returned, self.buffer_start = stop, needed
        return resampled

    def _between(self, start: int, stop: int, recorded: int) -> Resampling:
        return Resampling.of(start, stop, recorded, self.fps, self.target_fps)

    def _stop(self, recorded: int, count: int) -> int:
        """The first frame at the target rate whose middle lies after that of the last recorded one."""
        middles = (np.arange(self.num_returned, count + 1) + 0.5) * self.fps / self.target_fps - 0.5
        return self.num_returned + int((middles <= recorded - 1).sum())


class Presence:
    """Estimates roots and leaves out people of whom too little was seen: `estimate_roots`, `leave_out_absent`."""

    def __init__(self, skeleton: Skeleton) -> None:
        self.skeleton = skeleton

    def push(self, positions: Float32Array, valid: BoolArray, last: bool) -> Frames:
        """The frames, none of which waits."""
        positions, valid = estimate_roots(positions, valid, self.skeleton)
        return positions, leave_out_absent(valid, self.skeleton)


class Placement:
    """Origin, heading and size of kinespan's own normalisation.

    The first poses decide origin and heading (`start_frames` of them). The size is `torso` metres (see `body_sizes`);
    None: the median of the first `settle_frames` frames with anybody in them. All frames wait for both.
    """

    def __init__(self, spec: ModelSpec, torso: float | None, settle_frames: int) -> None:
        self.skeleton, self.normalisation = spec.input.skeleton, spec.input.normalisation
        self.size = 1.0 if spec.input.normalisation.size == "none" else torso
        self.settle_frames = settle_frames
        self.start_frames = start_frames(spec.input.normalisation, spec.input.fps)
        self.buffer: Frames | None = None
        self.reference: ReferenceFrame | None = None

    def push(self, positions: Float32Array, valid: BoolArray, last: bool) -> Frames:
        """The frames, placed."""
        positions, valid = joined(self.buffer, positions, valid)
        if not (last or self._has_settled(valid)):
            self.buffer = positions, valid
            return positions[:0], valid[:0]
        self.buffer = None
        if self.size is None:
            self.size = median_length(body_sizes(positions, valid, self.skeleton))
        if self.reference is None and valid.any():
            frame, person = first_valid(valid)
            start = slice(frame, frame + self.start_frames)
            first_poses, seen = positions[start, person], valid[start, person]
            self.reference = ReferenceFrame.of(first_poses, seen, self.skeleton, self.normalisation)
        if self.reference is None:
            return positions, valid
        return zero_invalid(self.reference.apply(positions) / self.size, valid), valid

    def _has_settled(self, valid: BoolArray) -> bool:
        """Whether frames, valid (n, P, J), are enough to measure what is not known yet."""
        if self.size is None and valid.any(axis=(1, 2)).sum() < self.settle_frames:
            return False
        if self.reference is not None or not valid.any():
            return True
        return len(valid) - first_valid(valid)[0] >= self.start_frames


class PublishedPlacement:
    """The published preprocessings: each frame as the preprocessing of the whole recording would place it.

    The first person is the one of the lowest slot in the first frame with anybody in it; frames before it stay as they
    are. Absent people stay absent, also at the end, where `agcn` fills what is missing in a whole recording.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self.preprocess, self.skeleton = PREPROCESSINGS[spec.input.normalisation.preprocessing], spec.input.skeleton
        self.person: int | None = None
        """The slot of the first person; ``anchors``: its first and its latest pose (J, 3)."""
        self.anchors: list[Float32Array] = []

    def push(self, positions: Float32Array, valid: BoolArray, last: bool) -> Frames:
        """The frames, placed."""
        if self.person is None:
            if not valid.any():
                return positions, valid
            frame, self.person = first_valid(valid)
            self.anchors = [positions[frame, self.person].copy()] * 2
        # the first person comes first; two frames with its poses precede, by which the others are placed, and a frame
        # with everybody follows, so that nobody has left for good
        slots = [self.person, *(slot for slot in range(valid.shape[1]) if slot != self.person)]
        around = np.zeros((len(positions) + 3, *positions.shape[1:]), dtype=np.float32)
        seen = np.zeros(around.shape[:3], dtype=bool)
        around[2:-1], seen[2:-1] = positions[:, slots], valid[:, slots]
        around[:2, 0], around[-1, 0] = self.anchors, self.anchors[1]
        seen[:2, 0], seen[-1] = True, True
        placed = self.preprocess(around, seen, self.skeleton)[0][2:-1]
        present_frames = np.flatnonzero(valid[:, self.person].any(axis=1))
        if len(present_frames):
            self.anchors[1] = positions[present_frames[-1], self.person].copy()
        return placed[:, np.argsort(slots)], valid


class Intake:
    """Recorded frames in, frames as a network sees them out."""

    def __init__(
        self, spec: ModelSpec, skeleton: Skeleton, fps: float, torso: float | None, settle_frames: int
    ) -> None:
        """skeleton and fps: of the recorded frames. torso and settle_frames: see `Placement`.

        Raises InputError where the skeleton does not map to the model's.
        """
        self.weights = None if skeleton == spec.input.skeleton else joint_map(skeleton, spec.input.skeleton)
        own = spec.input.normalisation.preprocessing == "kinespan"
        self.stages: tuple[Stage, ...] = (
            GapFilling(round(spec.input.normalisation.fill_gap * fps)),
            RateChange(fps, spec.input.fps),
            Presence(spec.input.skeleton),
            Placement(spec, torso, settle_frames) if own else PublishedPlacement(spec),
        )

    def push(self, positions: Float32Array, valid: BoolArray, last: bool = False) -> Frames:
        """The frames at the model's rate that recorded frames, positions (n, P, J, 3) and valid (n, P, J), make final.

        last: the recording ends with these frames; n may be 0.
        """
        if self.weights is not None:
            positions, valid = map_positions(positions, self.weights), map_valid(valid, self.weights)
        for stage in self.stages:
            positions, valid = stage.push(positions, valid, last)
        return positions, valid


def torso_of(model: Model, recording: Recording) -> float:
    """Metres of the body's size as the model measures it (see `body_sizes`): the median over a whole recording.

    Raises InputError where the recording's skeleton does not map to the model's.
    """
    metres = replace(model.spec.input.normalisation, preprocessing="kinespan", heading="none", size="none")
    motion = model_motion(recording, model.spec.input.skeleton, model.spec.input.fps, metres)
    return median_length(body_sizes(motion.positions, motion.valid, model.spec.input.skeleton))


def joined(buffer: Frames | None, positions: Float32Array, valid: BoolArray) -> Frames:
    """The frames of a buffer, and those that follow."""
    if buffer is None:
        return positions, valid
    return np.concatenate([buffer[0], positions]), np.concatenate([buffer[1], valid])


def copied(positions: Float32Array, valid: BoolArray, since: int) -> Frames:
    """The frames from number `since` on, which keep nothing of the earlier ones in memory."""
    since = max(0, since)
    return positions[since:].copy(), valid[since:].copy()
