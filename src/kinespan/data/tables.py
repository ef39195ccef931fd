"""Recordings and annotations as the tables and data sets of pandas and xarray, both extras."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .._version import __version__
from ..errors import import_extra
from .display import SPAN_COLUMNS

if TYPE_CHECKING:
    import pandas
    import xarray

    from .annotation import Annotation
    from .recording import Recording

EXTRA = "notebook"
"""The extra of pyproject.toml that installs pandas, xarray and matplotlib."""


def recording_to_dataframe(recording: Recording) -> pandas.DataFrame:
    """See `Recording.to_dataframe`."""
    pd = import_extra("pandas", EXTRA, "to_dataframe")
    frames, people, joints = recording.valid.shape
    shape = (frames, people, joints)
    frame, person, joint = (axis.ravel() for axis in np.indices(shape, dtype=np.int32))
    positions = np.where(recording.valid[..., None], recording.positions, np.float32(np.nan)).reshape(-1, 3)
    columns: dict[str, Any] = {
        "frame": frame,
        "time": recording.start_times[frame],
        "person": person,
        "joint": pd.Categorical.from_codes(joint, list(recording.skeleton.joints)),
        **dict(zip("xyz", positions.T, strict=True)),
    }
    return pd.DataFrame(columns)


def recording_to_xarray(recording: Recording) -> xarray.Dataset:
    """See `Recording.to_xarray`."""
    xr = import_extra("xarray", EXTRA, "to_xarray")
    positions = np.where(recording.valid[..., None], recording.positions, np.float32(np.nan))  # (T, P, J, 3)
    dims = ("time", "space", "keypoints", "individuals")
    attributes = {
        "ds_type": "poses",
        "source_software": f"kinespan {__version__}",
        "source_file": recording.source,
        "fps": recording.fps,
        "time_unit": "seconds",
        "space_unit": "metres",
        "up_axis": "y",
    }
    dataset: xarray.Dataset = xr.Dataset(
        data_vars={
            "position": (dims, positions.transpose(0, 3, 2, 1)),
            "confidence": (("time", *dims[2:]), recording.valid.transpose(0, 2, 1).astype(np.float32)),
        },
        coords={
            "time": recording.start_times,
            "space": ["x", "y", "z"],
            "keypoints": list(recording.skeleton.joints),
            "individuals": [f"person_{person}" for person in range(recording.num_people)],
        },
        attrs=attributes,
    )
    return dataset


def annotation_to_dataframe(annotation: Annotation) -> pandas.DataFrame:
    """See `Annotation.to_dataframe`."""
    return _table(annotation.rows(), SPAN_COLUMNS)


def annotations_to_dataframe(annotations: Mapping[str, Annotation]) -> pandas.DataFrame:
    """A table with a row for each span and event of annotations by recording: recording, label, start, end, ..."""
    rows = [(name, *row) for name, annotation in annotations.items() for row in annotation.rows()]
    return _table(rows, ("recording", *SPAN_COLUMNS))


def _table(rows: Sequence[tuple[Any, ...]], columns: tuple[str, ...]) -> pandas.DataFrame:
    """The table of rows; numbers that are missing are NaN, people that are missing are NA."""
    pd = import_extra("pandas", EXTRA, "to_dataframe")
    types = {"start": float, "end": float, "score": float, "person": "Int64"}
    return pd.DataFrame(rows, columns=list(columns)).astype(types)
