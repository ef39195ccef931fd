"""DSTE against slow references and cases by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from attention_cases import EVERY, SMALL, parameters, random_of, unsettled
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from kinespan.data.skeletons import COCO_17, KINECT_20, NTU_25
from kinespan.encoders import build_encoder
from kinespan.encoders.dste import Attention, DenseLayer, dense_shift, depth_first, resampled, sinusoids

pytestmark = pytest.mark.usefixtures("one_thread", "seeded")


@EVERY
def test_depth_first_goes_down_each_branch(skeleton):
    order = depth_first(skeleton)
    assert sorted(order) == list(range(skeleton.num_joints))
    for place, joint in enumerate(order):
        below = {joint}
        for other in skeleton.order:
            if skeleton.parents[other] in below:
                below.add(other)
        assert set(order[place : place + len(below)]) == below  # a branch is one stretch


def test_depth_first_by_hand():
    assert depth_first(SMALL) == [0, 1, 3, 2]
    assert depth_first(KINECT_20)[:8] == [0, 1, 2, 3, 4, 5, 6, 7]


def test_dense_shift_by_hand():
    x = torch.tensor([[[1, 10, 100], [2, 20, 200], [3, 30, 300]]])
    # thirds of the channels: from one token before, from here, from one after
    assert dense_shift(x, 1).tolist() == [[[0, 10, 200], [1, 20, 300], [2, 30, 0]]]
    assert torch.equal(dense_shift(x, 0), x)


@pytest.mark.parametrize(("tokens", "channels", "gap"), [(9, 18, 4), (2, 10, 4), (1, 9, 4), (6, 7, 2)])
def test_dense_shift_moves_each_share(tokens, channels, gap):
    x = random_of(2, tokens, channels)
    found = dense_shift(x, gap)
    assert found.shape == x.shape
    for channel in range(channels):
        shares = range(2 * gap + 1)
        k = next(k for k in shares if channel < round((k + 1) * channels / len(shares)))
        for token in range(tokens):
            source = token + k - gap
            expected = x[:, source, channel] if 0 <= source < tokens else torch.zeros(2, dtype=x.dtype)
            assert torch.equal(found[:, token, channel], expected)


@given(seen=st.lists(st.booleans(), min_size=1, max_size=30).filter(any), frames=st.integers(2, 70))
@settings(max_examples=60, deadline=None)
def test_resampling_is_linear_between_valid_frames(seen, frames):
    mask = torch.tensor([seen])
    x = random_of(1, len(seen), 2)
    at = np.flatnonzero(seen)
    places = np.linspace(at[0], at[-1], frames)
    expected = np.stack([np.interp(places, at, x[0, at, channel].numpy()) for channel in range(2)], axis=1)
    found = resampled(torch.where(mask[..., None], x, torch.nan), mask, frames)
    assert np.allclose(found[0], expected, atol=1e-5)


def test_resampling_by_hand():
    x = torch.tensor([[0.0, 1, 5, 99], [7, 8, 9, 99]])[..., None]
    mask = torch.tensor([[True, False, True, False], [False, True, False, False]])
    assert resampled(x, mask, 5).squeeze(-1).tolist() == [[0, 1.25, 2.5, 3.75, 5], [8, 8, 8, 8, 8]]
    assert torch.equal(resampled(x, None, 4), x)
    assert resampled(x[:, :1], None, 2).squeeze(-1).tolist() == [[0, 0], [7, 7]]


def test_positions_are_those_of_the_transformer():
    found = sinusoids(5, 6, torch.zeros(1))
    for t in range(5):
        for c in range(6):
            angle = t / 10_000 ** (2 * (c // 2) / 6)
            assert float(found[t, c]) == pytest.approx(math.cos(angle) if c % 2 else math.sin(angle), abs=1e-5)


def test_attention_is_to_valid_tokens():
    layer = unsettled(Attention(6, 2, 0.0))
    x = random_of(2, 5, 6)
    mask = torch.ones(2, 5, dtype=torch.bool)
    mask[1, [0, 3]] = False
    found = layer(x, mask)
    for n in range(2):
        kept = mask[n]
        q, k, v = (x[n] @ layer.project.weight.T + layer.project.bias).chunk(3, dim=-1)
        heads = [
            ((q[:, cut] @ k[kept][:, cut].T) / math.sqrt(3)).softmax(dim=1) @ v[kept][:, cut]
            for cut in (slice(0, 3), slice(3, 6))
        ]
        assert torch.allclose(found[n], layer.out(torch.cat(heads, dim=1)), atol=1e-9)


def test_a_dense_layer_matches_its_equation():
    layer = unsettled(DenseLayer(9, 1, 4, 0.0))
    x = random_of(1, 7, 9)
    hidden = F.layer_norm(x, (9,), layer.norm.weight, layer.norm.bias)
    local = hidden.clone()
    for token in range(7):
        local[:, token] += layer.conv.bias
        for k in range(3):
            if 0 <= token + k - 1 < 7:
                local[:, token] += layer.conv.weight[:, 0, k] * hidden[:, token + k - 1]
    first = x + (layer.shifted(dense_shift(hidden, 4), None) + layer.convolved(local, None)) / 2
    assert torch.allclose(layer(x, None), first + layer.perceptron(first), atol=1e-9)


def test_padding_tokens_never_change_valid_ones():
    layer = unsettled(DenseLayer(18, 2, 4, 0.0))
    x, mask = random_of(1, 12, 18), torch.ones(1, 12, dtype=torch.bool)
    mask[:, 9:] = mask[:, 4] = False
    other = torch.where(mask[..., None], x, 100 * random_of(1, 12, 18, seed=1))
    assert torch.allclose(layer(x, mask)[mask], layer(other, mask)[mask], atol=1e-9)
    assert torch.allclose(layer(x, mask)[:, :4], layer(x[:, :9], mask[:, :9])[:, :4], atol=1e-9)


@pytest.mark.parametrize("skeleton", [NTU_25, COCO_17], ids=lambda skeleton: skeleton.name)
def test_features_of_joints_keep_the_order_of_joints(skeleton):
    """Without its layers a token is of one joint alone."""
    encoder = unsettled(build_encoder("dste_light", skeleton, 3))
    encoder.joint_blocks = torch.nn.ModuleList()
    x = random_of(1, 8, skeleton.num_joints, 3)
    before = encoder.person_features(x, None).joints
    for joint in (0, 7, skeleton.num_joints - 1):
        moved = x.clone()
        moved[:, :, joint] += 1
        changed = (encoder.person_features(moved, None).joints - before).abs().amax(dim=(0, 2)).nonzero().flatten()
        assert changed.tolist() == [joint]


def test_features_of_joints_do_not_depend_on_the_frame_rate():
    """A slow line is the same line, sampled at twice as many frames."""
    encoder = unsettled(build_encoder("dste_light", KINECT_20, 3))
    start, step = random_of(1, 1, 20, 3), random_of(1, 1, 20, 3, seed=1)
    slow, fast = (start + step * torch.linspace(0, 1, frames)[None, :, None, None] for frames in (41, 21))
    slow_joints, fast_joints = (encoder.person_features(x, None).joints for x in (slow, fast))
    assert torch.allclose(slow_joints, fast_joints, atol=1e-5)


def test_parameters_of_dste():
    def layer(size):
        attention = 4 * size * size + 4 * size
        return 2 * attention + 4 * size + 2 * (2 * size) + 2 * size * 2 * size + 3 * size  # conv, norms, perceptron

    for name, size in (("dste_light", 256), ("dste", 1024)):
        embeddings = 2 * 75 + (75 + 1) * size + (64 * 3 + 1) * size + 25 * size
        with torch.device("meta"):
            encoder = torch.nn.ModuleList(DenseLayer(size, 1, 4, 0.0) for _ in range(4))
        assert parameters(encoder) == 4 * layer(size)
        if name == "dste_light":
            assert parameters(build_encoder(name, NTU_25, 3)) == 4 * layer(size) + embeddings + 4 * size
    assert (4 * layer(1024) + (75 + 1 + 193 + 25 + 4) * 1024) / 1e6 == pytest.approx(50.7, abs=0.05)
