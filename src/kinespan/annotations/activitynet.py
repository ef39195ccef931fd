"""ActivityNet JSON, read and written: predictions (P.json) and ground truth (T.json).

Plain ActivityNet files are read; written files have a few more fields, which are read where they exist:

* P.json: ``{"version", "results": {recording: [{"label", "score", "segment": [start, end], "person"?}]},
  "external_data": {...}, "segmentation"?: {recording: [{"label", "segment", "score"}]}}``
* T.json: ``{"version", "labels"?: [...], "exclusive"?: bool, "database": {recording: {"duration"?, "fps"?, "subset"?,
  "annotations": [{"label", "segment"}], "covered"?: [[start, end], ...]}}}``

Seconds throughout.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from ..data.annotation import Annotation, LabelSet, Span
from ..data.predictions import Predictions, Truth
from ..data.span_table import SpanTable
from ..errors import InputError
from ..files import write_atomically
from .activitynet_json import JsonFile, some, uncollected
from .base import WRITERS

VERSION = "1.0"
"""The "version" of written files."""


@uncollected()
def read_predictions(path: Path) -> Predictions:
    """Read P.json. Raises InputError that names the file, the recording and the field."""
    file = JsonFile.read(Path(path))
    results = file.mapping(file.data, "results", "the predicted spans of each recording")
    segmentation = None
    if file.data.get("segmentation") is not None:
        segmentation = file.mapping(file.data, "segmentation", "the segmentation of each recording")
    details = file.data.get("external_data") or {}
    if not isinstance(details, dict):
        file.fail("external_data", details, "an object")
    return Predictions(
        file.spans("results[{!r}]", results, scored=True),
        None if segmentation is None else file.spans("segmentation[{!r}]", segmentation, scored=False),
        details,
    )


@uncollected()
def read_truth(path: Path, subset: str | None = None) -> Truth:
    """Read T.json, or only the recordings of one subset ("validation", "test", ...).

    Without "labels" the labels are the leaves of "taxonomy" and those that occur; without "exclusive" they are
    exclusive if no two annotations of a recording overlap. Raises InputError that names the file, the recording
    and the field.
    """
    file = JsonFile.read(Path(path))
    database = file.mapping(file.data, "database", "the annotated recordings")
    for name, entry in database.items():
        if not isinstance(entry, dict):
            file.fail(f"database[{name!r}]", entry, "an object with annotations")
    if subset is not None:
        subsets = sorted({str(entry.get("subset")) for entry in database.values()})
        database = {name: entry for name, entry in database.items() if entry.get("subset") == subset}
        if not database:
            raise InputError(f"{file.path}: no recording of subset {subset!r}; available: {', '.join(subsets)}")
    if not database:
        file.fail("database", database, "at least one recording")
    annotations = {name: entry.get("annotations") for name, entry in database.items()}
    spans = file.spans("database[{!r}].annotations", annotations, scored=False)
    covered = {
        name: file.segments(f"database[{name!r}].covered", entry["covered"])
        for name, entry in database.items()
        if entry.get("covered") is not None
    }
    labels, declared = _labels(file, spans)
    return Truth(
        {name: Annotation(spans[name], labels, covered.get(name)) for name in database},
        labels,
        file.numbers(database, "duration"),
        file.numbers(database, "fps"),
        {name: str(entry["subset"]) for name, entry in database.items() if entry.get("subset") is not None},
        declared,
    )


@WRITERS.register("json")
def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write P.json atomically. Raises InputError for a span without a finite score, or a bad path."""
    data: dict[str, Any] = {
        "version": VERSION,
        "results": {
            name: [_entry(span, name, scored=True) for span in spans] for name, spans in predictions.spans.items()
        },
        "external_data": dict(predictions.details),
    }
    if predictions.segmentation is not None:
        data["segmentation"] = {
            name: [_entry(span, name, scored=False) for span in spans]
            for name, spans in predictions.segmentation.items()
        }
    write_atomically(path, json.dumps(data, ensure_ascii=False, allow_nan=False, indent=1) + "\n")


def write_truth(truth: Truth, path: Path) -> None:
    """Write T.json atomically. Raises InputError for a bad path."""
    database: dict[str, Any] = {}
    for name, annotation in truth.annotations.items():
        known = (("duration", truth.durations), ("fps", truth.fps), ("subset", truth.subsets))
        entry: dict[str, Any] = {key: values[name] for key, values in known if name in values}
        entry["annotations"] = [_entry(span, name, scored=False) for span in annotation.spans]
        if annotation.covered is not None:
            entry["covered"] = [list(piece) for piece in annotation.covered]
        database[name] = entry
    data = {"version": VERSION, "labels": list(truth.labels.names), "exclusive": truth.labels.exclusive}
    text = json.dumps({**data, "database": database}, ensure_ascii=False, allow_nan=False, indent=1)
    write_atomically(path, text + "\n")


def _entry(span: Span, recording: str, scored: bool) -> dict[str, Any]:
    """A span as JSON data."""
    entry: dict[str, Any] = {"label": span.label, "segment": [float(span.start), float(span.end)]}
    if span.score is not None:
        if not math.isfinite(span.score):
            raise InputError(f"recording {recording!r}: span {span.label!r} at {span.start} s has score {span.score}")
        entry["score"] = float(span.score)
    elif scored:
        raise InputError(f"recording {recording!r}: span {span.label!r} at {span.start} s has no score")
    if span.person is not None:
        entry["person"] = span.person
    return entry


def _labels(file: JsonFile, spans: SpanTable) -> tuple[LabelSet, bool]:
    """The LabelSet of a truth file, and whether the file declares it."""
    occurring = sorted(spans.labels)
    exclusive = file.data.get("exclusive")
    if exclusive is None:
        exclusive = not _overlap(spans)
    if not isinstance(exclusive, bool):
        file.fail("exclusive", exclusive, "true or false")
    declared = file.data.get("labels")
    if declared is None:
        leaves = _taxonomy_leaves(file)
        names = [*leaves, *(name for name in occurring if name not in set(leaves))]
        return LabelSet(tuple(names), exclusive), bool(leaves)
    if not isinstance(declared, list) or not all(isinstance(name, str) and name for name in declared):
        file.fail("labels", declared, "a list of names")
    if len(set(declared)) != len(declared):
        file.fail("labels", declared, "names that are all different")
    unknown = [name for name in occurring if name not in set(declared)]
    if unknown:
        raise InputError(
            f"{file.path}: annotations have the labels {some(unknown)}, which are not in labels: {some(declared)}; "
            "add them to labels or correct the annotations"
        )
    return LabelSet(tuple(declared), exclusive), True


def _taxonomy_leaves(file: JsonFile) -> list[str]:
    """Names of the taxonomy's nodes without children, in order; a list of names is returned as it is."""
    taxonomy = file.data.get("taxonomy")
    if taxonomy is None:
        return []
    if not isinstance(taxonomy, list):
        file.fail("taxonomy", taxonomy, "a list of names or of nodes")
    nodes = [node if isinstance(node, dict) else {"nodeName": node} for node in taxonomy]
    for position, node in enumerate(nodes):
        if not isinstance(node.get("nodeName"), str):
            file.fail(f"taxonomy[{position}]", taxonomy[position], "a name, or a node with a nodeName")
    parents = {node.get("parentName") for node in nodes}
    return list(dict.fromkeys(node["nodeName"] for node in nodes if node["nodeName"] not in parents))


def _overlap(spans: SpanTable) -> bool:
    """Whether two spans of a recording share time, beyond rounding."""
    recording = spans.recording
    order = np.lexsort((spans.end, spans.start, recording))
    earlier, later = order[:-1], order[1:]
    shared = spans.start[later] < spans.end[earlier] - 1e-6
    return bool(np.any(shared & (recording[later] == recording[earlier])))
