"""The rows of a label file of any format, before they are matched to recordings and checked against them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from ..data.annotation import TOLERANCE, Annotation, Event, LabelSet, Span, natural_key
from ..data.span_table import SpanTable
from ..errors import InputError

Interval = tuple[float, float]
"""Start and end in seconds."""
Unit = Literal["seconds", "frames", "milliseconds", "minutes"]
"""What the times of a label file count."""


UNITS: Mapping[Unit, Callable[[float], float]] = {
    "seconds": lambda fps: 1.0,
    "frames": lambda fps: 1.0 / fps,
    "milliseconds": lambda fps: 0.001,
    "minutes": lambda fps: 60.0,
}
"""Seconds in a unit of time, given the rate of the recording."""
_NO_FILE_NAME = re.compile(r'[\x00-\x1f\x7f<>:"\\|?*\ud800-\udfff]')
"""Characters that a file name may not have everywhere."""
_MAX_NAME = 60
"""The most characters of a file name."""


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
    modifier: str = ""
    """What a program keeps beside the label, such as how it was done; empty where there is none."""

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
    open_unit: str = ""
    """The field of times whose unit nothing says and that is not the same in all such files: it is asked for. Empty
    where times of rows without a unit are seconds unless somebody says otherwise."""
    media: Mapping[str, str] = field(default_factory=dict)
    """The film or the sound that a recording's labels were made on, by its name, where the file says one."""

    @property
    def tiers(self) -> dict[str, int]:
        """The number of rows of each tier, in the order of the file."""
        return dict(Counter(row.tier for row in self.rows))

    def without_scores(self) -> LabelFile:
        """The rows as annotations, which have no score."""
        return replace(self, rows=tuple(row if row.score is None else replace(row, score=None) for row in self.rows))

    def in_seconds(self, unit: Unit | None = None, fps: float | None = None, offset: float = 0.0) -> LabelFile:
        """The file with times in seconds: each row in its own unit, else in `unit`, else in seconds.

        A row's own offset goes before `offset`. Frames count from 0 at `fps`, and the end is the first frame that is
        not in it. Raises InputError, naming the option, where the unit or the rate is needed and not given.
        """
        if self.open_unit and unit is None:
            raise InputError(
                f"{self.path}: nothing says what the times in {self.open_unit!r} count; give --time seconds, "
                "milliseconds, minutes or frames"
            )

        def converted(row: LabelRow) -> LabelRow:
            used = row.unit or unit or "seconds"
            if used == "frames" and fps is None:
                raise InputError(f"{self.path}: its times are frames, and nothing says how many a second; give --fps")
            seconds, shift = UNITS[used](fps or 1.0), row.offset if row.offset is not None else offset
            end = None if row.end is None else row.end * seconds + shift
            return replace(row, start=row.start * seconds + shift, end=end, unit="seconds", offset=None)

        return replace(self, rows=tuple(map(converted, self.rows)), covered=tuple(map(converted, self.covered)))

    def of_tiers(self, names: Sequence[str]) -> LabelFile:
        """The file with the rows of some tiers only; a name may be a pattern such as ``*``.

        Raises InputError for a name that no tier has.
        """
        tiers = self.tiers
        chosen: set[str] = set()
        for name in names:
            fits = {tier for tier in tiers if tier == name}
            fits = fits or {tier for tier in tiers if tier.strip() == name.strip()}
            fits = fits or {tier for tier in tiers if fnmatchcase(tier, name)}
            if not fits:
                raise InputError(f"--tier {name}: {self.path} has no such tier; it has {self.tier_list()}")
            chosen |= fits
        return replace(self, rows=tuple(row for row in self.rows if row.tier in chosen))

    def tier_list(self) -> str:
        """The tiers and their numbers of rows, for people."""
        return ", ".join(f"{tier!r} ({count})" for tier, count in self.tiers.items()) or "none"

    def by_recording(self) -> dict[str, LabelFile]:
        """The file of each recording alone."""
        rows: dict[str, list[LabelRow]] = {name: [] for name in self.recordings}
        covered: dict[str, list[LabelRow]] = {name: [] for name in self.recordings}
        for row in self.rows:
            rows[row.recording].append(row)
        for row in self.covered:
            covered[row.recording].append(row)
        return {
            name: replace(self, recordings=(name,), rows=tuple(rows[name]), covered=tuple(covered[name]))
            for name in self.recordings
        }

    @staticmethod
    def joined(path: Path, files: Sequence[LabelFile], notes: Sequence[str]) -> LabelFile:
        """Several files, of different recordings, as one. Raises InputError where two have labels of one recording."""
        homes: dict[str, Path] = {}
        for file in files:
            for name in file.recordings:
                if name in homes:
                    raise InputError(
                        f"{file.path} and {homes[name]}: both have labels of the recording {name!r}, which are not "
                        "merged; give one of them, or rename one"
                    )
                homes[name] = file.path

        def named(file: LabelFile, rows: Iterable[LabelRow]) -> list[LabelRow]:
            return [replace(row, where=f"{file.path.name}, {row.where}") for row in rows]

        declared = [file.labels for file in files if file.labels is not None]
        events = [file.events for file in files if file.events is not None]
        rows = [row for file in files for row in named(file, file.rows)]
        labels = dict.fromkeys(label for names in declared for label in names)
        labels |= dict.fromkeys(sorted({row.label for row in rows}, key=natural_key))
        exclusive = {file.exclusive for file in files}
        return LabelFile(
            path,
            tuple(homes),
            tuple(rows),
            tuple(row for file in files for row in named(file, file.covered)),
            tuple(labels) if declared else None,
            exclusive.pop() if len(exclusive) == 1 else None,
            tuple(dict.fromkeys(label for names in events for label in names)) if len(events) == len(files) else None,
            min((file.tolerance for file in files), default=TOLERANCE),
            (*notes, *dict.fromkeys(f"{file.path.name}: {note}" for file in files for note in file.notes)),
            next((file.open_unit for file in files if file.open_unit), ""),
            {name: medium for file in files for name, medium in file.media.items()},
        )

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


def file_names(recordings: Iterable[str], suffix: str) -> list[str]:
    """A file name, with the folders in it, for each recording: its name without what no file name may have.

    Names that would be alike but for their case are told apart by a number.
    """
    taken: set[str] = set()
    names = []
    for recording in recordings:
        parts = [_NO_FILE_NAME.sub("_", part).strip(" .") for part in recording.split("/")]
        stem = "/".join(part[:_MAX_NAME] for part in parts if part) or "recording"
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem} ({number})"
        taken.add(name.casefold())
        names.append(name + suffix)
    return names


def listed(names: Iterable[str], limit: int = 8) -> str:
    """The first few names, in quotes."""
    quoted = [repr(name) for name in names]
    return ", ".join(quoted[:limit]) + (f" and {len(quoted) - limit} more" if len(quoted) > limit else "")


def _is_span(row: LabelRow, events: Iterable[str]) -> bool:
    return row.end is not None and row.label not in events


def _span(row: LabelRow) -> Span:
    assert row.end is not None
    return Span(row.start, row.end, row.label, row.score, row.person)
