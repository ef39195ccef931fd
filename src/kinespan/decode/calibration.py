"""Scores as probabilities: a temperature for those of frames, a logistic curve for those of segments.

Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017 (temperature scaling, section 4.2);
Platt: Probabilistic Outputs for Support Vector Machines, 1999 (the logistic curve). Both are learnt by
`kinespan.train.calibration` on recordings that a model was not trained on.
"""

from __future__ import annotations

import math

import numpy as np

from ..arrays import Float32Array, Float64Array
from ..data.annotation import LabelSet

SpanCalibration = tuple[float, float] | tuple[()]
"""Slope and offset of the curve that makes a segment's mean probability the chance that it is right; (): the mean."""
MEAN_MARGIN = 1e-4
"""A mean probability is taken to be at least this, and at most 1 - this, so that its logit is finite."""


def at_temperature(scores: Float32Array, labels: LabelSet, temperature: float) -> Float32Array:
    """Frame scores (T, C + 1) as they are where a model's logits are divided by `temperature`.

    Background and exclusive labels: p^(1 / temperature), divided by their sum. Overlapping labels and events:
    sigmoid(logit(p) / temperature); background is then 1 - the largest, as in every model. The best label of a frame
    stays the best. Scores of 0 and 1 stay, such as those of frames in which nobody is present.
    """
    if temperature == 1:
        return scores
    values = scores.astype(np.float64)  # (T, C + 1)
    spans, events = list(labels.span_columns), list(labels.event_columns)  # background first
    sigmoids = events if labels.exclusive else [*spans[1:], *events]
    with np.errstate(divide="ignore"):
        softened = np.exp(np.log(values) / temperature)
        opposite = np.exp(np.log1p(-values[:, sigmoids]) / temperature)  # (T, S)
    result = softened.copy()
    result[:, sigmoids] = softened[:, sigmoids] / (softened[:, sigmoids] + opposite)
    if labels.exclusive or len(spans) == 1:
        result[:, spans] = softened[:, spans] / softened[:, spans].sum(axis=1, keepdims=True)
    else:
        result[:, 0] = 1 - result[:, spans[1:]].max(axis=1)
    return result.astype(np.float32)


def mean_logit(mean: Float64Array) -> Float64Array:
    """The logit (N,) of mean probabilities (N,), of which none counts as nearer than `MEAN_MARGIN` to 0 or 1."""
    mean = np.clip(mean, MEAN_MARGIN, 1 - MEAN_MARGIN)
    logits: Float64Array = np.log(mean) - np.log1p(-mean)
    return logits


def span_probability(mean: float, calibration: SpanCalibration) -> float:
    """How likely a segment of this mean probability is right: sigmoid(slope x logit(mean) + offset).

    Right: its tIoU with a true span of its label is at least 0.5. Without a calibration it is the mean itself.
    """
    if not calibration:
        return mean
    slope, offset = calibration
    logit = slope * float(mean_logit(np.array([mean]))[0]) + offset
    return 0.5 * (1 + math.tanh(logit / 2))  # the sigmoid, which cannot overflow


def check_span_calibration(calibration: SpanCalibration) -> str:
    """What is wrong with a slope and an offset; empty where nothing is."""
    if not calibration:
        return ""
    if len(calibration) != 2 or not all(math.isfinite(value) for value in calibration) or not calibration[0] > 0:
        return f"{tuple(calibration)}, expected a positive slope and an offset"
    return ""
