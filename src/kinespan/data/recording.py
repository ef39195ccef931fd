"""A Recording: one take of 3-D skeleton motion, checked once at the edge and immutable after."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..arrays import AnyArray, BoolArray, Float32Array, Float64Array
from ..errors import InputError
from .display import counted, facts_html, shortened
from .seconds import seconds_of
from .skeleton import Skeleton
from .skeletons import SKELETONS

if TYPE_CHECKING:  # these are extras, and each takes a second to import
    import pandas
    import xarray
    from matplotlib.axes import Axes

    from .annotation import Annotation

_MANY_PEOPLE = 6
"""More people than this, and more than frames, are frames in the place of people."""


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Recording:
    """One take: positions (T, P, J, 3) float32 in metres, y up; fps; skeleton; valid (T, P, J); name; source.

    Frame i covers the seconds [i / fps, (i + 1) / fps), or starts at ``times[i]`` where frames are uneven. Arrays are
    made read-only; the caller's stay writable.

    A skeleton may be given by its name in `kinespan list skeletons`, and positions of one person as (T, J, 3):
    ``Recording(array, fps=30, skeleton="ntu25")``. Without `valid`, joints were seen whose positions are not NaN; given
    as (T, P) it holds for whole people.

    A slice is in seconds, and gives the motion in between with a clock of its own: ``recording[2.0:5.5]``.

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
    valid: BoolArray
    """(T, P, J): False where a joint of person p was not seen in frame t."""
    source: str
    """Where the motion comes from, such as a file name."""
    attributes: Mapping[str, str]
    """Facts about the take: performer, script, ..."""
    history: tuple[str, ...]
    """What was done to the motion since it was read, in plain words."""
    times: Float64Array | None
    """(T,) seconds at which the frames start, from 0, where they are uneven; None: frame i starts at i / fps."""

    def __init__(
        self,
        positions: ArrayLike,
        fps: float,
        skeleton: Skeleton | str,
        name: str = "recording",
        valid: ArrayLike | None = None,
        source: str = "",
        attributes: Mapping[str, str] | None = None,
        history: Sequence[str] = (),
        times: ArrayLike | None = None,
    ) -> None:
        """Check and freeze the arrays. Raises InputError, naming the recording.

        Positions are (T, P, J, 3), or (T, J, 3) of one person; valid is (T, P, J), (T, P) of whole people, or (T, J) of
        one person. All else is as the fields have it.
        """
        set_field = partial(object.__setattr__, self)
        set_field("name", name)
        set_field("skeleton", SKELETONS[skeleton] if isinstance(skeleton, str) else skeleton)
        checked = self._checked_positions(positions)
        if not (math.isfinite(fps) and fps > 0):
            raise InputError(f"recording {name!r}: fps is {fps}, expected a positive number")
        if valid is None and checked.shape[1] > max(len(checked), _MANY_PEOPLE):
            raise InputError(
                f"recording {name!r}: {len(checked)} frames of {checked.shape[1]} people; people and frames "
                "seem swapped, expected (T, P, J, 3): give positions.swapaxes(0, 1), or say by valid who was seen"
            )
        seen = self._checked_valid(checked, valid)
        if not seen.any():
            raise InputError(f"recording {name!r}: no frame with a person in it")
        if not all(np.isfinite(chunk[mask]).all() for chunk, mask in _chunks(checked, seen)):
            frame = int(np.argmax((~np.isfinite(checked).all(axis=3) & seen).any(axis=(1, 2))))
            raise InputError(f"recording {name!r}: frame {frame} holds a value that is not finite")
        if not seen.all() and any((chunk[~mask] != 0).any() for chunk, mask in _chunks(checked, seen)):
            checked = np.where(seen[..., None], checked, np.float32(0))
        set_field("positions", _frozen(checked))
        set_field("fps", fps)
        set_field("valid", _frozen(seen))
        set_field("source", source)
        set_field("attributes", MappingProxyType(dict(attributes or {})))
        set_field("history", tuple(history))
        set_field("times", self._checked_times(times, len(checked)))

    def _checked_positions(self, given: ArrayLike) -> Float32Array:
        """The positions (T, P, J, 3), of one person where (T, J, 3) was given."""
        positions = np.asarray(given, dtype=np.float32)
        joints = self.skeleton.num_joints
        if positions.shape[-2:] == (joints, 3) and positions.ndim == 3:
            positions = positions[:, None]
        if positions.ndim != 4 or positions.shape[2:] != (joints, 3):
            expected = f"(T, P, {joints}, 3), or (T, {joints}, 3) of one person, for skeleton {self.skeleton.name!r}"
            raise InputError(
                f"recording {self.name!r}: positions have shape {positions.shape}, expected {expected}"
                f"{_shape_hint(positions.shape, joints)}"
            )
        if 0 in positions.shape[:2]:
            raise InputError(f"recording {self.name!r}: no frames or no people, shape {positions.shape}")
        return positions

    def _checked_valid(self, positions: Float32Array, given: ArrayLike | None) -> BoolArray:
        """The mask (T, P, J) of what was given."""
        shape = positions.shape[:3]
        if given is None:
            seen: BoolArray = ~np.any(np.isnan(positions), axis=3)
            return seen
        valid = np.asarray(given, dtype=bool)
        if valid.shape == shape[:2]:
            return np.broadcast_to(valid[..., None], shape)
        if valid.shape == (shape[0], shape[2]) and shape[1] == 1:
            return valid[:, None]
        if valid.shape != shape:
            raise InputError(
                f"recording {self.name!r}: valid has shape {valid.shape}, expected {shape}, or {shape[:2]} for people"
            )
        return valid

    def _checked_times(self, given: ArrayLike | None, num_frames: int) -> Float64Array | None:
        """The frozen times; None where there are none."""
        if given is None:
            return None
        times = np.asarray(given, dtype=np.float64)
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

    @property
    def start_times(self) -> Float64Array:
        """(T,) seconds at which the frames start, of an even rate too."""
        return np.arange(self.num_frames) / self.fps if self.times is None else self.times

    def __getitem__(self, seconds: slice) -> Recording:
        """The motion from a start to an end in seconds, as in ``recording[2.0:5.5]``, with its own clock from 0.

        The frames are those whose middles lie in [start, end), so that the cut is at most half a frame off. Times and
        valid go with them. Raises InputError for anything but a slice, a step, a start or end that is negative, and a
        slice without a frame.
        """
        start, end = seconds_of(seconds, f"recording {self.name!r}")
        ends = np.append(self.start_times[1:], self.duration)
        middles = np.round((self.start_times + ends) / 2, 9)
        first, stop = np.searchsorted(middles, np.round([start, end], 9)).tolist()
        if first >= stop:
            raise InputError(
                f"recording {self.name!r}: no frame from {start:g} to {end:g} s; it lasts {self.duration:.2f} s"
            )
        frames = slice(first, stop)
        times = None if self.times is None else self.times[frames] - self.times[first]
        note = f"cut to the time from {start:g} to {min(end, self.duration):g} s"
        return self.with_changes(note, positions=self.positions[frames], valid=self.valid[frames], times=times)

    __iter__ = None  # Python would else take slicing for iterating

    def __repr__(self) -> str:
        return f"Recording({self.name!r}, {', '.join(self._facts())}, {self.skeleton!r})"

    def _repr_html_(self) -> str:
        """A small table, for notebooks."""
        seen = float(np.mean(self.valid))
        facts = [
            ("length", ", ".join(self._facts())),
            ("skeleton", f"{self.skeleton.name}, {counted(self.skeleton.num_joints, 'joint')}"),
            ("seen", "every joint in every frame" if seen == 1 else f"{100 * seen:.1f} % of the joints"),
            ("source", shortened(self.source)),
            *self.attributes.items(),
            ("history", self.history),
        ]
        return facts_html(f"Recording {self.name}", facts)

    def _facts(self) -> tuple[str, ...]:
        """Length, frames, rate and people, in words."""
        rate = "uneven in time, about " if self.times is not None else "at "
        frames = f"{counted(self.num_frames, 'frame')} {rate}{self.fps:g} fps"
        return f"{self.duration:.2f} s", frames, counted(self.num_people, "person", "people")

    def to_dataframe(self) -> pandas.DataFrame:
        """A pandas table with a row for each frame, person and joint: frame, time, person, joint, x, y, z.

        Seconds and metres; x, y and z are NaN where the joint was not seen. Raises InputError without pandas.
        """
        from .tables import recording_to_dataframe

        return recording_to_dataframe(self)

    def to_xarray(self) -> xarray.Dataset:
        """An xarray Dataset, laid out as those of the package *movement*.

        ``position`` (time, space, keypoints, individuals) in metres, NaN where a joint was not seen; ``confidence``
        (time, keypoints, individuals), 1 where it was seen, else 0; ``fps`` and ``source_software`` among the
        attributes. Raises InputError without xarray.
        """
        from .tables import recording_to_xarray

        return recording_to_xarray(self)

    def plot(self, annotation: Annotation | None = None, poses: int = 8) -> tuple[Axes, ...]:
        """Draw poses along the time, and under them how fast the body moves; returns the axes, the curve's last.

        annotation: coloured behind the curve. poses: how many poses. Raises InputError without matplotlib.
        """
        from .plots import plot_recording

        return plot_recording(self, annotation, poses)

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


def _shape_hint(shape: tuple[int, ...], joints: int) -> str:
    """What else an array of positions of a wrong shape may be."""
    if len(shape) in (3, 4) and shape[-1] == 3:
        names = [name for name in SKELETONS if SKELETONS[name].num_joints == shape[-2]]
        return f"; {shape[-2]} joints are those of {' and '.join(names)}" if names else ""
    if shape.count(3) == shape.count(joints) == 1 and len(shape) in (3, 4):
        others = sorted((axis for axis, size in enumerate(shape) if size not in (3, joints)), key=lambda a: -shape[a])
        order = (*others, shape.index(joints), shape.index(3))
        return f"; move its axes by np.transpose(positions, {order})"
    return ""


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
