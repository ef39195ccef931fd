"""What the tests of losses share: random vectors and masks from a seed, and a slow dot product."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def generator(seed):
    return torch.Generator().manual_seed(seed)


def unit(*shape, seed):
    return F.normalize(torch.randn(*shape, generator=generator(seed), dtype=torch.float64), dim=-1)


def coin(*shape, seed, chance=0.7):
    return torch.rand(*shape, generator=generator(seed)) < chance


def dot(a, b):
    return sum(x * y for x, y in zip(a.tolist(), b.tolist(), strict=True))
