"""What a rehearsal trains: a Localizer at a steady rate, whose averaged weights are judged as the steps double."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel

from ..config import FinetuneConfig
from ..data.annotation import Annotation
from ..decode.calibration import at_temperature
from ..models.base import Scores
from ..models.localizer import Localizer
from ..transforms.normalise import Motion
from .calibration import best_temperature, log_likelihood
from .clip_pool import ClipPool
from .finetune_module import FinetuneModule
from .length import FIRST_CHECK, Check, steps_of

WARMUP_STEPS = 30
"""The rate rises to its peak in so many steps."""
AVERAGED = 8
"""The average of the weights at step t weighs the newest with (AVERAGED + 1) / (t + AVERAGED)."""


class Judge:
    """The loss of a localizer on recordings that it was not trained on, as the steps go on."""

    def __init__(self, motions: Sequence[Motion], annotations: Sequence[Annotation], least: int, budget: int) -> None:
        """motions, annotations: of held-back recordings, or people. least, budget: bounds of the training proper."""
        self.motions, self.annotations, self.least, self.budget = motions, annotations, least, budget
        self.checks: list[Check] = []
        self.scores: list[Scores] = []
        """(T, C + 1) of each, at the check with the lowest loss."""

    def is_due(self, step: int) -> bool:
        """Whether the localizer is judged at this step: at the first check, whenever steps double, and at the end."""
        doubled = step % FIRST_CHECK == 0 and (step // FIRST_CHECK).bit_count() == 1
        return doubled or 2 * step >= self.budget

    def judge(self, step: int, localizer: Localizer) -> bool:
        """Judge a localizer; returns whether the rehearsal ends."""
        scores = [localizer.motion_scores(motion) for motion in self.motions]
        fps = localizer.spec.input.fps
        temperature = best_temperature(scores, self.annotations, localizer.labels, fps)
        softened = [at_temperature(frames, localizer.labels, temperature) for frames in scores]
        check = Check(step, -log_likelihood(softened, self.annotations, localizer.labels, fps))
        if all(check.loss < other.loss for other in self.checks):
            self.scores = scores
        self.checks.append(check)
        return steps_of(self.checks, self.least, self.budget) is not None


class RehearsalModule(FinetuneModule):
    """A FinetuneModule at a steady rate, which ends when its judge has seen enough.

    Its checkpoints hold the averaged weights, the checks and the scores too.
    """

    def __init__(self, config: FinetuneConfig, localizer: Localizer, pool: ClipPool, judge: Judge) -> None:
        """config: of the run; its budget bounds the steps."""
        super().__init__(config, localizer, pool)
        self.judge = judge
        self.steps = max(1, config.budget // 2)
        self.average = AveragedModel(localizer, avg_fn=_average, use_buffers=True)

    def rate_share(self, step: int) -> float:
        """Share of the peak learning rate at a step: all of it, after a rise."""
        return min(1.0, (step + 1) / WARMUP_STEPS)

    def on_train_batch_end(self, *_: Any) -> None:
        """Average the weights; judge them when it is time."""
        self.average.update_parameters(self.localizer)
        step = self.global_step
        if self.judge.is_due(step):
            localizer = self.average.module
            assert isinstance(localizer, Localizer)
            self.trainer.should_stop = self.judge.judge(step, localizer) or self.trainer.should_stop
            self.show(held_back_loss=self.judge.checks[-1].loss)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep what the judge has seen."""
        checkpoint["checks"] = [list(check) for check in self.judge.checks]
        checkpoint["scores"] = [torch.from_numpy(scores) for scores in self.judge.scores]

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Go on with what the judge had seen."""
        self.judge.checks = [Check(int(step), float(loss)) for step, loss in checkpoint["checks"]]
        self.judge.scores = [scores.numpy() for scores in checkpoint["scores"]]


def _average(average: Tensor, newest: Tensor, count: Tensor | int) -> Tensor:
    """The average of weights after `count` + 1 steps, from that after `count` and the newest."""
    return average + (newest - average) * ((AVERAGED + 1) / (count + 1 + AVERAGED))
