"""Docstrings are plain text for people who read the source; this makes them safe to read as reStructuredText.

An indented block after a blank line is a formula or code, and is shown as it stands. `name` is code.
"""

from __future__ import annotations

import re
from typing import Any

SECTIONS = re.compile(r"^(Args|Arguments|Returns|Raises|Yields|Example|Examples|Note|Notes|References|Attributes):\s*$")
MARKS = re.compile(r"(?<![`\w])`([^`\n]+)`(?![`_])")


def plain(lines: list[str]) -> list[str]:
    """The lines with indented blocks made literal, and single backticks double."""
    out: list[str] = []
    literal = section = False
    for line in lines:
        indented = line.startswith(" ")
        if line.strip() and not indented:
            literal, section = False, bool(SECTIONS.match(line))
        elif indented and not literal and not section and out and not out[-1].strip():
            literal = True
            out += ["::", ""]
        out.append(line if literal else escaped(MARKS.sub(r"``\1``", line)))
    return out


def escaped(line: str) -> str:
    """Stars and bars outside code would be markup: **kwargs, |N|."""
    pieces = re.split(r"(``.*?``)", line)
    return "".join(piece if piece.startswith("``") else re.sub(r"([*|])", r"\\\1", piece) for piece in pieces)


def process(app: Any, kind: str, name: str, subject: Any, options: Any, lines: list[str]) -> None:
    lines[:] = plain(lines)


def setup(app: Any) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", process, priority=400)  # before napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}
