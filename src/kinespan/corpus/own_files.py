"""A user's own files as a recipe: every recording of a known format in a folder, named after its file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

from .. import io
from .recipes import Item, Recipe, Survey


@dataclass(frozen=True)
class OwnFile:
    """The format of a file, and its path in the folder."""

    format: str
    source: str


@dataclass(frozen=True)
class OwnFiles(Recipe):
    """Files of known formats, wherever they are from."""

    title: ClassVar[str] = "own files"
    paper: ClassVar[str] = ""
    licence: ClassVar[str] = ""

    format: str = "auto"
    """The one format to read, or auto: each file's own."""
    options: io.ReadOptions = field(default_factory=io.ReadOptions)
    """How to read what files do not say."""

    def survey(self, raw: Path) -> Survey:
        """All files of the format below a folder, or the one file."""
        files, passed_over = io.survey_files(raw, self.format)
        names = names_of([file for file, _ in files], raw)
        items = (
            Item(name, file, OwnFile(format, relative(file, raw)))
            for name, (file, format) in zip(names, files, strict=True)
        )
        return Survey(tuple(items), passed_over=tuple(passed_over))

    def read(self, item: Item) -> io.Take:
        """The recording, its source being the path in the folder unless the file says another."""
        details: OwnFile = item.details
        take = io.read(item.file, details.format, self.options)
        changes: dict[str, Any] = {"name": item.name}
        if take.recording.source == item.file.name:
            changes["source"] = details.source
        return replace(take, recording=replace(take.recording, **changes))


def relative(file: Path, source: Path) -> str:
    """The path of a file in its folder; its name where it is the source itself or lies elsewhere."""
    if file == source or not file.is_relative_to(source):
        return file.name
    return file.relative_to(source).as_posix()


def names_of(files: Sequence[Path], source: Path) -> list[str]:
    """The stem of each file; of files that share one, the path in the folder; with its suffix where that is shared."""
    paths = [relative(file, source) for file in files]
    ways = ([file.stem for file in files], [os.path.splitext(path)[0] for path in paths], paths)
    counts = [Counter(way) for way in ways]
    return [
        next(name for name, count in zip(choices, counts, strict=True) if count[name] == 1)
        for choices in zip(*ways, strict=True)
    ]
