"""EncoderModel: InputSpec and Encoder together; and the windows in which features of long recordings are computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..arrays import BoolArray, Float32Array, Float64Array
from ..data.recording import Recording
from ..encoders import Encoder, Pyramid, build_encoder
from ..transforms.long_motion import LongMotion
from ..transforms.normalise import Motion
from .input_spec import InputSpec
from .model_file import ModelSpec

WINDOWS_PER_CHUNK = 10
"""Windows whose frame features are in memory at once."""


class Embedding(NamedTuple):
    """Features of a recording, one vector for each of S steps of an encoder's deepest map."""

    features: Float32Array
    """(S, C), zero where nobody is present."""
    times: Float64Array
    """(S,), in seconds: the middle of the frame of a step."""
    valid: BoolArray
    """(S,), whether anybody is present in that frame."""


class EncoderModel(nn.Module):
    """InputSpec + Encoder: from a Recording, or from its normalised positions, to features.

    clip_frames: frames of the clips that the encoder was trained on, the windows of one that looks at a whole clip.
    """

    def __init__(self, input_spec: InputSpec, encoder: Encoder, clip_frames: int = 64) -> None:
        super().__init__()
        self.input, self.encoder, self.clip_frames = input_spec, encoder, clip_frames

    def __repr__(self) -> str:
        """One line; the layers are those of ``model.encoder``."""
        name, channels = type(self.encoder).__name__, self.encoder.channels[-1]
        return f"EncoderModel({name}, {self.input.skeleton.name} at {self.input.fps:g} fps, {channels} features)"

    @staticmethod
    def of_spec(spec: ModelSpec, dropout: float = 0.0) -> EncoderModel:
        """An untrained EncoderModel as a spec describes it. Raises InputError for an unknown encoder.

        Weights come from torch's generator.
        """
        channels = spec.input.num_channels
        encoder = build_encoder(spec.encoder, spec.input.skeleton, channels, dropout, spec.fuse_streams)
        return EncoderModel(spec.input, encoder, spec.clip_frames)

    def forward(self, positions: Tensor, valid: Tensor) -> Pyramid:
        """The encoder's pyramid of normalised positions (B, T, P, J, 3) and valid (B, T, P, J)."""
        pyramid: Pyramid = self.encoder(self.input.compute_streams(positions, valid), valid.any(dim=3))
        return pyramid

    @property
    def halo(self) -> int | None:
        """Frames to each side that a frame's features can depend on, one more than the encoder's for motion streams.

        None: on a whole clip.
        """
        return None if self.encoder.halo is None else self.encoder.halo + 1

    @torch.no_grad()
    def embed(self, recording: Recording, window: float = 60.0) -> Embedding:
        """Features (S, C) of a recording from the deepest map, in eval mode: S = ceil(T / s) steps of s frames.

        T is the number of frames at the InputSpec's rate, s the encoder's coarsest stride; step i stands at frame i s.
        The result is that of one pass over the whole recording; an encoder that looks at whole clips (no halo) sees
        windows of clip_frames, each half over the next, whose features are blended. window: seconds of motion a pass;
        memory grows with it, the result does not depend on it. Raises InputError where the recording's skeleton does
        not map to the InputSpec's.
        """
        motion, fps, stride = self.input.motion_in_parts(recording), self.input.fps, self.encoder.strides[-1]
        windows = Windows(self._deepest_by_frame, self.encoder.channels[-1], stride, self.halo, self.clip_frames)
        device = next(self.parameters()).device
        with evaluation_mode(self):
            features = [
                windows.features(motion, start, stop, int(window * fps), device)[::stride].cpu().numpy()
                for start, stop in windows.chunks(motion.num_frames, int(window * fps))
            ]
        frames = np.arange(0, motion.num_frames, stride)
        present = np.asarray(motion.valid.any(axis=(1, 2)))
        times = (frames + 0.5) / fps  # (S,), seconds
        return Embedding(np.concatenate(features), times.astype(np.float64), present[frames])

    def _deepest_by_frame(self, positions: Tensor, valid: Tensor) -> Tensor:
        """The deepest map (B, C, T), each step repeated for the frames that it stands for."""
        deepest = self.forward(positions, valid).maps[-1]  # (B, C, ceil(T / s))
        return deepest.repeat_interleave(self.encoder.strides[-1], dim=2)[:, :, : valid.shape[1]]


@contextmanager
def evaluation_mode(module: nn.Module) -> Iterator[None]:
    """Eval mode within a block; afterwards each submodule is in its earlier mode."""
    modes = {submodule: submodule.training for submodule in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for submodule, training in modes.items():
            submodule.training = training


@dataclass(frozen=True)
class Windows:
    """Frame features of a recording of any length, computed in windows, so that memory does not grow with it.

    network: from positions (B, T, P, J, 3) and valid (B, T, P, J) to features (B, C, T), zero where nobody is present.
    stride: the coarsest stride in it, in frames.

    Where the features of a frame depend on no more than `halo` frames to each side, windows overlap by it and start on
    multiples of the stride: the result is that of one pass over the whole recording, without seams. Where they depend
    on a whole clip (halo None), windows are as long as the clips that the network was trained on, each half over the
    next, and blended from one into the other.
    """

    network: Callable[[Tensor, Tensor], Tensor]
    channels: int
    stride: int
    halo: int | None
    clip_frames: int

    def chunks(self, frames: int, window: int) -> Iterator[tuple[int, int]]:
        """Chunks [start, stop) of a recording's frames, each of WINDOWS_PER_CHUNK windows of `window` frames."""
        chunk = WINDOWS_PER_CHUNK * self._core(window)
        return ((start, min(frames, start + chunk)) for start in range(0, frames, chunk))

    def features(self, motion: Motion | LongMotion, first: int, last: int, window: int, device: torch.device) -> Tensor:
        """Features (N, C) of the frames [first, last), `first` a multiple of the stride, in windows of `window` frames.

        A window has a halo beside its frames, or is one of several clips in a batch.
        """
        if self.halo is None:
            return self._blended(motion, first, last, window, device)
        return self._overlapped(motion, first, last, window, self.halo, device)

    def whole_steps(self, frames: int) -> int:
        """`frames`, rounded up to a multiple of the stride."""
        return -(-frames // self.stride) * self.stride

    def _core(self, window: int) -> int:
        """Frames of a window whose features are used: `window`, cut to a multiple of the stride."""
        return max(self.stride, window // self.stride * self.stride)

    def _pass(self, motion: Motion | LongMotion, starts: Sequence[int], length: int, device: torch.device) -> Tensor:
        """Features (N, length, C) of `length` frames from each of `starts` (N), in one pass."""
        windows = [motion.window(start, start + length) for start in starts]
        # (N, length, P, J, 3) and (N, length, P, J)
        positions, valid = (np.stack(arrays) for arrays in zip(*windows, strict=True))
        if not valid.any():
            return torch.zeros(*valid.shape[:2], self.channels, device=device)
        valid_on_device = torch.from_numpy(valid).to(device)
        features = self.network(torch.from_numpy(positions).to(device), valid_on_device)  # (N, C, length)
        return features.float().transpose(1, 2)

    def _overlapped(
        self, motion: Motion | LongMotion, first: int, last: int, window: int, halo: int, device: torch.device
    ) -> Tensor:
        """Features (N, C) of the frames [first, last) from windows that see a halo beside the frames they are for."""
        core, margin = self._core(window), self.whole_steps(halo)
        outputs = []
        for start in range(first, last, core):
            stop = min(last, start + core)
            begin, end = max(0, start - margin), min(motion.num_frames, stop + margin)
            features = self._pass(motion, [begin], end - begin, device)[0]  # (end - begin, C)
            outputs.append(features[start - begin : stop - begin])
        return torch.cat(outputs)

    def _blended(self, motion: Motion | LongMotion, first: int, last: int, window: int, device: torch.device) -> Tensor:
        """Features (N, C) of the frames [first, last) from clip-long windows, each half over the next.

        A window's weight at a frame is the frame's distance to the nearer end of it.
        """
        frames = motion.num_frames
        length = min(self.clip_frames, frames)
        starts = [*range(0, frames - length, max(1, length // 2)), frames - length]
        starts = [start for start in starts if start < last and start + length > first]
        batch = max(1, window // length)
        total = torch.zeros(last - first, self.channels, device=device)
        weights = torch.zeros(last - first, 1, device=device)
        offset = torch.arange(length, device=device)
        weight = torch.minimum(offset + 1, length - offset)[:, None].float()  # (length, 1)
        for begin in range(0, len(starts), batch):
            chosen = starts[begin : begin + batch]
            for start, features in zip(chosen, self._pass(motion, chosen, length, device), strict=True):
                low, high = max(start, first), min(start + length, last)
                inside = slice(low - start, high - start)
                total[low - first : high - first] += (weight * features)[inside]
                weights[low - first : high - first] += weight[inside]
        return total / weights
