"""What a recipe is: how a public data set, as it is handed out, becomes recordings with labels and official splits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from ...annotation import LabelSet
from ...io import Take
from ...registry import Registry
from ..info import RecordingInfo
from ..splits import Fold, Split

Value = TypeVar("Value")


@dataclass(frozen=True)
class Item:
    """One recording to make: the name it gets, the file that errors name, and what else `Recipe.read` needs.

    ``details`` goes to another process: small, and nothing that cannot be pickled.
    """

    name: str
    file: Path
    details: Any = None


@dataclass(frozen=True)
class Survey:
    """What a raw folder holds: the recordings to make, in a fixed order, and what is left out."""

    items: tuple[Item, ...]
    refused: tuple[tuple[Path, str], ...] = ()
    """(file, reason) of what cannot be used and is known before it is read."""
    skipped: tuple[Path, ...] = ()
    """Files that are no recordings."""
    labels: LabelSet | None = None
    """The data set's whole label set, in its official order; None: the union of what is read."""


class Recipe(ABC):
    """A public data set: where its recordings and labels lie, how they are read, its official splits.

    A subclass is a frozen dataclass whose fields are its options, each with a default and a docstring under it: they
    are the flags of ``kinespan prepare --recipe NAME`` and their help. Instances are picklable: each worker process
    gets one and keeps it, so that a `functools.cached_property` may hold what is costly to load.
    """

    title: ClassVar[str]
    """The data set's name, as in "NTU RGB+D 60"."""
    paper: ClassVar[str]
    """Its citation."""
    licence: ClassVar[str]
    """The terms of its data, in a line."""

    @abstractmethod
    def survey(self, raw: Path) -> Survey:
        """What lies under `raw`. Quick: it lists and reads label files, never motion.

        Raises InputError where `raw` is not this data set, saying what was expected to lie there.
        """

    @abstractmethod
    def read(self, item: Item) -> Take:
        """The recording of an item, named `Item.name`, and its annotation. It runs in worker processes.

        Raises InputError, naming the file, for one that is broken: it is then left out and reported.
        """

    def splits(self, infos: Sequence[RecordingInfo], labels: LabelSet | None) -> tuple[Split, ...]:
        """The official splits, from the attributes of recordings; only folds that the recordings at hand allow."""
        return ()


RECIPES: Registry[type[Recipe]] = Registry("recipe")
"""Recipes by name. One that has the name of a file format also splits folders in which all files are of that format."""


def official_fold(
    names: Sequence[str], values: Iterable[Value], trains: Container[Value], tests: Container[Value]
) -> Fold | None:
    """The fold of the recordings with these values (one a name) on each side; None where a side would be empty."""
    sided = list(zip(names, values, strict=True))
    train = tuple(name for name, value in sided if value in trains)
    test = tuple(name for name, value in sided if value in tests)
    return Fold(train, test) if train and test else None


def official_split(name: str, folds: dict[int, Fold | None], drop_labels: tuple[str, ...] = ()) -> tuple[Split, ...]:
    """The split of the folds that are there, as a tuple of one; none where no fold is."""
    there = {number: fold for number, fold in folds.items() if fold is not None}
    return (Split(name, there, drop_labels),) if there else ()
