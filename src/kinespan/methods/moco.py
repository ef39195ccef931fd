"""MoCo: the base of methods with a momentum network and a queue (He et al., CVPR 2020).

Notable choices:
- the video feature is the mean over valid time of the deepest map; the head is applied to it, not to steps
- the key network keeps batch-norm statistics of its own
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..config import MethodConfig
from ..encoders.base import Encoder, Pyramid
from ..losses import InfoNCELoss
from .base import EncoderInput, Method, projection, unit_length, video_feature
from .momentum import Momentum, slow_copy
from .queue import KeyQueue


class MoCo(Method):
    """A query network, its momentum copy that makes the keys, and a queue of keys of other recordings."""

    def __init__(self, encoder: Encoder, config: MethodConfig, head: nn.Module | None = None) -> None:
        """head (B, C) to (B, D), by default two layers."""
        super().__init__()
        self.encoder = encoder
        self.head = projection(encoder.channels[-1], config.dim) if head is None else head
        self.key_encoder, self.key_head = slow_copy(encoder), slow_copy(self.head)
        self.momentum = Momentum(config.momentum)
        self.queue = KeyQueue(config.queue, config.dim)
        self.loss = InfoNCELoss(config.temperature)

    def query(self, inputs: EncoderInput) -> tuple[Pyramid, Tensor]:
        """Pyramid and L2-normalised vectors (B, D) of a view, by the query network."""
        pyramid = self.encoder(inputs.streams, inputs.view.present)
        return pyramid, unit_length(self.head(video_feature(pyramid)))

    @torch.no_grad()
    def key(self, inputs: EncoderInput) -> tuple[Pyramid, Tensor]:
        """Pyramid and L2-normalised vectors (B, D) of a view, by the momentum network."""
        pyramid = self.key_encoder(inputs.streams, inputs.view.present)
        return pyramid, unit_length(self.key_head(video_feature(pyramid)))

    def after_step(self) -> None:
        """Move the key network towards the query network: each child `key_x` towards the child `x`."""
        for name, slow in self.named_children():
            if name.startswith("key_"):
                self.momentum.update(getattr(self, name.removeprefix("key_")), slow)
