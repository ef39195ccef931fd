"""Augmentation as published: shifts, tempo and the turn about a main axis."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from augment_cases import NOTHING, clock, generator, view_of
from hypothesis import given, settings
from hypothesis import strategies as st

from kinespan.data.skeletons import KINECT_20
from kinespan.transforms.augment import (
    TimeMap,
    View,
    augment,
    blur,
    change_tempo,
    crop_resize,
    crop_shift,
    turn_about_main_axis,
)


@given(st.integers(2, 40), st.integers(2, 8), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_a_shift_shows_the_time_of_its_map_or_is_marked_untimed(frames, ratio, seed):
    view = clock(frames=frames)
    moved = crop_shift(view, ratio, generator(seed))
    assert torch.equal(moved.times.step, view.times.step)
    shift = ((moved.times.start - view.times.start) / 0.1).round()
    assert shift.abs().max() <= frames // ratio
    middles = moved.times.start[:, None] + (torch.arange(frames) + 0.5) * 0.1
    inside = (middles > view.times.start[:, None]) & (middles < view.times.start[:, None] + 0.1 * frames)
    assert torch.equal(moved.timed, inside)
    assert torch.allclose(moved.positions[:, :, 0, 0, 0][inside], middles[inside], atol=1e-4)
    assert moved.valid.all()


def test_a_shift_mirrors_at_the_ends_by_hand():
    """Against the published form: pad by reflection at both ends, then take as many frames as there were."""
    x = torch.arange(12.0).view(1, 12, 1, 1, 1).expand(300, 12, 1, 1, 3)
    times = TimeMap(torch.zeros(300), torch.ones(300))
    view = View(x, torch.ones(x.shape[:4], dtype=torch.bool), times, torch.arange(300))
    moved = crop_shift(view, 6, generator())
    padded = [2, 1, *range(12), 10, 9]
    starts = moved.times.start.long() + 2
    assert set(starts.tolist()) == {0, 1, 2, 3, 4}
    for clip in range(300):
        first = int(starts[clip])
        assert moved.positions[clip, :, 0, 0, 0].tolist() == padded[first : first + 12]
        assert moved.timed[clip].tolist() == [2 <= place < 14 for place in range(first, first + 12)]


def test_a_shift_of_a_padded_clip_leaves_its_padding():
    view = clock(frames=20, held=12)
    moved = crop_shift(view, 4, generator())
    assert torch.equal(moved.valid, view.valid)
    assert not moved.positions[:, 12:].any()
    middles = moved.times.start[:, None] + (torch.arange(20) + 0.5) * 0.1
    told = moved.timed & moved.present[..., 0]
    assert torch.allclose(moved.positions[:, :, 0, 0, 0][told], middles[told], atol=1e-4)
    assert (told.sum(dim=1) >= 9).all()
    gap = view_of()
    held = crop_shift(gap, 6, generator(1))
    assert not held.valid[1, :, 0].all()
    assert not held.positions[~held.valid].any()


def test_untimed_frames_stay_marked_through_later_crops():
    view = crop_shift(clock(frames=24), 3, generator())
    assert not view.timed.all()
    for after in (crop_resize(view, 0.6, generator(1)), crop_shift(view, 6, generator(2)), change_tempo(view, COIN)):
        frames = after.positions.shape[1]
        middles = after.times.start[:, None] + (torch.arange(frames) + 0.5) * after.times.step[:, None]
        inner = after.timed & (middles > 5.0 * torch.arange(8)[:, None] + 0.05)
        inner &= middles < 5.0 * torch.arange(8)[:, None] + 2.35
        assert inner.any(dim=1).all()
        assert torch.allclose(after.positions[:, :, 0, 0, 0][inner], middles[inner], atol=1e-4)


COIN = torch.arange(8) % 2 == 0


@pytest.mark.parametrize("frames", [20, 21])
def test_tempo_changes_halve_the_frames_and_keep_the_time_map(frames):
    view = clock(frames=frames)
    out = change_tempo(view, COIN)
    assert out.positions.shape[1] == out.valid.shape[1] == 10
    assert torch.equal(out.positions[COIN], view.positions[COIN, :20:2])
    assert torch.equal(out.positions[~COIN], view.positions[~COIN, :10])
    middles = out.times.start[:, None] + (torch.arange(10) + 0.5) * out.times.step[:, None]
    assert torch.allclose(out.positions[:, :, 0, 0, 0], middles, atol=1e-5)
    edges = out.times.edges(1, 10) - view.times.start[:, None]
    assert torch.allclose(edges[~COIN], torch.tensor([0.0, 1.0]), atol=1e-5)
    assert torch.allclose(edges[COIN], torch.tensor([-0.05, 1.95]), atol=1e-5)


def test_tempo_keeps_padding_and_gaps():
    view = view_of()
    out = change_tempo(view, torch.tensor([True, True, False, False]))
    assert torch.equal(out.valid[0], view.valid[0, ::2])
    assert torch.equal(out.valid[1], view.valid[1, ::2])
    assert torch.equal(out.valid[2], view.valid[2, :12])
    assert not out.positions[~out.valid].any()


def test_main_axis_rotation_is_small_about_the_other_axes():
    matrix = turn_about_main_axis(30.0, 600, torch.zeros(1), generator())
    assert torch.allclose(matrix @ matrix.transpose(1, 2), torch.eye(3).expand(600, 3, 3), atol=1e-5)
    angle = torch.rad2deg(torch.acos(((matrix.diagonal(dim1=1, dim2=2).sum(dim=1) - 1) / 2).clamp(-1, 1)))
    assert 29 < angle.max() <= 30 + 2**0.5
    # the axis of a turn that is not small: close to one of the three, each about as often, always the same way round
    whirl = torch.stack([matrix[:, 2, 1] - matrix[:, 1, 2], matrix[:, 0, 2] - matrix[:, 2, 0],
                         matrix[:, 1, 0] - matrix[:, 0, 1]], dim=1)  # fmt: skip
    axis = torch.nn.functional.normalize(whirl, dim=1)[angle > 15]
    assert (axis.amax(dim=1) > 0.98).all()
    assert torch.bincount(axis.argmax(dim=1), minlength=3).min() > 60


def test_the_published_crop_and_rotation_are_settings():
    view = view_of()
    moved = augment(view, replace(NOTHING, crop="shift", crop_ratio=4), KINECT_20, generator())
    assert moved.timed is not None
    assert not torch.equal(moved.positions, view.positions)
    turned = augment(view, replace(NOTHING, main_axis=30.0), KINECT_20, generator())
    assert torch.allclose(turned.positions.norm(dim=-1), view.positions.norm(dim=-1), atol=1e-4)
    assert not torch.equal(turned.positions, view.positions)


def test_a_wider_blur_is_a_setting():
    view = view_of()
    wide, narrow = (augment(view, replace(NOTHING, blur=1.0, blur_frames=n), KINECT_20, generator()) for n in (15, 3))
    same = blur(view.positions, view.valid, 1.0, generator(), reach=7)
    assert torch.allclose(wide.positions[wide.valid], same[wide.valid], atol=1e-6)
    assert not torch.allclose(wide.positions, narrow.positions, atol=1e-3)
