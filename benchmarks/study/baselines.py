"""What a user would take otherwise: class priors, and a random forest on windows of pose and velocity.

The third baseline, a dilated temporal network in stages (MS-TCN), is the encoder `tcn` with stages of refinement; its
settings stand in the studies' YAML.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from kinespan.data.annotation import IGNORE
from kinespan.decode.frames import moving_mean
from kinespan.transforms.normalise import Motion

Scores = NDArray[np.float32]
Ids = NDArray[np.int64]

REACH = (-12, -8, -4, 0, 4, 8, 12)
"""Frames of a window, at 15 a second: 0.8 s to either side."""
SMOOTH = 0.5
"""Seconds over which the forest's probabilities are averaged."""


def window_features(motion: Motion) -> NDArray[np.float32]:
    """Positions and velocities (T, W 2 J 3) of the first person around each frame; frames beyond the ends repeat."""
    positions = motion.positions[:, 0].reshape(motion.num_frames, -1)
    velocity = np.gradient(positions, axis=0) if motion.num_frames > 1 else np.zeros_like(positions)
    frames = np.concatenate([positions, velocity], axis=1)
    indices = np.clip(np.arange(motion.num_frames)[:, None] + np.array(REACH), 0, motion.num_frames - 1)  # (T, W)
    windows: NDArray[np.float32] = frames[indices].reshape(motion.num_frames, -1).astype(np.float32)
    return windows


def forest_scores(
    train: Sequence[tuple[Motion, Ids]], test: Sequence[Motion], classes: int, seed: int
) -> dict[str, Scores]:
    """Probabilities (T, C + 1) of a random forest of 300 trees, averaged over half a second."""
    x = np.concatenate([window_features(motion) for motion, _ in train])
    y = np.concatenate([ids for _, ids in train])
    forest = RandomForestClassifier(300, min_samples_leaf=3, max_features="sqrt", random_state=seed, n_jobs=1)
    forest.fit(x[y != IGNORE], y[y != IGNORE])
    probabilities = {}
    for motion in test:
        scores = np.zeros((motion.num_frames, classes), dtype=np.float32)
        scores[:, forest.classes_] = forest.predict_proba(window_features(motion))
        probabilities[motion.name] = moving_mean(scores, motion.fps, SMOOTH)
    return probabilities


def prior_scores(
    train: Sequence[tuple[Motion, Ids]], test: Sequence[Motion], classes: int, steps: int = 1
) -> dict[str, Scores]:
    """The frequency of each class in training: over all time, or in each of `steps` equal parts of a recording."""
    counts = np.full((steps, classes), 1e-6)
    for motion, ids in train:
        step = np.arange(motion.num_frames) * steps // motion.num_frames  # (T,)
        np.add.at(counts, (step[ids != IGNORE], ids[ids != IGNORE]), 1)
    share = (counts / counts.sum(axis=1, keepdims=True)).astype(np.float32)
    return {motion.name: share[np.arange(motion.num_frames) * steps // motion.num_frames] for motion in test}


def baseline_scores(
    model: str, train: Sequence[tuple[Motion, Ids]], test: Sequence[Motion], classes: int, seed: int
) -> Mapping[str, Scores]:
    """Frame scores (T, C + 1) by recording of the baseline `model`: forest, prior or time_prior."""
    if model == "forest":
        return forest_scores(train, test, classes, seed)
    return prior_scores(train, test, classes, 50 if model == "time_prior" else 1)
