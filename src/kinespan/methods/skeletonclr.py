"""SkeletonCLR: MoCo on skeleton sequences (Li et al., CrosSCLR, CVPR 2021, section 3.1)."""

from __future__ import annotations

from ..config import MethodConfig
from ..encoders.base import Encoder
from .base import METHODS, MethodInputs, MethodOutput, NoOptions
from .moco import MoCo

PAPER = "Li et al.: 3D Human Action Representation Learning via Cross-View Consistency Pursuit, CVPR 2021, section 3.1"


@METHODS.register("skeletonclr", paper=PAPER)
class SkeletonCLR(MoCo):
    """Video term: p = W_g(mean_t h), InfoNCE against the momentum view and a queue of keys of other recordings."""

    def __init__(self, encoder: Encoder, config: MethodConfig, options: NoOptions) -> None:
        super().__init__(encoder, config)

    def forward(self, inputs: MethodInputs) -> MethodOutput:
        """The video term of two views."""
        query, key = inputs.view(), inputs.view()
        recordings = inputs.clips.recording  # (B,)
        pyramid, q = self.query(query)  # q (B, D)
        key_pyramid, k = self.key(key)  # k (B, D)
        negatives, negative_mask = self.queue.negatives(recordings)  # (M, D), (B, M)
        loss = self.loss(q, k, negatives, negative_mask)
        if self.training:
            self.queue.put(k, recordings)
        return MethodOutput(loss, pyramid, key_pyramid, query.view, key.view, q, {"video": loss.detach()})
