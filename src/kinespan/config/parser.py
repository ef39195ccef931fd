"""The parser of settings: from plain data, as in YAML and flags, to a dataclass, by its type hints."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, asdict, fields, is_dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ..errors import InputError, unknown

Settings = TypeVar("Settings")
KINDS = {
    bool: "true or false", int: "a whole number", float: "a number", str: "text", Path: "a path", NoneType: "none",
    dict: "settings by name",
}  # fmt: skip
BOOLS = {"true": True, "false": False}
SHORT = {"encoder": "network.encoder", "streams": "network.streams", "snippets": "snippet.variant"}
"""Short names of settings, and the paths that they stand for where settings have those."""


class WrongTypeError(ValueError):
    """A value of another type: what was found, and what was expected."""

    def __init__(self, value: Any, hint: Any) -> None:
        super().__init__(f"found {value!r}, expected {expected(hint)}")


def parse_settings(
    kind: type[Settings],
    values: Any,
    where: str = "",
    names: Mapping[str, str] | None = None,
    path: str = "",
    default: Settings | None = None,
) -> Settings:
    """A settings dataclass from nested plain data; numbers and truth values may be given as text.

    Parameters:
        where: the file that holds the values; errors begin with it.
        names: by dotted path, what errors call a setting (its flag) in place of `where` and its path.
        path: the dotted path of these settings in others.
        default: supplies the settings that `values` leaves out, in place of the defaults of `kind`.

    Raises InputError, naming the setting, for an unknown one (with the nearest name), for a value of another type
    (with what was found and expected), and for settings that contradict each other.
    """
    names = names or {}

    def name_of(full: str) -> str:
        return names.get(full) or ": ".join(filter(None, (where, full)))

    if not isinstance(values, Mapping):
        raise InputError(f"{name_of(path)}: {WrongTypeError(values, dict)}")
    hints, known = get_type_hints(kind), {field.name: field for field in fields(kind)}  # type: ignore[arg-type]
    parsed: dict[str, Any] = {}
    for name, value in values.items():
        prefix = f"{path}." if path else ""
        if name not in known:
            error = unknown("setting", f"{prefix}{name}", [prefix + setting for setting in known])
            raise InputError(f"{where}: {error}" if where else str(error))
        if is_dataclass(hints[name]):
            inner = default_of(known[name]) if default is None else getattr(default, name)
            parsed[name] = parse_settings(hints[name], value, where, names, prefix + name, inner)
        else:
            parsed[name] = parse_value(hints[name], value, name_of(prefix + name))
    try:
        return kind(**parsed) if default is None else replace(default, **parsed)  # type: ignore[type-var]
    except InputError as error:
        prefix = path if names else name_of(path)
        raise InputError(f"{prefix}: {error}" if prefix else str(error)) from None


def settings_by_keyword(kind: type[Settings], config: Settings | None, keywords: Mapping[str, Any]) -> Settings:
    """`config`, by default the defaults of `kind`, with the settings that are given by keyword over it.

    A keyword is the name of a setting; a setting of a nested dataclass is given with it, as in
    ``network=NetworkConfig(encoder="tcn")`` or ``network={"encoder": "tcn"}``, by two underscores, as in
    ``network__encoder="tcn"``, or by its short name, ``encoder="tcn"``. Raises InputError as `parse_settings` does.
    """
    if not isinstance(config, kind | None):
        raise InputError(f"config: found {type(config).__name__}, expected {kind.__name__}")
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for keyword, value in sorted(keywords.items(), key=lambda item: not is_dataclass(item[1])):  # single settings last
        path = keyword.replace("__", ".")
        if path not in names and SHORT.get(path, "").partition(".")[0] in names:
            path = SHORT[path]
        plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
        plain = plain.tolist() if hasattr(plain, "tolist") else plain  # a number or an array of NumPy
        for name in reversed(path.split(".")):
            plain = {name: plain}
        values = merged(values, plain)
    return parse_settings(kind, values, default=config)


def parse_value(hint: Any, value: Any, name: str) -> Any:
    """A value of the type `hint` from plain data. Raises InputError that names the setting and both types."""
    try:
        return _convert(hint, value)
    except WrongTypeError as error:
        raise InputError(f"{name}: {error}") from None


def _convert(hint: Any, value: Any) -> Any:
    """A value of the type `hint`. Raises WrongTypeError."""
    origin, options = get_origin(hint), get_args(hint)
    if origin is None:
        return _scalar(hint, value)
    if origin in (Union, UnionType):
        for option in sorted(options, key=lambda option: option in (str, Path)):  # text last: it takes anything
            with suppress(WrongTypeError):
                return _convert(option, value)
    elif origin is Literal:
        # YAML reads the words on and off as true and false, and a word of digits as a number
        word = {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)
        if word in options:
            return word
    elif origin is tuple:
        items = value.strip("[]() ").replace(",", " ").split() if isinstance(value, str) else value
        if isinstance(items, list | tuple):
            kinds = options[:1] * len(items) if options[-1] is Ellipsis else options
            if len(items) == len(kinds):
                return tuple(map(_convert, kinds, items))
    elif isinstance(value, Mapping):
        return {str(key): _convert(options[1], item) for key, item in value.items()}
    raise WrongTypeError(value, hint)


def _scalar(hint: Any, value: Any) -> Any:
    """Text, a number, a truth value, a path or None. Raises WrongTypeError."""
    word = str(value).lower()
    if hint is NoneType and word in ("none", "null"):
        return None
    if hint is bool and word in BOOLS:
        return BOOLS[word]
    number = hint in (int, float) and isinstance(value, str | int | hint) and not isinstance(value, bool)
    if number or (hint is str and isinstance(value, str)) or (hint is Path and isinstance(value, str | Path)):
        with suppress(ValueError):
            return hint(value)
    raise WrongTypeError(value, hint)


def expected(hint: Any) -> str:
    """A type in words: a whole number; one of linear, finetune; a list, each a number."""
    origin, options = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        return " or ".join(expected(option) for option in options if option is not NoneType)
    if origin is Literal:
        return f"one of {', '.join(options)}" if len(options) > 1 else str(options[0])
    if origin is tuple:
        number = "a list" if options[-1] is Ellipsis else f"{len(options)} values"
        return f"{number}, each {expected(options[0])}"
    return KINDS[origin or hint]


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
    """The settings in a YAML file. Raises InputError for a missing file, and for anything but settings by name."""
    import yaml

    if not file.is_file():
        raise InputError(f"{file}: no such file")
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", error)
        line = f"line {mark.line + 1}: " if mark else ""
        raise InputError(f"{file}: not YAML ({line}{problem})") from None
    if not isinstance(content, dict):
        raise InputError(f"{file}: found {type(content).__name__}, expected settings by name")
    return content
