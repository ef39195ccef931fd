"""Drawings in SVG stand in a box of their own, which scrolls on screens too narrow for their text."""

from __future__ import annotations

from typing import Any

from docutils import nodes


def frame(app: Any, doctree: nodes.document) -> None:
    for raw in doctree.findall(nodes.raw):
        text = raw.astext()
        if text.startswith("<svg"):
            raw.replace_self(nodes.raw("", f'<div class="figure-svg">\n{text}</div>\n', format="html"))


def setup(app: Any) -> dict[str, bool]:
    app.connect("doctree-read", frame)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
