"""Evidence from motion alone that a frame is in an action, where actions are known by an instant each.

Notable choices:
- people come back to a rest pose between actions: how far a pose is from the recording's median pose, and how fast it
  changes, tells action from no action before any network was trained
- what these two say is learnt from the instants themselves against all frames, as in learning from positive and
  unlabelled data (Elkan and Noto: Learning Classifiers from Only Positive and Unlabeled Data, KDD 2008): where actions
  look like everything else, as in motion without pauses, the evidence is level
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ..arrays import BoolArray, Float64Array
from ..decode.frames import moving_mean
from ..transforms.normalise import Motion

SMOOTHING = (0.3, 1.2)
"""Seconds over which distance and speed are averaged."""
ACTION_SHARE = 0.7
"""Share of the time near points that is action, before anything is known of it."""
MAX_ODDS = math.log(0.97 / 0.03)
"""What a single frame says is at most this, so that no frame decides alone."""
RIDGE = 3.0
"""Weight of the squared coefficients beside instants that count 1 each."""
FLOORS = (0.05, 0.1)
"""Added to distance and speed, in standard deviations of a joint, before their logarithm."""


def action_evidence(
    motions: Sequence[Motion], instants: Sequence[BoolArray], usable: Sequence[BoolArray]
) -> list[Float64Array]:
    """Log odds (T,) of each frame of motions to be in an action.

    instants: which frames (T,) are known to be in an action; all of them together weigh as much as all others.
    usable: the frames (T,) that they are compared with. With the density p of features x at instants and q at all
    usable frames, and the share a = `ACTION_SHARE`,

        P(action | x) = a p(x) / q(x),   log p(x) / q(x) = w . x + b

    w, b by logistic regression of instants against all usable frames, each side with the weight of the instants.
    """
    features = _standardised([_features(motion, scale) for scale in (_scale(motions),) for motion in motions], usable)
    positive = np.concatenate([x[mask] for x, mask in zip(features, instants, strict=True)])
    all_frames = np.concatenate([x[mask] for x, mask in zip(features, usable, strict=True)])
    if not len(positive) or not len(all_frames):
        return [np.full(len(x), math.log(ACTION_SHARE / (1 - ACTION_SHARE))) for x in features]
    num_instants = sum(len(np.flatnonzero(np.diff(mask, prepend=False) & mask)) for mask in instants)
    weights = logistic_weights(positive, all_frames, float(num_instants))
    evidence = []
    for x in features:
        share = ACTION_SHARE * np.exp(np.minimum(x @ weights, 10.0))  # (T,)
        odds = np.log(share / np.maximum(1 - share, 1e-9))
        evidence.append(np.clip(odds, -MAX_ODDS, MAX_ODDS))
    return evidence


def logistic_weights(positive: Float64Array, negative: Float64Array, weight: float) -> Float64Array:
    """Coefficients (F,) of the logistic regression of positive (N, F) against negative (M, F), the last column ones.

    Each side weighs `weight` in all; the squares of all coefficients but the last weigh `RIDGE` / 2. Newton's method.
    """
    x = np.concatenate([positive, negative])
    y = np.repeat([1.0, 0.0], [len(positive), len(negative)])
    sample_weights = np.repeat([weight / len(positive), weight / len(negative)], [len(positive), len(negative)])
    ridge = np.r_[np.full(x.shape[1] - 1, RIDGE), 1e-6]
    weights = np.zeros(x.shape[1])
    for _ in range(20):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30.0, 30.0)))  # (N + M,)
        gradient = x.T @ (sample_weights * (p - y)) + ridge * weights
        curvature = (x.T * (sample_weights * p * (1 - p))) @ x + np.diag(ridge)
        weights = weights - np.linalg.solve(curvature, gradient)
    return weights


def _scale(motions: Sequence[Motion]) -> float:
    """The standard deviation of a joint's coordinate about the middle of its body, over all motions."""
    squares, count = 0.0, 0
    for motion in motions:
        poses, valid = _poses(motion)
        mean = poses.sum(axis=0) / np.maximum(valid.sum(axis=0), 1)[..., None]  # (P, J, 3)
        squares += float(np.where(valid[..., None], np.square(poses - mean), 0.0).sum())
        count += 3 * int(valid.sum())
    return math.sqrt(squares / count) if squares else 1.0


def _poses(motion: Motion) -> tuple[Float64Array, BoolArray]:
    """Poses (T, P, J, 3) about the mean of their joints, zero where not valid, and valid (T, P, J)."""
    valid = motion.valid
    positions = motion.positions.astype(np.float64)
    count = np.maximum(valid.sum(axis=2, keepdims=True), 1)[..., None]  # (T, P, 1, 1)
    middle = np.where(valid[..., None], positions, 0.0).sum(axis=2, keepdims=True) / count
    return np.where(valid[..., None], positions - middle, 0.0), valid


def _features(motion: Motion, scale: float) -> Float64Array:
    """Features (T, 4): log distance from the median pose, then log speed, each averaged over `SMOOTHING` seconds."""
    poses, valid = _poses(motion)
    median = np.zeros(poses.shape[1:])  # (P, J, 3)
    for person, joint in np.argwhere(valid.any(axis=0)):
        median[person, joint] = np.median(poses[valid[:, person, joint], person, joint], axis=0)
    distance = _mean_over_joints(poses - median, valid) / scale  # (T,)
    both = valid[1:] & valid[:-1]
    steps = _mean_over_joints(np.diff(poses, axis=0), both)  # (T - 1,)
    speed = np.r_[steps[:1], steps] * motion.fps / scale if len(steps) else distance * 0
    columns = []
    for values, floor in zip((distance, speed), FLOORS, strict=True):
        for seconds in SMOOTHING:
            smooth = moving_mean(values[:, None].astype(np.float32), motion.fps, seconds)[:, 0]
            columns.append(np.log(smooth.astype(np.float64) + floor))
    return np.stack(columns, axis=1)


def _mean_over_joints(offsets: Float64Array, valid: BoolArray) -> Float64Array:
    """Root mean square (T,) of the coordinates of offsets (T, P, J, 3) over valid joints; zero without one."""
    squares = np.where(valid, np.square(offsets).sum(axis=3), 0.0).sum(axis=(1, 2))
    length: Float64Array = np.sqrt(squares / np.maximum(3 * valid.sum(axis=(1, 2)), 1))
    return length


def _standardised(features: Sequence[Float64Array], usable: Sequence[BoolArray]) -> list[Float64Array]:
    """Features (T, F) with mean 0 and deviation 1 over usable frames, then their squares less 1, and ones."""
    chosen = np.concatenate([x[mask] for x, mask in zip(features, usable, strict=True)])
    if not len(chosen):
        chosen = np.concatenate(features)
    mean, deviation = chosen.mean(axis=0), np.maximum(chosen.std(axis=0), 1e-6)
    scaled = [((x - mean) / deviation).clip(-5.0, 5.0) for x in features]
    return [np.concatenate([x, np.square(x) - 1, np.ones((len(x), 1))], axis=1) for x in scaled]
