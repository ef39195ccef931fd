"""The momentum copy of a network that makes the keys (He et al., MoCo, CVPR 2020, equation 2)."""

from __future__ import annotations

import copy

import torch
from torch import nn

from ..errors import InputError


class Momentum(nn.Module):
    """slow = m slow + (1 - m) fast after each step; slow is never trained by gradients."""

    def __init__(self, momentum: float) -> None:
        """Raises InputError for a momentum outside [0, 1)."""
        super().__init__()
        if not 0 <= momentum < 1:
            raise InputError(f"momentum is {momentum}, expected at least 0 and below 1")
        self.momentum = momentum

    @torch.no_grad()
    def update(self, fast: nn.Module, slow: nn.Module) -> None:
        """One step of the moving average over parameters. Buffers (batch norm) are the slow network's own."""
        pairs = zip(slow.parameters(), fast.parameters(), strict=True)
        slow_parameters, fast_parameters = zip(*pairs, strict=True)
        torch._foreach_lerp_(list(slow_parameters), list(fast_parameters), 1 - self.momentum)


def slow_copy(fast: nn.Module) -> nn.Module:
    """A copy that needs no gradients."""
    slow = copy.deepcopy(fast)
    slow.requires_grad_(False)
    return slow
