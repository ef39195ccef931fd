"""Cells of numbers do not break over lines, brackets in tables do not either, and wide tables are set smaller."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes

NUMBER = re.compile(r"^all$|^-$|^[-+<≤]?\s?\d[\d.,]*( ?%)?( ± [\d.]+)?( (M|s|ms|us|GiB|MiB|steps/s))?$")
BRACKET = re.compile(r"\(< ?[\d.]+, \d+\)|\([\d.]+, \d+\)")
MANY = 8


def mark(app: Any, doctree: nodes.document) -> None:
    for table in doctree.findall(nodes.table):
        columns = next(iter(table.findall(nodes.tgroup)))["cols"]
        if columns >= MANY:
            table["classes"].append("wide")
        for entry in table.findall(nodes.entry):
            if NUMBER.match(entry.astext().strip()):
                entry["classes"].append("number")
            for text in list(entry.findall(nodes.Text)):
                whole = BRACKET.sub(lambda match: match[0].replace(" ", "\N{NO-BREAK SPACE}"), text)
                text.parent.replace(text, nodes.Text(whole))


def setup(app: Any) -> dict[str, bool]:
    app.connect("doctree-read", mark)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
