"""An encoder for each stream, their maps joined: late fusion of streams within one network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from .base import Encoder, Pyramid

STREAM_CHANNELS = 3
"""Coordinates of a stream."""


class Streamwise(Encoder):
    """Encoders of one kind, each for one stream (B, T, P, J, 3) of the input; channels of their maps are joined."""

    members: Sequence[Encoder]

    def __init__(self, factory: Callable[[int], Encoder], streams: int) -> None:
        """factory: from a number of input channels to an encoder."""
        super().__init__()
        self.members = nn.ModuleList(factory(STREAM_CHANNELS) for _ in range(streams))  # type: ignore[assignment]
        first = self.members[0]
        self.channels = tuple(streams * channels for channels in first.channels)
        self.strides, self.halo = first.strides, first.halo

    def forward(self, x: Tensor, valid: Tensor) -> Pyramid:
        """The joined pyramid of S streams x (B, T, P, J, 3 S) and valid (B, T, P)."""
        streams = x.chunk(len(self.members), dim=-1)  # S of (B, T, P, J, 3)
        return joined([member(stream, valid) for member, stream in zip(self.members, streams, strict=True)])


def joined(pyramids: Sequence[Pyramid]) -> Pyramid:
    """Pyramids of the same clips side by side: maps (B, C_1 + C_2 + ..., T_l), joints likewise."""
    levels = zip(*(pyramid.maps for pyramid in pyramids), strict=True)
    joints = [pyramid.joints for pyramid in pyramids if pyramid.joints is not None]
    return Pyramid(
        tuple(torch.cat(level, dim=1) for level in levels),
        pyramids[0].masks,
        torch.cat(joints, dim=2) if joints else None,
        pyramids[0].all_valid,
    )
