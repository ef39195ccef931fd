"""Cells of numbers do not break over lines, and tables of many columns are set smaller."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes

NUMBER = re.compile(r"^[-+<≤]?\s?\d[\d.,]*( ?%)?( ± [\d.]+)?( (M|s|ms|us|GiB|MiB|steps/s))?$")
MANY = 8


def mark(app: Any, doctree: nodes.document) -> None:
    for table in doctree.findall(nodes.table):
        columns = next(iter(table.findall(nodes.tgroup)))["cols"]
        if columns >= MANY:
            table["classes"].append("wide")
        for entry in table.findall(nodes.entry):
            if NUMBER.match(entry.astext().strip()):
                entry["classes"].append("number")


def setup(app: Any) -> dict[str, bool]:
    app.connect("doctree-read", mark)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
