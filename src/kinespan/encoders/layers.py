"""Layers that encoders share; they keep padded frames from touching valid ones."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ..errors import InputError


def masked(x: Tensor, mask: Tensor | None) -> Tensor:
    """x (N, T, J, C) with the frames outside mask (N, T) set to zero; None means that all frames are valid."""
    return x if mask is None else x * mask[:, :, None, None].to(x.dtype)


class MaskedBatchNorm(nn.BatchNorm1d):
    """Batch norm over the last dimension of x (N, T, ..., C), with statistics from valid frames only."""

    def normalise(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """x with its channels normalised; the same shape. The values at padded frames carry no meaning."""
        if mask is None or not self.training:
            return self._normalise_all(x)
        valid = x[mask]  # (M, ..., C)
        if valid.numel() < 2 * x.shape[-1]:  # too few for statistics
            out = F.batch_norm(
                x.reshape(-1, x.shape[-1]), self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps
            )
            return out.view_as(x)
        value_mask = mask.view(*mask.shape, *[1] * (x.ndim - 2)).expand_as(x)
        return torch.zeros_like(x).masked_scatter(value_mask, self._normalise_all(valid).to(x.dtype))

    def _normalise_all(self, x: Tensor) -> Tensor:
        """Every value of x (..., C) normalised, in the layout for which torch's kernel is fast."""
        if x.ndim == 3 and not x.is_contiguous():  # (N, C, T) underneath, as a convolution over time leaves it
            return super().forward(x.transpose(1, 2)).transpose(1, 2)
        rows = x.reshape(1, -1, 1 if x.ndim < 3 else x.shape[-2], x.shape[-1])
        return super().forward(rows.permute(0, 3, 1, 2)).permute(0, 2, 3, 1).reshape(x.shape)

    def _check_input_dim(self, input: Tensor) -> None:
        """Three dimensions or four: channels come second."""


class Dropout(nn.Module):
    """Dropout (Srivastava et al., JMLR 2014). On a CPU masks are cut from random words, eight values or four of each.

    torch draws a number for every value there, which took a quarter of a pretraining step. A value is dropped by the
    given probability to within 2^-17, exactly where that is a multiple of 1/256 (1/2 and 1/4 are), and what stays is
    divided by the probability that it really stays, so that the mean is kept in any case. Draws come from torch's
    global generator, as those of `nn.Dropout` do.
    """

    def __init__(self, probability: float) -> None:
        """Raises InputError for a probability outside [0, 1)."""
        super().__init__()
        if not 0 <= probability < 1:
            raise InputError(f"dropout is {probability}, expected at least 0 and below 1")
        self.probability = float(probability)
        self.bits = 8 if (self.probability * 256).is_integer() else 16
        self.dropped = round(self.probability * 2**self.bits)
        """How many of the 2^bits values that a mask is cut from mean that a value is dropped."""

    def forward(self, x: Tensor) -> Tensor:
        """x with some of its values zero and the others larger; x itself in eval mode."""
        if not self.training or not self.dropped:
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.probability)
        out: Tensor = _Dropped.apply(  # type: ignore[no-untyped-call]
            x, self.keep_mask(x.shape), 1 / (1 - self.dropped / 2**self.bits)
        )
        return out

    def keep_mask(self, shape: torch.Size) -> Tensor:
        """Which values stay: bool, of a shape."""
        count = shape.numel()
        words = torch.empty(-(-count * self.bits // 64), dtype=torch.int64).random_(-(2**63), None)
        draws = words.view(torch.int8 if self.bits == 8 else torch.int16)[:count].view(shape)
        keep: Tensor = draws >= self.dropped - 2 ** (self.bits - 1)
        return keep


BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}
"""Integers by their bytes, to look at the bits of a value."""


class _Dropped(torch.autograd.Function):
    """x where its mask is True, else zero, times a scale.

    Bits are masked, which takes a pass less than a product with a mask of x's own type, and half its time.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, keep: Tensor, scale: float) -> Tensor:
        """x and keep, which values stay, of the same shape."""
        ones = keep.view(torch.int8).neg_().to(BITS[x.element_size()])  # of every bit of a value that stays
        ctx.save_for_backward(ones)
        ctx.scale = scale
        return _masked_bits(x, ones).mul_(scale)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        """The gradient goes where values went."""
        (ones,) = ctx.saved_tensors
        return _masked_bits(gradient, ones).mul_(ctx.scale), None, None


def _masked_bits(x: Tensor, ones: Tensor) -> Tensor:
    """x with the bits that are 0 in ones set to 0, which makes a value that has none 0."""
    return torch.bitwise_and(x.view(ones.dtype), ones).view(x.dtype)


class TemporalConv(nn.Module):
    """Convolution over time of x (N, T, J, C), kernel `reach`, stride `stride`; gives ceil(T / stride) steps."""

    def __init__(self, in_channels: int, out_channels: int, reach: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, (reach, 1), (stride, 1), ((reach - 1) // 2, 0))

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, J, C) to (N, ceil(T / stride), J, C')."""
        conv = self.conv
        if conv.kernel_size[0] == 1:  # the same map, without a detour through the layout of convolutions
            return F.linear(x[:, :: conv.stride[0]], conv.weight.flatten(1), conv.bias)
        out: Tensor = conv(x.permute(0, 3, 1, 2))
        return out.permute(0, 2, 3, 1)


WIDE = 16
"""Channels from which on one product for each frame is faster than one for all frames."""


def neighbours(graph: Tensor, x: Tensor) -> Tensor:
    """Sums over graph neighbours (N, T, J, K C) of x (N, T, J, C), one for each of K partitions.

    graph is (K, J, J) for all people or (N, K, J, J), one for each; [k, v, w] is the weight from joint v to joint w.
    """
    partitions, joints = graph.shape[-3:-1]
    # rows ordered (joint, partition), so that the sum lands with partition beside channel and needs no copy
    rows = graph.movedim(-1, -3).reshape(*graph.shape[:-3], joints * partitions, joints)
    if graph.ndim == 4:
        rows = rows[:, None]
    rows, channels = rows.to(x.dtype), x.shape[-1]
    if graph.ndim == 3 and channels >= WIDE:
        # with a gradient, matmul would fold frames into rows and copy x and the result for it
        batched = rows.expand(x.shape[0] * x.shape[1], -1, -1)
        return torch.bmm(batched, x.reshape(-1, joints, channels)).view(*x.shape[:3], -1)
    return torch.matmul(rows, x).reshape(*x.shape[:3], -1)


class GraphConv(nn.Module):
    """Weighted sum over graph neighbours in K partitions, each with its own channel mix (ST-GCN, equation 10).

    The adjacency (K, J, J) is a constant times a learned importance of the same shape that starts at one.
    Neighbours are summed before channels are mixed, which is the same map for less work where channels grow.
    """

    adjacency: Tensor

    def __init__(self, in_channels: int, out_channels: int, adjacency: Tensor) -> None:
        super().__init__()
        self.register_buffer("adjacency", adjacency, persistent=False)
        self.importance = nn.Parameter(torch.ones_like(adjacency))
        self.mix = nn.Linear(in_channels * len(adjacency), out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, T, J, C) to (N, T, J, C')."""
        summed = neighbours(self.adjacency * self.importance, x)
        return F.linear(summed, self.mix.weight.to(x.dtype), self.mix.bias.to(x.dtype))
