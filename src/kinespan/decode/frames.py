"""Frame scores as arrays: smoothing, runs, checks."""

from __future__ import annotations

import math

import numpy as np

from ..arrays import AnyArray, BoolArray, Float32Array, Float64Array, IntArray
from ..data.annotation import LabelSet
from ..errors import InputError


def moving_mean(scores: Float32Array, fps: float, seconds: float) -> Float32Array:
    """Scores (T, C) averaged over the frames at most `seconds` / 2 away; fewer near both ends.

    0.7 s at 30 fps are 21 frames, ten on either side. A window of fewer than three frames changes nothing.
    """
    reach = math.floor(seconds * fps / 2 + 1e-6)  # frames on either side
    if reach == 0 or not len(scores):
        return scores
    sums = running_sums(scores)  # (T + 1, C)
    frames = np.arange(len(scores))
    first, last = np.maximum(0, frames - reach), np.minimum(len(scores), frames + reach + 1)
    means: Float64Array = (sums[last] - sums[first]) / (last - first)[:, None]  # (T, C)
    return means.astype(np.float32)


def true_runs(mask: BoolArray) -> tuple[IntArray, IntArray]:
    """First frames and frames after the last, each (N,), of the runs of True in a mask (T,)."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    return edges[0::2], edges[1::2]


def running_sums(values: Float32Array) -> Float64Array:
    """Sums (T + 1, ...) of values (T, ...): that of frames [s, e) is sums[e] - sums[s]."""
    return np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0, dtype=np.float64)])


def min_frames(seconds: float, fps: float) -> int:
    """The fewest frames that last `seconds`; a rounding error does not add one."""
    return math.ceil(seconds * fps - 1e-6)


def span_scores(scores: Float32Array, labels: LabelSet) -> tuple[Float32Array, LabelSet]:
    """The columns of background and spans of scores (T, C + 1), and the label set of the spans alone."""
    return (scores[:, labels.span_columns], labels.without_events) if labels.events else (scores, labels)


def check_scores(scores: AnyArray, fps: float, labels: LabelSet) -> Float32Array:
    """The scores (T, C + 1) as float32. Raises InputError for another shape, a bad fps, or a value that is infinite."""
    values = np.asarray(scores, dtype=np.float32)
    if values.ndim != 2 or values.shape[1] != len(labels) + 1:
        raise InputError(
            f"frame scores: found shape {values.shape}, expected (T, {len(labels) + 1}), background and then the labels"
        )
    if not (math.isfinite(fps) and fps > 0):
        raise InputError(f"fps: found {fps}, expected a positive number")
    is_bad = ~np.isfinite(values).all(axis=1)  # (T,)
    if is_bad.any():
        raise InputError(f"frame scores: frame {int(is_bad.argmax())} holds a value that is not finite")
    return values
