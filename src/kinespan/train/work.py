"""How much work a step of training is, which decides how many threads it gets."""

from __future__ import annotations

import torch

from ..config import FinetuneConfig, PretrainConfig
from ..encoders import ENCODERS
from ..models.encoder_model import EncoderModel, evaluation_mode
from ..models.model_file import ModelSpec
from ..models.precision import in_bfloat16
from ..threads import Threads, choose_trainings

BFLOAT16 = 0.4
"""Work of an operation in bfloat16, where the processor has units for it, beside one in float32."""
PASSES = 3
"""A step's work over that of the encoder alone: forward, and backward twice as much."""


def step_work(model: EncoderModel, config: PretrainConfig | FinetuneConfig, people: int) -> float:
    """Operations of matrix products and convolutions of a step on the CPU, counted as float32.

    They are counted in one pass of one clip of so many people through the encoder, which leaves it as it was.
    """
    from torch.utils.flop_counter import FlopCounterMode

    device = next(model.parameters()).device
    positions = torch.zeros(1, config.clip_frames, people, model.input.skeleton.num_joints, 3, device=device)
    with evaluation_mode(model), torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(positions, torch.ones(positions.shape[:-1], dtype=torch.bool, device=device))
    share = BFLOAT16 if in_bfloat16(config.precision, "cpu") else 1.0
    return float(share * PASSES * config.batch_size * counter.get_total_flops())


def trainings_at_once(
    threads: Threads, spec: ModelSpec, partner: str, config: PretrainConfig | FinetuneConfig, people: int
) -> tuple[int, Threads]:
    """How many trainings of `learn` run at once while one does, and the threads of each.

    spec: of a model with the larger network; partner: the encoder of the other one; config: the settings of what runs.
    It runs alone on a GPU, and where an encoder is known to this process alone.
    """
    if torch.accelerator.is_available() or not all(map(ENCODERS.in_every_process, (spec.encoder, partner))):
        return 1, threads
    with torch.random.fork_rng():
        model = EncoderModel.of_spec(spec)
    at_once = choose_trainings(threads, step_work(model, config, people))
    return at_once, threads if threads == "auto" else max(1, threads // at_once)
