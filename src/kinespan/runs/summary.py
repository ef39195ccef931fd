"""What behaviour researchers count: how often and how long each label occurs, and which label follows which."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, fields, replace
from itertools import pairwise
from pathlib import Path

from ..data.annotation import Annotation, Event, Span
from ..data.clock import Clock
from ..files import write_atomically


@dataclass(frozen=True)
class LabelSummary:
    """A line of summary.csv: a label in a recording, or in the spans of one of its people."""

    recording: str
    person: int | None
    """None where people are not told apart."""
    label: str
    count: int
    """Number of spans, or of events."""
    total_seconds: float | None
    """None for events, as the other two of time."""
    mean_seconds: float | None
    """None without any span."""
    per_minute: float
    """Spans or events a minute of the recording."""
    share: float | None
    """Share of the recording's time, 0 to 1."""


@dataclass(frozen=True)
class Transition:
    """A line of transitions.csv: how often a label is the next one to start after another."""

    recording: str
    person: int | None
    label: str
    next_label: str
    count: int


People = Mapping[str, tuple[int, ...]]
"""The people of recordings in which they are told apart."""


def label_summaries(
    annotations: Mapping[str, Annotation], clocks: Mapping[str, Clock], people: People
) -> list[LabelSummary]:
    """Every label of every recording and person, in the order of the label set, those that do not occur too."""
    rows = []
    for name, annotation in annotations.items():
        seconds = clocks[name].duration
        instants = set(annotation.labels.events)
        for person, occurrences in _by_person(annotation, people.get(name, ())):
            durations: dict[str, list[float]] = {label: [] for label in annotation.labels.names}
            for occurrence in occurrences:
                durations[occurrence.label].append(occurrence.duration if isinstance(occurrence, Span) else 0.0)
            for label, values in durations.items():
                count, total = len(values), sum(values, 0.0)
                mean = total / count if count else None
                row = LabelSummary(name, person, label, count, total, mean, 60 * count / seconds, total / seconds)
                if label in instants:
                    row = replace(row, total_seconds=None, mean_seconds=None, share=None)
                rows.append(row)
    return rows


def transitions(annotations: Mapping[str, Annotation]) -> list[Transition]:
    """How often each label follows each, in order of start, whatever time lies between; by recording and person."""
    rows = []
    for name, annotation in annotations.items():
        order = {label: index for index, label in enumerate(annotation.labels.names)}
        for person, occurrences in _by_person(annotation):
            counts = Counter((before.label, after.label) for before, after in pairwise(occurrences))
            for pair in sorted(counts, key=lambda pair: (order[pair[0]], order[pair[1]])):
                rows.append(Transition(name, person, *pair, counts[pair]))
    return rows


def write_summary(
    annotations: Mapping[str, Annotation], clocks: Mapping[str, Clock], people: People, path: Path
) -> None:
    """Write summary.csv: a line for each `LabelSummary`."""
    _write(LabelSummary, label_summaries(annotations, clocks, people), path)


def write_transitions(annotations: Mapping[str, Annotation], path: Path) -> None:
    """Write transitions.csv: a line for each `Transition`."""
    _write(Transition, transitions(annotations), path)


def _by_person(annotation: Annotation, people: Iterable[int] = ()) -> Iterator[tuple[int | None, list[Span | Event]]]:
    """Spans and events in order of start, of each person by slot, of `people` at least; of all where none are told
    apart."""
    both: list[Span | Event] = [*annotation.spans, *annotation.events]
    both.sort(key=lambda occurrence: occurrence.start if isinstance(occurrence, Span) else occurrence.time)
    slots = sorted({*people, *(-1 if occurrence.person is None else occurrence.person for occurrence in both)})
    for person in [None if slot < 0 else slot for slot in slots] or [None]:
        yield person, [occurrence for occurrence in both if occurrence.person == person]


def _write(kind: type[LabelSummary] | type[Transition], rows: Iterable[LabelSummary | Transition], path: Path) -> None:
    """Write a table as CSV, its header the fields of a row; numbers with six digits after the point."""
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(field.name for field in fields(kind))
    for row in rows:
        table.writerow(round(cell, 6) if isinstance(cell, float) else cell for cell in astuple(row))
    write_atomically(path, text.getvalue())
