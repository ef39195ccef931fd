"""The smoothing term of MS-TCN: scores that flicker from frame to frame cost.

Notable choices:
- changes beyond tau cost no more, so that a real change of action is not punished for being sharp
- the earlier frame of a pair gets no gradient
- frames of padding, and pairs across them, cost nothing
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import InputError


class SmoothingLoss(nn.Module):
    """Truncated mean squared difference of log-probabilities of neighbouring frames.

        L = 1 / (N C) sum_{t, c} min(tau, |log y_(t,c) - log y_(t-1,c)|)^2

    over N pairs of neighbouring valid frames (Abu Farha and Gall: MS-TCN, CVPR 2019, section 3.3; its weight lambda
    beside the frame loss is 0.15). y is the softmax over background and labels; for overlapping labels each label is a
    distribution of its own, (holds, does not), and C counts both.
    """

    def __init__(self, exclusive: bool, tau: float = 4.0) -> None:
        """Raises InputError for a tau that is not positive."""
        super().__init__()
        if not tau > 0:
            raise InputError(f"tau is {tau}, expected a positive number")
        self.exclusive, self.tau = exclusive, tau

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Scalar of logits (B, C + 1, T) and mask (B, T), which frames are valid; zero where no pair of them is."""
        if self.exclusive:
            log_probs = logits.log_softmax(dim=1)  # (B, C + 1, T)
        else:
            log_probs = torch.cat([F.logsigmoid(logits[:, 1:]), F.logsigmoid(-logits[:, 1:])], dim=1)  # (B, 2 C, T)
        change = (log_probs[..., 1:] - log_probs[..., :-1].detach()).abs().clamp(max=self.tau)  # (B, C, T - 1)
        both_valid = mask[:, 1:] & mask[:, :-1]  # (B, T - 1)
        pair_loss = torch.where(both_valid, change.square().mean(dim=1), 0.0)  # (B, T - 1)
        return pair_loss.sum() / both_valid.sum().clamp(min=1)
