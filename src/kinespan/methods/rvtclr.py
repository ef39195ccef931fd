"""RVTCLR+: relative visual tempo, with the distribution-consistency branch (Zhu et al., ICCV 2023).

Notable choices:
- tempo is the method's own variable, so augmentation never changes the speed of its views
- two linear heads on one feature: appearance ignores the tempo, motion has to know it
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..config import AugmentConfig, MethodConfig
from ..encoders.base import Encoder, Pyramid
from ..losses import DistributionLoss, MultiPositiveLoss, RelativeTempoLoss
from ..transforms.augment import View, augment, change_tempo
from .base import (
    METHODS,
    EncoderInput,
    MethodInputs,
    MethodOutput,
    Strength,
    projection,
    unit_length,
    video_feature,
)
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
        """Validate; InputError names the option."""
        check_mining(self.topk, self.mine_from)


class Embeddings(NamedTuple):
    """A view's pyramid, and the outputs (B, D) of its appearance and its motion head, L2-normalised."""

    pyramid: Pyramid
    appearance: Tensor
    motion: Tensor


@METHODS.register("rvtclr", paper=PAPER)
class RVTCLR(MoCo):
    """Views at two tempos: half of the batch is queried at the clip's own, the other half at twice that.

        L = InfoNCE(q, k_same) + InfoNCE(q, k_other)        the action does not depend on the tempo: appearance head
          + max(0, 1 - (m.n_same - m.n_other))              the tempo itself is visible: motion head
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

    def forward(self, inputs: MethodInputs) -> MethodOutput:
        """The loss of a query and a strongly changed view against one key view at two tempos."""
        recordings = inputs.clips.recording  # (B,)
        fast = torch.arange(len(recordings), device=recordings.device) % 2 == 1  # (B,): queried at twice the tempo
        query = inputs.encoder_input(change_tempo(speed_preserving_view(inputs, "basic"), fast))
        strong = inputs.encoder_input(change_tempo(speed_preserving_view(inputs, "extreme"), fast))
        key_view = speed_preserving_view(inputs, "basic")
        same_tempo, other_tempo = (inputs.encoder_input(change_tempo(key_view, rate)) for rate in (fast, ~fast))

        q = self.embed(query)
        strong_feature = video_feature(self.encoder(strong.streams, strong.view.present))  # (B, C)
        d = unit_length(self.distribution_head(strong_feature))  # (B, D)
        same, other = self.embed_key(same_tempo), self.embed_key(other_tempo)
        negatives, negative_mask = self.queue.negatives(recordings)  # (M, D), (B, M)
        mined = torch.zeros_like(negative_mask)
        if inputs.progress >= self.options.mine_from:
            mined = nearest_to_any((q.appearance, d), negatives, negative_mask, self.options.topk)
        terms = {
            "video": self.video_loss(q.appearance, same.appearance, negatives, mined, negative_mask),
            "other_tempo": self.video_loss(q.appearance, other.appearance, negatives, mined, negative_mask),
            "tempo": self.tempo(q.motion, same.motion, other.motion),
            "distribution": self.distribution(d, q.appearance, same.appearance, negatives, negative_mask),
        }
        if self.training:
            self.queue.put(same.appearance, recordings)
        parts = {name: term.detach() for name, term in terms.items()}
        loss = torch.stack(list(terms.values())).sum()
        return MethodOutput(loss, q.pyramid, other.pyramid, query.view, other_tempo.view, q.appearance, parts)

    def embed(self, inputs: EncoderInput) -> Embeddings:
        """A view by the query network."""
        pyramid, appearance = self.query(inputs)
        return Embeddings(pyramid, appearance, unit_length(self.motion_head(video_feature(pyramid))))

    @torch.no_grad()
    def embed_key(self, inputs: EncoderInput) -> Embeddings:
        """A view by the momentum network."""
        pyramid, appearance = self.key(inputs)
        return Embeddings(pyramid, appearance, unit_length(self.key_motion_head(video_feature(pyramid))))


def speed_preserving_view(inputs: MethodInputs, strength: Strength) -> View:
    """A view of the clips at their own speed: tempo is what the method itself changes.

    A crop that is resized to the clip's length would change the speed at random, so the clip is shifted instead.
    """
    config: AugmentConfig = inputs.augmentation[strength]
    if config.crop == "resize" and config.crop_min < 1:
        config = replace(config, crop="shift")
    return augment(inputs.clips, config, inputs.input.skeleton, inputs.generator)
