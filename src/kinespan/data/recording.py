"""A Recording: one take of 3-D skeleton motion, checked once at the edge and immutable after."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Any

import numpy as np

from ..arrays import AnyArray, BoolArray, Float32Array, Float64Array
from ..errors import InputError
from .skeleton import Skeleton


@dataclass(frozen=True, eq=False)
class Recording:
    """One take: positions (T, P, J, 3) float32 in metres, y up; fps; skeleton; valid (T, P, J); name; source.

    Frame i covers the seconds [i / fps, (i + 1) / fps), or starts at ``times[i]`` where frames are uneven. Arrays are
    made read-only; the caller's stay writable.

    Raises InputError for wrong shapes, an fps that is not positive and finite, a value of a valid joint that is not
    finite, times that do not rise from 0, and a take in which nothing was seen.
    """

    positions: Float32Array
    """(T, P, J, 3) in metres, y up; zero where `valid` is False."""
    fps: float
    """Frames a second; of uneven frames the nominal rate."""
    skeleton: Skeleton
    """What the J joints are."""
    name: str
    """The name that splits, annotations and predictions know the take by."""
    valid: BoolArray = None  # type: ignore[assignment]
    """(T, P, J): False where a joint of person p was not seen in frame t. Given as (T, P) it holds for whole people;
    None: every joint was seen whose position is not NaN."""
    source: str = ""
    """Where the motion comes from, such as a file name."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Facts about the take: performer, script, ..."""
    history: tuple[str, ...] = ()
    """What was done to the motion since it was read, in plain words."""
    times: Float64Array | None = None
    """(T,) seconds at which the frames start, from 0, where they are uneven; None: frame i starts at i / fps."""

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
        valid = self._checked_valid(positions)
        if not valid.any():
            raise InputError(f"recording {self.name!r}: no frame with a person in it")
        if not all(np.isfinite(chunk[mask]).all() for chunk, mask in _chunks(positions, valid)):
            frame = int(np.argmax((~np.isfinite(positions).all(axis=3) & valid).any(axis=(1, 2))))
            raise InputError(f"recording {self.name!r}: frame {frame} holds a value that is not finite")
        if not valid.all() and any((chunk[~mask] != 0).any() for chunk, mask in _chunks(positions, valid)):
            positions = np.where(valid[..., None], positions, np.float32(0))
        object.__setattr__(self, "positions", _frozen(positions))
        object.__setattr__(self, "valid", _frozen(valid))
        object.__setattr__(self, "times", self._checked_times(len(positions)))
        object.__setattr__(self, "attributes", MappingProxyType(dict(self.attributes)))

    def _checked_valid(self, positions: Float32Array) -> BoolArray:
        """The mask (T, P, J) of what was given."""
        shape = positions.shape[:3]
        given: BoolArray | None = self.valid
        if given is None:
            seen: BoolArray = ~np.any(np.isnan(positions), axis=3)
            return seen
        valid = np.asarray(given, dtype=bool)
        if valid.shape == shape[:2]:
            return np.broadcast_to(valid[..., None], shape)
        if valid.shape != shape:
            raise InputError(
                f"recording {self.name!r}: valid has shape {valid.shape}, expected {shape}, or {shape[:2]} for people"
            )
        return valid

    def _checked_times(self, num_frames: int) -> Float64Array | None:
        """The frozen times; None where there are none."""
        if self.times is None:
            return None
        times = np.asarray(self.times, dtype=np.float64)
        if times.shape != (num_frames,):
            raise InputError(f"recording {self.name!r}: times have shape {times.shape}, expected ({num_frames},)")
        is_rising = np.isfinite(times).all() and (np.diff(times) > 0).all()
        if not is_rising or times[0] != 0:
            raise InputError(f"recording {self.name!r}: times must rise from 0 with every frame")
        return _frozen(times)

    @cached_property
    def present(self) -> BoolArray:
        """(T, P): whether any joint of person p was seen in frame t."""
        present: BoolArray = np.any(self.valid, axis=2)
        return _frozen(present)

    @property
    def num_frames(self) -> int:
        """Number of frames T."""
        return int(self.positions.shape[0])

    @property
    def num_people(self) -> int:
        """Number of person slots P."""
        return int(self.positions.shape[1])

    @property
    def people(self) -> tuple[int, ...]:
        """The slots of the people who are seen at all."""
        return tuple(np.flatnonzero(self.present.any(axis=0)).tolist())

    @property
    def duration(self) -> float:
        """Length in seconds: T / fps, or, of uneven frames, to a frame's length after the last begins."""
        return self.num_frames / self.fps if self.times is None else float(self.times[-1]) + 1 / self.fps

    def with_changes(self, note: str, **changes: Any) -> Recording:
        """A copy with the fields `changes` and `note` added to its history. Raises InputError as the class does."""
        return replace(self, history=(*self.history, note), **changes)

    def checksum(self) -> str:
        """SHA-256 (hex) of fps, positions and valid; names and attributes do not count."""
        return motion_checksum(self.fps, self.positions, self.valid)

    def __getstate__(self) -> dict[str, Any]:
        """Fields for pickling between processes; a mapping proxy cannot be pickled."""
        return {**self.__dict__, "attributes": dict(self.attributes)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in {**state, "attributes": MappingProxyType(state["attributes"])}.items():
            object.__setattr__(self, name, _frozen(value) if isinstance(value, np.ndarray) else value)


def motion_checksum(fps: float, positions: Float32Array, valid: BoolArray) -> str:
    """SHA-256 (hex) of fps, positions (T, P, J, 3) and valid (T, P, J), of which nothing is checked."""
    digest = hashlib.sha256(np.float64(fps).tobytes())
    digest.update(np.ascontiguousarray(positions).data)
    digest.update(np.ascontiguousarray(valid).data)
    return digest.hexdigest()


def _chunks(positions: Float32Array, valid: BoolArray, frames: int = 2**14) -> Iterator[tuple[Float32Array, BoolArray]]:
    """Positions (T, P, J, 3) and valid (T, P, J) in chunks of `frames`, so that no check copies all of them."""
    starts = range(0, len(positions), frames)
    return ((positions[start : start + frames], valid[start : start + frames]) for start in starts)


def _frozen(array: AnyArray) -> AnyArray:
    """A read-only view of the array."""
    view = array.view()
    view.flags.writeable = False
    return view
