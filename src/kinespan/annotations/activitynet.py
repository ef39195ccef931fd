"""ActivityNet JSON: proposals (P.json) and annotations, such as ground truth (T.json), both read and written.

Plain ActivityNet files are read; written files have a few more fields, which are read where they exist:

* P.json: ``{"version", "results": {recording: [{"label", "score", "segment": [start, end], "person"?}]},
  "external_data": {...}, "segmentation"?: {recording: [{"label", "segment", "score"}]}, "events"?: {recording:
  [{"label", "time", "score", "person"?}]}, "event_threshold"?: number, "unknown"?: {"label", "below"}}``: the results
  are proposals, and of the events, which are candidates too, those that score the threshold are the answer; segments
  that score less than "below" have the label of "unknown"
* T.json: ``{"version", "labels"?: [...], "exclusive"?: bool, "events"?: [...], "tolerance"?: seconds, "database":
  {recording: {"duration"?, "fps"?, "subset"?, "annotations": [{"label", "segment", "person"?}], "events"?: [{"label",
  "time", "person"?}], "covered"?: [[start, end], ...], "people"?: [0, ...]}}}``: the events of the file are the labels
  that name one; the people are all who were seen, where annotations say whose they are

Seconds throughout. A segment whose end is not after its start is no span: `Predictions` and `Truth` keep it apart.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..data.annotation import TOLERANCE, Annotation, Event, LabelSet, Span
from ..data.clock import Clock
from ..data.predictions import Predictions, Truth
from ..data.span_table import NamedRow, SpanRow, SpanTable
from ..data.unknown import Unknown
from ..errors import InputError
from ..files import write_atomically
from .json_fields import MAX_PEOPLE, FieldError, is_number, label_of, mapping, parsed, person_of
from .label_file import LabelFile, listed

VERSION = "1.0"
"""The "version" of written files."""


def read_predictions(path: Path) -> Predictions:
    """Read P.json. Raises InputError that names the file, the recording and the field."""
    with parsed(path) as data:
        return _predictions(data)


def read_truth(path: Path) -> Truth:
    """Read T.json.

    Without "labels" the labels are the leaves of "taxonomy" and those that occur; without "exclusive" they are
    exclusive if no two annotations of a recording overlap. Raises InputError that names the file, the recording
    and the field.
    """
    with parsed(path) as data:
        return _truth(data)


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write P.json atomically. Raises InputError for a span without a finite score, or a bad path."""
    data: dict[str, Any] = {
        "version": VERSION,
        "results": _entries(predictions.proposals, scored=True),
        "external_data": dict(predictions.details),
    }
    if predictions.segmentation is not None:
        data["segmentation"] = _entries(predictions.segmentation, scored=False)
    if predictions.unknown is not None:
        data["unknown"] = asdict(predictions.unknown)
    if predictions.events:
        data["events"] = {name: _event_entries(name, events) for name, events in predictions.events.items()}
        data["event_threshold"] = predictions.event_threshold
    _write(data, path)


def write_truth(truth: Truth, path: Path) -> None:
    """Write T.json atomically. Raises InputError for a bad path."""
    database: dict[str, dict[str, Any]] = {}
    entries = _entries({name: annotation.spans for name, annotation in truth.annotations.items()}, scored=False)
    for name, annotation in truth.annotations.items():
        facts = (
            ("duration", truth.durations), ("fps", truth.fps), ("subset", truth.subsets), ("people", truth.people)
        )  # fmt: skip
        database[name] = {key: values[name] for key, values in facts if name in values}
        database[name]["annotations"] = entries[name]
        if annotation.events:
            database[name]["events"] = _event_entries(name, annotation.events)
        if annotation.covered is not None:
            database[name]["covered"] = [list(bounds) for bounds in annotation.covered]
    labels: dict[str, Any] = {"labels": list(truth.labels.names), "exclusive": truth.labels.exclusive}
    if truth.labels.events:
        labels |= {"events": list(truth.labels.events), "tolerance": truth.labels.tolerance}
    _write({"version": VERSION, **labels, "database": database}, path)


def write(file: LabelFile, path: Path, clocks: Mapping[str, Clock]) -> tuple[str, ...]:
    """Write rows as T.json, with the duration and the rate of recordings whose clock is given."""
    annotations = file.annotations()
    labels = next((annotation.labels for annotation in annotations.values()), LabelSet(()))
    known = {name: clocks[name] for name in annotations if name in clocks}
    durations = {name: clock.duration for name, clock in known.items()}
    write_truth(Truth(annotations, labels, durations, {name: clock.fps for name, clock in known.items()}), path)
    tiers = {row.tier for row in file.rows if row.tier}
    return (f"the names of {len(tiers)} tiers; their rows are one list",) if tiers else ()


# ---- writing ---------------------------------------------------------------------------------------------------


def _write(data: dict[str, Any], path: Path) -> None:
    write_atomically(path, json.dumps(data, ensure_ascii=False, allow_nan=False, indent=1) + "\n")


def _entries(spans: Mapping[str, Iterable[Span]], scored: bool) -> dict[str, list[dict[str, Any]]]:
    """Spans by recording as JSON data. Raises InputError for a score that is not finite or, if `scored`, missing."""
    entries: dict[str, list[dict[str, Any]]] = {name: [] for name in spans}
    for name, members in spans.items():
        for span in members:
            entry: dict[str, Any] = {"label": span.label, "segment": [float(span.start), float(span.end)]}
            if span.score is not None and math.isfinite(span.score):
                entry["score"] = float(span.score)
            elif scored or span.score is not None:
                score = "no score" if span.score is None else f"score {span.score}"
                raise InputError(f"recording {name!r}: span {span.label!r} at {span.start} s has {score}")
            if span.person is not None:
                entry["person"] = span.person
            entries[name].append(entry)
    return entries


def _event_entries(name: str, events: Iterable[Event]) -> list[dict[str, Any]]:
    """Events of a recording as JSON data. Raises InputError for a score that is not finite."""
    entries = []
    for event in events:
        entry: dict[str, Any] = {"label": event.label, "time": float(event.time)}
        if event.score is not None:
            if not math.isfinite(event.score):
                raise InputError(f"recording {name!r}: event {event.label!r} at {event.time} s has score {event.score}")
            entry["score"] = float(event.score)
        if event.person is not None:
            entry["person"] = event.person
        entries.append(entry)
    return entries


# ---- reading ---------------------------------------------------------------------------------------------------


def _predictions(data: Mapping[str, Any]) -> Predictions:
    results = mapping(data, "results", "the predicted spans of each recording")
    segmentation = None
    if data.get("segmentation") is not None:
        segmentation = mapping(data, "segmentation", "the segmentation of each recording")
    details = data.get("external_data") or {}
    if not isinstance(details, dict):
        raise FieldError("external_data", details, "an object")
    events = {} if data.get("events") is None else mapping(data, "events", "the predicted events of each recording")
    threshold = data.get("event_threshold", 0.0)
    if not is_number(threshold):
        raise FieldError("event_threshold", threshold, "a number")
    without_length: list[NamedRow] = []
    return Predictions(
        _spans("results[{!r}]", results, True, without_length),
        None if segmentation is None else _spans("segmentation[{!r}]", segmentation, scored=False),
        details,
        tuple(without_length),
        {name: _events(f"events[{name!r}]", entries) for name, entries in events.items()},
        float(threshold),
        _unknown(data.get("unknown")),
    )


def _unknown(value: object) -> Unknown | None:
    """How the segmentation says that it does not know."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise FieldError("unknown", value, "an object with label and below")
    below = value.get("below")
    if below is None or not is_number(below) or not 0 <= below <= 1:
        raise FieldError("unknown.below", below, "a score from 0 to 1")
    return Unknown(label_of(value, "unknown"), float(below))


def _truth(data: Mapping[str, Any]) -> Truth:
    database = mapping(data, "database", "the annotated recordings")
    for name, entry in database.items():
        if not isinstance(entry, dict):
            raise FieldError(f"database[{name!r}]", entry, "an object with annotations")
    if not database:
        raise FieldError("database", database, "at least one recording")
    annotations = {name: entry.get("annotations") for name, entry in database.items()}
    without_length: list[NamedRow] = []
    spans = _unscored(_spans("database[{!r}].annotations", annotations, False, without_length))
    events = {
        name: _unscored_events(_events(f"database[{name!r}].events", entry.get("events") or []))
        for name, entry in database.items()
    }
    labels, are_declared = _labels(data, spans.with_rows(without_length), events)
    covered = {name: _covered(f"database[{name!r}].covered", entry.get("covered")) for name, entry in database.items()}
    return Truth(
        {name: Annotation(spans[name], labels, covered[name], events[name]) for name in database},
        labels,
        _positive_numbers(database, "duration"),
        _positive_numbers(database, "fps"),
        {name: str(entry["subset"]) for name, entry in database.items() if entry.get("subset") is not None},
        are_declared,
        tuple(without_length),
        {
            name: _people(f"database[{name!r}].people", entry["people"])
            for name, entry in database.items()
            if entry.get("people")
        },
    )


def _events(field: str, entries: object) -> tuple[Event, ...]:
    """The events of a recording, whose field is `field`."""
    if not isinstance(entries, list):
        raise FieldError(field, entries, "a list of events (an empty one where there are none)")
    events = []
    for index, entry in enumerate(entries):
        inner = f"{field}[{index}]"
        if not isinstance(entry, dict):
            raise FieldError(inner, entry, "an object with label and time")
        label, time, score = label_of(entry, inner), entry.get("time"), entry.get("score")
        if time is None or not is_number(time):
            raise FieldError(f"{inner}.time", time, "seconds, a finite number")
        if score is not None and not is_number(score):
            raise FieldError(f"{inner}.score", score, "a finite number")
        person = person_of(entry, inner)
        events.append(Event(float(time), label, score and float(score), None if person < 0 else person))
    return tuple(events)


def _unscored_events(events: Iterable[Event]) -> tuple[Event, ...]:
    """The events as annotations, which have no score."""
    return tuple(replace(event, score=None) for event in events)


def _people(field: str, value: object) -> tuple[int, ...]:
    """The people of a recording, by slot."""
    if not isinstance(value, list) or any(type(slot) is not int or not 0 <= slot < MAX_PEOPLE for slot in value):
        raise FieldError(field, value, "a list of numbers of people, from 0")
    return tuple(value)


def _unscored(spans: SpanTable) -> SpanTable:
    """The spans as annotations, which have no score."""
    return replace(spans, score=np.full(len(spans.score), np.nan))


def _spans(
    field: str, groups: Mapping[str, object], scored: bool, without_length: list[NamedRow] | None = None
) -> SpanTable:
    """The spans of all recordings, each with a score if `scored`; `field` is a recording's field for `str.format`.

    Rows whose end is not after their start are put into `without_length`; without that list they are refused.
    """
    rows: list[SpanRow] = []
    bounds = [0]
    for name, entries in groups.items():
        if not isinstance(entries, list):
            raise FieldError(field.format(name), entries, "a list of spans (an empty one where there are none)")
        for index, entry in enumerate(entries):
            try:
                row = _row(entry, scored)
            except FieldError as error:
                raise error.inside(f"{field.format(name)}[{index}]") from None
            if row[1] < row[2]:
                rows.append(row)
            elif without_length is not None:
                without_length.append((name, row))
            else:
                raise FieldError(f"{field.format(name)}[{index}].segment", [row[1], row[2]], "start before end")
        bounds.append(len(rows))
    return SpanTable.of_rows(tuple(groups), bounds, rows)


def _row(entry: object, scored: bool) -> SpanRow:
    """The columns of a span."""
    if not isinstance(entry, dict):
        raise FieldError("", entry, "an object with label and segment")
    label = label_of(entry)
    start, end = _segment(".segment", entry.get("segment"))
    score = entry.get("score")
    if (scored or score is not None) and not is_number(score):
        raise FieldError(".score", score, "a finite number")
    return label, start, end, score, person_of(entry)


def _segment(field: str, value: object) -> tuple[float, float]:
    """[start, end] in seconds, in any order."""
    if not isinstance(value, list) or len(value) != 2 or not (is_number(value[0]) and is_number(value[1])):
        raise FieldError(field, value, "[start, end] in seconds, two finite numbers")
    return float(value[0]), float(value[1])


def _covered(field: str, value: object) -> tuple[tuple[float, float], ...] | None:
    """The covered time of a recording: a list of [start, end] in seconds, or None."""
    if value is None:
        return None
    if not isinstance(value, list):
        raise FieldError(field, value, "a list of [start, end]")
    bounds = tuple(_segment(f"{field}[{index}]", segment) for index, segment in enumerate(value))
    for index, (start, end) in enumerate(bounds):
        if start >= end:
            raise FieldError(f"{field}[{index}]", value[index], "start before end")
    return bounds


def _positive_numbers(database: Mapping[str, Any], key: str) -> dict[str, float]:
    """A positive number of each recording that has it."""
    values = {name: entry[key] for name, entry in database.items() if entry.get(key) is not None}
    for name, value in values.items():
        if not is_number(value) or value <= 0:
            raise FieldError(f"database[{name!r}].{key}", value, "a positive number")
    return {name: float(value) for name, value in values.items()}


def _labels(data: Mapping[str, Any], spans: SpanTable, events: Mapping[str, Iterable[Event]]) -> tuple[LabelSet, bool]:
    """The LabelSet of a truth file, and whether the file declares it.

    Without "events" the labels of events are those that have events and no span.
    """
    instants = {event.label for members in events.values() for event in members}
    occurring = sorted({*spans.labels, *instants})
    exclusive = data.get("exclusive")
    if exclusive is None:
        exclusive = not spans.has_overlaps()
    if not isinstance(exclusive, bool):
        raise FieldError("exclusive", exclusive, "true or false")
    declared = data.get("labels")
    if declared is None:
        leaves = _taxonomy_leaves(data.get("taxonomy"))
        names = tuple(dict.fromkeys([*leaves, *occurring]))
        return _label_set(data, names, exclusive, instants - set(spans.labels)), bool(leaves)
    if not isinstance(declared, list) or not all(isinstance(name, str) and name for name in declared):
        raise FieldError("labels", declared, "a list of names")
    if len(set(declared)) != len(declared):
        raise FieldError("labels", declared, "names that are all different")
    unknown = [name for name in occurring if name not in set(declared)]
    if unknown:
        raise InputError(
            f"annotations have the labels {listed(unknown)}, which are not in labels: {listed(declared)}; "
            "add them to labels or correct the annotations"
        )
    return _label_set(data, tuple(declared), exclusive, instants - set(spans.labels)), True


def _label_set(data: Mapping[str, Any], names: tuple[str, ...], exclusive: bool, events: Collection[str]) -> LabelSet:
    """The LabelSet of names, with the labels of events and the tolerance that the file states; else `events`."""
    declared = data.get("events")
    if declared is not None and (not isinstance(declared, list) or not set(map(str, declared)) <= set(names)):
        raise FieldError("events", declared, f"a list of labels, some of {listed(names)}")
    return LabelSet(names, exclusive, tuple(events if declared is None else declared), tolerance_of(data))


def tolerance_of(data: Mapping[str, Any]) -> float:
    """Seconds by which an event may be off."""
    tolerance = data.get("tolerance", TOLERANCE)
    if not is_number(tolerance) or tolerance <= 0:
        raise FieldError("tolerance", tolerance, "a positive number of seconds")
    return float(tolerance)


def _taxonomy_leaves(taxonomy: object) -> list[str]:
    """Names of the taxonomy's nodes without children, in order; a list of names is returned as it is."""
    if taxonomy is None:
        return []
    if not isinstance(taxonomy, list):
        raise FieldError("taxonomy", taxonomy, "a list of names or of nodes")
    nodes = [node if isinstance(node, dict) else {"nodeName": node} for node in taxonomy]
    for index, node in enumerate(nodes):
        if not isinstance(node.get("nodeName"), str):
            raise FieldError(f"taxonomy[{index}]", taxonomy[index], "a name, or a node with a nodeName")
    parents = {node.get("parentName") for node in nodes}
    return list(dict.fromkeys(node["nodeName"] for node in nodes if node["nodeName"] not in parents))
