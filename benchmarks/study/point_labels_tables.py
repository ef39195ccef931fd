"""The tables of the study of point labels, from its rows."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from ..results.store import markdown_table
from .claims import paired_p

NAME = "point_labels"
"""The stored rows."""
DATA = {"precog": "PRECOG, 20 % of the recordings", "sfinge3d": "SFINGE 3D, 8 recordings", "mocap6": "mocap6, all"}
"""Corpora and what of them is labelled, for people."""
KINDS = {"middle": "an instant of the middle half", "anywhere": "an instant anywhere"}
"""Kinds of points, for people."""
Rows = Sequence[Mapping[str, Any]]


def points_table(rows: Rows) -> str:
    """F1@50 with spans and with points, mean ± deviation over folds and seeds in per cent, and the difference."""
    lines = []
    for data, words in DATA.items():
        spans = _by_pair(rows, data, "spans")
        if not spans:
            continue
        pairs = sorted(spans)
        cells = [words, f"{len({fold for fold, _ in pairs})} × {len({seed for _, seed in pairs})}"]
        cells.append(_spread([spans[pair] for pair in pairs]))
        for kind in KINDS:
            points = _by_pair(rows, data, kind)
            shared = [pair for pair in pairs if pair in points]
            differences = [points[pair] - spans[pair] for pair in shared]
            cells.append(f"{_spread([points[pair] for pair in shared])} ({_difference(differences)})" if shared else "")
        lines.append(cells)
    return markdown_table(["F1@50 by what is labelled", "folds × seeds", "spans", *KINDS.values()], lines)


def grown_table(rows: Rows) -> str:
    """How well the grown spans fit the true ones: mean tIoU, and the share of at least 0.5 and 0.75, in per cent."""
    lines = []
    for data, words in DATA.items():
        for kind, kind_words in KINDS.items():
            chosen = [row for row in rows if row["data"] == data and row["kind"] == kind]
            if chosen:
                points = sum(row["spans"] for row in chosen)
                weighted = [
                    100 * sum(row[name] * row["spans"] for row in chosen) / points
                    for name in ("tiou", "tiou_50", "tiou_75")
                ]
                lines.append([f"{words}, {kind_words}", str(points), *(f"{value:.1f}" for value in weighted)])
    return markdown_table(["grown spans", "points", "mean tIoU", "0.5 or more", "0.75 or more"], lines)


def _by_pair(rows: Rows, data: str, kind: str) -> dict[tuple[int, int], float]:
    """F1@50 in per cent by fold and seed."""
    chosen = (row for row in rows if row["data"] == data and row["kind"] == kind)
    return {(row["fold"], row["seed"]): 100 * row["f1_50"] for row in chosen}


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.mean(values):.1f}" + (f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else "")


def _difference(values: Sequence[float]) -> str:
    """The mean of differences with the p of the paired test."""
    return f"{statistics.mean(values):+.1f}" + (f", p {paired_p(values):.2f}" if len(values) > 1 else "")
