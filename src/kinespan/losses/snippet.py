"""Snippet discrimination: telling short segments of motion apart, within and across recordings.

The term of Cheng et al., "Skeleton-Snippet Contrastive Learning with Multiscale Feature Fusion for Action Localization"
(arXiv 2512.16504), in two variants. Notable choices of ours (`AlignedSnippetLoss`):
- the positive is known, not guessed: the key snippet that covers the same time of the recording
- snippets of two crops overlap by fractions, so targets are soft
- other snippets of the same recording are negatives, but for a margin around the query, where motion hardly differs
- a queue of single snippets, where the paper's has one mean vector per video
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .info_nce import ContrastiveLoss, contrast_logits
from .multi_positive import positives_loss


@dataclass(frozen=True)
class Snippets:
    """K equal, non-overlapping snippets of each of B views.

    vectors (B, K, D), projected and L2-normalised; valid (B, K) bool, False in padding; edges (B, K + 1), the seconds
    of the recording at which snippets begin and end; features (B, K, C), what the vectors are projected from.
    """

    vectors: Tensor
    valid: Tensor
    edges: Tensor
    features: Tensor


class AlignedSnippetLoss(ContrastiveLoss):
    """InfoNCE over snippets whose positives are the key snippets that cover the same time of the recording.

    With query snippets q_i, key snippets k_j of the same clip window and queue entries n of other recordings:

        w_ij = overlap in time of i and j, normalised over j
        L = mean_i  - sum_j w_ij log( exp(q_i.k_j / tau) / Z_i )
        Z_i = sum_j [j overlaps i, or is further from i than the margin] exp(q_i.k_j / tau) + sum_n exp(q_i.n / tau)

    Key snippets nearer than the margin that do not overlap are neither positive nor negative. A query snippet without a
    valid key snippet over its time (the crops do not meet there, or padding) is left out of the mean. With hard targets
    w_ij is 1 for the key snippet that overlaps most, the earliest of equals; others that overlap are left out.
    """

    def __init__(
        self,
        temperature: float = 0.07,
        margin: float = 0.5,
        same_recording_negatives: bool = True,
        soft_targets: bool = True,
    ) -> None:
        """margin in seconds, between snippet borders. Raises InputError for a temperature that is not positive."""
        super().__init__(temperature)
        self.margin = margin
        self.same_recording_negatives, self.soft_targets = same_recording_negatives, soft_targets

    def forward(self, query: Snippets, key: Snippets, queue: Tensor, negative_mask: Tensor | None = None) -> Tensor:
        """Scalar loss; zero where no query snippet has a positive.

        queue (M, D) is L2-normalised; negative_mask (B, M) bool is False for entries of the query's own recording.
        """
        overlap, gap = overlap_and_gap(query.edges, key.edges)  # both (B, K, K'): query snippets x key snippets
        overlap = overlap * key.valid[:, None]
        if not self.soft_targets:
            longest = overlap.argmax(dim=2, keepdim=True)  # (B, K, 1)
            overlap = torch.zeros_like(overlap).scatter_(2, longest, overlap.gather(2, longest))
        covered = overlap.sum(dim=2)  # (B, K): seconds of the query snippet that the key view shows
        has_positive = (covered > 0) & query.valid  # (B, K)
        target = overlap / covered.clamp(min=1e-9)[..., None]  # (B, K, K'): w_ij
        in_denominator = overlap > 0  # (B, K, K')
        if self.same_recording_negatives:
            in_denominator = in_denominator | ((gap > self.margin) & key.valid[:, None])
        # b: clips, i: query snippets, j: key snippets, d: dimensions
        key_logits = torch.einsum("bid,bjd->bij", query.vectors, key.vectors)  # (B, K, K')
        key_logits = key_logits.masked_fill(~in_denominator, -torch.inf)
        queue_logits = query.vectors @ queue.T  # (B, K, M)
        if negative_mask is not None:
            queue_logits = queue_logits.masked_fill(~negative_mask[:, None], -torch.inf)
        logits = torch.cat([key_logits, queue_logits], dim=2)  # (B, K, K' + M)
        rows = has_positive.flatten().nonzero()[:, 0]  # (N,), looked up once: a GPU has to be waited for
        if len(rows) == 0:
            return query.vectors.sum() * 0.0
        logits, target, in_denominator = (_select_rows(x, rows) for x in (logits, target, in_denominator))  # (N, ...)
        log_probs = (logits / self.temperature).log_softmax(dim=1)[:, : key.vectors.shape[1]]  # (N, K')
        # masked, not multiplied: the log-softmax of what is left out is minus infinity
        return -(target * log_probs.masked_fill(~in_denominator, 0.0)).sum(dim=1).mean()


class PaperSnippetLoss(ContrastiveLoss):
    """The paper's own snippet term as its release has it: arg-max positives, one negative vector per video.

    The positive of query snippet i is the key snippet j whose backbone feature has the largest dot product with that of
    i (as in DenseCL, Wang et al., CVPR 2021); negatives are time-averaged, normalised projections of other videos.
    L = mean_i InfoNCE(q_i, k_j(i), queue); with neighbours N_i mined from the queue, their average

        L = mean_i -1 / (1 + |N_i|) ( log P(k_j(i) | q_i) + sum_{n in N_i} log P(n | q_i) )
    """

    def forward(
        self,
        query: Snippets,
        key: Snippets,
        queue: Tensor,
        negative_mask: Tensor | None = None,
        mined: Tensor | None = None,
    ) -> Tensor:
        """Scalar loss; zero where no query snippet has a positive.

        queue (M, D) is L2-normalised; negative_mask (B, M) bool is False for entries of the query's own recording;
        mined (B, K, M) bool says which of the queue are positives too.
        """
        # b: clips, i: query snippets, j: key snippets, c: channels
        similarity = torch.einsum("bic,bjc->bij", query.features, key.features)  # (B, K, K')
        similarity = similarity.masked_fill(~key.valid[:, None], -torch.inf)
        best = similarity.argmax(dim=2)  # (B, K): j(i)
        positive = key.vectors.gather(1, best[..., None].expand(-1, -1, key.vectors.shape[2]))  # (B, K, D)
        has_positive = query.valid & key.valid.any(dim=1, keepdim=True)  # (B, K)
        rows = has_positive.flatten().nonzero()[:, 0]  # (N,)
        if len(rows) == 0:
            return query.vectors.sum() * 0.0
        mask = None if negative_mask is None else negative_mask[:, None]  # (B, 1, M)
        logits = contrast_logits(query.vectors, positive, queue, mask, self.temperature)  # (B, K, 1 + M)
        logits = _select_rows(logits, rows)  # (N, 1 + M)
        if mined is None:
            return -logits.log_softmax(dim=1)[:, 0].mean()
        return positives_loss(logits, _select_rows(mined, rows)).mean()


def _select_rows(x: Tensor, rows: Tensor) -> Tensor:
    """The rows (N, M) of x (B, K, M) at `rows` (N,), indices into its B K snippets."""
    return x.flatten(0, 1).index_select(0, rows)


def overlap_and_gap(query_edges: Tensor, key_edges: Tensor) -> tuple[Tensor, Tensor]:
    """Seconds (B, K, K') that two segments share, and seconds between them, from edges (B, K + 1) and (B, K' + 1)."""
    start = torch.maximum(query_edges[:, :-1, None], key_edges[:, None, :-1])  # (B, K, K'): the later start
    end = torch.minimum(query_edges[:, 1:, None], key_edges[:, None, 1:])  # (B, K, K'): the earlier end
    return (end - start).clamp(min=0), (start - end).clamp(min=0)
