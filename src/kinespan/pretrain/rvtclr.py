"""RVTCLR+: relative visual tempo, with the distribution-consistency branch (Zhu et al., ICCV 2023)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..config import AugmentConfig, MethodConfig
from ..encoders.base import Encoder, Pyramid
from ..losses import DistributionLoss, MultiPositiveLoss, RelativeTempoLoss
from ..transforms.augment import View, augment, change_tempo
from .base import METHODS, MethodOutput, Seen, Step, Strength, projection, unit_length, video_feature
from .mining import check_mining, nearest_to_any
from .moco import MoCo
from .momentum import slow_copy

PAPER = (
    "Zhu et al.: Modeling the Relative Visual Tempo for Self-supervised Skeleton-based Action Recognition, ICCV 2023"
)


@dataclass(frozen=True)
class RVTCLROptions:
    """Settings of RVTCLR+."""

    margin: float = 1.0
    """How much closer, in cosine similarity, a query shall be to the key at its own tempo than to that at the other."""
    topk: int = 1
    """Nearest neighbours of the query and of the distribution-consistency query that count as positives too."""
    mine_from: float = 0.33
    """Share of the steps after which neighbours are mined (200 of 600 epochs); 1: never."""

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing."""
        check_mining(self.topk, self.mine_from)


class Vectors(NamedTuple):
    """What a network says of a view: its pyramid, and two L2-normalised vectors (B, D)."""

    pyramid: Pyramid
    appearance: Tensor
    motion: Tensor


@METHODS.register("rvtclr", paper=PAPER)
class RVTCLR(MoCo):
    """Views at two tempos: half of the batch is queried at the clip's own, the other half at twice that.

        L = InfoNCE(q, k_same) + InfoNCE(q, k_other)        what is done does not depend on the tempo: appearance head
          + max(0, 1 - (m.n_same - m.n_other))              but the tempo can be told: motion head
          + D(d | q)                                        a strongly changed view agrees with q on the queue: DC head

    q, m and d are of the query network, k and n of the momentum network; the heads of q and m are linear, that of d
    has two layers. In the second phase the nearest neighbours of q and d in the queue are positives of both InfoNCE.
    The network sees half of a clip's frames. The snippet term contrasts the query with the key at the other tempo, as
    in the release of arXiv 2512.16504: their time maps say which snippets show the same moment at either speed.
    """

    Options = RVTCLROptions

    def __init__(self, encoder: Encoder, config: MethodConfig, options: RVTCLROptions) -> None:
        channels = encoder.channels[-1]
        super().__init__(encoder, config, nn.Linear(channels, config.dim))
        self.options = options
        self.motion_head = nn.Linear(channels, config.dim)
        self.key_motion_head = slow_copy(self.motion_head)
        self.distribution_head = projection(channels, config.dim)
        self.video_loss = MultiPositiveLoss(config.temperature)
        self.tempo = RelativeTempoLoss(options.margin)
        self.distribution = DistributionLoss(config.temperature)

    @classmethod
    def view_frames(cls, clip_frames: int) -> int:
        """Half of a clip's frames."""
        return clip_frames // 2

    def forward(self, step: Step) -> MethodOutput:
        """One step."""
        recordings = step.clips.recording
        fast = torch.arange(len(recordings), device=recordings.device) % 2 == 1
        query = step.seen(change_tempo(steady(step, "basic"), fast))
        strong = step.seen(change_tempo(steady(step, "extreme"), fast))
        key_view = steady(step, "basic")
        same, other = (step.seen(change_tempo(key_view, rate)) for rate in (fast, ~fast))
        q = self.describe(query)
        d = unit_length(self.distribution_head(video_feature(self.encoder(strong.streams, strong.view.valid))))
        k, n = self.describe_key(same), self.describe_key(other)
        negatives, usable = self.queue.negatives(recordings)
        mined = torch.zeros_like(usable)
        if step.progress >= self.options.mine_from:
            mined = nearest_to_any((q.appearance, d), negatives, usable, self.options.topk)
        terms = {
            "video": self.video_loss(q.appearance, k.appearance, negatives, mined, usable),
            "other_tempo": self.video_loss(q.appearance, n.appearance, negatives, mined, usable),
            "tempo": self.tempo(q.motion, k.motion, n.motion),
            "distribution": self.distribution(d, q.appearance, k.appearance, negatives, usable),
        }
        if self.training:
            self.queue.put(k.appearance, recordings)
        parts = {name: term.detach() for name, term in terms.items()}
        loss = torch.stack(list(terms.values())).sum()
        return MethodOutput(loss, q.pyramid, n.pyramid, query.view, other.view, q.appearance, parts)

    def describe(self, seen: Seen) -> Vectors:
        """A view by the query network."""
        pyramid = self.encoder(seen.streams, seen.view.valid)
        feature = video_feature(pyramid)
        return Vectors(pyramid, unit_length(self.head(feature)), unit_length(self.motion_head(feature)))

    @torch.no_grad()
    def describe_key(self, seen: Seen) -> Vectors:
        """A view by the momentum network."""
        pyramid = self.key_encoder(seen.streams, seen.view.valid)
        feature = video_feature(pyramid)
        return Vectors(pyramid, unit_length(self.key_head(feature)), unit_length(self.key_motion_head(feature)))


def steady(step: Step, strength: Strength) -> View:
    """A view of the step's clips that keeps their speed: tempo is what the method itself changes.

    A crop that is stretched to the clip's length would change it by chance, so the clip is shifted instead.
    """
    config: AugmentConfig = step.augmentation[strength]
    if config.crop == "resize" and config.crop_min < 1:
        config = replace(config, crop="shift")
    return augment(step.clips, config, step.input.skeleton, step.generator)
