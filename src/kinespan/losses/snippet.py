"""Snippet discrimination (arXiv 2512.16504): telling short segments of motion apart, within and across recordings."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .info_nce import check_temperature, contrast_logits
from .multi_positive import positives_loss


class AlignedSnippetLoss(nn.Module):
    """InfoNCE over snippets whose positives are the key snippets that cover the same time of the recording.

    With query snippets q_i, key snippets k_j of the same clip window and queue entries n of other recordings:

        w_ij = overlap in time of i and j, normalised over j
        L = mean_i  - sum_j w_ij log( exp(q_i.k_j / tau) / Z_i )
        Z_i = sum_j [j overlaps i, or is further from i than the margin] exp(q_i.k_j / tau) + sum_n exp(q_i.n / tau)

    Key snippets nearer than the margin that do not overlap are neither positive nor negative. A query snippet
    without a valid key snippet over its time (the crops do not meet there, or padding) has no say. With hard targets
    w_ij is 1 for the key snippet that overlaps most, the earliest of equals; others that overlap are left out.
    """

    def __init__(self, temperature: float = 0.07, margin: float = 0.5, within: bool = True, soft: bool = True) -> None:
        """margin in seconds, between snippet borders; within=False takes no negatives of the same recording."""
        super().__init__()
        check_temperature(temperature)
        self.temperature, self.margin, self.within, self.soft = temperature, margin, within, soft

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        query_edges: Tensor,
        key_edges: Tensor,
        query_valid: Tensor,
        key_valid: Tensor,
        queue: Tensor,
        usable: Tensor | None = None,
    ) -> Tensor:
        """Scalar loss; zero where no snippet has a positive.

        query, key (B, K, D) L2-normalised; edges (B, K + 1) seconds in the recording; valid (B, K) bool;
        queue (M, D); usable (B, M) bool, False for queue entries of the same recording.
        """
        overlap, gap = overlap_and_gap(query_edges, key_edges)  # (B, K, K) both
        overlap = overlap * key_valid[:, None]
        if not self.soft:
            most = overlap.argmax(dim=2, keepdim=True)
            overlap = torch.zeros_like(overlap).scatter_(2, most, overlap.gather(2, most))
        total = overlap.sum(dim=2)
        has_positive = (total > 0) & query_valid
        weight = overlap / total.clamp(min=1e-9)[..., None]
        allowed = overlap > 0
        if self.within:
            allowed = allowed | ((gap > self.margin) & key_valid[:, None])
        near = torch.einsum("bid,bjd->bij", query, key).masked_fill(~allowed, -torch.inf)
        far = query @ queue.T  # (B, K, M)
        if usable is not None:
            far = far.masked_fill(~usable[:, None], -torch.inf)
        rows = has_positive.flatten().nonzero()[:, 0]  # once: a GPU has to be waited for
        if len(rows) == 0:
            return query.sum() * 0.0
        logits, weight, allowed = (_rows(x, rows) for x in (torch.cat([near, far], dim=2), weight, allowed))
        picked = (logits / self.temperature).log_softmax(dim=1)[:, : key.shape[1]]
        return -(weight * picked.masked_fill(~allowed, 0.0)).sum(dim=1).mean()


class PaperSnippetLoss(nn.Module):
    """The paper's own snippet term as its release has it: arg-max positives, one negative vector per video.

    The positive of query snippet i is the key snippet j whose backbone feature has the largest dot product with
    that of i (as in DenseCL, Wang et al., CVPR 2021); negatives are time-averaged, normalised projections of
    other videos. L = mean_i InfoNCE(q_i, k_j(i), queue); with neighbours N_i mined from the queue, their average

        L = mean_i -1 / (1 + |N_i|) ( log P(k_j(i) | q_i) + sum_{n in N_i} log P(n | q_i) )
    """

    def __init__(self, temperature: float = 0.07) -> None:
        super().__init__()
        check_temperature(temperature)
        self.temperature = temperature

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        query_features: Tensor,
        key_features: Tensor,
        query_valid: Tensor,
        key_valid: Tensor,
        queue: Tensor,
        usable: Tensor | None = None,
        mined: Tensor | None = None,
    ) -> Tensor:
        """Scalar of projections query, key (B, K, D), backbone features (B, K, C), valid (B, K), queue (M, D).

        usable (B, M) bool leaves some of the queue out; mined (B, K, M) bool says which of it are positives too.
        """
        alike = torch.einsum("bic,bjc->bij", query_features, key_features)
        alike = alike.masked_fill(~key_valid[:, None], -torch.inf)
        best = alike.argmax(dim=2)  # (B, K)
        positive = key.gather(1, best[..., None].expand(-1, -1, key.shape[2]))
        scored = query_valid & key_valid.any(dim=1, keepdim=True)
        rows = scored.flatten().nonzero()[:, 0]
        if len(rows) == 0:
            return query.sum() * 0.0
        allowed = None if usable is None else usable[:, None]
        logits = _rows(contrast_logits(query, positive, queue, allowed, self.temperature), rows)
        if mined is None:
            return -logits.log_softmax(dim=1)[:, 0].mean()
        return positives_loss(logits, _rows(mined, rows)).mean()


def _rows(x: Tensor, rows: Tensor) -> Tensor:
    """Of x (B, K, M) the snippets (N, M) whose numbers rows (N,) names."""
    return x.flatten(0, 1).index_select(0, rows)


def overlap_and_gap(query_edges: Tensor, key_edges: Tensor) -> tuple[Tensor, Tensor]:
    """Seconds (B, K, K') that segments share, and that lie between them, from their edges (B, K + 1), (B, K' + 1)."""
    start = torch.maximum(query_edges[:, :-1, None], key_edges[:, None, :-1])
    end = torch.minimum(query_edges[:, 1:, None], key_edges[:, None, 1:])
    return (end - start).clamp(min=0), (start - end).clamp(min=0)
