"""From a path to a Take: which format a file has, and which files of a folder are recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import InputError
from .base import HEAD_BYTES, READERS, ReadOptions, Take, finish

AUTO = "auto"


def read(path: Path | str, format: str = AUTO, options: ReadOptions | None = None) -> Take:
    """The Recording of a file, in metres and y up, and its Annotation where it has labels.

    ``format`` is a name in `READERS`, or "auto": found by content. Raises InputError naming the file, and the line
    where there is one, for anything that cannot be read.
    """
    path, options = Path(path), options or ReadOptions()
    name = detect(path) if format == AUTO else format
    with np.errstate(over="ignore", invalid="ignore"):  # absurd values are refused as not finite in the end
        motion = READERS[name].parse(_existing(path), options)
        return finish(path, name, motion, options)


def detect(path: Path | str) -> str:
    """The name of the format that the file's content has.

    Raises InputError where the file cannot be read, and where no reader or more than one knows it.
    """
    path = Path(path)
    names = _formats(_existing(path))
    if len(names) == 1:
        return names[0]
    what = f"more than one format fits ({', '.join(names)})" if names else "the content is of no known format"
    raise InputError(f"{path}: {what}; kinespan reads {', '.join(READERS)}. Give the format by name if you know it")


def find_files(source: Path | str, format: str = AUTO) -> list[tuple[Path, str]]:
    """The recordings of a folder and all below it, sorted by path, each with its format; or the one file.

    Files that are no recording (an .asf skeleton, a readme) are passed over; `survey_files` tells which. With a
    ``format``, only files of that format count. Raises InputError where nothing is found.
    """
    return survey_files(source, format)[0]


def survey_files(source: Path | str, format: str = AUTO) -> tuple[list[tuple[Path, str]], list[Path]]:
    """As `find_files`, and beside it the files that were passed over, sorted by path. Hidden files are not seen."""
    source = Path(source)
    if format != AUTO:
        _ = READERS[format]  # refuses an unknown name
    if source.is_file():
        return [(source, format if format != AUTO else detect(source))], []
    if not source.is_dir():
        raise InputError(f"{source}: there is no such file or folder")
    found: list[tuple[Path, str]] = []
    passed_over: list[Path] = []
    for path in sorted(source.rglob("*")):
        if not path.is_file() or any(part.startswith(".") for part in path.relative_to(source).parts):
            continue
        names = _formats(path)
        if len(names) == 1 and format in (AUTO, names[0]):
            found.append((path, names[0]))
        else:
            passed_over.append(path)
    if not found:
        wanted = "a known format" if format == AUTO else f"the format {format}"
        raise InputError(
            f"{source}: no recording of {wanted} among {len(passed_over)} files; kinespan reads {', '.join(READERS)}"
        )
    return found, passed_over


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    return path


def _formats(path: Path) -> list[str]:
    """The formats whose reader knows the content."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD_BYTES)
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror or error}") from None
    return [name for name in READERS if READERS[name].sniff(path, head)]
