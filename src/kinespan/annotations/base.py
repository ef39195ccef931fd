"""What an annotation format is, and the registry of formats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..data.annotation import Annotation
from ..data.clock import Clock
from ..registry import Registry


@dataclass(frozen=True)
class AnnotationFormat:
    """A file format of labels in time; it can be read, written, or both."""

    suffixes: tuple[str, ...]
    """Endings of its files, in lower case, such as ``".csv"``."""
    about: str
    """What it is, in a few words."""
    read: Callable[[Path], dict[str, Annotation]] | None = None
    """The annotations of a file by recording, over one LabelSet; seconds. Raises InputError, naming the file and what
    is wrong in it."""
    write: Callable[[Mapping[str, Annotation], Path, Mapping[str, Clock]], None] | None = None
    """Write the annotations of recordings over one LabelSet, scored or not, seconds unrounded, each recording named.
    The clocks are those of the recordings where they are known, for formats that count frames. The file is complete or
    absent (`kinespan.files.write_atomically`). Raises InputError for what the format cannot hold, or a bad path."""


FORMATS: Registry[AnnotationFormat] = Registry("annotation format")
"""Annotation formats by name."""
