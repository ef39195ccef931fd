"""From a recording to spans, window by window: made motion of two people, and real motion where it is there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from kinespan.config import Normalisation
from kinespan.data.annotation import LabelSet
from kinespan.data.recording import Recording
from kinespan.data.skeletons import KINECT_20
from kinespan.io import read
from kinespan.models.fusion import FUSIONS
from kinespan.models.input_spec import InputSpec
from kinespan.models.localizer import Localizer
from kinespan.models.model_file import ModelSpec
from kinespan.prepare.synthetic.takes import SyntheticConfig, make_recording
from kinespan.runs.load import load_model
from kinespan.transforms.normalise import model_motion

FPS = 15.0


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=list(FUSIONS))
def model(request):
    """A localizer with random weights whose layers all carry figures of a common size."""
    spec = ModelSpec(
        kind="localizer", input=InputSpec(KINECT_20, FPS, ("joint", "joint_motion"), Normalisation()),
        encoder="stgcn16_light", fusion=request.param, labels=LabelSet(("walk", "sit", "wave")),
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(1)
        made = Localizer(spec)
        for module in made.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.momentum = 1.0
        motion = model_motion(take(seconds=20.0), KINECT_20, FPS, spec.input.normalisation)
        with torch.no_grad():
            logits = made.train()(torch.from_numpy(motion.positions)[None], torch.from_numpy(motion.valid)[None])
        head, scale = made.head.linear, 2 / logits.std(dim=2).mean()
        head.bias.data = scale * (head.bias.data - logits[0].mean(dim=1))
        head.weight.data *= scale
    return made.eval()


def take(index=0, seconds=60.0, fps=30.0, **options):
    config = SyntheticConfig(seconds=(seconds, seconds), fps=fps, dropouts=10.0, **options)
    return make_recording(f"take{index}", index, config)[0]


@pytest.mark.parametrize("window", [1.0, 2.7, 20.0])
def test_windows_do_not_show_in_scores_or_spans(model, window):
    recording = take(seconds=40.0, second_person=1.0)
    assert recording.num_people == 2
    whole = model.frame_scores(recording, window=1e9)
    assert np.ptp(whole, axis=0).max() > 0.2
    parts = model.frame_scores(recording, window=window)
    assert np.allclose(parts, whole, atol=5e-5)


def test_a_saved_model_finds_the_same_spans(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    recording = take(1, 30.0)
    assert load_model(tmp_path).localize(recording) == model.localize(recording)


def test_where_a_recording_was_taken_does_not_matter(model):
    recording = take(2, 20.0)
    angle = 1.1
    matrix = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    moved = (recording.positions @ matrix.T + [3, 0, -2]) * recording.present[..., None, None]
    other = recording.with_changes("moved", positions=moved.astype(np.float32))
    assert np.allclose(model.frame_scores(recording), model.frame_scores(other), atol=0.01)


def test_a_long_absence_parts_a_recording_into_two(model):
    """Somebody who is away for longer than the halo: what comes after does not know what was before."""
    away = int((2 * model.halo + 20) * 30 / FPS)
    first, second = take(3, 10.0), take(4, 10.0)
    positions = np.concatenate([first.positions, np.zeros((away, 1, 25, 3), np.float32), second.positions])
    valid = np.concatenate([first.present, np.zeros((away, 1), bool), second.present])
    both = Recording(positions, 30.0, first.skeleton, "both", valid)
    # the size would be the median over both
    how = Normalisation(heading="none", size="none")
    together, alone = (model_motion(part, KINECT_20, FPS, how) for part in (both, first))
    count = alone.num_frames
    assert np.allclose(model.motion_scores(together)[:count], model.motion_scores(alone), atol=1e-5)


@pytest.mark.real_motion
def test_windows_do_not_show_on_real_motion(model, real_motion: Path):
    file = max((real_motion / "cmu_bvh" / "iclone").rglob("*.bvh"), key=lambda file: file.stat().st_size)
    recording = read(file).recording
    whole = model.frame_scores(recording, window=1e9)
    assert np.allclose(model.frame_scores(recording, window=1.3), whole, atol=1e-4)
