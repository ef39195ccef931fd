"""Agreement of two views on how alike the queue is to them, for views too strongly changed to be told apart by InfoNCE.

D3M of AimCLR (Guo et al., AAAI 2022), and the term of RVTCLR+'s distribution-consistency branch (Zhu et al., ICCV
2023).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .info_nce import check_temperature, contrast_logits


class DistributionLoss(nn.Module):
    """L = mean_b - sum_i P(k_i | z) log P(k_i | z~), over the positive and the queue; P(. | z) is InfoNCE's softmax.

    z is the reference view, whose distribution is the target and gets no gradient; z~ the view that learns from it.
    It is the Kullback-Leibler divergence but for the entropy of the target, which has no gradient. Vectors come
    L2-normalised.
    """

    def __init__(self, temperature: float = 0.07) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature

    def forward(
        self, query: Tensor, reference: Tensor, positive: Tensor, queue: Tensor, usable: Tensor | None = None
    ) -> Tensor:
        """Scalar of query z~, reference z and positive (B, D), queue (M, D); usable (B, M) bool leaves some out."""
        with torch.no_grad():
            target = contrast_logits(reference, positive, queue, usable, self.temperature).softmax(dim=1)
        logs = contrast_logits(query, positive, queue, usable, self.temperature).log_softmax(dim=1)
        if usable is not None:
            logs = logs.masked_fill(F.pad(~usable, (1, 0), value=False), 0.0)
        return -(target * logs).sum(dim=1).mean()
