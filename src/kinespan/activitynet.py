"""ActivityNet JSON, read and written: predictions (P.json) and truth (T.json).

Plain ActivityNet files are read; we write, and read where it is there, a little more:

* P.json: ``{"version", "results": {recording: [{"label", "score", "segment": [start, end], "person"?}]},
  "external_data": {...}, "segmentation"?: {recording: [{"label", "segment", "score"}]}}``
* T.json: ``{"version", "labels"?: [...], "exclusive"?: bool, "database": {recording: {"duration"?, "fps"?, "subset"?,
  "annotations": [{"label", "segment"}], "covered"?: [[start, end], ...]}}}``

Seconds throughout.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from .annotation import Annotation, LabelSet, Span
from .atomic import write_atomically
from .errors import InputError

VERSION = "1.0"
"""What we write as "version"."""


@dataclass(frozen=True)
class Predictions:
    """Predicted, scored spans by recording.

    ``spans`` may overlap and are what mAP takes; ``segmentation``, where there is one, says what holds at each
    moment and is what frame accuracy, edit score and F1 take. ``details`` is free ("external_data"): the model, ...
    """

    spans: Mapping[str, tuple[Span, ...]]
    segmentation: Mapping[str, tuple[Span, ...]] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Truth:
    """Annotations by recording, over one LabelSet.

    ``durations`` (seconds), ``fps`` and ``subsets`` hold what is known of the recordings; plain ActivityNet files
    have no fps. ``labels_are_declared`` is False where the file lists no labels and they are those that occur.
    """

    annotations: Mapping[str, Annotation]
    labels: LabelSet
    durations: Mapping[str, float] = field(default_factory=dict)
    fps: Mapping[str, float] = field(default_factory=dict)
    subsets: Mapping[str, str] = field(default_factory=dict)
    labels_are_declared: bool = True


def read_predictions(path: Path) -> Predictions:
    """Read P.json. Raises InputError that names the file, the recording and the field."""
    file = _File.read(Path(path))
    results = file.mapping(file.data, "results", "the predicted spans of each recording")
    segmentation = None
    if file.data.get("segmentation") is not None:
        segmentation = file.mapping(file.data, "segmentation", "the segmentation of each recording")
    details = file.data.get("external_data") or {}
    if not isinstance(details, dict):
        file.fail("external_data", details, "an object")
    return Predictions(
        {name: file.spans(f"results[{name!r}]", entries, scored=True) for name, entries in results.items()},
        None
        if segmentation is None
        else {
            name: file.spans(f"segmentation[{name!r}]", entries, scored=False) for name, entries in segmentation.items()
        },
        details,
    )


def read_truth(path: Path, subset: str | None = None) -> Truth:
    """Read T.json, or only the recordings of one subset ("validation", "test", ...).

    Without "labels" the labels are the leaves of "taxonomy" and those that occur; without "exclusive" they are
    exclusive if no two annotations of a recording overlap. Raises InputError that names the file, the recording
    and the field.
    """
    file = _File.read(Path(path))
    database = file.mapping(file.data, "database", "the annotated recordings")
    for name, entry in database.items():
        if not isinstance(entry, dict):
            file.fail(f"database[{name!r}]", entry, "an object with annotations")
    if subset is not None:
        subsets = sorted({str(entry.get("subset")) for entry in database.values()})
        database = {name: entry for name, entry in database.items() if entry.get("subset") == subset}
        if not database:
            raise InputError(f"{file.path}: no recording of subset {subset!r}; there is {', '.join(subsets)}")
    if not database:
        file.fail("database", database, "at least one recording")
    spans: dict[str, tuple[Span, ...]] = {}
    covered: dict[str, tuple[tuple[float, float], ...] | None] = {}
    for name, entry in database.items():
        field_name = f"database[{name!r}]"
        spans[name] = file.spans(f"{field_name}.annotations", entry.get("annotations"), scored=False)
        pieces = entry.get("covered")
        covered[name] = None if pieces is None else file.segments(f"{field_name}.covered", pieces)
    labels, declared = _labels(file, spans)
    return Truth(
        {name: Annotation(spans[name], labels, covered[name]) for name in database},
        labels,
        file.numbers(database, "duration"),
        file.numbers(database, "fps"),
        {name: str(entry["subset"]) for name, entry in database.items() if entry.get("subset") is not None},
        declared,
    )


def write_predictions(predictions: Predictions, path: Path) -> None:
    """Write P.json, whole or not at all. Raises InputError for a span without a score, or a bad path."""
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
    """Write T.json, whole or not at all. Raises InputError for a bad path."""
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
    """A span as the JSON has it."""
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


def _labels(file: _File, spans: Mapping[str, tuple[Span, ...]]) -> tuple[LabelSet, bool]:
    """The LabelSet of a truth file, and whether the file declares it."""
    occurring = sorted({span.label for group in spans.values() for span in group})
    exclusive = file.data.get("exclusive")
    if exclusive is None:
        exclusive = not any(_overlap(group) for group in spans.values())
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
            f"{file.path}: annotations have the labels {_some(unknown)}, which are not in labels: {_some(declared)}; "
            "add them to labels or correct the annotations"
        )
    return LabelSet(tuple(declared), exclusive), True


def _taxonomy_leaves(file: _File) -> list[str]:
    """Names of the taxonomy's nodes that are nobody's parent, in order; a list of names stands for itself."""
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


def _overlap(spans: Iterable[Span]) -> bool:
    """Whether two of the spans share time, beyond rounding."""
    ordered = sorted(spans, key=lambda span: (span.start, span.end))
    return any(later.start < earlier.end - 1e-6 for earlier, later in pairwise(ordered))


@dataclass(frozen=True)
class _File:
    """A parsed file with the checks that name it."""

    path: Path
    data: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> _File:
        try:
            text = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error

        def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            found = dict(pairs)
            if len(found) != len(pairs):
                names = [name for name, _ in pairs]
                twice = next(name for name in names if names.count(name) > 1)
                raise InputError(f"{path}: {twice!r} is there twice in one object; keep one")
            return found

        try:
            data = json.loads(text, object_pairs_hook=once)
        except json.JSONDecodeError as error:
            raise InputError(f"{path}: not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
        except RecursionError as error:
            raise InputError(f"{path}: nested too deeply to be an ActivityNet file") from error
        file = cls(path, data)
        if not isinstance(data, dict):
            file.fail("the file", data, "an object")
        return file

    def fail(self, field_name: str, found: object, expected: str) -> NoReturn:
        """Raise the error for a bad field."""
        shown = json.dumps(found, ensure_ascii=False)
        shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
        raise InputError(f"{self.path}: {field_name}: found {shown}, expected {expected}")

    def mapping(self, data: Mapping[str, Any], key: str, meaning: str) -> dict[str, Any]:
        """The object under a key."""
        if key not in data:
            raise InputError(
                f"{self.path}: no {key!r} ({meaning}); found the keys {_some(list(data)) or 'none'}, "
                "expected ActivityNet JSON: predictions have results, truth has database"
            )
        value = data[key]
        if not isinstance(value, dict):
            self.fail(key, value, "an object with a field for each recording")
        return value

    def spans(self, field_name: str, entries: object, scored: bool) -> tuple[Span, ...]:
        """The spans of one recording."""
        if not isinstance(entries, list):
            self.fail(field_name, entries, "a list of spans (an empty one where there are none)")
        return tuple(self.span(f"{field_name}[{i}]", entry, scored) for i, entry in enumerate(entries))

    def span(self, field_name: str, entry: object, scored: bool) -> Span:
        """One span."""
        if not isinstance(entry, dict):
            self.fail(field_name, entry, "an object with label and segment")
        label = entry.get("label")
        if not isinstance(label, str) or not label:
            self.fail(f"{field_name}.label", label, "a name")
        start, end = self.segment(f"{field_name}.segment", entry.get("segment"))
        score = entry.get("score")
        if (scored or score is not None) and not _is_number(score):
            self.fail(f"{field_name}.score", score, "a finite number")
        person = entry.get("person")
        if person is not None and (not isinstance(person, int) or isinstance(person, bool) or person < 0):
            self.fail(f"{field_name}.person", person, "the number of a person, from 0")
        return Span(start, end, label, None if score is None else float(score), person)

    def segments(self, field_name: str, value: object) -> tuple[tuple[float, float], ...]:
        """A list of [start, end]."""
        if not isinstance(value, list):
            self.fail(field_name, value, "a list of [start, end]")
        return tuple(self.segment(f"{field_name}[{i}]", piece) for i, piece in enumerate(value))

    def segment(self, field_name: str, value: object) -> tuple[float, float]:
        """One [start, end] in seconds."""
        if not isinstance(value, list) or len(value) != 2 or not all(_is_number(bound) for bound in value):
            self.fail(field_name, value, "[start, end] in seconds, two finite numbers")
        start, end = float(value[0]), float(value[1])
        if start >= end:
            self.fail(field_name, value, "start before end")
        return start, end

    def numbers(self, database: Mapping[str, Any], key: str) -> dict[str, float]:
        """A positive number of each recording that has it."""
        found: dict[str, float] = {}
        for name, entry in database.items():
            value = entry.get(key)
            if value is None:
                continue
            if not _is_number(value) or value <= 0:
                self.fail(f"database[{name!r}].{key}", value, "a positive number")
            found[name] = float(value)
        return found


def _is_number(value: object) -> bool:
    # The bound keeps out NaN, infinity and whole numbers too long for a float.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max


def _some(names: Iterable[str], most: int = 8) -> str:
    """The first few names, in quotes."""
    listed = [repr(name) for name in names]
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
