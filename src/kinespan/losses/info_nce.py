"""InfoNCE against a queue of negatives: the video-level term."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import InputError


def check_temperature(temperature: float) -> None:
    """Raises InputError for a temperature that is not positive."""
    if not temperature > 0:
        raise InputError(f"temperature is {temperature}, expected a positive number")


class InfoNCELoss(nn.Module):
    """L = mean_b -log( exp(q.k+ / tau) / (exp(q.k+ / tau) + sum_n exp(q.k-_n / tau)) ).

    Van den Oord et al. 2018, in MoCo's form (He et al., CVPR 2020, equation 1). Vectors come L2-normalised.
    """

    def __init__(self, temperature: float = 0.07) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature

    def forward(self, query: Tensor, positive: Tensor, negatives: Tensor, usable: Tensor | None = None) -> Tensor:
        """Scalar of query (B, D), positive (B, D), negatives (M, D); usable (B, M) bool leaves some negatives out."""
        logits = contrast_logits(query, positive, negatives, usable, self.temperature)
        return F.cross_entropy(logits, torch.zeros(len(query), dtype=torch.long, device=query.device))


def contrast_logits(
    query: Tensor, positive: Tensor, negatives: Tensor, usable: Tensor | None, temperature: float
) -> Tensor:
    """Similarities (..., 1 + M) over temperature of query (..., D) to its positive (..., D), then to negatives (M, D).

    usable (..., M) bool, False for negatives that are left out: minus infinity.
    """
    near = (query * positive).sum(dim=-1, keepdim=True)
    far = query @ negatives.T
    if usable is not None:
        far = far.masked_fill(~usable, -torch.inf)
    return torch.cat([near, far], dim=-1) / temperature
