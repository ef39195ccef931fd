"""Networks of blocks one after another, with a feature pyramid: what most graph networks share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor, nn

from ..data.skeleton import Skeleton
from .base import Encoder, PersonFeatures
from .layers import Dropout, MaskedBatchNorm, masked
from .multiscale import MultiScaleConv, Shortcut

WIDTHS = (64, 64, 64, 64, 128, 128, 128, 256, 256, 256)
STRIDES = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)
"""Channels and strides in time of the ten blocks of ST-GCN and of those that follow it: T, T/2 and T/4."""
START = 1e-6
"""Weight at the start of the norm after a graph convolution that has a shortcut beside it."""


def pairs(in_channels: int, widths: Sequence[int], strides: Sequence[int]) -> Iterable[tuple[int, int, int]]:
    """Channels in, channels out and stride of each block."""
    return zip((in_channels, *widths[:-1]), widths, strides, strict=True)


class GraphBlock(nn.Module):
    """Over joints and then over time, each with a shortcut: the block of 2s-AGCN and of those that follow it.

    x (N, T, J, C) to relu(time(relu(norm(graph(x)) + shortcut(x))) + shortcut(x)), (N, ceil(T / stride), J, C').
    graph and time are modules of (x, mask); time ends in a norm of its own. residual False leaves out the outer
    shortcut, as the first block does.
    """

    def __init__(
        self,
        channels: tuple[int, int],
        stride: int,
        graph: nn.Module,
        time: nn.Module,
        dropout: float = 0.0,
        residual: bool = True,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.graph, self.time = graph, time
        self.graph_norm = MaskedBatchNorm(channels[1])
        # a block starts as its shortcuts, and learns how much of the graph to use
        nn.init.constant_(self.graph_norm.weight, START)
        self.inner = Shortcut(*channels)
        self.outer = Shortcut(*channels, stride) if residual else None
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The block's output and the mask of its steps."""
        out_mask = None if mask is None else mask[:, :: self.stride]
        hidden = self.graph_norm.normalise(self.graph(x, mask), mask) + self.inner(x, mask)
        hidden = self.dropout(self.time(masked(torch.relu(hidden), mask), mask))
        if self.outer is not None:
            hidden = hidden + self.outer(x, mask)
        return masked(torch.relu(hidden), out_mask), out_mask


class Stack(Encoder):
    """Input batch norm over (J, C), then blocks; a level of the pyramid is the last block at each resolution.

    A block maps x (N, T, J, C) and mask (N, T), None where all is valid, to (N, ceil(T / s), J, C') and its mask.
    Padded frames are zero in both.

    reach: frames to each side that a block looks at, in its own steps; None where it looks at the whole clip.
    input_size: J * C of the input batch norm; None leaves it out.
    """

    def __init__(
        self,
        blocks: Iterable[nn.Module],
        widths: Sequence[int],
        strides: Sequence[int],
        reach: int | None,
        input_size: int | None,
    ) -> None:
        super().__init__()
        self.input_norm = None if input_size is None else MaskedBatchNorm(input_size)
        self.blocks = nn.ModuleList(blocks)
        self.taps = tuple(i for i in range(len(strides)) if i + 1 == len(strides) or strides[i + 1] > 1)
        steps = [1]
        for stride in strides:
            steps.append(steps[-1] * stride)
        self.channels = tuple(widths[tap] for tap in self.taps)
        self.strides = tuple(steps[tap + 1] for tap in self.taps)
        self.halo = None if reach is None else sum(reach * step for step in steps[:-1])

    def person_features(self, x: Tensor, mask: Tensor | None) -> PersonFeatures:
        """Maps (N, T_l, J, C_l) of people x (N, T, J, C)."""
        count, length = x.shape[:2]
        if self.input_norm is not None:
            x = self.input_norm.normalise(x.reshape(count, length, -1), mask).view_as(x)
        x = masked(x, mask)
        levels = []
        for number, block in enumerate(self.blocks):
            x, mask = block(x, mask)
            if number in self.taps:
                levels.append(x)
        return PersonFeatures(levels)


class GraphStack(Stack):
    """Ten GraphBlocks of WIDTHS, for any skeleton. The first has neither dropout nor an outer shortcut.

    graph makes a block's part over joints from its channels in and out, time its part over time from its channels and
    stride. Features of a frame depend on the whole clip.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        in_channels: int,
        graph: Callable[[int, int], nn.Module],
        time: Callable[[int, int], nn.Module] = MultiScaleConv,
        dropout: float = 0.0,
        strides: Sequence[int] = STRIDES,
        input_norm: bool = True,
    ) -> None:
        blocks = []
        for number, (before, after, stride) in enumerate(pairs(in_channels, WIDTHS, strides)):
            layers = graph(before, after), time(after, stride)
            blocks.append(GraphBlock((before, after), stride, *layers, dropout if number else 0.0, residual=number > 0))
        super().__init__(blocks, WIDTHS, strides, None, skeleton.num_joints * in_channels if input_norm else None)
