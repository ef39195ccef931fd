"""Both sides of localizing: a long recording at once, a stream frame by frame; and the whole way of ours."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from kinespan.config import NetworkConfig
from kinespan.corpus.synthetic import ACTIONS, SyntheticConfig, synthetic_takes
from kinespan.encoders.graph import spatial_partition
from kinespan.recording import Recording
from kinespan.skeletons import NTU_25
from kinespan.stream import StreamLocalizer
from kinespan.transforms.normalise import Motion, model_motion

from . import conventional, counting
from .turns import Job
from .works_training import our_localizer, value_bytes, waiter

if TYPE_CHECKING:
    from .works import Setting

PLAIN = NetworkConfig(encoder="stgcn64", streams=("position",))
"""The same input on both sides: positions as they are normalised, 15 a second."""
WIDTHS = {"stgcn64": conventional.WIDTHS_64, "stgcn16": conventional.WIDTHS_16}


def long_recording(seconds: float) -> Recording:
    """Built-in motion of one person."""
    return next(iter(synthetic_takes(SyntheticConfig(recordings=1, seconds=(seconds, seconds + 1)))))[0]


def long_motion(setting: Setting) -> Motion:
    """Two minutes as a network sees them."""
    recording = long_recording(10.0 if setting.quick else 120.0)
    return model_motion(recording, NTU_25, PLAIN.fps, PLAIN.normalisation)


def usual_localizer(setting: Setting, encoder: str = "stgcn64") -> conventional.Localizer:
    """The field's network of the same size, untrained."""
    network = conventional.STGCN(torch.from_numpy(spatial_partition(NTU_25)), 3, WIDTHS[encoder])
    return conventional.Localizer(network, len(ACTIONS)).to(setting.device).eval()


def as_clip(motion: Motion, device: str) -> torch.Tensor:
    """A Motion as a clip (C, T, V, M) of two people."""
    clip = np.zeros((3, motion.num_frames, 25, conventional.PEOPLE), dtype=np.float32)
    clip[..., : motion.valid.shape[1]] = motion.positions.transpose(3, 0, 2, 1)
    return torch.from_numpy(clip).to(device)


def usual_localizing(setting: Setting) -> Job:
    """Frame scores of a long recording, window by window."""
    motion, model = long_motion(setting), usual_localizer(setting)
    clip = as_clip(motion, setting.device)
    windows = 1 + -(-(motion.num_frames - conventional.WINDOW) // conventional.STRIDE)
    need = counting.localizer(conventional.WINDOW, conventional.PEOPLE, conventional.WIDTHS_64, len(ACTIONS))
    return Job(lambda: conventional.windowed_scores(model, clip), need=windows * need, wait=waiter(setting.device))


def our_localizing(setting: Setting) -> Job:
    """Frame scores of the same recording."""
    motion, model = long_motion(setting), our_localizer(PLAIN, setting.device).eval()
    model.precision = setting.precision
    need = counting.localizer(motion.num_frames, motion.valid.shape[1], conventional.WIDTHS_64, len(ACTIONS))
    return Job(
        lambda: model.motion_scores(motion), need=need, value_bytes=value_bytes(setting), wait=waiter(setting.device)
    )


def whole_localizing(setting: Setting, encoder: str) -> Job:
    """A recording of five minutes from positions to spans, a second of motion a unit: mapping, resampling, decoding."""
    recording = long_recording(30.0 if setting.quick else 300.0)
    model = our_localizer(NetworkConfig(encoder=encoder), setting.device).eval()
    model.precision = setting.precision
    return Job(lambda: model.localize(recording), units=recording.duration, wait=waiter(setting.device))


def usual_streaming(setting: Setting, encoder: str) -> Job:
    """The scores of one more frame."""
    clip = as_clip(long_motion(setting), setting.device)
    stream = conventional.WindowStream(usual_localizer(setting, encoder))
    for frame in range(conventional.WINDOW):
        stream.push(clip[:, frame])
    newest = clip[:, conventional.WINDOW]
    need = counting.localizer(conventional.WINDOW, conventional.PEOPLE, WIDTHS[encoder], len(ACTIONS))
    return Job(lambda: stream.push(newest), need=need, wait=waiter(setting.device))


def our_streaming(setting: Setting, encoder: str) -> Job:
    """64 frames, one after the other: from positions to scores and spans."""
    model = our_localizer(replace(PLAIN, encoder=encoder), setting.device).eval()
    model.precision = setting.precision
    recording = long_recording(30.0)
    motion = model_motion(recording, NTU_25, PLAIN.fps, PLAIN.normalisation)
    frames = [np.ascontiguousarray(positions) for positions in motion.positions]
    stream = StreamLocalizer(model, PLAIN.fps, NTU_25, torso=1.0)
    times: list[float] = []
    turn = 64  # layers take up to eight frames together

    def push() -> None:
        for _ in range(turn):
            begin = time.perf_counter()
            stream.push(frames[len(times) % len(frames)])
            times.append(time.perf_counter() - begin)

    for _ in range(5):  # until every layer has what it looks back at
        push()
    times.clear()
    need = counting.localizer(conventional.WINDOW, motion.valid.shape[1], WIDTHS[encoder], len(ACTIONS))
    each = (1 / conventional.WINDOW) * need
    return Job(push, units=turn, need=each, wait=waiter(setting.device), figures=lambda: {"p99_s": p99(times)})


def p99(times: list[float]) -> float:
    """What 99 of 100 stay within."""
    return float(np.quantile(times, 0.99))
