"""What a user is told: what is wrong with their input, and what Ctrl-C left behind."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """Bad input from outside: a file, a field, a flag.

    The message is for the user: it names the file and the field, says what was found, what was expected and what
    to do. The command line prints it as one line and exits with code 2; from Python it is an ordinary ValueError.
    """


class Interrupted(KeyboardInterrupt):
    """Stopped by Ctrl-C, after what was done so far had been saved. The message says where."""


def unknown(kind: str, name: str, available: Iterable[str], *, see: str = "") -> InputError:
    """The error for a name that does not exist: the nearest name, and all names that do.

    see: where the names are listed, such as a command, in place of listing them.
    """
    names = list(available)
    nearest = difflib.get_close_matches(name, names, n=1)
    hints = [f"did you mean {nearest[0]!r}?"] if nearest else []
    hints.append(f"see {see}" if see else f"available: {', '.join(names) or 'none'}")
    return InputError(f"unknown {kind} {name!r}; {' '.join(hints)}")
