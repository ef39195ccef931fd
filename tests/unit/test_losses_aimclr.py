"""D3M against a slow reference and by hand."""

from __future__ import annotations

import math

import pytest
import torch

from kinespan.errors import InputError
from kinespan.losses import DistributionLoss, InfoNCELoss


def generator(seed):
    return torch.Generator().manual_seed(seed)


def unit(*shape, seed):
    return torch.nn.functional.normalize(torch.randn(*shape, generator=generator(seed), dtype=torch.float64), dim=-1)


def slow_distribution(query, reference, positive, queue, negative_mask, temperature):
    def chances(z, b):
        keys = [positive[b], *(queue[m] for m in range(len(queue)) if negative_mask is None or negative_mask[b, m])]
        scores = [
            math.exp(sum(float(x) * float(y) for x, y in zip(z[b], key, strict=True)) / temperature) for key in keys
        ]
        return [score / sum(scores) for score in scores]

    total = 0.0
    for b in range(len(query)):
        pairs = zip(chances(reference.detach(), b), chances(query.detach(), b), strict=True)
        total -= sum(target * math.log(found) for target, found in pairs)
    return total / len(query)


@pytest.mark.parametrize("queue", [0, 1, 7])
@pytest.mark.parametrize("temperature", [0.07, 1.0])
@pytest.mark.parametrize("masked", [False, True])
def test_distribution_loss_matches_slow_reference(queue, temperature, masked):
    query, reference, positive = (unit(4, 5, seed=seed) for seed in (1, 2, 3))
    keys = unit(queue, 5, seed=4)
    negative_mask = torch.rand(4, queue, generator=generator(5)) < 0.5 if masked else None
    found = DistributionLoss(temperature)(query, reference, positive, keys, negative_mask)
    assert float(found) == pytest.approx(
        slow_distribution(query, reference, positive, keys, negative_mask, temperature), rel=1e-9, abs=1e-12
    )


def test_distribution_loss_by_hand():
    reference = positive = torch.tensor([[1.0, 0.0]])
    query, queue = torch.tensor([[0.0, 1.0]]), torch.tensor([[0.0, 1.0]])
    # The reference: e of the positive against 1 of the queue. The query: the other way round.
    likely, unlikely = math.e / (math.e + 1), 1 / (math.e + 1)
    expected = -likely * math.log(unlikely) - unlikely * math.log(likely)
    assert float(DistributionLoss(1.0)(query, reference, positive, queue)) == pytest.approx(expected)


def test_distribution_loss_is_least_where_the_views_agree():
    reference, positive, queue = unit(3, 4, seed=1), unit(3, 4, seed=2), unit(6, 4, seed=3)
    loss = DistributionLoss(0.2)
    query = reference.clone().requires_grad_()
    least = loss(query, reference, positive, queue)
    least.backward()
    assert query.grad.abs().max() < 1e-12
    assert float(least.detach()) > 0  # the entropy of the target
    for seed in range(5):
        assert float(loss(unit(3, 4, seed=10 + seed), reference, positive, queue)) > float(least.detach())


def test_distribution_loss_of_a_one_hot_reference_is_info_nce():
    query, positive, queue = unit(3, 4, seed=1), unit(3, 4, seed=2), unit(6, 4, seed=3)
    sure = DistributionLoss(1e-3)
    sharp = sure(query, positive, positive, queue)  # at this temperature the target is one-hot
    assert float(sharp) == pytest.approx(float(InfoNCELoss(1e-3)(query, positive, queue)), rel=1e-6)


def test_distribution_gradients_reach_the_query_alone_and_no_masked_key():
    query, reference = (unit(3, 4, seed=seed).float().requires_grad_() for seed in (1, 2))
    positive, queue = unit(3, 4, seed=3).float(), unit(6, 4, seed=4).float().requires_grad_()
    negative_mask = torch.ones(3, 6, dtype=torch.bool)
    negative_mask[:, 2] = False
    negative_mask[1] = False
    DistributionLoss(0.05)(query, reference, positive, queue, negative_mask).backward()
    assert reference.grad is None
    assert torch.isfinite(query.grad).all()
    assert query.grad[0].any()
    assert not query.grad[1].any()  # only its positive is left: it is certain
    assert not queue.grad[2].any()
    with pytest.raises(InputError, match="temperature"):
        DistributionLoss(0.0)
