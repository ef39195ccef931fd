"""Is one model better than another? Compared in pairs: the same fold and seed, so the same labels and test."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .plan import Claim

Rows = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Comparison:
    """Mean difference in points and its paired test over `pairs` of fold and seed; `folds_won` of `folds` in the mean.

    p is two-sided, of Student's paired t test; 1 where all differences are the same or there are fewer than two.
    Pairs of a fold share their test recordings and folds share training recordings, so pairs are not independent and p
    is too small; p_folds is that of the folds' means over seeds.
    """

    pairs: int
    difference: float
    deviation: float
    p: float
    p_folds: float
    folds_won: int
    folds: int


def figure(row: Mapping[str, Any], name: str) -> float:
    """A figure of a row, in points; `argmax.f1_50` is that of one way to segment."""
    value: Any = row
    for key in name.split("."):
        value = value[key]
    return 100 * float(value)


def compare(rows: Rows, claim: Claim) -> Comparison | None:
    """How the two models of a claim compare; None without a pair of both."""
    sides: tuple[dict[tuple[int, int], float], ...] = ({}, {})
    for side, name in zip(sides, (claim.better, claim.than), strict=True):
        for row in rows:
            fits = row["row"] == name and str(row["labels"]) == str(claim.labels)
            if fits and (not claim.folds or row["fold"] in claim.folds):
                side[row["fold"], row["seed"]] = figure(row, claim.figure)
    pairs = sorted(set(sides[0]) & set(sides[1]))
    if not pairs:
        return None
    gains = {pair: sides[0][pair] - sides[1][pair] for pair in pairs}
    folds = sorted({fold for fold, _ in pairs})
    means = [statistics.mean(gain for pair, gain in gains.items() if pair[0] == fold) for fold in folds]
    won = sum(mean > 0 for mean in means)
    values = list(gains.values())
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    p, p_folds = paired_p(values), paired_p(means)
    return Comparison(len(values), statistics.mean(values), deviation, p, p_folds, won, len(folds))


def paired_p(differences: Sequence[float]) -> float:
    """Two-sided p of Student's t test that differences have mean zero; 1 where the test is undefined."""
    from scipy import stats

    count = len(differences)
    if count < 2 or statistics.stdev(differences) == 0:
        return 1.0
    t = statistics.mean(differences) / (statistics.stdev(differences) / math.sqrt(count))
    return float(2 * stats.t.sf(abs(t), count - 1))
