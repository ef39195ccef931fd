"""Non-maximum suppression among the spans of one label: of spans that overlap, only the best stays.

Spans are columns (N,): first frame, frame after the last, score. Only spans that overlap are compared, since a
recording of a day has thousands.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np

from ..arrays import Float64Array, IntArray


class OverlapPairs(NamedTuple):
    """The M ordered pairs (i, j) of spans that overlap or touch; those of span i are bounds[i] to bounds[i + 1]."""

    bounds: IntArray
    """(N + 1,)"""
    first: IntArray
    """(M,) span i"""
    second: IntArray
    """(M,) span j"""
    shared: IntArray
    """(M,) frames that both have"""


def overlap_pairs(start: IntArray, end: IntArray) -> OverlapPairs:
    """All pairs of spans that overlap or touch.

    Runs above several thresholds lie within one another, so there are few: about one a threshold and span.
    """
    order, ranks = np.argsort(start, kind="stable"), np.arange(len(start))
    # In order of their starts, the spans that begin before span i ends follow it directly.
    count = np.searchsorted(start[order], end[order], side="right") - ranks - 1  # (N,)
    earlier = np.repeat(ranks, count)
    later = earlier + 1 + np.arange(len(earlier)) - np.repeat(np.cumsum(count) - count, count)
    first, second = order[np.concatenate([earlier, later])], order[np.concatenate([later, earlier])]
    by_first = np.argsort(first, kind="stable")
    first, second = first[by_first], second[by_first]
    shared = np.maximum(0, np.minimum(end[first], end[second]) - np.maximum(start[first], start[second]))
    return OverlapPairs(np.searchsorted(first, np.arange(len(start) + 1)), first, second, shared)


def hard_nms(
    start: IntArray, end: IntArray, score: Float64Array, threshold: float, contained: bool = False
) -> IntArray:
    """Select the best span, drop those that overlap it by more than `threshold`, and so on with the rest.

    The overlap is the tIoU or, where `contained`, the share of the worse span's length, counted with both end frames
    as in STAL. Returns the indices (K,) of the spans that stay, best first.
    """
    bounds, first, second, shared = overlap_pairs(start, end)
    if contained:
        overlap = (shared + 1) / (end[second] - start[second] + 1)
    else:
        overlap = shared / (end[first] - start[first] + end[second] - start[second] - shared)
    is_above = overlap > threshold  # (M,)
    dropped = np.zeros(len(start), dtype=bool)
    indices = []
    for best in np.argsort(score, kind="stable")[::-1].tolist():
        if not dropped[best]:
            indices.append(best)
            pairs = slice(bounds[best], bounds[best + 1])
            dropped[second[pairs][is_above[pairs]]] = True
    return np.array(indices, dtype=np.int64)


def soft_nms(
    start: IntArray, end: IntArray, score: Float64Array, sigma: float, min_score: float
) -> tuple[IntArray, Float64Array]:
    """Select the best span, multiply the scores of the others by exp(-tIoU^2 / sigma), and so on with the rest.

    Spans whose score falls below `min_score` are dropped. Returns the indices (K,) of those that stay, best first, and
    their decayed scores (K,). Bodla et al.: Soft-NMS, ICCV 2017.
    """
    bounds, first, second, shared = overlap_pairs(start, end)
    tiou = shared / (end[first] - start[first] + end[second] - start[second] - shared)
    # Lists: the loop below looks at single values.
    decay, neighbours, offsets = np.exp(-(tiou**2) / sigma).tolist(), second.tolist(), bounds.tolist()
    scores: list[float] = score.tolist()
    queue = [(-value, index) for index, value in enumerate(scores)]  # best first, of equals the first span
    heapq.heapify(queue)
    is_done = [False] * len(scores)
    indices = []
    while queue:
        value, best = heapq.heappop(queue)
        if is_done[best] or -value != scores[best]:  # an entry from before its score decayed
            continue
        is_done[best] = True
        indices.append(best)
        for pair in range(offsets[best], offsets[best + 1]):
            neighbour = neighbours[pair]
            if not is_done[neighbour] and decay[pair] < 1.0:
                scores[neighbour] *= decay[pair]
                is_done[neighbour] = not scores[neighbour] >= min_score
                if not is_done[neighbour]:
                    heapq.heappush(queue, (-scores[neighbour], neighbour))
    return np.array(indices, dtype=np.int64), np.array([scores[index] for index in indices])
