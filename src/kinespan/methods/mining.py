"""Nearest-neighbour mining: keys of other recordings so similar to a query that they count as positives.

Which vectors mine is the method's choice: those of another stream (CrosSCLR, Li et al., CVPR 2021, section 3.2), of the
normal, extreme and dropped views together (AimCLR, Guo et al., AAAI 2022), or query snippets (arXiv 2512.16504).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import InputError


@torch.no_grad()
def nearest(query: Tensor, keys: Tensor, negative_mask: Tensor, count: int) -> Tensor:
    """Which keys (..., M) bool are among the `count` most similar to each query.

    query (..., D) and keys (M, D), L2-normalised; negative_mask (..., M) bool, False for keys that are no candidates.
    Where there are fewer than `count` candidates, all of them are mined.
    """
    similarity = (query @ keys.T).masked_fill(~negative_mask, -torch.inf)  # (..., M)
    best = similarity.topk(min(count, keys.shape[0]), dim=-1).indices  # (..., count)
    return torch.zeros_like(similarity, dtype=torch.bool).scatter(-1, best, True) & negative_mask


def nearest_to_any(queries: Sequence[Tensor], keys: Tensor, negative_mask: Tensor, count: int) -> Tensor:
    """Which keys (..., M) bool are among the `count` most similar to at least one of several views' queries."""
    return torch.stack([nearest(query, keys, negative_mask, count) for query in queries]).any(dim=0)


def check_mining(topk: int, mine_from: float) -> None:
    """Raises InputError for fewer than one neighbour, or a start of mining that is no share of the steps."""
    if topk < 1:
        raise InputError(f"--options.topk is {topk}, expected at least 1; --options.mine_from 1 turns mining off")
    if not 0 <= mine_from <= 1:
        raise InputError(f"--options.mine_from is {mine_from}, a share of the steps, expected 0 to 1")
