"""The help of a command: the settings that people set, in groups, or all of them."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable
from dataclasses import MISSING
from pathlib import Path
from typing import Any, Literal, get_origin

from .arguments import SHORT, Argument, Command

INDENT = 26
"""Columns before the text of an argument."""
WORDS = {int: "N", float: "X", str: "TEXT", Path: "PATH"}
"""What stands for a value of a type."""


def help_text(command: Command, everything: bool = False) -> str:
    """The help of a command; `everything` adds the settings that few people set."""
    width = max(60, min(120, shutil.get_terminal_size().columns))
    lines = [f"usage: {command.usage}", ""]
    for paragraph in command.about.strip().split("\n\n"):
        lines += [textwrap.fill(" ".join(paragraph.split()), width), ""]
    by_path = {argument.path: argument for argument in command.arguments}
    grouped = {path for paths in command.groups.values() for path in paths}
    own = [argument for argument in command.arguments if argument.owner in command.kinds[0].__mro__]
    sections = {"arguments": [argument for argument in own if argument.path not in grouped]}
    sections |= {heading: [by_path[path] for path in paths] for heading, paths in command.groups.items()}
    rest = [argument for argument in command.arguments if argument not in own and argument.path not in grouped]
    if everything or not grouped:
        for argument in sorted(rest, key=lambda argument: "." in argument.path):
            block, heading = argument.path.rpartition(".")[0], "more settings" if grouped else "settings"
            sections.setdefault(f"{heading} of {block}" if block else heading, []).append(argument)
    for heading, arguments in sections.items():
        if arguments:
            lines += [f"{heading}:", *_entries(arguments, command, width), ""]
    if rest and grouped and not everything:
        lines.append(f"kinespan {command.name} --help-all shows {len(rest)} more settings.")
    return "\n".join(lines).rstrip() + "\n"


def _entries(arguments: Iterable[Argument], command: Command, width: int) -> list[str]:
    """Each argument with its text and default."""
    short = {argument.path: f"{flag}, " for flag, argument in command.flags.items() if flag[2:] in SHORT}
    lines = []
    for argument in arguments:
        start = f"  {short.get(argument.path, '')}{argument.name} {metavar(argument)}".rstrip()
        text = f"{argument.text}{_default(argument)}"
        indent = " " * INDENT
        if len(start) + 2 > INDENT:
            lines.append(start)
            start = ""
        lines += textwrap.wrap(text, width, initial_indent=start.ljust(INDENT), subsequent_indent=indent) or [start]
    return lines


def metavar(argument: Argument) -> str:
    """What stands for the value of an argument: N, X, PATH, or the words that it is one of."""
    if argument.positional or argument.kinds == (bool,):
        return "..." if argument.items else ""
    kinds: tuple[Any, ...] = argument.items or argument.kinds
    words = list(argument.choices) + [WORDS[kind] for kind in kinds if kind in WORDS]
    if argument.items and get_origin(argument.items[0]) is not Literal:
        return " ".join("..." if kind is Ellipsis else WORDS.get(kind, "TEXT") for kind in argument.items)
    if get_origin(argument.hint) is dict:
        return ".NAME VALUE"
    return "|".join(words) + (" ..." if argument.items else "")


def _default(argument: Argument) -> str:
    """The default in brackets, where it says something."""
    value = argument.default
    if value is MISSING or value is None or value is False or value in ((), {}):
        return " (required)" if value is MISSING and not argument.positional else ""
    return f" (default: {shown(value)})"


def shown(value: object) -> str:
    """A setting as it is typed."""
    if isinstance(value, tuple):
        return " ".join(map(shown, value))
    if isinstance(value, bool | None):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
