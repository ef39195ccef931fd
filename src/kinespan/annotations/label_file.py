"""The rows of a label file of any format, before they are matched to recordings and checked against them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ..data.annotation import TOLERANCE, Annotation, Event, LabelSet, Span, natural_key
from ..data.span_table import SpanTable
from ..errors import InputError

Interval = tuple[float, float]
"""Start and end in seconds."""
Unit = Literal["seconds", "frames", "milliseconds", "minutes"]
"""What the times of a label file count."""


@dataclass(frozen=True)
class LabelRow:
    """A row of a label file, as it stands there: nothing is checked but that its times are finite."""

    recording: str
    """The name of the recording in the file."""
    label: str
    """The label as it is spelt; empty in a row of `LabelFile.covered`."""
    start: float
    """In `unit`."""
    end: float | None
    """In `unit`; None where the row has no end."""
    where: str
    """Where the row is, such as ``line 3``."""
    person: int | None = None
    unit: Unit | None = None
    """What start and end count; None where the file does not say."""
    offset: float | None = None
    """Seconds to add to start and end."""
    tier: str = ""
    """The tier, track, rater or subject that the row belongs to; empty where the format has none."""
    score: float | None = None
    """How sure a prediction is; None for annotations."""

    @property
    def is_instant(self) -> bool:
        """Whether it has no end, or one that is its start."""
        return self.end is None or self.end == self.start

    def __str__(self) -> str:
        """The row for people: where it is, its label and its times."""
        times = f"{self.start:g}" if self.end is None else f"{self.start:g} to {self.end:g}"
        return f"{self.where} ({self.label!r} {times})" if self.label else f"{self.where} ({times})"


@dataclass(frozen=True)
class LabelFile:
    """What a label file says; the reader of each format makes one."""

    path: Path
    recordings: tuple[str, ...]
    """The names of all recordings that it lists, those without a label too."""
    rows: tuple[LabelRow, ...]
    """In the order of the file."""
    covered: tuple[LabelRow, ...] = ()
    """The time that somebody looked at, of the recordings where the file says it."""
    labels: tuple[str, ...] | None = None
    """The labels that the file declares, in order; None: those that occur."""
    exclusive: bool | None = None
    """Whether the file says that at most one label holds at a time."""
    events: tuple[str, ...] | None = None
    """The labels that the file declares to name an instant; None: those all of whose rows are instants."""
    tolerance: float = TOLERANCE
    """Seconds by which an instant may be off."""
    notes: tuple[str, ...] = ()
    """What the reader decided and what it left out, with counts, in plain lines."""

    @property
    def tiers(self) -> dict[str, int]:
        """The number of rows of each tier, in the order of the file."""
        return dict(Counter(row.tier for row in self.rows))

    @staticmethod
    def of(annotations: Mapping[str, Annotation], path: Path) -> LabelFile:
        """The rows of annotations over one label set, in order of start, to be written to `path`."""
        rows, covered = [], []
        for name, annotation in annotations.items():
            spans = [LabelRow(name, s.label, s.start, s.end, "", s.person, score=s.score) for s in annotation.spans]
            events = [LabelRow(name, e.label, e.time, None, "", e.person, score=e.score) for e in annotation.events]
            rows += sorted(spans + events, key=lambda row: row.start)
            covered += [LabelRow(name, "", start, end, "") for start, end in annotation.covered or ()]
        labels = next((annotation.labels for annotation in annotations.values()), LabelSet(()))
        return LabelFile(
            path,
            tuple(annotations),
            tuple(rows),
            tuple(covered),
            labels.names,
            labels.exclusive,
            labels.events,
            labels.tolerance,
        )

    def annotations(self) -> dict[str, Annotation]:
        """Annotations by recording, as the file has them, in seconds.

        They are exclusive as the file says, else where no two spans of a recording overlap. Raises InputError, naming
        the row, for one that ends where or before it starts, and for times in frames.
        """
        events = event_labels(self.rows, self.events)
        spans: dict[str, list[Span]] = {name: [] for name in self.recordings}
        for row in self.rows:
            if row.unit not in (None, "seconds"):
                raise InputError(f"{self.path}, {row}: times in {row.unit}; expected seconds")
            if row.end is not None and row.label not in events and row.end <= row.start:
                raise InputError(f"{self.path}, {row}: start must be before end")
            if _is_span(row, events):
                spans[row.recording].append(_span(row))
        exclusive = self.exclusive
        if exclusive is None:
            exclusive = not SpanTable.of(spans).has_overlaps()
        covered: dict[str, list[Interval]] = {}
        for row in self.covered:
            covered.setdefault(row.recording, []).append((row.start, row.end or row.start))
        return annotations_of(self.recordings, self.rows, label_set(self, self.rows, events, exclusive), covered)


def event_labels(
    rows: Iterable[LabelRow], declared: Sequence[str] | None = None, points: Sequence[str] = ()
) -> frozenset[str]:
    """The labels that name an instant: the declared ones, else those all of whose rows are instants, but no `points`.

    `points` are labels whose instants lie inside actions.
    """
    if declared is not None:
        return frozenset(declared) - set(points)
    rows = list(rows)
    return frozenset(row.label for row in rows) - {row.label for row in rows if not row.is_instant} - set(points)


def label_set(file: LabelFile, rows: Iterable[LabelRow], events: frozenset[str], exclusive: bool) -> LabelSet:
    """The declared labels, or those of the rows by name. Raises InputError for a label that is not declared."""
    occurring = sorted({row.label for row in rows}, key=natural_key)
    names = file.labels if file.labels is not None else tuple(occurring)
    missing = [name for name in occurring if name not in set(names)]
    if missing:
        raise InputError(
            f"{file.path}: annotations have the labels {listed(missing)}, which are not in labels: {listed(names)}; "
            "add them to labels or correct the annotations"
        )
    return LabelSet(tuple(names), exclusive, tuple(name for name in names if name in events), file.tolerance)


def annotations_of(
    recordings: Iterable[str],
    rows: Iterable[LabelRow],
    labels: LabelSet,
    covered: Mapping[str, Sequence[Interval]],
) -> dict[str, Annotation]:
    """The annotations of recordings from rows in seconds: a row without an end, or of an event label, is an Event."""
    spans: dict[str, list[Span]] = {name: [] for name in recordings}
    events: dict[str, list[Event]] = {name: [] for name in spans}
    for row in rows:
        if _is_span(row, labels.events):
            spans[row.recording].append(_span(row))
        else:
            events[row.recording].append(Event(row.start, row.label, row.score, row.person))
    return {
        name: Annotation(
            tuple(spans[name]), labels, tuple(covered[name]) if name in covered else None, tuple(events[name])
        )
        for name in spans
    }


def listed(names: Iterable[str], limit: int = 8) -> str:
    """The first few names, in quotes."""
    quoted = [repr(name) for name in names]
    return ", ".join(quoted[:limit]) + (f" and {len(quoted) - limit} more" if len(quoted) > limit else "")


def _is_span(row: LabelRow, events: Iterable[str]) -> bool:
    return row.end is not None and row.label not in events


def _span(row: LabelRow) -> Span:
    assert row.end is not None
    return Span(row.start, row.end, row.label, row.score, row.person)
