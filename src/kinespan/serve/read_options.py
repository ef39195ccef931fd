"""Options of reading as the page sends them, and as they are typed."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..errors import InputError, unknown
from ..io import ReadOptions

_WHOLE = ("skip_frames", "min_label_frames")
_NUMBERS = ("fps", "min_confidence")
_PATHS = ("asf", "body_model", "joints")


def options_of(given: Mapping[str, Any]) -> ReadOptions:
    """The options in a JSON object; null and "" are the default. Raises InputError, naming the option."""
    known = [field.name for field in fields(ReadOptions)]
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in known:
            raise unknown("option of reading", name[:60], known)
        if value is not None and value != "":
            values[name] = _value(name, value)
    return ReadOptions(**values)


def _value(name: str, value: object) -> object:
    """The value of an option. Raises InputError for one of another type."""
    flag = f"--{name.replace('_', '-')}"
    if name in (*_WHOLE, *_NUMBERS) or (name == "unit" and not _is_word(value)):
        try:
            number = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else None
        except (ValueError, OverflowError):
            number = None
        if number is None or not math.isfinite(number) or (name in _WHOLE and number != int(number)):
            expected = "a whole number" if name in _WHOLE else "a number"
            raise InputError(f"{flag} is {value!r:.60}, expected {expected}")
        return int(number) if name in _WHOLE else number
    if not isinstance(value, str):
        raise InputError(f"{flag} is {value!r:.60}, expected text")
    return Path(value) if name in _PATHS else value


def _is_word(value: object) -> bool:
    """Whether a unit is given by its name."""
    return isinstance(value, str) and not any(letter.isdigit() for letter in value)


def given_options(options: ReadOptions) -> dict[str, str | float]:
    """The options that are not the defaults, as the page has them; `options_of` reads them back."""
    given = {field.name: getattr(options, field.name) for field in fields(ReadOptions)}
    given = {name: given[name] for name in options.given()}
    return {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}


def options_line(options: ReadOptions) -> str:
    """The options that are not the defaults, as they are typed: --up z --unit cm."""
    words: list[str] = []
    for field in fields(ReadOptions):
        value = getattr(options, field.name)
        if value != field.default:
            text = f"{value:g}" if isinstance(value, float) else str(value)
            words += [f"--{field.name.replace('_', '-')}", text]
    return shlex.join(words)
