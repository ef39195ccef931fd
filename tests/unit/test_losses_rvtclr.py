"""The margin ranking of relative tempo, against a slow reference and by hand."""

from __future__ import annotations

import pytest
import torch

from kinespan.errors import InputError
from kinespan.losses import RelativeTempoLoss


def unit(*shape, seed):
    made = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(made, dim=-1)


@pytest.mark.parametrize("margin", [0.2, 1.0, 2.5])
def test_tempo_loss_matches_slow_reference(margin):
    q, same, other = (unit(6, 4, seed=seed) for seed in (1, 2, 3))
    total = 0.0
    for b in range(6):
        near = sum(float(x) * float(y) for x, y in zip(q[b], same[b], strict=True))
        far = sum(float(x) * float(y) for x, y in zip(q[b], other[b], strict=True))
        total += max(0.0, margin - near + far)
    assert float(RelativeTempoLoss(margin)(q, same, other)) == pytest.approx(total / 6)


def test_tempo_loss_by_hand():
    q = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    same = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    other = torch.tensor([[-1.0, 0.0], [0.0, -1.0], [0.0, 1.0]])
    # differences 2, 0 and 0.6: the first is past the margin
    assert float(RelativeTempoLoss(1.0)(q, same, other)) == pytest.approx((0 + 1 + 0.4) / 3)


def test_tempo_loss_past_the_margin_has_no_gradient():
    q = torch.tensor([[1.0, 0.0]], requires_grad=True)
    loss = RelativeTempoLoss(1.0)(q, torch.tensor([[1.0, 0.0]]), torch.tensor([[-1.0, 0.0]]))
    loss.backward()
    assert loss.item() == 0
    assert not q.grad.any()


@pytest.mark.parametrize("margin", [0.0, -1.0, float("nan")])
def test_margins_must_be_positive(margin):
    with pytest.raises(InputError, match="margin"):
        RelativeTempoLoss(margin)
