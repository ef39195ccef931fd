"""HD-GCN and the convolution at several scales against slow references and cases by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from attention_cases import EVERY, SMALL, parameters, random_of, unsettled
from torch.nn import functional as F

from kinespan.data.skeleton import Skeleton
from kinespan.data.skeletons import COCO_17, NTU_25
from kinespan.encoders import build_encoder
from kinespan.encoders.hdgcn import (
    EdgeConv,
    HierarchicalGraphConv,
    HierarchyAttention,
    hierarchy,
    levels,
    max_over_time,
    mean_over_time,
)
from kinespan.encoders.layers import masked
from kinespan.encoders.multiscale import MultiScaleConv, Shortcut

pytestmark = pytest.mark.usefixtures("one_thread", "seeded")

ONE = Skeleton("one", ("a",), (-1,), (), *[(0,)] * 6)


def normed(norm, x, channels=slice(None)):
    """Batch norm in eval mode of x (..., C), which are these channels of the norm."""
    scale = norm.weight[channels] / (norm.running_var[channels] + norm.eps).sqrt()
    return (x - norm.running_mean[channels]) * scale + norm.bias[channels]


# ---- convolution at several scales -----------------------------------------------------------------------------------


@pytest.mark.parametrize("stride", [1, 2])
def test_each_branch_agrees_with_a_slow_reference(stride):
    kernel, dilations, layer = 5, (1, 2), unsettled(MultiScaleConv(14, stride))
    x = random_of(2, 11, 2, 14)
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


def test_the_convolution_reaches_as_far_as_stated():
    layer = unsettled(MultiScaleConv(8))
    layer.inner_norm.bias.data += 9  # no ReLU is shut
    x = random_of(1, 25, 1, 8).requires_grad_()
    (layer(x, None)[0, 12, 0] * random_of(8, seed=1)).sum().backward()
    touched = x.grad[0].abs().amax(dim=(1, 2)).nonzero().flatten()
    assert (int(touched.min()), int(touched.max())) == (12 - layer.reach, 12 + layer.reach) == (8, 16)


@pytest.mark.parametrize("training", [False, True])
def test_padding_never_changes_the_convolution_of_valid_frames(training):
    layer = unsettled(MultiScaleConv(8, 2)).train(training)
    x = random_of(2, 16, 2, 8)
    mask = torch.ones(2, 16, dtype=torch.bool)
    mask[:, 11:] = mask[1, 4] = False
    short = layer(masked(x, mask)[:, :11], mask[:, :11])
    long = layer(x, mask)
    seen = mask[:, ::2]
    assert torch.allclose(short[seen[:, :6]], long[seen], atol=1e-9)


def test_a_shortcut_is_the_identity_unless_channels_or_stride_change():
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


def test_mean_and_maximum_over_time_by_hand():
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


def test_node_order_never_changes_edge_convolution():
    layer = unsettled(EdgeConv(4, 1, 3))
    x, order = random_of(1, 1, 6, 4), torch.tensor([3, 1, 5, 0, 2, 4])
    assert torch.allclose(layer(x)[:, :, order], layer(x[:, :, order]), atol=1e-12)


@pytest.mark.parametrize("gaps", [False, True])
def test_hierarchical_convolution_matches_slow_reference(gaps):
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


def test_attention_over_sets_matches_slow_reference():
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
