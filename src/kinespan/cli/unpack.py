"""Write the corpus in a file of `kinespan pack` to a new folder, after everything in it was checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..corpus.pack import unpack
from .arguments import Positional
from .common import plural


@dataclass(frozen=True, kw_only=True)
class UnpackArguments:
    """The file and the folder."""

    file: Positional[Path]
    """File of `kinespan pack`."""
    corpus: Positional[Path]
    """Folder of the corpus to write."""


def run(arguments: UnpackArguments) -> int:
    """Unpack, and print what was in the file."""
    corpus = unpack(arguments.file, arguments.corpus)
    sets = ", ".join(map(str, corpus.sets)) or "none"
    print(f"corpus {corpus.name!r}: {plural(len(corpus), 'recording')}, annotation sets: {sets}")
    print(f"written to {arguments.corpus}")
    return 0
