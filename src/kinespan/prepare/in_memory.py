"""From recordings and labels that are in memory to a corpus."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import io
from ..corpus.splits import Split, union_of
from ..corpus.splitting import SplitRule, default_split, recording_split, ruled_split
from ..corpus.store import Corpus
from ..corpus.writer import CorpusWriter
from ..data.annotation import Annotation, Event, LabelSet, Span, natural_key
from ..data.recording import Recording
from ..data.span_table import SpanTable
from ..errors import InputError, unknown
from ..transforms.normalise import even_rate

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
    split: SplitRule | None = None,
    overwrite: bool = False,
) -> Corpus:
    """Write recordings, and the labels that there are, as a corpus, and open it.

    Parameters:
        path: the folder of the corpus.
        recordings: Recordings, or motion files, with different names.
        annotations: labels for each recording in order, or by its name. Rows of all recordings make one label set: a
            label all of whose rows are instants names an event, and labels exclude each other where no two spans of a
            recording overlap. Time of a labelled recording without a label is background.
        name: the name of the corpus, by default that of the folder.
        split: how a corpus with labels is split, as in `kinespan prepare`.
        overwrite: replace a corpus that is at `path`.

    Raises InputError for labels that fit no recording, that lie outside of theirs, or that are no labels, for two
    recordings of one name, and for a path that exists.
    """
    takes = [io.read(item).recording if isinstance(item, str | Path) else item for item in recordings]
    by_name = annotations_by_name(takes, annotations)
    with CorpusWriter(path, name or Path(path).resolve().name, overwrite=overwrite) as writer:
        for take in takes:
            writer.add(even_rate(take), by_name.get(take.name))
        if by_name:
            for each in _splits(writer, split or SplitRule()):
                writer.add_split(each)
    return Corpus.open(path)


def annotations_by_name(
    recordings: Sequence[Recording], annotations: Sequence[Labels] | Mapping[str, Labels] | None
) -> dict[str, Annotation]:
    """The annotations of the recordings that have labels, over one label set; see `write_corpus`."""
    by_name = _by_name(recordings, annotations)
    durations = {recording.name: recording.duration for recording in recordings}
    rows = {name: _rows(labels, name) for name, labels in by_name.items() if not isinstance(labels, Annotation)}
    result = {name: labels for name, labels in by_name.items() if isinstance(labels, Annotation)}
    result |= _annotations_of_rows(rows)
    labels = union_of(result[name].labels for name in by_name)
    if labels is None:
        return {}
    return {name: replace(_inside(result[name], durations[name], name), labels=labels) for name in by_name}


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


def _rows(labels: Iterable[Any], name: str) -> list[Span | Event]:
    """Labels of a recording as Spans and Events."""
    if hasattr(labels, "itertuples"):  # a pandas table
        missing = [column for column in ("label", "start", "end") if column not in labels]
        if missing:
            raise InputError(f"annotations of {name!r}: the table has no column {missing[0]!r}")
        labels = labels[["label", "start", "end"]].itertuples(index=False, name=None)  # type: ignore[index]
    return [_row(row, f"annotations of {name!r}, row {number}") for number, row in enumerate(labels, 1)]


def _row(row: Any, where: str) -> Span | Event:
    """A row as a Span or an Event."""
    if isinstance(row, Span | Event):
        return row
    try:
        label, start, end = row if len(row) == 3 else (*row, None)
        start, end = float(start), None if end is None else float(end)
    except (TypeError, ValueError):
        raise InputError(f"{where}: found {row!r}, expected {ROW}") from None
    if not isinstance(label, str):
        raise InputError(f"{where}: found {row!r}, expected {ROW}")
    try:
        return Event(start, label) if end is None or math.isnan(end) else Span(start, end, label)
    except InputError as error:
        raise InputError(f"{where}: {error}") from None


def _annotations_of_rows(rows: Mapping[str, Sequence[Span | Event]]) -> dict[str, Annotation]:
    """Annotations by recording over the label set that the rows of all of them make."""
    unique = {name: list(dict.fromkeys(items)) for name, items in rows.items()}
    spans = {name: tuple(item for item in items if isinstance(item, Span)) for name, items in unique.items()}
    events = {name: tuple(item for item in items if isinstance(item, Event)) for name, items in unique.items()}
    span_labels = {span.label for items in spans.values() for span in items}
    instants = {event.label for items in events.values() for event in items} - span_labels
    names = tuple(sorted(span_labels | instants, key=natural_key))
    labels = LabelSet(names, not SpanTable.of(spans).has_overlaps(), tuple(instants))
    return {name: Annotation(spans[name], labels, events=events[name]) for name in rows}


def _inside(annotation: Annotation, duration: float, name: str) -> Annotation:
    """The annotation cut to its recording. Raises InputError for a label that lies outside altogether."""
    for label, start, end, *_ in annotation.rows():
        if start > duration or (end is not None and (start == duration or end <= 0)):
            raise InputError(
                f"annotations of {name!r}: {label!r} at {start:g} s lies outside the recording of {duration:.2f} s; "
                "give times in seconds, not frames"
            )
    spans = tuple(replace(s, start=max(s.start, 0.0), end=min(s.end, duration)) for s in annotation.spans)
    return replace(annotation, spans=spans)


def _splits(writer: CorpusWriter, rule: SplitRule) -> list[Split]:
    """The split of a rule: by its group, else by an attribute of the recordings, else by recording."""
    infos = writer.infos
    if rule.group is not None:
        return [ruled_split(infos, rule)]
    split = default_split(infos, rule.folds, rule.seed) or recording_split(infos, rule.folds, rule.seed)
    return [] if split is None else [split]
