"""The work of a step of training is counted, and the counting leaves the network as it was."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from kinespan.config import FinetuneConfig, NetworkConfig
from kinespan.data.skeletons import NTU_25
from kinespan.encoders import ENCODERS
from kinespan.encoders.tcn import WIDTH
from kinespan.models.encoder_model import EncoderModel
from kinespan.models.model_file import ModelSpec
from kinespan.train import work
from kinespan.train.work import step_work, trainings_at_once

CONFIG = FinetuneConfig(batch_size=3, clip_frames=32, precision="32")
SPEC = ModelSpec.of_network(NetworkConfig(encoder="tcn"), NTU_25)


def test_work_of_a_step_by_hand() -> None:
    """tcn: a 1x1 convolution from 25 joints of two streams, then six layers of kernel 3 and 1, each of 64 channels."""
    model = EncoderModel.of_spec(SPEC).train()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    generator = torch.get_rng_state()
    per_frame = 2 * (25 * 6 * WIDTH + 6 * (3 + 1) * WIDTH * WIDTH)
    assert step_work(model, CONFIG, 2) == 3 * 3 * 32 * 2 * per_frame  # passes, clips, frames, people
    assert model.training
    assert torch.equal(torch.get_rng_state(), generator)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_operations_in_bfloat16_are_less_work(monkeypatch: pytest.MonkeyPatch) -> None:
    model = EncoderModel.of_spec(SPEC)
    full = step_work(model, CONFIG, 1)
    monkeypatch.setattr(work, "in_bfloat16", lambda precision, device: True)
    assert step_work(model, CONFIG, 1) == pytest.approx(0.4 * full)


def test_an_encoder_of_this_process_alone_is_not_trained_in_another(monkeypatch: pytest.MonkeyPatch) -> None:
    assert trainings_at_once(4, SPEC, "stgcn16", CONFIG, 1) == (2, 2)
    monkeypatch.setattr(ENCODERS["stgcn16"], "__module__", "__main__")
    assert trainings_at_once(4, SPEC, "stgcn16", CONFIG, 1) == (1, 4)


def test_a_training_of_large_steps_runs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert trainings_at_once("auto", SPEC, "tcn", replace(CONFIG, batch_size=4096), 1) == (1, "auto")
