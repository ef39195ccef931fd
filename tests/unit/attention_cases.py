"""What the tests of HD-GCN, Hyperformer and DSTE share: skeletons, random numbers, layers in which nothing is zero."""

from __future__ import annotations

import pytest
import torch

from kinespan.data.skeleton import Skeleton
from kinespan.data.skeletons import SKELETONS

EVERY = pytest.mark.parametrize("skeleton", [SKELETONS[name] for name in SKELETONS], ids=lambda skeleton: skeleton.name)

#     a
#   b   c        d hangs on b
#   d
SMALL = Skeleton("small", ("a", "b", "c", "d"), (-1, 0, 0, 1), (), *[(0,)] * 6)


def random_of(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def unsettled(module):
    """The module in float64 and eval mode, its norms and what starts at zero made random."""
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm1d):
            part.running_mean.normal_(0, 0.2)
            part.running_var.uniform_(0.5, 1.5)
            part.weight.data.uniform_(0.5, 1.5)
            part.bias.data.normal_(0, 0.2)
    for value in module.parameters():
        if not value.any():
            value.data.normal_(0, 0.5)
    return module.double().eval()


def parameters(module):
    return sum(part.numel() for part in module.parameters())
