"""Refinement: each stage against a slow loop from its equations, an honest halo, and padding that nobody sees."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from model_cases import with_changes
from torch.nn import functional as F

from kinespan.config import FinetuneConfig, Normalisation
from kinespan.data.annotation import LabelSet
from kinespan.data.skeletons import KINECT_20
from kinespan.encoders.tcn import DilatedStack, doubling
from kinespan.errors import InputError
from kinespan.models.fusion import NestedU
from kinespan.models.input_spec import InputSpec
from kinespan.models.localizer import Localizer
from kinespan.models.model_file import ModelSpec
from kinespan.models.refinement import Refinement, probabilities, stage_layers
from kinespan.runs.load import load_model
from kinespan.transforms.normalise import Motion

CLASSES, FEATURES = 4, 5


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def made(seed=0, stages=2, clip_frames=16, exclusive=True, features=0):
    """Stages that look far: kernels heavy at their ends, logits of a common size."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        refinement = Refinement(CLASSES, stages, clip_frames, exclusive, features)
    for module in refinement.modules():
        if isinstance(module, torch.nn.Conv1d):
            module.weight.data[..., :: max(1, module.kernel_size[0] - 1)] *= 3
    return refinement.eval()


def scores_of(frames, clips=2, seed=0, channels=CLASSES):
    return 2 * torch.randn(clips, channels, frames, generator=torch.Generator().manual_seed(seed))


def everywhere(x):
    return torch.ones(len(x), x.shape[2], dtype=torch.bool)


def slow_stack(stack, x, mask, dilations):
    """Frame by frame, in plain loops over layers and taps; x (C, T), mask a list of bool."""
    length = x.shape[1]
    layer = [stack.enter.weight[:, :, 0] @ x[:, t] + stack.enter.bias if mask[t] else None for t in range(length)]
    for module, dilation in zip(stack.layers, dilations, strict=True):
        after = []
        for t in range(length):
            if not mask[t]:
                after.append(None)
                continue
            total = module.conv.bias.clone()
            for tap, at in enumerate((t - dilation, t, t + dilation)):
                if 0 <= at < length and mask[at]:
                    total += module.conv.weight[:, :, tap] @ layer[at]
            after.append(layer[t] + module.mix.weight[:, :, 0] @ total.clamp(min=0) + module.mix.bias)
        layer = after
    return layer


@pytest.mark.parametrize("exclusive", [True, False])
@pytest.mark.parametrize("features", [0, FEATURES])
def test_stages_match_their_equations(exclusive, features):
    refinement = made(exclusive=exclusive, features=features)
    logits, beside = scores_of(13, clips=1), scores_of(13, clips=1, seed=1, channels=FEATURES)
    mask = torch.ones(1, 13, dtype=torch.bool)
    mask[0, 4:6] = mask[0, 11:] = False
    found = refinement(logits, beside, mask)
    assert len(found) == 2
    before, found = logits[0], [out.detach() for out in found]
    for stage, out in zip(refinement.stages, found, strict=True):
        columns = []
        for t in range(13):
            frame = before[:, t]
            if exclusive:
                total = sum(math.exp(float(value)) for value in frame)
                column = [math.exp(float(value)) / total for value in frame]
            else:
                hits = [1 / (1 + math.exp(-float(value))) for value in frame[1:]]
                column = [1 - max(hits), *hits]
            columns.append(torch.cat([torch.tensor(column), beside[0, :, t] if features else torch.zeros(0)]))
        layer = slow_stack(stage.stack, torch.stack(columns, dim=1), mask[0].tolist(), (1, 2, 4, 8))
        for t in range(13):
            if mask[0, t]:
                expected = stage.out.weight[:, :, 0] @ layer[t] + stage.out.bias
                assert torch.allclose(out[0, :, t], expected, atol=2e-3, rtol=1e-3)
        before = out[0]


def test_probabilities_match_values_computed_by_hand():
    logits = torch.tensor([[[0.0], [math.log(3)], [-30.0]]])
    assert torch.allclose(probabilities(logits, True)[0, :, 0], torch.tensor([0.25, 0.75, 0.0]), atol=1e-6)
    assert torch.allclose(probabilities(logits, False)[0, :, 0], torch.tensor([0.25, 0.75, 0.0]), atol=1e-6)
    logits[0, 0] = 50  # what is scored as background counts for exclusive labels alone
    assert torch.allclose(probabilities(logits, False)[0, :, 0], torch.tensor([0.25, 0.75, 0.0]), atol=1e-6)


@pytest.mark.parametrize(("frames", "layers"), [(1, 1), (2, 1), (3, 1), (4, 2), (16, 4), (64, 6), (127, 6), (9999, 8)])
def test_no_dilation_is_longer_than_half_a_clip(frames, layers):
    assert stage_layers(frames) == layers
    assert frames < 2 or doubling(layers)[-1] <= frames / 2


# ---- what a frame depends on -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stages", [1, 3])
def test_halo_of_refinement_is_exact(stages):
    """By the derivative of the middle frame's logits by the scores of every frame."""
    refinement = made(stages=stages, clip_frames=8)
    middle = refinement.halo + 3
    x = scores_of(2 * middle + 1, clips=1).requires_grad_()
    refinement(x, x, everywhere(x))[-1][0, :, middle].square().sum().backward()
    touched = x.grad[0].abs().amax(dim=0).nonzero().flatten()
    assert (int(touched.min()), int(touched.max())) == (middle - refinement.halo, middle + refinement.halo)
    assert refinement.halo == stages * 7


def test_a_stack_states_its_halo():
    assert DilatedStack(3, 4, (1, 3, 9)).halo == 13


@given(frames=st.integers(1, 40), extra=st.integers(1, 20), gap=st.integers(0, 39), seed=st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_padding_never_changes_a_valid_frame(frames, extra, gap, seed):
    refinement = made(seed, features=FEATURES)
    logits, beside = scores_of(frames, seed=seed), scores_of(frames, seed=seed + 1, channels=FEATURES)
    mask = everywhere(logits)
    mask[0, gap : gap + 3] = False
    pad = torch.full((2, CLASSES, extra), 37.0), torch.full((2, FEATURES, extra), -50.0)
    long = torch.cat([logits, pad[0]], dim=2), torch.cat([beside, pad[1]], dim=2)
    alone = refinement(logits, beside, mask)
    other = torch.where(mask[:, None], logits, -20.0)  # nor do values in a gap
    for padded in (refinement(*long, F.pad(mask, (0, extra))), refinement(other, beside, mask)):
        for a, b in zip(alone, padded, strict=True):
            here = mask[:, None].expand_as(a)
            assert torch.allclose(a[here], b[..., :frames][here], atol=1e-2, rtol=1e-4)


def test_batch_composition_never_changes_refined_scores():
    refinement, logits = made(), scores_of(20, clips=3)
    mask = everywhere(logits)
    mask[1, 9:] = False
    together = refinement(logits, logits, mask)[-1]
    for clip in range(3):
        one = slice(clip, clip + 1)
        alone = refinement(logits[one], logits[one], mask[one])[-1]
        assert torch.allclose(alone[0][:, mask[clip]], together[clip][:, mask[clip]], atol=1e-3)


def test_gradients_reach_every_stage():
    refinement = made(stages=3, features=FEATURES).train()
    logits = scores_of(30).requires_grad_()
    refinement(logits, scores_of(30, channels=FEATURES), everywhere(logits))[-1].square().sum().backward()
    assert all(part.grad is not None and part.grad.any() for part in refinement.parameters())
    assert logits.grad.any()


# ---- in a localizer --------------------------------------------------------------------------------------------------


def spec_of(**changes):
    spec = ModelSpec(
        kind="localizer", input=InputSpec(KINECT_20, 10.0, ("joint", "joint_motion"), Normalisation()),
        encoder="tcn", fusion="nested_u", labels=LabelSet(("walk", "sit", "wave")),
        clip_frames=16, refine_stages=2,
    )  # fmt: skip
    return with_changes(spec, **changes)


def localizer(seed=0, **changes):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Localizer(spec_of(**changes))
    for module in model.modules():
        if isinstance(module, DilatedStack):
            for layer in module.layers:
                layer.conv.weight.data[..., [0, 2]] *= 2
    clip = torch.from_numpy(motion_of(60, seed=7).positions)[None]
    for number, last in enumerate([model.head.linear, *(stage.out for stage in model.eval().refine.stages)]):
        with torch.no_grad():  # scores that change in time, so that seams would show
            logits = model.stage_logits(clip, torch.ones(clip.shape[:4], dtype=torch.bool))[number]
            last.weight /= logits.std(dim=2).mean()
    return model


def motion_of(frames, seed=0):
    rng = np.random.default_rng(seed)
    rest = np.random.default_rng(99).uniform(-0.5, 0.5, (20, 3))
    positions = (rest + 0.1 * rng.standard_normal((frames, 1, 20, 3)).cumsum(axis=0)).astype(np.float32)
    return Motion(positions, np.ones(positions.shape[:3], dtype=bool), 10.0, "take")


def one_pass(model, motion):
    positions, valid = torch.from_numpy(motion.positions)[None], torch.from_numpy(motion.valid)[None]
    with torch.no_grad():
        return probabilities(model(positions, valid), model.labels.exclusive)[0].T.numpy()


@pytest.mark.parametrize("encoder", ["tcn", "stgcn16_light"])
@pytest.mark.parametrize("features", [False, True])
@pytest.mark.parametrize("exclusive", [True, False])
def test_windowed_refined_scores_equal_one_pass(encoder, features, exclusive):
    labels = LabelSet(("walk", "sit", "wave"), exclusive)
    model = localizer(encoder=encoder, refine_features=features, labels=labels)
    motion = motion_of(230)
    motion.valid[90:130] = False
    whole = one_pass(model, motion)
    here = motion.valid[:, 0].any(axis=1)
    assert np.ptp(whole, axis=0).max() > 0.05
    for window in (1.0, 4.0, 1e6):
        scores = model.motion_scores(motion, window=window)
        assert np.allclose(scores[here], whole[here], atol=5e-4)
        assert np.array_equal(scores[~here], np.tile([1, 0, 0, 0], (40, 1)))


def test_scores_come_from_the_last_stage_and_features_ignore_refinement():
    model, motion = localizer(), motion_of(60)
    plain = Localizer(replace(model.spec, refine_stages=0))
    plain.load_state_dict({k: v for k, v in model.state_dict().items() if not k.startswith("refine.")})
    positions, valid = torch.from_numpy(motion.positions)[None], torch.from_numpy(motion.valid)[None]
    with torch.no_grad():
        stages = model.stage_logits(positions, valid)
        assert len(stages) == 3
        assert torch.equal(plain.eval()(positions, valid), stages[0])
        assert torch.equal(model(positions, valid), stages[-1])
    assert not torch.allclose(stages[0], stages[-1], atol=0.1)
    assert torch.equal(model.motion_features(motion), plain.motion_features(motion))
    assert np.allclose(model.motion_scores(motion), one_pass(model, motion), atol=1e-5)


def test_halo_of_scores_includes_the_refinement():
    model, fused = localizer(), NestedU((64,), (1,))
    assert model.feature_halo == 63 + fused.halo + 1
    assert model.halo == model.feature_halo + 2 * 15
    assert localizer(encoder="dste_light").halo is None


def test_dropout_is_off_while_scoring_and_on_again_after():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Localizer(spec_of(), dropout=0.5).train()
    motion = motion_of(40)
    model.head.eval()
    assert np.array_equal(model.motion_scores(motion), model.motion_scores(motion))
    assert model.training
    assert model.refine.stages[0].stack.layers[0].dropout.training
    assert not model.head.training


@pytest.mark.parametrize("features", [False, True])
def test_a_saved_model_gives_the_same_scores(tmp_path, features):
    model, motion = localizer(refine_features=features), motion_of(50)
    model.save(tmp_path / "model.safetensors")
    again = load_model(tmp_path)
    assert again.spec == model.spec
    assert any(name.startswith("refine.stages.1.") for name in again.state_dict())
    assert np.array_equal(again.motion_scores(motion), model.motion_scores(motion))


def test_the_linear_probe_refuses_refinement():
    with pytest.raises(InputError, match="refine_stages is 2, but protocol linear"):
        FinetuneConfig(protocol="linear", refine_stages=2)
    with pytest.raises(InputError, match=r"smoothing is -0\.1"):
        FinetuneConfig(smoothing=-0.1)
    assert FinetuneConfig(protocol="linear", smoothing=0.15).stages(1) == 0


@pytest.mark.parametrize(
    ("settings", "resolutions", "stages", "smoothing"),
    [
        ({}, 1, 2, 0.15),
        ({}, 3, 0, 0.0),
        ({"protocol": "linear"}, 1, 0, 0.0),
        ({"refine_stages": 3}, 3, 3, 0.15),
        ({"refine_stages": 0}, 1, 0, 0.0),
        ({"refine_stages": 1, "smoothing": 0.5}, 1, 1, 0.5),
        ({"smoothing": 0.5}, 3, 0, 0.5),
    ],
)
def test_refinement_is_automatic_for_encoders_of_one_resolution_only(settings, resolutions, stages, smoothing):
    config = FinetuneConfig(**settings)
    assert config.stages(resolutions) == stages
    assert config.smoothing_weight(stages) == smoothing
