"""An ActivityNet JSON file as parsed, and the checks of what it holds, which name file, field and value."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from ..data.span_table import SpanTable
from ..errors import InputError

_Row = tuple[str, float, float, float | None, int]
"""Label, start, end, score (None: none) and person (-1: none) of a span."""
_MAX_PEOPLE = 2**31


class _FieldError(Exception):
    """A field that is not as it should be; `field` is its path from where the check began."""

    def __init__(self, field: str, value: object, expected: str) -> None:
        super().__init__(field)
        self.field, self.value, self.expected = field, value, expected


@contextmanager
def uncollected() -> Iterator[None]:
    """Without the collector of cyclic garbage: a large parsed file holds none, and looking for it takes longer than
    parsing."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
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
            data = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_unique_fields)
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from error
        except json.JSONDecodeError as error:
            raise InputError(f"{path}: not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
        except (RecursionError, ValueError) as error:  # nested too deeply, or a number of thousands of digits
            raise InputError(f"{path}: not an ActivityNet file: {error}") from error
        except _FieldError as error:
            raise InputError(f"{path}: the field {error.field!r} occurs twice in one object; keep one") from None
        file = cls(path, data)
        if not isinstance(data, dict):
            file.fail("the file", data, "an object")
        return file

    def fail(self, field_name: str, value: object, expected: str) -> NoReturn:
        """Raise the InputError for a bad field."""
        shown = json.dumps(value, ensure_ascii=False)
        shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
        raise InputError(f"{self.path}: {field_name}: found {shown}, expected {expected}")

    def mapping(self, data: Mapping[str, Any], key: str, meaning: str) -> dict[str, Any]:
        """The object under a key. Raises InputError where there is none."""
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
        """The spans of all recordings, each of which must have a score where `scored`.

        `field_name` names a recording's field in errors, with ``{!r}`` for the recording. Raises InputError.
        """
        rows: list[_Row] = []
        bounds = [0]
        for name, entries in groups.items():
            if not isinstance(entries, list):
                self.fail(field_name.format(name), entries, "a list of spans (an empty one where there are none)")
            for position, entry in enumerate(entries):
                try:
                    rows.append(_row(entry, scored))
                except _FieldError as error:
                    self.fail(f"{field_name.format(name)}[{position}]{error.field}", error.value, error.expected)
            bounds.append(len(rows))
        return _table(tuple(groups), bounds, rows)

    def segments(self, field_name: str, value: object) -> tuple[tuple[float, float], ...]:
        """A list of [start, end] in seconds. Raises InputError."""
        if not isinstance(value, list):
            self.fail(field_name, value, "a list of [start, end]")
        segments = []
        for position, pair in enumerate(value):
            try:
                segments.append(_segment(pair))
            except _FieldError as error:
                self.fail(f"{field_name}[{position}]", error.value, error.expected)
        return tuple(segments)

    def numbers(self, database: Mapping[str, Any], key: str) -> dict[str, float]:
        """A positive number of each recording that has it. Raises InputError."""
        values: dict[str, float] = {}
        for name, entry in database.items():
            value = entry.get(key)
            if value is None:
                continue
            if not _is_number(value) or value <= 0:
                self.fail(f"database[{name!r}].{key}", value, "a positive number")
            values[name] = float(value)
        return values


def some(names: Iterable[str], limit: int = 8) -> str:
    """The first few names, in quotes."""
    listed = [repr(name) for name in names]
    return ", ".join(listed[:limit]) + (f" and {len(listed) - limit} more" if len(listed) > limit else "")


def _unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's fields. Raises _FieldError for a name that occurs twice, of which JSON parsers keep the last."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        raise _FieldError(next(name for name in names if names.count(name) > 1), None, "")
    return fields


def _row(entry: object, scored: bool) -> _Row:
    """The columns of a span. Raises _FieldError."""
    if not isinstance(entry, dict):
        raise _FieldError("", entry, "an object with label and segment")
    label = entry.get("label")
    if not isinstance(label, str) or not label:
        raise _FieldError(".label", label, "a name")
    start, end = _segment(entry.get("segment"))
    score = entry.get("score")
    if (scored or score is not None) and not _is_number(score):
        raise _FieldError(".score", score, "a finite number")
    person = entry.get("person")
    if person is None:
        return label, start, end, score, -1
    if type(person) is not int or not 0 <= person < _MAX_PEOPLE:
        raise _FieldError(".person", person, "the number of a person, from 0")
    return label, start, end, score, person


def _segment(value: object) -> tuple[float, float]:
    """[start, end] in seconds. Raises _FieldError."""
    if not isinstance(value, list) or len(value) != 2 or not (_is_number(value[0]) and _is_number(value[1])):
        raise _FieldError(".segment", value, "[start, end] in seconds, two finite numbers")
    start, end = float(value[0]), float(value[1])
    if start >= end:
        raise _FieldError(".segment", value, "start before end")
    return start, end


def _is_number(value: Any) -> bool:
    # The bound keeps out NaN, infinity and whole numbers too long for a float; bool is a type of its own.
    return type(value) in (float, int) and abs(value) <= sys.float_info.max


def _table(recordings: tuple[str, ...], bounds: list[int], rows: list[_Row]) -> SpanTable:
    """The table of rows, those of recording r being bounds[r] to bounds[r + 1]."""
    label, start, end, score, person = zip(*rows, strict=True) if rows else ((),) * 5
    index = {name: number for number, name in enumerate(dict.fromkeys(label))}
    return SpanTable(
        recordings,
        np.array(bounds),
        tuple(index),
        np.array([index[name] for name in label], dtype=np.int64),
        np.array(start, dtype=np.float64),
        np.array(end, dtype=np.float64),
        np.array(score, dtype=np.float64),  # None becomes NaN
        np.array(person, dtype=np.int64),
    )
