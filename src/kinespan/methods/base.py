"""The contract of a pretraining method: a batch of clips in, a loss and the pyramids of two views of them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple

from torch import Generator, Tensor, nn
from torch.nn import functional as F

from ..config import AugmentConfig, MethodConfig
from ..config.parser import parse_settings
from ..encoders.base import Encoder, Pyramid
from ..models.input_spec import InputSpec
from ..registry import Registry
from ..transforms.augment import View, augment

Strength = Literal["basic", "extreme"]


class EncoderInput(NamedTuple):
    """The input of an encoder: streams (B, T, P, J, C), and the view that they were computed from."""

    streams: Tensor
    view: View


@dataclass(frozen=True)
class MethodInputs:
    """The inputs of a step: a batch of clips, and the means to make views of them.

    clips: as they were drawn. progress: 0 at the first step, towards 1 at the last. augmentation: settings by strength.
    input: the encoder's InputSpec. generator: the source of every random number.
    """

    clips: View
    progress: float
    augmentation: Mapping[Strength, AugmentConfig]
    input: InputSpec
    generator: Generator

    def view(self, strength: Strength = "basic") -> EncoderInput:
        """A new view of the clips, augmented by fresh draws."""
        return self.encoder_input(augment(self.clips, self.augmentation[strength], self.input.skeleton, self.generator))

    def encoder_input(self, view: View) -> EncoderInput:
        """A view as it is, with its streams."""
        return EncoderInput(self.input.compute_streams(view.positions, view.valid), view)


@dataclass(frozen=True)
class MethodOutput:
    """The result of a step.

    loss is a scalar, parts its named terms, detached; query and key are the pyramids of two views, the key's without
    gradient, beside the views themselves: what the snippet term contrasts; embedding (B, D) is the L2-normalised query
    vectors, for the collapse indicator.
    """

    loss: Tensor
    query: Pyramid
    key: Pyramid
    query_view: View
    key_view: View
    embedding: Tensor
    parts: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class NoOptions:
    """A method without settings of its own."""


class Method(nn.Module):
    """A self-supervised method over an encoder. ``encoder`` is the result of pretraining.

    A subclass has a constructor (encoder, config, options); ``Options`` is the dataclass of its own settings.
    """

    Options: ClassVar[type[Any]] = NoOptions
    encoder: Encoder

    def forward(self, inputs: MethodInputs) -> MethodOutput:
        """One step."""
        raise NotImplementedError(type(self).__name__)

    def after_step(self) -> None:
        """Called after each optimiser step, to move momentum networks."""

    @classmethod
    def view_frames(cls, clip_frames: int) -> int:
        """Frames of the views that the encoder sees, of clips of `clip_frames`."""
        return clip_frames


METHODS: Registry[Callable[..., Method]] = Registry("method")
"""Pretraining methods by name: subclasses of Method, each registered with its paper."""


def method_options(name: str, options: Mapping[str, Any] | None = None) -> Any:
    """The `Options` of a method. Raises InputError for an unknown method or option, naming the nearest."""
    return parse_settings(METHODS[name].Options, options or {}, f"--options of method {name}")  # type: ignore[attr-defined]


def build_method(name: str, encoder: Encoder, config: MethodConfig, options: Mapping[str, Any] | None = None) -> Method:
    """A method by name, with its options. Raises InputError as `method_options` does."""
    return METHODS[name](encoder, config, method_options(name, options))


def projection(in_channels: int, dim: int) -> nn.Sequential:
    """Two-layer projection head C -> C -> D, as MoCo v2 and the skeleton contrastive family have it."""
    return nn.Sequential(nn.Linear(in_channels, in_channels), nn.ReLU(), nn.Linear(in_channels, dim))


def video_feature(pyramid: Pyramid) -> Tensor:
    """Mean over valid time (B, C) of the deepest map."""
    deepest, mask = pyramid.maps[-1], pyramid.masks[-1]  # (B, C, T), (B, T); the map is zero where the mask is False
    return deepest.sum(dim=2) / mask.sum(dim=1, keepdim=True).clamp(min=1)


def unit_length(x: Tensor) -> Tensor:
    """Vectors x (..., D) scaled to length 1, in float32."""
    return F.normalize(x.float(), dim=-1)
