"""A user's own files as a recipe: every recording of a known format in a folder, named after its file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

from .. import io
from .recipes import Item, Recipe, Survey


@dataclass(frozen=True)
class OwnFile:
    """The format of a file, its path in the folder, and whether --fps holds against its own rate."""

    format: str
    source: str
    override_fps: bool


@dataclass(frozen=True)
class OwnFiles(Recipe):
    """A user's own files of known formats."""

    title: ClassVar[str] = "own files"
    paper: ClassVar[str] = ""
    licence: ClassVar[str] = ""

    options: io.ReadOptions = field(default_factory=io.ReadOptions)
    """Format, frame rate, unit and the like where the files do not state them."""

    def survey(self, raw: Path) -> Survey:
        """All files of the format below a folder, or the file itself."""
        files, skipped = io.survey_files(raw, self.options.format)
        override_fps = io.overrides_fps(files)
        names = names_of([file for file, _ in files], raw)
        items = (
            Item(name, file, OwnFile(format, relative(file, raw), override_fps))
            for name, (file, format) in zip(names, files, strict=True)
        )
        return Survey(tuple(items), skipped=tuple(skipped))

    def read(self, item: Item) -> io.Take:
        """The recording; its source is the path in the folder unless the file states one."""
        details: OwnFile = item.details
        take = io.read(item.file, details.format, self.options, override_fps=details.override_fps)
        if take.recording.source != item.file.name:
            return take
        return replace(take, recording=replace(take.recording, source=details.source))


def relative(file: Path, source: Path) -> str:
    """The path of a file in its folder; its name where it is the source itself or lies elsewhere."""
    if file == source or not file.is_relative_to(source):
        return file.name
    return file.relative_to(source).as_posix()


def names_of(files: Sequence[Path], source: Path) -> list[str]:
    """The stem of each file; where files share it, the path in the folder; where they share that, with the suffix.

    Of a gzipped file, such as take.csv.gz, both suffixes are left out.
    """
    paths = [relative(file, source) for file in files]
    plain = [path.removesuffix(".gz") for path in paths]
    candidates = ([Path(path).stem for path in plain], [os.path.splitext(path)[0] for path in plain], paths)
    counts = [Counter(names) for names in candidates]
    return [
        next(name for name, count in zip(choices, counts, strict=True) if count[name] == 1)
        for choices in zip(*candidates, strict=True)
    ]
