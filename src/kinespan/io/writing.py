"""From a Recording to a file: the writer of a suffix, and a file for each person where the format holds only one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..data.annotation import Annotation
from ..data.recording import Recording
from ..errors import InputError
from .base import WRITERS, MotionWriter


@dataclass(frozen=True)
class Written:
    """The files that a recording was written to, and notes of what they do not hold."""

    paths: tuple[Path, ...]
    notes: tuple[str, ...]


def write(
    recording: Recording, path: Path | str, annotation: Annotation | None = None, *, overwrite: bool = False
) -> Written:
    """Write a recording, and the annotation of its file, in the format of the suffix; what was not seen stays unseen.

    Several people go to files of their own, ``take_person0.bvh`` and so on, where the format holds one.

    Raises InputError for a suffix without a writer, an existing file unless `overwrite`, and uneven frames where the
    format has an even rate (`kinespan.transforms.normalise.even_rate` makes one).
    """
    path = Path(path)
    writer = writer_of(path)
    if recording.times is not None and not writer.uneven_times:
        raise InputError(f"{path}: the frames are not evenly spaced in time, and {path.suffix} holds one rate only")
    people = recording.people
    if writer.several_people or len(people) == 1:
        _check_new([path], overwrite)
        return Written((path,), tuple(writer.write(recording, path, annotation)))
    paths = tuple(path.with_name(f"{path.stem}_person{person}{path.suffix}") for person in people)
    _check_new(paths, overwrite)
    notes = [f"{path.suffix} holds one person: a file for each of {len(people)}, by their numbers"]
    for person, own in zip(people, paths, strict=True):
        fields = {"positions": recording.positions[:, [person]], "valid": recording.valid[:, [person]]}
        alone = recording.with_changes(f"person {person} alone", **fields)
        notes += [f"person {person}: {note}" for note in writer.write(alone, own, annotation)]
    return Written(paths, tuple(notes))


def writer_of(path: Path) -> MotionWriter:
    """The writer of a file to write, by its suffix. Raises InputError where there is none."""
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in WRITERS:
        known = ", ".join(f".{name}" for name in WRITERS)
        raise InputError(f"{path}: no format to write has the suffix {path.suffix!r}; expected {known}")
    return WRITERS[suffix]


def _check_new(paths: Sequence[Path], overwrite: bool) -> None:
    """Raise InputError where a file exists that is not to be replaced."""
    for path in paths:
        if path.exists() and not overwrite:
            raise InputError(f"{path}: exists already; name another file, or replace it with --overwrite")
