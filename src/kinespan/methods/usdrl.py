"""USDRL: dense representations without negatives, decorrelated at three grains (Weng et al., AAAI 2025).

Notable choices:
- moments are matched by time, through the time maps of the views, so that temporal crops stay legal
- neither negatives nor a momentum network
- the instance feature is the mean over time, where the paper pools by the maximum
"""

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
from .base import METHODS, Method, MethodInputs, MethodOutput, unit_length, video_feature

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
        """Validate; InputError names the option."""
        for name in ("views", "dim"):
            if getattr(self, name) < 2:
                raise InputError(f"--options.{name} is {getattr(self, name)}, expected at least 2")
        for name in ("similarity", "variance", "covariance", "correlation", "temporal", "spatial"):
            if not getattr(self, name) >= 0:
                raise InputError(f"--options.{name} is {getattr(self, name)}, expected at least 0")


class GrainSamples(NamedTuple):
    """The samples of a view at one grain: features (B, K, C) and valid (B, K) bool.

    edges (B, K + 1): the seconds at which samples begin and end; None where sample k is the same thing in all views.
    """

    features: Tensor
    valid: Tensor
    edges: Tensor | None = None


@METHODS.register("usdrl", paper=PAPER)
class USDRL(Method):
    """Views of a clip agree, and dimensions do not repeat one another, for instances, moments and joints alike.

        L = L_instance + w_t L_temporal + w_s L_spatial, each the DecorrelationLoss of projections of its own

    instance: the mean over time of the deepest map; temporal: its steps; spatial: the features of joints, over time.
    Each view has a temporal crop of its own, so a step of one is compared with what the other shows of the same time of
    the recording; a step of which the other shows less than half is left out. Joints are compared by name, so views are
    better not mirrored (augment.flip): a mirrored left hand does what the right one did. The snippet term contrasts the
    first view with the second, whose maps get no gradient; its queue holds earlier outputs of the same encoder.
    """

    Options = USDRLOptions

    def __init__(self, encoder: Encoder, config: MethodConfig, options: USDRLOptions) -> None:
        """config is unused: queue, momentum and temperature are for methods with negatives."""
        super().__init__()
        self.encoder, self.options = encoder, options
        self.weights = {"instance": 1.0, "temporal": options.temporal, "spatial": options.spatial}
        channels = encoder.channels[-1]
        self.heads = nn.ModuleDict({grain: expander(channels, options.dim) for grain in self.weights})
        weights = options.similarity, options.variance, options.covariance, options.correlation
        self.loss = DecorrelationLoss(*weights)

    def forward(self, inputs: MethodInputs) -> MethodOutput:
        """The weighted loss of all pairs of views, at three grains."""
        views = [inputs.view() for _ in range(self.options.views)]
        pyramids = [self.encoder(view.streams, view.view.present) for view in views]
        grains = [self.grains(pyramid, view.view) for pyramid, view in zip(pyramids, views, strict=True)]
        terms, projections = {}, {}
        for name in self.weights:
            samples = [grain[name] for grain in grains]
            projections[name] = [self.project(name, sample) for sample in samples]  # (B, K, D) each
            # sums over all samples, of which bfloat16 would keep two digits
            with torch.autocast(inputs.clips.positions.device.type, enabled=False):
                terms[name] = self.decorrelation(samples, projections[name])
        loss = torch.stack([weight * terms[name] for name, weight in self.weights.items()]).sum()
        embedding = unit_length(projections["instance"][0][:, 0])  # (B, D)
        parts = {name: term.detach() for name, term in terms.items()}
        first, second = pyramids[0], without_gradient(pyramids[1])
        return MethodOutput(loss, first, second, views[0].view, views[1].view, embedding, parts)

    def grains(self, pyramid: Pyramid, view: View) -> dict[str, GrainSamples]:
        """Instance (K = 1), temporal (K = T_L) and spatial (K = J) samples of a view."""
        deepest, mask, joints = pyramid.maps[-1], pyramid.masks[-1], pyramid.joints  # (B, C, T_L), (B, T_L), (B, J, C)
        assert joints is not None, "an Encoder gives features of joints"
        present, stride = mask.any(dim=1, keepdim=True), self.encoder.strides[-1]  # present (B, 1)
        timed = mask if view.timed is None else mask & whole_steps(view.timed, stride)  # (B, T_L)
        edges = view.times.edges(deepest.shape[2], deepest.shape[2] * stride)  # (B, T_L + 1)
        return {
            "instance": GrainSamples(video_feature(pyramid)[:, None], present),
            "temporal": GrainSamples(deepest.transpose(1, 2), timed, edges),
            "spatial": GrainSamples(joints, present.expand(-1, joints.shape[1])),
        }

    def decorrelation(self, samples: Sequence[GrainSamples], projected: Sequence[Tensor]) -> Tensor:
        """The loss of a grain, given its samples in all views and their projections (B, K, D)."""
        views = [z[grain.valid] for z, grain in zip(projected, samples, strict=True)]  # (N, D) each
        pairs = []
        for a, b in combinations(range(len(samples)), 2):
            weights = alignment_weights(samples[a], samples[b])  # (B, K, K')
            matched = samples[a].valid & weights.any(dim=2)  # (B, K)
            pairs.append((projected[a][matched], (weights @ projected[b])[matched]))
        return self.loss(views, pairs)  # type: ignore[no-any-return]

    def project(self, name: str, grain: GrainSamples) -> Tensor:
        """Projections (B, K, D) of a grain's features; zero where a sample is not valid."""
        features = grain.features[grain.valid]  # (N, C)
        out = torch.zeros(*grain.valid.shape, self.options.dim, device=features.device)  # (B, K, D)
        if len(features) > 1:  # batch norm needs two
            out[grain.valid] = self.heads[name](features).float()
        return out


def expander(in_channels: int, dim: int) -> nn.Sequential:
    """Three-layer projection C -> D -> D -> D with batch norm, as VICReg and Barlow Twins have it."""
    layers: list[nn.Module] = []
    for channels in (in_channels, dim):
        layers += [nn.Linear(channels, dim, bias=False), nn.BatchNorm1d(dim), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(dim, dim, bias=False))


def alignment_weights(samples: GrainSamples, reference: GrainSamples) -> Tensor:
    """Weights (B, K, K') that average the samples of a reference view for the comparison with each sample of a view.

    By overlap in time, where samples have edges; else sample k is compared with sample k. Rows add up to 1, or are zero
    where the reference view has no valid sample, or shows less than half of the sample's time.
    """
    if samples.edges is None or reference.edges is None:
        return torch.diag_embed(reference.valid.float())  # (B, K, K)
    overlap, _ = overlap_and_gap(samples.edges, reference.edges)  # (B, K, K'), seconds
    overlap = overlap * reference.valid[:, None]
    covered = overlap.sum(dim=2, keepdim=True)  # (B, K, 1)
    enough = covered >= 0.5 * samples.edges.diff(dim=1)[..., None]
    return torch.where(enough, overlap / covered.clamp(min=1e-9), 0.0)


def whole_steps(frames: Tensor, stride: int) -> Tensor:
    """Which steps (B, ceil(T / stride)) consist of frames (B, T) that are all True."""
    padded = F.pad(frames, (0, -frames.shape[1] % stride), value=True)  # (B, steps * stride)
    return padded.reshape(len(frames), -1, stride).all(dim=2)


def without_gradient(pyramid: Pyramid) -> Pyramid:
    """The pyramid, detached from the graph."""
    joints = None if pyramid.joints is None else pyramid.joints.detach()
    return Pyramid(tuple(level.detach() for level in pyramid.maps), pyramid.masks, joints, pyramid.all_valid)
