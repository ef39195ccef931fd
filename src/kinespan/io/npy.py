"""NumPy arrays of points (.npy), without names, rate, unit or axis."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np

from ..arrays import AnyArray
from ..errors import InputError
from .archive import BROKEN
from .base import READERS, FileMotion
from .free_points import Points, flat_error, points_motion
from .options import ReadOptions

_BROKEN = (*BROKEN, OverflowError, TypeError)
_MAGIC = b"\x93NUMPY"
_MANY_PEOPLE = 6
"""More people than this and than frames are frames."""


@READERS.register("npy")
class NpyReader:
    """NumPy array (T, J, 3) or (T, P, J, 3), or with a confidence behind x, y and z: (T, J, 4) or (T, P, J, 4).

    NaN is not seen, nor is 0 0 0. Joints have numbers for names, but for the 33 of MediaPipe. Pickled objects are never
    loaded.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".npy",)
    about: ClassVar[str] = "NumPy array of points, frames x (people x) joints x 3"

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """It begins as an array does, and has three or four axes, the last of 2, 3 or 4."""
        if not head.startswith(_MAGIC):
            return False
        try:
            shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
        except _BROKEN:
            return False
        return len(shape) in (3, 4) and shape[-1] in (2, 3, 4)

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """The points of the array."""
        try:
            if path.read_bytes()[: len(_MAGIC)] != _MAGIC:
                raise ValueError("it is empty or does not begin as an array does")
            array = np.load(path, allow_pickle=False)
        except _BROKEN as error:
            raise InputError(f"{path}: not a whole .npy array without pickled objects: {error}") from None
        return points_motion(path, array_points(path, array), options)


def array_points(path: Path, array: AnyArray, joints: tuple[str, ...] | None = None) -> Points:
    """The points of an array (T, J, C) or (T, P, J, C). Raises InputError for another shape or kind, and for C = 2."""
    if array.dtype.kind not in "fiu":
        raise InputError(f"{path}: the array holds {array.dtype}, expected numbers")
    if array.ndim not in (3, 4) or array.shape[-1] not in (2, 3, 4):
        raise InputError(f"{path}: the array has shape {array.shape}, expected (T, J, 3) or (T, P, J, 3)")
    if array.shape[-1] == 2:
        raise flat_error(path, f"an array of shape {array.shape}")
    values = np.asarray(array, dtype=np.float64)
    values = values[:, None] if values.ndim == 3 else values
    frames, people = values.shape[:2]
    if people > max(frames, _MANY_PEOPLE):
        raise InputError(
            f"{path}: the array has shape {array.shape}, {frames} frames of {people} people; people and frames seem "
            "swapped, expected (T, P, J, 3): save array.swapaxes(0, 1)"
        )
    names = joints or tuple(str(joint) for joint in range(values.shape[2]))
    return Points(
        positions=values[..., :3],
        joints=names,
        confidence=values[..., 3] if values.shape[3] == 4 else None,
        people_by_order=True,
    )
