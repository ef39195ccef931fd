"""From recordings and labels that are in memory to a corpus."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import io
from ..annotations.label_file import LabelFile, LabelRow
from ..corpus.info import RecordingInfo
from ..corpus.splits import Split, union_of
from ..corpus.splitting import SplitRule, default_split, recording_split, ruled_split
from ..corpus.store import Corpus
from ..corpus.writer import CorpusWriter
from ..data.annotation import Annotation, Event, Span
from ..data.recording import Recording
from ..errors import InputError, unknown
from ..transforms.normalise import even_rate
from .labels import LabelSettings, PreparedLabels, fit
from .labels.names import one_spelling

Labels = Annotation | Iterable[Any] | None
"""The labels of a recording: an Annotation, or rows, each a Span, an Event, (label, start, end) in seconds or (label,
time) for an instant; a pandas table with the columns label, start, end; None: the recording is not labelled."""
ROW = "(label, start, end), (label, time), a Span or an Event"


def write_corpus(
    path: str | Path,
    recordings: Iterable[Recording | str | Path],
    annotations: Sequence[Labels] | Mapping[str, Labels] | None = None,
    *,
    name: str | None = None,
    labels: LabelSettings | None = None,
    split: SplitRule | None = None,
    overwrite: bool = False,
) -> Corpus:
    """Write recordings, and the labels that there are, as a corpus, and open it.

    Parameters:
        path: the folder of the corpus.
        recordings: Recordings, or motion files, with different names.
        annotations: labels for each recording in order, or by its name. Rows are taken as those of a label file: of all
            recordings they make one label set, in which a label without any length names an event, and labels exclude
            each other where no two spans of a recording overlap; what was decided stands in ``corpus.decisions``. Time
            of a labelled recording without a label is background.
        name: the name of the corpus, by default that of the folder.
        labels: how rows are taken, as in `kinespan prepare`.
        split: how a corpus with labels is split, as in `kinespan prepare`.
        overwrite: replace a corpus that is at `path`.

    Raises InputError for labels that fit no recording, that lie outside of theirs, or that are no labels, for two
    recordings of one name, and for a path that exists.
    """
    takes = [io.read(item).recording if isinstance(item, str | Path) else item for item in recordings]
    by_name, decisions = annotations_by_name(takes, annotations, labels)
    with CorpusWriter(path, name or Path(path).resolve().name, overwrite=overwrite) as writer:
        for take in takes:
            writer.add(even_rate(take), by_name.get(take.name))
        for line in decisions:
            writer.decide(line)
        if by_name:
            for each in _splits(writer, split or SplitRule()):
                writer.add_split(each)
    return Corpus.open(path)


def annotations_by_name(
    recordings: Sequence[Recording],
    annotations: Sequence[Labels] | Mapping[str, Labels] | None,
    settings: LabelSettings | None = None,
) -> tuple[dict[str, Annotation], list[str]]:
    """The annotations of the recordings that have labels, over one label set, and decisions; see `write_corpus`."""
    by_name = _by_name(recordings, annotations)
    infos = {recording.name: _info(recording) for recording in recordings}
    rows = {name: _rows(labels, name) for name, labels in by_name.items() if not isinstance(labels, Annotation)}
    result, decisions = _annotations_of_rows(rows, infos, settings or LabelSettings())
    for name, labels in by_name.items():
        if isinstance(labels, Annotation):
            try:
                result[name], _ = fit(labels, infos[name].duration)
            except InputError as error:
                raise InputError(f"annotations of {name!r}: {error}") from None
    label_set = union_of(result[name].labels for name in by_name if name in result)
    if label_set is None:
        return {}, decisions
    return {name: replace(result[name], labels=label_set) for name in by_name if name in result}, decisions


def _by_name(
    recordings: Sequence[Recording], annotations: Sequence[Labels] | Mapping[str, Labels] | None
) -> dict[str, Annotation | Iterable[Any]]:
    """The labels that there are, by the name of their recording, in the order of the recordings."""
    names = [recording.name for recording in recordings]
    if annotations is None:
        return {}
    if isinstance(annotations, Mapping):
        for name in annotations:
            if name not in names:
                raise unknown("recording", name, names)
        labels = [annotations.get(name) for name in names]
    else:
        labels = list(annotations)
    if len(labels) != len(names):
        raise InputError(f"annotations: found {len(labels)} for {len(names)} recordings; None stands for no labels")
    return {name: each for name, each in zip(names, labels, strict=True) if each is not None}


def _rows(labels: Iterable[Any], name: str) -> list[LabelRow]:
    """Labels of a recording as the rows of a label file."""
    if hasattr(labels, "itertuples"):  # a pandas table
        missing = [column for column in ("label", "start", "end") if column not in labels]
        if missing:
            raise InputError(f"annotations of {name!r}: the table has no column {missing[0]!r}")
        table: Any = labels
        labels = table[["label", "start", "end"]].itertuples(index=False, name=None)
    return [_row(row, name, f"row {number} of {name!r}") for number, row in enumerate(labels, 1)]


def _row(row: Any, name: str, where: str) -> LabelRow:
    """A row of `Labels` as that of a label file."""
    if isinstance(row, Span):
        return LabelRow(name, row.label, row.start, row.end, where, row.person)
    if isinstance(row, Event):
        return LabelRow(name, row.label, row.time, None, where, row.person)
    error = InputError(f"annotations, {where}: found {row!r}, expected {ROW}")
    try:
        label, start, end = row if len(row) == 3 else (*row, None)
        start, end = float(start), None if end is None or math.isnan(end) else float(end)
    except (TypeError, ValueError):
        raise error from None
    if not isinstance(label, str) or not label.strip() or not math.isfinite(start) or math.isinf(end or 0):
        raise error
    return LabelRow(name, label, start, end, where)


def _annotations_of_rows(
    rows: Mapping[str, Sequence[LabelRow]], infos: Mapping[str, RecordingInfo], settings: LabelSettings
) -> tuple[dict[str, Annotation], list[str]]:
    """Annotations by recording over the label set that the rows of all of them make, and what was decided."""
    decisions: list[str] = []
    every = one_spelling([row for group in rows.values() for row in group], (), decisions)
    if not every:
        return {}, decisions
    empty = [name for name, group in rows.items() if not group]  # looked at, and nothing happens
    covered = tuple(LabelRow(name, "", 0.0, infos[name].duration, f"{name!r}", unit="seconds") for name in empty)
    file = LabelFile(Path("annotations"), tuple(rows), every, covered)
    annotations, decisions = PreparedLabels(file, settings, tuple(decisions)).annotations(
        [infos[name] for name in rows]
    )
    return {
        name: replace(each, covered=None) if name in empty else each for name, each in annotations.items()
    }, decisions


def _info(recording: Recording) -> RecordingInfo:
    """The facts of a recording that labels are checked against."""
    return RecordingInfo(
        name=recording.name,
        fps=recording.fps,
        num_frames=max(1, round(recording.duration * recording.fps)),
        num_people=recording.num_people,
        skeleton=recording.skeleton,
        source=recording.source,
        checksum="",
        attributes=recording.attributes,
        history=recording.history,
        annotated=False,
    )


def _splits(writer: CorpusWriter, rule: SplitRule) -> list[Split]:
    """The split of a rule: by its group, else by an attribute of the recordings, else by recording."""
    infos = writer.infos
    if rule.group is not None:
        return [ruled_split(infos, rule)]
    split = default_split(infos, rule.folds, rule.seed) or recording_split(infos, rule.folds, rule.seed)
    return [] if split is None else [split]
