"""From a path to a Take: the format of a file, and the recordings of a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import InputError
from .base import HEAD_BYTES, READERS, ReadOptions, Take, finish

AUTO = "auto"


def read(path: Path | str, format: str = AUTO, options: ReadOptions | None = None) -> Take:
    """The Recording of a file, in metres and y up, and its Annotation where it has labels.

    Parameters:
        path: the file.
        format: a name in `READERS`, or "auto" to recognise it by content.
        options: what the file does not state, or states wrongly.

    Raises InputError, naming the file and, in text files, the line, for anything that cannot be read.
    """
    path, options = Path(path), options or ReadOptions()
    name = detect(path) if format == AUTO else format
    with np.errstate(over="ignore", invalid="ignore"):  # overflow is refused later, as not finite
        motion = READERS[name].parse(_existing(path), options)
        return finish(path, name, motion, options)


def detect(path: Path | str) -> str:
    """The name of a file's format, by its content.

    Raises InputError where the file cannot be read and where no reader, or more than one, recognises it.
    """
    path = Path(path)
    names = _formats(_existing(path))
    if len(names) == 1:
        return names[0]
    reason = f"more than one format fits ({', '.join(names)})" if names else "the content is of no known format"
    raise InputError(f"{path}: {reason}; kinespan reads {', '.join(READERS)}. Give the format by name if you know it")


def find_files(source: Path | str, format: str = AUTO) -> list[tuple[Path, str]]:
    """The recordings of a folder and its subfolders with their formats, sorted by path; or the file itself.

    Other files (an .asf skeleton, a readme) are skipped; `survey_files` lists them. With a ``format``, only files of
    that format count. Raises InputError where there is no recording.
    """
    return survey_files(source, format)[0]


def survey_files(source: Path | str, format: str = AUTO) -> tuple[list[tuple[Path, str]], list[Path]]:
    """As `find_files`, and the files that were skipped, sorted by path. Hidden files are neither."""
    source = Path(source)
    if format != AUTO:
        _ = READERS[format]  # raises for an unknown name
    if source.is_file():
        return [(source, format if format != AUTO else detect(source))], []
    if not source.is_dir():
        raise InputError(f"{source}: no such file or folder")
    recordings: list[tuple[Path, str]] = []
    skipped: list[Path] = []
    for path in sorted(source.rglob("*")):
        if not path.is_file() or any(part.startswith(".") for part in path.relative_to(source).parts):
            continue
        names = _formats(path)
        if len(names) == 1 and format in (AUTO, names[0]):
            recordings.append((path, names[0]))
        else:
            skipped.append(path)
    if not recordings:
        wanted = "a known format" if format == AUTO else f"the format {format}"
        raise InputError(
            f"{source}: no recording of {wanted} among {len(skipped)} files; kinespan reads {', '.join(READERS)}"
        )
    return recordings, skipped


def _existing(path: Path) -> Path:
    """The path. Raises InputError where it is no file."""
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    return path


def _formats(path: Path) -> list[str]:
    """The formats whose reader recognises the content."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    return [name for name in READERS if READERS[name].sniff(path, head)]
