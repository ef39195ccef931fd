"""Average precision (AP) of predictions in order of score: interpolated, and as in PKU-MMD's script."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import BoolArray, Float64Array, IntArray


class Groups(NamedTuple):
    """N predictions by group: group g has the predictions order[bounds[g] : bounds[g + 1]]."""

    order: IntArray
    """(N,)"""
    bounds: IntArray
    """(G + 1,)"""


def grouped(group: IntArray, count: int) -> Groups:
    """The Groups of predictions with group index `group` (N,) below `count`; order within a group is kept."""
    # Few groups fit into 16 bits, which NumPy sorts by radix.
    order = np.argsort(group.astype(np.uint16) if count <= 1 << 16 else group, kind="stable")
    return Groups(order, np.searchsorted(group[order], np.arange(count + 1)))


def interpolated_ap(correct: BoolArray, label: IntArray, count: IntArray) -> Float64Array:
    """AP (C, K) by label and threshold, with all-point interpolation as in PASCAL VOC since 2010.

    `correct` (K, N) and `label` (N,) are of the predictions, best first; `count` (C,) are the true spans of each
    label. NaN for labels without true spans.
    """
    result = np.full((len(count), len(correct)), np.nan)
    order, bounds = grouped(label, len(count))
    for row in np.flatnonzero(count):
        in_group = correct[:, order[bounds[row] : bounds[row + 1]]]
        for column, is_correct in enumerate(in_group):
            rank = np.flatnonzero(is_correct) + 1
            precision = np.arange(1, len(rank) + 1) / rank
            # Recall rises at each correct prediction; it counts with the best precision at that recall or beyond.
            result[row, column] = np.maximum.accumulate(precision[::-1]).sum() / count[row]
    return result


def official_ap(matched: BoolArray, is_first: BoolArray, groups: Groups, count: IntArray) -> Float64Array:
    """AP (G,) as PKU-MMD's script has it, of each group (a label, a recording, or all); 0 without true spans.

    Of the proposals, best first, `matched` (N,) are those that reach a true span, `is_first` (N,) the best on their
    true span; `count` (G,) are the true spans of each group.

    Proposals are removed one by one, the least confident first. After each matched one, the precision of the rest
    counts for the recall lost from there on, unless it was higher before, that of all proposals included.
    """
    order, bounds = groups
    start, size = bounds[:-1], np.diff(bounds)
    in_group = np.repeat(np.arange(len(count)), size)
    is_correct, is_matched = is_first[order], matched[order]
    correct = np.concatenate([[0], np.cumsum(is_correct)])
    num_remaining = np.arange(len(order)) - start[in_group]
    precision = (correct[:-1] - correct[start[in_group]]) / np.maximum(1, num_remaining)
    best = np.where(is_matched, precision, 0.0)
    for first, last in zip(start[size > 0].tolist(), bounds[1:][size > 0].tolist(), strict=True):
        precision_of_all = (correct[last] - correct[first]) / (last - first)
        best[last - 1] = max(best[last - 1], precision_of_all)
        best[first:last] = np.maximum.accumulate(best[first:last][::-1])[::-1]
    area = np.bincount(in_group[is_correct], weights=best[is_correct], minlength=len(count))
    return np.divide(area, count, out=np.zeros(len(count)), where=count > 0)


def first_of_each(true_index: IntArray, num_true: int) -> BoolArray:
    """Mask (N,) of the first entry with each value of `true_index` (N,); entries below 0 never count."""
    first = np.zeros(num_true, dtype=np.int64)
    indices = np.flatnonzero(true_index >= 0)[::-1]
    # Of several writes to one index the last one stays, here the earliest entry.
    first[true_index[indices]] = indices
    is_first = np.zeros(len(true_index), dtype=bool)
    is_first[indices] = first[true_index[indices]] == indices
    return is_first
