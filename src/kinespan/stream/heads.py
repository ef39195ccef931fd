"""From features of frames to scores, as they come: frame head, refinement, probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..localizer import Localizer
from ..refine import Stage, probabilities
from .layers import Count, DilatedStackSteps, Layer, by_frame
from .steps import Presence, Steps

Scores = NDArray[np.float32]


class StageSteps(Layer):
    """A stage of refinement: logits of the stage before, and features beside them, to better logits."""

    def __init__(self, stage: Stage, classes: int, features: int, lag: int) -> None:
        """features: channels of the features that it sees; 0: none."""
        self.stack = DilatedStackSteps(stage.stack, lag, rows=1)
        self.out = by_frame(stage.out)
        widths = [classes, features] if features else [classes]
        self.input = Steps(widths, stage.out.weight.device, rows=1)
        self.memory, self.lag = (self.input,), self.stack.lag

    def __call__(self, scores: Tensor, features: Tensor, presence: Presence, end: bool) -> Tensor:
        """Logits (n', C + 1) that the next scores (n, C + 1) and features (m, F) make final."""
        self.input.put(scores[None])
        if len(self.input.ends) > 1:
            self.input.put(features[None], 1)
        count = self.input.ready
        x = self.input.windows(count, 1)[:, :, 0].clone()
        self.input.drop(count)
        return self.out(self.stack(x, presence, end)[0])


class Heads:
    """Everything after the fusion; frames in which nobody is there are background."""

    def __init__(self, model: Localizer) -> None:
        self.exclusive = model.labels.exclusive
        self.head, self.device = by_frame(model.head.linear), model.head.linear.weight.device
        self.stages: list[StageSteps] = []
        self.lag = 0
        if model.refine is not None:
            features = model.fusion.channels if model.refine.beside else 0
            for stage in model.refine.stages:
                assert isinstance(stage, Stage)
                self.stages.append(StageSteps(stage, self.head.outputs, features, self.lag))
                self.lag = self.stages[-1].lag
        self.presence = Presence(0, self.device, people=1)
        self.given = Count()

    def expect(self, lag: int) -> None:
        """Features will come up to `lag` frames after their frames."""
        self.presence = Presence(lag + 2 * self.lag + 1, self.device, people=1)

    @property
    def parts(self) -> list[Layer]:
        """All that has a memory."""
        return [*self.stages, *(part for stage in self.stages for part in stage.stack.parts), self.given]

    def seen(self, present: NDArray[np.bool_]) -> None:
        """Whether somebody was there in the next frames (n,); told before their features."""
        self.presence.add(present[None])

    def __call__(self, features: Tensor, end: bool = False) -> Scores:
        """Scores (n', C + 1) that the next features (n, C) make final."""
        features = features.to(self.device)
        logits: Tensor = self.head(features)
        for stage in self.stages:
            logits = stage(self._probable(logits), features, self.presence, end)
        scores: Scores = self._probable(logits).cpu().numpy()
        mask = self.presence.anyone(self.given.done, len(scores), 1)
        if mask is not None:
            scores = scores.copy()
            scores[mask.cpu().numpy() == 0] = np.eye(1, scores.shape[1], dtype=np.float32)
        self.given.done += len(scores)
        return scores

    def tail(self, present: NDArray[np.bool_], features: Tensor) -> Scores:
        """Scores of all frames that are not final yet, of a recording that ends after these features; changes nothing.

        present: whether somebody was there in further frames (n,).
        """
        presence, kept = self.presence.save(), [part.save() for part in self.parts]
        self.seen(present)
        scores = self(features, end=True)
        self.presence.load(presence)
        for part, one in zip(self.parts, kept, strict=True):
            part.load(one)
        return scores

    def _probable(self, logits: Tensor) -> Tensor:
        """Scores (n, C + 1) of logits (n, C + 1)."""
        return probabilities(logits.T[None], self.exclusive)[0].T
