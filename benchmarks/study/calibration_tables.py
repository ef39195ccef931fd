"""The tables of the study of calibration, from its rows."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from ..results.store import markdown_table
from .robustness_tables import DATA

NAME = "calibration"
"""The stored rows."""
KINDS = ("as trained", "calibrated")
THRESHOLDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Those of the table of error over coverage."""
Rows = Sequence[Mapping[str, Any]]


def calibration_table(rows: Rows) -> str:
    """Calibration errors, mAP, F1@50 and the area under error over coverage, in per cent, mean over seeds.

    Beside the ECE of segments stands what it would be on average if scores were probabilities.
    """
    lines = []
    for data, kind in _kinds(rows):
        own = _of(rows, data, kind)
        claims = [f"{round(_mean(row[name]['claims'] for row in own))}" for name in ("frames", "segments")]
        errors = [f"{100 * _mean(row[name]['error'] for row in own):.1f}" for name in ("frames", "segments")]
        chance = f"{100 * _mean(chance_error(row['segments']['bins']) for row in own):.1f}"
        others = [f"{100 * _mean(row[name] for row in own):.1f}" for name in ("map", "f1_50")]
        area = f"{100 * _mean(row['segments']['area'] for row in own):.1f}"
        temperature = f"{_mean(row['temperature'] for row in own):.2f}" if kind == "calibrated" else "1"
        counted = [f"{error} ({count})" for error, count in zip(errors, claims, strict=True)]
        lines.append([f"{DATA[data]}, {kind}", temperature, *counted, chance, area, *others])
    heads = ["test recordings", "temperature", "ECE of frames (how many)", "ECE of segments (how many)", "by chance",
             "error over coverage, area", "mAP", "F1@50"]  # fmt: skip
    return markdown_table(heads, lines)


def coverage_table(rows: Rows) -> str:
    """Segments that are answered, and how many of them are wrong, in per cent, by the score below which none is."""
    lines = []
    for data in dict.fromkeys(row["data"] for row in rows):
        own = _of(rows, data, "calibrated")
        cells = []
        for threshold in THRESHOLDS:
            points = [point for row in own for point in row["segments"]["coverage"] if point["threshold"] == threshold]
            wrong = [point["error"] for point in points if point["error"] is not None]
            error = f"{100 * _mean(wrong):.1f}" if wrong else "-"
            cells.append(f"{100 * _mean(point['coverage'] for point in points):.0f} answered, {error} wrong")
        lines.append([DATA[data], *cells])
    return markdown_table(["unknown below", *(f"{threshold:g}" for threshold in THRESHOLDS)], lines)


def chance_error(bins: Sequence[Mapping[str, Any]]) -> float:
    """The ECE that scores which are probabilities have on average, by how many claims there are in each bin.

    Of n claims that are right with probability p each, the share that is right differs from p by E|k / n - p|.
    """
    total = sum(row["claims"] for row in bins)
    return sum(_mean_deviation(row["claims"], row["score"]) * row["claims"] for row in bins) / total


def _mean_deviation(n: int, p: float) -> float:
    """E|k / n - p| of k right ones of n, each with probability p."""
    return sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) * abs(k / n - p) for k in range(n + 1))


def _kinds(rows: Rows) -> list[tuple[str, str]]:
    return [(data, kind) for data in dict.fromkeys(row["data"] for row in rows) for kind in KINDS]


def _of(rows: Rows, data: str, kind: str) -> Rows:
    return [row for row in rows if row["data"] == data and row["scores"] == kind]


def _mean(values: Any) -> float:
    return statistics.fmean(values)
