"""The layers and graphs that encoders share, against slow references and by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kinespan.data.skeleton import Skeleton
from kinespan.data.skeletons import COCO_17, KINECT_20, NTU_25
from kinespan.encoders import base
from kinespan.encoders.graph import hops, spatial_partition
from kinespan.encoders.layers import GraphConv, MaskedBatchNorm, TemporalConv

SKELETONS = (NTU_25, KINECT_20, COCO_17)
CHAIN = Skeleton("chain", ("a", "b", "c"), (-1, 0, 1), (), (0,), (0,), (0,), (0,), (0,), (0,))


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


# ---- graph -----------------------------------------------------------------------------------------------------------


def test_partition_of_a_chain_matches_values_by_hand():
    # a - b - c, rooted at a: the middle has three neighbours (itself, one nearer, one further), the ends two.
    third, half = np.float32(1 / 3), np.float32(1 / 2)
    same, nearer, further = spatial_partition(CHAIN)
    assert np.allclose(same, [[half, 0, 0], [0, third, 0], [0, 0, half]])
    assert np.allclose(nearer, [[0, third, 0], [0, 0, half], [0, 0, 0]])  # to b from a, to c from b
    assert np.allclose(further, [[0, 0, 0], [half, 0, 0], [0, third, 0]])  # to a from b, to b from c


@pytest.mark.parametrize("skeleton", SKELETONS, ids=lambda skeleton: skeleton.name)
def test_partition_columns_sum_to_one_and_join_the_whole_body(skeleton):
    adjacency = spatial_partition(skeleton)
    assert np.allclose(adjacency.sum(axis=(0, 1)), 1)
    assert ((adjacency > 0).sum(axis=0) <= 1).all()  # each pair of joints is in one partition
    reach = np.linalg.matrix_power((adjacency.sum(axis=0) > 0).astype(np.int64), skeleton.num_joints)
    assert (reach > 0).all()


def test_hops_match_values_counted_by_hand():
    assert hops(CHAIN).tolist() == [[0, 1, 2], [1, 0, 1], [2, 1, 0]]
    assert hops(NTU_25)[0, 20] == 2  # base of spine, middle of spine, spine at the shoulders
    two_parts = Skeleton("parts", ("a", "b", "c"), (-1, -1, 1), (), (0,), (0,), (0,), (0,), (0,), (0,))
    assert hops(two_parts).tolist() == [[0, 1, 2], [1, 0, 1], [2, 1, 0]]


def test_graph_convolution_matches_its_equation():
    torch.manual_seed(0)
    layer = GraphConv(2, 4, torch.from_numpy(spatial_partition(KINECT_20))).double()
    layer.importance.data.uniform_(0.5, 2)
    x = torch.randn(2, 3, 20, 2, dtype=torch.float64)
    found = layer(x)
    weights = layer.mix.weight.view(4, 3, 2)  # out, partition, in
    expected = torch.zeros(2, 3, 20, 4, dtype=torch.float64)
    for part in range(3):
        a = layer.adjacency[part].double() * layer.importance[part]
        for to in range(20):
            for start in range(20):
                if a[start, to] != 0:
                    expected[:, :, to] += a[start, to] * (x[:, :, start] @ weights[:, part].T)
    assert torch.allclose(found, expected + layer.mix.bias, atol=1e-9)


@pytest.mark.parametrize(("reach", "stride", "length"), [(9, 1, 12), (9, 2, 13), (1, 2, 13), (3, 2, 4)])
def test_temporal_convolution_is_centred(reach, stride, length):
    torch.manual_seed(0)
    layer = TemporalConv(2, 3, reach, stride)
    x = torch.randn(1, length, 4, 2)
    found = layer(x)
    assert found.shape == (1, -(-length // stride), 4, 3)
    weight = layer.conv.weight[..., 0]  # out, in, reach
    for step in range(found.shape[1]):
        value = layer.conv.bias.clone()
        for k in range(reach):
            frame = step * stride + k - reach // 2
            if 0 <= frame < length:
                value = value + weight[:, :, k] @ x[0, frame, 1]
        assert torch.allclose(found[0, step, 1], value, atol=1e-5)


# ---- masked batch norm -----------------------------------------------------------------------------------------------


def test_masked_batch_norm_is_batch_norm_of_the_valid_frames():
    torch.manual_seed(0)
    mine, plain = MaskedBatchNorm(3), torch.nn.BatchNorm1d(3)
    for norm in (mine, plain):
        norm.weight.data[:] = torch.tensor([0.5, 1.0, 2.0])
        norm.bias.data[:] = torch.tensor([-1.0, 0.0, 1.0])
    for seed in range(3):
        g = torch.Generator().manual_seed(seed)
        x = 5 * torch.randn(2, 7, 4, 3, generator=g) + 3
        mask = torch.rand(2, 7, generator=g) < 0.6
        x[~mask] = 1e4
        found = mine.normalise(x, mask)[mask]
        expected = plain(x[mask].reshape(-1, 3)).view_as(found)
        assert torch.allclose(found, expected, atol=1e-4)
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        assert torch.allclose(getattr(mine, name), getattr(plain, name), atol=1e-4), name
    mine.eval(), plain.eval()
    assert torch.allclose(mine.normalise(x, mask)[mask], plain(x[mask].reshape(-1, 3)).view(-1, 4, 3), atol=1e-4)


def test_masked_batch_norm_matches_values_by_hand():
    norm = MaskedBatchNorm(1)
    x = torch.tensor([[[1.0], [3.0], [99.0]]])
    mask = torch.tensor([[True, True, False]])
    assert norm.normalise(x, mask)[0, :2, 0].tolist() == pytest.approx([-1, 1], abs=1e-4)
    # mean 2, unbiased variance 2; a tenth of each goes into the running figures 0 and 1
    assert float(norm.running_mean) == pytest.approx(0.2)
    assert float(norm.running_var) == pytest.approx(0.9 + 0.2)


def test_masked_batch_norm_without_valid_frames_keeps_its_statistics():
    norm = MaskedBatchNorm(2)
    out = norm.normalise(torch.ones(1, 3, 2), torch.zeros(1, 3, dtype=torch.bool))
    assert torch.isfinite(out).all()
    assert torch.isfinite(norm.running_mean).all()
    assert int(norm.num_batches_tracked) == 0


def test_masked_batch_norm_gradient_equals_that_of_the_valid_frames():
    mine, plain = MaskedBatchNorm(2), torch.nn.BatchNorm1d(2)
    g = torch.Generator().manual_seed(0)
    x = torch.randn(2, 5, 2, generator=g).requires_grad_()
    other = x.detach().clone().requires_grad_()
    mask = torch.rand(2, 5, generator=g) < 0.7
    (mine.normalise(x, mask)[mask] ** 3).sum().backward()
    (plain(other[mask]) ** 3).sum().backward()
    assert torch.allclose(x.grad, other.grad, atol=1e-4)
    assert not x.grad[~mask].any()
    for name in ("weight", "bias"):
        assert torch.allclose(getattr(mine, name).grad, getattr(plain, name).grad, atol=1e-4)


# ---- marginals of maps in bfloat16 -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lower", [False, True])
def test_marginals_of_a_map_are_rounded_once_at_most(lower):
    """Of bfloat16 values as of float32: sums of hundreds of them would be lost in bfloat16."""
    torch.manual_seed(0)
    level = 100 + torch.randn(2, 300, 25, 6)
    level = level.bfloat16() if lower else level
    here = torch.rand(2, 300) < 0.7
    with torch.autocast("cpu", torch.bfloat16, enabled=lower):
        joints, time = base._mean_over_joints(level), base._joint_features(base.PersonFeatures([level]), here)
    exact = level.double() * here[:, :, None, None]
    within = {"rtol": 2**-8 if lower else 1e-6, "atol": 0}
    for found, expected in ((joints, level.double().mean(dim=2)), (time, exact.sum(1) / here.sum(1)[:, None, None])):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found.double(), expected, **within)
