"""Fusion: any number of levels, any length, an honest halo; the nested U against its own equation."""

from __future__ import annotations

import pytest
import torch

from kinespan.encoders import Pyramid
from kinespan.errors import InputError
from kinespan.models.fusion import FUSIONS, LastMap, NestedU, build_fusion, repeat_upsample
from kinespan.models.head import FrameHead

SHAPES = [
    ((5,), (1,)),
    ((4, 6), (1, 2)),
    ((4, 6, 8), (1, 2, 4)),
    ((4, 6, 8), (1, 4, 8)),
    ((3, 4, 5, 6), (1, 2, 4, 8)),
]
every = pytest.mark.parametrize("name", list(FUSIONS))
shapes = pytest.mark.parametrize(("channels", "strides"), SHAPES)


def made(name, channels, strides, seed=0, **options):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        fusion = FUSIONS[name](channels, strides, **options)
        for module in fusion.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.running_mean.normal_(0, 0.2)
                module.running_var.uniform_(0.5, 1.5)
    return fusion.eval()


def pyramid_of(valid, channels, strides, seed=0):
    """A pyramid as an encoder gives it for frames valid (B, T)."""
    g = torch.Generator().manual_seed(seed)
    maps, masks = [], []
    for count, stride in zip(channels, strides, strict=True):
        mask = valid[:, ::stride]
        maps.append(torch.randn(len(valid), count, mask.shape[1], generator=g) * mask[:, None])
        masks.append(mask)
    return Pyramid(tuple(maps), tuple(masks))


def whole(frames, clips=2):
    return torch.ones(clips, frames, dtype=torch.bool)


@every
@shapes
@pytest.mark.parametrize("frames", [1, 2, 5, 8, 13, 32])
def test_every_fusion_gives_one_feature_for_each_frame(name, channels, strides, frames):
    fusion = made(name, channels, strides)
    out = fusion(pyramid_of(whole(frames), channels, strides))
    assert out.shape == (2, fusion.channels, frames)
    assert torch.isfinite(out).all()
    assert FrameHead(fusion.channels, 3)(out).shape == (2, 4, frames)


@every
@shapes
def test_features_are_zero_where_nobody_is_present(name, channels, strides):
    valid = whole(21)
    valid[0, 4:9] = valid[1, 17:] = False
    out = made(name, channels, strides)(pyramid_of(valid, channels, strides))
    assert not out.transpose(1, 2)[~valid].any()
    assert out.transpose(1, 2)[valid].any()


@every
@shapes
def test_cutting_the_end_of_a_clip_never_changes_earlier_features(name, channels, strides):
    """A longer pyramid with the same beginning gives the same features up to the halo."""
    fusion = made(name, channels, strides)
    long = pyramid_of(whole(64), channels, strides)
    for frames in (40, 41, 43, 47):
        maps = tuple(m[..., : -(-frames // s)] for m, s in zip(long.maps, strides, strict=True))
        masks = tuple(m[..., : -(-frames // s)] for m, s in zip(long.masks, strides, strict=True))
        kept = frames - fusion.halo
        assert kept > 0
        assert torch.allclose(fusion(long)[..., :kept], fusion(Pyramid(maps, masks))[..., :kept], atol=1e-5)


@every
@shapes
def test_frames_beyond_the_halo_never_change_a_feature(name, channels, strides):
    """A step of level l stands for frames from i s_l on: none of it reaches further than the halo."""
    fusion = made(name, channels, strides)
    base = pyramid_of(whole(96), channels, strides)
    before = fusion(base)
    for level, stride in enumerate(strides):
        for frame in (40, 47, 48):
            step = frame // stride
            maps = list(base.maps)
            maps[level] = maps[level].clone()
            maps[level][..., step] += 3
            moved = (fusion(Pyramid(tuple(maps), base.masks)) - before).abs().amax(dim=(0, 1)) > 1e-6
            touched = moved.nonzero().flatten()
            assert len(touched) or (name == "last_map" and stride < strides[-1])
            if not len(touched):
                continue
            assert int(touched.min()) >= step * stride - fusion.halo
            assert int(touched.max()) <= step * stride + fusion.halo


@every
@shapes
@pytest.mark.parametrize("frames", [21, 22, 23, 24, 25])
def test_padding_and_batch_composition_never_change_features(name, channels, strides, frames):
    """Also where the last step of a coarse level reaches into the padding."""
    fusion = made(name, channels, strides)
    valid = whole(40)
    valid[0, frames:] = False
    pyramid = pyramid_of(valid, channels, strides)
    together = fusion(pyramid)
    maps = tuple(m[:1, :, : -(-frames // s)] for m, s in zip(pyramid.maps, strides, strict=True))
    masks = tuple(m[:1, : -(-frames // s)] for m, s in zip(pyramid.masks, strides, strict=True))
    assert torch.allclose(fusion(Pyramid(maps, masks))[0], together[0, :, :frames], atol=1e-5)


@shapes
def test_padding_never_changes_features_in_training(channels, strides):
    """Batch statistics come from valid steps alone."""
    valid = whole(40)
    valid[0, 24:] = False
    longer = torch.nn.functional.pad(valid, (0, 16))
    one, other = made("nested_u", channels, strides).train(), made("nested_u", channels, strides).train()
    pyramid = pyramid_of(valid, channels, strides)
    pads = [-(-56 // s) - m.shape[2] for m, s in zip(pyramid.maps, strides, strict=True)]
    maps = tuple(torch.nn.functional.pad(m, (0, pad)) for m, pad in zip(pyramid.maps, pads, strict=True))
    found = other(Pyramid(maps, tuple(longer[:, ::s] for s in strides)))
    assert torch.allclose(one(pyramid), found[..., :40], atol=1e-5)
    for (key, a), b in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.allclose(a, b, atol=1e-5), key


@shapes
def test_gradients_reach_every_parameter(channels, strides):
    fusion = made("nested_u", channels, strides).train()
    fusion(pyramid_of(whole(24), channels, strides)).square().sum().backward()
    assert all(part.grad is not None and part.grad.any() for part in fusion.parameters())


def test_nested_u_of_the_paper_has_its_channels():
    """Units of 192, 384 and 640 channels and a last 1x1 of 896, as in the release (64, 128, 256 channels)."""
    fusion = NestedU((64, 128, 256), (1, 4, 8), width=None, out=512)
    sizes = {name: (unit.conv.in_channels, unit.conv.out_channels) for name, unit in fusion.units.items()}
    assert sizes == {"0_1": (192, 192), "1_1": (384, 384), "0_2": (640, 640)}
    assert (fusion.join.in_channels, fusion.join.out_channels) == (64 + 192 + 640, 512)
    # 2.24 M with the linear head of five classes
    count = sum(part.numel() for part in [*fusion.parameters(), *FrameHead(512, 4).parameters()])
    assert count / 1e6 == pytest.approx(2.24, abs=0.01)


def test_nested_u_matches_slow_reference():
    fusion = made("nested_u", (4, 6, 8), (1, 2, 4), width=5, out=7)
    pyramid = pyramid_of(whole(11, clips=1), (4, 6, 8), (1, 2, 4))
    x00, x10, x20 = pyramid.maps

    def unit(name, *parts):
        block = fusion.units[name]
        joined = torch.cat(parts, dim=1)
        weight, length = block.conv.weight, joined.shape[2]
        padded = torch.nn.functional.pad(joined, (1, 1))
        out = torch.stack([torch.einsum("ock,bck->bo", weight, padded[..., t : t + 3]) for t in range(length)], dim=2)
        out = out + block.conv.bias[:, None]
        norm = block.norm
        out = (out - norm.running_mean[:, None]) / (norm.running_var[:, None] + norm.eps).sqrt()
        return (out * norm.weight[:, None] + norm.bias[:, None]).clamp(min=0)

    def up(x, length):
        return torch.stack([x[..., t // 2] for t in range(length)], dim=2)

    x01 = unit("0_1", x00, up(x10, 11))
    x11 = unit("1_1", x10, up(x20, 6))
    x02 = unit("0_2", x00, x01, up(x11, 11))
    expected = torch.einsum("oc,bct->bot", fusion.join.weight[..., 0], torch.cat([x00, x01, x02], dim=1))
    expected = (expected + fusion.join.bias[:, None]).clamp(min=0)
    assert torch.allclose(fusion(pyramid), expected, atol=1e-5)


def test_repeat_upsample_by_hand():
    x = torch.tensor([[[1.0, 2.0, 3.0]]])
    assert repeat_upsample(x, 2, 5).tolist() == [[[1, 1, 2, 2, 3]]]
    assert repeat_upsample(x, 1, 3).tolist() == x.tolist()


def test_last_map_by_hand():
    maps = (torch.zeros(1, 2, 7), torch.tensor([[[0.0, 4.0]]]))
    masks = (torch.tensor([[True] * 6 + [False]]), torch.tensor([[True, True]]))
    out = LastMap((2, 1), (1, 4))(Pyramid(maps, masks))
    assert out.tolist() == [[[0, 1, 2, 3, 4, 4, 0]]]
    # towards a step where nobody is there the last one holds
    maps = (torch.zeros(1, 2, 7), torch.tensor([[[3.0, 0.0]]]))
    masks = (torch.ones(1, 7, dtype=torch.bool), torch.tensor([[True, False]]))
    assert LastMap((2, 1), (1, 4))(Pyramid(maps, masks))[0, 0, :4].tolist() == [3, 3, 3, 3]


def test_last_map_has_no_parameters():
    assert not list(LastMap((4, 8), (1, 4)).parameters())


def test_unknown_fusions_name_the_nearest():
    with pytest.raises(InputError, match="nested_u"):
        build_fusion("nested_v", (4,), (1,))
