"""The per-frame loss of finetuning."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FrameLoss(nn.Module):
    """Cross-entropy for exclusive labels, binary cross-entropy for overlapping ones; unlabelled time is ignored.

    Targets are hits (B, T, C + 1): column 0 background, column c + 1 label c; a frame without any hit is unlabelled.
    They are bool, or float32 where scores are to be learnt: then it is the cross-entropy to what a teacher says. The
    mean runs over labelled frames (and, for overlapping labels, over labels).
    """

    def __init__(self, exclusive: bool) -> None:
        super().__init__()
        self.exclusive = exclusive

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Scalar of logits (B, C + 1, T) and targets (B, T, C + 1); zero where nothing is labelled."""
        logits = logits.transpose(1, 2)
        labelled = targets.any(dim=2)
        if not self.exclusive:
            loss = F.binary_cross_entropy_with_logits(logits[..., 1:], targets[..., 1:].float(), reduction="none")
            per_frame = loss.mean(dim=2)
        else:
            per_frame = -(logits.log_softmax(dim=2) * targets).sum(dim=2)
        return torch.where(labelled, per_frame, 0.0).sum() / labelled.sum().clamp(min=1)
