"""The contract of a recipe: how a public data set, as distributed, becomes recordings with labels and splits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ...corpus.info import RecordingInfo
from ...corpus.splits import Split
from ...data.annotation import LabelSet
from ...io import Take
from ...io.base import read_text
from ...registry import Registry


@dataclass(frozen=True)
class Item:
    """One recording to read: its name, the file that errors name, and what else `Recipe.read` needs.

    ``details`` is sent to another process: it must be small and can be pickled.
    """

    name: str
    file: Path
    details: Any = None


@dataclass(frozen=True)
class Survey:
    """The content of a raw folder: the recordings to read, in a fixed order, and the files that are left out."""

    items: tuple[Item, ...]
    refused: tuple[tuple[Path, str], ...] = ()
    """(file, reason) of files known to be unusable before reading."""
    skipped: tuple[Path, ...] = ()
    """Files that are not recordings."""
    labels: LabelSet | None = None
    """The whole label set of the data set, in its official order; None: the union of what is read."""
    decisions: tuple[str, ...] = ()
    """What was decided where the data set does not say it, in plain lines."""


class Recipe(ABC):
    """A public data set: where its recordings and labels are, how they are read, its official splits.

    A subclass is a frozen dataclass whose fields are its options, each with a default and a docstring under it: they
    are the flags of ``kinespan prepare --recipe NAME`` and their help. Each worker process gets an instance and keeps
    it, so that a `functools.cached_property` may hold what is costly to load.
    """

    title: ClassVar[str]
    """The data set's name, as in "NTU RGB+D 60"."""
    paper: ClassVar[str]
    """Its citation."""
    licence: ClassVar[str]
    """The terms of its data, in a line."""

    @abstractmethod
    def survey(self, raw: Path) -> Survey:
        """The recordings under `raw`. Quick: it lists files and reads labels, never motion.

        Raises InputError where `raw` is not this data set, naming the files that were expected.
        """

    @abstractmethod
    def read(self, item: Item) -> Take:
        """The recording of an item and its annotation. Runs in worker processes; the caller names it `Item.name`.

        Raises InputError for a broken file, which is then left out and reported by its name.
        """

    def splits(self, infos: Sequence[RecordingInfo], labels: LabelSet | None) -> tuple[Split, ...]:
        """The official splits, from the attributes of recordings, without folds that have an empty side."""
        return ()


RECIPES: Registry[type[Recipe]] = Registry("recipe")
"""Recipes by name. One with the name of a file format also splits folders in which all files have that format."""


def numbered_lines(file: Path) -> Iterator[tuple[str, str]]:
    """Location, as in ``FILE:12``, and text of each line that is not blank. Raises InputError as `read_text` does."""
    for number, line in enumerate(read_text(file).split("\n"), start=1):
        if line.strip():
            yield f"{file}:{number}", line.strip()


def union(intervals: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The union of intervals (start, end), in order of start; intervals that touch are merged."""
    merged: list[tuple[float, float]] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
