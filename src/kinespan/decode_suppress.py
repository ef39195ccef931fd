"""Non-maximum suppression among the spans of one label: of spans that show the same, the best one is kept.

Spans are columns (N,): first frame, frame after the last, score. What is done for a span goes by the spans that it
meets, never by all: in a recording of a day, a run that lasts an hour must not make every span within it look at every
other.
"""

from __future__ import annotations

import heapq
from typing import NamedTuple

import numpy as np

from .arrays import Float64Array, IntArray


class Meetings(NamedTuple):
    """Pairs of spans that share time or touch, each pair in both orders.

    Span i meets other[bounds[i] : bounds[i + 1]]; one (M,) and other (M,) are the two of each pair, share (M,) the
    frames that they have in common.
    """

    bounds: IntArray
    one: IntArray
    other: IntArray
    share: IntArray


def meetings(start: IntArray, end: IntArray) -> Meetings:
    """All pairs. Runs above several thresholds lie within one another, so there are few: one for each threshold."""
    order, places = np.argsort(start, kind="stable"), np.arange(len(start))
    # what begins while a span lasts comes right behind it
    count = np.searchsorted(start[order], end[order], side="right") - places - 1
    before = np.repeat(places, count)
    after = before + 1 + np.arange(len(before)) - np.repeat(np.cumsum(count) - count, count)
    one, other = order[np.concatenate([before, after])], order[np.concatenate([after, before])]
    by_one = np.argsort(one, kind="stable")
    one, other = one[by_one], other[by_one]
    share = np.maximum(0, np.minimum(end[one], end[other]) - np.maximum(start[one], start[other]))
    return Meetings(np.searchsorted(one, np.arange(len(start) + 1)), one, other, share)


def hard(start: IntArray, end: IntArray, score: Float64Array, threshold: float, contained: bool = False) -> IntArray:
    """Keep the best, drop what overlaps it too much, and so on: the places (K,) of those kept, best first.

    Too much is a tIoU above the threshold, or, as STAL has it, a part of the other's own length (`contained`), both
    ends counted in.
    """
    bounds, one, other, share = meetings(start, end)
    if contained:
        overlap = (share + 1) / (end[other] - start[other] + 1)
    else:
        overlap = share / (end[one] - start[one] + end[other] - start[other] - share)
    ousted = overlap > threshold
    gone = np.zeros(len(start), dtype=bool)
    kept = []
    for best in np.argsort(score, kind="stable")[::-1].tolist():
        if not gone[best]:
            kept.append(best)
            near = slice(bounds[best], bounds[best + 1])
            gone[other[near][ousted[near]]] = True
    return np.array(kept, dtype=np.int64)


def soft(
    start: IntArray, end: IntArray, score: Float64Array, sigma: float, least: float
) -> tuple[IntArray, Float64Array]:
    """Keep the best, let what overlaps it decay by exp(-tIoU^2 / sigma), and so on (Bodla et al., ICCV 2017).

    Returns the places (K,) of those kept, best first, and their decayed scores (K,); what falls below `least` goes.
    """
    bounds, one, other, share = meetings(start, end)
    overlap = share / (end[one] - start[one] + end[other] - start[other] - share)
    decay, met, bound = np.exp(-(overlap**2) / sigma).tolist(), other.tolist(), bounds.tolist()
    scores: list[float] = score.tolist()
    queue = [(-value, place) for place, value in enumerate(scores)]  # the best first, of equals the first found
    heapq.heapify(queue)
    gone = [False] * len(scores)
    kept = []
    while queue:
        value, best = heapq.heappop(queue)
        if gone[best] or -value != scores[best]:  # an entry from before it decayed
            continue
        gone[best] = True
        kept.append(best)
        for pair in range(bound[best], bound[best + 1]):
            near = met[pair]
            if not gone[near] and decay[pair] < 1.0:
                scores[near] *= decay[pair]
                gone[near] = not scores[near] >= least
                if not gone[near]:
                    heapq.heappush(queue, (-scores[near], near))
    index = np.array(kept, dtype=np.int64)
    return index, np.array(scores, dtype=np.float64)[index]
