"""Write a motion file as npz: metres, y up, as it was understood, with what was seen and what was not.

The npz holds positions (T, P, J, 3), joints, parents, fps, valid (T, P, J), what was seen, canonical (J), what each
joint is understood as, and the labels of the file. Nothing is filled in. kinespan reads it back as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .. import io
from ..errors import InputError
from .arguments import Positional
from .checks import check_out_file
from .motion import READING, take_lines

GROUPS = READING


@dataclass(frozen=True, kw_only=True)
class ConvertArguments:
    """The file to read and the file to write."""

    file: Positional[Path]
    """Motion file."""
    out: Positional[Path]
    """File to write, its suffix .npz."""
    overwrite: bool = False
    """Replace an existing file."""


def run(arguments: ConvertArguments, options: io.ReadOptions) -> int:
    """Convert and print what was decided."""
    out = arguments.out
    suffix = out.suffix.lower().removeprefix(".")
    if suffix not in io.WRITERS:
        written = ", ".join(f".{name}" for name in io.WRITERS)
        raise InputError(f"{out}: no format to write has the suffix {out.suffix!r}; expected {written}")
    check_out_file(out)
    if out.exists() and not arguments.overwrite:
        raise InputError(f"{out}: exists already; name another file, or replace it with --overwrite")
    format = io.detect(arguments.file) if options.format == io.AUTO else options.format
    take = io.read(arguments.file, format, options)
    io.WRITERS[suffix](take.recording, out, take.annotation)
    print("\n".join([*take_lines(take, format), f"written to {out}"]))
    return 0
