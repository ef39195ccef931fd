"""How far two annotators agree: F1 of segments at half overlap, kappa by frame, events, and where they differ.

Kappa is Cohen's ("A coefficient of agreement for nominal scales", 1960): agreement beyond that of two who label as
often, but at random. Only time that both looked at counts.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..arrays import IntArray
from ..data.annotation import BACKGROUND, IGNORE, Annotation, LabelSet
from ..data.clock import Clock
from ..errors import InputError
from .events import event_metrics
from .frames import confusion_matrix
from .segments import f1_at_k


class Difference(NamedTuple):
    """A time in which two annotators say different things."""

    recording: str
    start: float
    """Seconds."""
    end: float
    left: str
    """A label; empty for background."""
    right: str
    person: int | None = None

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return self.end - self.start


@dataclass(frozen=True)
class Agreement:
    """The agreement of two annotators; figures are fractions, NaN for what cannot be measured."""

    recordings: int
    """Recordings that both annotated."""
    seconds: float
    """Time that both looked at."""
    f1: float
    """F1@50 of segments; it is the same for both."""
    kappa: float
    """By frame; where labels overlap the mean over labels."""
    label_kappa: Mapping[str, float]
    """By frame, of each label against everything else."""
    event_f1: float
    """F1 of events within the tolerance."""
    tolerance: float
    """Seconds by which events may be apart."""
    differences: tuple[Difference, ...]
    """In order of recording and time."""


def cohen_kappa(confusion: IntArray) -> float:
    """Cohen's kappa of a confusion matrix (K, K); NaN without frames, and where both say one and the same always."""
    total = confusion.sum()
    if total == 0:
        return math.nan
    observed = np.trace(confusion) / total
    expected = float((confusion.sum(axis=0) / total) @ (confusion.sum(axis=1) / total))
    return math.nan if expected == 1 else float((observed - expected) / (1 - expected))


def agreement(
    left: Mapping[str, Annotation], right: Mapping[str, Annotation], clocks: Mapping[str, Clock]
) -> Agreement:
    """The agreement of two sets of annotations by recording, in the recordings that both have.

    clocks: those of the recordings. Raises InputError where they have no recording in common, and for a label that
    names spans in one and events in the other.
    """
    names = [name for name in left if name in right]
    if not names:
        raise InputError("the two have no annotated recording in common")
    labels = _common_labels(left[names[0]].labels, right[names[0]].labels)
    pairs = list(_pairs(left, right, names, labels, clocks))
    left_ids, right_ids = [pair.left for pair in pairs], [pair.right for pair in pairs]
    matrices = {
        label: sum(_binary_confusion(pair, index) for pair in pairs if pair.label in (None, index))
        for index, label in enumerate(labels.names, 1)
        if label not in labels.events
    }
    label_kappa = {label: cohen_kappa(np.asarray(matrix)) for label, matrix in matrices.items()}
    if labels.exclusive:
        kappa = cohen_kappa(confusion_matrix(right_ids, left_ids, len(labels)))
    else:
        known = [value for value in label_kappa.values() if not math.isnan(value)]
        kappa = float(np.mean(known)) if known else math.nan
    events = event_metrics(
        {name: right[name].instants for name in names},
        {name: left[name].instants for name in names},
        labels.events,
        labels.tolerance,
    )
    return Agreement(
        recordings=len(names),
        seconds=sum(pair.seconds for pair in pairs),
        f1=f1_at_k(right_ids, left_ids, (0.5,))[0],
        kappa=kappa,
        label_kappa=label_kappa,
        event_f1=events.figures()["f1"] if labels.events else math.nan,
        tolerance=labels.tolerance,
        differences=tuple(row for pair in pairs for row in _differences(pair, labels)),
    )


class _Pair(NamedTuple):
    """What two annotators say of the same frames; IGNORE where either did not look."""

    recording: str
    person: int | None
    label: int | None
    """The frame id of the label that it is about; None: any."""
    left: IntArray
    right: IntArray
    fps: float
    seconds: float
    """Time that both looked at, counted once for a recording."""


def _common_labels(left: LabelSet, right: LabelSet) -> LabelSet:
    """The labels of both. Raises InputError for one that names spans here and events there."""
    for name in left.names:
        if name in right.names and (name in left.events) != (name in right.events):
            raise InputError(f"label {name!r} names spans in one of them and events in the other")
    events = tuple(dict.fromkeys((*left.events, *right.events)))
    names = tuple(dict.fromkeys((*left.names, *right.names)))
    return LabelSet(names, left.exclusive and right.exclusive, events, max(left.tolerance, right.tolerance))


def _pairs(
    left: Mapping[str, Annotation],
    right: Mapping[str, Annotation],
    names: list[str],
    labels: LabelSet,
    clocks: Mapping[str, Clock],
) -> Iterator[_Pair]:
    """A pair for each recording and, where people are told apart, person; of overlapping labels one for each label."""
    for name in names:
        fps, num_frames = clocks[name].fps, clocks[name].num_frames
        left_side, right_side = (replace(side[name], labels=labels) for side in (left, right))
        people: list[int | None] = [*sorted({*left_side.people, *right_side.people})] or [None]
        for number, person in enumerate(people):
            left_alone, right_alone = left_side.of_person(person), right_side.of_person(person)
            left_ids, right_ids = (each.frame_ids(num_frames, fps) for each in (left_alone, right_alone))
            known = (left_ids != IGNORE) & (right_ids != IGNORE)
            seconds = float(known.sum() / fps) if number == 0 else 0.0
            if labels.exclusive:
                masked = np.where(known, left_ids, IGNORE), np.where(known, right_ids, IGNORE)
                yield _Pair(name, person, None, masked[0], masked[1], fps, seconds)
                continue
            targets = [each.frame_targets(num_frames, fps)[0] for each in (left_alone, right_alone)]
            for index, label in enumerate(labels.names, 1):
                if label not in labels.events:
                    held = [np.where(each[:, index - 1], index, BACKGROUND) for each in targets]
                    masked = np.where(known, held[0], IGNORE), np.where(known, held[1], IGNORE)
                    yield _Pair(name, person, index, masked[0], masked[1], fps, seconds)
                    seconds = 0.0


def _binary_confusion(pair: _Pair, index: int) -> IntArray:
    """The confusion matrix (2, 2) of a label, by frame id, against everything else."""
    known = pair.left != IGNORE
    left, right = (pair.left == index)[known], (pair.right == index)[known]
    return np.bincount(2 * left + right, minlength=4).reshape(2, 2)


def _differences(pair: _Pair, labels: LabelSet) -> Iterator[Difference]:
    """The times in which a pair differs, in order."""
    texts = ("", *labels.names)
    codes = np.where(pair.left == pair.right, -1, pair.left * (len(labels) + 1) + pair.right)
    first = np.flatnonzero(np.diff(codes, prepend=-2))
    for start, stop in zip(first, np.append(first[1:], len(codes)), strict=True):
        if codes[start] >= 0:
            left, right = texts[pair.left[start]], texts[pair.right[start]]
            yield Difference(pair.recording, start / pair.fps, stop / pair.fps, left, right, pair.person)
