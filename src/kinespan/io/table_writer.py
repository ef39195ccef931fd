"""Write positions as a table: CSV or Parquet, a row for each frame, three columns for each joint.

The columns are ``frame`` (from 0), ``time`` (seconds from the first frame), then ``JOINT_x``, ``JOINT_y`` and
``JOINT_z`` for each joint, in metres, y up. A column ``person`` after ``time`` tells several people apart, each of whom
then has a row in every frame. What was not seen is empty.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np

from ..arrays import Float64Array, IntArray
from ..data.annotation import Annotation
from ..data.recording import Recording
from ..errors import InputError, import_extra
from ..files import write_atomically
from .base import WRITERS, MotionWriter

METADATA = b"kinespan"
"""The key of a Parquet file's metadata under which JSON has fps, unit, up, joints, parents, canonical and name."""


def write_csv(recording: Recording, path: Path, annotation: Annotation | None = None) -> tuple[str, ...]:
    """Write all people as CSV, to a micrometre; returns notes of what the format does not hold."""
    positions, frames, people = _rows(recording)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow([*_keys(people), *_columns(recording)])
    start = "{},{:.6f}" if people is None else "{},{:.6f},{}"
    keys = zip(*(values.tolist() for values in _key_values(recording, frames, people)), strict=True)
    pattern = ",".join(["{:.6f}"] * positions.shape[1])
    for row, key in zip(positions, keys, strict=True):
        cells = pattern.format(*row.tolist())
        cells = cells.replace("nan", "") if "nan" in cells else cells
        text.write(f"{start.format(*key)},{cells}\n")
    write_atomically(path, text.getvalue())
    return _notes("CSV", annotation, "no parents of joints, no unit and no axis (it is in metres, y up)")


def write_parquet(recording: Recording, path: Path, annotation: Annotation | None = None) -> tuple[str, ...]:
    """Write all people as Parquet; returns notes of what the format does not hold. Raises InputError without pyarrow.

    The metadata of the file have under `METADATA` what a table does not say.
    """
    pyarrow = import_extra("pyarrow", "parquet", "writing Parquet")
    parquet = import_extra("pyarrow.parquet", "parquet", "writing Parquet")
    positions, frames, people = _rows(recording)
    keys = zip(_keys(people), _key_values(recording, frames, people), strict=True)
    columns = {name: pyarrow.array(values) for name, values in keys}
    for name, values in zip(_columns(recording), positions.T, strict=True):
        columns[name] = pyarrow.array(values.astype(np.float32), mask=np.isnan(values))
    skeleton = recording.skeleton
    facts = {
        "name": recording.name,
        "fps": recording.fps,
        "unit": "m",
        "up": "y",
        "joints": skeleton.joints,
        "parents": skeleton.parents,
        "canonical": [part or "" for part in skeleton.body_parts],
    }
    table = pyarrow.table(columns).replace_schema_metadata({METADATA: json.dumps(facts).encode()})
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(table, sink)
    write_atomically(path, sink.getvalue().to_pybytes())
    return _notes("Parquet", annotation, "")


WRITERS.register("csv")(
    MotionWriter("table, three columns a joint in metres, y up", write_csv, several_people=True, uneven_times=True)
)
WRITERS.register("parquet")(
    MotionWriter("table as of csv, in columns", write_parquet, several_people=True, uneven_times=True)
)


def _rows(recording: Recording) -> tuple[Float64Array, IntArray, IntArray | None]:
    """Positions (N, 3 J), NaN where not seen, the frame of each row (N,), and its person, None of one person."""
    people = np.array(recording.people)
    seen = np.where(recording.valid[..., None], recording.positions, np.nan)[:, people]
    frames, count = seen.shape[:2]
    rows = seen.reshape(frames * count, -1).astype(np.float64)
    is_one = recording.num_people == 1
    return rows, np.repeat(np.arange(frames), count), None if is_one else np.tile(people, frames)


def _keys(people: IntArray | None) -> tuple[str, ...]:
    """The names of the first columns."""
    return ("frame", "time") if people is None else ("frame", "time", "person")


def _key_values(recording: Recording, frames: IntArray, people: IntArray | None) -> list[Float64Array | IntArray]:
    """The first columns."""
    values: list[Float64Array | IntArray] = [frames, recording.start_times[frames]]
    return values if people is None else [*values, people]


def _columns(recording: Recording) -> list[str]:
    """The names of the columns of joints. Raises InputError where two would be one."""
    names = [f"{joint}_{axis}" for joint in recording.skeleton.joints for axis in "xyz"]
    if len(set(names)) < len(names):
        raise InputError(f"recording {recording.name!r}: names of joints give the same column twice; write .npz")
    return names


def _notes(kind: str, annotation: Annotation | None, lacks: str) -> tuple[str, ...]:
    """What the format does not hold."""
    notes = [f"{kind} holds {lacks}"] if lacks else []
    return (*notes, *((f"{kind} of motion holds no labels: they are left out",) if annotation is not None else ()))
