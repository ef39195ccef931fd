"""The fields of a JSON file: parsed, and refused by their path."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..errors import InputError
from .label_file import listed

MAX_PEOPLE = 2**31
"""Numbers of people are below."""


class FieldError(InputError):
    """A field with a bad value; `field` is its path from where the check began."""

    def __init__(self, field: str, value: object, expected: str) -> None:
        shown = json.dumps(value, ensure_ascii=False)
        shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
        super().__init__(f"{field}: found {shown}, expected {expected}")
        self.field, self.value, self.expected = field, value, expected

    def inside(self, parent: str) -> FieldError:
        """The error with the path from the field `parent`."""
        return FieldError(parent + self.field, self.value, self.expected)


@contextmanager
def parsed(path: Path) -> Iterator[dict[str, Any]]:
    """The object in a JSON file; every InputError raised within names the file."""
    with parsed_any(path) as data:
        if not isinstance(data, dict):
            raise FieldError("the file", data, "an object")
        yield data


@contextmanager
def parsed_any(path: Path) -> Iterator[Any]:
    """What is in a JSON file; every InputError raised within names the file.

    The collector of cyclic garbage is off meanwhile: parsed JSON has no cycles, and looking for them takes longer than
    parsing.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8-sig"), object_pairs_hook=_unique_fields)
        yield data
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text (from byte {error.start} on); save it with this encoding") from error
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{path}: not JSON from {where} on{_hint(path, error)}") from error
    except (RecursionError, ValueError) as error:  # nested too deeply, or a number of thousands of digits
        raise InputError(f"{path}: not JSON that can be read: {error}") from error
    finally:
        if was_enabled:
            gc.enable()


def _hint(path: Path, error: json.JSONDecodeError) -> str:
    """What stands in place of JSON."""
    if not error.doc.strip():
        return ": the file is empty"
    if error.pos >= len(error.doc.rstrip()):
        return ": the file is cut off"
    text = error.doc[error.pos :].split("\n", 1)[0].strip()
    return f": found {text[:40]!r}" + (_table_hint(path) if error.pos == 0 else "")


def _table_hint(path: Path) -> str:
    """What to do where a table stands in place of JSON."""
    if Path(path).suffix.lower() == ".csv":
        return "; expected ActivityNet JSON, such as proposals.json or truth.json, not a table"
    return "; the name of a table has to end in .csv"


def _unique_fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's fields. Raises InputError for a name that occurs twice, of which JSON parsers keep the last."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"the field {twice!r} occurs twice in one object; keep one")
    return fields


def mapping(data: Mapping[str, Any], key: str, meaning: str) -> dict[str, Any]:
    """The object under a key. Raises InputError where there is none."""
    if key not in data:
        raise InputError(
            f"no {key!r} ({meaning}); found the keys {listed(data) or 'none'}, "
            "expected ActivityNet JSON: predictions have results, truth has database"
        )
    value = data[key]
    if not isinstance(value, dict):
        raise FieldError(key, value, "an object with a field for each recording")
    return value


def is_number(value: Any) -> bool:
    """Whether a value is a finite number."""
    # The bound keeps out NaN, infinity and whole numbers too long for a float; bool is a type of its own.
    return type(value) in (float, int) and abs(value) <= sys.float_info.max


def label_of(entry: Mapping[str, Any], field: str = "") -> str:
    """The label of a span or event."""
    label = entry.get("label")
    if not isinstance(label, str) or not label:
        raise FieldError(f"{field}.label", label, "a name")
    return label


def person_of(entry: Mapping[str, Any], field: str = "") -> int:
    """The person of a span or event, -1 for none."""
    person = entry.get("person")
    if person is None:
        return -1
    if type(person) is not int or not 0 <= person < MAX_PEOPLE:
        raise FieldError(f"{field}.person", person, "the number of a person, from 0")
    return person
