"""Fusion: from a feature pyramid to one feature per frame.

`NestedU` is the paper's U-shaped multiscale fusion (arXiv 2512.16504), in the nested form of U-Net++ (Zhou et al.,
2018): neighbouring levels are brought to the finer length and merged until one map at full length remains.
`LastMap` is the plain comparison: the deepest map, interpolated.

Notable choices:
- any number of levels and any length: coarse maps are repeated by their stride, never interpolated to a target length
- padded frames stay zero after every convolution, so padding never changes a valid frame
- B batch, C channels, T_l steps of level l, finest (l = 0) first
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from ..encoders.base import Pyramid
from ..encoders.layers import MaskedBatchNorm
from ..registry import Registry


class Fusion(nn.Module):
    """From a Pyramid to features (B, C, T_0).

    A subclass states its output ``channels`` and its ``halo``: how many frames to each side a feature can depend on.
    """

    channels: int
    halo: int

    def forward(self, pyramid: Pyramid) -> Tensor:
        """Features (B, C, T_0), zero where nobody is present."""
        raise NotImplementedError(type(self).__name__)


class Unit(nn.Module):
    """Conv1d of kernel 3, batch norm over valid frames, ReLU on maps (B, C, T); padded frames stay zero."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(in_channels, out_channels, 3, padding=1)
        self.norm = MaskedBatchNorm(out_channels)

    def forward(self, x: Tensor, mask: Tensor, all_valid: bool = False) -> Tensor:
        """(B, C, T) and mask (B, T) to (B, C', T); all_valid: the mask is known to be True everywhere."""
        hidden = self.conv(x).transpose(1, 2)  # (B, T, C')
        hidden = self.norm.normalise(hidden, None if all_valid or bool(mask.all()) else mask).transpose(1, 2)
        return torch.relu(hidden) * mask[:, None].to(x.dtype)  # (B, C', T)


def repeat_upsample(x: Tensor, ratio: int, length: int) -> Tensor:
    """Repeat each step of x (B, C, T) `ratio` times and cut to (B, C, length): step i goes to frames i ratio and on.

    Unlike interpolation to a target length, which step a frame reads from does not depend on the length of the clip.
    """
    return x.repeat_interleave(ratio, dim=2)[:, :, :length]


class NestedU(Fusion):
    """Nested U over any number of levels; level l at stride s_l, s_l a multiple of s_(l-1).

        node(l, 0) = level l
        node(l, j) = Unit(concat(node(l, 0), ..., node(l, j-1), repeat_upsample(node(l+1, j-1))))
        features   = relu(conv1x1(concat(node(0, 0), ..., node(0, L-1))))

    ``width`` is the number of channels of each unit; None keeps as many as go in (192, 384, 640 for the paper's
    release). With one level it is a 1x1 convolution.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int], width: int | None = 64, out: int = 256) -> None:
        """channels and strides of the pyramid's levels, finest first; out: channels of the result."""
        super().__init__()
        self.ratios = [coarse // fine for fine, coarse in pairwise(strides)]
        depth = len(channels)
        node_channels = {(level, 0): channels[level] for level in range(depth)}
        node_halo = {(level, 0): 0 for level in range(depth)}  # in frames
        self.units = nn.ModuleDict()
        for column in range(1, depth):
            for level in range(depth - column):
                in_channels = node_channels[level + 1, column - 1]
                in_channels += sum(node_channels[level, before] for before in range(column))
                node_channels[level, column] = width or in_channels
                self.units[f"{level}_{column}"] = Unit(in_channels, node_channels[level, column])
                # a repeated step stands for up to stride - 1 frames after its own; kernel 3 reaches one step further
                coarse_halo = node_halo[level + 1, column - 1] + strides[level + 1] - 1
                node_halo[level, column] = max(node_halo[level, column - 1], coarse_halo) + strides[level]
        self.join = nn.Conv1d(sum(node_channels[0, column] for column in range(depth)), out, 1)
        self.depth = depth
        self.channels = out
        self.halo = node_halo[0, depth - 1]

    def forward(self, pyramid: Pyramid) -> Tensor:
        """Features (B, out, T_0)."""
        nodes = {(level, 0): features for level, features in enumerate(pyramid.maps)}
        for column in range(1, self.depth):
            for level in range(self.depth - column):
                length, mask = pyramid.maps[level].shape[2], pyramid.masks[level]  # mask (B, T_l)
                coarse = repeat_upsample(nodes[level + 1, column - 1], self.ratios[level], length)  # (B, C, T_l)
                # a coarse step may reach into padding, which the next convolution must not see
                coarse = coarse * mask[:, None].to(coarse.dtype)
                same_level = [nodes[level, before] for before in range(column)]  # (B, C, T_l) each
                unit = self.units[f"{level}_{column}"]
                nodes[level, column] = unit(torch.cat([*same_level, coarse], dim=1), mask, pyramid.all_valid)
        joined: Tensor = self.join(torch.cat([nodes[0, column] for column in range(self.depth)], dim=1))
        return torch.relu(joined) * pyramid.masks[0][:, None].to(joined.dtype)  # (B, out, T_0)


class LastMap(Fusion):
    """The deepest map, interpolated linearly to full length: what a plain upsampled head sees. No parameters."""

    def __init__(self, channels: Sequence[int], strides: Sequence[int]) -> None:
        super().__init__()
        self.channels = channels[-1]
        self.stride = strides[-1]
        self.halo = 2 * strides[-1]

    def forward(self, pyramid: Pyramid) -> Tensor:
        """Features (B, C_L, T_0): frame t lies between steps floor(t / s) and the next, each at its frame i s."""
        deepest, length = pyramid.maps[-1], pyramid.maps[0].shape[2]  # deepest (B, C_L, T_L)
        frames = torch.arange(length, device=deepest.device)  # (T_0,)
        low = frames // self.stride  # (T_0,): the step that a frame falls into
        high = (low + 1).clamp(max=deepest.shape[2] - 1)  # (T_0,): the step after it
        # no interpolation towards a step where nobody is present: its map is zero
        high_mask = pyramid.masks[-1][:, None, high].to(deepest.dtype)  # (B, 1, T_0)
        weight = (frames % self.stride / self.stride) * high_mask  # (B, 1, T_0)
        out = deepest[:, :, low] * (1 - weight) + deepest[:, :, high] * weight  # (B, C_L, T_0)
        return out * pyramid.masks[0][:, None].to(out.dtype)


FUSIONS: Registry[type[NestedU] | type[LastMap]] = Registry("fusion")
FUSIONS.register("nested_u")(NestedU)
FUSIONS.register("last_map")(LastMap)


def build_fusion(name: str, channels: Sequence[int], strides: Sequence[int]) -> Fusion:
    """An untrained fusion by name for a pyramid. Raises InputError for an unknown name."""
    return FUSIONS[name](channels, strides)
