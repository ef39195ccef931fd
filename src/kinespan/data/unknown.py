"""`unknown` as an answer: segments of which a model is less sure than asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from ..errors import InputError
from .annotation import Annotation, LabelSet, Span

NAMES = ("unknown", "unknown to the model")
"""What the answer is called; the second where the first is a label of the user's own."""


def unknown_label(labels: LabelSet) -> str:
    """The name of the answer `unknown` beside some labels, none of which it is, whatever their case."""
    taken = {name.casefold() for name in labels.names}
    for name in (*NAMES, *(f"{NAMES[1]} {number}" for number in range(2, len(taken) + 3))):
        if name.casefold() not in taken:
            return name
    raise AssertionError("there are more names than labels")


@dataclass(frozen=True)
class Unknown:
    """How a model abstains: segments that score less than `below` are answered `label`."""

    label: str
    """Never a label of the model."""
    below: float
    """0 to 1. Raises InputError, naming --unknown-below, for another number."""

    def __post_init__(self) -> None:
        """Check the threshold. Raises InputError."""
        if not (math.isfinite(self.below) and 0 <= self.below <= 1):
            raise InputError(f"--unknown-below {self.below}: expected a score from 0 to 1")

    def labels(self, labels: LabelSet) -> LabelSet:
        """A model's labels, and this one after them."""
        return replace(labels, names=(*labels.names, self.label))

    def spans(self, spans: Iterable[Span]) -> tuple[Span, ...]:
        """The spans, with this label in place of their own where they score too little; they keep bounds and score."""
        return tuple(replace(span, label=self.label) if (span.score or 0.0) < self.below else span for span in spans)

    def answer(self, annotation: Annotation) -> Annotation:
        """An answer, in which segments that score too little are of this label; events stay."""
        return replace(annotation, spans=self.spans(annotation.spans), labels=self.labels(annotation.labels))


def unknown_of(labels: LabelSet, below: float | None) -> Unknown | None:
    """How a model of these labels abstains below a score; None where it always answers."""
    return None if below is None else Unknown(unknown_label(labels), below)
