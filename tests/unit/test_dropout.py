"""Dropout whose masks are cut from random words: the distribution is that of a draw for every value."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kinespan.encoders.layers import Dropout
from kinespan.errors import InputError

MANY = 2**18


@pytest.mark.parametrize("probability", [0.5, 0.25, 0.1, 0.3, 0.75])
def test_values_are_dropped_with_the_probability_and_the_mean_is_kept(probability):
    torch.manual_seed(0)
    out = Dropout(probability).train()(torch.ones(MANY))
    stays = (out > 0).double().mean()
    spread = math.sqrt(probability * (1 - probability) / MANY)
    assert stays == pytest.approx(1 - probability, abs=5 * spread)
    assert out[out > 0].unique().tolist() == pytest.approx([1 / (1 - probability)], rel=1e-4)
    assert out.double().mean() == pytest.approx(1, abs=5 * spread / (1 - probability))


@pytest.mark.parametrize(("probability", "bits", "dropped"), [(0.5, 8, 128), (1 / 256, 8, 1), (0.1, 16, 6554)])
def test_every_random_word_drops_the_right_share_of_values(probability, bits, dropped, monkeypatch):
    """Words that hold each possible cut once: counted, not estimated."""
    layer = Dropout(probability).train()
    assert layer.bits == bits
    cuts = torch.arange(-(2 ** (bits - 1)), 2 ** (bits - 1)).to(torch.int8 if bits == 8 else torch.int16)
    monkeypatch.setattr(torch.Tensor, "random_", lambda words, *_: words.copy_(cuts.view(torch.int64)))
    kept = layer.keep_mask(torch.Size([2**bits]))
    assert int((~kept).sum()) == dropped


@pytest.mark.parametrize("probability", [0.5, 0.1])
def test_neighbours_are_dropped_independently(probability):
    """At every distance up to two words: the cuts of a word are as independent as those of different words."""
    torch.manual_seed(1)
    kept = Dropout(probability).train().keep_mask(torch.Size([MANY])).double()
    off = kept - (1 - probability)
    for distance in range(1, 17):
        together = (off[distance:] * off[:-distance]).mean() / (probability * (1 - probability))
        assert abs(float(together)) < 5 / math.sqrt(MANY), distance


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.sampled_from([0.5, 0.3]))
def test_any_shape_is_accepted(shape, probability):
    x = torch.randn(shape)
    out = Dropout(probability).train()(x)
    assert out.shape == x.shape
    assert ((out == 0) | ((out * (1 - probability)) - x).abs().le(1e-4 * x.abs() + 1e-7)).all()


def test_gradients_reach_kept_values_only():
    torch.manual_seed(2)
    x = torch.randn(3, 50, requires_grad=True)
    out = Dropout(0.4).train()(x)
    out.sum().backward()
    kept = out != 0
    assert 0 < int(kept.sum()) < x.numel()
    torch.testing.assert_close(x.grad, kept / 0.6, rtol=1e-4, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32, torch.float64])
def test_types_and_layouts_stay(dtype):
    x = torch.randn(4, 6, 8, dtype=dtype).transpose(1, 2).requires_grad_()
    out = Dropout(0.5).train()(x)
    assert out.dtype == dtype
    assert (out == torch.where(out == 0, 0, 2 * x)).all()
    out.backward(torch.full_like(out, 3))
    assert x.grad.dtype == dtype
    assert torch.equal(x.grad, torch.where(out == 0, 0, 6).to(dtype))


def test_a_dropped_value_becomes_exact_zero():
    x = torch.tensor([math.inf, -math.inf, math.nan, -1.0] * 50)
    out = Dropout(0.5).train()(x)
    dropped = out == 0
    assert 0 < int(dropped.sum()) < 200
    assert not torch.signbit(out[dropped]).any()
    assert torch.equal(torch.isnan(out), torch.isnan(x) & ~dropped)


def test_draws_come_from_the_global_generator():
    layer, x = Dropout(0.5).train(), torch.ones(1000)
    torch.manual_seed(3)
    first, second = layer(x), layer(x)
    torch.manual_seed(3)
    assert torch.equal(layer(x), first)
    assert not torch.equal(first, second)


def test_eval_mode_and_probability_zero_return_the_input():
    x = torch.randn(20)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0).train()(x) is x
    assert Dropout(0).train()(x) is x  # as a YAML file may have it


@pytest.mark.parametrize("probability", [-0.1, 1.0, math.nan])
def test_a_probability_outside_0_to_1_is_refused(probability):
    with pytest.raises(InputError, match="dropout"):
        Dropout(probability)
