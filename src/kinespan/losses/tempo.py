"""Relative tempo: a clip is closer to itself at the same tempo than at another one.

Notable choices:
- a margin ranking, not InfoNCE: both keys show the same clip, so neither is a negative
- vectors come L2-normalised, so the difference of similarities lies between -2 and 2
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..errors import InputError


class RelativeTempoLoss(nn.Module):
    """L = mean_b max(0, margin - (q.k_same - q.k_other)): the margin ranking of relative visual tempo.

    RVTCLR (Zhu et al., ICCV 2023). q and both keys are of one clip.
    """

    def __init__(self, margin: float = 1.0) -> None:
        """Raises InputError for a margin that is not positive."""
        super().__init__()
        if not margin > 0:
            raise InputError(f"margin is {margin}, expected a positive number")
        self.margin = margin

    def forward(self, query: Tensor, same_tempo: Tensor, other_tempo: Tensor) -> Tensor:
        """Scalar of the query and the keys at the same and at the other tempo, each (B, D), L2-normalised."""
        difference = (query * (same_tempo - other_tempo)).sum(dim=1)  # (B,)
        return torch.relu(self.margin - difference).mean()
