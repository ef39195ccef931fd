"""Write a corpus, its motion and its annotation sets, as one file for a colleague; `kinespan unpack` reads it.

--anonymous puts numbers in place of the names of recordings, files, people and authors, and leaves out everything else
that says where they come from. What it cannot hide is printed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..corpus.pack import pack
from .arguments import Positional


@dataclass(frozen=True, kw_only=True)
class PackArguments:
    """The corpus and the file."""

    corpus: Positional[Path]
    """Folder of a prepared corpus."""
    file: Positional[Path]
    """File to write, such as corpus.zip."""
    anonymous: bool = False
    """Put numbers in place of names, sources, attributes and authors."""


def run(arguments: PackArguments) -> int:
    """Pack, and print what is in the file."""
    lines = pack(arguments.corpus, arguments.file, arguments.anonymous)
    print("\n".join([*lines, f"written to {arguments.file}, {arguments.file.stat().st_size / 1e6:.1f} MB"]))
    return 0
