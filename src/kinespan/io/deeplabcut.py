"""DeepLabCut: tables of pandas in HDF5, read without pandas and without loading what is pickled in them."""

from __future__ import annotations

import pickletools
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..arrays import Float64Array
from ..errors import InputError
from .base import READERS, FileMotion
from .free_points import points_motion
from .hdf5 import array_of, contents, open_hdf5, texts
from .options import ReadOptions
from .table_columns import read_columns
from .table_motion import table_points


@READERS.register("deeplabcut")
class DeepLabCutReader:
    """HDF5 of DeepLabCut, and of Lightning Pose: a table of pandas whose columns are scorer, individuals, bodyparts,
    coords; the CSV of the same tables is read as csv.

    Three coordinates a point; ``likelihood`` is confidence. Tables of pictures, with x and y alone, are refused.
    """

    suffixes: ClassVar[tuple[str, ...]] = (".h5", ".hdf5")
    about: ClassVar[str] = "DeepLabCut points in 3-D, HDF5 of pandas (pip install 'kinespan[h5]')"

    @staticmethod
    def sniff(path: Path, head: bytes) -> bool:
        """An HDF5 file with a table of pandas."""
        names = contents(path, head)
        if "tracks" in names or not names:
            return False
        try:
            with open_hdf5(path) as file:
                return any(_is_frame(file[name]) for name in names)
        except InputError:
            return False

    @staticmethod
    def parse(path: Path, options: ReadOptions) -> FileMotion:
        """The points of the table."""
        with open_hdf5(path) as file:
            frames = [name for name in file if _is_frame(file[name])]
            if len(frames) != 1:
                raise InputError(
                    f"{path}: {len(frames)} tables of pandas, expected one: {', '.join(sorted(file))[:120]}"
                )
            group = file[frames[0]]
            columns, values, index = _table(group) if "table" in group else _fixed(group)
        if values.ndim != 2 or values.shape[1] != len(columns):
            raise InputError(f"{path}: {len(columns)} columns do not fit values of shape {values.shape}")
        table = _Frame(path, np.column_stack([index, values]))
        names = ("scorer", "individuals", "bodyparts", "coords")
        depth = {len(column) for column in columns}
        if depth not in ({3}, {4}):
            raise InputError(f"{path}: columns have {sorted(depth)} levels, expected scorer, bodyparts, coords")
        levels = names if depth == {4} else (names[0], *names[2:])
        rows = [(level, *(column[at] for column in columns)) for at, level in enumerate(levels)]
        points = table_points(table, read_columns(rows), options)
        scorer = columns[0][0]
        return points_motion(path, replace(points, attributes={**points.attributes, "scorer": scorer}), options)


class _Frame:
    """A table of numbers, the first column its index."""

    def __init__(self, path: Path, values: Float64Array) -> None:
        self.path, self._values = path, values

    def __len__(self) -> int:
        return len(self._values)

    def row(self, index: int) -> str:
        return f"{self.path}, row {index + 1}"

    def numbers(self, columns: Any) -> Float64Array:
        return np.asarray(self._values[:, columns])

    def has_words(self, column: int) -> bool:
        return False

    def words(self, column: int) -> list[str]:
        return [f"{value:g}" for value in self._values[:, column]]


def _is_frame(group: Any) -> bool:
    """Whether a group is a table of pandas."""
    return hasattr(group, "keys") and (
        "table" in group or ("axis0" in group and "block0_values" in group) or "axis0_level0" in group
    )


def _table(group: Any) -> tuple[list[tuple[str, ...]], Float64Array, Float64Array]:
    """Columns, values (N, K) and index (N,) of a table that can be searched."""
    table = group["table"]
    records = array_of(table)
    blocks = [name for name in records.dtype.names if name.startswith("values_block_")]
    columns: list[tuple[str, ...]] = []
    for block in blocks:
        columns += _columns(table.attrs[f"{block}_kind"])
    values = np.concatenate(
        [np.asarray(records[block], dtype=np.float64).reshape(len(records), -1) for block in blocks], 1
    )
    return columns, values, _index(records["index"])


def _fixed(group: Any) -> tuple[list[tuple[str, ...]], Float64Array, Float64Array]:
    """The same of a table that is stored as a whole."""
    parts, blocks = [], sorted(name for name in group if name.startswith("block") and name.endswith("_values"))
    columns: list[tuple[str, ...]] = []
    for block in blocks:
        items = block.replace("_values", "_items")
        levels = sorted(name for name in group if name.startswith(f"{items}_level"))
        codes = sorted(name for name in group if name.startswith((f"{items}_label", f"{items}_codes")))
        by_level = []
        for level, code_name in zip(levels, codes, strict=True):
            names = texts(array_of(group[level]))
            by_level.append([names[code] for code in array_of(group[code_name]).tolist()])
        columns += list(zip(*by_level, strict=True))
        parts.append(np.asarray(array_of(group[block]), dtype=np.float64))
    values = np.concatenate(parts, axis=1)
    index = _index(array_of(group["axis1"])) if "axis1" in group else np.arange(len(values), dtype=np.float64)
    return columns, values, index


def _index(values: Any) -> Float64Array:
    """The index (N,) as numbers; counted, where it is none."""
    array = np.asarray(values)
    return np.asarray(array, dtype=np.float64) if array.dtype.kind in "iuf" else np.arange(len(array), dtype=np.float64)


_SKIPPED = ("PROTO", "FRAME", "STOP", "LIST", "EMPTY_LIST", "APPEND", "APPENDS")
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def _columns(attribute: Any) -> list[tuple[str, ...]]:
    """The names of columns, a tuple of text each, from the serialised list that PyTables keeps in an attribute.

    Its instructions are read, never run: those for a list of tuples of text. Raises ValueError for others.
    """
    names: list[tuple[str, ...]] = []
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for code, argument, _ in pickletools.genops(bytes(attribute)):
        if code.name == "MARK":
            stack.append(None)
        elif "UNICODE" in code.name or "STRING" in code.name:
            stack.append(str(argument))
        elif code.name == "MEMOIZE" or "PUT" in code.name:
            memo[len(memo) if argument is None else int(argument)] = stack[-1] if stack else None
        elif "GET" in code.name:
            stack.append(memo[int(argument or 0)])
        elif code.name == "TUPLE" or code.name in _TUPLES:
            size = _TUPLES.get(code.name) or stack[::-1].index(None)
            parts = tuple(stack[len(stack) - size :])
            del stack[len(stack) - size - (code.name == "TUPLE") :]
            names.append(parts)
            stack.append(parts)
        elif code.name not in _SKIPPED:
            raise ValueError(f"the names of the columns hold {code.name}, expected tuples of text")
    if not names or not all(isinstance(part, str) for name in names for part in name):
        raise ValueError("the columns have one level, expected scorer, bodyparts, coords")
    return names
