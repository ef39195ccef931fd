"""CTR-GCN (Chen et al.: Channel-wise Topology Refinement Graph Convolution, ICCV 2021) with a feature pyramid.

| stage | shape of one person's map |
|---|---|
| streams, input batch norm over (J, C) | (N, T, J, C_in) |
| blocks 1 to 4 | (N, T, J, 64), level 0 of the pyramid |
| blocks 5 to 7, stride 2 at 5 | (N, T/2, J, 128), level 1 |
| blocks 8 to 10, stride 2 at 8 | (N, T/4, J, 256), level 2 |

Topologies come from joints averaged over the clip, so a frame's features depend on all of its valid frames.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from ..data.skeleton import Skeleton
from .base import ENCODERS
from .graph import directed_partition
from .stack import GraphStack

REDUCTION = 8
MIN_CHANNELS = 8
"""Channels in which joints are compared: an eighth of the input's, and eight for the first block's coordinates."""
PAPER = (
    "Chen, Zhang, Yuan, Li, Deng, Hu: Channel-wise Topology Refinement Graph Convolution for Skeleton-Based Action "
    "Recognition, ICCV 2021"
)


class RefinedGraphConv(nn.Module):
    """A topology for each channel (CTR-GCN, equations 2 to 5), summed over K graphs; x (N, T, J, C) to (N, T, J, C').

    R = A + alpha Q, where Q(i, j) = xi(tanh(psi(x_i) - phi(x_j))) compares joints averaged over valid frames, A is
    learned and starts from the body's graph, alpha is learned and starts at zero; each channel of W x is then
    multiplied by its own R.
    """

    def __init__(self, in_channels: int, out_channels: int, adjacency: Tensor) -> None:
        """adjacency: what A starts from (K, J, J), [k, v, w] from joint v to joint w."""
        super().__init__()
        parts = len(adjacency)
        size = max(MIN_CHANNELS, in_channels // REDUCTION)
        self.shared = nn.Parameter(adjacency.clone())
        self.alpha = nn.Parameter(torch.zeros(1))
        self.compare = nn.Linear(in_channels, 2 * parts * size)  # phi and psi of each graph
        start = size**-0.5
        self.expand = nn.Parameter(torch.empty(parts, out_channels, size).uniform_(-start, start))  # xi of each graph
        self.bias = nn.Parameter(torch.empty(parts, out_channels).uniform_(-start, start))
        self.transform = nn.Linear(in_channels, parts * out_channels)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """mask (N, T); padded frames of x are zero. Padded frames of the result carry no meaning."""
        topology = self.topology(x, mask)
        # (N, C', T, J K) by (N, C', J K, J)
        features = self.transform(x).reshape(*x.shape[:2], topology.shape[2], -1).permute(0, 3, 1, 2)
        return torch.matmul(features, topology.to(features.dtype)).permute(0, 2, 3, 1)

    def topology(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """R (N, C', J K, J) in float32, [n, c, (v, k), w] from joint v to joint w in graph k."""
        count, length, joints, _ = x.shape
        parts = len(self.shared)
        with torch.autocast(x.device.type, enabled=False):  # differences of means, and small
            frames = length if mask is None else mask.sum(dim=1).clamp(min=1)[:, None, None]
            start, to = self.compare(x.float().sum(dim=1) / frames).transpose(1, 2).chunk(2, dim=1)  # (N, K R, J) each
            differences = torch.tanh(to[:, :, None, :] - start[:, :, :, None]).view(count, parts, -1, joints**2)
            # alpha is taken to the few weights of xi instead of to the many values of Q
            offset = self.shared.view(parts, 1, -1) + self.alpha * self.bias[..., None]
            topology = torch.matmul(self.alpha * self.expand, differences).add_(offset)  # (N, K, C', J J)
        by_channel = topology.view(count, parts, -1, joints, joints).permute(0, 2, 3, 1, 4)
        return by_channel.reshape(count, -1, joints * parts, joints)


@ENCODERS.register("ctrgcn", paper=PAPER)
def ctrgcn(skeleton: Skeleton, in_channels: int, dropout: float = 0.0) -> GraphStack:
    """CTR-GCN, a graph for every channel; 1.4 M parameters."""
    graph = partial(RefinedGraphConv, adjacency=torch.from_numpy(directed_partition(skeleton)))
    return GraphStack(skeleton, in_channels, graph, dropout=dropout)
