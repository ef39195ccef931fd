"""Augmentation: time maps that tell the truth, absent frames that stay absent, randomness from the generator alone."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from augment_cases import NOTHING, clock, generator, view_of
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.config import AugmentConfig
from kinespan.data.skeleton import Skeleton
from kinespan.data.skeletons import COCO_17, KINECT_20, NTU_25
from kinespan.errors import InputError
from kinespan.transforms.augment import (
    TimeMap,
    View,
    augment,
    blur,
    clip_frames_for,
    crop_resize,
    hide_joints,
    linear_map,
    mask_axis,
    mask_joints,
    mirror,
    rotation,
)
from kinespan.transforms.normalise import estimate_roots

EVERYTHING = AugmentConfig(flip=0.5, blur=0.5, axis_mask=0.3, joint_mask=0.5, noise=0.05)
EACH = {
    "crop": {"crop_min": 0.5}, "shear": {"shear": 0.5}, "rotation": {"rotation": 90.0}, "tilt": {"tilt": 20.0},
    "flip": {"flip": 1.0}, "noise": {"noise": 0.1}, "blur": {"blur": 1.0}, "axis_mask": {"axis_mask": 1.0},
    "joint_mask": {"joint_mask": 1.0}, "hide": {"hide": 0.9}, "shift": {"crop": "shift"},
    "main_axis": {"main_axis": 30.0},
}  # fmt: skip
each = pytest.mark.parametrize("name", list(EACH))


# ---- time maps -------------------------------------------------------------------------------------------------------


def test_time_map_edges_by_hand():
    times = TimeMap(torch.tensor([0.0, 10.0]), torch.tensor([0.1, 0.05]))
    edges = times.edges(4, 20)
    assert torch.allclose(edges, torch.tensor([[0, 0.5, 1, 1.5, 2], [10, 10.25, 10.5, 10.75, 11]]))
    assert torch.allclose(times.edges(3, 20)[:, -1], torch.tensor([2.0, 11.0]))


def test_time_maps_are_differentiable():
    start, step = torch.tensor([1.0], requires_grad=True), torch.tensor([0.1], requires_grad=True)
    TimeMap(start, step).edges(2, 10).sum().backward()
    assert (float(start.grad), float(step.grad)) == (3, 15)


@given(st.floats(0.05, 1), st.integers(2, 40), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_a_crop_shows_the_time_of_its_time_map(crop_min, frames, seed):
    view = clock(frames=frames)
    cut = crop_resize(view, crop_min, generator(seed))
    share = cut.times.step / view.times.step
    assert ((share >= crop_min - 1e-6) & (share <= 1 + 1e-6)).all()
    middles = cut.times.start[:, None] + (torch.arange(frames) + 0.5) * cut.times.step[:, None]
    # half a frame at either end has no frame beyond to be drawn from: there the nearest one holds
    low, high = (view.times.start + place * 0.1 for place in (0.5, frames - 0.5))
    expected = torch.minimum(torch.maximum(middles, low[:, None]), high[:, None])
    assert torch.allclose(cut.positions[:, :, 0, 0, 0], expected, atol=1e-4)
    # it lies within the clip
    edges, whole = cut.times.edges(3, frames), view.times.edges(3, frames)
    assert (edges[:, 0] >= whole[:, 0] - 1e-4).all()
    assert (edges[:, -1] <= whole[:, -1] + 1e-4).all()
    assert cut.valid.all()


@given(st.floats(0.3, 1), st.floats(1, 2), st.integers(4, 30), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_a_crop_of_a_longer_clip_is_faster_and_shows_the_time_of_its_time_map(crop_min, crop_max, frames, seed):
    drawn = clip_frames_for(AugmentConfig(crop_max=crop_max), frames)
    view = clock(batch=16, frames=drawn)
    cut = crop_resize(view, crop_min, generator(seed), crop_max, frames)
    assert cut.positions.shape[1] == frames
    share = cut.times.step / view.times.step
    assert ((share >= crop_min - 1e-6) & (share <= crop_max + 1e-6)).all()
    middles = cut.times.start[:, None] + (torch.arange(frames) + 0.5) * cut.times.step[:, None]
    low, high = (view.times.start + place * 0.1 for place in (0.5, drawn - 0.5))
    expected = torch.minimum(torch.maximum(middles, low[:, None]), high[:, None])
    assert torch.allclose(cut.positions[:, :, 0, 0, 0], expected, atol=1e-4)
    assert (cut.times.edges(3, frames)[:, -1] <= view.times.edges(3, drawn)[:, -1] + 1e-4).all()
    assert cut.valid.all()


def test_a_recording_shorter_than_the_longer_clip_still_fills_the_view():
    """By hand: 14 frames in a clip of 20, views of 10: filled, and no faster than 1.4. With 6 frames 6 are filled."""
    for held, filled in ((14, 10), (6, 6)):
        view = clock(batch=32, frames=20, held=held)
        cut = crop_resize(view, 1.0, generator(), 2.0, 10)
        assert cut.valid[:, :, 0, 0].sum(dim=1).tolist() == [filled] * 32
        share = cut.times.step / view.times.step
        assert float(share.max()) == pytest.approx(held / filled)
        assert (cut.times.edges(1, filled)[:, -1] <= view.times.start + held * 0.1 + 1e-4).all()


def test_without_longer_crops_clips_are_as_long_as_views():
    assert clip_frames_for(AugmentConfig(), 64) == 64
    assert clip_frames_for(AugmentConfig(crop_max=1.6), 64) == 103
    assert clip_frames_for(AugmentConfig(crop="shift", crop_max=1.6), 64) == 64


def test_hidden_joints_are_hidden_throughout_a_clip_and_nobody_is_absent():
    view = view_of(batch=200)
    hidden = hide_joints(view, KINECT_20, 0.6, generator())
    lacks = (view.valid & ~hidden.valid).any(dim=(1, 2))  # (B, J)
    assert torch.equal(hidden.valid, view.valid & ~lacks[:, None, None])
    assert torch.equal(hidden.present, view.present)
    assert not lacks[:, KINECT_20.root[0]].any()
    assert not hidden.positions[~hidden.valid].any()
    share = lacks.float().mean(dim=1)
    assert 0.3 < float((share > 0).float().mean()) < 0.6
    assert float(share.max()) > 0.4
    assert torch.equal(view.positions, view_of(batch=200).positions)


def test_a_hidden_root_is_estimated_as_normalisation_does():
    """With so many joints hidden the root is lost in many clips; elsewhere positions stay."""
    view = view_of(batch=300)
    hidden = hide_joints(view, KINECT_20, 1.0, generator(1))
    root, estimated = KINECT_20.root[0], 0
    for clip in range(300):
        before, after = view.positions[clip].numpy(), hidden.positions[clip].numpy()
        seen = hidden.valid[clip].numpy().copy()
        if (after[..., root, :] == before[..., root, :]).all():
            continue
        estimated += 1
        seen[..., root] = False
        expected, _ = estimate_roots(after, seen, KINECT_20)
        assert np.allclose(after[..., root, :], expected[..., root, :], atol=1e-5)
    assert estimated > 10


def test_points_without_bones_keep_a_root():
    points = Skeleton("points", tuple("abcd"), (-1, -1, -1, -1))
    view = view_of(batch=50, joints=4)
    assert torch.equal(hide_joints(view, points, 1.0, generator()).present, view.present)


def test_a_crop_of_a_padded_clip_keeps_its_padding_and_its_time():
    view = clock(frames=20, held=12)
    cut = crop_resize(view, 0.3, generator())
    assert torch.equal(cut.valid, view.valid)
    assert not cut.positions[:, 12:].any()
    middles = cut.times.start[:, None] + (torch.arange(20) + 0.5) * cut.times.step[:, None]
    inside = (middles >= view.times.start[:, None] + 0.05) & (middles <= view.times.start[:, None] + 1.15)
    inside[:, 12:] = False
    assert inside.any(dim=1).all()
    assert torch.allclose(cut.positions[:, :, 0, 0, 0][inside], middles[inside], atol=1e-4)


def test_a_crop_of_the_whole_clip_is_the_clip():
    view = view_of()
    same = crop_resize(view, 1.0, generator())
    assert torch.allclose(same.positions, view.positions, atol=1e-6)
    assert torch.equal(same.valid, view.valid)
    assert torch.equal(same.times.step, view.times.step)


def test_a_crop_never_reads_absent_frames():
    view = view_of()
    other = replace(view, positions=torch.where(view.valid[..., None], view.positions, 1e4))
    one, two = (crop_resize(v, 0.4, generator(3)) for v in (view, other))
    assert torch.equal(one.positions, two.positions)
    assert one.positions.abs().max() < 100
    assert not one.valid[2, :, 1].any()
    assert not one.valid[1, :, 0].all() or one.times.step[1] < 0.1


def test_an_empty_clip_stays_empty():
    view = view_of()
    empty = replace(view, positions=torch.zeros_like(view.positions), valid=torch.zeros_like(view.valid))
    out = augment(empty, EVERYTHING, KINECT_20, generator())
    assert not out.valid.any()
    assert not out.positions.any()


def test_time_maps_of_repeated_crops_compose():
    view = clock(frames=40)
    twice = crop_resize(crop_resize(view, 0.5, generator(1)), 0.5, generator(2))
    middles = twice.times.start[:, None] + (torch.arange(40) + 0.5) * twice.times.step[:, None]
    inner = slice(4, 36)
    assert torch.allclose(twice.positions[:, inner, 0, 0, 0], middles[:, inner], atol=0.03)


# ---- all of them -----------------------------------------------------------------------------------------------------


@each
def test_absent_frames_stay_zero_and_present_ones_stay_present(name):
    view = view_of()
    out = augment(view, replace(NOTHING, **EACH[name]), KINECT_20, generator())
    if name not in ("crop", "shift", "hide"):
        assert torch.equal(out.valid, view.valid)
        assert out.times is view.times
    assert not out.positions[~out.valid].any()
    assert torch.isfinite(out.positions).all()
    assert torch.equal(out.recording, view.recording)
    assert not torch.equal(out.positions, view.positions)


@each
def test_clips_of_a_batch_are_drawn_independently(name):
    """The same clip eight times comes out in more than one way (blur and noise differ in strength)."""
    one, eight = view_of(), torch.zeros(8, dtype=torch.long)
    times = TimeMap(one.times.start[eight], one.times.step[eight])
    batch = View(one.positions[eight], one.valid[eight], times, eight)
    config = replace(NOTHING, **{**EACH[name], **({"flip": 0.5} if name == "flip" else {})})
    out = augment(batch, config, KINECT_20, generator(1)).positions
    assert not all(torch.allclose(out[0], other) for other in out[1:])


def test_all_randomness_comes_from_the_generator():
    view = view_of()
    before = torch.get_rng_state()
    one = augment(view, EVERYTHING, KINECT_20, generator(4))
    two = augment(view, EVERYTHING, KINECT_20, generator(4))
    other = augment(view, EVERYTHING, KINECT_20, generator(5))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(one.positions, two.positions)
    assert torch.equal(one.times.start, two.times.start)
    assert not torch.equal(one.positions, other.positions)


def test_augmentation_switched_off_changes_nothing():
    view = view_of()
    out = augment(view, NOTHING, KINECT_20, generator())
    assert torch.equal(out.positions, view.positions)


def test_augmentation_leaves_its_input_unchanged():
    view = view_of()
    kept = view.positions.clone(), view.valid.clone(), view.times.start.clone()
    augment(view, EVERYTHING, KINECT_20, generator())
    assert all(torch.equal(a, b) for a, b in zip(kept, (view.positions, view.valid, view.times.start), strict=True))


@pytest.mark.parametrize("skeleton", [NTU_25, COCO_17], ids=lambda skeleton: skeleton.name)
def test_augmentation_works_for_every_skeleton(skeleton):
    out = augment(view_of(joints=skeleton.num_joints), EVERYTHING, skeleton, generator())
    assert torch.isfinite(out.positions).all()


# ---- one by one ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_rotations_turn_about_their_axis(axis):
    angle = torch.tensor([0.0, 0.3, -2.0, math.pi / 2])
    matrix = rotation(axis, angle)
    assert torch.allclose(matrix @ matrix.transpose(1, 2), torch.eye(3).expand(4, 3, 3), atol=1e-6)
    assert torch.allclose(torch.linalg.det(matrix), torch.ones(4), atol=1e-6)
    unit = torch.eye(3)
    assert torch.allclose(matrix @ unit[axis], unit[axis].expand(4, 3), atol=1e-6)
    # a quarter turn about x brings y to z, about y brings z to x, about z brings x to y
    assert torch.allclose(matrix[3] @ unit[(axis + 1) % 3], unit[(axis + 2) % 3], atol=1e-6)


def test_rotation_keeps_lengths_and_the_vertical():
    view = view_of()
    out = linear_map(view.positions, replace(NOTHING, rotation=180.0), generator())
    assert torch.allclose(out.norm(dim=-1), view.positions.norm(dim=-1), atol=1e-4)
    assert torch.allclose(out[..., 1], view.positions[..., 1], atol=1e-5)


def test_rotation_and_tilt_stay_within_their_range():
    up = torch.zeros(500, 1, 1, 1, 3)
    up[..., 1] = 1
    tilted = linear_map(up, replace(NOTHING, tilt=10.0), generator())[:, 0, 0, 0]
    angle = torch.rad2deg(torch.acos(tilted[:, 1].clamp(-1, 1)))
    assert 9 < angle.max() <= math.degrees(math.acos(math.cos(math.radians(10)) ** 2)) + 1e-3
    ahead = up.roll(1, dims=-1)
    turned = linear_map(ahead, replace(NOTHING, rotation=30.0), generator())[:, 0, 0, 0]
    angle = torch.rad2deg(torch.atan2(turned[:, 0], turned[:, 2]))
    assert -30 <= angle.min() < -28
    assert 28 < angle.max() <= 30


def test_shear_is_one_matrix_a_clip_with_a_unit_diagonal():
    x = torch.eye(3).expand(50, 2, 1, 3, 3)  # joints at the unit vectors: what comes out are the matrix's columns
    out = linear_map(x, replace(NOTHING, shear=0.3), generator())
    assert torch.equal(out[:, 0], out[:, 1])
    matrix = out[:, 0, 0]
    off = matrix[:, ~torch.eye(3, dtype=torch.bool)]
    assert torch.allclose(torch.diagonal(matrix, dim1=1, dim2=2), torch.ones(50, 3))
    assert off.abs().max() <= 0.3
    assert off.abs().max() > 0.27


def test_a_mirror_swaps_sides_and_undoes_itself():
    x = torch.randn(3, 4, 1, 20, 3, generator=generator())
    left, right = KINECT_20.joints.index("WristLeft"), KINECT_20.joints.index("WristRight")
    valid = torch.ones(x.shape[:4], dtype=torch.bool)
    valid[:, 1, :, left] = False
    times = TimeMap(torch.zeros(3), torch.ones(3))
    view = View(x, valid, times, torch.arange(3))
    chosen = torch.tensor([True, False, True])
    mirrored = mirror(view, KINECT_20, chosen)
    out = mirrored.positions
    assert torch.equal(out[1], x[1])
    again = mirror(mirrored, KINECT_20, chosen)
    assert torch.equal(again.positions, x)
    assert torch.equal(again.valid, valid)
    assert torch.equal(mirrored.valid[:, 1, 0, [left, right]], torch.stack([~chosen, chosen], 1) ^ True)
    assert torch.equal(out[0, :, :, left], x[0, :, :, right] * torch.tensor([-1.0, 1, 1]))
    head = KINECT_20.joints.index("Head")
    assert torch.equal(out[0, :, :, head, 0], -x[0, :, :, head, 0])


def test_blur_leaves_still_motion_unchanged():
    x = torch.randn(4, 1, 2, 20, 3, generator=generator()).expand(4, 30, 2, 20, 3)
    valid = view_of(frames=30).valid
    held = torch.where(valid[..., None], x, 0.0)
    out = blur(held, valid, 1.0, generator())
    assert torch.allclose(out[valid], held[valid], atol=1e-5)


def test_blur_is_a_gaussian_over_valid_frames():
    x = torch.randn(3, 12, 1, 2, 3, generator=generator())
    valid = torch.ones(x.shape[:4], dtype=torch.bool)
    valid[1, 4:6] = False
    junk = torch.where(valid[..., None], x, 1e6)
    out = blur(junk, valid, 1.0, generator(9))
    sigma = 0.1 + 1.9 * torch.rand(3, generator=generator(9))
    for b in range(3):
        for t in range(12):
            if not valid[b, t, 0].any():
                continue
            total, weight = torch.zeros(2, 3), 0.0
            for other in range(max(0, t - 4), min(12, t + 5)):
                if valid[b, other, 0].any():
                    share = math.exp(-0.5 * ((other - t) / float(sigma[b])) ** 2)
                    total, weight = total + share * x[b, other, 0], weight + share
            assert torch.allclose(out[b, t, 0], total / weight, atol=1e-4)


def test_blur_with_probability_zero_does_nothing():
    view = view_of()
    assert torch.allclose(blur(view.positions, view.valid, 0.0, generator()), view.positions)


def test_axis_mask_flattens_one_axis():
    x = torch.rand(60, 3, 1, 4, 3, generator=generator()) + 1
    out = mask_axis(x, 1.0, generator())
    flat = (out == 0).all(dim=(1, 2, 3))
    assert (flat.sum(dim=1) == 1).all()
    assert flat.any(dim=0).all()
    assert torch.equal(out[~flat[:, None, None, None].expand_as(out)], x[~flat[:, None, None, None].expand_as(x)])
    assert torch.equal(mask_axis(x, 0.0, generator()), x)


@pytest.mark.parametrize("skeleton", [KINECT_20, COCO_17], ids=lambda skeleton: skeleton.name)
def test_masked_joints_are_at_the_root_for_the_whole_clip(skeleton):
    x = torch.randn(40, 5, 2, skeleton.num_joints, 3, generator=generator())
    out = mask_joints(x, skeleton, 0.5, 3, generator())
    moved = (out != x).any(dim=-1).any(dim=2).any(dim=1)  # (B, J)
    root = x[..., list(skeleton.root), :].mean(dim=-2)
    hits = moved.sum(dim=1)
    assert set(hits.tolist()) <= {0, 2, 3}  # the root itself may be among those hidden, which shows in nothing
    assert 8 < int((hits > 0).sum()) < 32
    for clip, joint in moved.nonzero().tolist():
        assert torch.allclose(out[clip, :, :, joint], root[clip])


def test_noise_falls_on_about_half_of_the_clips_and_has_its_size():
    view = View(torch.zeros(200, 10, 1, 20, 3), torch.ones(200, 10, 1, 20, dtype=torch.bool),
                TimeMap(torch.zeros(200), torch.ones(200)), torch.arange(200))  # fmt: skip
    out = augment(view, replace(NOTHING, noise=0.02), KINECT_20, generator()).positions
    noisy = out.abs().amax(dim=(1, 2, 3, 4)) > 0
    assert 70 < int(noisy.sum()) < 130
    assert float(out[noisy].std()) == pytest.approx(0.02, rel=0.05)


@pytest.mark.parametrize(
    "setting",
    [
        {"flip": 1.1},
        {"blur": -0.1},
        {"crop_min": 0.0},
        {"crop_min": 1.5},
        {"crop_max": 0.5},
        {"crop_max": math.inf},
        {"hide": 1.5},
        {"joint_mask": 2},
        {"crop_ratio": 1},
        {"blur_frames": 4},
        {"blur_frames": -1},
    ],
)
def test_bad_augment_settings_are_refused(setting):
    with pytest.raises(InputError, match=next(iter(setting))):
        AugmentConfig(**setting)
