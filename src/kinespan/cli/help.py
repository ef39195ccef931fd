"""The help of a command: the settings that people set, in groups, or all of them."""

from __future__ import annotations

import shutil
import textwrap
from pathlib import Path
from typing import get_origin

from .arguments import Argument, Command

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
    sections = {heading: [by_path.pop(path) for path in paths] for heading, paths in command.groups.items()}
    own = [argument for argument in by_path.values() if argument.owner in command.kinds[0].__mro__]
    sections = {"arguments": own, **sections}
    rest = [argument for argument in by_path.values() if argument not in own]
    complete = everything or not command.groups
    for argument in sorted(rest, key=lambda argument: "." in argument.path) if complete else ():
        block = argument.path.rpartition(".")[0]
        sections.setdefault(f"settings of {block}" if block else "other settings", []).append(argument)
    for heading, arguments in sections.items():
        if arguments:
            lines += [f"{heading}:", *(line for argument in arguments for line in _entry(argument, command, width)), ""]
    if rest and not complete:
        lines.append(f"kinespan {command.name} --help-all shows {len(rest)} more settings.")
    return "\n".join(lines).rstrip() + "\n"


def _entry(argument: Argument, command: Command, width: int) -> list[str]:
    """The lines of an argument: how it is typed, its text and its default."""
    flags = [flag for flag, target in command.flags.items() if target is argument] or [argument.name]
    start = f"  {', '.join(flags)} {metavar(argument)}".rstrip()
    lines, first = ([start], "") if len(start) + 2 > INDENT else ([], start)
    wrapper = textwrap.TextWrapper(width, first.ljust(INDENT), " " * INDENT, break_on_hyphens=False)
    return lines + wrapper.wrap(f"{argument.text}{_default(argument)}")


def metavar(argument: Argument) -> str:
    """What stands for the value of an argument: N, X, PATH, or the words that it allows."""
    if argument.positional or argument.kinds == (bool,):
        return "..." if argument.items else ""
    if get_origin(argument.hint) is dict:
        return ".NAME VALUE"
    if argument.items and not argument.choices:
        return " ".join(WORDS.get(kind, "...") for kind in argument.items)
    words = [*argument.choices, *(WORDS[kind] for kind in argument.kinds if kind in WORDS)]
    return "|".join(words) + (" ..." if argument.items else "")


def _default(argument: Argument) -> str:
    """The default in brackets, where it says something."""
    value = argument.default
    if argument.required:
        return "" if argument.positional else " (required)"
    if value is None or value is False or value in ((), {}):
        return ""
    return f" (default: {shown(value)})"


def shown(value: object) -> str:
    """A setting as it is typed."""
    if isinstance(value, tuple):
        return " ".join(map(shown, value))
    if isinstance(value, bool | None):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
