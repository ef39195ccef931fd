"""The labels of `kinespan prepare --annotations FILE`: matched to recordings, mended where that is safe, and told.

Whatever the format, rows become annotations here. Nothing is decided silently: each decision is a line that `prepare`
prints and the corpus keeps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ..annotations import read_label_file
from ..annotations.label_file import Interval, LabelFile, LabelRow, Unit, annotations_of, label_set
from ..corpus.info import RecordingInfo
from ..corpus.splits import subtract
from ..data.annotation import Annotation
from ..errors import InputError
from .label_doubts import doubts
from .label_instants import split_instants
from .label_names import match_recordings, one_spelling, plural, read_pairs
from .label_overlaps import drop_doubles, settle_overlaps
from .label_times import check_inside, cut_to_recordings, doubtful_units, in_seconds

_MOSTLY = 0.5
"""A recording of which more is unlabelled is worth a warning."""


@dataclass(frozen=True)
class LabelSettings:
    """How the labels of a file are taken. Raises InputError for a bad value."""

    unlabelled: Literal["background", "ignore"] | None = None
    """What time without a label is, in a recording that has labels: background, none of the labels happens; ignore,
    nobody looked. By default background, but in recordings that have points of actions. Time that the file says was
    looked at (covered) is background, all else of such a recording is ignored."""
    time: Literal["seconds", "frames", "milliseconds", "minutes"] | None = None
    """What times of the file count where it does not say; by default seconds. Frames count from 0, the end is the first
    frame that is not in it."""
    offset: float = 0.0
    """Seconds to add to all times of labels: negative where the motion starts later than the clock of the labels. A
    column offset, of the labels or of --match, says it for each row or recording."""
    match: Path | None = None
    """Table with the columns labels,motion: names of recordings in the label file, and those of their motion files. A
    column offset may be beside them."""
    points: tuple[str, ...] = ()
    """Labels whose rows without an end are points inside actions whose bounds nobody gave; else such labels name
    events."""


def read_labels(path: Path, known: Sequence[str], settings: LabelSettings) -> PreparedLabels:
    """Read a label file, and match it to the recordings `known` by name.

    Raises InputError, naming the file, for one that is not of a known format, and for names that are no recording.
    """
    decisions: list[str] = []
    file = read_label_file(path)
    if not file.rows and not file.covered:
        raise InputError(f"{path}: it has no labels")
    rows = one_spelling(file.rows, file.labels, decisions)
    pairs = () if settings.match is None else read_pairs(settings.match)
    matches = match_recordings(file, known, pairs, settings.match, decisions)

    def matched(rows: Sequence[LabelRow]) -> tuple[LabelRow, ...]:
        return tuple(
            replace(row, recording=name, offset=offset if row.offset is None else row.offset)
            for row in rows
            for name, offset in matches[row.recording]
        )

    names = tuple(dict.fromkeys(name for targets in matches.values() for name, _ in targets))
    file = replace(file, recordings=names, rows=matched(rows), covered=matched(file.covered))
    split_instants(file, file.rows, settings.points, [])  # a wrong --points is told before motion is read
    return PreparedLabels(file, settings, tuple(decisions))


@dataclass(frozen=True)
class PreparedLabels:
    """A label file whose rows are those of known recordings, before their motion is read."""

    file: LabelFile
    """The labels by the names of the recordings, in one spelling."""
    settings: LabelSettings
    decisions: tuple[str, ...]
    """What was decided so far."""

    def annotations(self, recordings: Sequence[RecordingInfo]) -> tuple[dict[str, Annotation], list[str]]:
        """The annotations of recordings by name, and all decisions, a line each.

        Raises InputError where a row lies outside of its recording, with the unit that would fit, and where none of the
        labelled recordings is among `recordings`.
        """
        decisions = list(self.decisions)
        infos = {info.name: info for info in recordings}
        names = [name for name in self.file.recordings if name in infos]
        missing = plural(len(self.file.recordings) - len(names), "recording")
        if not names:
            raise InputError(f"{self.file.path}: none of its {missing} could be read")
        if len(names) < len(self.file.recordings):
            decisions.append(f"labels of recordings that could not be read left out: {missing}")
        rows, covered = self._in_seconds(infos, decisions)
        rows, events, reversed_ = split_instants(self.file, rows, self.settings.points, decisions)
        rows = drop_doubles(cut_to_recordings(rows, infos, decisions), decisions)
        decisions += doubts(rows)
        spans = [row for row in rows if row.end is not None and row.label not in events]
        spans, exclusive = settle_overlaps(spans, infos, self.file.exclusive, decisions)
        rows = spans + [row for row in rows if row.end is None or row.label in events]
        looked_at = self._looked_at(rows, covered, infos)
        for row in reversed_:
            name, hole = row.recording, (row.end or 0.0, row.start)
            whole = ((0.0, infos[name].duration),)
            looked_at[name] = subtract(looked_at.get(name, whole), [hole])
        labels = label_set(self.file, rows, events, exclusive)
        annotations = annotations_of(names, rows, labels, looked_at)
        result = {name: each for name, each in annotations.items() if each.spans or each.events or name in looked_at}
        return result, decisions + _unlabelled_lines(result, infos, len(names) - len(result))

    def _in_seconds(
        self, infos: Mapping[str, RecordingInfo], decisions: list[str]
    ) -> tuple[list[LabelRow], list[LabelRow]]:
        """The rows of labels and of covered time in seconds of the recordings, none of them outside."""
        unit, offset = self.settings.time, self.settings.offset
        written = [row for row in self.file.rows if row.recording in infos]
        written_covered = [row for row in self.file.covered if row.recording in infos]
        rows = in_seconds(written, infos, unit, offset)
        covered = in_seconds(written_covered, infos, unit, offset)
        if unit is not None and unit != "seconds":
            decisions.append(f"times of labels taken for {unit} (--time)")
        shifted = {row.recording for row in written if (offset if row.offset is None else row.offset) != 0}
        if shifted:
            by_row = [row for row in written if row.offset is not None]
            by = f"by {offset:+g} s (--offset)" if not by_row else "by the column offset"
            decisions.append(f"labels shifted {by} in {plural(len(shifted), 'recording')}")
        check_inside([*rows, *covered], [*written, *written_covered], infos, self.file.path, offset)
        decisions += doubtful_units(rows, written, infos, unit)
        return rows, covered

    def _looked_at(
        self, rows: Sequence[LabelRow], covered: Sequence[LabelRow], infos: Mapping[str, RecordingInfo]
    ) -> dict[str, tuple[Interval, ...]]:
        """The time that was looked at, of each recording that was not looked at from start to end.

        It is what the file says, else, where unlabelled time is ignored, that of the spans.
        """
        said: dict[str, list[Interval]] = {}
        for row in covered:
            bounds = max(row.start, 0.0), min(row.end or 0.0, infos[row.recording].duration)
            said.setdefault(row.recording, []).append(bounds)
        spans: dict[str, list[Interval]] = {}
        for row in rows:
            is_point = row.end is None and row.label in self.settings.points
            if self.settings.unlabelled == "ignore" or (self.settings.unlabelled is None and is_point):
                spans.setdefault(row.recording, [])
        for row in rows:
            if row.end is not None and row.recording in spans:
                spans[row.recording].append((row.start, row.end))
        return {name: union(intervals) for name, intervals in {**spans, **said}.items()}


def union(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The time in any of the intervals, as intervals in order that do not touch."""
    result: list[Interval] = []
    for start, end in sorted(intervals):
        if result and start <= result[-1][1]:
            result[-1] = result[-1][0], max(result[-1][1], end)
        else:
            result.append((start, end))
    return tuple(result)


def _unlabelled_lines(
    annotations: Mapping[str, Annotation], infos: Mapping[str, RecordingInfo], without_labels: int
) -> list[str]:
    """Decisions on the time that has no label."""
    lines: list[str] = []
    seconds = {name: infos[name].duration for name in annotations}
    labelled = {
        name: sum(end - start for start, end in union((span.start, span.end) for span in annotation.spans))
        for name, annotation in annotations.items()
    }
    background = [name for name, each in annotations.items() if each.covered is None and each.spans]
    if background:
        total = sum(seconds[name] for name in background)
        share = 1 - sum(labelled[name] for name in background) / total
        lines.append(
            f"time without a label is background in {plural(len(background), 'recording')}, {share:.0%} of their time"
        )
    mostly = [name for name in background if labelled[name] < (1 - _MOSTLY) * seconds[name]]
    if mostly:
        worst = min(mostly, key=lambda name: labelled[name] / seconds[name])
        lines.append(
            f"warning: more than half of {plural(len(mostly), 'recording')} is unlabelled and taken for background, most "
            f"of {worst!r} ({1 - labelled[worst] / seconds[worst]:.0%}); if nobody looked there, give "
            "--unlabelled ignore, or say what was looked at in a column covered"
        )
    partly = [name for name, each in annotations.items() if each.covered is not None]
    if partly:
        looked_at = sum(end - start for name in partly for start, end in union(annotations[name].covered or ()))
        share = 1 - looked_at / sum(seconds[name] for name in partly)
        lines.append(
            f"unlabelled time is ignored in {plural(len(partly), 'recording')} that were not looked at from start to end, "
            f"{share:.0%} of their time"
        )
        lonely = [name for name in partly if annotations[name].covered == ()]
        if lonely:
            lines.append(
                f"warning: {plural(len(lonely), 'recording')} have instants and no time without them that was looked at; "
                "say it in a column covered, or give --unlabelled background"
            )
    if without_labels:
        lines.append(f"listed without labels, so nothing is assumed of them: {plural(without_labels, 'recording')}")
    return lines


def fit(annotation: Annotation, duration: float) -> tuple[Annotation, int]:
    """The annotation of a motion file cut to its recording of `duration` seconds, and how many spans were cut.

    Raises InputError for a span or event that lies outside altogether.
    """
    spans, cut = [], 0
    for span in annotation.spans:
        if span.start >= duration or span.end <= 0:
            raise InputError(
                f"span {span.label!r} [{span.start:g}, {span.end:g}) s lies outside the recording of {duration:.3f} s; "
                "give times in seconds (not frames) and check the fps"
            )
        start, end = max(span.start, 0.0), min(span.end, duration)
        cut += (start, end) != (span.start, span.end)
        spans.append(replace(span, start=start, end=end))
    for event in annotation.events:
        if not 0 <= event.time <= duration:
            raise InputError(
                f"event {event.label!r} at {event.time:g} s lies outside the recording of {duration:.3f} s; "
                "give times in seconds (not frames) and check the fps"
            )
    covered = annotation.covered
    if covered is not None:
        inside = ((max(start, 0.0), min(end, duration)) for start, end in covered)
        covered = tuple((start, end) for start, end in inside if start < end)
    return Annotation(tuple(spans), annotation.labels, covered, annotation.events), cut
