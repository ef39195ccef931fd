"""Splits as data: the names of the recordings that train and of those that test, fold by fold; dropped labels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..data.annotation import POINT_MARGIN, TOLERANCE, Annotation, LabelSet, subtract
from ..errors import InputError


@dataclass(frozen=True)
class Fold:
    """The recordings to train and to test on.

    Raises InputError where a recording is on both sides or twice on one, or where a side is empty.
    """

    train: tuple[str, ...]
    """Names of recordings."""
    test: tuple[str, ...]
    """Names of recordings."""
    drop_labels: tuple[str, ...] = ()
    """Labels left out of both sides."""

    def __post_init__(self) -> None:
        """Check that the sides are disjoint and not empty. Raises InputError."""
        for side, names in (("train", self.train), ("test", self.test)):
            if not names:
                raise InputError(f"fold: no recording to {side} on; choose fewer folds or another attribute")
            if len(set(names)) != len(names):
                raise InputError(f"fold: a recording is listed twice under {side}")
        both = set(self.train) & set(self.test)
        if both:
            raise InputError(f"fold: {', '.join(sorted(both)[:3])} is in both train and test")


@dataclass(frozen=True)
class Split:
    """Named folds, numbered as in their source; ``drop_labels`` applies to each of them.

    Raises InputError for a split without a name or without a fold.
    """

    name: str
    folds: Mapping[int, Fold] = field(hash=False)
    drop_labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check, and pass the dropped labels on to the folds. Raises InputError."""
        if not self.name or not self.folds:
            raise InputError(f"split {self.name!r}: expected a name and at least one fold")
        folds = {number: replace(fold, drop_labels=self.drop_labels) for number, fold in sorted(self.folds.items())}
        object.__setattr__(self, "folds", folds)

    def fold(self, number: int) -> Fold:
        """The fold of a number. Raises InputError for an unknown one."""
        if number not in self.folds:
            raise InputError(f"split {self.name!r} has no fold {number}; available: {', '.join(map(str, self.folds))}")
        return self.folds[number]

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `from_dict` reads it back."""
        folds = {str(number): {"train": fold.train, "test": fold.test} for number, fold in self.folds.items()}
        return {"name": self.name, "folds": folds, "drop_labels": self.drop_labels}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Split:
        """The Split that `to_dict` wrote. Raises KeyError, TypeError or ValueError for anything else."""
        folds = {int(key): Fold(tuple(fold["train"]), tuple(fold["test"])) for key, fold in data["folds"].items()}
        return Split(str(data["name"]), folds, tuple(data["drop_labels"]))


def drop_labels(annotation: Annotation, names: Iterable[str], duration: float = math.inf) -> Annotation:
    """The annotation without the labels `names`; the time of their spans becomes uncovered (ignored).

    `duration` (seconds) ends the covered time of an annotation that covers its whole recording.
    Raises InputError for a label that is not in the label set.
    """
    dropped = set(names)
    labels = without_labels(annotation.labels, dropped)
    covered = annotation.covered
    holes = [(span.start, span.end) for span in annotation.spans if span.label in dropped]
    points = (point.time for point in annotation.point_labels if point.label in dropped)
    holes += [(time - POINT_MARGIN, time + POINT_MARGIN) for time in points]
    if holes:
        covered = subtract(((0.0, duration),) if covered is None else covered, holes)
    spans = tuple(span for span in annotation.spans if span.label not in dropped)
    return Annotation(spans, labels, covered, tuple(event for event in annotation.events if event.label not in dropped))


def union_of(label_sets: Iterable[LabelSet]) -> LabelSet | None:
    """All labels in order of first appearance, exclusive where all sets are; None for no label set.

    A label that is an event in one set and a span in another is a span, and its events are point labels.
    """
    unique = list(dict.fromkeys(label_sets))
    if not unique:
        return None
    names = tuple(dict.fromkeys(name for labels in unique for name in labels.names))
    spans = {name for labels in unique for name in labels.spans}
    exclusive = all(labels.exclusive for labels in unique)
    tolerance = max((labels.tolerance for labels in unique if labels.events), default=TOLERANCE)
    return LabelSet(names, exclusive, tuple(name for name in names if name not in spans), tolerance)


def without_labels(labels: LabelSet, names: Iterable[str]) -> LabelSet:
    """The label set without `names`, in order. Raises InputError for a name that it does not have."""
    dropped = set(names)
    for name in sorted(dropped):
        labels.index(name)
    names, events = (tuple(name for name in group if name not in dropped) for group in (labels.names, labels.events))
    return replace(labels, names=names, events=events)
