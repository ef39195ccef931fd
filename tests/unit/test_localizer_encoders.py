"""Every encoder in a Localizer: windows leave no seams where the halo is bounded, else they are blended."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from encoder_cases import BOUNDED, LIGHT, NAMES, SMALL, WHOLE

from kinespan.config import Normalisation
from kinespan.data.annotation import LabelSet
from kinespan.encoders.layers import TemporalConv
from kinespan.models.fusion import FUSIONS
from kinespan.models.input_spec import InputSpec
from kinespan.models.localizer import Localizer
from kinespan.models.model_file import ModelSpec
from kinespan.transforms.normalise import Motion

FPS = 10.0
CLIP = 32


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def motion_of(frames, seed=0):
    """A body that wobbles: a rest pose plus a slow random walk of every joint."""
    rng = np.random.default_rng(seed)
    rest = np.random.default_rng(99).uniform(-0.5, 0.5, (SMALL.num_joints, 3))
    steps = rng.standard_normal((frames, 1, SMALL.num_joints, 3)) * 0.1
    positions = (rest + steps.cumsum(axis=0)).astype(np.float32)
    return Motion(positions, np.ones(positions.shape[:3], dtype=bool), FPS, "take")


def made(name, fusion="nested_u"):
    """A localizer that looks far (its temporal kernels are heavy at their ends) and whose scores change in time."""
    spec = ModelSpec(
        kind="localizer",
        input=InputSpec(SMALL, FPS, ("joint", "joint_motion"), Normalisation()),
        encoder=name,
        fusion=fusion,
        labels=LabelSet(("walk", "sit", "wave")),
        clip_frames=CLIP,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Localizer(spec)
    for module in model.modules():
        if isinstance(module, TemporalConv) and module.conv.kernel_size[0] > 1:
            module.conv.weight.data[:, :, [0, -1]] *= 4
        if isinstance(module, torch.nn.BatchNorm1d):
            module.momentum = 1.0  # one clip is enough to bring every layer to a common size
    clip = torch.from_numpy(motion_of(160).positions)[None]
    with torch.no_grad():
        logits = model.train()(clip, torch.ones(clip.shape[:4], dtype=torch.bool))
    model.head.linear.weight.data /= logits.std(dim=2).mean()
    return model.eval()


def one_pass(model, motion, first, last):
    """Fused features (T, C) of some frames, all at once."""
    with torch.no_grad():
        part = torch.from_numpy(motion.positions[first:last])[None]
        return model.fused_features(part, torch.ones(part.shape[:4], dtype=torch.bool))[0].T


@pytest.mark.parametrize(
    ("name", "fusion"),
    [*((name, "nested_u") for name in BOUNDED), *((LIGHT[0], fusion) for fusion in FUSIONS if fusion != "nested_u")],
)
def test_windowed_scores_equal_one_pass(name, fusion):
    model, motion = made(name, fusion), motion_of(220)
    whole = model.motion_scores(motion, window=1e6)
    assert np.ptp(whole, axis=0).max() > 0.05  # scores do change in time, so that seams would show
    assert np.allclose(model.motion_scores(motion, window=3.0), whole, atol=2e-5)


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_no_longer_than_a_clip_is_scored_in_one_pass(name):
    model = made(name)
    for frames in (1, 19, CLIP):
        motion = motion_of(frames)
        found = model.motion_features(motion)
        assert found.shape == (frames, model.fusion.channels)
        assert torch.allclose(found, one_pass(model, motion, 0, frames), atol=1e-4)


@pytest.mark.parametrize("name", WHOLE)
def test_windows_of_an_encoder_without_a_halo_are_blended(name):
    """Clips of 32 frames, each half over the next; a frame is the mean of two, weighted by nearness to the middle."""
    model, motion = made(name), motion_of(80)
    found = model.motion_features(motion)
    clips = [one_pass(model, motion, start, start + CLIP) for start in (0, 16, 32, 48)]
    assert torch.allclose(found[:16], clips[0][:16], atol=1e-4)  # nobody else sees the first half of the first one
    # frame 20 is the 21st of the first clip (12 from its end) and the 5th of the second
    expected = (12 * clips[0][20] + 5 * clips[1][4]) / 17
    assert torch.allclose(found[20], expected, atol=1e-4)
    assert not torch.allclose(found[20], clips[0][20], atol=1e-4)
    assert torch.allclose(found[64:], clips[3][16:], atol=1e-4)
    assert np.allclose(model.motion_scores(motion, window=1.0), model.motion_scores(motion), atol=1e-6)


@pytest.mark.parametrize("name", WHOLE)
def test_no_score_of_an_encoder_without_a_halo_depends_on_more_than_a_clip(name):
    model, motion = made(name), motion_of(110)
    changed = motion.positions.copy()
    changed[3] += 0.5
    before = model.motion_scores(motion)
    after = model.motion_scores(Motion(changed, motion.valid, FPS, "changed"))
    moved = np.flatnonzero(np.abs(before - after).max(axis=1) > 1e-6)
    assert len(moved)
    assert moved.max() < 3 + CLIP
