"""HD-GCN, Hyperformer and DSTE against slow references and cases by hand; and the convolution at several scales."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from kinespan.encoders import build_encoder
from kinespan.encoders.dste import Attention, DenseLayer, dense_shift, depth_first, resampled, sinusoids
from kinespan.encoders.hdgcn import (
    EdgeConv,
    HierarchicalGraphConv,
    HierarchyAttention,
    hierarchy,
    levels,
    max_over_time,
    mean_over_time,
)
from kinespan.encoders.hyperformer import HyperAttention, bone_graph, hyperedges
from kinespan.encoders.layers import masked
from kinespan.encoders.multiscale import MultiScaleConv, Shortcut
from kinespan.skeleton import Skeleton
from kinespan.skeletons import COCO_17, KINECT_20, NTU_25, SKELETONS, SMPL_22, SMPL_24

EVERY = pytest.mark.parametrize("skeleton", [SKELETONS[name] for name in SKELETONS], ids=lambda skeleton: skeleton.name)

#     a
#   b   c        d hangs on b
#   d
SMALL = Skeleton("small", ("a", "b", "c", "d"), (-1, 0, 0, 1), (), *[(0,)] * 6)
ONE = Skeleton("one", ("a",), (-1,), (), *[(0,)] * 6)


@pytest.fixture(autouse=True)
def one_thread_and_seed():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield
    torch.set_num_threads(threads)


def random_of(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def unsettled(module):
    """The module in float64 and eval mode, its norms and what starts at zero made random."""
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm1d):
            part.running_mean.normal_(0, 0.2)
            part.running_var.uniform_(0.5, 1.5)
            part.weight.data.uniform_(0.5, 1.5)
            part.bias.data.normal_(0, 0.2)
    for value in module.parameters():
        if not value.any():
            value.data.normal_(0, 0.5)
    return module.double().eval()


def normed(norm, x, channels=slice(None)):
    """Batch norm in eval mode of x (..., C), which are these channels of the norm."""
    scale = norm.weight[channels] / (norm.running_var[channels] + norm.eps).sqrt()
    return (x - norm.running_mean[channels]) * scale + norm.bias[channels]


def parameters(module):
    return sum(part.numel() for part in module.parameters())


# ---- convolution at several scales -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("stride", "kernel", "dilations"), [(1, 5, (1, 2)), (2, 5, (1, 2)), (2, 3, (1, 3, 4))])
def test_each_branch_is_what_it_says(stride, kernel, dilations):
    layer = unsettled(MultiScaleConv(3, 14, kernel, stride, dilations))
    x = random_of(2, 11, 2, 3)
    found = layer(x, None)
    assert found.shape == (2, -(-11 // stride), 2, 14)
    assert sum(layer.sizes) == 14
    assert layer.sizes[0] >= layer.sizes[1] == layer.sizes[-1]
    inner = x @ layer.inner.weight.T + layer.inner.bias
    share = layer.sizes[-1]
    scaled = torch.relu(normed(layer.inner_norm, inner[..., :-share]))
    for step in range(found.shape[1]):
        frame, parts, start = step * stride, [], 0
        for size, conv, dilation in zip(layer.sizes[:-2], layer.convs, dilations, strict=True):
            value = conv.bias.expand(2, 2, size).clone()
            for k in range(kernel):
                at = frame + (k - kernel // 2) * dilation
                if 0 <= at < 11:
                    value += scaled[:, at, :, start : start + size] @ conv.weight[:, :, k, 0].T
            parts.append(value)
            start += size
        parts.append(scaled[:, max(0, frame - 1) : frame + 2, :, start : start + share].amax(dim=1))
        parts.append(inner[:, frame, :, -share:])
        assert torch.allclose(found[:, step], normed(layer.norm, torch.cat(parts, dim=-1)), atol=1e-9)


def test_the_convolution_reaches_as_far_as_it_says():
    layer = unsettled(MultiScaleConv(2, 8, 5, 1, (1, 3)))
    layer.inner_norm.bias.data += 9  # no ReLU is shut
    x = random_of(1, 25, 1, 2).requires_grad_()
    (layer(x, None)[0, 12, 0] * random_of(8, seed=1)).sum().backward()
    touched = x.grad[0].abs().amax(dim=(1, 2)).nonzero().flatten()
    assert (int(touched.min()), int(touched.max())) == (12 - layer.reach, 12 + layer.reach) == (6, 18)


@pytest.mark.parametrize("training", [False, True])
def test_padding_is_not_convolved(training):
    layer = unsettled(MultiScaleConv(3, 8, stride=2)).train(training)
    x = random_of(2, 16, 2, 3)
    mask = torch.ones(2, 16, dtype=torch.bool)
    mask[:, 11:] = mask[1, 4] = False
    short = layer(masked(x, mask)[:, :11], mask[:, :11])
    long = layer(x, mask)
    seen = mask[:, ::2]
    assert torch.allclose(short[seen[:, :6]], long[seen], atol=1e-9)


def test_a_shortcut_changes_only_what_it_must():
    x = random_of(1, 7, 2, 4)
    plain = Shortcut(4, 4)
    assert plain(x, None) is x
    assert not list(plain.parameters())
    wide = unsettled(Shortcut(4, 6, 2))
    weight = wide.conv.conv.weight[:, :, 0, 0]
    assert torch.allclose(wide(x, None), normed(wide.norm, x[:, ::2] @ weight.T + wide.conv.conv.bias))


# ---- HD-GCN ----------------------------------------------------------------------------------------------------------


def test_levels_by_hand():
    assert levels(NTU_25) == [
        [1],
        [0, 20],
        [2, 4, 8, 12, 16],
        [3, 5, 9, 13, 17],
        [6, 10, 14, 18],
        [7, 11, 15, 19],
        [21, 22, 23, 24],
    ]
    # no pelvis, no spine, left and right leg without a bone in common: shoulders and hips are the middle
    assert levels(COCO_17) == [[5, 6, 11, 12], [0, 7, 8, 13, 14], [1, 2, 9, 10, 15, 16], [3, 4]]
    assert levels(SMALL) == [[0], [1, 2], [3]]
    two_parts = Skeleton("parts", ("a", "b", "c"), (-1, -1, 1), (), *[(0,)] * 6)
    assert levels(two_parts) == [[0], [1], [2]]


def test_hierarchy_of_a_small_body_by_hand():
    adjacency, share = hierarchy(SMALL)
    assert adjacency.shape == (2, 3, 4, 4)
    assert np.array_equal(adjacency[0, 0], np.diag([1, 1, 1, 0]))
    centripetal = np.zeros((4, 4))
    centripetal[1, 0] = centripetal[2, 0] = 0.5  # to a, from b and c
    assert np.array_equal(adjacency[0, 1], centripetal)
    centrifugal = np.zeros((4, 4))
    centrifugal[0, 1] = centrifugal[0, 2] = 1  # to b and to c, from a
    assert np.array_equal(adjacency[0, 2], centrifugal)
    assert np.array_equal(adjacency[1, 0], np.diag([0, 1, 1, 1]))
    outer = np.zeros((4, 4))
    outer[3, 1] = outer[3, 2] = 1  # d goes to b, on which it hangs, and to c, on which it does not
    assert np.array_equal(adjacency[1, 1], outer)
    assert np.array_equal(adjacency[1, 2], outer.T / 2)
    assert np.allclose(share, [[1 / 3, 1 / 3, 1 / 3, 0], [0, 1 / 3, 1 / 3, 1 / 3]])


@EVERY
def test_neighbouring_levels_are_fully_joined_and_others_not(skeleton):
    adjacency, share = hierarchy(skeleton)
    level = {joint: number for number, joints in enumerate(levels(skeleton)) for joint in joints}
    assert sorted(level) == list(range(skeleton.num_joints))
    assert len(adjacency) == max(level.values())
    joined = (adjacency > 0).any(axis=0)
    for start in range(skeleton.num_joints):
        for to in range(skeleton.num_joints):
            assert joined[0, start, to] == (start == to)
            assert joined[1, start, to] == (level[start] == level[to] + 1)
            assert joined[2, start, to] == (level[start] + 1 == level[to])
    columns = adjacency.sum(axis=2)
    assert np.allclose(columns[columns > 0], 1)
    assert np.allclose(share.sum(axis=1), 1)


def test_a_body_of_one_joint_has_one_set():
    adjacency, share = hierarchy(ONE)
    assert np.array_equal(adjacency[0, :, 0, 0], [1, 0, 0])
    assert np.array_equal(share, [[1]])
    x = torch.zeros(2, 3, 1, 1, 3)
    assert torch.isfinite(build_encoder("hdgcn", ONE, 3).eval()(x, torch.ones(2, 3, 1, dtype=torch.bool)).maps[2]).all()


def test_over_time_by_hand():
    x = torch.tensor([[-3.0, -1.0, 5.0], [2.0, 4.0, 9.0]])[..., None]
    mask = torch.tensor([[True, True, False], [False, False, False]])
    assert mean_over_time(x, mask).flatten().tolist() == [-2, 0]
    assert max_over_time(x, mask).flatten().tolist() == [-1, 0]
    assert mean_over_time(x, None).flatten().tolist() == pytest.approx([1 / 3, 5])
    assert max_over_time(x, None).flatten().tolist() == [5, 9]


def slow_edge_conv(layer, x):
    count, groups, nodes, channels = x.shape
    out = torch.empty_like(x)
    for n in range(count):
        for g in range(groups):
            weight = torch.cat([layer.weight[0, g], layer.weight[1, g]])  # of [x_i, x_j - x_i]
            here = slice(g * channels, (g + 1) * channels)
            for i in range(nodes):
                nearest = sorted(range(nodes), key=lambda j: float((x[n, g, i] - x[n, g, j]).detach().norm()))[
                    : layer.nearest
                ]
                edges = torch.stack([torch.cat([x[n, g, i], x[n, g, j] - x[n, g, i]]) @ weight for j in nearest])
                out[n, g, i] = F.leaky_relu(normed(layer.norm, edges, here), 0.2).amax(dim=0)
    return out


@pytest.mark.parametrize(("nodes", "nearest"), [(6, 3), (2, 3)])
def test_edge_convolution_is_its_equation(nodes, nearest):
    layer = unsettled(EdgeConv(4, 2, nearest))
    x = random_of(2, 2, nodes, 4)
    assert torch.allclose(layer(x), slow_edge_conv(layer, x), atol=1e-9)


def test_edge_convolution_does_not_mind_the_order_of_nodes():
    layer = unsettled(EdgeConv(4, 1, 3))
    x, order = random_of(1, 1, 6, 4), torch.tensor([3, 1, 5, 0, 2, 4])
    assert torch.allclose(layer(x)[:, :, order], layer(x[:, :, order]), atol=1e-12)


@pytest.mark.parametrize("gaps", [False, True])
def test_hierarchical_convolution_is_its_description(gaps):
    graphs, share = (torch.from_numpy(part) for part in hierarchy(SMALL))
    layer = unsettled(HierarchicalGraphConv(3, 8, graphs, share))
    x = random_of(2, 5, 4, 3)
    mask = torch.ones(2, 5, dtype=torch.bool)
    mask[0, 3:] = mask[1, 0] = False
    seen = mask if gaps else torch.ones_like(mask)
    found = layer(x, mask if gaps else None)
    hidden = torch.relu(normed(layer.down_norm, x @ layer.down.weight.T + layer.down.bias)).view(2, 5, 4, 2, 2)
    for n in range(2):
        sets, stand = [], []
        for number in range(2):
            h = hidden[n, :, :, number]  # (T, J, 2)
            quarters = []
            for k in range(3):
                graph = layer.adjacency[number, k]
                summed = torch.stack([sum(graph[v, w] * h[:, v] for v in range(4)) for w in range(4)], dim=1)
                channels = slice(6 * number + 2 * k, 6 * number + 2 * k + 2)
                quarters.append(normed(layer.norm, summed @ layer.mix[3 * number + k], channels))
            mean = h[seen[n]].mean(dim=0)
            sets.append((quarters, mean))
        near = slow_edge_conv(layer.edge, torch.stack([mean for _, mean in sets])[None])[0]
        whole = [torch.cat([*quarters, near[i].expand(5, 4, 2)], dim=-1) for i, (quarters, _) in enumerate(sets)]
        for number, joints in enumerate(([0, 1, 2], [1, 2, 3])):
            stand.append(whole[number][seen[n]].amax(dim=0)[joints].mean(dim=0))
        weights = layer.attention(torch.stack(stand)[None])[0]
        expected = sum(part * weight for part, weight in zip(whole, weights, strict=True))
        assert torch.allclose(found[n][seen[n]], expected[seen[n]], atol=1e-7)  # means are float32


def test_attention_over_sets_is_its_description():
    layer = unsettled(HierarchyAttention(8))
    x = random_of(2, 4, 8)
    hidden = torch.relu(normed(layer.norm, x @ layer.down.weight.T + layer.down.bias))
    expected = torch.sigmoid(layer.up(slow_edge_conv(layer.edge, hidden[:, None])[:, 0]))
    assert torch.allclose(layer(x), expected, atol=1e-9)


def test_parameters_of_hdgcn():
    encoder = build_encoder("hdgcn", NTU_25, 3)
    assert encoder.blocks[0].graph.adjacency.shape == (6, 3, 25, 25)
    classifier = 257 * 120
    assert (parameters(encoder) + classifier) / 1e6 == pytest.approx(1.68, rel=0.01)


# ---- Hyperformer -----------------------------------------------------------------------------------------------------

TORSO, LEFT_ARM, RIGHT_ARM, LEFT_LEG, RIGHT_LEG = range(5)


def test_hyperedges_by_hand():
    ntu = {LEFT_ARM: (4, 5, 6, 7, 21, 22), RIGHT_ARM: (8, 9, 10, 11, 23, 24)}
    ntu |= {LEFT_LEG: (12, 13, 14, 15), RIGHT_LEG: (16, 17, 18, 19), TORSO: (0, 1, 2, 3, 20)}
    coco = {TORSO: range(5), LEFT_ARM: (5, 7, 9), RIGHT_ARM: (6, 8, 10), LEFT_LEG: (11, 13, 15)}
    coco |= {RIGHT_LEG: (12, 14, 16)}
    smpl = {TORSO: (0, 3, 6, 9, 12, 13, 14, 15), LEFT_ARM: (16, 18, 20, 22), RIGHT_ARM: (17, 19, 21, 23)}
    smpl |= {LEFT_LEG: (1, 4, 7, 10), RIGHT_LEG: (2, 5, 8, 11)}
    for skeleton, parts in ((NTU_25, ntu), (COCO_17, coco), (SMPL_24, smpl)):
        found = hyperedges(skeleton)
        assert {part: tuple(np.flatnonzero(found == part)) for part in parts} == {
            part: tuple(joints) for part, joints in parts.items()
        }


def test_joints_without_a_name_go_with_what_they_hang_on():
    nameless = replace(NTU_25, body_parts=(None,) * 25)  # limbs start at their landmarks
    assert np.array_equal(hyperedges(nameless), hyperedges(NTU_25))
    finger = replace(
        SMPL_22,
        joints=(*SMPL_22.joints, "index", "middle"),
        parents=(*SMPL_22.parents, 21, 22),
        body_parts=(*SMPL_22.body_parts, None, None),
    )
    assert hyperedges(finger)[[21, 22, 23]].tolist() == [RIGHT_ARM] * 3  # a finger hangs on the wrist
    assert hyperedges(SMALL).tolist() == [0, 0, 0, 0]  # a landmark of all limbs is of none


def test_parts_that_are_not_there_have_no_number():
    legs = Skeleton("legs", ("l", "m", "r"), (1, -1, 1), (), (1,), (1,), (1,), (1,), (0,), (2,))
    assert hyperedges(legs).tolist() == [1, 0, 2]  # torso, left leg, right leg


def test_bones_by_hand():
    third, half = np.float32(1 / 3), 0.5
    expected = [[third, third, third, 0], [third, third, 0, third], [half, 0, half, 0], [0, half, 0, half]]
    assert np.allclose(bone_graph(SMALL), expected)


def test_hyper_attention_is_its_equation():
    legs = Skeleton("legs", ("l", "m", "r", "f"), (1, -1, 1, 0), (), (1,), (1,), (1,), (1,), (0,), (2,))
    layer = unsettled(HyperAttention(4, 6, 2, legs))
    layer.relative.data.normal_(generator=torch.Generator().manual_seed(1))
    x = random_of(2, 3, 4, 4)
    found = layer(x)
    distance = [[0, 1, 2, 1], [1, 0, 1, 2], [2, 1, 0, 3], [1, 2, 3, 0]]
    parts = [(0, 3), (1,), (2,)]  # left leg with its foot, torso, right leg
    own = {joint: part for part in parts for joint in part}
    for n in range(2):
        for t in range(3):
            q, k, v = (x[n, t] @ layer.project.weight.T + layer.project.bias).chunk(3, dim=-1)
            for head in range(2):
                cut = slice(3 * head, 3 * head + 3)
                for i in range(4):
                    logits = []
                    for j in range(4):
                        e = (x[n, t, list(own[j])].mean(dim=0) @ layer.project_edge.weight.T)[cut]
                        r = layer.relative[head, :, distance[i][j]]
                        logits.append(q[i, cut] @ (k[j, cut] + r + e) + layer.edge_bias[head] @ e)
                    weights = (torch.stack(logits) / math.sqrt(3)).softmax(dim=0) + layer.relation[head, i]
                    assert torch.allclose(found[n, t, i, cut], weights @ v[:, cut], atol=1e-6)


def test_halo_of_hyperformer_is_honest():
    encoder = unsettled(build_encoder("hyperformer", SMALL, 3))
    middle, frames = 80, 160
    x = random_of(1, frames, 4, 3).requires_grad_()
    level = encoder.body(x, None).maps[-1]
    (level[0, middle // 4].mean(dim=0) * random_of(216, seed=1)).sum().backward()
    touched = x.grad[0].abs().amax(dim=(1, 2)).nonzero().flatten()
    assert encoder.halo == 76
    assert (int(touched.min()), int(touched.max())) == (middle - 76, middle + 76)


def test_parameters_of_hyperformer():
    encoder = build_encoder("hyperformer", NTU_25, 3)
    assert round(parameters(encoder) / 1e6, 1) == 2.6
    assert encoder.channels == (24 * 9,) * 3


# ---- DSTE ------------------------------------------------------------------------------------------------------------


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


def test_a_dense_layer_is_its_equation():
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


def test_tokens_in_padding_are_felt_by_nobody():
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
    before = encoder.body(x, None).joints
    for joint in (0, 7, skeleton.num_joints - 1):
        moved = x.clone()
        moved[:, :, joint] += 1
        changed = (encoder.body(moved, None).joints - before).abs().amax(dim=(0, 2)).nonzero().flatten()
        assert changed.tolist() == [joint]


def test_features_of_joints_do_not_depend_on_the_frame_rate():
    """A slow line is the same line, sampled at twice as many frames."""
    encoder = unsettled(build_encoder("dste_light", KINECT_20, 3))
    start, step = random_of(1, 1, 20, 3), random_of(1, 1, 20, 3, seed=1)
    slow, fast = (start + step * torch.linspace(0, 1, frames)[None, :, None, None] for frames in (41, 21))
    assert torch.allclose(encoder.body(slow, None).joints, encoder.body(fast, None).joints, atol=1e-5)


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
