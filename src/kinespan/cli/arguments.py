"""From the words of a command line to the settings of a command.

A command is a function of dataclasses: first its own arguments, then settings. Each of their fields is a flag, called
by its dotted path (`--network.fps`), or, where its type is `Positional`, a word without one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ..config.parser import default_of, expected, merged, parse_settings, parse_value, read_yaml, setting_texts
from ..errors import InputError, unknown

SHORT = {"encoder": "network.encoder", "streams": "network.streams", "snippets": "snippet.variant"}
"""Flags that are typed often, and what they are short for, in commands that have the longer ones."""


Value = TypeVar("Value")
Positional = Annotated[Value, "positional"]
"""The type of a field that is given without a flag."""


@dataclass(frozen=True)
class Argument:
    """A flag or a positional word of a command: the field of a dataclass, by its dotted path."""

    path: str
    hint: Any
    default: Any
    owner: type
    positional: bool = False

    @property
    def name(self) -> str:
        """What users type: --network.fuse-streams; of a positional the word that stands for it in help."""
        return self.path.upper() if self.positional else "--" + self.path.replace("_", "-")

    @property
    def required(self) -> bool:
        """Whether it has to be given."""
        return self.default is MISSING

    @property
    def text(self) -> str:
        """Its help: the docstring under the field."""
        return setting_texts(self.owner).get(self.path.rpartition(".")[2], "")

    @property
    def kinds(self) -> tuple[Any, ...]:
        """The types that it may have, without None."""
        options = get_args(self.hint) if get_origin(self.hint) in (Union, UnionType) else (self.hint,)
        return tuple(option for option in options if option is not NoneType)

    @property
    def items(self) -> tuple[Any, ...]:
        """The types of its items where it takes several words, else none."""
        return get_args(self.kinds[0]) if get_origin(self.kinds[0]) is tuple else ()

    @property
    def choices(self) -> tuple[str, ...]:
        """The words that it is one of, where it is."""
        kinds = self.items[:1] or self.kinds
        return tuple(str(word) for kind in kinds if get_origin(kind) is Literal for word in get_args(kind))


@dataclass(frozen=True)
class Command:
    """A command: a function that takes dataclasses and returns the exit code, and how its help is arranged."""

    name: str
    run: Callable[..., int]
    kinds: tuple[type, ...]
    about: str
    groups: Mapping[str, tuple[str, ...]]
    """Heading: settings, by path, that `--help` shows under it. The others are for `--help-all`."""
    after_stop: str = ""
    """What to do after Ctrl-C."""

    @cached_property
    def arguments(self) -> tuple[Argument, ...]:
        """All of its arguments, positional ones first, in the order of the fields."""
        arguments = [argument for kind in self.kinds for argument in _arguments(kind)]
        return tuple(sorted(arguments, key=lambda argument: not argument.positional))

    @cached_property
    def flags(self) -> dict[str, Argument]:
        """Its flags as they are typed, short ones too."""
        flags = {argument.name: argument for argument in self.arguments if not argument.positional}
        short = {f"--{word}": flags[f"--{path}"] for word, path in SHORT.items() if f"--{path}" in flags}
        return {**short, **flags}

    def parse(self, words: Sequence[str]) -> list[Any]:
        """What `run` takes, from the words after the command's name.

        Raises InputError for unknown, missing and surplus words, and for values of another type.
        """
        given, names = self._read(words)
        missing = [argument.name for argument in self.arguments if argument.required and argument.path not in given]
        if missing:
            raise InputError(f"missing: {', '.join(missing)}; see kinespan {self.name} --help")
        nested = _nested(given)
        own: Any = parse_settings(self.kinds[0], _of_kind(nested, self.kinds[0]), names=names)
        file = getattr(own, "config", None)
        written = {} if file is None else read_yaml(file)
        if strange := [name for name in written if not any(name in _names(kind) for kind in self.kinds[1:])]:
            paths = [path for argument in self.arguments for path in (argument.path, argument.path.partition(".")[0])]
            raise InputError(f"{file}: {unknown('setting', strange[0], dict.fromkeys(paths), see='--help-all')}")
        nested = merged(written, nested)
        where = "" if file is None else str(file)
        settings: list[Any] = [parse_settings(kind, _of_kind(nested, kind), where, names) for kind in self.kinds[1:]]
        return [own, *settings]

    def _read(self, words: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
        """The text of each argument that is given, and what it is called, both by path."""
        given: dict[str, Any] = {}
        names: dict[str, str] = {}
        rest, loose = deque(words), []
        while rest:
            word = rest.popleft()
            if not _is_flag(word):
                loose.append(word)
                continue
            flag, equals, text = word.partition("=")
            argument, path, name = self._flag(flag)
            given[path] = _values(argument, name, [text] if equals else [], rest)
            names[path] = name
        for argument in self.arguments:
            if argument.positional and loose:
                given[argument.path] = loose if argument.items else loose[0]
                names[argument.path] = argument.name
                loose = [] if argument.items else loose[1:]
        if loose:
            raise InputError(f"unexpected {loose[0]!r}; usage: {self.usage}")
        return given, names

    def _flag(self, word: str) -> tuple[Argument, str, str]:
        """The argument that a flag sets, the path of what is set, and the flag as we write it."""
        flag = word.replace("_", "-")
        if flag in self.flags:
            return self.flags[flag], self.flags[flag].path, flag
        for argument in self.arguments:  # --options.NAME of a setting that holds settings by name
            if get_origin(argument.hint) is dict and flag.startswith(f"{argument.name}."):
                return argument, word.removeprefix("--").replace("-", "_"), flag
        raise unknown("flag", flag, self.flags, see=f"kinespan {self.name} --help-all")

    @property
    def usage(self) -> str:
        """How it is typed, in a line."""
        words = [f"kinespan {self.name}"]
        for argument in self.arguments:
            word = argument.name + ("..." if argument.items else "")
            if argument.positional:
                words.append(word if argument.required else f"[{word}]")
            elif argument.required:
                words.append(f"{word} {argument.path.upper()}")
        return " ".join([*words, "[OPTIONS]"])


def _arguments(kind: Any, prefix: str = "", owner: object = None) -> Iterator[Argument]:
    """The arguments of a dataclass; those of dataclasses in it by dotted paths, with the defaults that they have there.

    owner: the instance whose values are the defaults; None: the defaults are those of the fields.
    """
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        path, default = prefix + field.name, default_of(field) if owner is None else getattr(owner, field.name)
        hint = hints[field.name]
        if is_dataclass(hint):
            yield from _arguments(hint, f"{path}.", default)
        elif get_origin(hint) is Annotated:
            yield Argument(path, get_args(hint)[0], default, kind, positional=True)
        else:
            yield Argument(path, hint, default, kind)


def _values(argument: Argument, name: str, texts: list[str], rest: deque[str]) -> str | list[str]:
    """The text after a flag, taken from the rest of the words; a list where an argument takes several."""
    if argument.kinds == (bool,):
        if not texts and rest and rest[0].lower() in ("true", "false"):
            texts = [rest.popleft()]
        return texts[0] if texts else "true"
    limit = 1 if not argument.items else None if argument.items[-1] is Ellipsis else len(argument.items)
    while rest and not _is_flag(rest[0]) and (limit is None or len(texts) < limit):
        if texts and not _fits(argument.items[0], rest[0]):
            break  # the first word is taken whatever it is, so that a wrong one is named
        texts.append(rest.popleft())
    if not texts:
        raise InputError(f"{name}: found nothing after it, expected {expected(argument.hint)}")
    if not argument.items:
        return texts[0]
    if argument.items[0] in (str, Path):
        return texts
    return [item for text in texts for item in text.strip("[]").replace(",", " ").split()]


def _fits(kind: Any, text: str) -> bool:
    """Whether a word can be an item of a list; if not, it is the next positional one."""
    try:
        parse_value(kind, text.strip("[],"), "")
    except InputError:
        return False
    return True


def _is_flag(word: str) -> bool:
    return word.startswith("--") and len(word) > 2


def _names(kind: type) -> set[str]:
    return {field.name for field in fields(kind)}


def _of_kind(values: Mapping[str, Any], kind: type) -> dict[str, Any]:
    """Those of some settings that a dataclass has."""
    return {name: value for name, value in values.items() if name in _names(kind)}


def _nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by dotted path as nested ones."""
    nested: dict[str, Any] = {}
    for path, value in values.items():
        *blocks, name = path.split(".")
        block = nested
        for outer in blocks:
            block = block.setdefault(outer, {})
        block[name] = value
    return nested
