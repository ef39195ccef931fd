"""The pyramid contract that every encoder honours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..registry import Registry
from ..skeleton import Skeleton


@dataclass(frozen=True)
class Pyramid:
    """Feature maps (B, C_l, T_l), finest first, pooled over joints and the people present, and their masks (B, T_l).

    Level l has a stride s_l in frames: its step i stands for frames i s_l and on, and T_l = ceil(T / s_l).
    A step is valid where somebody is there at frame i s_l. Maps are zero where their mask is False.
    """

    maps: tuple[Tensor, ...]
    masks: tuple[Tensor, ...]


class Encoder(nn.Module):
    """From streams (B, T, P, J, C) and valid (B, T, P) to a Pyramid.

    A subclass states ``channels`` and ``strides`` of its levels, finest first, and ``halo``: how many frames to each
    side a frame's features can depend on. It implements `body`; absent people are never sent through it. In eval mode
    the features of a frame depend on nothing else than the frames within the halo: not on padding, not on the
    order of people, not on the rest of the batch.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]
    halo: int

    def body(self, x: Tensor, mask: Tensor | None) -> list[Tensor]:
        """Maps (N, T_l, J, C_l), finest first, of people x (N, T, J, C); mask (N, T), None where all is valid."""
        raise NotImplementedError(type(self).__name__)

    def forward(self, x: Tensor, valid: Tensor) -> Pyramid:
        """The pyramid of a batch."""
        present = valid.any(dim=1)
        index, person = present.nonzero(as_tuple=True)
        if len(index) == 0:
            return self._nobody(x)
        people, seen = x[index, :, person], valid[index, :, person]
        mask = None if bool(seen.all()) else seen
        maps = self.body(people, mask)
        pooled, masks = [], []
        for level, stride in zip(maps, self.strides, strict=True):
            here = seen[:, ::stride]
            features = (level.float().mean(dim=2) * here[..., None]).transpose(1, 2)
            count = torch.zeros(len(x), here.shape[1], device=x.device).index_add_(0, index, here.float())
            total = torch.zeros(len(x), *features.shape[1:], device=x.device).index_add(0, index, features)
            pooled.append(total / count.clamp(min=1)[:, None])
            masks.append(count > 0)
        return Pyramid(tuple(pooled), tuple(masks))

    def _nobody(self, x: Tensor) -> Pyramid:
        """The pyramid of a batch (B, T, ...) in which nobody is there: zeros."""
        steps = [-(-x.shape[1] // stride) for stride in self.strides]
        levels = zip(self.channels, steps, strict=True)
        maps = tuple(torch.zeros(len(x), channels, length, device=x.device) for channels, length in levels)
        return Pyramid(maps, tuple(torch.zeros(len(x), length, dtype=torch.bool, device=x.device) for length in steps))


EncoderFactory = Callable[[Skeleton, int, float], Encoder]
ENCODERS: Registry[EncoderFactory] = Registry("encoder")
"""Encoders by name: a function of the skeleton, the number of input channels and the dropout."""


def build_encoder(name: str, skeleton: Skeleton, in_channels: int, dropout: float = 0.0) -> Encoder:
    """An untrained encoder by name. Raises InputError for an unknown name. Weights come from torch's generator."""
    return ENCODERS[name](skeleton, in_channels, dropout)
