"""Print a shell completion script: kinespan completion bash >> ~/.bashrc"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Literal

from .arguments import Argument, Positional


@dataclass(frozen=True, kw_only=True)
class CompletionArguments:
    """For which shell."""

    shell: Positional[Literal["bash", "zsh", "tcsh"]]
    """shell to complete in: bash, zsh or tcsh"""


def run(arguments: CompletionArguments) -> int:
    """Print the script."""
    import shtab

    from . import COMMANDS, load_command

    root = argparse.ArgumentParser(prog="kinespan", description="Find what a person did and when.")
    root.add_argument("--version", action="store_true", help="show the version")
    commands = root.add_subparsers(title="commands")
    for name, about in COMMANDS.items():
        parser = commands.add_parser(name, help=about)
        command = load_command(name)
        for flag, argument in command.flags.items():
            _add(parser, flag, argument)
        for argument in command.arguments:
            if argument.positional:
                _add(parser, argument.path, argument)
    print(shtab.complete(root, arguments.shell))
    return 0


def _add(parser: argparse.ArgumentParser, name: str, argument: Argument) -> None:
    """An argument on the parser that scripts are made from: its words complete, or else files."""
    import shtab

    text, optional = argument.text.replace("%", "%%"), argument.positional and not argument.required
    if argument.kinds == (bool,):
        parser.add_argument(name, help=text, action="store_true")
        return
    nargs = "*" if argument.items else "?" if optional else None
    action = parser.add_argument(name, help=text, choices=argument.choices or None, nargs=nargs)
    if not argument.choices:
        action.complete = shtab.FILE  # type: ignore[attr-defined]
