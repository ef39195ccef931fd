"""One parser of a setting: from plain data, as YAML and flags give it, to a dataclass, by its type hints."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ..errors import InputError, unknown

Settings = TypeVar("Settings")
KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path", NoneType: "none"}
BOOLS = {"true": True, "false": False}


def parse_settings(
    kind: type[Settings], values: Mapping[str, Any], where: str = "", names: Mapping[str, str] | None = None
) -> Settings:
    """A settings dataclass from nested plain data; what is left out keeps its default.

    Numbers and truth values may be given as text. Errors call a setting by its dotted path after `where` (a file), or
    as `names` has it by that path (a flag).

    Raises InputError, naming the setting, for an unknown one (with the nearest name), for a value of another type
    (with what was found and expected), and for settings that contradict each other.
    """
    return _Parser(where, names or {}).settings(kind, values)


def parse_value(hint: Any, value: Any, name: str) -> Any:
    """A value of the type `hint` from plain data. Raises InputError naming the setting, what it is and should be."""
    return _Parser("", {"": name}).value(hint, value, "")


class _Parser:
    """Parses values; knows what to call each setting in errors."""

    def __init__(self, where: str, names: Mapping[str, str]) -> None:
        self.where, self.names = where, names

    def name(self, path: str) -> str:
        """What a setting is called in errors."""
        return self.names.get(path) or ": ".join(filter(None, (self.where, path)))

    def settings(self, kind: type[Settings], values: Any, path: str = "", default: Settings | None = None) -> Settings:
        """A dataclass; what `values` leaves out is as in `default`, where that is given."""
        if not isinstance(values, Mapping):
            raise self.wrong(path, values, "settings by name")
        hints = get_type_hints(kind)
        known = {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
        parsed: dict[str, Any] = {}
        for name, value in values.items():
            full = f"{path}.{name}" if path else str(name)
            if name not in known:
                where = f"{self.where}: " if self.where else ""
                paths = [f"{path}.{other}" if path else other for other in known]
                raise InputError(where + str(unknown("setting", full, paths)))
            if is_dataclass(hints[name]):
                inner = default_of(known[name]) if default is None else getattr(default, name)
                parsed[name] = self.settings(hints[name], value, full, inner)
            else:
                parsed[name] = self.value(hints[name], value, full)
        try:
            return kind(**parsed) if default is None else replace(default, **parsed)  # type: ignore[type-var]
        except InputError as error:
            raise (InputError(f"{self.where}: {error}") if self.where and not self.names else error) from None

    def value(self, hint: Any, value: Any, path: str) -> Any:
        """A value of one type."""
        if get_origin(hint) in (Union, UnionType):
            return self.union(hint, value, path)
        if get_origin(hint) is Literal:
            return self.choice(hint, value, path)
        if get_origin(hint) is tuple:
            return self.sequence(hint, value, path)
        if get_origin(hint) is dict:
            if not isinstance(value, Mapping):
                raise self.wrong(path, value, expected(hint))
            return {str(key): self.value(get_args(hint)[1], item, f"{path}.{key}") for key, item in value.items()}
        return self.plain(hint, value, path)

    def plain(self, hint: Any, value: Any, path: str) -> Any:
        """Text, a number, a truth value, a path or None."""
        if hint is NoneType and (value is None or (isinstance(value, str) and value.lower() in ("none", "null"))):
            return None
        if hint is bool and isinstance(value, str) and value.lower() in BOOLS:
            return BOOLS[value.lower()]
        number = hint in (int, float) and isinstance(value, str | int | hint) and not isinstance(value, bool)
        if number:
            try:
                return hint(value)
            except ValueError:
                raise self.wrong(path, value, expected(hint)) from None
        if hint is Path and isinstance(value, str | Path):
            return Path(value)
        if hint in (bool, str) and isinstance(value, hint):
            return value
        raise self.wrong(path, value, expected(hint))

    def union(self, hint: Any, value: Any, path: str) -> Any:
        """The first of several types that takes a value; text comes last, since it takes anything."""
        for option in sorted(get_args(hint), key=lambda option: option in (str, Path)):
            try:
                return self.value(option, value, path)
            except InputError:
                continue
        raise self.wrong(path, value, expected(hint))

    def choice(self, hint: Any, value: Any, path: str) -> Any:
        """One of some words. YAML reads the words on and off as true and false, and a word of digits as a number."""
        choices = get_args(hint)
        word = {True: "on", False: "off"}[value] if isinstance(value, bool) else value
        for choice in choices:
            if str(word) == str(choice):
                return choice
        raise self.wrong(path, value, expected(hint))

    def sequence(self, hint: Any, value: Any, path: str) -> Any:
        """A tuple, from a list or from text with commas, with or without brackets."""
        kinds = get_args(hint)
        if isinstance(value, str):
            value = [item.strip() for item in value.strip("[]() ").split(",") if item.strip()]
        if not isinstance(value, list | tuple):
            raise self.wrong(path, value, expected(hint))
        if kinds[-1] is not Ellipsis and len(value) != len(kinds):
            raise self.wrong(path, value, expected(hint))
        each = kinds[:1] * len(value) if kinds[-1] is Ellipsis else kinds
        return tuple(self.value(kind, item, path) for kind, item in zip(each, value, strict=True))

    def wrong(self, path: str, value: Any, kind: str) -> InputError:
        """The error for a value of another type."""
        return InputError(f"{self.name(path)}: found {value!r}, expected {kind}")


def expected(hint: Any) -> str:
    """A type in words: a whole number; one of linear, finetune; a list, each a number."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(expected(part) for part in parts)
    if origin is Literal:
        return f"one of {', '.join(map(str, parts))}" if len(parts) > 1 else str(parts[0])
    if origin is tuple:
        number = "a list" if parts[-1] is Ellipsis else f"{len(parts)} values"
        return f"{number}, each {expected(parts[0])}"
    return "settings by name" if origin is dict else KINDS[hint]


def default_of(field: Any) -> Any:
    """The default of a dataclass field, MISSING where it has none."""
    return field.default if field.default_factory is MISSING else field.default_factory()


@cache
def setting_texts(kind: type) -> dict[str, str]:
    """The docstring under each field of a dataclass, in one line each; inherited fields too."""
    texts: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if not is_dataclass(base):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        assert isinstance(body, ast.ClassDef)
        for before, after in pairwise(body.body):
            if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name):
                match after:
                    case ast.Expr(value=ast.Constant(value=str(text))):
                        texts[before.target.id] = " ".join(text.split())
    return texts


def merged(base: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings with those of `more` over them."""
    result = dict(base)
    for name, value in more.items():
        nested = isinstance(value, Mapping) and isinstance(result.get(name), Mapping)
        result[name] = merged(result[name], value) if nested else value
    return result


def read_yaml(file: Path) -> dict[str, Any]:
    """The settings in a YAML file. Raises InputError for a missing file, and for one that holds something else."""
    import yaml

    if not file.is_file():
        raise InputError(f"{file}: no such file")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not YAML ({' '.join(str(error).split())})") from None
    if not isinstance(content, dict):
        raise InputError(f"{file}: found {type(content).__name__}, expected settings by name")
    return content
