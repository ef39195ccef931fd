"""Calibration: what makes the scores of a trained model probabilities, learnt on recordings that it never saw.

* A temperature T, which logits are divided by before they become scores, from the likelihood of the labels of frames
  (Guo, Pleiss, Sun, Weinberger: On Calibration of Modern Neural Networks, ICML 2017, section 4.2).
* A slope and an offset, which make the mean score of a segment the probability that its tIoU with a true span of its
  label is at least 0.5 (Platt: Probabilistic Outputs for Support Vector Machines, 1999). Segments are few, so both are
  drawn towards 1 and 0, which change nothing: normal priors of standard deviation `SLOPE_SPREAD` and `OFFSET_SPREAD`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from ..arrays import BoolArray, Float64Array
from ..data.annotation import Annotation, LabelSet
from ..decode import segment
from ..decode.calibration import SpanCalibration, at_temperature, mean_logit
from ..metrics.calibration import Claims, segment_claims
from ..models.base import Scores
from ..models.model_file import ModelSpec
from .clip_pool import frame_targets

MIN_PROBABILITY = 1e-7
"""A probability counts as at least this, so that no single frame decides."""
TEMPERATURES = (0.25, 8.0)
"""The temperature is sought between these."""
SLOPE_SPREAD, OFFSET_SPREAD = 0.5, 1.0
"""Standard deviations of the priors of slope and offset."""
MIN_SLOPE = 0.1
"""The slope is at least this: a segment of a higher mean score is never said to be less likely right."""


def calibrated(spec: ModelSpec, scores: Sequence[Scores], annotations: Sequence[Annotation]) -> ModelSpec:
    """The spec with the temperature and the calibration of segments that held-out recordings teach.

    Parameters:
        spec: of the model whose scores these are, at a temperature of 1.
        scores: (T, C + 1) of each recording, or of each person where people are told apart. The model must not have
            been trained on these recordings: it is far surer of those.
        annotations: of the same recordings, or people, in the same order.

    Where no frame has a target the temperature is 1, and where there is no segment there is no calibration of them.
    """
    assert spec.labels is not None
    labels, fps = spec.labels, spec.input.fps
    temperature = best_temperature(scores, annotations, labels, fps)
    plain = replace(spec.decode, span_calibration=())
    segments = {
        str(index): segment(at_temperature(frames, labels, temperature), fps, labels, plain)
        for index, frames in enumerate(scores)
    }
    truth = {str(index): annotation.without_events for index, annotation in enumerate(annotations)}
    calibration = fitted_curve(segment_claims(segments, truth))
    return replace(spec, temperature=temperature, decode=replace(plain, span_calibration=calibration))


def log_likelihood(scores: Sequence[Scores], annotations: Sequence[Annotation], labels: LabelSet, fps: float) -> float:
    """Mean log-likelihood of the labels per frame that has a target: minus the frame loss of the scores.

    scores (T, C + 1) by recording, annotations in the same order; as in `kinespan.losses.FrameLoss`. Frames in which
    nobody is present count no more than in training; NaN where no frame is left.
    """
    values, targets = _frames_with_targets(scores, annotations, labels, fps)
    return float(_log_likelihoods(values, targets, labels).mean()) if len(values) else float("nan")


def _frames_with_targets(
    scores: Sequence[Scores], annotations: Sequence[Annotation], labels: LabelSet, fps: float
) -> tuple[Scores, Scores]:
    """Scores and targets (N, C + 1) of the frames that have a target and somebody in them."""
    pairs = list(zip(scores, annotations, strict=True))
    values = np.concatenate([np.zeros((0, len(labels) + 1), np.float32), *(frames for frames, _ in pairs)])
    targets = np.concatenate(
        [values[:0], *(frame_targets(annotation, labels, len(frames), fps) for frames, annotation in pairs)]
    )
    is_absent = (values[:, 0] == 1) & ~values[:, 1:].any(axis=1)  # scores say exactly this of nobody
    used = targets.any(axis=1) & ~is_absent
    return values[used], targets[used]


def _log_likelihoods(scores: Scores, targets: Scores, labels: LabelSet) -> Float64Array:
    """Log-likelihood (N,) of targets by scores, both (N, C + 1); minus the frame loss."""
    spans, events = list(labels.span_columns), list(labels.event_columns)  # background first
    values = scores.astype(np.float64)
    hold = np.log(np.maximum(values, MIN_PROBABILITY))  # (N, C + 1)
    hold_not = np.log(np.maximum(1 - values, MIN_PROBABILITY))
    binary = targets * hold + (1 - targets) * hold_not
    total: Float64Array = binary[:, events].sum(axis=1)
    if labels.exclusive or len(spans) == 1:
        total += (targets * hold)[:, spans].sum(axis=1)
        return total
    total += np.where(targets[:, spans].any(axis=1), binary[:, spans[1:]].mean(axis=1), 0.0)
    return total


def best_temperature(
    scores: Sequence[Scores], annotations: Sequence[Annotation], labels: LabelSet, fps: float
) -> float:
    """The temperature at which the labels are the most likely; 1 where no frame has a target."""
    values, targets = _frames_with_targets(scores, annotations, labels, fps)
    if not len(values):
        return 1.0

    def likelihood(log_temperature: float) -> float:
        softened = at_temperature(values, labels, math.exp(log_temperature))
        return float(_log_likelihoods(softened, targets, labels).mean())

    low, high = map(math.log, TEMPERATURES)
    return math.exp(_highest(likelihood, low, high))


def _highest(function: Callable[[float], float], low: float, high: float, width: float = 1e-3) -> float:
    """Where a function with one peak is the highest, by golden section.

    The likelihood has one peak: it is concave in 1 / temperature.
    """
    ratio = (math.sqrt(5) - 1) / 2
    left, right = high - ratio * (high - low), low + ratio * (high - low)
    at_left, at_right = function(left), function(right)
    while high - low > width:
        if at_left >= at_right:
            high, right, at_right = right, left, at_left
            left = high - ratio * (high - low)
            at_left = function(left)
        else:
            low, left, at_left = left, right, at_right
            right = low + ratio * (high - low)
            at_right = function(right)
    return (low + high) / 2


def fitted_curve(claims: Claims) -> SpanCalibration:
    """Slope and offset of the logistic curve from the mean scores of segments to how likely they are right.

    The most probable of both under their priors, by Newton's method; empty without segments.
    """
    if not len(claims):
        return ()
    slope, offset = _newton(mean_logit(claims.score), claims.is_right)
    if slope < MIN_SLOPE:
        slope = MIN_SLOPE
        offset = _newton(mean_logit(claims.score), claims.is_right, fixed_slope=slope)[1]
    return slope, offset


def _newton(logits: Float64Array, is_right: BoolArray, fixed_slope: float | None = None) -> tuple[float, float]:
    """The most probable slope and offset for logits (N,) of which is_right (N,) holds; the offset alone if so said."""
    inputs = np.stack([logits, np.ones_like(logits)], axis=1)  # (N, 2)
    mean, precision = np.array([1.0, 0.0]), np.array([SLOPE_SPREAD**-2, OFFSET_SPREAD**-2])
    free = np.array([fixed_slope is None, True])
    values = np.array([1.0 if fixed_slope is None else fixed_slope, 0.0])

    def loss(values: Float64Array) -> float:
        curve = inputs @ values
        fit = np.logaddexp(0, np.where(is_right, -curve, curve)).sum()
        return float(fit + 0.5 * (precision * (values - mean) ** 2)[free].sum())

    for _ in range(100):
        probability = 1 / (1 + np.exp(-(inputs @ values)))  # (N,)
        gradient = inputs.T @ (probability - is_right) + precision * (values - mean)
        curvature = (inputs * (probability * (1 - probability))[:, None]).T @ inputs + np.diag(precision)
        step = np.zeros(2)
        step[free] = np.linalg.solve(curvature[np.ix_(free, free)], gradient[free])
        while loss(values - step) > loss(values) + 1e-12 and np.abs(step).max() > 1e-9:
            step /= 2
        values = values - step
        if np.abs(step).max() < 1e-9:
            break
    return float(values[0]), float(values[1])
