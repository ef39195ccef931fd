"""How objects show themselves in a session: counts in words, and small tables for notebooks."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

SPAN_COLUMNS = ("label", "start", "end", "score", "person")
"""The columns of a table of spans and events."""
MAX_ROWS = 12
"""Rows of a table in a notebook; of a longer one the first are shown, and how many follow."""


def counted(number: int, word: str, plural: str = "") -> str:
    """A number and its noun: 1 span, 2 spans, 1,200 frames."""
    return f"{number:,} {word if number == 1 else plural or word + 's'}"


def shortened(text: str, length: int = 60) -> str:
    """The text, its middle left out where it is longer than `length`."""
    half = (length - 3) // 2
    return text if len(text) <= length else f"{text[:half]}...{text[-half:]}"


def facts_html(title: str, facts: Iterable[tuple[str, object]]) -> str:
    """A table of facts, name beside value, under a title; facts without a value are left out."""
    rows = [f"<tr><th>{_cell(name)}</th><td>{_cell(value)}</td></tr>" for name, value in facts if value not in ("", ())]
    return _table(title, rows)


def rows_html(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table with a header under a title: the first `MAX_ROWS` rows, and how many follow."""
    lines = ["<tr>" + "".join(f"<th>{_cell(name)}</th>" for name in header) + "</tr>"]
    lines += ["<tr>" + "".join(f"<td>{_cell(value)}</td>" for value in row) + "</tr>" for row in rows[:MAX_ROWS]]
    if len(rows) > MAX_ROWS:
        lines.append(f'<tr><td colspan="{len(header)}">and {len(rows) - MAX_ROWS:,} more</td></tr>')
    return _table(title, lines)


def _table(title: str, rows: Iterable[str]) -> str:
    return f"<strong>{html.escape(title)}</strong><table>{''.join(rows)}</table>"


def _cell(value: object) -> str:
    """A value as HTML: a number with two digits after the point, lines below each other, None as nothing."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.2f}"
    if isinstance(value, tuple | list):
        lines = [
            *map(str, value[:MAX_ROWS]),
            *([f"and {len(value) - MAX_ROWS:,} more"] if len(value) > MAX_ROWS else []),
        ]
        return "<br>".join(html.escape(line) for line in lines)
    return html.escape(str(value))
