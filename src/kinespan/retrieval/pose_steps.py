"""Pose and motion of the joints by step, beside an encoder's features."""

from __future__ import annotations

import numpy as np
import torch

from ..arrays import BoolArray, Float32Array
from ..config.motion import Stream
from ..data.recording import Recording
from ..models.encoder_model import EncoderModel
from ..transforms.streams import compute_streams

POSE_STREAMS: tuple[Stream, ...] = ("joint", "joint_motion")
"""Where the joints are, relative to the root, and how they move."""
CHUNK_FRAMES = 4096
"""Frames that are in memory at once, a multiple of the strides of encoders."""


def pose_steps(model: EncoderModel, recording: Recording) -> Float32Array:
    """POSE_STREAMS of a recording as an encoder sees it, normalised, at its rate: (steps, streams x joints x 3).

    A step is the mean over its frames and the people who are present in them, zero where nobody is.
    """
    motion, spec, stride = model.input.motion_in_parts(recording), model.input, model.encoder.strides[-1]
    steps = []
    for first in range(0, motion.num_frames, CHUNK_FRAMES):
        positions, valid = motion.window(first, min(first + CHUNK_FRAMES + 1, motion.num_frames))
        streams = compute_streams(
            torch.from_numpy(positions)[None], torch.from_numpy(valid)[None], spec.skeleton, POSE_STREAMS, spec.fps
        )[0].numpy()  # (T, P, J, 3 x streams)
        last = min(motion.num_frames - first, CHUNK_FRAMES)
        steps.append(_means(streams[:last], np.asarray(valid[:last].any(axis=2)), stride))
    return np.concatenate(steps)


def _means(streams: Float32Array, present: BoolArray, stride: int) -> Float32Array:
    """The means (steps, streams x J x 3) of streams (T, P, J, 3 x streams) where people are present (T, P)."""
    frames, _, joints, channels = streams.shape
    by_stream = streams.reshape(frames, -1, joints, channels // 3, 3).swapaxes(2, 3)  # (T, P, streams, J, 3)
    sums = (by_stream * present[:, :, None, None, None]).sum(axis=1).reshape(frames, -1)  # (T, streams x J x 3)
    starts = np.arange(0, frames, stride)
    total = np.add.reduceat(sums, starts, axis=0)
    count = np.add.reduceat(present.sum(axis=1), starts)
    return np.asarray(total / np.maximum(count, 1)[:, None], dtype=np.float32)
