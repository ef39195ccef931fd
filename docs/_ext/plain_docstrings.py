"""Docstrings are plain text for people who read the source; this makes them safe to read as reStructuredText.

An indented block after a blank line is a formula or code, and is shown as it stands. `name` is code.
"""

from __future__ import annotations

import inspect
import re
from dataclasses import is_dataclass
from typing import Any

SECTIONS = re.compile(r"^(Args|Parameters|Returns|Raises|Yields|Examples?|Notes?|References|Attributes):\s*$")
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
    """Stars and bars outside code would be markup: **kwargs, |N|. The star of a list stays."""
    bullet = re.match(r"\s*\* ", line)
    start = bullet.group() if bullet else ""
    pieces = re.split(r"(``.*?``)", line.removeprefix(start))
    return start + "".join(x if x.startswith("``") else re.sub(r"([*|])", r"\\\1", x) for x in pieces)


BEFORE: dict[str, list[str]] = {}


def process(app: Any, kind: str, name: str, subject: Any, options: Any, lines: list[str]) -> None:
    lines[:] = plain(lines)
    BEFORE[name] = list(lines)


def restore(app: Any, kind: str, name: str, subject: Any, options: Any, lines: list[str]) -> None:
    """Napoleon reads the words before a colon in an attribute's docstring as its type; they are words."""
    if kind in ("attribute", "property"):
        lines[:] = BEFORE[name]


def signature(app: Any, kind: str, name: str, subject: Any, *rest: Any) -> tuple[str, None] | None:
    """A dataclass is called by the names of its fields; their types stand at the fields."""
    if kind != "class" or not is_dataclass(subject):
        return None
    parts = []
    for parameter in inspect.signature(subject).parameters.values():
        given = parameter.default is not parameter.empty
        text = repr(parameter.default) if given else ""
        default = "=..." if len(text) > 12 or "<" in text else f"={text}"
        parts.append(parameter.name + (default if given else ""))
    return f"({', '.join(parts)})", None


def setup(app: Any) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", process, priority=400)  # before napoleon
    app.connect("autodoc-process-docstring", restore, priority=900)  # after it
    app.connect("autodoc-process-signature", signature)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
