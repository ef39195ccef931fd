"""What a pretraining method is: two views in, a loss and the pyramids of both views out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.nn import functional as F

from ..config import MethodConfig
from ..encoders.base import Encoder, Pyramid
from ..registry import Registry
from ..transforms.augment import View


@dataclass(frozen=True)
class MethodOutput:
    """What one step of a method gives.

    loss is a scalar; parts its named terms, detached; embedding (B, D) the normalised query vectors, for the
    collapse indicator; query and key the pyramids of the two views, the key's without gradient.
    """

    loss: Tensor
    query: Pyramid
    key: Pyramid
    embedding: Tensor
    parts: dict[str, Tensor] = field(default_factory=dict)


class Method(nn.Module):
    """A contrastive method over an encoder. ``encoder`` is what is kept after pretraining."""

    encoder: Encoder

    def forward(self, query: tuple[Tensor, View], key: tuple[Tensor, View]) -> MethodOutput:
        """One step from the streams (B, T, P, J, C) of two views and the views themselves."""
        raise NotImplementedError(type(self).__name__)

    def after_step(self) -> None:
        """Called after each optimiser step."""


MethodFactory = Callable[[Encoder, MethodConfig], Method]
METHODS: Registry[MethodFactory] = Registry("method")
"""Pretraining methods by name."""


def projection(in_channels: int, dim: int) -> nn.Sequential:
    """Two-layer projection head C -> C -> D, as MoCo v2 and the skeleton contrastive family have it."""
    return nn.Sequential(nn.Linear(in_channels, in_channels), nn.ReLU(), nn.Linear(in_channels, dim))


def video_feature(pyramid: Pyramid) -> Tensor:
    """Mean over valid time (B, C) of the deepest map."""
    deepest, mask = pyramid.maps[-1], pyramid.masks[-1]
    return deepest.sum(dim=2) / mask.sum(dim=1, keepdim=True).clamp(min=1)


def unit_length(x: Tensor, dim: int = -1) -> Tensor:
    """x scaled to length 1 along `dim`, in float32."""
    return F.normalize(x.float(), dim=dim)
