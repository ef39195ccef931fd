"""From the words of a command line to the settings of a command.

A command is a function of dataclasses: first its own arguments, then settings. Each of their fields is a flag, named by
its dotted path (`--network.fps`), or, where its type is `Positional`, a word without a flag. argparse is not used: its
lists swallow the positional words after them, and it knows neither `--resume false` nor `--options.NAME`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from ..config.parser import (
    BOOLS,
    SHORT,
    default_of,
    expected,
    merged,
    parse_settings,
    parse_value,
    read_yaml,
    setting_texts,
)
from ..errors import InputError, unknown

Value = TypeVar("Value")
Positional = Annotated[Value, "positional"]
"""The type of a field that is given without a flag."""


@dataclass(frozen=True)
class Argument:
    """A flag or a positional word of a command: a field of a dataclass, by its dotted path."""

    path: str
    hint: Any
    default: Any
    owner: type
    """The dataclass that has the field."""
    positional: bool

    @property
    def name(self) -> str:
        """The flag (--network.fuse-streams), or what stands for a positional word in help (CORPUS)."""
        # Python has words such as `from` for itself; a field of that name ends in an underscore
        return self.path.upper() if self.positional else "--" + self.path.removesuffix("_").replace("_", "-")

    @property
    def required(self) -> bool:
        """Whether it has no default."""
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
        """The words that it allows, where these are fixed."""
        return tuple(
            str(word) for kind in self.items or self.kinds if get_origin(kind) is Literal for word in get_args(kind)
        )


@dataclass(frozen=True)
class Command:
    """A command: a function that takes dataclasses and returns the exit code, and how its help is arranged."""

    name: str
    run: Callable[..., int]
    kinds: tuple[type, ...]
    """The dataclasses that `run` takes."""
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

    def parse(self, words: Sequence[str]) -> list[Any]:
        """The dataclasses that `run` takes, from the words after the command's name.

        Raises InputError for unknown, missing and surplus words, and for values of another type.
        """
        values, names = self._read(words)
        missing = [argument.name for argument in self.arguments if argument.required and argument.path not in names]
        if missing:
            raise InputError(f"missing: {', '.join(missing)}; see kinespan {self.name} --help")
        file = values.get("config", "")
        if file:
            values = merged(self._read_config(Path(file)), values)
        settings: list[Any] = []
        for kind in self.kinds:
            known = {field.name for field in fields(kind)}
            own = {name: value for name, value in values.items() if name in known}
            settings.append(parse_settings(kind, own, file, names))
        return settings

    def _read_config(self, file: Path) -> dict[str, Any]:
        """The settings in a YAML file. Raises InputError for one that the command does not have."""
        settings, known = read_yaml(file), [field.name for kind in self.kinds[1:] for field in fields(kind)]
        for name in settings:
            if f"--{name}" in self.flags and name in SHORT:
                block, _, setting = SHORT[name].partition(".")
                raise InputError(f"{file}: unknown setting {name!r}; in a file it is {block}: {{{setting}: ...}}")
            if name not in known:
                see = f"kinespan {self.name} --help-all"
                raise InputError(f"{file}: {unknown('setting', name, known, see=see)}")
        return settings

    def _read(self, words: Sequence[str]) -> tuple[dict[str, Any], dict[str, str]]:
        """The text of each argument that is given, nested as settings are, and the flag as typed of each path."""
        values: dict[str, Any] = {}
        names: dict[str, str] = {}
        rest, positional = deque(words), []
        while rest:
            word = rest.popleft()
            if not _is_flag(word):
                positional.append(word)
                continue
            flag, equals, text = word.partition("=")
            argument, path, name = self._flag(flag)
            names[path] = name
            *blocks, last = path.split(".")
            block = values
            for outer in blocks:
                block = block.setdefault(outer, {})
            block[last] = _flag_value(argument, name, [text] if equals else [], rest)
        for argument in self.arguments:
            if argument.positional and positional:
                names[argument.path] = argument.name
                values[argument.path] = positional if argument.items else positional[0]
                positional = [] if argument.items else positional[1:]
        if positional:
            raise InputError(f"unexpected argument {positional[0]!r}; usage: {self.usage}")
        return values, names

    def _flag(self, word: str) -> tuple[Argument, str, str]:
        """The argument that a flag sets, the path of the setting, and the flag as we write it."""
        flag = word.replace("_", "-")
        if flag in self.flags:
            return self.flags[flag], self.flags[flag].path, flag
        group = flag.partition(".")[0]  # of --options.NAME, a setting that holds settings by name
        if group in self.flags and get_origin(self.flags[group].hint) is dict:
            return self.flags[group], word.removeprefix("--").replace("-", "_"), flag
        raise unknown("flag", flag, self.flags, see=f"kinespan {self.name} --help-all")


def _arguments(kind: Any, prefix: str = "", owner: object = None) -> Iterator[Argument]:
    """The arguments of a dataclass; those of nested dataclasses by dotted paths, with the defaults of the outer one.

    owner: the instance whose values are the defaults; None: the defaults are those of the fields.
    """
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        path, default = prefix + field.name, default_of(field) if owner is None else getattr(owner, field.name)
        hint = hints[field.name]
        if is_dataclass(hint):
            yield from _arguments(hint, f"{path}.", default)
        else:
            positional = get_origin(hint) is Annotated
            yield Argument(path, get_args(hint)[0] if positional else hint, default, kind, positional)


def _flag_value(argument: Argument, name: str, texts: list[str], rest: deque[str]) -> str | list[str]:
    """The text of a flag: `texts` and what belongs to it of the words after it, which are removed from `rest`."""
    if argument.kinds == (bool,):
        if not texts and rest and rest[0].lower() in BOOLS:
            return rest.popleft()
        return texts[0] if texts else "true"
    limit = 1 if not argument.items else None if argument.items[-1] is Ellipsis else len(argument.items)
    while rest and not _is_flag(rest[0]) and (limit is None or len(texts) < limit):
        if texts and not _fits(argument.items[0], rest[0]):
            break  # the first word is a value even if it does not fit, so that the error names it
        texts.append(rest.popleft())
    if not texts:
        raise InputError(f"{name}: no value given, expected {expected(argument.hint)}")
    if not argument.items:
        return texts[0]
    return texts if argument.items[0] in (str, Path) else " ".join(texts)


def _fits(kind: Any, text: str) -> bool:
    """Whether a word can be an item of a list; if not, it is a positional word."""
    try:
        parse_value(kind, text.strip("[],"), "")
    except InputError:
        return False
    return True


def _is_flag(word: str) -> bool:
    return word.startswith("--") and len(word) > 2
