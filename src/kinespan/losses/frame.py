"""The per-frame loss of finetuning.

Notable choices:
- frames without a target are ignored; they are not background
- pseudo-labels are learnt as whole distributions: targets may lie between 0 and 1
- overlapping labels have no background column: background is the absence of all labels
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FrameLoss(nn.Module):
    """Cross-entropy for exclusive labels, binary cross-entropy for overlapping ones.

    With targets y_tc and logits x_tc of frame t and column c (0: background, c + 1: label c):

        exclusive     L_t = - sum_c y_tc log softmax(x_t)_c
        overlapping   L_t = - 1/C sum_{c > 0} [ y_tc log sigmoid(x_tc) + (1 - y_tc) log(1 - sigmoid(x_tc)) ]

    and L is the mean of L_t over the frames that have a target.
    """

    def __init__(self, exclusive: bool) -> None:
        super().__init__()
        self.exclusive = exclusive

    def forward(self, logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
        """Scalar loss; zero where no frame has a target.

        logits (B, C + 1, T); targets (B, T, C + 1) float in 0..1; mask (B, T) bool, which frames have a target.
        """
        logits = logits.transpose(1, 2)  # (B, T, C + 1)
        if not self.exclusive:
            loss = F.binary_cross_entropy_with_logits(logits[..., 1:], targets[..., 1:], reduction="none")
            frame_loss = loss.mean(dim=2)  # (B, T)
        else:
            frame_loss = -(logits.log_softmax(dim=2) * targets).sum(dim=2)  # (B, T)
        return torch.where(mask, frame_loss, 0.0).sum() / mask.sum().clamp(min=1)
