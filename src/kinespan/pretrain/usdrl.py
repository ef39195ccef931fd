"""USDRL: dense representations without negatives, decorrelated at three grains (Weng et al., AAAI 2025)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..config import MethodConfig
from ..encoders.base import Encoder, Pyramid
from ..errors import InputError
from ..losses import DecorrelationLoss
from ..losses.snippet import overlap_and_gap
from ..transforms.augment import View
from .base import METHODS, Method, MethodOutput, Step, unit_length, video_feature

PAPER = (
    "Weng et al.: USDRL, Unified Skeleton-Based Dense Representation Learning with Multi-Grained Feature "
    "Decorrelation, AAAI 2025"
)


@dataclass(frozen=True)
class USDRLOptions:
    """Settings of USDRL."""

    views: int = 2
    """Augmented views of each clip, each pair of which is to agree (the paper: 4)."""
    dim: int = 512
    """Length of the projected vectors, of each grain; large, as what is decorrelated are its dimensions."""
    similarity: float = 5.0
    """Weight of the mean squared difference of two views."""
    variance: float = 1.0
    """Weight of the hinge that keeps each dimension's standard deviation at 1 or above."""
    covariance: float = 1.0
    """Weight of the squared covariances between dimensions of a view."""
    correlation: float = 1e-3
    """Weight of the cross-correlation of two views, as in Barlow Twins."""
    temporal: float = 0.5
    """Weight of the temporal grain, beside 1 of the instance."""
    spatial: float = 0.5
    """Weight of the spatial grain, beside 1 of the instance."""

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing."""
        for name, least in (("views", 2), ("dim", 2)):
            if getattr(self, name) < least:
                raise InputError(f"--options.{name} is {getattr(self, name)}, expected at least {least}")
        for name in ("similarity", "variance", "covariance", "correlation", "temporal", "spatial"):
            if not getattr(self, name) >= 0:
                raise InputError(f"--options.{name} is {getattr(self, name)}, expected at least 0")


class Grain(NamedTuple):
    """Samples of a view at one grain: features (B, K, C) and which of them there are (B, K) bool.

    edges (B, K + 1): the seconds at which each begins and ends; None where sample k is the same thing in all views.
    """

    features: Tensor
    there: Tensor
    edges: Tensor | None = None


@METHODS.register("usdrl", paper=PAPER)
class USDRL(Method):
    """Views of a clip agree, and dimensions do not repeat one another, for instances, moments and joints alike.

        L = L_instance + w_t L_temporal + w_s L_spatial, each the DecorrelationLoss of projections of its own

    instance: the mean over time of the deepest map (the paper pools by the maximum); temporal: its steps; spatial: the
    features of joints, over time. Views are cropped in time each by itself, so a step of one is held against what the
    other shows of the same time of the recording, found through the time maps; a step of which the other shows less
    than half has no say. Joints are held against joints of the same name, so views are better not mirrored
    (augment.flip): a mirrored left hand does what the right one did. There are neither negatives nor a momentum
    network. The snippet term on top contrasts the first view with the second, whose maps are taken without gradient;
    its queue holds what this encoder made of others.
    """

    Options = USDRLOptions

    def __init__(self, encoder: Encoder, config: MethodConfig, options: USDRLOptions) -> None:
        """config has no say: queue, momentum and temperature are for methods with negatives."""
        super().__init__()
        self.encoder, self.options = encoder, options
        self.weights = {"instance": 1.0, "temporal": options.temporal, "spatial": options.spatial}
        channels = encoder.channels[-1]
        self.heads = nn.ModuleDict({grain: expander(channels, options.dim) for grain in self.weights})
        weights = options.similarity, options.variance, options.covariance, options.correlation
        self.loss = DecorrelationLoss(*weights)

    def forward(self, step: Step) -> MethodOutput:
        """One step."""
        seen = [step.view() for _ in range(self.options.views)]
        pyramids = [self.encoder(one.streams, one.view.valid) for one in seen]
        grains = [self.grains(pyramid, one.view) for pyramid, one in zip(pyramids, seen, strict=True)]
        parts, projections = {}, {}
        for name in self.weights:
            samples = [grain[name] for grain in grains]
            projections[name] = [self.project(name, sample) for sample in samples]
            # sums over all samples, of which bfloat16 would keep two digits
            with torch.autocast(step.clips.positions.device.type, enabled=False):
                parts[name] = self.decorrelation(samples, projections[name])
        loss = torch.stack([weight * parts[name] for name, weight in self.weights.items()]).sum()
        embedding = unit_length(projections["instance"][0][:, 0])
        told = {name: part.detach() for name, part in parts.items()}
        first, second = pyramids[0], without_gradient(pyramids[1])
        return MethodOutput(loss, first, second, seen[0].view, seen[1].view, embedding, told)

    def grains(self, pyramid: Pyramid, view: View) -> dict[str, Grain]:
        """Instance (K = 1), temporal (K = T_L) and spatial (K = J) samples of a view."""
        deepest, mask, joints = pyramid.maps[-1], pyramid.masks[-1], pyramid.joints
        assert joints is not None, "an Encoder gives features of joints"
        somebody, stride = mask.any(dim=1, keepdim=True), self.encoder.strides[-1]
        timed = mask if view.timed is None else mask & whole_steps(view.timed, stride)
        edges = view.times.edges(deepest.shape[2], deepest.shape[2] * stride)
        return {
            "instance": Grain(video_feature(pyramid)[:, None], somebody),
            "temporal": Grain(deepest.transpose(1, 2), timed, edges),
            "spatial": Grain(joints, somebody.expand(-1, joints.shape[1])),
        }

    def decorrelation(self, samples: Sequence[Grain], projected: Sequence[Tensor]) -> Tensor:
        """The loss of a grain, of its samples in all views and their projections (B, K, D)."""
        views = [z[grain.there] for z, grain in zip(projected, samples, strict=True)]
        pairs = []
        for a, b in combinations(range(len(samples)), 2):
            share = shared(samples[a], samples[b])
            both = samples[a].there & share.any(dim=2)
            pairs.append((projected[a][both], (share @ projected[b])[both]))
        return self.loss(views, pairs)  # type: ignore[no-any-return]

    def project(self, name: str, grain: Grain) -> Tensor:
        """Projections (B, K, D) of a grain's features; zero where there is no sample."""
        found = grain.features[grain.there]
        out = torch.zeros(*grain.there.shape, self.options.dim, device=found.device)
        if len(found) > 1:  # batch norm needs two
            out[grain.there] = self.heads[name](found).float()
        return out


def expander(in_channels: int, dim: int) -> nn.Sequential:
    """Three-layer projection C -> D -> D -> D with batch norm, as VICReg and Barlow Twins have it."""
    layers: list[nn.Module] = []
    for channels in (in_channels, dim):
        layers += [nn.Linear(channels, dim, bias=False), nn.BatchNorm1d(dim), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(dim, dim, bias=False))


def shared(one: Grain, other: Grain) -> Tensor:
    """What in another view a sample is held against, as weights (B, K, K'): sample k itself, or a mean over its time.

    Rows add up to 1, or are zero where there is nothing: the sample is not there, or less than half of its time is.
    """
    if one.edges is None or other.edges is None:
        return torch.diag_embed(other.there.float())
    overlap, _ = overlap_and_gap(one.edges, other.edges)
    overlap = overlap * other.there[:, None]
    total = overlap.sum(dim=2, keepdim=True)
    enough = total >= 0.5 * one.edges.diff(dim=1)[..., None]
    return torch.where(enough, overlap / total.clamp(min=1e-9), 0.0)


def whole_steps(frames: Tensor, stride: int) -> Tensor:
    """Which steps (B, ceil(T / stride)) hold nothing but frames (B, T) that are True."""
    padded = F.pad(frames, (0, -frames.shape[1] % stride), value=True)
    return padded.reshape(len(frames), -1, stride).all(dim=2)


def without_gradient(pyramid: Pyramid) -> Pyramid:
    """The pyramid, no part of which takes a gradient."""
    joints = None if pyramid.joints is None else pyramid.joints.detach()
    return Pyramid(tuple(level.detach() for level in pyramid.maps), pyramid.masks, joints, pyramid.all_valid)
