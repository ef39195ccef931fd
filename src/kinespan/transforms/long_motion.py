"""The normalised motion of a long recording, window by window, so that memory does not grow with its length."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..arrays import BoolArray, Float32Array
from ..config import Normalisation
from ..data.joint_map import map_positions, map_valid, recording_map
from ..data.recording import Recording
from ..data.skeleton import Skeleton
from .normalise import (
    Motion,
    ReferenceFrame,
    Resampling,
    body_sizes,
    estimate_roots,
    even_rate,
    first_valid,
    leave_out_absent,
    lost_roots,
    median_length,
    model_motion,
    num_resampled,
    short_gaps,
    start_frames,
)
from .ntu_preprocessing import zero_invalid

LONG_FRAMES = 2**15
"""Recordings of at least this many frames are normalised window by window: 18 minutes at 30 frames a second."""


class LongMotion:
    """The Motion of a recording whose positions are made on demand by `window`.

    Equal to `model_motion` to the bit, apart from mapped joints, which are equal up to rounding. valid (T, P, J), fps,
    name and num_frames are those of the Motion. A recording whose frames lie in a file is read twice: for the size of
    its body, and window by window.
    """

    def __init__(
        self, recording: Recording, skeleton: Skeleton, fps: float, normalisation: Normalisation, chunk_frames: int
    ) -> None:
        """Measure the body, `chunk_frames` frames at a time. Raises InputError where the skeletons do not map."""
        self.recording = recording = even_rate(recording)
        self.skeleton, self.fps, self.name = skeleton, fps, recording.name
        self._weights = recording_map(recording, skeleton)
        mapped = recording.valid if self._weights is None else map_valid(recording.valid, self._weights)
        self._gaps = short_gaps(mapped, round(normalisation.fill_gap * recording.fps))
        self._filled_mask = mapped
        if self._gaps:
            self._filled_mask = self._filled_mask.copy()
            for gap in self._gaps:
                self._filled_mask[gap.before + 1 : gap.after, gap.person, gap.joints] = True
        self.num_frames = recording.num_frames
        if recording.fps != fps:
            self.num_frames = num_resampled(recording.num_frames, recording.fps, fps)
        chunks = [
            (start, min(start + chunk_frames, self.num_frames)) for start in range(0, self.num_frames, chunk_frames)
        ]
        self.valid = np.concatenate([leave_out_absent(self._with_roots(*bounds), skeleton) for bounds in chunks])
        self._reference, self._size = None, 1.0
        if self.valid.any():
            frame, person = first_valid(self.valid)
            stop = min(self.num_frames, frame + start_frames(normalisation, fps))
            poses, seen = self._resampled(frame, stop)[:, person], self.valid[frame:stop, person]
            self._reference = ReferenceFrame.of(poses, seen, skeleton, normalisation)
            if normalisation.size == "torso":
                self._size = median_length(np.concatenate(list(self._body_sizes(chunks))))

    def window(self, start: int, stop: int) -> tuple[Float32Array, BoolArray]:
        """Positions (N, P, J, 3) and valid (N, P, J) of the frames [start, stop)."""
        valid = self.valid[start:stop]
        positions = self._resampled(start, start + len(valid))
        if self._reference is None:
            return positions, valid
        return zero_invalid(self._reference.apply(positions) / self._size, valid), valid

    def _body_sizes(self, chunks: list[tuple[int, int]]) -> Iterator[Float32Array]:
        """The sizes of all bodies, chunk by chunk."""
        assert self._reference is not None
        for start, stop in chunks:
            moved = self._reference.apply(self._resampled(start, stop))
            yield body_sizes(moved, self.valid[start:stop], self.skeleton)

    def _resampling(self, start: int, stop: int) -> Resampling:
        return Resampling.of(start, stop, self.recording.num_frames, self.recording.fps, self.fps)

    def _valid_in(self, start: int, stop: int) -> BoolArray:
        """The mask (N, P, J), before absent people are left out, of the frames [start, stop) at the model's rate."""
        if self.recording.fps == self.fps:
            return self._filled_mask[start:stop]
        return self._resampling(start, stop).valid(self._filled_mask)

    def _with_roots(self, start: int, stop: int) -> BoolArray:
        """As `_valid_in`, the estimated roots valid too."""
        valid = self._valid_in(start, stop)
        lost = lost_roots(valid, self.skeleton)
        if lost.any():
            valid = valid.copy()
            valid[..., self.skeleton.root[0]] |= lost
        return valid

    def _resampled(self, start: int, stop: int) -> Float32Array:
        """Positions (N, P, J, 3) of the frames [start, stop) at the model's rate, roots estimated, not normalised."""
        if self.recording.fps == self.fps:
            positions = self._filled(start, stop)
        else:
            resampling = self._resampling(start, stop)
            first, last = int(resampling.low[0]), int(resampling.high[-1]) + 1
            positions = resampling.apply(self._filled(first, last), self._filled_mask[first:last], first)[0]
        return estimate_roots(positions, self._valid_in(start, stop), self.skeleton)[0]

    def _filled(self, start: int, stop: int) -> Float32Array:
        """Positions (N, P, J, 3) of recorded frames [start, stop), short gaps filled."""
        positions = self._mapped(self.recording.positions[start:stop])
        copied = self._weights is not None
        for gap in self._gaps:
            first, last = max(start, gap.before + 1), min(stop, gap.after)
            if first < last:
                positions = positions if copied else positions.copy()
                copied = True
                ends = (
                    self._mapped(self.recording.positions[frame : frame + 1])[0, gap.person, gap.joints]
                    for frame in (gap.before, gap.after)
                )
                poses = gap.interpolate(*ends)[first - gap.before - 1 : last - gap.before - 1]
                positions[first - start : last - start, gap.person, gap.joints] = poses
        return positions

    def _mapped(self, positions: Float32Array) -> Float32Array:
        """Positions (N, P, J, 3) on the model's skeleton."""
        return positions if self._weights is None else map_positions(positions, self._weights)


def motion_in_parts(
    recording: Recording, skeleton: Skeleton, fps: float, normalisation: Normalisation
) -> Motion | LongMotion:
    """The Motion of a recording for a model; a LongMotion of a long one. Raises InputError as `model_motion` does.

    The published preprocessings need whole recordings, so with them it is always a Motion.
    """
    if recording.num_frames < LONG_FRAMES or normalisation.preprocessing != "kinespan":
        return model_motion(recording, skeleton, fps, normalisation)
    return LongMotion(recording, skeleton, fps, normalisation, LONG_FRAMES)
