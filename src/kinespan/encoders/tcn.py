"""A dilated temporal convolutional network on the joints of a person, without a graph: the baseline to beat.

Lea et al. (Temporal Convolutional Networks for Action Segmentation and Detection, CVPR 2017) segment actions by
convolutions over time alone; the layers are those of MS-TCN (Abu Farha and Gall, CVPR 2019, section 3.1).

| stage | shape of one person's map |
|---|---|
| streams, input batch norm over (J, C), joints side by side | (N, T, J C_in) |
| 1x1 convolution | (N, T, 64) |
| residual layers of kernel 3, dilation 1, 2, 4, ... | (N, T, 64), the only level of the pyramid |

With the streams position and joint_motion it sees positions and velocities.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..data.skeleton import Skeleton
from .base import ENCODERS, Encoder, PersonFeatures
from .layers import Dropout, MaskedBatchNorm

WIDTH = 64
PAPER = "Lea et al.: Temporal Convolutional Networks, CVPR 2017; layers as in Abu Farha, Gall: MS-TCN, CVPR 2019"


def doubling(layers: int) -> tuple[int, ...]:
    """Dilations 1, 2, 4, ... of so many layers."""
    return tuple(2**layer for layer in range(layers))


def _masked(x: Tensor, mask: Tensor | None) -> Tensor:
    """x (N, C, T), zero outside mask (N, T)."""
    return x if mask is None else x * mask[:, None].to(x.dtype)


class DilatedLayer(nn.Module):
    """x + W_2 relu(W_1 * x), W_1 of kernel 3 and some dilation, W_2 of kernel 1 (MS-TCN, equations 1 and 2)."""

    def __init__(self, channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.conv = nn.Conv1d(channels, channels, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Conv1d(channels, channels, 1)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(N, C, T) to (N, C, T); frames outside mask (N, T) are zero in x and in the result."""
        return x + _masked(self.dropout(self.mix(torch.relu(self.conv(x)))), mask)


class DilatedStack(nn.Module):
    """A 1x1 convolution to `width` channels, then a DilatedLayer for each dilation. States its ``halo`` in frames."""

    def __init__(self, in_channels: int, width: int, dilations: Sequence[int], dropout: float = 0.0) -> None:
        super().__init__()
        self.enter = nn.Conv1d(in_channels, width, 1)
        self.layers = nn.ModuleList(DilatedLayer(width, dilation, dropout) for dilation in dilations)
        self.halo = sum(dilations)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(N, C, T) to (N, width, T), zero outside mask (N, T); x must be finite there, and has no effect."""
        hidden = _masked(self.enter(x), mask)
        for layer in self.layers:
            hidden = layer(hidden, mask)
        return hidden


class TCN(Encoder):
    """Dilated convolutions over time on the joints of a person side by side, one resolution.

    Joints are not told apart after the first layer: each has the same features, the mean over valid time.
    """

    def __init__(self, skeleton: Skeleton, in_channels: int, layers: int, dropout: float = 0.0) -> None:
        super().__init__()
        size = skeleton.num_joints * in_channels
        self.input_norm = MaskedBatchNorm(size)
        self.stack = DilatedStack(size, WIDTH, doubling(layers), dropout)
        self.channels, self.strides, self.halo = (WIDTH,), (1,), self.stack.halo

    def person_features(self, x: Tensor, mask: Tensor | None) -> PersonFeatures:
        """The map (N, T, 1, C) of people x (N, T, J, C_in)."""
        joints = x.shape[2]
        flat = self.input_norm.normalise(x.flatten(2), mask)  # (N, T, J C_in)
        features = self.stack(_masked(flat.transpose(1, 2), mask), mask).transpose(1, 2)  # (N, T, C)
        frames = features.shape[1] if mask is None else mask.sum(dim=1, keepdim=True).clamp(min=1)
        mean = features.float().sum(dim=1) / frames  # (N, C)
        return PersonFeatures([features[:, :, None]], mean[:, None].expand(-1, joints, -1))


@ENCODERS.register("tcn", paper=PAPER)
def tcn(skeleton: Skeleton, in_channels: int, dropout: float = 0.0) -> TCN:
    """Dilated temporal convolutions on joints side by side, 63 frames to each side, 0.1 M parameters."""
    return TCN(skeleton, in_channels, 6, dropout)


@ENCODERS.register("tcn_long", paper=PAPER)
def tcn_long(skeleton: Skeleton, in_channels: int, dropout: float = 0.0) -> TCN:
    """Dilated temporal convolutions, 255 frames to each side, for clips of 256 frames and more, 0.14 M parameters."""
    return TCN(skeleton, in_channels, 8, dropout)
