"""AimCLR: learning from extremely augmented views (Guo et al., AAAI 2022)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from ..config import MethodConfig
from ..encoders.base import Encoder, Pyramid
from ..errors import InputError
from ..losses import DistributionLoss, MultiPositiveLoss
from .base import METHODS, MethodOutput, Step, unit_length, video_feature
from .mining import check_mining, nearest_to_any
from .moco import MoCo

PAPER = (
    "Guo et al.: Contrastive Learning from Extremely Augmented Skeleton Sequences for Self-supervised Action "
    "Recognition, AAAI 2022"
)
FLOOR = 1e-4
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
        """Refuse settings that mean nothing."""
        if not 0 < self.keep <= 1:
            raise InputError(f"--options.keep is {self.keep}, expected above 0 and at most 1")
        check_mining(self.topk, self.mine_from)


@METHODS.register("aimclr", paper=PAPER)
class AimCLR(MoCo):
    """A normal, an extreme and a dropped query against one normal key.

        L = InfoNCE(z, k) + (D3M(z~ | z) + D3M(z~_drop | z)) / 2

    z is of a basic view, z~ of an extreme one, z~_drop of the extreme one with its most telling joints dropped. In the
    second phase the nearest neighbours of the three in the queue are positives of InfoNCE too. The snippet term gets
    the normal query and the key: where extreme views no longer show what was done, their moments cannot be told apart.
    """

    Options = AimCLROptions

    def __init__(self, encoder: Encoder, config: MethodConfig, options: AimCLROptions) -> None:
        super().__init__(encoder, config)
        self.options = options
        self.video_loss = MultiPositiveLoss(config.temperature)
        self.divergence = DistributionLoss(config.temperature)

    def forward(self, step: Step) -> MethodOutput:
        """One step."""
        query, key, extreme = step.view(), step.view(), step.view("extreme")
        recordings = step.clips.recording
        pyramid, normal = self.query(query)
        extreme_pyramid, changed = self.query(extreme)
        dropped = unit_length(self.head(dropped_feature(extreme_pyramid, self.options.keep, step.generator)))
        key_pyramid, positive = self.key(key)
        negatives, usable = self.queue.negatives(recordings)
        mined = torch.zeros_like(usable)
        if step.progress >= self.options.mine_from:
            mined = nearest_to_any((normal, changed, dropped), negatives, usable, self.options.topk)
        video = self.video_loss(normal, positive, negatives, mined, usable)
        divergence = (
            self.divergence(changed, normal, positive, negatives, usable)
            + self.divergence(dropped, normal, positive, negatives, usable)
        ) / 2
        if self.training:
            self.queue.put(positive, recordings)
        parts = {"video": video.detach(), "divergence": divergence.detach()}
        return MethodOutput(video + divergence, pyramid, key_pyramid, query.view, key.view, normal, parts)


def dropped_feature(pyramid: Pyramid, keep: float, generator: Generator) -> Tensor:
    """The video feature (B, C) without the joints that the drop module takes away.

    What the drop changes in the mean over joints is added to the video feature, so that encoders whose joints are not
    the other marginal of their map to the last digit see the same head as everywhere.
    """
    joints = pyramid.joints
    assert joints is not None, "an Encoder gives features of joints"
    kept = keep_mask(joints.detach(), keep, generator).to(joints.dtype)
    mean = (joints * kept[..., None]).sum(dim=1) / kept.sum(dim=1, keepdim=True)
    return video_feature(pyramid) + (mean - joints.mean(dim=1))


def keep_mask(joints: Tensor, keep: float, generator: Generator) -> Tensor:
    """Which joints (B, J) bool of features (B, J, C) stay: the energy-based attention-guided drop module.

    The energy of a value x is e = 4 (var + lambda) / ((x - mean)^2 + 2 var + 2 lambda), with mean and variance over
    the joints of a channel: the lower, the more it stands out (Yang et al., SimAM, ICML 2021, equation 5). Attention is
    1 / e, averaged over channels. A joint is dropped with a probability in proportion to its attention, on average 1 -
    keep. We drop joints alone: pyramids hold no map of joints by time. Where all would go, all stay.
    """
    away = (joints - joints.mean(dim=1, keepdim=True)) ** 2
    spread = away.mean(dim=1, keepdim=True)
    attention = ((away + 2 * spread + 2 * FLOOR) / (4 * (spread + FLOOR))).mean(dim=2)
    chance = (1 - keep) * attention / attention.mean(dim=1, keepdim=True)
    drawn = torch.rand(chance.shape, generator=generator, device=joints.device)
    kept = drawn >= chance
    return kept | ~kept.any(dim=1, keepdim=True)
