"""Segmental metrics of exclusive labels: edit score and F1@k.

Both as in Lea et al., "Temporal Convolutional Networks for Action Segmentation and Detection" (CVPR 2017), which
action segmentation has reported since; background is dropped, unlabelled time is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..annotation import BACKGROUND, IGNORE, runs

Segments = list[tuple[int, int, int]]


def edit_score(
    predicted: Iterable[NDArray[np.int64]],
    truth: Iterable[NDArray[np.int64]],
    dropped: Sequence[int] = (BACKGROUND,),
) -> float:
    """1 - Levenshtein distance of the two orders of segments / the longer one's length, mean over recordings.

    `predicted` and `truth` give the frame ids (T,) of each recording; `dropped` lists the ids that make no segment.
    A recording with no segment on either side scores 1. NaN without recordings. In 0..1 (papers print x 100).
    """
    scores = []
    for found, true in zip(predicted, truth, strict=True):
        left, right = _segments(found, true, dropped)
        longest = max(len(left), len(right))
        distance = _levenshtein([value for value, _, _ in left], [value for value, _, _ in right])
        scores.append(1.0 - distance / longest if longest else 1.0)
    return float(np.mean(scores)) if scores else float("nan")


def f1_at_k(
    predicted: Iterable[NDArray[np.int64]],
    truth: Iterable[NDArray[np.int64]],
    overlaps: Sequence[float] = (0.10, 0.25, 0.50),
    dropped: Sequence[int] = (BACKGROUND,),
) -> tuple[float, ...]:
    """F1 of segments at each overlap, counts pooled over recordings, in 0..1 (papers print x 100).

    In order of time, a predicted segment is right if the true segment of its label that it overlaps most (the first
    of equals) has tIoU >= the overlap and was not taken yet. NaN where neither side has a segment.
    """
    right = np.zeros(len(overlaps), dtype=np.int64)
    num_predicted = num_true = 0
    for found, true in zip(predicted, truth, strict=True):
        left, goal = _segments(found, true, dropped)
        num_predicted += len(left)
        num_true += len(goal)
        right += [_hits(left, goal, overlap) for overlap in overlaps]
    total = num_predicted + num_true
    return tuple(2.0 * int(count) / total if total else float("nan") for count in right)


def _segments(found: NDArray[np.int64], true: NDArray[np.int64], dropped: Sequence[int]) -> tuple[Segments, Segments]:
    """Segments of both sides as (id, first frame, frame after the last); unlabelled time cuts through both."""
    found = np.where(true == IGNORE, IGNORE, found)
    out = {IGNORE, *dropped}
    return [run for run in runs(found) if run[0] not in out], [run for run in runs(true) if run[0] not in out]


def _hits(found: Segments, true: Segments, overlap: float) -> int:
    """How many found segments are right."""
    if not found or not true:
        return 0
    goal = np.array(true, dtype=np.int64)
    taken = np.zeros(len(true), dtype=bool)
    for value, start, end in found:
        shared = np.minimum(end, goal[:, 2]) - np.maximum(start, goal[:, 1])
        hull = np.maximum(end, goal[:, 2]) - np.minimum(start, goal[:, 1])
        tiou = np.where(goal[:, 0] == value, np.maximum(shared, 0) / hull, 0.0)
        best = int(tiou.argmax())
        taken[best] |= tiou[best] >= overlap
    return int(taken.sum())


def _levenshtein(left: Sequence[int], right: Sequence[int]) -> int:
    """Fewest insertions, deletions and substitutions from one order to the other."""
    if not left or not right:
        return max(len(left), len(right))
    goal = np.asarray(right)
    steps = np.arange(len(right) + 1)
    row = steps
    for count, value in enumerate(left, start=1):
        above = np.minimum(row[1:] + 1, row[:-1] + (goal != value))
        # An insertion costs 1 a step to the right: min over j' <= j of above[j'] + (j - j'), in one sweep.
        row = np.minimum.accumulate(np.concatenate([[count], above]) - steps) + steps
    return int(row[-1])
