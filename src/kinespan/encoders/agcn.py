"""2s-AGCN (Shi, Zhang, Cheng, Lu: Two-Stream Adaptive Graph Convolutional Networks, CVPR 2019) with a feature pyramid.

| stage | shape of one person's map |
|---|---|
| streams, input batch norm over (J, C) | (N, T, J, C_in) |
| blocks 1 to 4 | (N, T, J, 64), level 0 of the pyramid |
| blocks 5 to 7, stride 2 at 5 | (N, T/2, J, 128), level 1 |
| blocks 8 to 10, stride 2 at 8 | (N, T/4, J, 256), level 2 |

This is one stream of the two; streams are joined at the input or by late fusion. `agcn_4res` is the variant of
Yu, Fujiwara (STAL, AAAI 2023) and of the paper: it also has stride 2 at block 2, so that there are four levels (64, 64,
128 and 256 channels at T, T/2, T/4 and T/8), and no input batch norm.

A clip's own graph compares joints over the whole clip, so a frame's features depend on all of its valid frames.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from ..data.skeleton import Skeleton
from .base import ENCODERS
from .graph import directed_partition
from .layers import MaskedBatchNorm, TemporalConv, masked, neighbours
from .stack import GraphStack

KERNEL = 9
FOUR_STRIDES = (1, 2, 1, 1, 2, 1, 1, 2, 1, 1)
PAPER = "Shi, Zhang, Cheng, Lu: Two-Stream Adaptive Graph Convolutional Networks, CVPR 2019"
STAL = "strides as in Yu, Fujiwara: STAL, AAAI 2023"


class AdaptiveGraphConv(nn.Module):
    """Sum over k of W_k x (A_k + B_k + C_k) (2s-AGCN, equation 4), x (N, T, J, C) to (N, T, J, C').

    A is the body's graph, B a learned one that starts at zero, C the clip's own: the softmax over v of the
    similarity of joints v and w in two embeddings (equation 3): the mean product over channels and valid frames, so
    that it does not grow with the length of a clip.
    """

    adjacency: Tensor

    def __init__(self, in_channels: int, out_channels: int, adjacency: Tensor) -> None:
        """adjacency: A (K, J, J)."""
        super().__init__()
        parts = len(adjacency)
        self.size = out_channels // 4
        self.register_buffer("adjacency", adjacency, persistent=False)
        self.learned = nn.Parameter(torch.zeros_like(adjacency))
        self.embed = nn.Linear(in_channels, 2 * parts * self.size)
        self.mix = nn.Linear(parts * in_channels, out_channels)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """mask (N, T); padded frames of x are zero. Padded frames of the result carry no meaning."""
        graph = self.adjacency + self.learned + self.own_graph(x, mask)
        out: Tensor = self.mix(neighbours(graph, x))
        return out

    def own_graph(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """C (N, K, J, J) of each clip in float32; [n, k, v, w] is the weight from joint v to joint w."""
        count, length, joints, _ = x.shape
        embedded = masked(self.embed(x), mask).view(count, length, joints, 2, -1, self.size)
        embedded = embedded.permute(3, 0, 4, 2, 1, 5).float().reshape(2, count, -1, joints, length * self.size)
        theta, phi = embedded  # (N, K, J, T D) each, the two embeddings of joints
        frames = length if mask is None else mask.sum(dim=1).clamp(min=1)[:, None, None, None]
        with torch.autocast(x.device.type, enabled=False):  # sums over a whole clip, and then an exponential
            similarity = torch.matmul(theta, phi.transpose(2, 3)) / (frames * self.size)  # (N, K, J, J)
            return similarity.softmax(dim=2)


class NormedConv(nn.Module):
    """Convolution of KERNEL frames over time and its norm, x (N, T, J, C) to (N, ceil(T / stride), J, C)."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.conv = TemporalConv(channels, channels, KERNEL, stride)
        self.norm = MaskedBatchNorm(channels)
        self.stride = stride

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """mask (N, T). Padded frames of the result carry no meaning."""
        return self.norm.normalise(self.conv(x), None if mask is None else mask[:, :: self.stride])


@ENCODERS.register("agcn", paper=PAPER)
def agcn(skeleton: Skeleton, in_channels: int, dropout: float = 0.0) -> GraphStack:
    """2s-AGCN, a graph that adapts to the clip; 3.5 M parameters."""
    graph = partial(AdaptiveGraphConv, adjacency=torch.from_numpy(directed_partition(skeleton)))
    return GraphStack(skeleton, in_channels, graph, NormedConv, dropout)


@ENCODERS.register("agcn_4res", paper=f"{PAPER}; {STAL}")
def agcn_4res(skeleton: Skeleton, in_channels: int, dropout: float = 0.0) -> GraphStack:
    """2s-AGCN at four temporal resolutions, 3.5 M parameters."""
    graph = partial(AdaptiveGraphConv, adjacency=torch.from_numpy(directed_partition(skeleton)))
    return GraphStack(skeleton, in_channels, graph, NormedConv, dropout, FOUR_STRIDES, input_norm=False)
