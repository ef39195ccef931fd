"""The Localizer: Recording in, Spans out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .encoders import Encoder, Pyramid, build_encoder
from .errors import InputError
from .fused import FusedLocalizer
from .fusion import Fusion, build_fusion
from .heads import FrameHead
from .model import Model, Scores
from .model_file import ModelSpec, read_spec, read_weights
from .recording import Recording
from .refine import Refinement, probabilities
from .transforms.normalise import Motion, model_motion
from .transforms.streams import check_streams, compute_streams


class Localizer(Model):
    """Encoder + fusion + frame head + refinement + decoding, with all that is needed to use them on a recording.

    Windows of a long recording overlap by the halo of its features (the most frames to each side that they can depend
    on) and start on multiples of the encoder's coarsest stride, so that scores are those of one pass over the whole
    recording: there are no seams. An encoder that looks at whole clips (its halo is None) sees windows as long as the
    clips it was trained on, each half over the next, and their features are blended from one into the other.
    Refinement, where there is some, sees the features of the whole recording at once.
    """

    def __init__(self, spec: ModelSpec, dropout: float = 0.0) -> None:
        """An untrained localizer. Raises InputError for a spec without labels or with unknown names."""
        super().__init__(spec)
        check_streams(spec.streams)
        channels = 3 * len(spec.streams)
        self.encoder: Encoder = build_encoder(spec.encoder, spec.skeleton, channels, dropout, spec.fuse_streams)
        self.fusion: Fusion = build_fusion(spec.fusion or "nested_u", self.encoder.channels, self.encoder.strides)
        self.head = FrameHead(self.fusion.channels, len(self.labels))
        self.refine: Refinement | None = None
        if spec.refine_stages:
            classes, beside = len(self.labels) + 1, self.fusion.channels if spec.refine_features else 0
            shape = (classes, spec.refine_stages, spec.clip_frames)
            self.refine = Refinement(*shape, self.labels.exclusive, beside, dropout)

    @property
    def halo(self) -> int | None:
        """Frames to each side that a frame's score can depend on. None: a whole clip."""
        refined = 0 if self.refine is None else self.refine.halo
        return None if self.feature_halo is None else self.feature_halo + refined

    @property
    def feature_halo(self) -> int | None:
        """Frames to each side that fused features can depend on; one more for motion streams. None: a whole clip."""
        return None if self.encoder.halo is None else self.encoder.halo + self.fusion.halo + 1

    def forward(self, positions: Tensor, valid: Tensor) -> Tensor:
        """Logits (B, C + 1, T) of normalised positions (B, T, P, J, 3) and valid (B, T, P)."""
        return self.stages(positions, valid)[-1]

    def stages(self, positions: Tensor, valid: Tensor) -> list[Tensor]:
        """Logits (B, C + 1, T) of the head and then of every stage of refinement; the last are the scores."""
        return self._staged(self.fusion(self.features(positions, valid)), valid.any(dim=2))

    def _staged(self, fused: Tensor, present: Tensor) -> list[Tensor]:
        """Logits of every stage, of fused features (B, C, T) and present (B, T), where somebody is there."""
        logits: Tensor = self.head(fused)
        return [logits] if self.refine is None else [logits, *self.refine(logits, fused, present)]

    def features(self, positions: Tensor, valid: Tensor) -> Pyramid:
        """The encoder's pyramid of normalised positions (B, T, P, J, 3) and valid (B, T, P)."""
        streams = compute_streams(positions, valid, self.spec.skeleton, self.spec.streams, self.spec.fps)
        pyramid: Pyramid = self.encoder(streams, valid)
        return pyramid

    def frame_scores(self, recording: Recording, window: float = 60.0) -> Scores:
        """Scores (T, C + 1) at the model's rate, column 0 background; see decode.py for what they mean.

        window: seconds of new scores a pass; memory grows with it, the result does not depend on it.
        """
        spec = self.spec
        return self.motion_scores(model_motion(recording, spec.skeleton, spec.fps, spec.normalisation), window)

    @torch.no_grad()
    def motion_scores(self, motion: Motion, window: float = 60.0) -> Scores:
        """Scores (T, C + 1) of a Motion of the model's skeleton, rate and normalisation."""
        features = self.motion_features(motion, window)
        present = np.asarray(motion.valid.any(axis=1))
        with self._evaluating():
            logits = self._staged(features.T[None], torch.from_numpy(present).to(features.device)[None])[-1]
        scores = probabilities(logits, self.labels.exclusive)[0].T.cpu().numpy().astype(np.float32)
        # where nobody is there nothing is done
        scores[~present] = np.eye(1, scores.shape[1], dtype=np.float32)
        return scores

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Eval mode for a while; each part is then in the mode that it was in."""
        modes = {module: module.training for module in self.modules()}
        self.eval()
        try:
            yield
        finally:
            for module, training in modes.items():
                module.training = training

    @torch.no_grad()
    def motion_features(self, motion: Motion, window: float = 60.0) -> Tensor:
        """Fused features (T, C) of a Motion in eval mode, `window` seconds a pass; zero where nobody is there."""
        halo = self.feature_halo
        with self._evaluating():
            return self._blended(motion, window) if halo is None else self._overlapped(motion, window, halo)

    def _windows(self, motion: Motion, starts: Sequence[int], length: int) -> Tensor:
        """Fused features (N, length, C) of frames from `starts` on, in one pass; zero where nobody is there."""
        device = next(self.parameters()).device
        at = [slice(start, start + length) for start in starts]
        positions = torch.from_numpy(np.stack([motion.positions[one] for one in at])).to(device)
        valid = torch.from_numpy(np.stack([motion.valid[one] for one in at])).to(device)
        if not bool(valid.any()):
            return torch.zeros(len(at), positions.shape[1], self.fusion.channels, device=device)
        fused: Tensor = self.fusion(self.features(positions, valid))
        return fused.transpose(1, 2)

    def _overlapped(self, motion: Motion, window: float, halo: int) -> Tensor:
        """Features (T, C) from windows that see a halo around what is kept of them."""
        stride = self.encoder.strides[-1]
        core = max(stride, int(window * self.spec.fps) // stride * stride)
        pad = -(-halo // stride) * stride
        parts = []
        for start in range(0, motion.num_frames, core):
            first, last = max(0, start - pad), min(motion.num_frames, start + core + pad)
            found = self._windows(motion, [first], last - first)[0]
            parts.append(found[start - first : start - first + core])
        return torch.cat(parts)

    def _blended(self, motion: Motion, window: float) -> Tensor:
        """Features (T, C) from clip-long windows, half over half, weighted by nearness to a window's middle."""
        frames = motion.num_frames
        length = min(self.spec.clip_frames, frames)
        starts = [*range(0, frames - length, max(1, length // 2)), frames - length]
        together = max(1, int(window * self.spec.fps) // length)
        device = next(self.parameters()).device
        total = torch.zeros(frames, self.fusion.channels, device=device)
        weights = torch.zeros(frames, 1, device=device)
        place = torch.arange(length, device=device)
        weight = torch.minimum(place + 1, length - place)[:, None].float()
        for first in range(0, len(starts), together):
            some = starts[first : first + together]
            for start, found in zip(some, self._windows(motion, some, length), strict=True):
                total[start : start + length] += weight * found
                weights[start : start + length] += weight
        return total / weights


def build_model(spec: ModelSpec) -> Model:
    """An untrained model of the kind that a spec describes: a Localizer, or several of them fused."""
    if spec.kind == "fused":
        return FusedLocalizer(spec, [build_model(member) for member in spec.members])
    return Localizer(spec)


def load_model(path: str | Path, device: str = "cpu") -> Model:
    """The model in a model file or in the folder of a finetuning run, ready to localize.

    Raises InputError for a file that is not a kinespan localizer.
    """
    path = Path(path)
    if path.is_dir():
        path = path / "model.safetensors"
    spec = read_spec(path)
    if spec.kind == "encoder":
        raise InputError(f"{path}: a pretrained encoder, it names no actions; run kinespan finetune --pretrained on it")
    model = build_model(spec)
    try:
        model.load_state_dict(read_weights(path))
    except RuntimeError as error:
        raise InputError(f"{path}: weights do not fit the model described in it: {error}") from None
    return model.to(device).eval()
