"""The Localizer: Recording in, Spans out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from ..config import Precision
from ..data.recording import Recording
from ..encoders import Encoder
from ..transforms.long_motion import LongMotion
from ..transforms.normalise import Motion
from .base import Model, Scores
from .encoder_model import EncoderModel, Windows, evaluation_mode
from .ensemble import Ensemble
from .fusion import Fusion, build_fusion
from .head import FrameHead
from .model_file import ModelSpec
from .precision import in_bfloat16
from .refinement import Refinement, probabilities


class Localizer(Model):
    """EncoderModel + fusion + frame head + refinement + decoding, with all that is needed to use them on a recording.

    Fused features of a long recording are computed in windows (`encoder_model.Windows`), without seams where the
    encoder has a halo. Refinement, where there is some, sees the features of a chunk of several windows and of its own
    halo around it. So what is in memory at a time is some windows and the scores, however long the recording is.

    ``precision`` is that of scoring a recording: float32, whose scores are the same on every machine but for rounding,
    unless it is set otherwise. bfloat16 keeps two to three digits of a probability and is about twice as fast where
    there are units for it; sums that need the digits are in float32 all the same.
    """

    def __init__(self, spec: ModelSpec, dropout: float = 0.0) -> None:
        """An untrained localizer. Raises InputError for a spec without labels or with unknown names."""
        super().__init__(spec)
        self.precision: Precision = "32"
        self.encoder: Encoder = EncoderModel.of_spec(spec, dropout).encoder
        self.fusion: Fusion = build_fusion(spec.fusion or "nested_u", self.encoder.channels, self.encoder.strides)
        events = self.labels.event_columns
        self.head = FrameHead(self.fusion.channels, len(self.labels), events)
        self.refine: Refinement | None = None
        if spec.refine_stages:
            classes, extra = len(self.labels) + 1, self.fusion.channels if spec.refine_features else 0
            shape = (classes, spec.refine_stages, spec.clip_frames)
            self.refine = Refinement(*shape, self.labels.exclusive, extra, dropout, events)

    @property
    def encoder_model(self) -> EncoderModel:
        """The encoder with its InputSpec; it shares the localizer's weights."""
        return EncoderModel(self.spec.input, self.encoder, self.spec.clip_frames)

    @property
    def halo(self) -> int | None:
        """Frames to each side that a frame's score can depend on. None: a whole clip."""
        refined = 0 if self.refine is None else self.refine.halo
        return None if self.feature_halo is None else self.feature_halo + refined

    @property
    def feature_halo(self) -> int | None:
        """Frames to each side that fused features can depend on. None: a whole clip."""
        halo = self.encoder_model.halo
        return None if halo is None else halo + self.fusion.halo

    def forward(self, positions: Tensor, valid: Tensor) -> Tensor:
        """Logits (B, C + 1, T) of normalised positions (B, T, P, J, 3) and valid (B, T, P, J)."""
        return self.stage_logits(positions, valid)[-1]

    def stage_logits(self, positions: Tensor, valid: Tensor) -> list[Tensor]:
        """Logits (B, C + 1, T) of the head and then of every stage of refinement; the last are the scores.

        positions (B, T, P, J, 3), normalised, and valid (B, T, P, J).
        """
        return self._stage_logits(self.fused_features(positions, valid), valid.any(dim=(2, 3)))

    def _stage_logits(self, features: Tensor, present: Tensor) -> list[Tensor]:
        """Logits of every stage, of fused features (B, C, T) and present (B, T), where somebody is present."""
        logits: Tensor = self.head(features)
        return [logits] if self.refine is None else [logits, *self.refine(logits, features, present)]

    def fused_features(self, positions: Tensor, valid: Tensor) -> Tensor:
        """Fused features (B, C, T) of normalised positions (B, T, P, J, 3) and valid (B, T, P, J)."""
        features: Tensor = self.fusion(self.encoder_model(positions, valid))
        return features

    def frame_scores(self, recording: Recording, window: float = 60.0) -> Scores:
        """Scores (T, C + 1) at the model's rate, column 0 background; see `Model.frame_scores`."""
        return self.motion_scores(self.spec.input.motion_in_parts(recording), window)

    @torch.no_grad()
    def motion_scores(self, motion: Motion | LongMotion, window: float = 60.0) -> Scores:
        """Scores (T, C + 1) of a Motion of the model's InputSpec, `window` seconds a pass."""
        frames, device, windows = int(window * self.spec.input.fps), self._device, self._windows
        present = np.asarray(motion.valid.any(axis=(1, 2)))
        scores = np.empty((motion.num_frames, len(self.labels) + 1), dtype=np.float32)
        margin = 0 if self.refine is None else windows.whole_steps(self.refine.halo)
        with self._evaluating():
            for start, stop in windows.chunks(motion.num_frames, frames):
                first, last = max(0, start - margin), min(motion.num_frames, stop + margin)
                features = windows.features(motion, first, last, frames, device)  # (N, C)
                present_here = torch.from_numpy(present[first:last]).to(device)
                logits = self._stage_logits(features.T[None], present_here[None])[-1]  # (1, C + 1, N)
                logits = logits.float() / self.spec.temperature
                chunk = probabilities(logits, self.labels.exclusive, self.labels.event_columns)[0].T  # (N, C + 1)
                scores[start:stop] = chunk[start - first : stop - first].cpu().numpy()
        # frames where nobody is present are background
        scores[~present] = np.eye(1, scores.shape[1], dtype=np.float32)
        return scores

    @torch.no_grad()
    def motion_features(self, motion: Motion | LongMotion, window: float = 60.0) -> Tensor:
        """Fused features (T, C) of a Motion in eval mode, `window` seconds a pass; zero where nobody is present."""
        frames = int(window * self.spec.input.fps)
        with self._evaluating():
            return self._windows.features(motion, 0, motion.num_frames, frames, self._device)

    def autocast(self) -> torch.autocast:
        """The precision of scoring, to be entered."""
        device = self._device.type
        return torch.autocast(device, torch.bfloat16, enabled=in_bfloat16(self.precision, device))

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Eval mode and the precision of scoring within a block."""
        with evaluation_mode(self), self.autocast():
            yield

    @property
    def _device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def _windows(self) -> Windows:
        """How fused features of a long motion are computed."""
        stride, clip_frames = self.encoder.strides[-1], self.spec.clip_frames
        return Windows(self.fused_features, self.fusion.channels, stride, self.feature_halo, clip_frames)


def build_model(spec: ModelSpec) -> Model:
    """An untrained model of the kind that a spec describes: a Localizer, or an Ensemble of several models."""
    if spec.kind == "ensemble":
        return Ensemble(spec, [build_model(member) for member in spec.members])
    return Localizer(spec)
