"""Two views agree on how similar each key of the queue is to them; for views too distorted for InfoNCE.

D3M of AimCLR (Guo et al., AAAI 2022), and the term of RVTCLR+'s distribution-consistency branch (Zhu et al., ICCV
2023).

Notable choices:
- the reference view is the target and gets no gradient, so that the distorted view follows it, not the reverse
- cross-entropy, not the Kullback-Leibler divergence: the two differ by the target's entropy, which has no gradient
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from .info_nce import ContrastiveLoss, contrast_logits


class DistributionLoss(ContrastiveLoss):
    """L = mean_b - sum_i P(k_i | z) log P(k_i | z~), over the positive and the queue; P(. | z) is InfoNCE's softmax.

    z is the reference view, z~ the distorted one.
    """

    def forward(
        self, query: Tensor, reference: Tensor, positive: Tensor, queue: Tensor, negative_mask: Tensor | None = None
    ) -> Tensor:
        """Scalar loss.

        query z~, reference z and positive (B, D), and queue (M, D), are L2-normalised; negative_mask (B, M) bool is
        False for keys that are left out.
        """
        with torch.no_grad():
            target = contrast_logits(reference, positive, queue, negative_mask, self.temperature)
            target = target.softmax(dim=1)  # (B, 1 + M)
        log_probs = contrast_logits(query, positive, queue, negative_mask, self.temperature).log_softmax(dim=1)
        if negative_mask is not None:
            # 0 times minus infinity is no number
            log_probs = log_probs.masked_fill(F.pad(~negative_mask, (1, 0), value=False), 0.0)  # (B, 1 + M)
        return -(target * log_probs).sum(dim=1).mean()
