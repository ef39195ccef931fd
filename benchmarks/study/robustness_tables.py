"""The tables of the study of robustness, from its rows."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from ..results.store import markdown_table

NAME = "robustness"
"""The stored rows."""
CLEAN = "as it is"
"""The change that changes nothing."""
DATA = {"precog": "PRECOG", "sfinge3d": "SFINGE 3D"}
"""Corpora, for people."""
Rows = Sequence[Mapping[str, Any]]


def robustness_table(rows: Rows, training: str) -> str:
    """F1@50 in per cent, mean over seeds and draws, of each change, and in how many points it differs from clean."""
    rows = [row for row in rows if row["training"] == training]
    data = [name for name in DATA if any(row["data"] == name for row in rows)]
    lines = []
    for change in dict.fromkeys(row["change"] for row in rows):
        cells = []
        for name in data:
            figure, clean = _mean(rows, name, change), _mean(rows, name, CLEAN)
            cells += ["", ""] if figure is None else [f"{figure:.1f}", _difference(figure, clean, change)]
        lines.append([change, *cells])
    heads = [head for name in data for head in (f"{DATA[name]}, F1@50", "less clean, points")]
    return markdown_table(["test recordings", *heads], lines)


def _mean(rows: Rows, data: str, change: str) -> float | None:
    """F1@50 in per cent: the mean over seeds of the mean over draws."""
    seeds = {row["seed"] for row in rows if row["data"] == data and row["change"] == change}
    means = [
        statistics.mean(
            100 * row["f1_50"]
            for row in rows
            if row["data"] == data and row["change"] == change and row["seed"] == seed
        )
        for seed in sorted(seeds)
    ]
    return statistics.mean(means) if means else None


def _difference(figure: float, clean: float | None, change: str) -> str:
    return "" if clean is None or change == CLEAN else f"{figure - clean:+.1f}"
