"""A Recording: one take of 3-D skeleton motion, checked once at the edge and immutable after."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from ..arrays import AnyArray, BoolArray, Float32Array
from ..errors import InputError
from .skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class Recording:
    """One take: positions (T, P, J, 3) float32 in metres, y up; fps; skeleton; valid mask (T, P); name; source.

    Frame i covers the seconds [i / fps, (i + 1) / fps). Arrays are made read-only; the caller's stay writable.

    Raises InputError for wrong shapes, an fps that is not positive and finite, a value of a valid frame that is not
    finite, and a take without any valid frame.
    """

    positions: Float32Array
    """(T, P, J, 3) in metres, y up; zero where `valid` is False."""
    fps: float
    """Frames a second."""
    skeleton: Skeleton
    """What the J joints are."""
    name: str
    """The name that splits, annotations and predictions know the take by."""
    valid: BoolArray | None = None
    """(T, P): False where person p is absent or was not tracked in frame t. None: always True."""
    source: str = ""
    """Where the motion comes from, such as a file name."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Facts about the take: performer, script, ..."""
    history: tuple[str, ...] = ()
    """What was done to the motion since it was read, in plain words."""

    def __post_init__(self) -> None:
        """Check and freeze the arrays. Raises InputError, naming the recording."""
        positions = np.asarray(self.positions, dtype=np.float32)
        expected = f"(T, P, {self.skeleton.num_joints}, 3) for skeleton {self.skeleton.name!r}"
        if positions.ndim != 4 or positions.shape[2:] != (self.skeleton.num_joints, 3):
            raise InputError(f"recording {self.name!r}: positions have shape {positions.shape}, expected {expected}")
        if 0 in positions.shape[:2]:
            raise InputError(f"recording {self.name!r}: no frames or no people, shape {positions.shape}")
        if not (math.isfinite(self.fps) and self.fps > 0):
            raise InputError(f"recording {self.name!r}: fps is {self.fps}, expected a positive number")
        valid = np.ones(positions.shape[:2], dtype=bool) if self.valid is None else np.asarray(self.valid, dtype=bool)
        if valid.shape != positions.shape[:2]:
            raise InputError(f"recording {self.name!r}: valid has shape {valid.shape}, expected {positions.shape[:2]}")
        if not valid.any():
            raise InputError(f"recording {self.name!r}: no frame with a person in it")
        if not all(np.isfinite(chunk[mask]).all() for chunk, mask in _chunks(positions, valid)):
            frame = int(np.argmax((~np.isfinite(positions).all(axis=(2, 3)) & valid).any(axis=1)))
            raise InputError(f"recording {self.name!r}: frame {frame} holds a value that is not finite")
        if not valid.all() and any(chunk[~mask].any() for chunk, mask in _chunks(positions, valid)):
            positions = np.where(valid[:, :, None, None], positions, np.float32(0))
        object.__setattr__(self, "positions", _frozen(positions))
        object.__setattr__(self, "valid", _frozen(valid))
        object.__setattr__(self, "attributes", MappingProxyType(dict(self.attributes)))

    @property
    def mask(self) -> BoolArray:
        """The valid mask (T, P), never None."""
        assert self.valid is not None
        return self.valid

    @property
    def num_frames(self) -> int:
        """Number of frames T."""
        return int(self.positions.shape[0])

    @property
    def num_people(self) -> int:
        """Number of person slots P."""
        return int(self.positions.shape[1])

    @property
    def duration(self) -> float:
        """Length in seconds, T / fps."""
        return self.num_frames / self.fps

    def with_changes(self, note: str, **changes: Any) -> Recording:
        """A copy with the fields `changes` and `note` added to its history. Raises InputError as the class does."""
        return replace(self, history=(*self.history, note), **changes)

    def checksum(self) -> str:
        """SHA-256 (hex) of fps, positions and mask; names and attributes do not count."""
        return motion_checksum(self.fps, self.positions, self.mask)

    def __getstate__(self) -> dict[str, Any]:
        """Fields for pickling between processes; a mapping proxy cannot be pickled."""
        return {**self.__dict__, "attributes": dict(self.attributes)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in {**state, "attributes": MappingProxyType(state["attributes"])}.items():
            object.__setattr__(self, name, _frozen(value) if isinstance(value, np.ndarray) else value)


def motion_checksum(fps: float, positions: Float32Array, valid: BoolArray) -> str:
    """SHA-256 (hex) of fps, positions (T, P, J, 3) and mask (T, P), neither copied nor checked."""
    digest = hashlib.sha256(np.float64(fps).tobytes())
    digest.update(np.ascontiguousarray(positions).data)
    digest.update(np.ascontiguousarray(valid).data)
    return digest.hexdigest()


def _chunks(positions: Float32Array, valid: BoolArray, frames: int = 2**14) -> Iterator[tuple[Float32Array, BoolArray]]:
    """Positions (T, P, J, 3) and mask (T, P) in chunks of `frames`, so that no check copies all of them."""
    starts = range(0, len(positions), frames)
    return ((positions[start : start + frames], valid[start : start + frames]) for start in starts)


def _frozen(array: AnyArray) -> AnyArray:
    """A read-only view of the array."""
    view = array.view()
    view.flags.writeable = False
    return view
