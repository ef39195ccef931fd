"""Segmental metrics of exclusive labels: edit score and F1@k.

Both as in Lea et al., "Temporal Convolutional Networks for Action Segmentation and Detection" (CVPR 2017), which
action segmentation has reported since; background is dropped, unlabelled time is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from ..annotation import BACKGROUND, IGNORE
from ..arrays import IntArray
from .average_precision import first_of_each
from .matching import Table, best


def edit_score(
    predicted: Iterable[IntArray],
    truth: Iterable[IntArray],
    dropped: Sequence[int] = (BACKGROUND,),
) -> float:
    """1 - Levenshtein distance of the two orders of segments / the longer one's length, mean over recordings.

    `predicted` and `truth` give the frame ids (T,) of each recording; `dropped` lists the ids that make no segment.
    A recording with no segment on either side scores 1. NaN without recordings. In 0..1 (papers print x 100).
    """
    found, true, count = _segments(predicted, truth, dropped)
    scores = []
    for left, right in zip(_orders(found, count), _orders(true, count), strict=True):
        longest = max(len(left), len(right))
        scores.append(1.0 - _levenshtein(left, right) / longest if longest else 1.0)
    return float(np.mean(scores)) if scores else float("nan")


def f1_at_k(
    predicted: Iterable[IntArray],
    truth: Iterable[IntArray],
    overlaps: Sequence[float] = (0.10, 0.25, 0.50),
    dropped: Sequence[int] = (BACKGROUND,),
) -> tuple[float, ...]:
    """F1 of segments at each overlap, counts pooled over recordings, in 0..1 (papers print x 100).

    In order of time, a predicted segment is right if the true segment of its label that it overlaps most (the first
    of equals) has tIoU >= the overlap and was not taken yet. NaN where neither side has a segment.
    """
    found, true, _ = _segments(predicted, truth, dropped)
    goal, tiou = best(found, true)
    total = len(found) + len(true)
    right = [first_of_each(np.where(tiou >= overlap, goal, -1), len(true)).sum() for overlap in overlaps]
    return tuple(2.0 * int(count) / total if total else float("nan") for count in right)


def _segments(
    predicted: Iterable[IntArray], truth: Iterable[IntArray], dropped: Sequence[int]
) -> tuple[Table, Table, int]:
    """Segments of both sides, in frames, and the number of recordings; unlabelled time cuts through both."""
    sides: tuple[list[IntArray], ...] = ([], [])
    count = 0
    for found, true in zip(predicted, truth, strict=True):
        for side, ids in zip(sides, (np.where(true == IGNORE, IGNORE, found), true), strict=True):
            change = np.flatnonzero(np.diff(ids, prepend=ids[:1] - 1))
            rows = np.stack(
                [np.full(len(change), count), ids[change], change, np.append(change[1:], len(ids))[: len(change)]]
            )
            side.append(rows)
        count += 1
    left, right = (_table(side, (IGNORE, *dropped)) for side in sides)
    return left, right, count


def _table(parts: Sequence[IntArray], out: Sequence[int]) -> Table:
    """The Table of (4, N) arrays of recording, id, first frame and frame after the last, without some ids."""
    rows = np.concatenate([np.zeros((4, 0), np.int64), *parts], axis=1)
    rows = rows[:, ~np.isin(rows[1], out)]
    return Table(rows[0], rows[1], rows[2].astype(np.float64), rows[3].astype(np.float64), np.zeros(rows.shape[1]))


def _orders(segments: Table, count: int) -> list[list[int]]:
    """The ids of each recording's segments, in order."""
    bounds = np.searchsorted(segments.recording, np.arange(count + 1))
    ids = segments.label.tolist()
    return [ids[first:last] for first, last in pairwise(bounds.tolist())]


def _levenshtein(left: Sequence[int], right: Sequence[int]) -> int:
    """Fewest insertions, deletions and substitutions from one order to the other.

    A column of the table of distances is kept as two numbers, one bit a row: where the next row is one more (`up`)
    and where it is one less (`down`); a whole column follows from the one before by a few operations on them (Myers,
    J. ACM 1999, as in Hyyrö 2003).
    """
    if not left or not right:
        return max(len(left), len(right))
    places: dict[int, int] = {}
    for row, value in enumerate(left):
        places[value] = places.get(value, 0) | 1 << row
    whole, last = (1 << len(left)) - 1, 1 << (len(left) - 1)
    up, down, distance = whole, 0, len(left)
    for value in right:
        equal = places.get(value, 0)
        level = (((equal & up) + up) ^ up) | equal
        more, less = down | ~(level | up), up & level
        distance += bool(more & last) - bool(less & last)
        more, less = more << 1 | 1, less << 1
        sideways = equal | down
        up, down = (less | ~(sideways | more)) & whole, more & sideways & whole
    return distance
