"""Average precision of predictions in order of their score: the interpolated one, and that of PKU-MMD's script."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import BoolArray, Float64Array, IntArray


class Groups(NamedTuple):
    """Predictions by group: the order (N,) that puts groups one after the other, and where each begins, (G + 1,)."""

    order: IntArray
    bounds: IntArray


def grouped(group: IntArray, count: int) -> Groups:
    """The Groups of the group (N,) of each prediction, 0 .. count - 1, each in the order of the predictions."""
    # of few groups, in 16 bits, which numpy sorts digit by digit
    order = np.argsort(group.astype(np.uint16) if count <= 1 << 16 else group, kind="stable")
    return Groups(order, np.searchsorted(group[order], np.arange(count + 1)))


def interpolated_ap(right: BoolArray, label: IntArray, count: IntArray) -> Float64Array:
    """AP (C, K) of predictions, best first, that are right or not (K, N), have a label (N,); `count` (C,) of truth.

    All-point interpolation, as in PASCAL VOC since 2010; NaN for labels that truth does not have.
    """
    result = np.full((len(count), len(right)), np.nan)
    order, bounds = grouped(label, len(count))
    for row in np.flatnonzero(count):
        mine = right[:, order[bounds[row] : bounds[row + 1]]]
        for column, hit in enumerate(mine):
            rank = np.flatnonzero(hit) + 1
            precision = np.arange(1, len(rank) + 1) / rank
            # Each step of recall, which is where a hit is, counts with the best precision at that recall or beyond.
            result[row, column] = np.maximum.accumulate(precision[::-1]).sum() / count[row]
    return result


def official_ap(matched: BoolArray, new: BoolArray, groups: Groups, count: IntArray) -> Float64Array:
    """AP (G,) of PKU-MMD's script, of each group (a label, a recording, or all), without true spans 0.

    Of the proposals, best first, `matched` (N,) says which have a true span at all, `new` (N,) which are the best of
    those on their true span; `count` (G,) are the groups' true spans.
    Proposals leave one by one, the least confident first. Where a matched one has left, the precision of those that
    stay counts for all recall that is lost from there on, unless there was a better one before, that of all
    proposals included.
    """
    order, bounds = groups
    start, size = bounds[:-1], np.diff(bounds)
    mine = np.repeat(np.arange(len(count)), size)
    hit, has_goal = new[order], matched[order]
    right = np.concatenate([[0], np.cumsum(hit)])
    stay = np.arange(len(order)) - start[mine]
    precision = (right[:-1] - right[start[mine]]) / np.maximum(1, stay)
    best = np.where(has_goal, precision, 0.0)
    for first, last in zip(start[size > 0].tolist(), bounds[1:][size > 0].tolist(), strict=True):
        whole = (right[last] - right[first]) / (last - first)
        best[last - 1] = max(best[last - 1], whole)
        best[first:last] = np.maximum.accumulate(best[first:last][::-1])[::-1]
    area = np.bincount(mine[hit], weights=best[hit], minlength=len(count))
    return np.divide(area, count, out=np.zeros(len(count)), where=count > 0)


def first_of_each(goal: IntArray, num_goals: int) -> BoolArray:
    """Which entries of `goal` (N,) are the first with their value, those below 0 never."""
    first = np.zeros(num_goals, dtype=np.int64)
    places = np.flatnonzero(goal >= 0)[::-1]
    # Of several writes to one place the last one stays, here the earliest entry.
    first[goal[places]] = places
    is_first = np.zeros(len(goal), dtype=bool)
    is_first[places] = first[goal[places]] == places
    return is_first
