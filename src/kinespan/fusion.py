"""Fusion: from a feature pyramid to one feature per frame.

`NestedU` is the paper's U-shaped multiscale fusion (arXiv 2512.16504), in the nested form of U-Net++ (Zhou et al.,
2018): neighbouring levels are brought to the finer length and merged until one map at full length remains.
`LastMap` is the plain comparison: the deepest map, stretched.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from .encoders.base import Pyramid
from .encoders.layers import MaskedBatchNorm
from .registry import Registry


class Fusion(nn.Module):
    """From a Pyramid to features (B, C, T_0). States its output ``channels`` and its ``halo`` in frames."""

    channels: int
    halo: int

    def forward(self, pyramid: Pyramid) -> Tensor:
        """Features (B, C, T_0), zero where nobody is there."""
        raise NotImplementedError(type(self).__name__)


class Unit(nn.Module):
    """Conv1d of kernel 3, batch norm over valid frames, ReLU on maps (B, C, T); padded frames stay zero."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(in_channels, out_channels, 3, padding=1)
        self.norm = MaskedBatchNorm(out_channels)

    def forward(self, x: Tensor, mask: Tensor, whole: bool = False) -> Tensor:
        """(B, C, T) and mask (B, T) to (B, C', T); whole says that the mask is known to be True everywhere."""
        hidden = self.conv(x).transpose(1, 2)
        hidden = self.norm.normalise(hidden, None if whole or bool(mask.all()) else mask).transpose(1, 2)
        return torch.relu(hidden) * mask[:, None].to(x.dtype)


def stretch(x: Tensor, ratio: int, length: int) -> Tensor:
    """Repeat each step of x (B, C, T) `ratio` times and cut to `length`: step i goes to frames i ratio and on.

    Unlike interpolation to a target length, where a frame reads from does not depend on how long the clip is.
    """
    return x.repeat_interleave(ratio, dim=2)[:, :, :length]


class NestedU(Fusion):
    """Nested U over any number of levels; level l at stride s_l, s_l a multiple of s_(l-1).

    Node (l, j) = Unit(concat(node(l, 0..j-1), stretch(node(l+1, j-1)))), node (l, 0) = level l. The result is a
    1x1 convolution of all nodes of level 0. ``width`` is the number of channels of each unit; None keeps what
    goes in (192, 384, 640 for the paper's release). With one level it is a 1x1 convolution.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int], width: int | None = 64, out: int = 256) -> None:
        super().__init__()
        self.ratios = [coarse // fine for fine, coarse in pairwise(strides)]
        depth = len(channels)
        sizes = {(level, 0): channels[level] for level in range(depth)}
        self.units = nn.ModuleDict()
        reach = {(level, 0): 0 for level in range(depth)}
        for column in range(1, depth):
            for level in range(depth - column):
                size = sum(sizes[level, before] for before in range(column)) + sizes[level + 1, column - 1]
                sizes[level, column] = width or size
                self.units[f"{level}_{column}"] = Unit(size, sizes[level, column])
                below = reach[level + 1, column - 1] + strides[level + 1] - 1
                reach[level, column] = max(reach[level, column - 1], below) + strides[level]
        self.join = nn.Conv1d(sum(sizes[0, column] for column in range(depth)), out, 1)
        self.depth = depth
        self.channels = out
        self.halo = reach[0, depth - 1]

    def forward(self, pyramid: Pyramid) -> Tensor:
        """Features (B, out, T_0)."""
        nodes = {(level, 0): features for level, features in enumerate(pyramid.maps)}
        for column in range(1, self.depth):
            for level in range(self.depth - column):
                length, mask = pyramid.maps[level].shape[2], pyramid.masks[level]
                below = stretch(nodes[level + 1, column - 1], self.ratios[level], length)
                # a coarse step may reach into padding, which the next convolution must not see
                below = below * mask[:, None].to(below.dtype)
                beside = [nodes[level, before] for before in range(column)]
                unit = self.units[f"{level}_{column}"]
                nodes[level, column] = unit(torch.cat([*beside, below], dim=1), mask, pyramid.all_valid)
        joined: Tensor = self.join(torch.cat([nodes[0, column] for column in range(self.depth)], dim=1))
        return torch.relu(joined) * pyramid.masks[0][:, None].to(joined.dtype)


class LastMap(Fusion):
    """The deepest map, linear between its steps, at full length: what a plain upsampled head sees. No parameters."""

    def __init__(self, channels: Sequence[int], strides: Sequence[int]) -> None:
        super().__init__()
        self.channels = channels[-1]
        self.stride = strides[-1]
        self.halo = 2 * strides[-1]

    def forward(self, pyramid: Pyramid) -> Tensor:
        """Features (B, C_L, T_0): frame t lies between steps floor(t / s) and the next, each at its frame i s."""
        deepest, length = pyramid.maps[-1], pyramid.maps[0].shape[2]
        at = torch.arange(length, device=deepest.device)
        low = at // self.stride
        high = (low + 1).clamp(max=deepest.shape[2] - 1)
        # towards a step where nobody is there the last one holds
        part = (at % self.stride / self.stride) * pyramid.masks[-1][:, None, high].to(deepest.dtype)
        out = deepest[:, :, low] * (1 - part) + deepest[:, :, high] * part
        return out * pyramid.masks[0][:, None].to(out.dtype)


FUSIONS: Registry[type[NestedU] | type[LastMap]] = Registry("fusion")
FUSIONS.register("nested_u")(NestedU)
FUSIONS.register("last_map")(LastMap)


def build_fusion(name: str, channels: Sequence[int], strides: Sequence[int]) -> Fusion:
    """An untrained fusion by name for a pyramid. Raises InputError for an unknown name."""
    return FUSIONS[name](channels, strides)
