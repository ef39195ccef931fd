"""Refinement in stages: from frame scores to better frame scores, by the scores of the frames around.

MS-TCN (Abu Farha and Gall: Multi-Stage Temporal Convolutional Network for Action Segmentation, CVPR 2019), section
3.2: each stage takes the probabilities of the stage before and gives logits of its own; all of them are supervised.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..encoders.tcn import WIDTH, DilatedStack, doubling
from .head import start_rare

MAX_LAYERS = 8
"""Layers of a stage that was trained on long clips: 255 frames to each side."""


def stage_layers(clip_frames: int) -> int:
    """Layers of a stage for clips of so many frames: no dilation is longer than half a clip.

    The outer taps of a longer one would meet padding alone in training, and motion in use.
    """
    return max(1, min(MAX_LAYERS, clip_frames.bit_length() - 1))


def probabilities(logits: Tensor, exclusive: bool, event_columns: Sequence[int] = ()) -> Tensor:
    """Scores (B, C + 1, T) of logits (B, C + 1, T): softmax, or sigmoids with background = 1 - the largest.

    Columns of events are sigmoids; background says nothing of them.
    """
    logits = logits.float()
    if event_columns:
        scores, events = torch.empty_like(logits), list(event_columns)
        spans = [column for column in range(logits.shape[1]) if column not in events]  # background first
        scores[:, events] = logits[:, events].sigmoid()
        scores[:, spans] = probabilities(logits[:, spans], exclusive or len(spans) == 1)
        return scores
    if exclusive:
        return logits.softmax(dim=1)
    labels = logits[:, 1:].sigmoid()  # (B, C, T)
    return torch.cat([1 - labels.amax(dim=1, keepdim=True), labels], dim=1)


class Stage(nn.Module):
    """One stage: dilated residual layers, then a linear map per frame to logits."""

    def __init__(
        self, in_channels: int, classes: int, layers: int, dropout: float, event_columns: Sequence[int] = ()
    ) -> None:
        super().__init__()
        self.stack = DilatedStack(in_channels, WIDTH, doubling(layers), dropout)
        self.out = nn.Conv1d(WIDTH, classes, 1)
        start_rare(self.out, event_columns)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B, C, T) and mask (B, T) to logits (B, classes, T), without meaning outside the mask."""
        logits: Tensor = self.out(self.stack(x, mask))
        return logits


class Refinement(nn.Module):
    """Stages one after another; ``halo`` is how many frames to each side a refined score depends on.

    classes: labels + 1, of which the event_columns are sigmoids. features: channels of the fused features that every
    stage sees beside the scores; 0, none (in MS-TCN they do harm). Frames where nobody is present are seen by no stage.
    """

    def __init__(
        self,
        classes: int,
        stages: int,
        clip_frames: int,
        exclusive: bool,
        features: int = 0,
        dropout: float = 0.0,
        event_columns: Sequence[int] = (),
    ) -> None:
        super().__init__()
        layers = stage_layers(clip_frames)
        self.exclusive, self.with_features, self.event_columns = exclusive, features > 0, event_columns
        shape = (classes + features, classes, layers)
        self.stages = nn.ModuleList(Stage(*shape, dropout, event_columns) for _ in range(stages))
        self.halo = stages * sum(doubling(layers))

    def forward(self, logits: Tensor, features: Tensor, mask: Tensor) -> list[Tensor]:
        """Logits (B, C + 1, T) of every stage.

        logits (B, C + 1, T) are the head's, features (B, F, T) the fused ones, mask (B, T) says where somebody is.
        """
        stage_logits = [logits]
        for stage in self.stages:
            x = probabilities(stage_logits[-1], self.exclusive, self.event_columns)  # (B, C + 1, T)
            if self.with_features:
                x = torch.cat([x, features.float()], dim=1)  # (B, C + 1 + features, T)
            stage_logits.append(stage(x, mask))
        return stage_logits[1:]
