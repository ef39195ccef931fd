"""SLEAP: the analysis HDF5 of the GUI, and the triangulated points of sleap-anipose."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..errors import InputError, import_extra
from .base import READERS, FileMotion
from .free_points import Points, flat_error, points_motion
from .hdf5 import EXTRA, MAGIC, array_of, contents, open_hdf5, texts
from .npy import array_points
from .options import ReadOptions


@READERS.register("sleap")
class SleapReader:
    """HDF5 with ``tracks``: (T, P, J, 3) of sleap-anipose, without names; or (P, 3, J, T) beside ``node_names``.

    ``track_names`` name the animals, ``point_scores`` (P, J, T) are confidence. NaN is not seen. Two coordinates are
    refused: they are of the picture.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".h5", ".hdf5")
    about: ClassVar[str] = "SLEAP points in 3-D, of sleap-anipose or SLEAP (pip install 'kinespan[h5]')"

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """An HDF5 file with tracks; without h5py any HDF5 file, so that the message names the package."""
        return "tracks" in contents(path, head) or (head.startswith(MAGIC) and not _has_h5py())

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """The points of the tracks."""
        with open_hdf5(path) as file:
            if "tracks" not in file:
                raise InputError(f"{path}: no data set 'tracks', found {', '.join(sorted(file)) or 'nothing'}")
            tracks = array_of(file["tracks"])
            names = texts(array_of(file["node_names"])) if "node_names" in file else None
            animals = texts(array_of(file["track_names"])) if "track_names" in file else []
            scores: Any = array_of(file["point_scores"]) if "point_scores" in file else None
        points = _points(path, tracks, names, scores)
        if len(animals) == points.positions.shape[1] > 1:
            points = replace(points, attributes={"people": ", ".join(animals)})
        return points_motion(path, points, options)


def _points(path: Path, tracks: Any, names: list[str] | None, scores: Any) -> Points:
    """The points of tracks of either order."""
    if tracks.ndim == 4 and tracks.shape[1] in (2, 3) and names is not None and tracks.shape[2] == len(names):
        if tracks.shape[1] == 2:
            raise flat_error(path, "SLEAP's tracks of a picture, x and y alone")
        tracks = tracks.transpose(3, 0, 2, 1)
        scores = scores.transpose(2, 0, 1) if scores is not None and scores.ndim == 3 else None
    else:
        scores = None
    if names is not None and (tracks.ndim != 4 or tracks.shape[2] != len(names)):
        raise InputError(f"{path}: {len(names)} node_names do not fit tracks of shape {tracks.shape}")
    points = array_points(path, tracks, None if names is None else tuple(names))
    if scores is not None and scores.shape == points.positions.shape[:3]:
        points = replace(points, confidence=np.asarray(scores, dtype=np.float64))
    return points


def _has_h5py() -> bool:
    try:
        import_extra("h5py", EXTRA, "reading HDF5")
    except InputError:
        return False
    return True
