"""Annotation files of other programs and ours, one file a format, which reads and writes it.

A format is an `AnnotationFormat` registered under its name, ``FORMATS.register("csv")(AnnotationFormat(...))``. A new
one is one file here and one import below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Literal

from ..data.annotation import Annotation
from ..data.clock import Clock
from ..errors import InputError
from . import (  # registers the formats
    activitynet,
    activitynet_family,
    activitynet_labels,
    audacity,
    bento,
    bids_events,
    boris,
    boris_table,
    csv_table,
    cvat,
    elan,
    elan_tab,
    frame_table,
    jabs,
    jwatcher,
    label_studio,
    raven,
    srt,
    textgrid,
    via,
    webvtt,
)
from .background_labels import background_notes
from .base import FORMATS, HEAD_BYTES, AnnotationFormat
from .label_file import LabelFile, LabelRow, file_names, listed

__all__ = [
    "FORMATS",
    "AnnotationFormat",
    "LabelFile",
    "LabelRow",
    "activitynet",
    "activitynet_family",
    "activitynet_labels",
    "audacity",
    "bento",
    "bids_events",
    "boris",
    "boris_table",
    "csv_table",
    "cvat",
    "check_can_write",
    "detect_labels",
    "elan",
    "elan_tab",
    "frame_table",
    "is_label_file",
    "jabs",
    "jwatcher",
    "label_studio",
    "raven",
    "read_annotations",
    "read_label_file",
    "read_label_folder",
    "srt",
    "textgrid",
    "via",
    "webvtt",
    "write_annotations",
    "write_label_file",
    "write_label_files",
]


def read_annotations(path: Path | str) -> dict[str, Annotation]:
    """Annotations by recording as the file has them, in seconds; see `read_label_file` and `LabelFile.annotations`.

    Raises InputError, naming the file, where it is missing, not in that format, or has a row that is not a label.
    """
    return read_label_file(path).without_scores().annotations()


def read_label_file(path: Path | str, format: str = "auto") -> LabelFile:
    """The rows of a label file, in a format of `FORMATS`; auto: the one that its content is of, see `detect_labels`.

    Of a folder, those of all label files in it, see `read_label_folder`. Raises InputError, naming the file, where it
    is missing or not in that format.
    """
    path = Path(path)
    if path.is_dir() and format == "auto":
        return read_label_folder(path)
    if not path.is_file():
        raise InputError(f"{path}: no such file; annotations are read as {', '.join(_readable())}")
    name = detect_labels(path) if format == "auto" else format
    read = FORMATS[name].read
    if read is None:
        raise InputError(f"annotation format {name!r} can be written, not read")
    file = read(path)
    return replace(file, notes=(*file.notes, *background_notes(file.rows)))


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
    names = [name for name in names if name != "csv"] or names  # a table of a program of its own is one in general too
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
    check_can_write(format)
    write = FORMATS[format].write
    assert write is not None
    if FORMATS[format].one_recording and len(file.recordings) > 1:
        names = listed(file.recordings, 3)
        raise InputError(
            f"{path}: a file of {format} holds one recording, found {len(file.recordings)} ({names}); write a file for "
            "each, into a folder"
        )
    return write(file, path, clocks or {})


def check_can_write(format: str) -> None:
    """Raise InputError for a name that is no format of labels, or one that is only read."""
    if FORMATS[format].write is None:
        written = ", ".join(name for name in FORMATS if FORMATS[name].write)
        raise InputError(f"annotation format {format!r} can be read, not written; written are {written}")


def write_label_files(
    file: LabelFile,
    folder: Path | str,
    format: str,
    clocks: Mapping[str, Clock] | None = None,
    overwrite: bool = False,
    name: str = "labels",
) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """Write rows into a folder: a file for each recording where the format holds one only, else one named `name`.

    Returns the files, and what the format cannot hold. A file is named after its recording, in whose name characters
    that no file may have become _. Raises InputError for a file that is there already and is not to be overwritten,
    before any is written, and as `write_label_file`.
    """
    check_can_write(format)
    form = FORMATS[format]
    groups = file.by_recording() if form.one_recording else {name: file}
    paths = dict(zip(groups, file_names(groups, form.suffixes[0]), strict=True))
    files = {Path(folder) / paths[key]: part for key, part in groups.items()}
    existing = [path for path in files if path.exists()]
    if existing and not overwrite:
        raise InputError(f"{existing[0]}: exists already; name another folder, or replace it with --overwrite")
    lines: dict[str, None] = {}
    for path, part in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        said = write_label_file(part, path, format, clocks)
        lines |= dict.fromkeys(said if len(files) == 1 else (f"{path.name}: {line}" for line in said))
    return tuple(files), tuple(lines)


def read_label_folder(folder: Path | str) -> LabelFile:
    """The rows of all label files in a folder and its subfolders, as one file; other files are left out and counted.

    A file is one of labels where its content says so. Raises InputError where there is none, where two
    files have labels of one recording, and as `read_label_file`.
    """
    folder = Path(folder)
    names = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    paths = [path for path in names if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
    labelled = [path for path in paths if is_label_file(path)]
    if not labelled:
        raise InputError(f"{folder}: holds no file of labels; they are read as {', '.join(_readable())}")
    notes = [f"decided: labels of {len(labelled)} files in {folder}"]
    if len(paths) > len(labelled):
        notes.append(f"files that are no labels left out: {len(paths) - len(labelled)}")
    return LabelFile.joined(folder, [read_label_file(path) for path in labelled], notes)


def is_label_file(path: Path) -> bool:
    """Whether a file is one of labels, by its content."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError:
        return False
    return any((sniff := FORMATS[name].sniff) is not None and sniff(path, head) for name in _readable())


def _readable() -> list[str]:
    return [name for name in FORMATS if FORMATS[name].read is not None]


def _formats_by_suffix(use: Literal["read", "write"]) -> dict[str, str]:
    """The name of the format of each file ending, of those that can be read or written; of several, the first."""
    formats: dict[str, str] = {}
    for name in FORMATS:
        for suffix in FORMATS[name].suffixes if getattr(FORMATS[name], use) is not None else ():
            formats.setdefault(suffix, name)
    return formats
