"""The loss of several positives, and the mining that finds them, against slow references and by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.errors import InputError
from kinespan.losses import InfoNCELoss, MultiPositiveLoss
from kinespan.methods.mining import check_mining, nearest


def generator(seed):
    return torch.Generator().manual_seed(seed)


def unit(*shape, seed):
    return torch.nn.functional.normalize(torch.randn(*shape, generator=generator(seed), dtype=torch.float64), dim=-1)


def coin(*shape, seed, chance=0.5):
    return torch.rand(*shape, generator=generator(seed)) < chance


def slow_multi_positive(q, k, queue, mined, negative_mask, temperature):
    total = 0.0
    for b in range(len(q)):
        scores = [math.exp(float(q[b] @ k[b]) / temperature)]
        positive = [True]
        for m in range(len(queue)):
            if negative_mask is None or negative_mask[b, m]:
                scores.append(math.exp(float(q[b] @ queue[m]) / temperature))
                positive.append(bool(mined[b, m]))
        logs = [
            math.log(score / sum(scores)) for score, is_positive in zip(scores, positive, strict=True) if is_positive
        ]
        total -= sum(logs) / len(logs)
    return total / len(q)


@pytest.mark.parametrize("temperature", [0.07, 0.5])
@pytest.mark.parametrize("queue", [0, 1, 8])
@pytest.mark.parametrize("masked", [False, True])
def test_multi_positive_loss_matches_slow_reference(temperature, queue, masked):
    q, k, n = unit(4, 5, seed=1), unit(4, 5, seed=2), unit(queue, 5, seed=3)
    negative_mask = coin(4, queue, seed=4) if masked else None
    mined = coin(4, queue, seed=5, chance=0.3)
    if negative_mask is not None:
        mined = mined & negative_mask
    found = MultiPositiveLoss(temperature)(q, k, n, mined, negative_mask)
    assert float(found) == pytest.approx(
        slow_multi_positive(q, k, n, mined, negative_mask, temperature), rel=1e-9, abs=1e-12
    )


def test_multi_positive_loss_by_hand():
    q = torch.tensor([[1.0, 0.0]])
    queue = torch.tensor([[0.0, 1.0], [-1.0, 0.0]])
    mined = torch.tensor([[True, False]])
    e, bottom = math.exp, math.e + 1 + math.exp(-1)
    expected = -(math.log(e(1) / bottom) + math.log(e(0) / bottom)) / 2
    assert float(MultiPositiveLoss(1.0)(q, q, queue, mined)) == pytest.approx(expected)


@pytest.mark.parametrize("masked", [False, True])
def test_multi_positive_without_neighbours_is_info_nce(masked):
    q, k, n = unit(4, 5, seed=1), unit(4, 5, seed=2), unit(6, 5, seed=3)
    negative_mask = coin(4, 6, seed=4) if masked else None
    none = torch.zeros(4, 6, dtype=torch.bool)
    assert float(MultiPositiveLoss(0.1)(q, k, n, none, negative_mask)) == pytest.approx(
        float(InfoNCELoss(0.1)(q, k, n, negative_mask))
    )


def test_multi_positive_pulls_towards_mined_keys():
    q = unit(1, 4, seed=0).requires_grad_()
    k, n = unit(1, 4, seed=1), unit(2, 4, seed=2)
    negative_mask = torch.tensor([[True, False]])
    MultiPositiveLoss(0.5)(q, k, n, torch.tensor([[True, False]]), negative_mask).backward()
    assert torch.isfinite(q.grad).all()
    moved = q.detach() - q.grad
    both = k[0] + n[0]
    assert float(moved[0] @ both) >= float(q.detach()[0] @ both) - 1e-12


@given(st.integers(1, 6), st.integers(0, 9), st.integers(1, 4), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_mined_neighbours_are_the_most_similar_unmasked_keys(batch, size, count, seed):
    q, keys = unit(batch, 3, seed=seed), unit(size, 3, seed=seed + 1)
    negative_mask = coin(batch, size, seed=seed + 2, chance=0.6)
    found = nearest(q, keys, negative_mask, count)
    assert found.shape == (batch, size)
    for b in range(batch):
        order = sorted((m for m in range(size) if negative_mask[b, m]), key=lambda m: -float(q[b] @ keys[m]))
        assert set(found[b].nonzero().flatten().tolist()) == set(order[:count])


def test_neighbours_of_snippets_equal_those_of_single_vectors():
    q, keys = unit(2, 3, 4, seed=0), unit(7, 4, seed=1)
    negative_mask = coin(2, 7, seed=2)
    found = nearest(q, keys, negative_mask[:, None].expand(-1, 3, -1), 2)
    for k in range(3):
        assert torch.equal(found[:, k], nearest(q[:, k], keys, negative_mask, 2))


@pytest.mark.parametrize(
    ("topk", "mine_from", "word"), [(0, 0.5, "topk"), (1, -0.1, "mine_from"), (1, 1.5, "mine_from")]
)
def test_mining_options_out_of_range_are_refused(topk, mine_from, word):
    with pytest.raises(InputError, match=word):
        check_mining(topk, mine_from)
