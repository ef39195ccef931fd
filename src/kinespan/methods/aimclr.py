"""AimCLR: learning from extremely augmented views (Guo et al., AAAI 2022).

Notable choices:
- extreme views are never contrasted with the queue; they agree with the normal view on it (`DistributionLoss`)
- joints are dropped, where the release drops joints by time: pyramids hold no map of joints by time
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ..config import MethodConfig
from ..encoders.base import Encoder, Pyramid
from ..errors import InputError
from ..losses import DistributionLoss, MultiPositiveLoss
from .base import METHODS, MethodInputs, MethodOutput, unit_length, video_feature
from .mining import check_mining, nearest_to_any
from .moco import MoCo

PAPER = (
    "Guo et al.: Contrastive Learning from Extremely Augmented Skeleton Sequences for Self-supervised Action "
    "Recognition, AAAI 2022"
)
ENERGY_LAMBDA = 1e-4
"""Lambda of the energy, which keeps it finite."""


@dataclass(frozen=True)
class AimCLROptions:
    """Settings of AimCLR."""

    keep: float = 0.7
    """Share of joints that the drop module keeps, on average."""
    topk: int = 1
    """Nearest neighbours of each of the three queries that count as positives too."""
    mine_from: float = 0.5
    """Share of the steps after which neighbours are mined (150 of 300 epochs); 1: never."""

    def __post_init__(self) -> None:
        """Validate; InputError names the option."""
        if not 0 < self.keep <= 1:
            raise InputError(f"--options.keep is {self.keep}, expected above 0 and at most 1")
        check_mining(self.topk, self.mine_from)


@METHODS.register("aimclr", paper=PAPER)
class AimCLR(MoCo):
    """A normal, an extreme and a dropped query against one normal key.

        L = InfoNCE(z, k) + (D3M(z~ | z) + D3M(z~_drop | z)) / 2

    z is of a basic view, z~ of an extreme one, z~_drop of the extreme one with its most distinctive joints dropped. In
    the second phase the nearest neighbours of the three in the queue are positives of InfoNCE too. The snippet term
    gets the normal query and the key: extreme views may no longer show the action, let alone its moments.
    """

    Options = AimCLROptions

    def __init__(self, encoder: Encoder, config: MethodConfig, options: AimCLROptions) -> None:
        super().__init__(encoder, config)
        self.options = options
        self.video_loss = MultiPositiveLoss(config.temperature)
        self.divergence = DistributionLoss(config.temperature)

    def forward(self, inputs: MethodInputs) -> MethodOutput:
        """The loss of a normal and an extreme query view against one key view."""
        query, key, extreme = inputs.view(), inputs.view(), inputs.view("extreme")
        recordings = inputs.clips.recording  # (B,)
        pyramid, z = self.query(query)  # z (B, D)
        extreme_pyramid, z_extreme = self.query(extreme)
        dropped = dropped_feature(extreme_pyramid, self.options.keep, inputs.generator)  # (B, C)
        z_dropped = unit_length(self.head(dropped))
        key_pyramid, positive = self.key(key)  # positive (B, D)
        negatives, negative_mask = self.queue.negatives(recordings)  # (M, D), (B, M)
        mined = torch.zeros_like(negative_mask)
        if inputs.progress >= self.options.mine_from:
            mined = nearest_to_any((z, z_extreme, z_dropped), negatives, negative_mask, self.options.topk)
        video = self.video_loss(z, positive, negatives, mined, negative_mask)
        divergence = (
            self.divergence(z_extreme, z, positive, negatives, negative_mask)
            + self.divergence(z_dropped, z, positive, negatives, negative_mask)
        ) / 2
        if self.training:
            self.queue.put(positive, recordings)
        parts = {"video": video.detach(), "divergence": divergence.detach()}
        return MethodOutput(video + divergence, pyramid, key_pyramid, query.view, key.view, z, parts)


def dropped_feature(pyramid: Pyramid, keep: float, generator: Generator) -> Tensor:
    """The video feature (B, C) without the joints that the drop module removes.

    What the drop changes in the mean over joints is added to the video feature: for some encoders the mean over joints
    is not exactly the video feature, yet the head has to see the same feature in all three queries.
    """
    joints = pyramid.joints  # (B, J, C)
    assert joints is not None, "an Encoder gives features of joints"
    weight = keep_mask(joints.detach(), keep, generator).to(joints.dtype)  # (B, J)
    mean = (joints * weight[..., None]).sum(dim=1) / weight.sum(dim=1, keepdim=True)  # (B, C)
    return video_feature(pyramid) + (mean - joints.mean(dim=1))


def keep_mask(joints: Tensor, keep: float, generator: Generator) -> Tensor:
    """Which joints (B, J) bool of features (B, J, C) stay: the energy-based attention-guided drop module.

    The energy of a value x is e = 4 (var + lambda) / ((x - mean)^2 + 2 var + 2 lambda), with mean and variance over
    the joints of a channel: the lower, the more it stands out (Yang et al., SimAM, ICML 2021, equation 5). Attention is
    1 / e, averaged over channels. A joint is dropped with a probability in proportion to its attention, on average 1 -
    keep. Where all would go, all stay.
    """
    deviation = (joints - joints.mean(dim=1, keepdim=True)) ** 2  # (B, J, C)
    variance = deviation.mean(dim=1, keepdim=True)  # (B, 1, C)
    inverse_energy = (deviation + 2 * variance + 2 * ENERGY_LAMBDA) / (4 * (variance + ENERGY_LAMBDA))  # (B, J, C)
    attention = inverse_energy.mean(dim=2)  # (B, J)
    drop_probability = (1 - keep) * attention / attention.mean(dim=1, keepdim=True)  # (B, J)
    stays = torch.rand(drop_probability.shape, generator=generator, device=joints.device) >= drop_probability
    return stays | ~stays.any(dim=1, keepdim=True)
