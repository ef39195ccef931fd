"""NumPy archives (.npz): their fields, checked, with errors that name file and field. No pickle is ever loaded."""

from __future__ import annotations

import json
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import AnyArray
from ..errors import InputError

BROKEN = (
    OSError, ValueError, EOFError, KeyError, RuntimeError, NotImplementedError, MemoryError, SyntaxError,
    zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError,
)  # fmt: skip
"""What NumPy and zipfile raise for an archive that is cut off or damaged."""
_MAGIC = b"PK\x03\x04"


def archive_fields(path: Path, head: bytes) -> set[str]:
    """Names of the arrays in an archive that begins with `head`; empty for anything but a complete archive."""
    if not head.startswith(_MAGIC):
        return set()
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist()}
    except BROKEN:
        return set()


@dataclass(frozen=True)
class Archive:
    """The arrays of an archive by name. Methods raise InputError, naming the file, for a field of another kind."""

    path: Path
    arrays: Mapping[str, AnyArray]

    @classmethod
    def load(cls, path: Path, only: Collection[str] | None = None) -> Archive:
        """Load all arrays, or only those with the names in `only`; others are then not unpacked.

        Raises InputError for a file that is not a complete archive or holds pickled objects under these names.
        """
        try:
            with path.open("rb") as file:
                if not file.read(len(_MAGIC)).startswith(_MAGIC):
                    raise ValueError("it does not start as an archive does; is it empty or a single array?")
            with np.load(path, allow_pickle=False) as data:
                return cls(path, {name: data[name] for name in data.files if only is None or name in only})
        except BROKEN as error:
            raise InputError(f"{path}: not a whole .npz archive without pickled objects: {error}") from None

    def __contains__(self, name: str) -> bool:
        return name in self.arrays

    def field(self, name: str) -> AnyArray:
        """A field of any kind."""
        if name not in self.arrays:
            available = ", ".join(sorted(self.arrays)) or "nothing known"
            raise InputError(f"{self.path}: field {name!r} is missing; available: {available}")
        return self.arrays[name]

    def numbers(self, name: str) -> AnyArray:
        """An array of numbers."""
        array = self.field(name)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
            raise InputError(f"{self.path}: field {name!r} holds {getattr(array, 'dtype', 'bytes')}, expected numbers")
        return array

    def positive_number(self, name: str) -> float:
        """One positive, finite number."""
        array = self.numbers(name)
        if array.size != 1 or not (np.isfinite(array).all() and (array > 0).all()):
            raise InputError(f"{self.path}: field {name!r} is {array.tolist()}, expected one positive number")
        return float(array.reshape(-1)[0])

    def text(self, name: str) -> str:
        """A text, empty where the field is missing."""
        if name not in self:
            return ""
        array = self.arrays[name]
        if not isinstance(array, np.ndarray) or array.dtype.kind != "U" or array.size != 1:
            raise InputError(f"{self.path}: field {name!r} must be one text")
        return str(array.reshape(-1)[0])

    def names(self, name: str) -> list[str]:
        """A list of texts."""
        array = self.field(name)
        if not isinstance(array, np.ndarray) or array.dtype.kind != "U" or array.ndim != 1:
            raise InputError(f"{self.path}: field {name!r} must be a list of names")
        return [str(text) for text in array]

    def json(self, name: str, default: Any) -> Any:
        """The content of a JSON text, of the type of `default`, which stands for a missing field."""
        text = self.text(name)
        if not text:
            return default
        try:
            value = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{self.path}: field {name!r} is not JSON: {error}") from None
        if not isinstance(value, type(default)):
            kinds = f"{type(value).__name__} in JSON, not {type(default).__name__}"
            raise InputError(f"{self.path}: field {name!r} is {kinds}")
        return value
