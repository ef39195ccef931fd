"""The time that somebody looked at, and what time without a label is taken for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from ...annotations.label_file import Interval, LabelFile, LabelRow
from ...corpus.info import RecordingInfo
from ...data.annotation import Annotation
from .names import percent, plural

_MOSTLY = 0.5
"""A recording of which more is unlabelled is worth a warning."""


def looked_at_time(
    rows: Sequence[LabelRow],
    covered: Sequence[LabelRow],
    events: Collection[str],
    infos: Mapping[str, RecordingInfo],
    unlabelled: str | None,
) -> dict[str, tuple[Interval, ...]]:
    """The time that was looked at, of each recording that was not looked at from start to end.

    It is what the file says (`covered`), else, where `unlabelled` time is to be ignored, that of the spans; by default
    it is in recordings with points of actions.
    """
    said: dict[str, list[Interval]] = {}
    for row in covered:
        start, end = max(row.start, 0.0), min(row.end or 0.0, infos[row.recording].duration)
        said.setdefault(row.recording, []).extend([(start, end)] if start < end else [])
    spans: dict[str, list[Interval]] = {}
    for row in rows:
        is_point = row.end is None and row.label not in events
        if unlabelled == "ignore" or (unlabelled is None and is_point):
            spans.setdefault(row.recording, [])
    for row in rows:
        if row.end is not None and row.label not in events and row.recording in spans:
            spans[row.recording].append((row.start, row.end))
    return {name: union(intervals) for name, intervals in {**spans, **said}.items()}


BACKGROUND_LABEL = "background"
"""A label that says in words what time without a label is."""


def without_background(file: LabelFile, unlabelled: str | None, decisions: list[str]) -> LabelFile:
    """The file without rows labelled background: that time was looked at, and nothing happens in it.

    Where `unlabelled` time is to be ignored, theirs is looked at, as that of the other rows is.
    """
    background = [row for row in file.rows if row.label.strip().lower() == BACKGROUND_LABEL]
    if not background:
        return file
    decisions.append(f"rows of {background[0].label!r} are time without a label: {len(background)} ({background[0]})")
    covered = file.covered
    if unlabelled == "ignore" and not covered:
        covered = tuple(replace(row, label="") for row in file.rows if row.end is not None)
    labels = file.labels and tuple(name for name in file.labels if name.strip().lower() != BACKGROUND_LABEL)
    rows = tuple(row for row in file.rows if row not in set(background))
    return replace(file, rows=rows, covered=covered, labels=labels)


def union(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The time in any of the intervals, as intervals in order that do not touch."""
    result: list[Interval] = []
    for start, end in sorted(intervals):
        if result and start <= result[-1][1]:
            result[-1] = result[-1][0], max(result[-1][1], end)
        else:
            result.append((start, end))
    return tuple(result)


def unlabelled_lines(
    annotations: Mapping[str, Annotation], infos: Mapping[str, RecordingInfo], without_labels: int
) -> list[str]:
    """Decisions on the time that has no label."""
    seconds = {name: infos[name].duration for name in annotations}
    labelled = {
        name: _seconds(union((span.start, span.end) for span in annotation.spans))
        for name, annotation in annotations.items()
    }
    background = [name for name, each in annotations.items() if each.covered is None and each.spans]
    partly = [name for name, each in annotations.items() if each.watched is not None]
    pointed = [name for name, each in annotations.items() if each.covered is not None and each.watched is None]
    lines: list[str] = []
    if background:
        share = 1 - sum(labelled[name] for name in background) / sum(seconds[name] for name in background)
        where = plural(len(background), "recording")
        lines.append(f"time without a label is background in {where}, {percent(share)} of their time")
    mostly = [name for name in background if labelled[name] < (1 - _MOSTLY) * seconds[name]]
    if mostly:
        worst = min(mostly, key=lambda name: labelled[name] / seconds[name])
        lines.append(
            f"warning: more than half of {plural(len(mostly), 'recording')} is unlabelled and taken for background, "
            f"most of {worst!r} ({percent(1 - labelled[worst] / seconds[worst])}); if nobody looked there, give "
            "--unlabelled ignore, or say what was looked at in a column covered"
        )
    if partly:
        looked_at = sum(_seconds(annotations[name].covered or ()) for name in partly)
        share = 1 - looked_at / sum(seconds[name] for name in partly)
        where = plural(len(partly), "recording")
        lines.append(f"time that nobody looked at is ignored in {where}, {percent(share)} of their time")
    if pointed:
        lines.append(
            f"time without a label is background only where training learns it in {plural(len(pointed), 'recording')} "
            "with points; if only a part was looked at, say so in a column covered"
        )
    lonely = [name for name in partly if not annotations[name].covered]
    if lonely:
        lines.append(
            f"warning: nothing says where no label holds in {plural(len(lonely), 'recording')} of instants alone; "
            "say what was looked at in a column covered, or give --unlabelled background"
        )
    if without_labels:
        lines.append(f"listed without labels, so nothing is assumed of them: {plural(without_labels, 'recording')}")
    return lines


def _seconds(intervals: Iterable[Interval]) -> float:
    return sum(end - start for start, end in intervals)
