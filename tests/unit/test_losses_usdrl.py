"""Feature decorrelation against slow loops written from its equations, and against figures worked out by hand."""

from __future__ import annotations

import math
from itertools import combinations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.errors import InputError
from kinespan.losses import DecorrelationLoss


def random_views(count, samples, dims, seed):
    g = torch.Generator().manual_seed(seed)
    return [torch.randn(samples, dims, generator=g, dtype=torch.float32) for _ in range(count)]


def columns(z):
    return [[float(value) for value in column] for column in z.T]


def covariance(x, y, correction):
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / (len(x) - correction)


def slow_spread(z):
    """Variance and covariance of a view."""
    parts, dims = columns(z), z.shape[1]
    hinge = sum(max(0.0, 1 - math.sqrt(covariance(x, x, 1) + 1e-4)) for x in parts) / dims
    off = sum(covariance(parts[i], parts[j], 1) ** 2 for i in range(dims) for j in range(dims) if i != j) / dims
    return hinge, off


def slow_agreement(z, other, redundancy):
    """Similarity and cross-correlation of a pair."""
    one, two = columns(z), columns(other)
    near = [(a - b) ** 2 for x, y in zip(one, two, strict=True) for a, b in zip(x, y, strict=True)]
    crossed = 0.0
    for i, x in enumerate(one):
        for j, y in enumerate(two):
            size = math.sqrt((covariance(x, x, 0) + 1e-5) * (covariance(y, y, 0) + 1e-5))
            correlation = covariance(x, y, 0) / size
            crossed += (1 - correlation) ** 2 if i == j else redundancy * correlation**2
    return sum(near) / len(near), crossed


@given(
    views=st.integers(2, 4),
    samples=st.integers(2, 7),
    dims=st.integers(2, 4),
    seed=st.integers(0, 99),
    weights=st.tuples(*[st.floats(0, 3)] * 5),
)
@settings(max_examples=40, deadline=None)
def test_decorrelation_loss_matches_slow_reference(views, samples, dims, seed, weights):
    found = random_views(views, samples, dims, seed)
    similarity, variance, cov, correlation, redundancy = weights
    expected = []
    for a, b in combinations(found, 2):
        near, crossed = slow_agreement(a, b, redundancy)
        total = similarity * near + correlation * crossed
        for view in (a, b):
            hinge, off = slow_spread(view)
            total += variance * hinge + cov * off
        expected.append(total)
    loss = DecorrelationLoss(*weights)(found, list(combinations(found, 2)))
    assert float(loss) == pytest.approx(sum(expected) / len(expected), rel=1e-3, abs=1e-4)


def test_decorrelation_loss_by_hand_in_two_dimensions():
    z = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
    hinge = 1 - math.sqrt(2 / 3 + 1e-4)  # of each dimension; they do not vary together
    loss = DecorrelationLoss()
    assert float(loss([z, z], [(z, z)])) == pytest.approx(2 * hinge, abs=1e-5)
    # the opposite view: each value is 0 or 2 away, half of them; each correlation is -1
    assert float(loss([z, -z], [(z, -z)])) == pytest.approx(2 * hinge + 5 * 2 + 1e-3 * (4 + 4), abs=1e-5)


def test_decorrelation_loss_by_hand_of_equal_dimensions():
    z = torch.tensor([[1.0, 1], [-1, -1]])
    loss = DecorrelationLoss(similarity=0, variance=1, covariance=1, correlation=1, redundancy=0.25)
    # deviations above 1, covariances of 2 off the diagonal, twice, over two dimensions; all correlations 1
    assert float(loss([z, z], [(z, z)])) == pytest.approx(2 * (4 + 4) / 2 + 0.25 * 2, abs=1e-4)


def test_collapse_costs_and_gives_a_finite_gradient():
    z = torch.ones(5, 3, requires_grad=True)
    loss = DecorrelationLoss()([z, z], [(z, z)])
    assert float(loss.detach()) == pytest.approx(2 * (1 - 0.01) + 1e-3 * 3, abs=1e-4)
    loss.backward()
    assert torch.isfinite(z.grad).all()


def test_the_order_of_samples_does_not_matter_and_their_pairing_does():
    a, b = random_views(2, 6, 3, 1)
    turned = torch.tensor([3, 1, 5, 0, 2, 4])
    loss = DecorrelationLoss()
    expected = loss([a, b], [(a, b)])
    assert torch.allclose(loss([a[turned], b[turned]], [(a[turned], b[turned])]), expected, atol=1e-5)
    assert not torch.allclose(loss([a, b], [(a, b[turned])]), expected, atol=1e-2)


@pytest.mark.parametrize("samples", [0, 1])
def test_fewer_than_two_samples_give_zero_loss_and_gradient(samples):
    z = torch.ones(samples, 3, requires_grad=True)
    loss = DecorrelationLoss()([z, z], [(z, z)])
    loss.backward()
    assert float(loss.detach()) == 0
    assert not z.grad.any()


def test_decorrelation_loss_of_bfloat16_is_in_float32():
    a, b = random_views(2, 6, 3, 2)
    loss = DecorrelationLoss()([a.bfloat16(), b.bfloat16()], [(a.bfloat16(), b.bfloat16())])
    assert loss.dtype == torch.float32


@pytest.mark.parametrize("name", ["similarity", "variance", "covariance", "correlation", "redundancy"])
def test_negative_weights_are_refused(name):
    for value in (-1.0, float("nan")):
        with pytest.raises(InputError, match=name):
            DecorrelationLoss(**{name: value})
