"""Whether the labels of an annotation set are enough to train on, told before a process starts."""

from __future__ import annotations

from collections.abc import Sequence

from ..corpus.store import Corpus
from ..corpus.training_set import corpus_parts
from ..data.annotation import Annotation, subtract
from ..errors import InputError

LEAST_BACKGROUND = 0.5
"""Seconds that were looked at and left empty which count as background."""


def check_enough_labels(corpus: Corpus, split: str | None = None) -> None:
    """Raise InputError where the labels of the chosen annotation set cannot train a model, saying what is missing.

    Point labels are enough: training grows their spans, and learns what background is. split: the split whose first
    fold is trained and tested on.
    """
    name = corpus.set
    if name is None or corpus.labels is None:
        raise InputError("the corpus has no annotation set to train on; make one, and label some actions")
    if split is not None and split not in corpus.splits:
        corpus.fold(split, 1)  # raises
    sides = corpus_parts(corpus, split, 1)
    durations = {info.name: info.duration for info in corpus.infos}
    annotations = {each: corpus.annotation(each, drop=sides.drop_labels) for each in corpus.names}
    training = {each: annotation for each in sides.train if (annotation := annotations[each]) is not None}
    points = {point.label for annotation in training.values() for point in annotation.point_labels}
    spans = sorted(points | {span.label for annotation in training.values() for span in annotation.spans})
    instants = sorted({event.label for annotation in training.values() for event in annotation.instants})
    where = f"annotation set {name!r}" if split is None else f"annotation set {name!r}, training side of {split!r}"
    if not spans and not instants:
        raise InputError(f"{where}: nothing is labelled yet; label some actions first")
    background = sum(_background(annotation, durations[each]) for each, annotation in training.items())
    if background < LEAST_BACKGROUND and not points and (len(spans) < 2 or not corpus.labels.exclusive):
        labels = ", ".join(repr(label) for label in (*spans, *instants))
        raise InputError(
            f"{where}: it holds {labels} only, and no time without it that was watched; watch some time in which "
            "it does not happen, or label something else too"
        )
    if split is not None and all(annotations[each] is None for each in sides.test):
        raise InputError(f"{where}: none of the {len(sides.test)} test recordings is labelled; label some, or use none")


def _background(annotation: Annotation, duration: float) -> float:
    """Seconds that were looked at and have no span."""
    covered: Sequence[tuple[float, float]] = annotation.known or ()
    if annotation.known is None:
        covered = ((0.0, duration),)
    empty = subtract(covered, [(span.start, span.end) for span in annotation.spans])
    return sum(min(end, duration) - max(start, 0.0) for start, end in empty if end > 0 and start < duration)
