"""Print a shell completion script: kinespan completion bash >> ~/.bashrc"""

from __future__ import annotations

import argparse
from typing import Literal

from jsonargparse import ArgumentParser, Namespace


def add_arguments(parser: ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("shell", type=Literal["bash", "zsh", "tcsh"], help="shell to complete in")


def run(arguments: Namespace) -> int:
    """Print the script."""
    import shtab

    from . import COMMANDS

    root = argparse.ArgumentParser(prog="kinespan", description="Find what a person did and when.")
    root.add_argument("--version", action="store_true", help="show the version")
    commands = root.add_subparsers(title="commands")
    for name, about in COMMANDS.items():
        sub = commands.add_parser(name, help=about)
        _copy_flags(name, sub)
    print(shtab.complete(root, arguments.shell))
    return 0


def _copy_flags(name: str, parser: argparse.ArgumentParser) -> None:
    """The flags of a command on a plain parser; arguments that are paths complete as files."""
    import shtab

    from . import command_parser

    for action in command_parser(name)._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        about = (action.help or "").replace("%", "%%") if isinstance(action.help, str) else None
        if action.option_strings:
            if not any(flag in parser._option_string_actions for flag in action.option_strings):
                parser.add_argument(*action.option_strings, help=about).complete = shtab.FILE  # type: ignore[attr-defined]
        else:
            nargs = action.nargs if isinstance(action.nargs, str) else None
            parser.add_argument(action.dest, nargs=nargs, help=about).complete = shtab.FILE  # type: ignore[attr-defined]
