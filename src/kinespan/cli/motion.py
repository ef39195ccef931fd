"""What commands share that read motion files: the options of reading, and those that nothing would use."""

from __future__ import annotations

from dataclasses import fields

from .. import io
from ..errors import InputError

READING = {"how to read motion files that do not say, or say it wrongly": tuple(f.name for f in fields(io.ReadOptions))}
"""The options of reading under their heading in help."""


def check_no_options(options: io.ReadOptions, what: str) -> None:
    """Raise InputError where options of reading are given for what is no motion file."""
    given = options.given()
    if given:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise InputError(f"{flags}: for motion files, not for {what}")
