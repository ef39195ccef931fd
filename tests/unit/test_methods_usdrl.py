"""USDRL: what it holds against what, at each grain."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from kinespan.config import AugmentConfig, MethodConfig, Normalisation
from kinespan.data.skeletons import KINECT_20
from kinespan.encoders import build_encoder
from kinespan.encoders.base import Encoder, PersonFeatures
from kinespan.errors import InputError
from kinespan.methods import MethodInputs, build_method
from kinespan.methods.usdrl import (
    USDRL,
    GrainSamples,
    USDRLOptions,
    alignment_weights,
    whole_steps,
    without_gradient,
)
from kinespan.models.input_spec import InputSpec
from kinespan.transforms.augment import TimeMap, View

STILL = AugmentConfig(crop_min=1, shear=0, rotation=0, tilt=0, noise=0, blur=0)


def clips_of(seed, batch=4, frames=16):
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, frames, 1, 20, 3, generator=g)
    times = TimeMap(torch.arange(batch) * 10.0, torch.full((batch,), 0.1))
    return View(x, torch.ones(x.shape[:4], dtype=torch.bool), times, torch.arange(batch))


def step_of(clips, config=None, seed=0):
    config = AugmentConfig() if config is None else config
    generator = torch.Generator().manual_seed(seed)
    return MethodInputs(
        clips,
        0.0,
        {"basic": config, "extreme": config},
        InputSpec(KINECT_20, 10.0, ("joint",), Normalisation()),
        generator,
    )


def method_of(**options):
    torch.manual_seed(0)
    encoder = build_encoder("stgcn16_light", KINECT_20, 3)
    return build_method("usdrl", encoder, MethodConfig(queue=4), {"dim": 16, **options})


class Kept(nn.Module):
    """A loss that only remembers what it was given."""

    def __init__(self):
        super().__init__()
        self.given = []

    def forward(self, views, pairs):
        self.given.append((views, pairs))
        return views[0].sum() * 0


class Clock(Encoder):
    """The deepest map says what the first two coordinates of joint 5 are, four frames at a time."""

    channels, strides, halo = (2,), (4,), 3

    def person_features(self, x, mask):
        here = x[:, :, 5:6, :2].expand(-1, -1, x.shape[2], -1)
        return PersonFeatures([here.unflatten(1, (-1, 4)).mean(dim=2)])


def clock_of(**options):
    """USDRL on a Clock, without projection: (method, what its loss was given)."""
    method = USDRL(Clock(), MethodConfig(queue=4), USDRLOptions(dim=2, **options))
    method.heads = nn.ModuleDict({grain: nn.Identity() for grain in method.weights})
    method.loss = Kept()
    return method, method.loss.given


def timed_clips(batch=6, frames=32):
    """Clips whose first coordinate is the time in seconds of the middle of the frame, the second the recording."""
    clips = clips_of(0, batch, frames)
    seconds = clips.times.start[:, None] + (torch.arange(frames) + 0.5) * 0.1
    clips.positions[..., 0] = seconds[:, :, None, None]
    clips.positions[..., 1] = torch.arange(batch)[:, None, None, None]
    clips.positions[..., 0, :] = 0  # the root, to which the joints that an encoder sees are relative
    return clips


# ---- the temporal grain ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [replace(STILL, crop_min=0.3), replace(STILL, crop="shift", crop_ratio=3)])
def test_temporal_samples_are_compared_with_the_same_time(config):
    method, given = clock_of(views=3)
    for seed in range(3):
        method(step_of(timed_clips(), config, seed))
    for views, pairs in given[1::3]:  # instance, temporal, spatial
        assert len(views) == len(pairs) == 3
        for one, other in pairs:
            assert len(one) > 5
            assert torch.allclose(one[:, 1], other[:, 1], atol=1e-5)  # the same recording
            # a step lasts at most 0.4 s, and at least half of it is shown
            assert ((one - other)[:, 0].abs() <= 0.4).all()
            assert (one - other)[:, 0].abs().mean() < 0.15
    apart = [abs(a - b) for views, _ in given[1::3] for a, b in zip(*(view[:, 0] for view in views[:2]), strict=False)]
    assert max(apart) > 0.8  # steps of the same number are further apart: the test can fail


def test_frames_mirrored_in_time_are_left_out():
    method, given = clock_of()
    config = replace(STILL, crop="shift", crop_ratio=2)
    method(step_of(timed_clips(), config))
    views, _ = given[1]
    steps = step_of(timed_clips(), config).view().view.timed.unflatten(1, (-1, 4)).all(dim=2).sum()
    assert len(views[0]) == int(steps) < 6 * 8


def test_alignment_weights_by_hand():
    edges = torch.tensor([[0.0, 1.0, 2.0]])
    everything = torch.tensor([[True, True]])

    def share(other, there=everything):
        one = GrainSamples(torch.zeros(1, 2, 1), everything, edges)
        return alignment_weights(one, GrainSamples(torch.zeros(1, 2, 1), there, torch.tensor([other])))[0].tolist()

    assert share([0.0, 1.0, 2.0]) == [[1, 0], [0, 1]]
    assert share([0.5, 1.5, 2.5]) == [[1, 0], [0.5, 0.5]]
    assert share([0.5, 1.5, 2.5], torch.tensor([[True, False]])) == [[1, 0], [1, 0]]
    assert share([0.6, 1.6, 2.6]) == [[0, 0], [pytest.approx(0.6), pytest.approx(0.4)]]
    assert share([5.0, 6.0, 7.0]) == [[0, 0], [0, 0]]
    assert share([0.0, 0.25, 0.5]) == [[0.5, 0.5], [0, 0]]  # slow motion: both show a part of the first
    by_number = GrainSamples(torch.zeros(1, 2, 1), torch.tensor([[True, False]]))
    plain = alignment_weights(GrainSamples(torch.zeros(1, 2, 1), everything), by_number)
    assert plain[0].tolist() == [[1, 0], [0, 0]]


@given(st.integers(1, 20), st.integers(1, 5), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_whole_steps_are_those_of_true_frames_alone(frames, stride, seed):
    held = torch.rand(2, frames, generator=torch.Generator().manual_seed(seed)) < 0.7
    found = whole_steps(held, stride)
    for b in range(2):
        assert found[b].tolist() == [bool(held[b, at : at + stride].all()) for at in range(0, frames, stride)]


# ---- the whole -------------------------------------------------------------------------------------------------------


def test_the_loss_is_the_weighted_sum_of_its_grains():
    out = method_of(temporal=0.25, spatial=3.0)(step_of(clips_of(0)))
    parts = {name: float(value) for name, value in out.parts.items()}
    assert set(parts) == {"instance", "temporal", "spatial"}
    expected = parts["instance"] + 0.25 * parts["temporal"] + 3 * parts["spatial"]
    assert float(out.loss.detach()) == pytest.approx(expected, rel=1e-5)
    assert all(value > 0.01 for value in parts.values())


@pytest.mark.parametrize("views", [2, 4])
def test_each_pair_of_views_is_compared_at_each_grain(views):
    method = method_of(views=views)
    method.loss = kept = Kept()
    out = method(step_of(clips_of(0), replace(STILL, shear=0.5)))
    for (seen, pairs), samples in zip(kept.given, (4, 4 * 4, 4 * 20), strict=True):  # clips; steps of 4 frames; joints
        assert [view.shape for view in seen] == [(samples, 16)] * views
        assert len(pairs) == views * (views - 1) / 2
        # nothing was cropped, so each sample is held against itself in the other view
        assert torch.allclose(pairs[0][0], seen[0])
        assert torch.allclose(pairs[-1][1], seen[-1], atol=1e-6)
        assert not torch.allclose(seen[0], seen[1], atol=1e-3)
    assert not torch.equal(out.query_view.positions, out.key_view.positions)


def test_decorrelation_is_in_float32_under_autocast():
    """Under autocast the loss of the same projections is what it is without."""
    method = method_of().eval()
    projected = []
    project = method.project

    def kept(name, grain):
        projected.append(project(name, grain))
        return projected[-1]

    method.project = kept
    with torch.autocast("cpu", torch.bfloat16):
        out = method(step_of(clips_of(0), STILL))
    assert all(z.dtype == torch.float32 for z in projected)
    one, other = (z[:, 0] for z in projected[:2])  # of the instances
    assert torch.equal(method.loss([one, other], [(one, other)]), out.parts["instance"])


def test_clips_without_people_never_change_the_loss():
    method = method_of().eval()
    clips = clips_of(0)
    whole = method(step_of(clips, STILL))
    absent = clips_of(1, batch=1)
    absent = replace(absent, positions=absent.positions * 0, valid=absent.valid & False)
    joined = View(
        torch.cat([clips.positions, absent.positions]),
        torch.cat([clips.valid, absent.valid]),
        TimeMap(torch.cat([clips.times.start, absent.times.start]), torch.full((5,), 0.1)),
        torch.arange(5),
    )
    found = method(step_of(joined, STILL))
    assert torch.allclose(found.loss, whole.loss, atol=1e-5)
    assert not found.embedding[4].any()
    nobody = method(step_of(replace(clips, positions=clips.positions * 0, valid=clips.valid & False), STILL))
    assert float(nobody.loss.detach()) == 0


def test_views_without_any_time_in_common_still_train():
    """Crops of a tenth hardly ever meet; what is left is the spread of each view."""
    out = method_of()(step_of(clips_of(0), replace(STILL, crop_min=0.02)))
    out.loss.backward()
    assert torch.isfinite(out.loss)


def test_the_key_is_the_second_view_without_gradient():
    method = method_of().eval()
    step, again = (step_of(clips_of(0)) for _ in range(2))
    out, (_, second) = method(step), (again.view(), again.view())
    expected = method.encoder(second.streams, second.view.present)
    assert torch.equal(out.key_view.positions, second.view.positions)
    assert torch.allclose(out.key.maps[-1], expected.maps[-1], atol=1e-6)
    detached = without_gradient(expected)
    assert not any(level.requires_grad for level in (*detached.maps, detached.joints))
    assert expected.joints.requires_grad
    assert out.query.maps[-1].requires_grad


def test_usdrl_learns_without_collapse():
    method = method_of()
    optimizer = torch.optim.AdamW(method.parameters(), lr=2e-3)
    losses = []
    for seed in range(10):
        out = method(step_of(clips_of(0, batch=6), replace(STILL, shear=0.3), seed))
        optimizer.zero_grad()
        out.loss.backward()
        optimizer.step()
        losses.append(float(out.loss.detach()))
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])
    assert out.embedding.std(dim=0).mean() * 4 > 0.5


@pytest.mark.parametrize(
    ("option", "value"),
    [("views", 1), ("dim", 1), ("similarity", -1.0), ("temporal", -0.5), ("spatial", float("nan"))],
)
def test_usdrl_options_out_of_range_are_refused(option, value):
    with pytest.raises(InputError, match=rf"--options.{option} is {value}"):
        method_of(**{option: value})
