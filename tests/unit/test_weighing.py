"""The weights of an ensemble's members, by the likelihood of held-back labels."""

from __future__ import annotations

import numpy as np
import pytest

from kinespan.data.annotation import Annotation, LabelSet, Span
from kinespan.train.weighing import PRIOR_ACTIONS, member_weights

LABELS = LabelSet(("kick",))
FPS = 10.0
RIGHT = np.repeat(np.array([[0.9, 0.1], [0.1, 0.9]], np.float32), 10, axis=0)
"""Background for a second, then a kick for one."""


def annotation(kicks: int = 1) -> Annotation:
    """A second of background, then one of so many kicks, side by side."""
    return Annotation(tuple(Span(1 + k / kicks, 1 + (k + 1) / kicks, "kick") for k in range(kicks)), LABELS)


def test_a_member_that_is_wrong_loses_its_weight_as_actions_say_so() -> None:
    scores, wrong = [RIGHT], [1 - RIGHT]
    for kicks, expected in ((1, 1 / 6), (10, 10 / 15)):
        weights = member_weights([scores, wrong], [annotation(kicks)], LABELS, FPS)
        assert weights == pytest.approx((0.5 + 0.5 * expected, 0.5 - 0.5 * expected))


def test_members_that_are_right_in_turn_count_the_same() -> None:
    early = RIGHT.copy()
    early[10:] = 0.5
    late = RIGHT.copy()
    late[:10] = 0.5
    assert member_weights([[early], [late]], [annotation(50)], LABELS, FPS) == pytest.approx((0.5, 0.5))


def test_the_same_members_and_nothing_held_back_are_weighed_equally() -> None:
    weights = member_weights([[RIGHT], [RIGHT], [RIGHT]], [annotation()], LABELS, FPS)
    assert weights == pytest.approx((1 / 3,) * 3, abs=0.01)
    nothing = Annotation((), LABELS)
    assert member_weights([[RIGHT], [1 - RIGHT]], [nothing], LABELS, FPS) == (0.5, 0.5)


def test_weights_are_those_of_a_fine_search() -> None:
    rng = np.random.default_rng(0)
    members = [rng.dirichlet(np.ones(2), 20).astype(np.float32) for _ in range(2)]
    truth = annotation(30)
    fine = np.linspace(0, 1, 2001)
    is_kick = np.repeat([0, 1], 10)
    picked = [frames[np.arange(20), is_kick] for frames in members]
    likelihoods = [np.log(np.maximum(w * picked[0] + (1 - w) * picked[1], 1e-7)).mean() for w in fine]
    best = fine[int(np.argmax(likelihoods))]
    share = 30 / (30 + PRIOR_ACTIONS)
    weights = member_weights([[frames] for frames in members], [truth], LABELS, FPS)
    assert weights[0] == pytest.approx(share * best + (1 - share) / 2, abs=0.03)
    assert sum(weights) == pytest.approx(1)
