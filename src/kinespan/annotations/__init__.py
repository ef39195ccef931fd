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
from .base import FORMATS, HEAD_BYTES, AnnotationFormat
from .label_file import LabelFile, LabelRow

__all__ = [
    "FORMATS",
    "AnnotationFormat",
    "LabelFile",
    "LabelRow",
    "activitynet",
    "activitynet_labels",
    "csv_table",
    "detect_labels",
    "read_annotations",
    "read_label_file",
    "write_annotations",
    "write_label_file",
]


def read_annotations(path: Path | str) -> dict[str, Annotation]:
    """Annotations by recording as the file has them, in seconds; see `read_label_file` and `LabelFile.annotations`.

    Raises InputError, naming the file, where it is missing, not in that format, or has a row that is not a label.
    """
    return read_label_file(path).annotations()


def read_label_file(path: Path | str, format: str = "auto") -> LabelFile:
    """The rows of a label file, in a format of `FORMATS`; auto: the one that its content is of, see `detect_labels`.

    Raises InputError, naming the file, where it is missing or not in that format.
    """
    path = Path(path)
    if not path.is_file():
        formats = [name for name in FORMATS if FORMATS[name].read]
        raise InputError(f"{path}: no such file; annotations are read as {', '.join(formats)}")
    name = detect_labels(path) if format == "auto" else format
    read = FORMATS[name].read
    if read is None:
        raise InputError(f"annotation format {name!r} can be written, not read")
    return read(path)


def detect_labels(path: Path | str) -> str:
    """The name of a label file's format, by its content, then by its ending; csv where neither says one.

    Raises InputError where the file cannot be read, and where more than one format fits and its ending names none.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    by_ending = _formats_by_suffix("read").get(path.suffix.lower(), "csv")
    names = [name for name in FORMATS if (sniff := FORMATS[name].sniff) is not None and sniff(path, head)]
    if len(names) > 1 and by_ending not in names:
        raise InputError(f"{path}: more than one format of labels fits ({', '.join(names)}); give it by name")
    return names[0] if len(names) == 1 else by_ending


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
    write_label_file(LabelFile.of(annotations, Path(path)), path, format, clocks)


def write_label_file(
    file: LabelFile, path: Path | str, format: str | None = None, clocks: Mapping[str, Clock] | None = None
) -> tuple[str, ...]:
    """Write the rows of a label file, in seconds, as `write_annotations` does; returns what the format cannot hold."""
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
    return write(file, path, clocks or {})


def _formats_by_suffix(use: Literal["read", "write"]) -> dict[str, str]:
    """The name of the format of each file ending, of those that can be read or written."""
    return {
        suffix: name for name in FORMATS if getattr(FORMATS[name], use) is not None for suffix in FORMATS[name].suffixes
    }
