"""Nearest-neighbour mining: keys of other recordings that are so alike that they count as positives.

Which vectors look for neighbours is the method's own: another stream's (CrosSCLR, Li et al., CVPR 2021, section 3.2),
those of the normal, extreme and dropped views together (AimCLR, Guo et al., AAAI 2022), query snippets (arXiv
2512.16504).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..errors import InputError


@torch.no_grad()
def nearest(query: Tensor, keys: Tensor, usable: Tensor, count: int) -> Tensor:
    """Which keys (..., M) bool are among the `count` most similar to each query.

    query (..., D) and keys (M, D), L2-normalised; usable (..., M) bool, False for keys that are no candidates. Where
    fewer than `count` are usable, all of them are taken.
    """
    alike = (query @ keys.T).masked_fill(~usable, -torch.inf)
    best = alike.topk(min(count, keys.shape[0]), dim=-1).indices
    return torch.zeros_like(alike, dtype=torch.bool).scatter(-1, best, True) & usable


def nearest_to_any(queries: Sequence[Tensor], keys: Tensor, usable: Tensor, count: int) -> Tensor:
    """Which keys (..., M) bool are among the `count` most similar to at least one of several views' queries."""
    return torch.stack([nearest(query, keys, usable, count) for query in queries]).any(dim=0)


def check_mining(topk: int, mine_from: float) -> None:
    """Raises InputError for a number of neighbours or a beginning of mining that means nothing."""
    if topk < 1:
        raise InputError(f"--options.topk is {topk}, expected at least 1; --options.mine_from 1 turns mining off")
    if not 0 <= mine_from <= 1:
        raise InputError(f"--options.mine_from is {mine_from}, a share of the steps, expected 0 to 1")
