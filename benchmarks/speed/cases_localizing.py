"""Both sides of localizing: a long recording at once, a stream frame by frame; and ours from positions to spans."""

from __future__ import annotations

import numpy as np
import torch

from kinespan.config import NetworkConfig
from kinespan.data.recording import Recording
from kinespan.data.skeletons import NTU_25
from kinespan.encoders.graph import spatial_partition
from kinespan.prepare.synthetic.takes import ACTIONS, SyntheticConfig, synthetic_takes
from kinespan.stream import StreamLocalizer
from kinespan.transforms.normalise import Motion, model_motion

from . import conventional, counting
from .cases_training import our_localizer, value_bytes, waiter
from .interleave import Job
from .options import RunOptions

PLAIN = NetworkConfig(encoder="stgcn64", streams=("position",))
"""The same input on both sides: normalised positions, 15 frames a second."""


def long_recording(seconds: float) -> Recording:
    """Built-in motion of one person."""
    return next(iter(synthetic_takes(SyntheticConfig(recordings=1, seconds=(seconds, seconds + 1)))))[0]


def long_motion(options: RunOptions) -> Motion:
    """Two minutes, normalised."""
    recording = long_recording(10.0 if options.quick else 120.0)
    return model_motion(recording, NTU_25, PLAIN.fps, PLAIN.normalisation)


def conventional_localizer(options: RunOptions) -> conventional.Localizer:
    """The field's network of the same size, untrained."""
    network = conventional.STGCN(torch.from_numpy(spatial_partition(NTU_25)), 3, conventional.WIDTHS_64)
    return conventional.Localizer(network, len(ACTIONS)).to(options.device).eval()


def as_clip(motion: Motion, device: str) -> torch.Tensor:
    """A Motion as a clip (C, T, V, M) of two people."""
    clip = np.zeros((3, motion.num_frames, 25, conventional.PEOPLE), dtype=np.float32)
    clip[..., : motion.valid.shape[1]] = motion.positions.transpose(3, 0, 2, 1)
    return torch.from_numpy(clip).to(device)


def conventional_localizing(options: RunOptions) -> Job:
    """Frame scores of a long recording, window by window."""
    motion, model = long_motion(options), conventional_localizer(options)
    clip = as_clip(motion, options.device)
    windows = 1 + -(-(motion.num_frames - conventional.WINDOW) // conventional.STRIDE)
    need = counting.localizer(conventional.WINDOW, conventional.PEOPLE, conventional.WIDTHS_64, len(ACTIONS))
    return Job(lambda: conventional.windowed_scores(model, clip), need=windows * need, wait=waiter(options.device))


def our_localizing(options: RunOptions) -> Job:
    """Frame scores of the same recording."""
    motion, model = long_motion(options), our_localizer(PLAIN, options.device).eval()
    model.precision = options.precision
    need = counting.localizer(motion.num_frames, motion.valid.shape[1], conventional.WIDTHS_64, len(ACTIONS))
    return Job(
        lambda: model.motion_scores(motion), need=need, value_bytes=value_bytes(options), wait=waiter(options.device)
    )


def whole_localizing(options: RunOptions, encoder: str) -> Job:
    """A recording of five minutes from positions to spans, a second of motion a unit: mapping, resampling, decoding."""
    recording = long_recording(30.0 if options.quick else 300.0)
    model = our_localizer(NetworkConfig(encoder=encoder), options.device).eval()
    model.precision = options.precision
    return Job(lambda: model.localize(recording), units=recording.duration, wait=waiter(options.device))


def conventional_streaming(options: RunOptions) -> Job:
    """The scores of one more frame: the latest window again."""
    clip = as_clip(long_motion(options), options.device)
    stream = conventional.WindowStream(conventional_localizer(options))
    for frame in range(conventional.WINDOW):
        stream.push(clip[:, frame])
    newest = clip[:, conventional.WINDOW]
    need = counting.localizer(conventional.WINDOW, conventional.PEOPLE, conventional.WIDTHS_64, len(ACTIONS))
    return Job(lambda: stream.push(newest), need=need, wait=waiter(options.device))


def our_streaming(options: RunOptions) -> Job:
    """30 seconds of a stream that goes on and on, from positions to scores and spans; a unit is a frame."""
    model = our_localizer(PLAIN, options.device).eval()
    model.precision = options.precision
    motion = model_motion(long_recording(30.0), NTU_25, PLAIN.fps, PLAIN.normalisation)
    frames = [np.ascontiguousarray(positions) for positions in motion.positions]
    stream = StreamLocalizer(model, PLAIN.fps, NTU_25, torso=1.0)

    def push() -> None:
        for frame in frames:
            stream.push(frame)

    need = counting.localizer(conventional.WINDOW, motion.valid.shape[1], conventional.WIDTHS_64, len(ACTIONS))
    frame_need = (1 / conventional.WINDOW) * need
    return Job(push, units=len(frames), need=frame_need, wait=waiter(options.device))
