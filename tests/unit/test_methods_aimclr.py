"""AimCLR: what its three queries are, what is dropped, when neighbours count."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from kinespan.config import AugmentConfig, MethodConfig, Normalisation
from kinespan.data.skeletons import KINECT_20
from kinespan.encoders import Pyramid, build_encoder
from kinespan.errors import InputError
from kinespan.methods import MethodInputs, build_method
from kinespan.methods.aimclr import AimCLROptions, dropped_feature, keep_mask
from kinespan.methods.base import video_feature
from kinespan.models.input_spec import InputSpec
from kinespan.transforms.augment import TimeMap, View

STILL = AugmentConfig(crop_min=1, shear=0, rotation=0, tilt=0, noise=0, blur=0)


def step_of(seed=0, recordings=(0, 1, 2, 3), progress=0.0, basic=STILL, extreme=STILL):
    g = torch.Generator().manual_seed(seed)
    batch = len(recordings)
    times = TimeMap(torch.zeros(batch), torch.full((batch,), 0.1))
    x = torch.randn(batch, 16, 1, 20, 3, generator=g)
    clips = View(x, torch.ones(x.shape[:4], dtype=torch.bool), times, torch.tensor(recordings))
    return MethodInputs(
        clips,
        progress,
        {"basic": basic, "extreme": extreme},
        InputSpec(KINECT_20, 10.0, ("joint",), Normalisation()),
        g,
    )


def method_of(**options):
    torch.manual_seed(0)
    encoder = build_encoder("stgcn16_light", KINECT_20, 3)
    return build_method("aimclr", encoder, MethodConfig(queue=64, dim=8, momentum=0.9, temperature=0.2), options)


def log_softmax(scores):
    total = math.log(sum(math.exp(score) for score in scores))
    return [score - total for score in scores]


@pytest.mark.parametrize("progress", [0.0, 0.7])
def test_aimclr_matches_slow_reference(progress):
    """Slowly, from the network's own vectors of views that are no different; before and after mining begins."""
    method = method_of(keep=1.0, topk=2).eval()
    rows = F.normalize(torch.randn(9, 8, generator=torch.Generator().manual_seed(3)), dim=1)
    method.queue.put(rows, torch.tensor([0, 1, 2, 3, 4, 5, 6, 7, 8]))
    step = step_of(progress=progress)
    out = method(step)
    seen = step.encoder_input(step.clips)
    z, k = method.query(seen)[1].tolist(), method.key(seen)[1].tolist()
    video = divergence = 0.0
    for b in range(4):
        keys = [k[b]] + [row for number, row in enumerate(rows.tolist()) if number != b]  # row b is of recording b
        scores = [sum(x * y for x, y in zip(z[b], key, strict=True)) / 0.2 for key in keys]
        logs = log_softmax(scores)
        order = sorted(range(1, len(keys)), key=lambda i: -scores[i])
        positives = [0, *(order[:2] if progress > 0.5 else [])]  # all three queries are the same: so their neighbours
        video -= sum(logs[i] for i in positives) / len(positives) / 4
        divergence -= sum(math.exp(log) * log for log in logs) / 4  # the same vectors: the entropy, twice, halved
    assert float(out.parts["video"]) == pytest.approx(video, rel=1e-4)
    assert float(out.parts["divergence"]) == pytest.approx(divergence, rel=1e-4)
    assert float(out.loss.detach()) == pytest.approx(video + divergence, rel=1e-4)


def test_neighbours_change_the_loss_from_half_way_on():
    losses = {}
    for progress in (0.0, 0.49, 0.5, 0.9):
        method = method_of().eval()
        method.queue.put(F.normalize(torch.randn(9, 8, generator=torch.Generator().manual_seed(3)), dim=1),
                         torch.arange(10, 19))  # fmt: skip
        losses[progress] = float(method(step_of(progress=progress)).parts["video"])
    assert losses[0.0] == losses[0.49] != losses[0.5] == losses[0.9]


def test_a_recording_is_never_its_own_neighbour():
    """A queue of nothing else than the batch's own recordings: nothing to mine, nothing to tell apart."""
    method = method_of(topk=3).eval()
    method.queue.put(F.normalize(torch.randn(5, 8), dim=1), torch.zeros(5, dtype=torch.long))
    out = method(step_of(recordings=(0, 0), progress=0.9))
    assert float(out.parts["video"]) == 0


def test_the_key_and_the_queue_see_basic_views_only():
    """Extreme views that hold nothing: keys, the query's vectors and the snippets' pyramids do not feel it."""
    nothing = replace(STILL, axis_mask=1.0)
    one, other = (method_of()(step_of(extreme=extreme)) for extreme in (STILL, nothing))
    assert torch.equal(one.key.maps[-1], other.key.maps[-1])
    assert torch.allclose(one.embedding, other.embedding, atol=1e-6)
    assert torch.equal(one.query.masks[-1], other.query.masks[-1])
    assert float(one.parts["video"]) == pytest.approx(float(other.parts["video"]), abs=1e-6)


# ---- the drop module -------------------------------------------------------------------------------------------------


def slow_chance(joints, keep, floor=1e-4):
    count, channels = joints.shape
    attention = [0.0] * count
    for c in range(channels):
        values = joints[:, c].tolist()
        mean = sum(values) / count
        variance = sum((value - mean) ** 2 for value in values) / count
        for j, value in enumerate(values):
            energy = 4 * (variance + floor) / ((value - mean) ** 2 + 2 * variance + 2 * floor)
            attention[j] += 1 / energy / channels
    return [(1 - keep) * value / (sum(attention) / count) for value in attention]


def test_joints_are_dropped_by_their_energy():
    joints = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    joints[2] += 6  # stands out in every channel
    draws = 20_000
    kept = keep_mask(joints.expand(draws, 6, 4), 0.7, torch.Generator().manual_seed(1))
    found = 1 - kept.double().mean(dim=0)
    chance = slow_chance(joints, 0.7)
    assert chance[2] == max(chance)
    assert found.tolist() == pytest.approx(chance, abs=0.02)
    assert float(kept.double().mean()) == pytest.approx(0.7, abs=0.01)


def test_equal_joints_are_dropped_with_equal_probability():
    kept = keep_mask(torch.ones(4000, 5, 3), 0.6, torch.Generator().manual_seed(0))
    assert kept.any(dim=1).all()  # never all of them
    assert keep_mask(torch.randn(50, 5, 3), 1.0, torch.Generator().manual_seed(0)).all()


def test_the_dropped_feature_is_the_mean_of_the_joints_that_stay():
    g = torch.Generator().manual_seed(0)
    joints = torch.randn(3, 5, 4, generator=g).requires_grad_()
    deepest = joints.mean(dim=1).detach()[..., None].expand(3, 4, 6)  # a map whose other marginal the joints are
    pyramid = Pyramid((deepest,), (torch.ones(3, 6, dtype=torch.bool),), joints)
    found = dropped_feature(pyramid, 0.5, torch.Generator().manual_seed(2))
    kept = keep_mask(joints.detach(), 0.5, torch.Generator().manual_seed(2))
    assert not kept.all()
    for b in range(3):
        assert torch.allclose(found[b], joints[b][kept[b]].mean(dim=0), atol=1e-6)
    assert torch.allclose(dropped_feature(pyramid, 1.0, g), video_feature(pyramid), atol=1e-6)
    found.sum().backward()
    assert torch.isfinite(joints.grad).all()


@pytest.mark.parametrize(
    ("options", "word"),
    [({"keep": 0.0}, "keep"), ({"keep": 1.2}, "keep"), ({"topk": 0}, "topk"), ({"mine_from": 2.0}, "mine_from")],
)
def test_aimclr_options_out_of_range_are_refused(options, word):
    with pytest.raises(InputError, match=word):
        AimCLROptions(**options)
