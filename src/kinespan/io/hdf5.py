"""HDF5 files, by h5py, an extra: opening them, and their text."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError, import_extra

EXTRA = "h5"
MAGIC = b"\x89HDF\r\n\x1a\n"
_HEAP = b"GCOL\x01\x00\x00\x00"
_MAX_COMPRESSION = 200
"""Times as many bytes as the file has that compressed data may hold."""
BROKEN = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    RuntimeError,
    AttributeError,
    MemoryError,
    OverflowError,
    IndexError,
)
"""What h5py raises for a file that is cut off or damaged."""


@contextmanager
def open_hdf5(path: Path) -> Iterator[Any]:
    """The file, open for reading. Raises InputError without h5py, and for a file that is cut off or damaged."""
    h5py = import_extra("h5py", EXTRA, f"{path}: reading HDF5")
    try:
        _check_heaps(path)
        with h5py.File(path, "r") as file:
            yield file
    except BROKEN as error:
        raise InputError(f"{path}: not a whole HDF5 file of points: {' '.join(str(error).split())[:160]}") from None


def contents(path: Path, head: bytes) -> set[str]:
    """The names in the root of a file that begins with `head`; empty where it is no HDF5 file, or h5py is missing."""
    if not head.startswith(MAGIC):
        return set()
    try:
        with open_hdf5(path) as file:
            return set(file.keys())
    except InputError:
        return set()


def _check_heaps(path: Path) -> None:
    """Check the collections in which HDF5 keeps texts; of a damaged one its library may read the same object for ever.

    A collection: "GCOL", version 1, three zeros, its size (8 bytes, little-endian), then objects: index, references
    (2 bytes each), four zeros, size (8 bytes), data in whole eights; index 0 is what is free. Raises ValueError.
    """
    size = path.stat().st_size
    if not size:
        return
    with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = data.find(_HEAP)
        while start >= 0 and start + 16 <= size:
            end = start + int.from_bytes(data[start + 8 : start + 16], "little")
            at = start + 16
            while at + 16 <= min(end, size):
                index, length = (
                    int.from_bytes(data[at : at + 2], "little"),
                    int.from_bytes(data[at + 8 : at + 16], "little"),
                )
                step = length if index == 0 else 16 + -(-length // 8) * 8
                if step < 16 or at + step > end:
                    raise ValueError("the texts in it are damaged")
                at += step
            start = data.find(_HEAP, start + 4)


def array_of(data: Any) -> Any:
    """The array of a data set. Raises ValueError for one that the file cannot hold, as where its shape is damaged."""
    size = data.file.id.get_filesize()
    most = size if data.chunks is None else _MAX_COMPRESSION * size
    if data.nbytes > most:
        raise ValueError(f"data set {data.name} has shape {data.shape}, more than the file holds")
    return np.asarray(data[()])


def texts(values: Any) -> list[str]:
    """Text of a data set or attribute, bytes or not."""
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values]
