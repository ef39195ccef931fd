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
    from .clock import Clock
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


def answers_to_dataframe(annotations: Mapping[str, Annotation], clocks: Mapping[str, Clock]) -> pandas.DataFrame:
    """The table that spans.csv is: a row for each span and event of annotations by recording."""
    rows = []
    for name, annotation in annotations.items():
        for label, start, end, *rest in annotation.rows():
            clock = clocks[name]
            frames = (clock.frame(start), None) if end is None else clock.frames(start, end)
            rows.append((name, label, start, end, *frames, *rest))
    columns = ("recording", *SPAN_COLUMNS[:3], "start_frame", "end_frame", *SPAN_COLUMNS[3:])
    return _table(rows, columns)


def _table(rows: Sequence[tuple[Any, ...]], columns: tuple[str, ...]) -> pandas.DataFrame:
    """The table of rows; numbers that are missing are NaN, frames and people that are missing are NA."""
    pd = import_extra("pandas", EXTRA, "to_dataframe")
    whole = {"start_frame": "Int64", "end_frame": "Int64", "person": "Int64"}
    types: dict[str, Any] = {"start": float, "end": float, "score": float, **whole}
    table = pd.DataFrame(rows, columns=list(columns))
    return table.astype({name: kind for name, kind in types.items() if name in columns})
