"""The tables of the study of what to label next, from its rows."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from ..results.store import markdown_table
from .claims import paired_p

NAME = "label_order"
"""The stored rows."""
WORDS = {
    "random": "at random",
    "ranked": "ranked, all three signs",
    "uncertainty": "by uncertainty alone",
    "disagreement": "by disagreement alone",
    "novelty": "by novelty alone",
}
"""Strategies, for people."""
DATA = {"precog": "PRECOG (of 8)", "sfinge3d": "SFINGE 3D (of 13)"}
"""Corpora, for people, with the number of their labels."""
Rows = Sequence[Mapping[str, Any]]


def order_table(rows: Rows, data: str) -> str:
    """F1@50, mean ± standard deviation over seeds in per cent, of each strategy by labelled minutes."""
    rounds = _rounds(rows, data)
    lines = []
    for strategy, words in WORDS.items():
        cells = []
        for number in rounds:
            figures = [100 * row["f1_50"] for row in _of(rows, data, strategy) if row["round"] == number]
            cells.append(_spread(figures))
        if any(cells):
            lines.append([words, *cells])
    heads = []
    for number in rounds:
        minutes = [row["minutes"] for row in rows if row["data"] == data and row["round"] == number]
        heads.append(f"{statistics.mean(minutes):.1f} min ({number} recordings)")
    return markdown_table(["next recording", *heads], lines)


def gains_table(rows: Rows, data: str) -> str:
    """F1@50 of each strategy less that of random, in points: mean ± deviation over seeds, and p of the paired test."""
    rounds = [number for number in _rounds(rows, data) if number > 2]
    lines = []
    for strategy, words in WORDS.items():
        if strategy == "random" or not _of(rows, data, strategy):
            continue
        gains = {number: _gains(rows, data, strategy, number) for number in rounds}
        seeds = set.intersection(*(set(gain) for gain in gains.values()))
        over_all = [statistics.mean(gains[number][seed] for number in rounds) for seed in sorted(seeds)]
        columns = [list(gains[number].values()) for number in rounds] + [over_all]
        lines.append([words, *(_tested(values) for values in columns)])
    return markdown_table(["less random, points", *(f"{number} recordings" for number in rounds), "mean"], lines)


def labels_table(rows: Rows) -> str:
    """Labels that occur in what is labelled, in the mean over seeds, and the difference to random with its paired p."""
    lines = []
    for data in dict.fromkeys(row["data"] for row in rows):
        for number in [number for number in _rounds(rows, data) if number > 2]:
            cells = {}
            for strategy in ("random", "ranked"):
                chosen = [row for row in _of(rows, data, strategy) if row["round"] == number]
                cells[strategy] = {row["seed"]: row["labels"] for row in chosen}
            seeds = sorted(set(cells["random"]) & set(cells["ranked"]))
            means = [f"{statistics.mean(cells[name][seed] for seed in seeds):.1f}" for name in cells]
            gains = [cells["ranked"][seed] - cells["random"][seed] for seed in seeds]
            lines.append([f"{DATA[data]}, {number} recordings", *means, _tested(gains)])
    return markdown_table(["labels that occur", "at random", "ranked", "difference"], lines)


def _gains(rows: Rows, data: str, strategy: str, number: int) -> dict[int, float]:
    """By seed, F1@50 of a strategy less that of random, in points."""
    sides = [
        {row["seed"]: 100 * row["f1_50"] for row in _of(rows, data, name) if row["round"] == number}
        for name in (strategy, "random")
    ]
    return {seed: sides[0][seed] - sides[1][seed] for seed in sorted(set(sides[0]) & set(sides[1]))}


def _of(rows: Rows, data: str, strategy: str) -> Rows:
    return [row for row in rows if row["data"] == data and row["strategy"] == strategy]


def _rounds(rows: Rows, data: str) -> list[int]:
    return sorted({row["round"] for row in rows if row["data"] == data})


def _spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    return f"{statistics.mean(values):.1f}" + (f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else "")


def _tested(values: Sequence[float]) -> str:
    """Mean ± deviation of differences with the p of the paired test."""
    if len(values) < 2:
        return ""
    return f"{statistics.mean(values):+.1f} ± {statistics.stdev(values):.1f} (p {paired_p(values):.2f})"
