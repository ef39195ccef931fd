"""2s-AGCN and CTR-GCN: their equations against slow loops, their graphs, and what is kept in single precision."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from encoder_cases import SMALL, batch_of, everybody, made, near

from kinespan.data.skeleton import Skeleton
from kinespan.data.skeletons import COCO_17, KINECT_20, NTU_25
from kinespan.encoders import build_encoder
from kinespan.encoders.agcn import AdaptiveGraphConv
from kinespan.encoders.ctrgcn import RefinedGraphConv
from kinespan.encoders.graph import directed_partition, spatial_partition
from kinespan.encoders.layers import neighbours
from kinespan.encoders.stack import GraphBlock

CHAIN = Skeleton("chain", ("a", "b", "c"), (-1, 0, 1), (), (0,), (0,), (0,), (0,), (0,), (0,))
FORK = Skeleton("fork", ("a", "b", "c"), (-1, 0, 0), (), (0,), (0,), (0,), (0,), (0,), (0,))
CONVS = (AdaptiveGraphConv, RefinedGraphConv)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def conv_of(kind, before=3, after=8, skeleton=SMALL, seed=0):
    """A graph convolution in which nothing is zero."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        conv = kind(before, after, torch.from_numpy(directed_partition(skeleton)))
        for part in conv.parameters():
            part.data.uniform_(-1, 1)
    return conv


def people(frames, people=2, channels=3, seed=0):
    return batch_of(SMALL, clips=people, frames=frames, seed=seed, channels=channels)[:, :, 0]


# ---- graphs ----------------------------------------------------------------------------------------------------------


def test_directed_partition_by_hand():
    same, nearer, further = directed_partition(CHAIN)
    assert same.tolist() == np.eye(3).tolist()
    assert nearer.tolist() == [[0, 1, 0], [0, 0, 1], [0, 0, 0]]  # to b from a, to c from b
    assert further.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0]]  # to a from b, to b from c
    same, nearer, further = directed_partition(FORK)
    assert nearer.tolist() == [[0, 1, 1], [0, 0, 0], [0, 0, 0]]
    assert further.tolist() == [[0, 0, 0], [0.5, 0, 0], [0.5, 0, 0]]  # half from each child


@pytest.mark.parametrize("skeleton", [NTU_25, KINECT_20, COCO_17], ids=lambda skeleton: skeleton.name)
def test_directed_partition_has_the_neighbours_of_the_spatial_one(skeleton):
    found, plain = directed_partition(skeleton), spatial_partition(skeleton)
    assert np.array_equal(found > 0, plain > 0)
    sums = found.sum(axis=1)
    assert np.allclose(sums[sums > 0], 1)
    assert (sums[0] > 0).all()  # a joint is its own neighbour


def test_neighbours_of_one_graph_and_of_one_each():
    g = torch.Generator().manual_seed(0)
    x, graphs = torch.randn(2, 4, 5, 3, generator=g), torch.randn(2, 2, 5, 5, generator=g)
    found = neighbours(graphs, x)
    assert found.shape == (2, 4, 5, 6)
    for person in range(2):
        assert torch.allclose(neighbours(graphs[person], x)[person], found[person], atol=1e-5)
        for part in range(2):
            expected = torch.stack(
                [sum(graphs[person, part, v, w] * x[person, 1, v] for v in range(5)) for w in range(5)]
            )
            assert torch.allclose(found[person, 1, :, 3 * part : 3 * part + 3], expected, atol=1e-5)


# ---- equations -------------------------------------------------------------------------------------------------------


def slow_likeness(conv, x, frames):
    """C (K, J, J) of one person x (T, J, C), by loops: softmax over v of the mean product of two embeddings."""
    parts, joints = conv.adjacency.shape[:2]
    embedded = (x @ conv.embed.weight.T + conv.embed.bias).view(len(x), joints, 2, parts, conv.size)
    out = torch.zeros(parts, joints, joints)
    for k in range(parts):
        for w in range(joints):
            alike = [
                sum(float(embedded[t, v, 0, k] @ embedded[t, w, 1, k]) for t in frames) / (len(frames) * conv.size)
                for v in range(joints)
            ]
            total = sum(math.exp(value) for value in alike)
            out[k, :, w] = torch.tensor([math.exp(value) / total for value in alike])
    return out


def test_adaptive_convolution_is_its_equation():
    conv, x = conv_of(AdaptiveGraphConv), people(5)
    mask = torch.tensor([[True] * 5, [True, False, True, True, False]])
    x = x * mask[:, :, None, None]
    with torch.no_grad():
        found = conv(x, mask)
        for person in range(2):
            own = slow_likeness(conv, x[person], mask[person].nonzero().flatten().tolist())
            assert torch.allclose(conv.own_graph(x, mask)[person], own, atol=1e-5)
            graph = conv.adjacency + conv.learned + own
            weights = conv.mix.weight.view(8, 3, 3)  # out, partition, in
            expected = (
                sum(torch.einsum("vw,tvc,oc->two", graph[k], x[person], weights[:, k]) for k in range(3))
                + conv.mix.bias
            )
            assert torch.allclose(found[person], expected, atol=1e-4)


def test_refined_convolution_is_its_equation():
    conv, x = conv_of(RefinedGraphConv), people(5)
    mask = torch.tensor([[True] * 5, [True, False, True, True, False]])
    x = x * mask[:, :, None, None]
    size = conv.expand.shape[2]
    with torch.no_grad():
        found = conv(x, mask)
        for person in range(2):
            mean = x[person][mask[person]].mean(dim=0)
            compared = mean @ conv.compare.weight.T + conv.compare.bias
            phi, psi = (compared[:, half * 3 * size :][:, : 3 * size].view(-1, 3, size) for half in (0, 1))
            features = (x[person] @ conv.transform.weight.T + conv.transform.bias).view(5, -1, 3, 8)
            expected = torch.zeros(5, 7, 8)
            for k in range(3):
                for v in range(7):
                    for w in range(7):
                        refined = conv.expand[k] @ torch.tanh(psi[w, k] - phi[v, k]) + conv.bias[k]
                        expected[:, w] += (conv.shared[k, v, w] + conv.alpha * refined) * features[:, v, k]
            assert torch.allclose(found[person], expected, atol=1e-4)


def test_joints_that_move_alike_are_joined_by_hand():
    """One frame, one channel, embeddings that are the coordinate itself: weights are softmax of v times w."""
    conv = AdaptiveGraphConv(1, 4, torch.zeros(1, 3, 3))
    conv.embed.weight.data.fill_(1)
    conv.embed.bias.data.zero_()
    x = torch.tensor([0.0, math.log(2), math.log(4)]).view(1, 1, 3, 1)
    own = conv.own_graph(x, None)[0, 0]
    assert own[:, 0].tolist() == pytest.approx([1 / 3] * 3)
    powers = [1, 2 ** math.log(2), 4 ** math.log(2)]
    assert own[:, 1].tolist() == pytest.approx([power / sum(powers) for power in powers])


@pytest.mark.parametrize("kind", CONVS)
def test_the_graph_of_a_clip_does_not_grow_with_its_length(kind):
    """A clip played twice is joined as the clip itself, and so is one with a tail of padding."""
    conv, x = conv_of(kind), people(4)
    graph = conv.own_graph if kind is AdaptiveGraphConv else conv.topology
    mask = torch.ones(2, 9, dtype=torch.bool)
    mask[:, 4:] = False
    with torch.no_grad():
        once = graph(x, None)
        assert torch.allclose(graph(torch.cat([x, x], dim=1), None), once, atol=1e-5)
        assert torch.allclose(graph(torch.nn.functional.pad(x, (0, 0, 0, 0, 0, 5)), mask), once, atol=1e-5)


@pytest.mark.parametrize("kind", CONVS)
def test_the_graph_of_a_person_without_valid_steps_is_finite(kind):
    conv = conv_of(kind)
    out = conv(torch.zeros(2, 3, 7, 3), torch.tensor([[True] * 3, [False] * 3]))
    assert torch.isfinite(out).all()
    out.sum().backward()
    assert all(torch.isfinite(part.grad).all() for part in conv.parameters())


# ---- starts and precision --------------------------------------------------------------------------------------------


def test_learned_graphs_start_from_the_body_graph():
    """2s-AGCN's learned graph is zero, CTR-GCN's shared one is the body and not yet refined."""
    adjacency = torch.from_numpy(directed_partition(SMALL))
    assert not AdaptiveGraphConv(3, 8, adjacency).learned.any()
    refined = RefinedGraphConv(3, 8, adjacency)
    assert torch.equal(refined.shared, adjacency)
    with torch.no_grad():
        topology = refined.topology(people(4), None).view(2, 8, 7, 3, 7)
    assert torch.allclose(topology, adjacency.permute(1, 0, 2).expand_as(topology))


@pytest.mark.parametrize("name", ["agcn", "agcn_4res", "ctrgcn"])
def test_a_block_starts_as_its_shortcuts(name):
    encoder = build_encoder(name, SMALL, 3)
    assert all(float(block.graph_norm.weight.detach().max()) < 1e-5 for block in encoder.blocks)
    assert [isinstance(block, GraphBlock) and block.outer is None for block in encoder.blocks] == [True] + [False] * 9


def test_four_resolutions_have_the_strides_of_the_paper():
    encoder = build_encoder("agcn_4res", NTU_25, 3)
    assert encoder.strides == (1, 2, 4, 8)
    assert encoder.channels == (64, 64, 128, 256)
    assert [number + 1 for number, block in enumerate(encoder.blocks) if block.stride == 2] == [2, 5, 8]
    assert encoder.input_norm is None
    x = batch_of(NTU_25, clips=1, frames=150, channels=3)
    with torch.no_grad():
        maps = encoder.eval()(x, everybody(x)).maps
    assert [level.shape[2] for level in maps] == [150, 75, 38, 19]  # 19 snippets of about 8 frames


@pytest.mark.parametrize("kind", CONVS)
def test_graphs_are_computed_in_float32(kind):
    """Where likenesses and differences are large, half of a bit matters."""
    conv, x = conv_of(kind), 30 * people(40)
    graph = conv.own_graph if kind is AdaptiveGraphConv else conv.topology
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        assert graph(x, None).dtype == torch.float32
    if kind is RefinedGraphConv:
        with torch.no_grad():
            plain = graph(x, None)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                assert torch.equal(graph(x, None), plain)


@pytest.mark.parametrize(("name", "limit"), [("agcn", 0.03), ("agcn_4res", 0.03), ("ctrgcn", 0.07)])
def test_bfloat16_is_close_to_float32_once_norms_have_statistics(name, limit):
    """With the graphs at full weight and every norm fitted to what it sees.

    Rounding of every layer adds up in random weights: 1.5 % of the deepest map in 2s-AGCN, 4 % in CTR-GCN.
    """
    encoder = made(name, SMALL)
    for part, module in encoder.named_modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.momentum = 1.0
            module.weight.data.fill_(1)
            module.bias.data.zero_()
        if part.endswith("graph") and name == "ctrgcn":
            module.alpha.data.fill_(1)
    x = batch_of(SMALL, frames=24)
    with torch.no_grad():
        encoder.train()(x, everybody(x))
        single = encoder.eval()(x, everybody(x))
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = encoder(x, everybody(x))
    for a, b in zip(single.maps, half.maps, strict=True):
        assert float((a - b).abs().mean() / a.abs().mean()) < limit


def test_streams_of_one_clip_are_joined_at_the_input():
    encoder = made("ctrgcn", SMALL, channels=9)
    x = batch_of(SMALL, frames=6, channels=9)
    with torch.no_grad():
        plain = encoder(x, everybody(x)).maps[-1]
        x[..., 6:] *= 2
        assert not near(plain, encoder(x, everybody(x)).maps[-1])
