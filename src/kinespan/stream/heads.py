"""From features of frames to scores, as they come: frame head, refinement, probabilities."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ..localizer import Localizer
from ..refine import Stage, probabilities
from .layers import Count, DilatedStackSteps, Layer, by_frame
from .products import Floats
from .steps import Presence, Steps

Scores = NDArray[np.float32]


class StageSteps(Layer):
    """A stage of refinement: logits of the stage before, and features beside them, to better logits."""

    def __init__(self, stage: Stage, classes: int, features: int, lag: int) -> None:
        """features: channels of the features that it sees; 0: none."""
        self.stack = DilatedStackSteps(stage.stack, lag, rows=1)
        self.out = by_frame(stage.out)
        widths = [classes, features] if features else [classes]
        self.input = Steps(widths, rows=1)
        self.memory, self.lag = (self.input,), self.stack.lag

    def __call__(self, scores: Floats, features: Floats, presence: Presence, end: bool) -> Floats:
        """Logits (n', C + 1) that the next scores (n, C + 1) and features (m, F) make final."""
        self.input.put(scores[None])
        if len(self.input.ends) > 1:
            self.input.put(features[None], 1)
        count = self.input.ready
        x = self.input.windows(count, 1)[:, :, 0].copy()
        self.input.drop(count)
        return self.out(self.stack(x, presence, end)[0])


class Heads:
    """Everything after the fusion; frames in which nobody is there are background."""

    def __init__(self, model: Localizer) -> None:
        self.exclusive = model.labels.exclusive
        self.head = by_frame(model.head.linear)
        self.stages: list[StageSteps] = []
        self.lag = 0
        if model.refine is not None:
            features = model.fusion.channels if model.refine.with_features else 0
            for stage in model.refine.stages:
                assert isinstance(stage, Stage)
                self.stages.append(StageSteps(stage, self.head.outputs, features, self.lag))
                self.lag = self.stages[-1].lag
        self.presence = Presence(0, people=1)
        self.given = Count()

    def expect(self, lag: int) -> None:
        """Features will come up to `lag` frames after their frames."""
        self.presence = Presence(lag + 2 * self.lag + 1, people=1)

    @property
    def parts(self) -> list[Layer]:
        """All that has a memory."""
        return [*self.stages, *(part for stage in self.stages for part in stage.stack.parts), self.given]

    def seen(self, present: NDArray[np.bool_]) -> None:
        """Whether somebody was there in the next frames (n,); told before their features."""
        self.presence.add(present[None])

    def __call__(self, features: Floats, end: bool = False) -> Scores:
        """Scores (n', C + 1) that the next features (n, C) make final."""
        if not len(features) and not end:
            return np.zeros((0, self.head.outputs), dtype=np.float32)
        logits = self.head(features)
        for stage in self.stages:
            logits = stage(self._probable(logits), features, self.presence, end)
        scores = self._probable(logits)
        mask = self.presence.anyone(self.given.done, len(scores), 1)
        if mask is not None:
            scores[mask == 0] = np.eye(1, scores.shape[1], dtype=np.float32)
        self.given.done += len(scores)
        return scores

    def tail(self, present: NDArray[np.bool_], features: Floats) -> Scores:
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

    def _probable(self, logits: Floats) -> Floats:
        """Scores (n, C + 1) of logits (n, C + 1)."""
        return probabilities(torch.from_numpy(logits).T[None], self.exclusive)[0].T.numpy()
