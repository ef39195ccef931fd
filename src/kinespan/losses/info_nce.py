"""InfoNCE against a queue of negatives: the video term.

Notable choices:
- one positive per query, and negatives that all queries of the batch share
- negatives of the query's own recording are masked out, never pushed away
- vectors come L2-normalised, so a dot product is a cosine similarity
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import InputError


class ContrastiveLoss(nn.Module):
    """A loss of similarities over a temperature tau."""

    def __init__(self, temperature: float = 0.07) -> None:
        """temperature: tau. Raises InputError for one that is not positive."""
        super().__init__()
        if not temperature > 0:
            raise InputError(f"temperature is {temperature}, expected a positive number")
        self.temperature = temperature


class InfoNCELoss(ContrastiveLoss):
    """L = mean_b -log( exp(q.k+ / tau) / (exp(q.k+ / tau) + sum_n exp(q.k-_n / tau)) ).

    Van den Oord et al. 2018, in MoCo's form (He et al., CVPR 2020, equation 1).
    """

    def forward(
        self, query: Tensor, positive: Tensor, negatives: Tensor, negative_mask: Tensor | None = None
    ) -> Tensor:
        """Scalar loss.

        query, positive (B, D) and negatives (M, D) are L2-normalised; negative_mask (B, M) bool is False where a vector
        is no negative of that query, None where all are.
        """
        logits = contrast_logits(query, positive, negatives, negative_mask, self.temperature)  # (B, 1 + M)
        target = torch.zeros(len(query), dtype=torch.long, device=query.device)  # (B,): column 0 is the positive
        return F.cross_entropy(logits, target)


def contrast_logits(
    query: Tensor, positive: Tensor, negatives: Tensor, negative_mask: Tensor | None, temperature: float
) -> Tensor:
    """Logits (..., 1 + M): similarity to the positive, then to each negative, over the temperature.

    query, positive (..., D) and negatives (M, D); negative_mask (..., M) bool is False for vectors that are left out:
    their logit is minus infinity.
    """
    positive_logits = (query * positive).sum(dim=-1, keepdim=True)  # (..., 1)
    negative_logits = query @ negatives.T  # (..., M)
    if negative_mask is not None:
        negative_logits = negative_logits.masked_fill(~negative_mask, -torch.inf)
    return torch.cat([positive_logits, negative_logits], dim=-1) / temperature
