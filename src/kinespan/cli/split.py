"""Add a split to a corpus: folds of recordings to train and to test on, without reading the motion again.

Recordings that share a --group, such as the person, are always on the same side. Each fold tests other groups and
trains on all of the rest; folds are about equally long. Any corpus can get any number of splits, a public data set's
too. What recordings can be grouped by is told for a --group that does not exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..corpus.splits import Split
from ..corpus.splitting import (
    default_folds,
    group_split,
    groups_of,
    held_out_split,
    labels_of,
    person_attribute,
    recording_split,
)
from ..corpus.store import Corpus
from ..corpus.writer import add_split
from ..data.annotation import natural_key
from ..errors import InputError
from .arguments import Positional
from .common import table

MAX_GROUPS = 8
"""The most groups of a fold that are listed."""


@dataclass(frozen=True, kw_only=True)
class SplitArguments:
    """The corpus, and how it is split."""

    corpus: Positional[Path]
    """Folder of a prepared corpus."""
    group: str | None = None
    """What recordings of a group share: the name of an attribute, or a regular expression on their names whose first
    bracket (else the whole match) names the group. By default the first attribute for a person (performer, actor,
    ...) that all have, else each recording is a group."""
    folds: int | None = None
    """Number of folds; by default 4, or as many as there are groups."""
    test: tuple[str, ...] = ()
    """Groups to test, in place of --folds: the split has one fold, which trains on all other groups."""
    name: str | None = None
    """Name of the split; by default by-performer and the like, after the group."""
    seed: int = 0
    """Seed of the shuffle of groups."""
    overwrite: bool = False
    """Replace a split of the same name."""


def run(arguments: SplitArguments) -> int:
    """Add the split and print its folds."""
    corpus = Corpus.open(arguments.corpus)
    split, groups = make_split(corpus, arguments)
    add_split(corpus.path, split, arguments.overwrite)
    print(f"split {split.name!r} of corpus {corpus.name!r}:")
    print(table(_rows(corpus, split, groups)))
    for line in _missing_labels(corpus, split):
        print(line)
    if split.name in corpus.splits:
        print(f"it replaces a split of that name: models trained on that {split.name!r} may know its test recordings")
    if corpus.sets:
        print(f"kinespan learn {corpus.path} --out RUN --split {split.name} --fold all trains and tests every fold")
    return 0


def make_split(corpus: Corpus, arguments: SplitArguments) -> tuple[Split, Mapping[str, str]]:
    """The split that the arguments describe, and the group of each recording. Raises InputError for bad arguments."""
    infos, name = corpus.infos, arguments.name
    if arguments.test and arguments.folds is not None:
        raise InputError("--test makes one fold, leave --folds out; or give --folds without --test")
    group = arguments.group or person_attribute(infos)
    if group is None:
        if arguments.test:
            raise InputError("--test names groups: say with --group what the groups are")
        split = recording_split(infos, arguments.folds, arguments.seed, name)
        if split is None:
            raise InputError(f"corpus {corpus.name!r} has one recording, so there is nothing to hold out")
        return split, {info.name: info.name for info in infos}
    is_attribute = group in infos[0].attributes
    name = name or (f"by-{group}" if is_attribute else "by-group")
    groups = groups_of(infos, group)
    if arguments.test:
        split = held_out_split(infos, group, arguments.test, name)
    else:
        folds = default_folds(groups) if arguments.folds is None else arguments.folds
        split = group_split(infos, group, folds, arguments.seed, name)
    return split, dict(zip(corpus.names, groups, strict=True))


def _rows(corpus: Corpus, split: Split, groups: Mapping[str, str]) -> list[list[str]]:
    """The rows of a table of the folds; the first names the columns."""
    minutes = {info.name: info.duration / 60 for info in corpus.infos}
    rows = [["fold", "train", "minutes", "test", "minutes", "groups tested"]]
    for number, fold in split.folds.items():
        tested = sorted({groups[name] for name in fold.test}, key=natural_key)
        listing = ", ".join(tested[:MAX_GROUPS]) + (f", ... ({len(tested)})" if len(tested) > MAX_GROUPS else "")
        sides = [(str(len(side)), f"{sum(minutes[name] for name in side):.1f}") for side in (fold.train, fold.test)]
        rows.append([str(number), *sides[0], *sides[1], listing])
    return rows


def _missing_labels(corpus: Corpus, split: Split) -> list[str]:
    """A line for each fold that tests labels of which it trains on no example."""
    if corpus.set is None:  # none, or several of which nobody chose one
        return []
    labels: dict[str, set[str]] = {}
    for name in corpus.names:
        annotation = corpus.annotation(name)
        labels[name] = labels_of(annotation) if annotation is not None else set()
    lines = []
    for number, fold in split.folds.items():
        train, test = (set().union(*(labels[name] for name in side)) for side in (fold.train, fold.test))
        if missing := sorted(test - train, key=natural_key):
            lines.append(f"fold {number} tests {', '.join(missing)}, but trains on no example of it")
    return lines
