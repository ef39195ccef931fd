"""The pyramid contract, held by every encoder there is; heavy ones on fewer and shorter clips."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from encoder_cases import BOUNDED, KNOWN, LIGHT, NAMES, SMALL, WHOLE, batch_of, close, everybody, made, near
from safetensors.torch import load, save

from kinespan.data.skeleton import Skeleton
from kinespan.data.skeletons import COCO_17, KINECT_20, NTU_25, SMPL_22, SMPL_24
from kinespan.encoders import ENCODERS, build_encoder
from kinespan.errors import InputError
from kinespan.models.fusion import NestedU

every = pytest.mark.parametrize("name", NAMES)


def tree(joints, seed=0):
    """A skeleton as a motion capture system may have it: any tree of joints."""
    parents = [-1, *(int(p) for p in np.random.default_rng(seed).integers(0, np.arange(1, joints)))]
    names = tuple(f"j{number}" for number in range(joints))
    return Skeleton(f"tree{joints}", names, tuple(parents), (), *[(0,)] * 6)


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_every_encoder_is_enrolled():
    """One that is registered and missing from encoder_cases.KNOWN would be tested by nobody."""
    assert sorted(KNOWN) == sorted(ENCODERS)
    assert all(ENCODERS.paper(name) for name in ENCODERS)
    assert all(ENCODERS[name].__doc__.splitlines()[0].endswith("parameters.") for name in ENCODERS)


@pytest.mark.parametrize("name", list(KNOWN))
def test_sizes_are_those_of_the_papers(name):
    known, encoder = KNOWN[name], build_encoder(name, NTU_25, 3)
    count = sum(part.numel() for part in encoder.parameters()) + known.head
    assert count / 1e6 == pytest.approx(known.millions, rel=known.within)
    assert (encoder.halo is None) == known.whole
    assert not known.tested_as or type(encoder) is type(build_encoder(known.tested_as, NTU_25, 3))
    x = batch_of(NTU_25, clips=1, frames=2, channels=3)
    with torch.no_grad():
        assert torch.isfinite(encoder.eval()(x, everybody(x)).maps[-1]).all()


def test_an_unknown_encoder_is_refused_with_the_nearest_name():
    with pytest.raises(InputError, match="stgcn16"):
        build_encoder("stgcn17", NTU_25, 3)


@every
def test_weights_come_from_torchs_generator(name):
    torch.manual_seed(5)
    first = build_encoder(name, COCO_17, 3)
    torch.manual_seed(5)
    second = build_encoder(name, COCO_17, 3)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


# ---- shapes ----------------------------------------------------------------------------------------------------------


BODIES = [(NTU_25, 1), (KINECT_20, 2), (COCO_17, 1), (SMPL_22, 3), (SMPL_24, 1), (tree(43), 1)]


@every
@pytest.mark.parametrize(("skeleton", "streams"), BODIES, ids=lambda part: getattr(part, "name", part))
def test_pyramids_have_the_stated_shapes_and_masks(name, skeleton, streams):
    encoder = build_encoder(name, skeleton, 3 * streams).eval()
    x = batch_of(skeleton, frames=5, channels=3 * streams)
    with torch.no_grad():
        pyramid = encoder(x, everybody(x))
    assert encoder.strides[0] == 1
    assert pyramid.joints.shape == (2, skeleton.num_joints, encoder.channels[-1])
    parts = zip(pyramid.maps, pyramid.masks, encoder.channels, encoder.strides, strict=True)
    for level, mask, channels, stride in parts:
        assert level.shape == (2, channels, -(-5 // stride))
        assert level.dtype == torch.float32
        assert mask.shape == (2, level.shape[2])
        assert mask.all()
        assert torch.isfinite(level).all()
        assert level.any()


@every
def test_a_hundred_joints_are_accepted(name):
    x = batch_of(tree(100), clips=1, frames=2, channels=3)
    with torch.no_grad():
        assert torch.isfinite(build_encoder(name, tree(100), 3).eval()(x, everybody(x)).maps[-1]).all()


@every
def test_any_number_of_frames_is_accepted(name):
    encoder = made(name, SMALL)
    for frames in (1, 2, 3, 4, 5, 9):
        x = batch_of(SMALL, clips=1, frames=frames)
        with torch.no_grad():
            pyramid = encoder(x, everybody(x))
        assert [level.shape[2] for level in pyramid.maps] == [-(-frames // stride) for stride in encoder.strides]


@pytest.mark.parametrize(
    ("name", "skeleton"),
    [*((name, SMALL) for name in NAMES), *((name, other) for name in LIGHT for other in (NTU_25, COCO_17))],
    ids=lambda part: getattr(part, "name", part),
)
def test_gradients_reach_every_parameter(name, skeleton):
    encoder = made(name, skeleton).train()
    x = batch_of(skeleton, frames=8)
    pyramid = encoder(x, everybody(x))
    g = torch.Generator().manual_seed(3)
    parts = (*pyramid.maps, pyramid.joints)
    sum((part * torch.randn(part.shape, generator=g)).sum() for part in parts).backward()
    without = [part for part, value in encoder.named_parameters() if value.grad is None or not value.grad.any()]
    assert not without


# ---- what a frame's features depend on -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "skeleton"),
    [*((name, SMALL) for name in BOUNDED), ("stgcn16_light", COCO_17)],
    ids=lambda part: getattr(part, "name", part),
)
def test_halo_of_an_encoder_is_exact(name, skeleton):
    """Which frames the deepest step in the middle depends on, by its derivative."""
    encoder = made(name, skeleton)
    halo, stride = encoder.halo, encoder.strides[-1]
    step = halo // stride + 2
    x = batch_of(skeleton, clips=1, frames=(2 * step + 1) * stride).double().requires_grad_()
    encoder.double()
    level = encoder.person_features(x[:, :, 0], None).maps[-1]
    weights = torch.randn(level.shape[-1], generator=torch.Generator().manual_seed(0))
    (level[0, step].mean(dim=0) * weights).sum().backward()
    touched = x.grad[0].abs().amax(dim=(1, 2, 3)).nonzero().flatten()
    middle = step * stride
    assert (int(touched.min()), int(touched.max())) == (middle - halo, middle + halo)


@pytest.mark.parametrize("name", BOUNDED)
def test_halo_holds_for_every_level(name):
    encoder = made(name, SMALL)
    x = batch_of(SMALL, clips=1, frames=2 * encoder.halo + 40)
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


@pytest.mark.parametrize("name", WHOLE)
def test_an_encoder_without_a_halo_depends_on_the_whole_clip(name):
    """Two clips that differ in their last frames only differ in their first one, further away than any kernel."""
    encoder = made(name, SMALL)
    x = batch_of(SMALL, clips=1, frames=170).repeat(2, 1, 1, 1, 1)
    x[1, 160:] *= 3
    with torch.no_grad():
        deepest = encoder(x, everybody(x)).maps[-1]
    assert not near(deepest[0, :, 0], deepest[1, :, 0], 1e-5)


@every
def test_padding_never_changes_a_valid_frame(name):
    encoder = made(name, SMALL)
    x = batch_of(SMALL, frames=16)
    padded = torch.cat([x, 50 * batch_of(SMALL, frames=7, seed=1)], dim=1)
    valid = everybody(padded)
    valid[:, 16:] = False
    with torch.no_grad():
        short, long = encoder(x, everybody(x)), encoder(padded, valid)
    assert near(short.joints, long.joints)
    for one, other, mask in zip(short.maps, long.maps, long.masks, strict=True):
        steps = one.shape[2]
        assert near(one, other[..., :steps])
        assert mask[:, :steps].all()
        assert not mask[:, steps:].any()
        assert not other[..., steps:].any()


@every
def test_padding_never_changes_a_valid_frame_in_training(name):
    """Batch statistics come from valid frames alone; how long a clip was padded to does not matter."""
    x = batch_of(SMALL, frames=12)
    valid = everybody(x)
    valid[1, 9:] = False
    longer = torch.nn.functional.pad(x, (0, 0, 0, 0, 0, 0, 0, 5), value=9.0)
    longer_valid = torch.nn.functional.pad(valid, (0, 0, 0, 5))
    one, other = made(name, SMALL).train(), made(name, SMALL).train()
    first, second = one(x, valid), other(longer, longer_valid)
    for a, b in zip(first.maps, second.maps, strict=True):
        assert near(a, b[..., : a.shape[2]], 1e-3)
    for (key, a), b in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.allclose(a, b, atol=1e-4, rtol=1e-4), key


@every
def test_values_in_a_gap_never_change_features(name):
    encoder = made(name, SMALL)
    x = batch_of(SMALL, frames=16, people=2)
    valid = everybody(x)
    valid[0, 5:9, 0] = valid[1, 3:16, 1] = valid[1, 0, 0] = False
    valid[0, ::2, 1] = False  # somebody whom the coarser levels never see
    other = torch.where(valid[..., None, None], x, 1e3)
    with torch.no_grad():
        one, two = encoder(x, valid), encoder(other, valid)
    assert close(one, two)
    assert all(torch.isfinite(level).all() for level in one.maps)


# ---- people and clips ------------------------------------------------------------------------------------------------


@every
def test_batch_composition_never_changes_features(name):
    encoder = made(name, SMALL)
    x = batch_of(SMALL, clips=3, frames=12, people=2)
    valid = everybody(x)
    valid[1, :, 1] = valid[2, 7:] = False
    with torch.no_grad():
        together = encoder(x, valid)
        for clip in range(3):
            alone = encoder(x[clip : clip + 1], valid[clip : clip + 1])
            for a, b in zip((*alone.maps, alone.joints), (*together.maps, together.joints), strict=True):
                assert near(a[0], b[clip])


@every
def test_person_order_never_changes_features(name):
    encoder = made(name, SMALL)
    x = batch_of(SMALL, frames=12, people=3)
    valid = everybody(x)
    valid[0, 4:, 1] = valid[1, :, 0] = False
    with torch.no_grad():
        assert close(encoder(x, valid), encoder(x[:, :, [2, 0, 1]], valid[:, :, [2, 0, 1]]))


@every
def test_features_of_two_people_are_the_mean_of_both_where_both_are_present(name):
    encoder = made(name, SMALL)
    x = batch_of(SMALL, clips=1, frames=16, people=2)
    valid = everybody(x)
    valid[:, 8:, 1] = False
    with torch.no_grad():
        both = encoder(x, valid)
        one, other = (encoder(x[:, :, p : p + 1], valid[:, :, p : p + 1]) for p in (0, 1))
    for level, stride in enumerate(encoder.strides):
        edge = 8 // stride
        mean = (one.maps[level] + other.maps[level]) / 2
        assert near(both.maps[level][..., :edge], mean[..., :edge])
        assert near(both.maps[level][..., edge:], one.maps[level][..., edge:])


@every
def test_an_absent_person_is_never_sent_through_the_network(name, monkeypatch):
    encoder = made(name, SMALL)
    x = batch_of(SMALL, frames=8, people=2)
    valid = everybody(x)
    valid[:, :, 1] = False
    person_features, counts = encoder.person_features, []
    monkeypatch.setattr(
        encoder, "person_features", lambda x, mask: (counts.append(len(x)), person_features(x, mask))[1]
    )
    with torch.no_grad():
        assert close(encoder(x, valid), encoder(x[:, :, :1], valid[:, :, :1]))
    assert counts == [2, 2]


@every
def test_a_clip_with_nobody_is_zero(name):
    encoder = made(name, SMALL)
    x = batch_of(SMALL, frames=8)
    valid = everybody(x)
    valid[1] = False
    with torch.no_grad():
        pyramid = encoder(x, valid)
        empty = encoder(x, torch.zeros_like(valid))
    assert all(not level[1].any() and level[0].any() for level in pyramid.maps)
    assert all(not level.any() for level in empty.maps)
    assert [level.shape for level in empty.maps] == [level.shape for level in pyramid.maps]
    assert empty.joints.shape == pyramid.joints.shape


# ---- use -------------------------------------------------------------------------------------------------------------


@every
def test_a_state_dict_restores_the_same_features(name):
    one, other = made(name, SMALL, seed=1), made(name, SMALL, seed=2)
    other.load_state_dict(load(save({key: part.contiguous() for key, part in one.state_dict().items()})))
    x = batch_of(SMALL, clips=1, frames=6)
    with torch.no_grad():
        first, second = one(x, everybody(x)), other(x, everybody(x))
    assert all(torch.equal(a, b) for a, b in zip(first.maps, second.maps, strict=True))


@every
def test_half_precision_is_close_to_single(name):
    encoder = made(name, SMALL)
    x = batch_of(SMALL, frames=16)
    valid = everybody(x)
    valid[1, 10:] = False
    with torch.no_grad():
        single = encoder(x, valid)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            half = encoder(x, valid)
    for a, b in zip(single.maps, half.maps, strict=True):
        assert b.dtype == torch.float32
        assert float((a - b).abs().mean() / a.abs().mean()) < 0.03


@every
def test_u_shaped_fusion_accepts_the_pyramid(name):
    """One feature a frame, and one resolution is a plain head."""
    encoder = made(name, SMALL)
    fusion = NestedU(encoder.channels, encoder.strides).eval()
    assert len(fusion.units) == len(encoder.strides) * (len(encoder.strides) - 1) // 2
    x = batch_of(SMALL, clips=1, frames=11)
    with torch.no_grad():
        assert fusion(encoder(x, everybody(x))).shape == (1, fusion.channels, 11)
