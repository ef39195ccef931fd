"""The check of recorded frames at the edge of a stream."""

from __future__ import annotations

import numpy as np

from ..arrays import BoolArray, Float32Array
from ..data.skeleton import Skeleton
from ..errors import InputError
from .intake import Frames


class FrameCheck:
    """Frames as they are pushed in, frames of one form out: in all person slots, zero where not valid."""

    def __init__(self, skeleton: Skeleton) -> None:
        self.skeleton = skeleton
        self.num_frames = 0
        """Frames that came so far."""
        self.num_slots = 0
        """Person slots P, as many as the first frames had; 0: none came."""

    def __call__(self, positions: Float32Array, valid: BoolArray | None) -> Frames:
        """Copies (n, P, J, 3) and (n, P, J) of frames as `StreamLocalizer.push` takes them.

        Raises InputError for other shapes, and values that are not finite where valid.
        """
        frames = np.array(positions, dtype=np.float32)  # frames are kept for a while, the caller's array may change
        frames = frames[None] if frames.ndim == 3 else frames
        joints, name = self.skeleton.num_joints, self.skeleton.name
        if frames.ndim != 4 or frames.shape[2:] != (joints, 3) or not frames.shape[1]:
            shape = np.shape(positions)
            raise InputError(f"frames: found shape {shape}, expected (P, {joints}, 3) for {name!r} or n of them")
        seen = _checked_valid(valid, frames.shape[:3], is_single=np.ndim(positions) == 3)
        frames[~seen] = 0
        if not np.isfinite(frames).all():
            number = self.num_frames + int(np.argmax(~np.isfinite(frames).all(axis=(1, 2, 3))))
            raise InputError(f"frame {number} holds a value that is not finite; mark what was not seen as not valid")
        self.num_slots = self.num_slots or frames.shape[1]
        missing = self.num_slots - frames.shape[1]
        if missing < 0:
            raise InputError(
                f"frames: found {frames.shape[1]} person slots, the first had {self.num_slots}; "
                "begin with as many as there will be"
            )
        self.num_frames += len(frames)
        return np.pad(frames, ((0, 0), (0, missing), (0, 0), (0, 0))), np.pad(seen, ((0, 0), (0, missing), (0, 0)))

    def absent(self, count: int) -> Frames:
        """So many frames without anybody."""
        shape = (count, self.num_slots or 1, self.skeleton.num_joints)
        return np.zeros((*shape, 3), dtype=np.float32), np.zeros(shape, dtype=bool)


def _checked_valid(valid: BoolArray | None, shape: tuple[int, int, int], is_single: bool) -> BoolArray:
    """The mask (n, P, J) of frames of this shape, or of a single frame. Raises InputError for another shape."""
    if valid is None:
        return np.ones(shape, dtype=bool)
    mask = np.array(valid, dtype=bool)
    mask = mask[None] if is_single else mask
    mask = np.repeat(mask[..., None], shape[2], axis=2) if mask.shape == shape[:2] else mask
    if mask.shape != shape:
        raise InputError(f"valid: found shape {np.shape(valid)}, expected {shape} or {shape[:2]} for these frames")
    return mask
