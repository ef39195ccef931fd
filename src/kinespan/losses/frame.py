"""The per-frame loss of finetuning.

Notable choices:
- frames without a target are ignored; they are not background
- pseudo-labels are learnt as whole distributions: targets may lie between 0 and 1
- overlapping labels have no background column: background is the absence of all labels
- events are independent of spans and of each other: a foot can strike within a step, and both feet at once
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FrameLoss(nn.Module):
    """Cross-entropy for exclusive labels, binary cross-entropy for overlapping ones and for events.

    With targets y_tc and logits x_tc of frame t and column c (0: background, c + 1: label c):

        exclusive     L_t = - sum_c y_tc log softmax(x_t)_c
        overlapping   L_t = - 1/C sum_{c > 0} [ y_tc log sigmoid(x_tc) + (1 - y_tc) log(1 - sigmoid(x_tc)) ]

    over the columns of background and spans; each column c of an event adds the binary cross-entropy of its own,
    - y_tc log sigmoid(x_tc) - (1 - y_tc) log(1 - sigmoid(x_tc)). L is the mean over the frames that have a target.
    Frames whose columns of background and spans are all zero say nothing of spans.
    """

    def __init__(self, exclusive: bool, event_columns: Sequence[int] = ()) -> None:
        super().__init__()
        self.exclusive, self.event_columns = exclusive, list(event_columns)

    def forward(self, logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        """Scalar loss; zero where no frame has a target.

        logits (B, C + 1, T); targets (B, T, C + 1) float in 0..1; mask (B, T) bool, which frames have a target.
        """
        logits = logits.transpose(1, 2)  # (B, T, C + 1)
        event_loss = torch.zeros_like(logits[..., 0])  # (B, T)
        if events := self.event_columns:
            loss = F.binary_cross_entropy_with_logits(logits[..., events], targets[..., events], reduction="none")
            event_loss = loss.sum(dim=2)
            spans = [column for column in range(logits.shape[2]) if column not in events]
            logits, targets = logits[..., spans], targets[..., spans]  # background first
        frame_loss = event_loss + self._span_loss(logits, targets)  # (B, T)
        return torch.where(mask, frame_loss, 0.0).sum() / mask.sum().clamp(min=1)

    def _span_loss(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss (B, T) of the columns of background and spans, logits and targets (B, T, S + 1)."""
        if self.exclusive or logits.shape[2] == 1:
            return -(logits.log_softmax(dim=2) * targets).sum(dim=2)
        loss = F.binary_cross_entropy_with_logits(logits[..., 1:], targets[..., 1:], reduction="none")
        return torch.where(targets.any(dim=2), loss.mean(dim=2), 0.0)
