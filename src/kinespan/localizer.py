"""The Localizer: Recording in, Spans out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .config import Precision
from .encoders import Encoder, Pyramid, build_encoder
from .errors import InputError
from .fused import FusedLocalizer
from .fusion import Fusion, build_fusion
from .heads import FrameHead
from .model import Model, Scores
from .model_file import ModelSpec, read_spec, read_weights
from .precision import in_bfloat16
from .recording import Recording
from .refine import Refinement, probabilities
from .transforms.long_motion import LongMotion, motion_in_parts
from .transforms.normalise import Motion
from .transforms.streams import check_streams, compute_streams

STRETCH = 10
"""Windows whose features are held at once."""


class Localizer(Model):
    """Encoder + fusion + frame head + refinement + decoding, with all that is needed to use them on a recording.

    Windows of a long recording overlap by the halo of its features (the most frames to each side that they can depend
    on) and start on multiples of the encoder's coarsest stride, so that scores are those of one pass over the whole
    recording: there are no seams. An encoder that looks at whole clips (its halo is None) sees windows as long as the
    clips it was trained on, each half over the next, and their features are blended from one into the other.
    Refinement, where there is some, sees the features of a stretch of several windows and of its own halo around it.
    So what is held at a time is some windows and the scores, however long the recording is.

    ``precision`` is that of scoring a recording: float32, whose scores are the same on every machine but for rounding,
    unless it is told otherwise. bfloat16 keeps two to three digits of a probability and is about twice as fast where
    there are units for it; what an encoder has to sum exactly it sums in float32 all the same.
    """

    def __init__(self, spec: ModelSpec, dropout: float = 0.0) -> None:
        """An untrained localizer. Raises InputError for a spec without labels or with unknown names."""
        super().__init__(spec)
        self.precision: Precision = "32"
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
        return self.motion_scores(motion_in_parts(recording, spec.skeleton, spec.fps, spec.normalisation), window)

    @torch.no_grad()
    def motion_scores(self, motion: Motion | LongMotion, window: float = 60.0) -> Scores:
        """Scores (T, C + 1) of a Motion of the model's skeleton, rate and normalisation."""
        present = np.asarray(motion.valid.any(axis=1))
        scores = np.empty((motion.num_frames, len(self.labels) + 1), dtype=np.float32)
        stretch = STRETCH * self._core(window)
        reach = 0 if self.refine is None else self._whole_steps(self.refine.halo)
        with self._evaluating():
            for start in range(0, motion.num_frames, stretch):
                stop = min(motion.num_frames, start + stretch)
                first, last = max(0, start - reach), min(motion.num_frames, stop + reach)
                features = self._features_between(motion, first, last, window)
                seen = torch.from_numpy(present[first:last]).to(features.device)
                logits = self._staged(features.T[None], seen[None])[-1]
                found = probabilities(logits, self.labels.exclusive)[0].T[start - first : stop - first]
                scores[start:stop] = found.cpu().numpy()
        # where nobody is there nothing is done
        scores[~present] = np.eye(1, scores.shape[1], dtype=np.float32)
        return scores

    def autocast(self) -> torch.autocast:
        """The precision of scoring, to be entered."""
        device = next(self.parameters()).device.type
        return torch.autocast(device, torch.bfloat16, enabled=in_bfloat16(self.precision, device))

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """Eval mode and the precision of scoring for a while; each part is then in the mode that it was in."""
        modes = {module: module.training for module in self.modules()}
        self.eval()
        try:
            with self.autocast():
                yield
        finally:
            for module, training in modes.items():
                module.training = training

    @torch.no_grad()
    def motion_features(self, motion: Motion | LongMotion, window: float = 60.0) -> Tensor:
        """Fused features (T, C) of a Motion in eval mode, `window` seconds a pass; zero where nobody is there."""
        with self._evaluating():
            return self._features_between(motion, 0, motion.num_frames, window)

    def _features_between(self, motion: Motion | LongMotion, first: int, last: int, window: float) -> Tensor:
        """Fused features (N, C) of the frames [first, last), `first` a multiple of the coarsest stride."""
        if self.feature_halo is None:
            return self._blended(motion, first, last, window)
        return self._overlapped(motion, first, last, window, self.feature_halo)

    def _core(self, window: float) -> int:
        """Frames of a window of so many seconds that are kept of it, a multiple of the coarsest stride."""
        stride = self.encoder.strides[-1]
        return max(stride, int(window * self.spec.fps) // stride * stride)

    def _whole_steps(self, frames: int) -> int:
        """The frames of as many of the coarsest steps as it takes."""
        stride = self.encoder.strides[-1]
        return -(-frames // stride) * stride

    def _windows(self, motion: Motion | LongMotion, starts: Sequence[int], length: int) -> Tensor:
        """Fused features (N, length, C) of frames from `starts` on, in one pass; zero where nobody is there."""
        device = next(self.parameters()).device
        positions, valid = (
            np.stack(parts) for parts in zip(*(motion.window(start, start + length) for start in starts), strict=True)
        )
        if not valid.any():
            return torch.zeros(*valid.shape[:2], self.fusion.channels, device=device)
        seen = torch.from_numpy(valid).to(device)
        fused: Tensor = self.fusion(self.features(torch.from_numpy(positions).to(device), seen))
        return fused.float().transpose(1, 2)

    def _overlapped(self, motion: Motion | LongMotion, first: int, last: int, window: float, halo: int) -> Tensor:
        """Features (N, C) of the frames [first, last) from windows that see a halo around what is kept of them."""
        core, pad = self._core(window), self._whole_steps(halo)
        parts = []
        for start in range(first, last, core):
            stop = min(last, start + core)
            begin, end = max(0, start - pad), min(motion.num_frames, stop + pad)
            found = self._windows(motion, [begin], end - begin)[0]
            parts.append(found[start - begin : stop - begin])
        return torch.cat(parts)

    def _blended(self, motion: Motion | LongMotion, first: int, last: int, window: float) -> Tensor:
        """Features (N, C) of the frames [first, last) from clip-long windows, half over half, weighted by nearness to a
        window's middle."""
        frames = motion.num_frames
        length = min(self.spec.clip_frames, frames)
        starts = [*range(0, frames - length, max(1, length // 2)), frames - length]
        starts = [start for start in starts if start < last and start + length > first]
        together = max(1, int(window * self.spec.fps) // length)
        device = next(self.parameters()).device
        total = torch.zeros(last - first, self.fusion.channels, device=device)
        weights = torch.zeros(last - first, 1, device=device)
        place = torch.arange(length, device=device)
        weight = torch.minimum(place + 1, length - place)[:, None].float()
        for number in range(0, len(starts), together):
            some = starts[number : number + together]
            for start, found in zip(some, self._windows(motion, some, length), strict=True):
                here = slice(max(start, first) - first, min(start + length, last) - first)
                kept = slice(max(start, first) - start, min(start + length, last) - start)
                total[here] += (weight * found)[kept]
                weights[here] += weight[kept]
        return total / weights


def build_model(spec: ModelSpec) -> Model:
    """An untrained model of the kind that a spec describes: a Localizer, or several of them fused."""
    if spec.kind == "fused":
        return FusedLocalizer(spec, [build_model(member) for member in spec.members])
    return Localizer(spec)


def load_model(path: str | Path, device: str = "cpu", precision: Precision = "32") -> Model:
    """The model in a model file or in the folder of a finetuning run, ready to localize.

    precision: of scoring recordings (`Localizer`), of each member where several are fused. Raises InputError for a file
    that is not a kinespan localizer.
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
    for part in model.modules():
        if isinstance(part, Localizer):
            part.precision = precision
    return model.to(device).eval()
