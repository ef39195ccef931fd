"""Spans around instants: how likely each pair of bounds is, given frame evidence and how long actions last.

Anchors follow each other in a recording: an instant, whose span is not known, or a span that is. With evidence
l_i(t) = log p(frame t is in the action of anchor i) - log p(it is in none), the spans [s_i, e_i) have the density

    P(s, e) ~ exp sum_i [ sum_{s_i <= t < e_i} l_i(t) - (log(e_i - s_i) - m_i)^2 / (2 v_i^2) ]

over all s_i <= t_i < e_i <= s_(i+1): each instant t_i lies in exactly one span, spans are in order, and may touch. The
sums over all such bounds are those of a hidden semi-Markov model with its states in a known order (forward and backward
messages; Murphy: Hidden Semi-Markov Models, 2002), O(n B^2) for n anchors of B bounds to each side. A bound is the
median of its posterior, which keeps the order: where e_i <= s_(i+1) always holds, it holds for the medians.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..arrays import Float64Array, IntArray

MAX_BOUNDS = 400
"""Bounds that are weighed to each side of an instant; in a longer gap they are evenly spaced frames."""


@dataclass(frozen=True)
class Anchor:
    """An action in the order of a recording: of the frames [first, stop) it is known that they are in it."""

    column: int
    """Column of its label in frame scores (T, C + 1), from 1."""
    first: int
    stop: int
    is_span: bool = False
    """Whether its bounds are known: first and stop are they. Else it is an instant."""


@dataclass(frozen=True)
class GrownSpans:
    """The spans of n anchors in T frames."""

    bounds: IntArray
    """(n, 2): first frame, and frame after the last."""
    inside: Float64Array
    """(T, C + 1): probability of each frame to be in an action of each column's label; 0 in column 0."""


def grow_spans(
    anchors: Sequence[Anchor], evidence: Float64Array, mean: Float64Array, spread: Float64Array
) -> GrownSpans:
    """The spans of anchors, which are in order and share no frame.

    evidence (T, C + 1): log odds that a frame is in an action of a column's label, and not in none; mean and spread
    (n,): of the log of the duration of each anchor in frames.
    """
    num_frames = len(evidence)
    starts, ends = _candidate_bounds(anchors, num_frames)
    sums = np.concatenate([np.zeros((1, evidence.shape[1])), np.cumsum(evidence, axis=0)])  # (T + 1, C + 1)
    factors = []  # log density of each pair of bounds, (S, E) of each anchor
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        of_label = sums[:, anchors[i].column]  # (T + 1,)
        deviation = (np.log(end[None] - start[:, None]) - mean[i]) / spread[i]
        factors.append(of_label[end][None] - of_label[start][:, None] - 0.5 * deviation**2)
    # messages to the starts and ends of each anchor, from what is before it and from what is after it
    to_start, to_end = [np.zeros(len(starts[0]))], []
    for i, factor in enumerate(factors):
        to_end.append(np.logaddexp.reduce(to_start[i][:, None] + factor, axis=0))
        if i + 1 < len(anchors):
            last = np.searchsorted(ends[i], starts[i + 1], side="right") - 1
            to_start.append(np.logaddexp.accumulate(to_end[i])[last])
    after_end = [np.zeros(len(ends[-1]))]
    after_start: list[Float64Array] = []
    for i in range(len(anchors) - 1, -1, -1):
        after_start.append(np.logaddexp.reduce(factors[i] + after_end[-1][None], axis=1))
        if i:
            first = np.searchsorted(starts[i], ends[i - 1], side="left")
            after_end.append(np.logaddexp.accumulate(after_start[-1][::-1])[::-1][first])
    bounds = np.empty((len(anchors), 2), dtype=np.int64)
    changes = np.zeros_like(sums)
    for i, anchor in enumerate(anchors):
        start_probability = _normalised(to_start[i] + after_start[-1 - i])  # (S,)
        end_probability = _normalised(to_end[i] + after_end[-1 - i])  # (E,)
        bounds[i] = _median(starts[i], start_probability), _median(ends[i], end_probability)
        changes[starts[i], anchor.column] += start_probability
        changes[ends[i], anchor.column] -= end_probability
    return GrownSpans(bounds, np.cumsum(changes, axis=0)[:num_frames].clip(0.0, 1.0))


def _candidate_bounds(anchors: Sequence[Anchor], num_frames: int) -> tuple[list[IntArray], list[IntArray]]:
    """The starts and ends that are weighed for each anchor, in frames, in order."""
    edges = [0, *(edge for anchor in anchors for edge in (anchor.first, anchor.stop)), num_frames]
    gaps = []  # before the first anchor, between two, after the last
    for low, high in zip(edges[0::2], edges[1::2], strict=True):
        count = min(high - low + 1, MAX_BOUNDS)
        gaps.append(np.unique(np.linspace(low, high, count).round().astype(np.int64)))
    starts = [
        np.array([anchor.first]) if anchor.is_span else gap for anchor, gap in zip(anchors, gaps[:-1], strict=True)
    ]
    ends = [np.array([anchor.stop]) if anchor.is_span else gap for anchor, gap in zip(anchors, gaps[1:], strict=True)]
    return starts, ends


def _normalised(log_weights: Float64Array) -> Float64Array:
    """Probabilities of log weights (N,)."""
    probabilities: Float64Array = np.exp(log_weights - np.logaddexp.reduce(log_weights))
    return probabilities


def _median(values: IntArray, probabilities: Float64Array) -> int:
    """The median of values (N,), in order, under their probabilities."""
    return int(values[np.searchsorted(np.cumsum(probabilities), 0.5 - 1e-9).clip(max=len(values) - 1)])
