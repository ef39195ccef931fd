"""InfoNCE with more than one positive: the key and the neighbours that were mined from the queue."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from .info_nce import check_temperature, contrast_logits


class MultiPositiveLoss(nn.Module):
    """L = mean_b -1 / (1 + |N_b|) ( log P(k+ | q) + sum_{i in N_b} log P(k_i | q) ), P as in InfoNCE over all keys.

    The form that the skeleton contrastive family trains with once it mines neighbours N_b (CrosSCLR, Li et al., CVPR
    2021; AimCLR, Guo et al., AAAI 2022; RVTCLR+, Zhu et al., ICCV 2023): the average of log-softmax over the
    positives. Without neighbours it is InfoNCE. Vectors come L2-normalised.
    """

    def __init__(self, temperature: float = 0.07) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature

    def forward(
        self, query: Tensor, positive: Tensor, queue: Tensor, mined: Tensor, usable: Tensor | None = None
    ) -> Tensor:
        """Scalar of query (B, D), positive (B, D), queue (M, D) and mined (B, M) bool: which of it are positives too.

        usable (B, M) bool leaves some of the queue out; what is mined must be usable.
        """
        logits = contrast_logits(query, positive, queue, usable, self.temperature)
        return positives_loss(logits, mined).mean()


def positives_loss(logits: Tensor, mined: Tensor) -> Tensor:
    """Minus the mean log-softmax (...) over the positives: column 0 of logits (..., 1 + M), and mined (..., M)."""
    positives = F.pad(mined, (1, 0), value=True)
    picked = logits.log_softmax(dim=-1).masked_fill(~positives, 0.0)
    return -picked.sum(dim=-1) / positives.sum(dim=-1)
