"""Parquet tables of points, wide and long, with the columns that CSV has; read by pyarrow, an extra."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..arrays import Float64Array, IntArray
from ..data.joint_names import skeleton_from_canonical
from ..errors import InputError, import_extra
from .base import READERS, FileMotion
from .free_points import points_motion
from .options import AXES, METRES, ReadOptions
from .table_columns import read_columns
from .table_motion import table_points

EXTRA = "parquet"
METADATA = b"kinespan"
"""The key of the metadata under which JSON may have fps, unit, up, joints, parents, canonical and name."""
_MAGIC = b"PAR1"
_INDEX = re.compile(r"__index_level_\d+__$")


@READERS.register("parquet")
class ParquetReader:
    """Parquet table with the columns of a CSV table of points, wide or long; numbers and text may be of any type.

    The metadata ``kinespan`` may be JSON with ``fps``, ``unit``, ``up``, ``joints``, ``parents``, ``canonical`` and
    ``name``, as `kinespan convert` writes it.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".parquet", ".pq")
    about: ClassVar[str] = "Parquet table of points, wide or long (pip install 'kinespan[parquet]')"

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """It begins as Parquet does."""
        return head.startswith(_MAGIC)

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """The points of the table."""
        table, facts = _load(path)
        points = table_points(table, read_columns([table.names]), options)
        stated: dict[str, Any] = {}
        for name, words in (("unit", tuple(METRES)), ("up", AXES)):
            if facts.get(name) in words:
                stated |= {name: facts[name], f"{name}_is_sure": True}
        fps = facts.get("fps")
        if isinstance(fps, int | float) and points.times is None and fps > 0:
            stated |= {"fps": float(fps), "fps_from": "fps of the file"}
        if isinstance(facts.get("name"), str) and facts["name"]:
            stated["name"] = facts["name"]
        return _with_skeleton(path, points_motion(path, replace(points, **stated), options), facts)


def _with_skeleton(path: Path, motion: FileMotion, facts: dict[str, Any]) -> FileMotion:
    """The motion with the hierarchy and the body parts of the metadata, where they are of its joints."""
    joints, parents, canonical = (facts.get(name) for name in ("joints", "parents", "canonical"))
    if joints is None or list(motion.skeleton.joints) != list(joints):
        return motion
    try:
        skeleton = skeleton_from_canonical(
            motion.skeleton.name, joints, [int(p) for p in parents or ()], canonical or ()
        )
    except (InputError, TypeError, ValueError) as error:
        raise InputError(f"{path}: the metadata do not describe a skeleton: {error}") from None
    return replace(motion, skeleton=skeleton)


@dataclass(frozen=True, eq=False)
class _ParquetTable:
    path: Path
    names: tuple[str, ...]
    columns: Sequence[Any]
    """K arrays of pyarrow"""
    num_rows: int

    def __len__(self) -> int:
        return self.num_rows

    def row(self, index: int) -> str:
        return f"{self.path}, row {index + 1}"

    def numbers(self, columns: IntArray) -> Float64Array:
        numbers = np.empty((self.num_rows, len(columns)))
        for place, column in enumerate(columns.tolist()):
            if self.has_words(column):
                raise InputError(f"{self.path}: column {self.names[column]!r} holds text, expected numbers")
            numbers[:, place] = self.columns[column].cast("float64", safe=False).to_numpy(zero_copy_only=False)
        return numbers

    def has_words(self, column: int) -> bool:
        kind = self.columns[column].type
        return not any(word in str(kind) for word in ("int", "float", "double", "decimal", "bool")) or "<" in str(kind)

    def words(self, column: int) -> list[str]:
        values = self.columns[column].to_pylist()
        return [
            "" if value is None or value != value else getattr(value, "isoformat", value.__str__)() for value in values
        ]


def _load(path: Path) -> tuple[_ParquetTable, dict[str, Any]]:
    """The table, and what its metadata say. Raises InputError for a file that is cut off or damaged."""
    arrow = import_extra("pyarrow", EXTRA, f"{path}: reading Parquet")
    parquet = import_extra("pyarrow.parquet", EXTRA, f"{path}: reading Parquet")
    try:
        table = parquet.read_table(path)
        columns = [column.combine_chunks() for column in table.columns]
        metadata = table.schema.metadata or {}
        facts = json.loads(metadata.get(METADATA, b"{}"))
    except (arrow.ArrowException, OSError, ValueError, KeyError, MemoryError) as error:
        raise InputError(
            f"{path}: not a whole Parquet file: {str(error).splitlines()[0][:120] if str(error) else ''}"
        ) from None
    if not table.num_rows:
        raise InputError(f"{path}: the table has no rows")
    names = tuple("index" if _INDEX.match(name) else _joined(name) for name in table.column_names)
    return _ParquetTable(path, names, columns, table.num_rows), facts if isinstance(facts, dict) else {}


def _joined(name: str) -> str:
    """A name of several levels, as pandas writes it, such as ('scorer', 'nose', 'x'), as nose_x."""
    levels = re.findall(r"'([^']*)'", name) if name.startswith("(") else []
    return "_".join(levels[-2:]) if len(levels) > 1 else name
