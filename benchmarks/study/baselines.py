"""What a user would take otherwise: class priors, and a random forest on windows of pose and velocity.

The third baseline, a dilated temporal network in stages (MS-TCN), is the encoder `tcn` with stages of refinement; its
settings stand in the studies' YAML.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from kinespan.data.annotation import IGNORE, Annotation, frame_centres
from kinespan.decode.frames import moving_mean
from kinespan.transforms.normalise import Motion

Scores = NDArray[np.float32]
Ids = NDArray[np.int64]

SMOOTH = 0.5
"""Seconds over which the forest's probabilities of spans are averaged."""

WINDOW_FRAMES = 7
"""Frames of a window, evenly spaced."""


@dataclass(frozen=True)
class ForestConfig:
    """Settings of the random forest."""

    reach: float = 0.8
    """Seconds that a window reaches to either side of a frame."""
    depth: int | None = None
    """Greatest depth of a tree; None: no limit."""
    relative: bool = False
    """Positions relative to the root of their frame, without the root's own way."""


def window_features(
    motion: Motion, config: ForestConfig = ForestConfig(), root: Sequence[int] = ()
) -> NDArray[np.float32]:
    """Positions and velocities (T, W 2 J 3) of the first person around each frame; frames beyond the ends repeat.

    root: the joints whose middle `config.relative` is about.
    """
    positions = motion.positions[:, 0]  # (T, J, 3)
    if config.relative:
        positions = positions - positions[:, list(root)].mean(axis=1, keepdims=True)
    positions = positions.reshape(motion.num_frames, -1)
    velocity = np.gradient(positions, axis=0) if motion.num_frames > 1 else np.zeros_like(positions)
    frames = np.concatenate([positions, velocity], axis=1)
    offsets = window_offsets(config.reach, motion.fps)
    indices = np.clip(np.arange(motion.num_frames)[:, None] + offsets, 0, motion.num_frames - 1)  # (T, W)
    windows: NDArray[np.float32] = frames[indices].reshape(motion.num_frames, -1).astype(np.float32)
    return windows


def window_offsets(reach: float, fps: float) -> Ids:
    """The frames (W,) of a window, counted from its middle."""
    return np.round(np.linspace(-reach, reach, WINDOW_FRAMES) * fps).astype(np.int64)


def event_ids(annotation: Annotation, num_frames: int, fps: float) -> Ids:
    """Frame ids (T,) of the events of an annotation, as a forest is taught them: a label up to half the tolerance away.

    So wide the response of `kinespan.decode.events` to a probability of one is about one.
    """
    centres = frame_centres(num_frames, fps)
    ids = annotation.frame_ids(num_frames, fps)
    for event in annotation.instants:
        is_near = np.abs(centres - event.time) <= max(annotation.labels.tolerance / 2, 0.5 / fps)
        ids[is_near] = annotation.labels.index(event.label) + 1
    return ids


def forest_scores(
    train: Sequence[tuple[Motion, Ids]],
    test: Sequence[Motion],
    classes: int,
    seed: int,
    config: ForestConfig = ForestConfig(),
    root: Sequence[int] = (),
    smooth: float = SMOOTH,
) -> dict[str, Scores]:
    """Probabilities (T, C + 1) of a random forest of 300 trees, averaged over `smooth` seconds."""
    x = np.concatenate([window_features(motion, config, root) for motion, _ in train])
    y = np.concatenate([ids for _, ids in train])
    forest = RandomForestClassifier(
        300, max_depth=config.depth, min_samples_leaf=3, max_features="sqrt", random_state=seed, n_jobs=1
    )
    forest.fit(x[y != IGNORE], y[y != IGNORE])
    probabilities = {}
    for motion in test:
        scores = np.zeros((motion.num_frames, classes), dtype=np.float32)
        scores[:, forest.classes_] = forest.predict_proba(window_features(motion, config, root))
        probabilities[motion.name] = moving_mean(scores, motion.fps, smooth)
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
