"""What an annotation format is, and the registry of formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..data.clock import Clock
from ..registry import Registry
from .label_file import LabelFile


@dataclass(frozen=True)
class AnnotationFormat:
    """A file format of labels in time; it can be read, written, or both."""

    suffixes: tuple[str, ...]
    """Endings of its files, in lower case, such as ``".csv"``."""
    about: str
    """What it is, in a few words."""
    read: Callable[[Path], LabelFile] | None = None
    """The rows of a file, as they stand there. Raises InputError, naming the file and what is wrong in it, for a file
    that is not of the format; what rows mean is decided for all formats alike by who asks."""
    write: Callable[[LabelFile, Path, Mapping[str, Clock]], tuple[str, ...]] | None = None
    """Write rows in seconds, scored or not, to a path, each recording named; returns what the format cannot hold, in
    plain lines. The clocks are those of the recordings where they are known, for formats that count frames. The file is
    complete or absent (`kinespan.files.write_atomically`). Raises InputError for a bad path."""
    sniff: Callable[[Path, bytes], bool] | None = None
    """Whether a file, of which the first `HEAD_BYTES` bytes are given, is of the format, by its content; it never
    raises. None: only its ending says so."""
    one_recording: bool = False
    """Whether a file is of one recording, the one that has its name; `write` then takes rows of one only."""
    resolution: float = 0.0
    """Seconds to which it keeps times; 0: as they are."""


HEAD_BYTES = 4096
FORMATS: Registry[AnnotationFormat] = Registry("annotation format")
"""Annotation formats by name."""
