"""Nearest-neighbour mining: keys of other recordings that are so alike that they count as positives.

Which vectors look for neighbours is the method's own: another stream's (CrosSCLR, Li et al., CVPR 2021, section 3.2),
those of the normal, extreme and dropped views together (AimCLR, Guo et al., AAAI 2022), query snippets (arXiv
2512.16504), key snippets that are found back (ours).
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


@torch.no_grad()
def found_back(keys: Tensor, valid: Tensor, others: Tensor, usable: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` of other recordings' snippets that are nearest to each key snippet, and which of them find it back.

    keys (B, K, D) and valid (B, K) are of clips, others (M, D) and usable (B, M) as in `nearest`; vectors
    (B, K, N, D) and counted (B, K, N) bool, N the less of `count` and M. One counts if of the clip's own snippets the
    nearest to it is the one that it was found for, or one beside that: a cycle (Dwibedi et al., CVPR 2019, section 3).
    Without it much of what is nearest is only nearer than the rest.
    """
    alike = (keys @ others.T).masked_fill_(~usable[:, None], -torch.inf)
    best = alike.topk(min(count, len(others)), dim=2)
    found = others[best.indices]
    back = torch.einsum("bknd,bjd->bknj", found, keys).masked_fill(~valid[:, None, None], -torch.inf).argmax(dim=3)
    place = torch.arange(keys.shape[1], device=keys.device)[:, None]
    counted = ((back - place).abs() <= 1) & valid[..., None] & best.values.isfinite()
    return found, counted


def check_mining(topk: int, mine_from: float) -> None:
    """Raises InputError for a number of neighbours or a beginning of mining that means nothing."""
    if topk < 1:
        raise InputError(f"--options.topk is {topk}, expected at least 1; --options.mine_from 1 turns mining off")
    if not 0 <= mine_from <= 1:
        raise InputError(f"--options.mine_from is {mine_from}, a share of the steps, expected 0 to 1")
