"""Temporal convolution at several scales at once, which CTR-GCN, HD-GCN and Hyperformer share.

Liu et al., "Disentangling and Unifying Graph Convolutions for Skeleton-Based Action Recognition" (MS-G3D), CVPR 2020,
section 3.4, in the lighter form of Chen et al., "Channel-wise Topology Refinement Graph Convolution" (CTR-GCN),
ICCV 2021, section 3.4: two dilated branches, a maximum and a plain 1x1 branch, concatenated.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .layers import MaskedBatchNorm, TemporalConv, masked

KERNEL = 5
DILATIONS = (1, 2)


class MultiScaleConv(nn.Module):
    """Temporal convolution of x (N, T, J, C) in four branches, to (N, ceil(T / stride), J, C).

    Each branch makes a quarter of the channels: for both dilations 1x1, norm, ReLU, convolution of `KERNEL` frames,
    norm; then one with 1x1, norm, ReLU, maximum over 3 frames, norm; then one of 1x1 and norm. What C leaves over goes
    to the first branch. The 1x1 convolutions are one, and so are the norms, channel by channel the same.
    ``reach`` is how many frames to each side an output depends on.
    """

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        share = channels // 4
        widths = channels - 3 * share, share
        self.sizes = (*widths, share, share)
        self.stride = stride
        self.reach = KERNEL // 2 * max(DILATIONS)
        self.inner = nn.Linear(channels, channels)
        self.inner_norm = MaskedBatchNorm(channels - share)
        self.convs = nn.ModuleList(
            nn.Conv2d(width, width, (KERNEL, 1), (stride, 1), (KERNEL // 2 * dilation, 0), (dilation, 1))
            for width, dilation in zip(widths, DILATIONS, strict=True)
        )
        self.norm = MaskedBatchNorm(channels)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """No activation, no residual; mask (N, T). Padded frames of the result carry no meaning."""
        hidden = self.inner(x)
        scaled, plain = torch.split(hidden, [sum(self.sizes[:-1]), self.sizes[-1]], dim=-1)
        scaled = masked(torch.relu(self.inner_norm.normalise(scaled, mask)), mask)
        *dilated, pooled = torch.split(scaled.permute(0, 3, 1, 2), list(self.sizes[:-1]), dim=1)  # (N, c, T, J) each
        branches = [conv(x) for conv, x in zip(self.convs, dilated, strict=True)]
        # all values are at least zero here, so that the zeros of padding never win over a smaller value
        branches.append(F.max_pool2d(pooled, (3, 1), (self.stride, 1), (1, 0)))
        branches.append(plain[:, :: self.stride].permute(0, 3, 1, 2))
        out = torch.cat(branches, dim=1).permute(0, 2, 3, 1)
        return self.norm.normalise(out, None if mask is None else mask[:, :: self.stride])


class Shortcut(nn.Module):
    """The residual connection of a block, x (N, T, J, C) to (N, ceil(T / stride), J, C').

    The identity where channels and stride stay, else a 1x1 convolution with the stride and a norm.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv: TemporalConv | None = None
        if in_channels != out_channels or stride != 1:
            self.conv = TemporalConv(in_channels, out_channels, 1, stride)
            self.norm = MaskedBatchNorm(out_channels)
        self.stride = stride

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """mask (N, T) is that of x. Padded frames of the result carry no meaning."""
        if self.conv is None:
            return x
        return self.norm.normalise(self.conv(x), None if mask is None else mask[:, :: self.stride])
