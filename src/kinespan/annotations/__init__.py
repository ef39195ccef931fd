"""Annotation files of other programs and ours, one file a format, which reads and writes it.

A format is an `AnnotationFormat` registered under its name, ``FORMATS.register("csv")(AnnotationFormat(...))``. A new
one is one file here and one import below.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from ..data.annotation import Annotation
from ..data.clock import Clock
from ..errors import InputError
from . import activitynet, activitynet_labels, csv_table  # registers the formats
from .base import FORMATS, AnnotationFormat
from .label_file import LabelFile, LabelRow

__all__ = [
    "FORMATS",
    "AnnotationFormat",
    "LabelFile",
    "LabelRow",
    "activitynet",
    "activitynet_labels",
    "csv_table",
    "read_annotations",
    "read_label_file",
    "write_annotations",
]


def read_annotations(path: Path | str) -> dict[str, Annotation]:
    """Annotations by recording as the file has them, in seconds; see `read_label_file` and `LabelFile.annotations`.

    Raises InputError, naming the file, where it is missing, not in that format, or has a row that is not a label.
    """
    return read_label_file(path).annotations()


def read_label_file(path: Path | str) -> LabelFile:
    """The rows of a label file, in the format that the file's ending names; CSV for an unknown ending.

    Raises InputError, naming the file, where it is missing or not in that format.
    """
    path = Path(path)
    formats = _formats_by_suffix("read")
    if not path.is_file():
        raise InputError(f"{path}: no such file; annotations are {' or '.join(formats)} files")
    read = FORMATS[formats.get(path.suffix.lower(), "csv")].read
    assert read is not None
    return read(path)


def write_annotations(
    annotations: Mapping[str, Annotation],
    path: Path | str,
    format: str | None = None,
    clocks: Mapping[str, Clock] | None = None,
) -> None:
    """Write annotations by recording in a format of `FORMATS`, by default the one that the file's ending names.

    `clocks` are those of the recordings, for formats that count frames; without one, cells for frames stay empty.

    Raises InputError for an unknown format or ending, a format that cannot be written, and as its `write` does.
    """
    path = Path(path)
    if format is None:
        formats = _formats_by_suffix("write")
        if path.suffix.lower() not in formats:
            raise InputError(
                f"{path}: no format has the ending {path.suffix!r}; available: {', '.join(formats)}; "
                "use one of these endings or give the format"
            )
        format = formats[path.suffix.lower()]
    write = FORMATS[format].write
    if write is None:
        raise InputError(f"annotation format {format!r} can be read, not written")
    write(annotations, path, clocks or {})


def _formats_by_suffix(use: Literal["read", "write"]) -> dict[str, str]:
    """The name of the format of each file ending, of those that can be read or written."""
    return {
        suffix: name for name in FORMATS if getattr(FORMATS[name], use) is not None for suffix in FORMATS[name].suffixes
    }
