"""The frame head: from fused features to a score per frame and label."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

EVENT_PRIOR = 0.01
"""Score of every event in every frame before training, as RetinaNet starts (Lin et al.: Focal Loss for Dense Object
Detection, ICCV 2017, section 3.3): frames with an event are few, and from 0.5 it takes long to come down."""


def start_rare(layer: nn.Conv1d, event_columns: Sequence[int]) -> None:
    """Set the biases of the event columns of a layer's logits so that they start at `EVENT_PRIOR`."""
    if event_columns:
        assert layer.bias is not None
        layer.bias.data[list(event_columns)] = math.log(EVENT_PRIOR / (1 - EVENT_PRIOR))


class FrameHead(nn.Module):
    """A linear map per frame, (B, C, T) to logits (B, labels + 1, T); column 0 is background."""

    def __init__(self, in_channels: int, num_labels: int, event_columns: Sequence[int] = ()) -> None:
        super().__init__()
        self.linear = nn.Conv1d(in_channels, num_labels + 1, 1)
        start_rare(self.linear, event_columns)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (B, labels + 1, T) of features (B, C, T)."""
        logits: Tensor = self.linear(features)
        return logits
