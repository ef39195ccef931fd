"""The smoothing term of MS-TCN: scores that flicker from frame to frame cost."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import InputError


class SmoothingLoss(nn.Module):
    """Truncated mean squared difference of log-probabilities of neighbouring frames.

        L = 1 / (N C) sum_{t, c} min(tau, |log y_(t,c) - log y_(t-1,c)|)^2

    over N pairs of neighbours that are both there (Abu Farha and Gall: MS-TCN, CVPR 2019, section 3.3; its weight
    lambda beside the frame loss is 0.15). The earlier frame gets no gradient. y is the softmax over background and
    labels; for overlapping labels each label is a distribution of its own, (holds, does not), and C counts both.
    """

    def __init__(self, exclusive: bool, tau: float = 4.0) -> None:
        """Raises InputError for a tau that is not positive."""
        super().__init__()
        if not tau > 0:
            raise InputError(f"tau is {tau}, expected a positive number")
        self.exclusive, self.tau = exclusive, tau

    def forward(self, logits: Tensor, mask: Tensor) -> Tensor:
        """Scalar of logits (B, C + 1, T) and mask (B, T), which frames are there; zero where no two are neighbours."""
        if self.exclusive:
            logs = logits.log_softmax(dim=1)
        else:
            logs = torch.cat([F.logsigmoid(logits[:, 1:]), F.logsigmoid(-logits[:, 1:])], dim=1)
        change = (logs[..., 1:] - logs[..., :-1].detach()).abs().clamp(max=self.tau)
        both = mask[:, 1:] & mask[:, :-1]
        per_pair = torch.where(both, change.square().mean(dim=1), 0.0)
        return per_pair.sum() / both.sum().clamp(min=1)
