"""Print a shell completion script: kinespan completion bash >> ~/.bashrc"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any, Literal

from .arguments import Argument, Positional


@dataclass(frozen=True, kw_only=True)
class CompletionArguments:
    """For which shell."""

    shell: Positional[Literal["bash", "zsh", "tcsh"]]
    """Shell to complete in: bash, zsh or tcsh."""


def run(arguments: CompletionArguments) -> int:
    """Print the script."""
    import shtab

    from . import COMMANDS, load_command

    root = argparse.ArgumentParser(prog="kinespan", description="Find what somebody did and when.")
    root.add_argument("--version", action="store_true", help="show the version")
    commands = root.add_subparsers(title="commands")
    for name, about in COMMANDS.items():
        parser, command = commands.add_parser(name, help=about), load_command(name)
        names = dict(command.flags) | {argument.path: argument for argument in command.arguments if argument.positional}
        for word, argument in names.items():
            action: Any = parser.add_argument(word, help=argument.text.replace("%", "%%"), **_completion(argument))
            if action.nargs != 0 and not action.choices:
                action.complete = shtab.FILE
    print(shtab.complete(root, arguments.shell))
    return 0


def _completion(argument: Argument) -> dict[str, Any]:
    """The options of argparse by which shtab knows how many words follow, and which."""
    if argument.kinds == (bool,):
        return {"action": "store_true"}
    optional = argument.positional and not argument.required
    return {"choices": argument.choices or None, "nargs": "*" if argument.items else "?" if optional else None}
