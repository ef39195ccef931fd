"""Errors that users see: bad input, and work stopped by Ctrl-C."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from importlib import import_module
from types import ModuleType


class InputError(ValueError):
    """Bad input: a file, a field, a flag.

    The message is for the user: it names the file and the field, says what was found, what was expected and what
    to do. The command line prints it as one line and exits with code 2; from Python it is an ordinary ValueError.
    """


class Interrupted(KeyboardInterrupt):
    """Stopped by Ctrl-C after the work so far was saved; the message says where."""


def unknown(kind: str, name: str, available: Iterable[str], *, see: str = "") -> InputError:
    """The error for an unknown name, with the nearest and all available names.

    see: where the available names are listed, such as a command, in place of the list.
    """
    names = list(available)
    nearest = difflib.get_close_matches(name, names, n=1)
    hints = [f"did you mean {nearest[0]!r}?"] if nearest else []
    hints.append(f"see {see}" if see else f"available: {', '.join(names) or 'none'}")
    return InputError(f"unknown {kind} {name!r}; {' '.join(hints)}")


def import_extra(module: str, extra: str, purpose: str) -> ModuleType:
    """Import a module of a package that kinespan does not depend on.

    Raises InputError with the pip command where it is not installed: `purpose` needs it, `extra` installs it.
    """
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != package:
            raise
        raise InputError(
            f"{purpose} needs {package}, which is not installed; run: pip install 'kinespan[{extra}]'"
        ) from None
