"""The pyramid contract, held by every encoder on several skeletons; and the layers, against slow references."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import load, save

from kinespan.encoders import ENCODERS, build_encoder
from kinespan.encoders.graph import hops, spatial_partition
from kinespan.encoders.layers import GraphConv, MaskedBatchNorm, TemporalConv
from kinespan.errors import InputError
from kinespan.skeleton import Skeleton
from kinespan.skeletons import COCO_17, KINECT_20, NTU_25

SKELETONS = (NTU_25, KINECT_20, COCO_17)
CHANNELS = 6
EVERY = [(name, skeleton) for name in ENCODERS for skeleton in SKELETONS]
LIGHT = [(name, KINECT_20) for name in ENCODERS if name != "stgcn64"]
every = pytest.mark.parametrize(("name", "skeleton"), EVERY, ids=lambda part: getattr(part, "name", part))
light = pytest.mark.parametrize(("name", "skeleton"), LIGHT, ids=lambda part: getattr(part, "name", part))

CHAIN = Skeleton("chain", ("a", "b", "c"), (-1, 0, 1), (), (0,), (0,), (0,), (0,), (0,), (0,))


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def made(name, skeleton, seed=0, channels=CHANNELS):
    """An encoder in eval mode whose batch norms have seen something, so that none is the identity."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        encoder = build_encoder(name, skeleton, channels)
        for module in encoder.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.running_mean.normal_(0, 0.2)
                module.running_var.uniform_(0.5, 1.5)
                module.weight.data.uniform_(0.5, 1.5)
                module.bias.data.normal_(0, 0.2)
    return encoder.eval()


def batch_of(skeleton, clips=2, frames=13, people=1, seed=0, channels=CHANNELS):
    g = torch.Generator().manual_seed(seed)
    return torch.randn(clips, frames, people, skeleton.num_joints, channels, generator=g)


def everybody(x):
    return torch.ones(x.shape[:3], dtype=torch.bool)


def close(one, other, **options):
    return all(torch.allclose(a, b, atol=1e-5, **options) for a, b in zip(one.maps, other.maps, strict=True))


@every
def test_shapes_and_masks(name, skeleton):
    encoder = made(name, skeleton)
    x = batch_of(skeleton)
    with torch.no_grad():
        pyramid = encoder(x, everybody(x))
    assert len(pyramid.maps) == len(encoder.channels) == len(encoder.strides) == len(pyramid.masks)
    assert encoder.strides[0] == 1
    for level, mask, channels, stride in zip(
        pyramid.maps, pyramid.masks, encoder.channels, encoder.strides, strict=True
    ):
        assert level.shape == (2, channels, -(-13 // stride))
        assert level.dtype == torch.float32
        assert mask.shape == (2, level.shape[2])
        assert mask.all()
        assert torch.isfinite(level).all()


@light
@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5, 8, 21])
def test_any_length(name, skeleton, frames):
    encoder = made(name, skeleton)
    x = batch_of(skeleton, frames=frames)
    with torch.no_grad():
        pyramid = encoder(x, everybody(x))
    assert [level.shape[2] for level in pyramid.maps] == [-(-frames // stride) for stride in encoder.strides]


@every
def test_gradients_reach_every_parameter(name, skeleton):
    encoder = made(name, skeleton).train()
    x = batch_of(skeleton, frames=8)
    maps = encoder(x, everybody(x)).maps
    g = torch.Generator().manual_seed(3)
    sum((level * torch.randn(level.shape, generator=g)).sum() for level in maps).backward()
    without = [name for name, part in encoder.named_parameters() if part.grad is None or not part.grad.any()]
    assert not without


@pytest.mark.parametrize(("name", "skeleton"), [*LIGHT, ("stgcn16_light", COCO_17)])
def test_halo_is_honest_and_no_larger_than_need_be(name, skeleton):
    """Which frames the deepest step in the middle depends on, by its derivative."""
    encoder = made(name, skeleton)
    halo, stride = encoder.halo, encoder.strides[-1]
    step = halo // stride + 2
    x = batch_of(skeleton, clips=1, frames=(2 * step + 1) * stride).double().requires_grad_()
    encoder.double()
    torch.manual_seed(0)
    level = encoder.body(x[:, :, 0], None).maps[-1]
    (level[0, step].mean(dim=0) * torch.randn(level.shape[-1])).sum().backward()
    touched = x.grad[0].abs().amax(dim=(1, 2, 3)).nonzero().flatten()
    middle = step * stride
    assert (int(touched.min()), int(touched.max())) == (middle - halo, middle + halo)


@light
def test_halo_holds_for_every_level(name, skeleton):
    encoder = made(name, skeleton)
    x = batch_of(skeleton, clips=1, frames=2 * encoder.halo + 40)
    changed = x.clone()
    place = encoder.halo + 20
    changed[:, place] += 1
    with torch.no_grad():
        before, after = encoder(x, everybody(x)), encoder(changed, everybody(x))
    for one, other, stride in zip(before.maps, after.maps, encoder.strides, strict=True):
        frames = torch.arange(one.shape[2]) * stride
        outside = (frames - place).abs() > encoder.halo
        assert outside.any()
        assert torch.allclose(one[..., outside], other[..., outside], atol=1e-6)
        assert not torch.allclose(one[..., ~outside], other[..., ~outside], atol=1e-6)


@light
def test_padding_never_changes_a_valid_frame(name, skeleton):
    encoder = made(name, skeleton)
    x = batch_of(skeleton, frames=16)
    padded = torch.cat([x, 50 * batch_of(skeleton, frames=7, seed=1)], dim=1)
    valid = everybody(padded)
    valid[:, 16:] = False
    with torch.no_grad():
        short, long = encoder(x, everybody(x)), encoder(padded, valid)
    for one, other, mask in zip(short.maps, long.maps, long.masks, strict=True):
        steps = one.shape[2]
        assert torch.allclose(one, other[..., :steps], atol=1e-5)
        assert mask[:, :steps].all()
        assert not mask[:, steps:].any()
        assert not other[..., steps:].any()


@light
def test_padding_never_changes_a_valid_frame_in_training(name, skeleton):
    """Batch statistics come from valid frames alone; how long a clip was padded to does not matter."""
    x = batch_of(skeleton, frames=16)
    valid = everybody(x)
    valid[1, 12:] = False
    longer = torch.nn.functional.pad(x, (0, 0, 0, 0, 0, 0, 0, 5), value=9.0)
    longer_valid = torch.nn.functional.pad(valid, (0, 0, 0, 5))
    one, other = made(name, skeleton).train(), made(name, skeleton).train()
    first, second = one(x, valid), other(longer, longer_valid)
    for a, b in zip(first.maps, second.maps, strict=True):
        assert torch.allclose(a, b[..., : a.shape[2]], atol=1e-4)
    for (key, a), b in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.allclose(a, b, atol=1e-5), key


@light
def test_values_in_a_gap_do_not_matter(name, skeleton):
    encoder = made(name, skeleton)
    x = batch_of(skeleton, frames=20, people=2)
    valid = everybody(x)
    valid[0, 5:9, 0] = valid[1, 3:20, 1] = valid[1, 0, 0] = False
    other = torch.where(valid[..., None, None], x, 1e3)
    with torch.no_grad():
        assert close(encoder(x, valid), encoder(other, valid))


@light
def test_batch_composition_does_not_matter(name, skeleton):
    encoder = made(name, skeleton)
    x = batch_of(skeleton, clips=3, frames=12, people=2)
    valid = everybody(x)
    valid[1, :, 1] = valid[2, 7:] = False
    with torch.no_grad():
        together = encoder(x, valid)
        for clip in range(3):
            alone = encoder(x[clip : clip + 1], valid[clip : clip + 1])
            for a, b in zip(alone.maps, together.maps, strict=True):
                assert torch.allclose(a[0], b[clip], atol=1e-5)


@light
def test_person_order_does_not_matter(name, skeleton):
    encoder = made(name, skeleton)
    x = batch_of(skeleton, frames=12, people=3)
    valid = everybody(x)
    valid[0, 4:, 1] = valid[1, :, 0] = False
    with torch.no_grad():
        assert close(encoder(x, valid), encoder(x[:, :, [2, 0, 1]], valid[:, :, [2, 0, 1]]))


@light
def test_two_people_are_the_mean_of_both_where_both_are_there(name, skeleton):
    encoder = made(name, skeleton)
    x = batch_of(skeleton, clips=1, frames=16, people=2)
    valid = everybody(x)
    valid[:, 8:, 1] = False
    with torch.no_grad():
        both = encoder(x, valid)
        one, other = (encoder(x[:, :, p : p + 1], valid[:, :, p : p + 1]) for p in (0, 1))
    for level, stride in enumerate(encoder.strides):
        edge = 8 // stride
        mean = (one.maps[level] + other.maps[level]) / 2
        assert torch.allclose(both.maps[level][..., :edge], mean[..., :edge], atol=1e-5)
        assert torch.allclose(both.maps[level][..., edge:], one.maps[level][..., edge:], atol=1e-5)


@light
def test_an_absent_person_changes_nothing_and_costs_nothing(name, skeleton):
    encoder = made(name, skeleton)
    x = batch_of(skeleton, frames=12, people=2)
    valid = everybody(x)
    valid[:, :, 1] = False
    sent = []
    handle = encoder.blocks[0].register_forward_pre_hook(lambda module, args: sent.append(len(args[0])))
    with torch.no_grad():
        assert close(encoder(x, valid), encoder(x[:, :, :1], valid[:, :, :1]))
    handle.remove()
    assert sent == [2, 2]


@light
def test_a_clip_with_nobody_is_zero(name, skeleton):
    encoder = made(name, skeleton)
    x = batch_of(skeleton, frames=12)
    valid = everybody(x)
    valid[1] = False
    with torch.no_grad():
        pyramid = encoder(x, valid)
        empty = encoder(x, torch.zeros_like(valid))
    assert all(not level[1].any() and level[0].any() for level in pyramid.maps)
    assert all(not level.any() for level in empty.maps)
    assert [level.shape for level in empty.maps] == [level.shape for level in pyramid.maps]


@every
def test_weights_are_enough_to_come_back(name, skeleton):
    one, other = made(name, skeleton, seed=1), made(name, skeleton, seed=2)
    other.load_state_dict(load(save({key: part.contiguous() for key, part in one.state_dict().items()})))
    x = batch_of(skeleton, clips=1, frames=6)
    with torch.no_grad():
        assert all(
            torch.equal(a, b) for a, b in zip(one(x, everybody(x)).maps, other(x, everybody(x)).maps, strict=True)
        )


@light
def test_half_precision_is_close_to_single(name, skeleton):
    encoder = made(name, skeleton)
    x = batch_of(skeleton, frames=16)
    valid = everybody(x)
    valid[1, 10:] = False
    with torch.no_grad():
        single = encoder(x, valid)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = encoder(x, valid)
    for a, b in zip(single.maps, half.maps, strict=True):
        assert b.dtype == torch.float32
        assert float((a - b).abs().mean() / a.abs().mean()) < 0.03


def test_building_leaves_no_doubt():
    with pytest.raises(InputError, match="stgcn16"):
        build_encoder("stgcn17", NTU_25, 3)
    torch.manual_seed(5)
    one = build_encoder("stgcn16_light", NTU_25, 3)
    torch.manual_seed(5)
    other = build_encoder("stgcn16_light", NTU_25, 3)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize(("name", "millions"), [("stgcn64", 3.07), ("stgcn16", 0.82)])
def test_sizes_are_those_of_the_papers(name, millions):
    encoder = build_encoder(name, NTU_25, 3)
    assert sum(part.numel() for part in encoder.parameters()) / 1e6 == pytest.approx(millions, abs=0.02)


# ---- graph -----------------------------------------------------------------------------------------------------------


def test_partition_of_a_chain_by_hand():
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


def test_hops_by_hand():
    assert hops(CHAIN).tolist() == [[0, 1, 2], [1, 0, 1], [2, 1, 0]]
    assert hops(NTU_25)[0, 20] == 2  # base of spine, middle of spine, spine at the shoulders
    two_parts = Skeleton("parts", ("a", "b", "c"), (-1, -1, 1), (), (0,), (0,), (0,), (0,), (0,), (0,))
    assert hops(two_parts).tolist() == [[0, 1, 2], [1, 0, 1], [2, 1, 0]]


def test_graph_convolution_is_its_equation():
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


def test_masked_batch_norm_by_hand():
    norm = MaskedBatchNorm(1)
    x = torch.tensor([[[1.0], [3.0], [99.0]]])
    mask = torch.tensor([[True, True, False]])
    assert norm.normalise(x, mask)[0, :2, 0].tolist() == pytest.approx([-1, 1], abs=1e-4)
    # mean 2, unbiased variance 2; a tenth of each goes into the running figures 0 and 1
    assert float(norm.running_mean) == pytest.approx(0.2)
    assert float(norm.running_var) == pytest.approx(0.9 + 0.2)


def test_masked_batch_norm_of_nothing_learns_nothing():
    norm = MaskedBatchNorm(2)
    out = norm.normalise(torch.ones(1, 3, 2), torch.zeros(1, 3, dtype=torch.bool))
    assert torch.isfinite(out).all()
    assert torch.isfinite(norm.running_mean).all()
    assert int(norm.num_batches_tracked) == 0


def test_masked_batch_norm_passes_the_right_gradient():
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
