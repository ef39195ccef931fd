"""SkeletonCLR: MoCo on skeleton sequences (Li et al., CrosSCLR, CVPR 2021, section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..config import MethodConfig
from ..encoders.base import Encoder
from ..losses import InfoNCELoss
from ..transforms.augment import View
from .base import METHODS, Method, MethodOutput, projection, unit_length, video_feature
from .momentum import Momentum, slow_copy
from .queue import KeyQueue


@METHODS.register("skeletonclr")
class SkeletonCLR(Method):
    """Video term: p = W_g(mean_t h), InfoNCE against the momentum view and a queue of keys of other recordings."""

    def __init__(self, encoder: Encoder, config: MethodConfig) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = projection(encoder.channels[-1], config.dim)
        self.key_encoder, self.key_head = slow_copy(encoder), slow_copy(self.head)
        self.momentum = Momentum(config.momentum)
        self.queue = KeyQueue(config.queue, config.dim)
        self.loss = InfoNCELoss(config.temperature)

    def forward(self, query: tuple[Tensor, View], key: tuple[Tensor, View]) -> MethodOutput:
        """The video term of one step; see `Method.forward`."""
        recordings = query[1].recording
        pyramid = self.encoder(query[0], query[1].valid)
        q = unit_length(self.head(video_feature(pyramid)))
        with torch.no_grad():
            key_pyramid = self.key_encoder(key[0], key[1].valid)
            k = unit_length(self.key_head(video_feature(key_pyramid)))
        negatives, usable = self.queue.negatives(recordings)
        loss = self.loss(q, k, negatives, usable)
        if self.training:
            self.queue.put(k, recordings)
        return MethodOutput(loss, pyramid, key_pyramid, q, {"video": loss.detach()})

    def after_step(self) -> None:
        """Move the key network towards the query network."""
        self.momentum.update(self.encoder, self.key_encoder)
        self.momentum.update(self.head, self.key_head)
