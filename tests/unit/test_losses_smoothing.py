"""The smoothing term against a slow loop from its equations, and against figures worked out by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.errors import InputError
from kinespan.losses import SmoothingLoss


def slow(logits, mask, exclusive, tau):
    """Logits (B, C + 1, T) and mask (B, T), frame by frame and class by class."""
    total, pairs = 0.0, 0
    clips, classes, frames = logits.shape

    def logs(b, t):
        frame = [float(logits[b, c, t]) for c in range(classes)]
        if exclusive:
            whole = math.log(sum(math.exp(value) for value in frame))
            return [value - whole for value in frame]
        holds = [1 / (1 + math.exp(-value)) for value in frame[1:]]
        return [math.log(p) for p in holds] + [math.log(1 - p) for p in holds]

    for b in range(clips):
        for t in range(1, frames):
            if mask[b, t] and mask[b, t - 1]:
                now, before = logs(b, t), logs(b, t - 1)
                change = [min(tau, abs(x - y)) ** 2 for x, y in zip(now, before, strict=True)]
                total, pairs = total + sum(change) / len(change), pairs + 1
    return total / max(1, pairs)


@given(seed=st.integers(0, 99), frames=st.integers(1, 7), exclusive=st.booleans(), tau=st.sampled_from([0.5, 4.0]))
@settings(max_examples=40, deadline=None)
def test_smoothing_loss_matches_slow_reference(seed, frames, exclusive, tau):
    g = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(2, 4, frames, generator=g, dtype=torch.float64)
    mask = torch.rand(2, frames, generator=g) < 0.8
    found = SmoothingLoss(exclusive, tau)(logits, mask)
    assert float(found) == pytest.approx(slow(logits, mask, exclusive, tau), rel=1e-9, abs=1e-12)


def test_smoothing_loss_by_hand():
    # probabilities 1/2, 1/2, then 1/4, 3/4: changes of log 2 and log 1.5
    logits = torch.tensor([[[0.0, 0.0], [0.0, math.log(3)]]])
    here = torch.ones(1, 2, dtype=torch.bool)
    expected = (math.log(2) ** 2 + math.log(1.5) ** 2) / 2
    assert float(SmoothingLoss(True)(logits, here)) == pytest.approx(expected, rel=1e-5)
    assert float(SmoothingLoss(True, tau=0.5)(logits, here)) == pytest.approx((0.25 + math.log(1.5) ** 2) / 2, rel=1e-5)
    # one overlapping label, the same probabilities; what is scored as background does not count
    logits[0, 0] = torch.tensor([5.0, -5.0])
    assert float(SmoothingLoss(False)(logits, here)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("exclusive", [True, False])
def test_constant_scores_cost_nothing(exclusive):
    logits = torch.randn(2, 3, 1, generator=torch.Generator().manual_seed(0)).expand(-1, -1, 6)
    assert float(SmoothingLoss(exclusive)(logits, torch.ones(2, 6, dtype=torch.bool))) == 0


def test_padding_costs_nothing_and_gets_no_gradient():
    logits = torch.randn(1, 3, 6, generator=torch.Generator().manual_seed(1)).requires_grad_()
    mask = torch.tensor([[True, True, False, True, False, False]])
    loss = SmoothingLoss(True)(logits, mask)
    assert loss.item() == pytest.approx(SmoothingLoss(True)(logits[..., :2], mask[:, :2]).item())
    loss.backward()
    # the later frame of the only pair alone moves
    assert [bool(frame.any()) for frame in logits.grad[0].T] == [False, True, False, False, False, False]
    assert SmoothingLoss(True)(logits, torch.zeros_like(mask)).item() == 0


def test_tau_must_be_positive():
    with pytest.raises(InputError, match="tau"):
        SmoothingLoss(True, tau=0)
