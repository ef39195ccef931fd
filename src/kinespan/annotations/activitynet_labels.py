"""The rows of labels in ActivityNet JSON: ground truth, or the segmentation or results of predictions.

Beside what `kinespan.annotations.activitynet` reads, a segment may have no end (``[start]``, ``[start, null]``), and
labels of an instant lie in lists of their own, so that other programs still read the rest: ``"events": [{"label",
"time", "person"?}]`` of a recording, and ``"events": [...]`` of the file, the labels that name one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .activitynet import _covered, _taxonomy_leaves, tolerance_of, write
from .base import FORMATS, AnnotationFormat
from .json_fields import FieldError, is_number, label_of, mapping, parsed, person_of
from .label_file import LabelFile, LabelRow


def read(path: Path) -> LabelFile:
    """The rows of ground truth, or of predictions: the segmentation or, without one, the results, unscored.

    Raises InputError that names the file, the recording and the field.
    """
    with parsed(path) as data:
        if "database" in data or "results" not in data:
            return _truth_rows(path, data)
        field = "results" if data.get("segmentation") is None else "segmentation"
        groups = mapping(data, field, "the predicted spans of each recording")
        rows = [row for name, entries in groups.items() for row in rows_of_entries(name, f"{field}[{name!r}]", entries)]
        rows += _predicted_events(data)
        return LabelFile(path, tuple(dict.fromkeys([*groups, *(row.recording for row in rows)])), tuple(rows))


def sniff(path: Path, head: bytes) -> bool:
    """An object with a database or results within the first keys."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{" and any(key in head for key in (b'"database"', b'"results"'))


FORMATS.register("activitynet")(
    AnnotationFormat((".json",), "ActivityNet JSON, many recordings a file", read, write, sniff)
)


def _predicted_events(data: Mapping[str, Any]) -> list[LabelRow]:
    """The events of predictions that score the threshold: the answer; the others are candidates."""
    if data.get("events") is None:
        return []
    groups, threshold = mapping(data, "events", "the predicted events of each recording"), data.get("event_threshold")
    rows: list[LabelRow] = []
    for name, entries in groups.items():
        scored = zip(rows_of_entries(name, f"events[{name!r}]", entries), entries, strict=True)
        rows += [row for row, entry in scored if (entry.get("score") or 0.0) >= (threshold or 0.0)]
    return rows


def _truth_rows(path: Path, data: Mapping[str, Any]) -> LabelFile:
    database = mapping(data, "database", "the annotated recordings")
    if not database:
        raise FieldError("database", database, "at least one recording")
    rows: list[LabelRow] = []
    covered: list[LabelRow] = []
    for name, entry in database.items():
        field = f"database[{name!r}]"
        if not isinstance(entry, dict):
            raise FieldError(field, entry, "an object with annotations")
        rows += rows_of_entries(name, f"{field}.annotations", entry.get("annotations"))
        rows += rows_of_entries(name, f"{field}.events", entry.get("events") or [])
        stretches = _covered(f"{field}.covered", entry.get("covered")) or ()
        covered += [LabelRow(name, "", *bounds, f"{field}.covered[{i}]") for i, bounds in enumerate(stretches)]
    labels = _names(data, "labels")
    if labels is None and (leaves := _taxonomy_leaves(data.get("taxonomy"))):
        labels = tuple(dict.fromkeys([*leaves, *sorted({row.label for row in rows})]))
    exclusive = data.get("exclusive")
    if exclusive is not None and not isinstance(exclusive, bool):
        raise FieldError("exclusive", exclusive, "true or false")
    return LabelFile(
        path,
        tuple(database),
        tuple(rows),
        tuple(covered),
        labels,
        exclusive,
        _names(data, "events"),
        tolerance_of(data),
    )


def rows_of_entries(recording: str, field: str, entries: object) -> list[LabelRow]:
    """The labels of a recording: each has a segment, or the time of an instant."""
    if not isinstance(entries, list):
        raise FieldError(field, entries, "a list of spans (an empty one where there are none)")
    rows = []
    for index, entry in enumerate(entries):
        where = f"{field}[{index}]"
        if not isinstance(entry, dict):
            raise FieldError(where, entry, "an object with label and segment")
        segment = [entry["time"]] if "time" in entry else entry.get("segment")
        times = segment[:1] if isinstance(segment, list) and len(segment) == 2 and segment[1] is None else segment
        if not isinstance(times, list) or len(times) not in (1, 2) or not all(map(is_number, times)):
            raise FieldError(f"{where}.segment", segment, "[start, end] in seconds, two finite numbers")
        start, end = float(times[0]), float(times[1]) if len(times) == 2 else None
        person = person_of(entry, where)
        rows.append(LabelRow(recording, label_of(entry, where), start, end, where, None if person < 0 else person))
    return rows


def _names(data: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
    """The list of names under a key, None where there is none."""
    names = data.get(key)
    if names is None:
        return None
    if not isinstance(names, list) or not all(isinstance(name, str) and name for name in names):
        raise FieldError(key, names, "a list of names")
    if len(set(names)) != len(names):
        raise FieldError(key, names, "names that are all different")
    return tuple(names)
