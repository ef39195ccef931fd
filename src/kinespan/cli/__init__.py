"""The command line: one file a command; here only how a command is found, parsed, and how a mistake is told."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NoReturn

from jsonargparse import ArgumentParser, Namespace, set_parsing_settings

from .._version import __version__
from ..config import STREAMS
from ..errors import InputError

COMMANDS = {
    "demo": "make the built-in corpus, learn from a fifth of its labels, localize, report: the main job at once",
    "prepare": "read motion files into a corpus",
    "info": "say what is in a recording, a corpus or a model",
    "learn": "learn to name and bound actions from recordings, some of them labelled: pretrain, finetune, fuse",
    "pretrain": "learn an encoder from recordings, without labels",
    "finetune": "learn to name and bound actions from labelled recordings",
    "recognize": "name trimmed actions by a frozen encoder: the linear and nearest-neighbour probe of pretraining",
    "fuse": "average finetuned models, of several streams, into one model",
    "localize": "find the actions in recordings",
    "stream": "find the actions in a recording while it is made",
    "evaluate": "hold predictions against truth, or a model against a corpus",
    "report": "write one HTML file that shows recordings, predictions and metrics",
    "reproduce": "run the rows of a paper's table and print ours beside the published figures",
    "list": "print what there is: methods, encoders, recipes, readers, skeletons, decoders, rules",
    "completion": "print a shell completion script",
}
"""Commands in the order of a user's work; each is the module of its name beside this file (list: `listing`)."""

WITH_NETWORK = ("learn", "pretrain", "finetune", "recognize")
"""Commands whose settings hold a network."""


class _Parser(ArgumentParser):
    """A parser whose mistakes are one line and exit code 2."""

    def format_help(self, *options: Any) -> str:
        """Help with dashes in flags, as people type them; underscores are understood as well."""
        return re.sub(r"--[a-z][\w.]*", lambda flag: flag.group().replace("_", "-"), super().format_help(*options))

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Raise the mistake as an InputError, with the nearest flag where one is unknown."""
        raise InputError(_plain(message, [flag for action in self._actions for flag in action.option_strings]))


def command_parser(name: str, words: Sequence[str] = ()) -> ArgumentParser:
    """The parser of one command; what a command takes may depend on the words that it is given."""
    # the help of a setting is the docstring under its field
    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    module = _module(name)
    parser = _Parser(prog=f"kinespan {name}", description=module.__doc__)
    if hasattr(module, "add_arguments_for"):
        module.add_arguments_for(parser, words)
    else:
        module.add_arguments(parser)
    return parser


def _module(command: str) -> Any:
    # a module named list would stand in the way of the built-in one here
    return import_module({"list": ".listing"}.get(command, f".{command}"), __name__)


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:<{width}}  {about}" for name, about in COMMANDS.items())
    return (
        "usage: kinespan COMMAND [ARGUMENTS]\n\n"
        "Find what a person did and when, in 3-D skeleton motion.\n\n"
        f"commands:\n{lines}\n\n"
        "options:\n  --help     show this, or the help of a command: kinespan COMMAND --help\n"
        "  --version  show the version\n"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; returns the exit code: 0 fine, 2 wrong usage or bad input, 130 stopped by Ctrl-C."""
    try:
        return _run(list(sys.argv[1:] if argv is None else argv))
    except InputError as error:
        print(f"kinespan: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("kinespan: stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output has gone, as in `kinespan info x | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a file that may not be read or written, a full disk
        if error.filename is None:
            raise
        print(f"kinespan: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2


def _run(words: list[str]) -> int:
    """Find the command, parse its arguments and run it; returns the exit code."""
    if not words or words[0] in ("--help", "-h", "help"):
        print(_overview(), end="")
        return 0 if words else 2
    if words[0] == "--version":
        print(f"kinespan {__version__}")
        return 0
    name = words[0]
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "see kinespan --help"
        raise InputError(f"unknown command {name!r}; {hint}")
    flags = _spelt_out([_underscored(word) for word in words[1:]], name)
    arguments: Namespace = command_parser(name, flags).parse_args(flags)
    code: int = _module(name).run(arguments)
    return code


def _underscored(word: str) -> str:
    """A flag with the underscores of the field that it sets: --label-fraction=0.2 to --label_fraction=0.2."""
    if not word.startswith("--"):
        return word
    flag, equals, value = word.partition("=")
    return "--" + flag[2:].replace("-", "_") + equals + value


SHORT = {"--encoder": "--network.encoder", "--streams": "--network.streams", "--snippets": "--snippet.variant"}
"""Flags that are typed often, and what they are short for, in commands that have the longer ones."""


def _spelt_out(words: Sequence[str], command: str) -> list[str]:
    """The words with short flags in full, and the words after --streams as the one list that they are."""
    if command not in WITH_NETWORK:
        return list(words)
    full: list[str] = []
    for word in words:
        flag, equals, value = word.partition("=")
        if full and full[-1] == "--network.streams=":  # the first word after the flag, whatever it is
            full[-1] += "[" + word.strip("[],")
        elif full and full[-1].startswith("--network.streams=[") and word.strip("[],") in STREAMS:
            full[-1] += "," + word.strip("[],")
        elif SHORT.get(flag, flag) == "--network.streams":
            full.append("--network.streams=" + ("[" if equals else "") + value.strip("[]"))
        elif flag == "--snippets" and command != "pretrain":
            full.append(word)
        else:
            full.append(SHORT.get(flag, flag) + equals + value)
    return [word + "]" if word.startswith("--network.streams=[") else word for word in full]


def _plain(message: str, flags: Sequence[str]) -> str:
    """A parser's message as one line a person can use."""
    text = " ".join(message.split()).removeprefix("error: ")
    text = re.sub(r"^Parser key \"([^\"]+)\":", r"\1:", text)
    if unknown := re.search(r"[Uu]nrecognized arguments?: (--[\w.-]+)", text):
        near = difflib.get_close_matches(unknown.group(1), flags, n=1)
        return text + (f"; did you mean {near[0].replace('_', '-')}?" if near else "; see --help")
    if unknown := re.search(r"Option '([\w.]+)' is not accepted", text):  # a key of a YAML file
        near = difflib.get_close_matches(unknown.group(1), [flag.removeprefix("--") for flag in flags], n=1)
        return f"--config: unknown setting {unknown.group(1)!r}" + (f"; did you mean {near[0]!r}?" if near else "")
    if missing := re.fullmatch(r"the following arguments are required: (.+)", text):
        names = [f"--{name}" if f"--{name}" in flags else name.upper() for name in missing.group(1).split(", ")]
        return f"missing: {', '.join(names)}; see --help"
    if value := re.fullmatch(r"([\w.]+): Expected an? (.+?)\.? Got value: (.*)", text):
        name, kind, found = value.groups()
        return f"{f'--{name}' if f'--{name}' in flags else name}: found {found}, expected {_kind(kind)}"
    return text


def _kind(kind: str) -> str:
    """A type as Python writes it, in words."""
    words = {"<class 'int'>": "a whole number", "<class 'float'>": "a number", "<class 'bool'>": "true or false"}
    options = re.search(r"Literal\[(.+?)\]", kind)
    return f"one of {options.group(1)}" if options else words.get(kind, kind)
