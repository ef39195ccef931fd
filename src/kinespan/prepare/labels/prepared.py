"""A label file, matched to recordings by name, and its annotations once their motion is known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ...annotations import read_label_file
from ...annotations.label_file import LabelFile, LabelRow, Unit, annotations_of, label_set
from ...corpus.info import RecordingInfo
from ...data.annotation import Annotation, subtract
from ...errors import InputError
from .coverage import looked_at_time, unlabelled_lines, without_background
from .doubts import doubts
from .instants import split_instants
from .names import match_recordings, one_spelling, plural, read_pairs
from .overlaps import drop_doubles, settle_overlaps
from .times import check_inside, cut_to_recordings, doubtful_units, in_seconds


@dataclass(frozen=True)
class LabelSettings:
    """How the labels of a file are taken. Raises InputError for a bad value."""

    unlabelled: Literal["background", "ignore"] | None = None
    """What time without a label is, in a recording that has labels: background, none of the labels happens; ignore,
    nobody looked. By default background, but in recordings that have points of actions. Time that the file says was
    looked at (covered) is background, all else of such a recording is ignored."""
    time: Unit | None = None
    """What times of the file count where it does not say; by default seconds. Frames count from 0, the end is the first
    frame that is not in it."""
    offset: float = 0.0
    """Seconds to add to all times of labels: negative where the motion starts later than the clock of the labels. A
    column offset, of the labels or of --match, says it for each row or recording."""
    match: Path | None = None
    """Table with the columns labels,motion: names of recordings in the label file, and those of their motion files. A
    column offset may be beside them."""
    tier: tuple[str, ...] = ()
    """Only the labels of these tiers (raters, subjects) of the file; a pattern such as 'gait*' stands for several.
    Needed where a recording has several: tiers are not merged unasked."""
    points: tuple[str, ...] = ()
    """Labels whose rows without an end are points inside actions whose bounds nobody gave; else such labels name
    events."""

    def __post_init__(self) -> None:
        """Check the offset. Raises InputError."""
        if not math.isfinite(self.offset):
            raise InputError(f"--offset {self.offset}: expected a number of seconds")


def read_labels(path: Path, known: Sequence[str], settings: LabelSettings) -> PreparedLabels:
    """Read a label file, and match it to the recordings `known` by name.

    Raises InputError, naming the file, for one that is not of a known format, and for names that are no recording.
    """
    decisions: list[str] = []
    file = _of_one_set(read_label_file(path).without_scores(), settings)
    decisions += [note.removeprefix("decided: ") for note in file.notes]
    if not file.rows and not file.covered:
        raise InputError(f"{path}: it has no labels")
    if file.open_unit and settings.time is None:
        file.in_seconds()  # raises: the unit is asked for
    file = without_background(file, settings.unlabelled, decisions)
    spelt = one_spelling(file.rows, (*(file.labels or ()), *(file.events or ())), decisions)
    pairs = () if settings.match is None else read_pairs(settings.match)
    matches = match_recordings(file, known, pairs, settings.match, decisions)

    def matched(rows: Sequence[LabelRow]) -> tuple[LabelRow, ...]:
        return tuple(
            row
            if name == row.recording and offset is None
            else replace(row, recording=name, offset=offset if row.offset is None else row.offset)
            for row in rows
            for name, offset in matches[row.recording]
        )

    names = tuple(dict.fromkeys(name for targets in matches.values() for name, _ in targets))
    file = replace(file, recordings=names, rows=matched(spelt), covered=matched(file.covered))
    rows, events, _ = split_instants(file, file.rows, settings.points, [])
    label_set(file, rows, events, True)  # raises: mistakes are told before motion is read
    return PreparedLabels(file, settings, tuple(decisions))


def _of_one_set(file: LabelFile, settings: LabelSettings) -> LabelFile:
    """The file with the rows of the tiers that are chosen.

    Raises InputError where none is and a recording has several.
    """
    if settings.tier:
        chosen = file.of_tiers(settings.tier)
        note = f"decided: labels of the tiers {chosen.tier_list()} (--tier), of {len(file.tiers)}"
        return replace(chosen, notes=(*file.notes, note))
    by_recording: dict[str, set[str]] = {}
    for row in file.rows:
        by_recording.setdefault(row.recording, set()).add(row.tier)
    if any(len(tiers) > 1 for tiers in by_recording.values()):
        raise InputError(
            f"{file.path}: it has labels of {len(file.tiers)} tiers, which are not merged unasked: {file.tier_list()}; "
            "choose by --tier NAME, or several that are one set of labels together; --tier '*' is all"
        )
    if len(file.tiers) > 1:
        note = f"decided: each recording has one tier, not all the same: {file.tier_list()}; --tier chooses"
        return replace(file, notes=(*file.notes, note))
    return file


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
        decisions += doubts(rows)
        rows = drop_doubles(cut_to_recordings(rows, infos, decisions), decisions)
        spans = [row for row in rows if row.end is not None and row.label not in events]
        spans, exclusive = settle_overlaps(spans, infos, self.file.exclusive, decisions)
        rows = spans + [row for row in rows if row.end is None or row.label in events]
        looked_at = looked_at_time(rows, covered, events, infos, self.settings.unlabelled)
        labelled = {row.recording for row in rows} | set(looked_at)
        for row in reversed_:
            if row.recording in labelled:  # what lies between is something, not background
                whole = ((0.0, infos[row.recording].duration),)
                looked_at[row.recording] = subtract(looked_at.get(row.recording, whole), [(row.end or 0.0, row.start)])
        labels = label_set(self.file, rows, events, exclusive)
        annotations = annotations_of(names, rows, labels, looked_at)
        result = {name: each for name, each in annotations.items() if each.spans or each.events or name in looked_at}
        return result, decisions + unlabelled_lines(result, infos, len(names) - len(result))

    def _in_seconds(
        self, infos: Mapping[str, RecordingInfo], decisions: list[str]
    ) -> tuple[list[LabelRow], list[LabelRow]]:
        """The rows of labels and of covered time in seconds of the recordings, none of them outside."""
        unit, offset = self.settings.time, self.settings.offset
        written = [row for row in self.file.rows if row.recording in infos]
        _check_people(written, infos, self.file.path)
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
        check_inside([*rows, *covered], [*written, *written_covered], infos, self.file.path, unit, offset)
        decisions += doubtful_units(rows, written, infos, unit)
        over = [
            row for row in covered if (row.end or 0.0) > infos[row.recording].duration + 1 / infos[row.recording].fps
        ]
        if over:
            where = plural(len({row.recording for row in over}), "recording")
            decisions.append(f"warning: covered time past the end of {where} cut, such as {over[0]}; is it in seconds?")
        return rows, covered


def _ends_past(row: LabelRow, info: RecordingInfo) -> bool:
    """Whether a row ends more than a frame after its recording."""
    return row.end is not None and row.end > info.duration + 1 / info.fps


def _check_people(rows: Sequence[LabelRow], infos: Mapping[str, RecordingInfo], file: Path) -> None:
    """Check that the motion has the people of the rows. Raises InputError naming the first row of somebody else."""
    for row in rows:
        people = infos[row.recording].num_people
        if row.person is not None and row.person >= people:
            slots = f"{people} {'person' if people == 1 else 'people'}"
            raise InputError(
                f"{file}, {row}: person is {row.person}, but {row.recording!r} has {slots}, counted from 0; "
                "where the column person is not the place of the person in the motion, rename it"
            )
