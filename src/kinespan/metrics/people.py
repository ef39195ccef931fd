"""Whose predictions are scored against whose ground truth, for every metric alike.

Where the ground truth of a recording names people, the recording is scored once for each person in it, as if that
person were alone: with the spans and events of the person and of nobody in particular, on both sides. So a prediction
is matched only with truth of the same person. A span or event that names nobody holds for everybody: a true one is to
be found for each person, a predicted one is a claim about each. Where the ground truth names nobody, the recording is
scored as one, whosever the predictions are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from ..data.annotation import Event, Span
from ..data.predictions import Predictions, Truth
from ..data.span_table import NamedRow
from ..errors import InputError

Occurrence = TypeVar("Occurrence", Span, Event)


def people_apart(predictions: Predictions, truth: Truth) -> tuple[Predictions, Truth]:
    """Predictions and truth with each person, where people are told apart, as a recording of its own.

    The people of a recording are those of `Truth.people` and those whom its truth or a prediction names. Everything is
    returned as it is where the truth names nobody.
    """
    people = {name: _people(predictions, truth, name) for name in truth.annotations}
    if not any(people.values()):
        return predictions, truth
    slots: dict[str, list[tuple[str, int | None]]] = {
        name: [(_name(name, slot), slot) for slot in own] or [(name, None)] for name, own in people.items()
    }
    clashes = sorted(set(truth.annotations) & {new for own in slots.values() for new, slot in own if slot is not None})
    if clashes:
        raise InputError(f"recording {clashes[0]!r}: it is also the name of a person in another; rename the recording")

    def apart(groups: Mapping[str, Sequence[Occurrence]]) -> dict[str, tuple[Occurrence, ...]]:
        return {new: _of_person(groups[name], slot) for name in groups for new, slot in slots[name]}

    def rows_apart(rows: Sequence[NamedRow]) -> tuple[NamedRow, ...]:
        return tuple(
            (new, row) for name, row in rows for new, slot in slots[name] if slot is None or row[-1] in (slot, -1)
        )

    def for_each(values: Mapping[str, float]) -> dict[str, float]:
        return {new: values[name] for name in values if name in slots for new, _ in slots[name]}

    annotations = {
        new: annotation.of_person(slot)
        for name, annotation in truth.annotations.items()
        for new, slot in slots[name]
    }  # fmt: skip
    segmentation = None if predictions.segmentation is None else apart(predictions.segmentation)
    return (
        replace(
            predictions,
            proposals=apart(predictions.proposals),
            segmentation=segmentation,
            without_length=rows_apart(predictions.without_length),
            events=apart(predictions.events),
            scores={
                (new, None): predictions.scores[name, slot]
                for name in people
                for new, slot in slots[name]
                if (name, slot) in predictions.scores
            },
        ),
        replace(
            truth,
            annotations=annotations,
            durations=for_each(truth.durations),
            fps=for_each(truth.fps),
            without_length=rows_apart(truth.without_length),
        ),
    )


def _people(predictions: Predictions, truth: Truth, name: str) -> tuple[int, ...]:
    """The people of a recording, by slot; empty where its truth names nobody."""
    named = truth.annotations[name].people
    if not named:
        return ()
    predicted = (*predictions.proposals.get(name, ()), *(predictions.segmentation or {}).get(name, ()))
    claimed = {span.person for span in predicted} | {event.person for event in predictions.events.get(name, ())}
    return tuple(sorted({*named, *truth.people.get(name, ()), *(slot for slot in claimed if slot is not None)}))


def _of_person(occurrences: Sequence[Occurrence], slot: int | None) -> tuple[Occurrence, ...]:
    """The spans or events of a person and of nobody in particular; all where the slot is None."""
    return tuple(item for item in occurrences if slot is None or item.person in (slot, None))


def _name(recording: str, slot: int) -> str:
    return f"{recording}, person {slot}"
