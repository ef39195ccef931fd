"""The frame head: from fused features to a score per frame and label."""

from __future__ import annotations

from torch import Tensor, nn


class FrameHead(nn.Module):
    """A linear map per frame, (B, C, T) to logits (B, labels + 1, T); column 0 is background."""

    def __init__(self, in_channels: int, num_labels: int) -> None:
        super().__init__()
        self.linear = nn.Conv1d(in_channels, num_labels + 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Logits (B, labels + 1, T) of features (B, C, T)."""
        logits: Tensor = self.linear(features)
        return logits
