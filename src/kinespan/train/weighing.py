"""How much each member of an ensemble counts, by its scores of recordings that it was not trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..data.annotation import Annotation, LabelSet
from ..models.base import Scores
from .calibration import log_likelihood

STEPS = 20
"""Weights are sought in steps of one over this."""
PRIOR_ACTIONS = 5
"""As many actions as are counted for equal weights, beside those of the held-back recordings: few of them decide
little."""


def member_weights(
    scores: Sequence[Sequence[Scores]], annotations: Sequence[Annotation], labels: LabelSet, fps: float
) -> tuple[float, ...]:
    """Weights (M,), which sum to 1, at which the weighted mean of the members' scores makes the labels most likely.

    They are drawn towards equal ones: with N actions in the held-back recordings the best weights count N times, equal
    ones `PRIOR_ACTIONS` times. That is stacking (Breiman: Stacked Regressions, Machine Learning 1996) under a prior.

    Parameters:
        scores: of each member, (T, C + 1) of each held-back recording.
        annotations: of the same recordings, in the same order.
    """
    members = len(scores)
    equal = np.full(members, 1 / members)
    actions = sum(len(annotation.spans) + len(annotation.instants) for annotation in annotations)
    if members == 1 or not actions:
        return tuple(equal)
    stacked = [np.stack(recording) for recording in zip(*scores, strict=True)]  # (M, T, C + 1) of each recording

    def likelihood(weights: np.ndarray) -> float:
        means = [np.tensordot(weights, frames, axes=1).astype(np.float32) for frames in stacked]
        return log_likelihood(means, annotations, labels, fps)

    best = max((np.array(weights) for weights in _simplex(members, STEPS)), key=likelihood)
    weights = (actions * best + PRIOR_ACTIONS * equal) / (actions + PRIOR_ACTIONS)
    return tuple(float(weight) for weight in weights)


def _simplex(members: int, steps: int) -> Iterator[tuple[float, ...]]:
    """All weights of so many members that are multiples of 1 / steps and sum to 1, the most equal ones first."""

    def shares(members: int, left: int) -> Iterator[tuple[int, ...]]:
        if members == 1:
            yield (left,)
            return
        for share in range(left + 1):
            for rest in shares(members - 1, left - share):
                yield (share, *rest)

    for share in sorted(shares(members, steps), key=lambda share: max(share) - min(share)):
        yield tuple(count / steps for count in share)
