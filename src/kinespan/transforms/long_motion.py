"""The motion that a network sees of a long recording, made piece by piece, so that memory does not grow with it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..arrays import BoolArray, Float32Array
from ..config import Normalisation
from ..errors import InputError
from ..joint_map import joint_map
from ..recording import Recording
from ..skeleton import Skeleton
from .normalise import (
    Between,
    Motion,
    Place,
    first_seen,
    model_motion,
    num_resampled,
    only_seen,
    short_gaps,
    torso_lengths,
    usual_length,
)

LONG = 2**15
"""Frames of a recording from which on it is worked on in pieces: 18 minutes at 30 a second."""


class LongMotion:
    """What `model_motion` gives of a recording, to the bit but for joints that are mapped, in parts that are asked for.

    valid (T, P), fps, name and num_frames are those of the Motion; its positions are made by `part`. A recording whose
    frames lie in a file is read twice: once for the size of its body, once for its parts.
    """

    def __init__(
        self, recording: Recording, skeleton: Skeleton, fps: float, normalisation: Normalisation, piece: int
    ) -> None:
        """piece: frames worked on at once. Raises InputError where the skeletons do not map."""
        self.recording, self.skeleton, self.fps, self.name = recording, skeleton, fps, recording.name
        self._weights = _weights(recording, skeleton)
        self._gaps = short_gaps(recording.mask, round(normalisation.fill_gap * recording.fps))
        self._seen = recording.mask
        if self._gaps:
            self._seen = self._seen.copy()
            for gap in self._gaps:
                self._seen[gap.before + 1 : gap.after, gap.person] = True
        self.num_frames = recording.num_frames
        if recording.fps != fps:
            self.num_frames = num_resampled(recording.num_frames, recording.fps, fps)
        pieces = [(start, min(start + piece, self.num_frames)) for start in range(0, self.num_frames, piece)]
        self.valid = np.concatenate([self._seen_in(*bounds) for bounds in pieces])
        self._place, self._size = None, 1.0
        if self.valid.any():
            frame, person = first_seen(self.valid)
            self._place = Place.of(self._resampled(frame, frame + 1)[0, person], skeleton, normalisation)
            if normalisation.size == "torso":
                self._size = usual_length(np.concatenate(list(self._torsos(pieces))))

    def part(self, start: int, stop: int) -> tuple[Float32Array, BoolArray]:
        """Positions (N, P, J, 3) and valid (N, P) of the frames [start, stop)."""
        valid = self.valid[start:stop]
        positions = self._resampled(start, start + len(valid))
        if self._place is None:
            return positions, valid
        return only_seen(self._place.moved(positions) / self._size, valid), valid

    def _torsos(self, pieces: list[tuple[int, int]]) -> Iterator[Float32Array]:
        """The torso lengths of all poses, piece by piece."""
        assert self._place is not None
        for start, stop in pieces:
            moved = self._place.moved(self._resampled(start, stop))
            yield torso_lengths(moved[self.valid[start:stop]], self.skeleton)

    def _between(self, start: int, stop: int) -> Between:
        return Between.frames(start, stop, self.recording.num_frames, self.recording.fps, self.fps)

    def _seen_in(self, start: int, stop: int) -> BoolArray:
        """Who is there (N, P) in the frames [start, stop) at the model's rate."""
        if self.recording.fps == self.fps:
            return self._seen[start:stop]
        return self._between(start, stop).seen(self._seen)

    def _resampled(self, start: int, stop: int) -> Float32Array:
        """Positions (N, P, J, 3) of the frames [start, stop) at the model's rate, where they were recorded."""
        if self.recording.fps == self.fps:
            return self._filled(start, stop)
        between = self._between(start, stop)
        first, last = int(between.low[0]), int(between.high[-1]) + 1
        return between.mix(self._filled(first, last), self._seen[first:last], first)[0]

    def _filled(self, start: int, stop: int) -> Float32Array:
        """Positions (N, P, J, 3) of recorded frames [start, stop), short gaps filled."""
        positions = self._mapped(self.recording.positions[start:stop])
        copied = self._weights is not None
        for gap in self._gaps:
            first, last = max(start, gap.before + 1), min(stop, gap.after)
            if first < last:
                positions = positions if copied else positions.copy()
                copied = True
                ends = (self._mapped(self.recording.positions[at : at + 1])[0, gap.person] for at in gap[1:])
                poses = gap.between(*ends)[first - gap.before - 1 : last - gap.before - 1]
                positions[first - start : last - start, gap.person] = poses
        return positions

    def _mapped(self, positions: Float32Array) -> Float32Array:
        """Positions (N, P, J, 3) with the joints of the model's skeleton."""
        if self._weights is None:
            return positions
        mapped: Float32Array = np.einsum("ij,tpjc->tpic", self._weights, positions, optimize=True)
        return mapped


def motion_in_parts(
    recording: Recording, skeleton: Skeleton, fps: float, normalisation: Normalisation
) -> Motion | LongMotion:
    """The Motion of a recording for a model; of a long one a LongMotion. Raises InputError as `model_motion` does.

    The published preprocessings look at whole recordings, so of them it is a Motion however long it is.
    """
    if recording.num_frames < LONG or normalisation.preprocessing != "kinespan":
        return model_motion(recording, skeleton, fps, normalisation)
    return LongMotion(recording, skeleton, fps, normalisation, LONG)


def _weights(recording: Recording, skeleton: Skeleton) -> Float32Array | None:
    """What `map_recording` multiplies joints with; None where they stay what they are."""
    if recording.skeleton == skeleton:
        return None
    try:
        return joint_map(recording.skeleton, skeleton)
    except InputError as error:
        raise InputError(f"recording {recording.name!r}: {error}") from None
