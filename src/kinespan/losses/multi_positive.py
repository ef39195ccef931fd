"""InfoNCE with more than one positive: the key, and the neighbours that were mined from the queue.

Notable choices:
- the mean of log-probabilities over the positives, not the log of their summed probability
- mined neighbours stay in the denominator, as every key does
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from .info_nce import ContrastiveLoss, contrast_logits


class MultiPositiveLoss(ContrastiveLoss):
    """L = mean_b -1 / (1 + |N_b|) ( log P(k+ | q) + sum_{i in N_b} log P(k_i | q) ), P as in InfoNCE over all keys.

    The form that the skeleton contrastive family trains with once it mines neighbours N_b (CrosSCLR, Li et al., CVPR
    2021; AimCLR, Guo et al., AAAI 2022; RVTCLR+, Zhu et al., ICCV 2023). Without neighbours it is InfoNCE.
    """

    def forward(
        self, query: Tensor, positive: Tensor, queue: Tensor, mined: Tensor, negative_mask: Tensor | None = None
    ) -> Tensor:
        """Scalar loss.

        query, positive (B, D) and queue (M, D) are L2-normalised; mined (B, M) bool says which of the queue are
        positives too; negative_mask (B, M) bool is False for keys that are left out, of which none may be mined.
        """
        logits = contrast_logits(query, positive, queue, negative_mask, self.temperature)  # (B, 1 + M)
        return positives_loss(logits, mined).mean()


def positives_loss(logits: Tensor, mined: Tensor) -> Tensor:
    """Minus the mean log-softmax (...) over the positives: column 0 of logits (..., 1 + M), and mined (..., M)."""
    positives = F.pad(mined, (1, 0), value=True)  # (..., 1 + M)
    # masked, not multiplied: the log-softmax of what is left out is minus infinity
    positive_log_probs = logits.log_softmax(dim=-1).masked_fill(~positives, 0.0)  # (..., 1 + M)
    return -positive_log_probs.sum(dim=-1) / positives.sum(dim=-1)  # (...)
