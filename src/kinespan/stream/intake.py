"""From recorded frames to the motion that a network sees, as they come: what `model_motion` does to a whole recording.

Every stage has ``push``, which gives the frames that have become final, and ``tail``, which gives those that are left
if the recording ends now and changes nothing.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..joint_map import joint_map
from ..localizer import Localizer
from ..model_file import ModelSpec
from ..recording import Recording
from ..skeleton import Skeleton
from ..transforms.normalise import facing, fill_gaps, model_motion, num_resampled, torso_length
from ..transforms.ntu_preprocessing import PREPROCESSINGS, landmark

Positions = NDArray[np.float32]
Valid = NDArray[np.bool_]
Frames = tuple[Positions, Valid]
"""Positions (n, P, J, 3) and valid (n, P)."""


class Gaps:
    """Gaps of at most `longest` frames are filled by interpolation; while one is open, frames wait for its end."""

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self.kept: Frames | None = None
        """From the last frame given on."""
        self.waiting = 0
        self.absent: NDArray[np.int64] | None = None
        """For how many frames each person (P,) has been absent; -1 where it was never there."""

    def push(self, positions: Positions, valid: Valid) -> Frames:
        """The frames of which it is certain who is there."""
        if self.longest < 1:
            return positions, valid
        if self.absent is None:
            self.absent = np.full(valid.shape[1], -1)
        if not self.waiting and len(valid) and valid.all():
            self.absent[:] = 0
            self.kept = positions[-1:].copy(), valid[-1:].copy()
            return positions, valid
        for row in valid:
            self.absent = np.where(row, 0, np.where(self.absent < 0, -1, self.absent + 1))
        open_gaps = self.absent[(self.absent > 0) & (self.absent <= self.longest)]
        count = len(valid) + self.waiting
        if self.kept is not None:
            positions = np.concatenate([self.kept[0], positions])
            valid = np.concatenate([self.kept[1], valid])
        positions, valid = fill_gaps(positions, valid, self.longest)
        self.waiting = int(open_gaps.max(initial=0))
        given, ready = len(valid) - count, len(valid) - self.waiting
        self.kept = positions[max(0, ready - 1) :].copy(), valid[max(0, ready - 1) :].copy()
        return positions[given:ready], valid[given:ready]

    def tail(self, frames: Frames) -> Frames:
        """The frames that wait, and some more that are none of its business."""
        if self.kept is None or not self.waiting:
            return frames
        positions, valid = self.kept
        waiting = positions[-self.waiting :], valid[-self.waiting :]
        return np.concatenate([waiting[0], frames[0]]), np.concatenate([waiting[1], frames[1]])


class Rate:
    """Frames at another rate, by time: those that `resample` gives, as soon as the frames around them are there."""

    def __init__(self, fps: float, target: float) -> None:
        self.fps, self.target = fps, target
        self.kept: Frames | None = None
        self.first = 0
        """The number of the first frame that is kept."""
        self.done = 0

    def push(self, positions: Positions, valid: Valid) -> Frames:
        """The frames at the target rate that lie between those that have come."""
        if self.fps == self.target or not len(valid):
            return positions, valid
        if self.kept is not None:
            positions, valid = np.concatenate([self.kept[0], positions]), np.concatenate([self.kept[1], valid])
        last = self.first + len(valid) - 1
        most = max(self.done, math.floor((last + 0.5) * self.target / self.fps - 0.5) + 2)
        at = self._places(most)
        at = at[at <= last]
        found = self._between(positions, valid, at)
        self.done += len(at)
        start = int(min(last, max(0.0, float((self.done + 0.5) * self.fps / self.target - 0.5)))) - self.first
        self.kept, self.first = (positions[start:].copy(), valid[start:].copy()), self.first + start
        return found

    def tail(self, frames: Frames) -> Frames:
        """What is left once these frames have come as the last ones; changes nothing."""
        if self.fps == self.target:
            return frames
        positions, valid = frames
        if self.kept is not None:
            positions, valid = np.concatenate([self.kept[0], positions]), np.concatenate([self.kept[1], valid])
        if not len(valid):
            return positions, valid
        count = num_resampled(self.first + len(valid), self.fps, self.target)
        return self._between(positions, valid, np.minimum(self._places(count), self.first + len(valid) - 1))

    def _places(self, until: int) -> NDArray[np.float64]:
        """Where the frames from those done on lie, in frames of the recording."""
        at = (np.arange(self.done, until) + 0.5) * self.fps / self.target - 0.5
        return np.asarray(np.maximum(at, 0), dtype=np.float64)

    def _between(self, positions: Positions, valid: Valid, at: NDArray[np.float64]) -> Frames:
        low = np.floor(at).astype(np.int64)
        part = (at - low).astype(np.float32)
        low = low - self.first
        high = np.minimum(low + 1, len(valid) - 1)
        mixed = positions[low] + part[:, None, None, None] * (positions[high] - positions[low])
        seen = valid[low] & (valid[high] | (part == 0)[:, None])
        return np.where(seen[:, :, None, None], mixed, np.float32(0)), seen


class Place:
    """Origin, heading and size, decided once: the first two at the first frame with a person in it.

    torso: metres from root to mid-shoulders; None: the median of the first `settle` seconds of motion, during which
    frames wait.
    """

    def __init__(self, spec: ModelSpec, torso: float | None, settle: float) -> None:
        self.skeleton, self.how = spec.input.skeleton, spec.input.normalisation
        self.size = 1.0 if self.how.size == "none" else torso
        self.wait = settle * spec.input.fps
        self.waiting: Frames | None = None
        self.origin: tuple[Positions, Positions] | None = None

    def push(self, positions: Positions, valid: Valid) -> Frames:
        """Frames in place."""
        if self.size is None:
            positions, valid = self._with_waiting(positions, valid)
            if valid.any(axis=1).sum() < self.wait:
                self.waiting = positions, valid
                return positions[:0], valid[:0]
            self.size, self.waiting = self._measured(positions, valid), None
        return self._placed(positions, valid, self.size), valid

    def tail(self, frames: Frames) -> Frames:
        """What is left once these frames have come as the last ones; changes nothing."""
        positions, valid = self._with_waiting(*frames)
        origin = self.origin
        placed = self._placed(positions, valid, self._measured(positions, valid) if self.size is None else self.size)
        self.origin = origin
        return placed, valid

    def _with_waiting(self, positions: Positions, valid: Valid) -> Frames:
        if self.waiting is None:
            return positions, valid
        return np.concatenate([self.waiting[0], positions]), np.concatenate([self.waiting[1], valid])

    def _measured(self, positions: Positions, valid: Valid) -> float:
        return torso_length(positions[valid], self.skeleton) if valid.any() else 1.0

    def _placed(self, positions: Positions, valid: Valid, size: float) -> Positions:
        if self.origin is None:
            if not valid.any():
                return positions
            frame, person = np.argwhere(valid)[0]
            first = positions[frame, person]
            turn = facing(first, self.skeleton) if self.how.heading == "first" else np.eye(3, dtype=np.float32)
            self.origin = (
                landmark(first, self.skeleton.root) * np.array([1, 0, 1], np.float32),
                turn.T / np.float32(size),
            )
        placed = np.asarray((positions - self.origin[0]) @ self.origin[1], dtype=np.float32)
        return placed if valid.all() else np.where(valid[:, :, None, None], placed, np.float32(0))


class FamilyPlace:
    """The published ways to place motion, each frame as the whole recording would have it placed.

    The first person is the one of the lowest slot in the first frame with anybody in it. What comes before it is as
    it came. Absent people stay absent, also at the end, where `agcn` fills what is missing in a whole recording.
    """

    def __init__(self, spec: ModelSpec) -> None:
        self.family, self.skeleton = PREPROCESSINGS[spec.input.normalisation.preprocessing], spec.input.skeleton
        self.anchors: list[Positions] = []
        """The first and the latest pose (J, 3) of the first person."""
        self.person = -1

    def push(self, positions: Positions, valid: Valid) -> Frames:
        """Frames in place."""
        if self.person < 0:
            if not valid.any():
                return positions, valid
            frame, self.person = (int(index) for index in np.argwhere(valid)[0])
            self.anchors = [positions[frame, self.person].copy()] * 2
        # in front the frames that the family goes by, at the end one with everybody, so that nobody has left for good
        order = [self.person, *(slot for slot in range(valid.shape[1]) if slot != self.person)]
        shape = (len(positions) + 3, *positions.shape[1:])
        around, there = np.zeros(shape, dtype=np.float32), np.zeros(shape[:2], dtype=bool)
        around[2:-1], there[2:-1] = positions[:, order], valid[:, order]
        around[:2, 0], around[-1, 0] = self.anchors, self.anchors[1]
        there[:2, 0], there[-1] = True, True
        placed = self.family(around, there, self.skeleton)[0][2:-1]
        seen = np.flatnonzero(valid[:, self.person])
        if len(seen):
            self.anchors[1] = positions[seen[-1], self.person].copy()
        return placed[:, np.argsort(order)], valid

    def tail(self, frames: Frames) -> Frames:
        """What is left once these frames have come as the last ones; changes nothing."""
        person, anchors = self.person, list(self.anchors)
        found = self.push(*frames)
        self.person, self.anchors = person, anchors
        return found


class Intake:
    """Recorded frames in, frames as the network sees them out."""

    def __init__(self, spec: ModelSpec, skeleton: Skeleton, fps: float, torso: float | None, settle: float) -> None:
        """Raises InputError where the skeleton does not map to the model's."""
        self.weights = None if skeleton == spec.input.skeleton else joint_map(skeleton, spec.input.skeleton)
        kinespan = spec.input.normalisation.preprocessing == "kinespan"
        place = Place(spec, torso, settle) if kinespan else FamilyPlace(spec)
        self.stages = Gaps(round(spec.input.normalisation.fill_gap * fps)), Rate(fps, spec.input.fps), place

    def push(self, positions: Positions, valid: Valid) -> Frames:
        """The frames at the model's rate that recorded frames, positions (n, P, J, 3) and valid (n, P), make final."""
        if self.weights is not None:
            positions = np.einsum("ij,tpjc->tpic", self.weights, positions, optimize=True)
        for stage in self.stages:
            positions, valid = stage.push(positions, valid)
        return positions, valid

    def tail(self, like: Frames) -> Frames:
        """The frames that are left if the recording ends now; changes nothing. like: frames as they come in."""
        joints = like[0].shape[2] if self.weights is None else len(self.weights)
        frames = np.zeros((0, like[0].shape[1], joints, 3), dtype=np.float32), like[1][:0]
        for stage in self.stages:
            frames = stage.tail(frames)
        return frames


def torso_of(model: Localizer, recording: Recording) -> float:
    """Metres from root to mid-shoulders as the model measures them: the median over a whole recording."""
    metres = replace(model.spec.input.normalisation, preprocessing="kinespan", heading="none", size="none")
    motion = model_motion(recording, model.spec.input.skeleton, model.spec.input.fps, metres)
    return torso_length(motion.positions[motion.valid], model.spec.input.skeleton) if motion.valid.any() else 1.0
