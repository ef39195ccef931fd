"""ST-GCN (Yan, Xiong, Lin: Spatial Temporal Graph Convolutional Networks, AAAI 2018) with a feature pyramid.

| stage | shape of one person's map |
|---|---|
| streams, input batch norm over (J, C) | (N, T, J, C_in) |
| layers 1 to 4 | (N, T, J, w), level 0 of the pyramid |
| layers 5 to 7, stride 2 at 5 | (N, T/2, J, 2w), level 1 |
| layers 8 to 10, stride 2 at 8 | (N, T/4, J, 4w), level 2; 256 channels at layer 10 |

`stgcn64` is the network of the paper, `stgcn16` the quarter-width one of the skeleton contrastive family
(16-16-16-16-32-32-32-64-64-256; CrosSCLR, Li et al., CVPR 2021), whose last layer takes four fifths of its work.
`stgcn16_light` halves that layer, which makes it about twice as fast on a laptop.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..data.skeleton import Skeleton
from .base import ENCODERS
from .graph import spatial_partition
from .layers import Dropout, GraphConv, MaskedBatchNorm, TemporalConv, masked
from .stack import STRIDES, WIDTHS, Stack, pairs

KERNEL = 9
PAPER = "Yan, Xiong, Lin: Spatial Temporal Graph Convolutional Networks, AAAI 2018"
QUARTER = "quarter width as in Li et al.: CrosSCLR, CVPR 2021"


class Block(nn.Module):
    """Graph convolution, then temporal convolution, with a residual; x (N, T, J, C) to (N, ceil(T/s), J, C')."""

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, adjacency: Tensor, dropout: float, residual: bool
    ) -> None:
        super().__init__()
        self.stride = stride
        self.graph = GraphConv(in_channels, out_channels, adjacency)
        self.graph_norm = MaskedBatchNorm(out_channels)
        self.time = TemporalConv(out_channels, out_channels, KERNEL, stride)
        self.time_norm = MaskedBatchNorm(out_channels)
        self.dropout = Dropout(dropout)
        self.residual = residual
        self.short: TemporalConv | None = None
        if residual and (in_channels != out_channels or stride != 1):
            self.short = TemporalConv(in_channels, out_channels, 1, stride)
            self.short_norm = MaskedBatchNorm(out_channels)

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The block's output and the mask of its steps."""
        out_mask = None if mask is None else mask[:, :: self.stride]
        hidden = torch.relu(self.graph_norm.normalise(self.graph(x), mask))
        hidden = self.time(masked(hidden, mask))
        hidden = self.dropout(self.time_norm.normalise(hidden, out_mask))
        if self.short is not None:
            hidden = hidden + self.short_norm.normalise(self.short(x), out_mask)
        elif self.residual:
            hidden = hidden + x
        return masked(torch.relu(hidden), out_mask), out_mask


class STGCN(Stack):
    """ST-GCN of ten blocks for any skeleton; see the module's table for shapes."""

    def __init__(
        self,
        skeleton: Skeleton,
        in_channels: int,
        widths: tuple[int, ...],
        strides: tuple[int, ...] = STRIDES,
        dropout: float = 0.0,
    ) -> None:
        adjacency = torch.from_numpy(spatial_partition(skeleton))
        blocks = (
            Block(before, after, stride, adjacency, dropout if number else 0.0, residual=number > 0)
            for number, (before, after, stride) in enumerate(pairs(in_channels, widths, strides))
        )
        super().__init__(blocks, widths, strides, KERNEL // 2, skeleton.num_joints * in_channels)


@ENCODERS.register("stgcn64", paper=PAPER)
def stgcn64(skeleton: Skeleton, in_channels: int, dropout: float = 0.0) -> STGCN:
    """ST-GCN at full width, 3.1 M parameters."""
    return STGCN(skeleton, in_channels, WIDTHS, dropout=dropout)


@ENCODERS.register("stgcn16", paper=f"{PAPER}; {QUARTER}")
def stgcn16(skeleton: Skeleton, in_channels: int, dropout: float = 0.0) -> STGCN:
    """ST-GCN at quarter width with a wide last layer, 0.8 M parameters."""
    return STGCN(skeleton, in_channels, (16, 16, 16, 16, 32, 32, 32, 64, 64, 256), dropout=dropout)


@ENCODERS.register("stgcn16_light", paper=f"{PAPER}; {QUARTER}")
def stgcn16_light(skeleton: Skeleton, in_channels: int, dropout: float = 0.0) -> STGCN:
    """ST-GCN at quarter width with a last layer of 128 channels, 0.3 M parameters."""
    return STGCN(skeleton, in_channels, (16, 16, 16, 16, 32, 32, 32, 64, 64, 128), dropout=dropout)
