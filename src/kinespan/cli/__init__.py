"""The command line: one module for each command; here how commands are run, and how mistakes and Ctrl-C end them."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import is_dataclass
from importlib import import_module
from typing import Any, get_type_hints

from .._version import __version__
from ..errors import InputError, Interrupted, unknown
from .arguments import Command

COMMANDS = {
    "demo": "run the main job on the built-in corpus: learn from a fifth of its labels, localize, report",
    "prepare": "read motion files into a corpus",
    "split": "add a split to a corpus: folds of recordings to train and to test on",
    "annotations": "list, read, write and compare the annotation sets of a corpus",
    "pack": "write a corpus, motion and annotation sets, as one file",
    "unpack": "write the corpus in a packed file to a folder",
    "view": "look at recordings, labels and predictions in the browser",
    "label": "label a corpus in the browser, train from the labels, correct what comes",
    "info": "show what is in a recording, a file of labels, a corpus or a model",
    "convert": "write motion or labels in another format",
    "learn": "learn to name and bound actions from recordings of which some are labelled, in one command",
    "pretrain": "learn an encoder from recordings, without labels",
    "finetune": "learn to name and bound actions from labelled recordings",
    "recognize": "name trimmed actions with a frozen encoder: linear and nearest-neighbour probes",
    "ensemble": "average finetuned models, of several streams, into one model",
    "localize": "find the actions in recordings",
    "stream": "find the actions in a recording while it is made",
    "evaluate": "score predictions against ground truth, or a model on a corpus",
    "report": "write one HTML file that shows recordings, predictions and metrics",
    "reproduce": "run the rows of a paper's table, and print our figures beside the published ones",
    "list": "list methods, encoders, recipes, readers, writers, labels, skeletons, decoders, rules",
    "completion": "print a shell completion script",
}
"""Commands in the order of a user's work. Each is the module of its name in this package (list: `listing`)."""


def load_command(name: str, words: Sequence[str] = ()) -> Command:
    """A command by its name; the arguments of `prepare` depend on the words after it.

    Raises InputError for an unknown name, and for an unknown recipe.
    """
    if name not in COMMANDS:
        raise unknown("command", name, COMMANDS, see="kinespan --help")
    # a module named list would hide the built-in class here
    module: Any = import_module({"list": ".listing"}.get(name, f".{name}"), __name__)
    if hasattr(module, "command"):
        command: Command = module.command(words)
        return command
    kinds = tuple(hint for hint in get_type_hints(module.run).values() if is_dataclass(hint))
    groups, after_stop = getattr(module, "GROUPS", {}), getattr(module, "AFTER_STOP", "")
    return Command(name, module.run, kinds, module.__doc__ or "", groups, after_stop)  # type: ignore[arg-type]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command. Returns the exit code: 0 for success, 2 for wrong usage or bad input, 130 after Ctrl-C."""
    words = list(sys.argv[1:] if argv is None else argv)
    command: Command | None = None
    try:
        if not words or words[0] in ("--help", "-h", "help"):
            print(_overview(), end="")
            return 0 if words else 2
        if words[0] == "--version":
            print(f"kinespan {__version__}")
            return 0
        command = load_command(words[0], words[1:])
        if {"--help", "-h", "--help-all"} & set(words):
            from .help import help_text

            print(help_text(command, everything="--help-all" in words), end="")
            return 0
        return command.run(*command.parse(words[1:]))
    except InputError as error:
        print(f"kinespan: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:
        # before the first checkpoint there is nothing to resume
        resumable = isinstance(stop, Interrupted) or (command is not None and "--resume" not in command.flags)
        after = command.after_stop if command is not None and resumable else ""
        print("kinespan:", "; ".join(filter(None, (str(stop) or "stopped", after))), file=sys.stderr)
        return 130
    except BrokenPipeError:  # as in `kinespan info x | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # no permission, a full disk
        if error.filename is None:
            raise
        print(f"kinespan: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2


def _overview() -> str:
    width = max(map(len, COMMANDS))
    lines = "\n".join(f"  {name:<{width}}  {about}" for name, about in COMMANDS.items())
    return (
        "usage: kinespan COMMAND [ARGUMENTS]\n\n"
        "Find what somebody did and when, in 3-D skeleton motion.\n\n"
        f"commands:\n{lines}\n\n"
        "options:\n  --help     show this help, or that of a command: kinespan COMMAND --help\n"
        "  --version  show the version\n"
    )
