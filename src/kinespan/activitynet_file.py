"""An ActivityNet JSON file as parsed, and the checks of what it holds, which name file, field and value."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import orjson
from numpy.typing import NDArray

from .annotation import Span, SpanTable
from .errors import InputError

_BOM = b"\xef\xbb\xbf"
_MOST_PEOPLE = 2**31


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the collector of cyclic garbage: it would go through a large parsed file again and again, which takes
    longer than to parse it, and find nothing."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@dataclass(frozen=True)
class JsonFile:
    """A parsed file with the checks that name it."""

    path: Path
    data: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> JsonFile:
        """Parse a file. Raises InputError where it cannot be read, is no JSON, no object, or names a field twice."""
        try:
            text = path.read_bytes().removeprefix(_BOM)
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from error
        try:
            data = orjson.loads(text)
        except orjson.JSONDecodeError:
            data = _parse_strictly(path, text)
        else:
            if not _is_whole(text, data):
                data = _parse_strictly(path, text)
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
                f"{self.path}: no {key!r} ({meaning}); found the keys {some(list(data)) or 'none'}, "
                "expected ActivityNet JSON: predictions have results, truth has database"
            )
        value = data[key]
        if not isinstance(value, dict):
            self.fail(key, value, "an object with a field for each recording")
        return value

    def spans(self, field_name: str, groups: Mapping[str, object], scored: bool) -> SpanTable:
        """The spans of all recordings; `field_name` has a place for the recording's name."""
        table = _columns(groups, scored)
        if table is None:  # one by one, to say what is wrong
            table = SpanTable.of(
                {name: self._span_list(field_name.format(name), entries, scored) for name, entries in groups.items()}
            )
        return table

    def _span_list(self, field_name: str, entries: object, scored: bool) -> tuple[Span, ...]:
        """The spans of one recording."""
        if not isinstance(entries, list):
            self.fail(field_name, entries, "a list of spans (an empty one where there are none)")
        return tuple(self._span(f"{field_name}[{i}]", entry, scored) for i, entry in enumerate(entries))

    def _span(self, field_name: str, entry: object, scored: bool) -> Span:
        """One span."""
        if not isinstance(entry, dict):
            self.fail(field_name, entry, "an object with label and segment")
        label = entry.get("label")
        if not isinstance(label, str) or not label:
            self.fail(f"{field_name}.label", label, "a name")
        start, end = self._segment(f"{field_name}.segment", entry.get("segment"))
        score = entry.get("score")
        if (scored or score is not None) and not _is_number(score):
            self.fail(f"{field_name}.score", score, "a finite number")
        person = entry.get("person")
        if person is not None and (type(person) is not int or not 0 <= person < _MOST_PEOPLE):
            self.fail(f"{field_name}.person", person, "the number of a person, from 0")
        return Span(start, end, label, None if score is None else float(score), person)

    def segments(self, field_name: str, value: object) -> tuple[tuple[float, float], ...]:
        """A list of [start, end]."""
        if not isinstance(value, list):
            self.fail(field_name, value, "a list of [start, end]")
        return tuple(self._segment(f"{field_name}[{i}]", piece) for i, piece in enumerate(value))

    def _segment(self, field_name: str, value: object) -> tuple[float, float]:
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


def some(names: Iterable[str], most: int = 8) -> str:
    """The first few names, in quotes."""
    listed = [repr(name) for name in names]
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")


def _parse_strictly(path: Path, text: bytes) -> Any:
    """The data of a JSON text by the standard library: it says where a text is wrong and sees fields named twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise InputError(f"{path}: {twice!r} is there twice in one object; keep one")
        return found

    try:
        return json.loads(text.decode("utf-8"), object_pairs_hook=once)
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
    except json.JSONDecodeError as error:
        raise InputError(f"{path}: not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise InputError(f"{path}: nested too deeply to be an ActivityNet file") from error


def _is_whole(text: bytes, data: object) -> bool:
    """Whether the data certainly has all fields of the text: of those that one object names twice, the fast parser
    keeps the last. Each field has a colon of its own; all other colons stand in names and strings."""
    colons, braces = text.count(b":"), text.count(b"{")
    fields = objects = 0
    for _, found in _levels(data):
        objects += len(found)
        fields += sum(map(len, found))
        if objects == braces:  # there are none further down
            break
    if fields == colons:
        return True
    for level, found in _levels(data):
        fields += "".join([value for value in level if type(value) is str]).count(":")
        fields += "".join(chain.from_iterable(found)).count(":")
    return fields == colons and b"\\u003" not in text  # an escaped colon, perhaps


def _levels(data: object) -> Iterator[tuple[list[Any], list[dict[str, Any]]]]:
    """The data, then what is in it, then what is in that, and so on, each with the objects among it."""
    level = [data]
    while level:
        kinds = set(map(type, level))
        objects = [value for value in level if type(value) is dict] if dict in kinds else []
        yield level, objects
        lists = [value for value in level if type(value) is list] if list in kinds else []
        level = [*chain.from_iterable(map(dict.values, objects)), *chain.from_iterable(lists)]


def _columns(groups: Mapping[str, Any], scored: bool) -> SpanTable | None:
    """The table of the entries by recording, all checked at once; None where anything is not as it should be."""
    if not _are(groups.values(), list):
        return None
    rows = list(chain.from_iterable(groups.values()))
    if not _are(rows, dict):
        return None
    needed = ("label", "segment", "score") if scored else ("label", "segment")
    try:
        labels, segments, *scores = (list(map(itemgetter(key), rows)) for key in needed)
    except KeyError:
        return None
    if not (_are(labels, str) and _are(segments, list) and set(map(len, segments)) <= {2}):
        return None
    bounds = _floats(list(chain.from_iterable(segments)))
    score = _floats(*scores) if scored else np.full(len(rows), np.nan)
    person: NDArray[np.int64] | None = np.full(len(rows), -1)
    if sum(map(len, rows)) > len(needed) * len(rows):  # there are other fields
        score = score if scored else _floats([row.get("score") for row in rows], or_none=True)
        person = _people([row.get("person") for row in rows])
    index = {name: number for number, name in enumerate(dict.fromkeys(labels))}
    if bounds is None or score is None or person is None or "" in index:
        return None
    start, end = np.ascontiguousarray(bounds.reshape(-1, 2).T)
    if not np.all(start < end):
        return None
    return SpanTable(
        tuple(groups),
        np.cumsum([0, *map(len, groups.values())]),
        tuple(index),
        np.fromiter(map(index.__getitem__, labels), dtype=np.int64, count=len(rows)),
        start,
        end,
        score,
        person,
    )


def _are(values: Iterable[object], *kinds: type) -> bool:
    """Whether all are of these very types."""
    return set(map(type, values)) <= set(kinds)


def _floats(values: list[Any], *, or_none: bool = False) -> NDArray[np.float64] | None:
    """Finite numbers, and None as NaN where that is allowed, as an array (N,); None where a value is neither."""
    if not _are(values, float, int, *([type(None)] if or_none else [])):
        return None
    try:
        found = np.array(values, dtype=np.float64)
    except OverflowError:
        return None
    return found if np.count_nonzero(np.isfinite(found)) + values.count(None) == len(values) else None


def _people(values: list[Any]) -> NDArray[np.int64] | None:
    """Numbers of people, -1 for None, as an array (N,); None where a value is neither."""
    if not _are(values, int, type(None)):
        return None
    known = [value for value in values if value is not None]
    if known and not 0 <= min(known) <= max(known) < _MOST_PEOPLE:
        return None
    return np.array([-1 if value is None else value for value in values], dtype=np.int64)


def _is_number(value: object) -> bool:
    # The bound keeps out NaN, infinity and whole numbers too long for a float.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
