"""Viterbi segmentation under learnt durations: the most probable segments, given how long actions last.

A hidden semi-Markov model (Murphy: Hidden Semi-Markov Models, 2002; Rabiner: A Tutorial on Hidden Markov Models, 1989,
section IV.D): frames are cut into segments, each of one class, neighbours of different classes, that maximise

    sum over segments (c, s, e) of   sum_{s <= t < e} log p_c(t) + log P_c(e - s) - log C

p_c(t) is the frame score of class c, 0 being background; P_c the log-normal density of its durations, learnt from
training spans; each of the C other classes is equally likely to follow. Durations are not weighted: the sum is the
model's log probability.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from ..arrays import Float32Array, Float64Array, IntArray
from ..data.annotation import IGNORE, runs

Durations = tuple[tuple[float, float], ...]
"""Mean and standard deviation of the log of a segment's seconds: of background, then of each label."""

MIN_PROBABILITY = 1e-4
"""Frame scores are clipped to this from below, so that no single frame excludes a class."""
MIN_SPREAD = 0.2
"""The standard deviation of a class's log durations is at least this."""
PSEUDO_COUNT = 3.0
"""The spread common to all classes counts as this many segments beside a class's own."""
MAX_TABLE_FRAMES = 1024
"""The log density is tabulated up to segments of this length and extrapolated in a line beyond."""


def learn_durations(frame_ids: Iterable[IntArray], fps: float, classes: int) -> Durations:
    """Durations of the `classes`, background and labels, from the frame ids (T,) of annotated recordings.

    Segments that are cut by the end of a recording or by unlabelled time count only for a class without a complete
    one. A class without any segment has the mean and the spread of all segments. Empty without any segment at all.
    """
    complete: list[list[float]] = [[] for _ in range(classes)]
    cut: list[list[float]] = [[] for _ in range(classes)]
    for ids in frame_ids:
        segments = runs(ids)
        for index, (class_id, start, end) in enumerate(segments):
            if class_id != IGNORE:
                with_neighbours = segments[max(0, index - 1) : index + 2]
                is_complete = len(with_neighbours) == 3 and all(value != IGNORE for value, _, _ in with_neighbours)
                (complete if is_complete else cut)[class_id].append(math.log((end - start) / fps))
    logs_by_class = [np.array(logs or cut_logs) for logs, cut_logs in zip(complete, cut, strict=True)]
    all_logs = np.concatenate(logs_by_class)
    if not len(all_logs):
        return ()
    deviations = np.concatenate([logs - logs.mean() for logs in logs_by_class if len(logs)])
    common_variance = float(np.square(deviations).mean())
    durations = []
    for logs in logs_by_class:
        if not len(logs):
            durations.append((float(all_logs.mean()), max(MIN_SPREAD, float(all_logs.std()))))
            continue
        squares = float(np.square(logs - logs.mean()).sum())
        spread = math.sqrt((squares + PSEUDO_COUNT * common_variance) / (len(logs) + PSEUDO_COUNT))
        durations.append((float(logs.mean()), max(MIN_SPREAD, spread)))
    return tuple(durations)


def duration_table(durations: Durations, fps: float) -> Float64Array:
    """Log density (C + 1, D), per frame, of segments of 1 to D frames.

    D covers three standard deviations above the mean of every class, and is at most `MAX_TABLE_FRAMES`.
    """
    mean, spread = np.array(durations).T
    longest = math.ceil(float(np.exp(mean + 3 * spread).max()) * fps)
    frames = np.arange(1, max(2, min(MAX_TABLE_FRAMES, longest)) + 1)
    logs = np.log(frames / fps)  # (D,)
    z = (logs - mean[:, None]) / spread[:, None]  # (C + 1, D)
    table: Float64Array = -0.5 * z**2 - np.log(spread * math.sqrt(2 * math.pi))[:, None] - np.log(frames)
    return table


def most_probable(scores: Float32Array, table: Float64Array) -> IntArray:
    """Classes (T,) of the most probable segmentation of scores (T, C + 1) under log densities (C + 1, D).

    Beyond D frames the log density is extrapolated in the line of its last two values, level where that would rise.
    Takes O(T C D) time and, beside the scores, O(T + C D) memory.
    """
    total, classes = scores.shape
    if classes == 1 or not total:
        return np.zeros(total, dtype=np.int64)
    density = table - math.log(classes - 1)  # (C + 1, D)
    longest = density.shape[1]
    slope = np.minimum(0.0, density[:, -1] - density[:, -2])  # (C + 1,)
    density_by_start = density[:, ::-1]  # the longest segment starts first
    every_class = np.arange(classes)
    # entry[c, s - offset]: the best score of the frames before s where class c begins at s, less the running sum of c
    # at s. It covers the D frames at which a segment in the table may begin, in a buffer twice as long.
    entry, offset = np.full((classes, 2 * longest), -np.inf), 0
    entry[:, 0] = 0.0
    sums = np.zeros(classes)  # running sums of the log scores
    # The two best classes of a segment that ends before each frame, and where that segment begins.
    best = np.zeros((total + 1, 2), dtype=np.int64)
    begin = np.zeros((total + 1, 2), dtype=np.int64)
    # The best segment of D frames or more, which is beyond the table, and where it begins.
    long, long_begin = np.full(classes, -np.inf), np.zeros(classes, dtype=np.int64)
    for end in range(1, total + 1):
        first = max(0, end - longest)
        if end - offset == entry.shape[1]:
            entry[:, : end - first] = entry[:, first - offset : end - offset]
            offset = first
        window = entry[:, first - offset : end - offset] + density_by_start[:, longest - (end - first) :]
        index = window.argmax(axis=1)
        value, start = window[every_class, index], first + index
        long = long + slope
        is_better = long > value
        value, start = np.where(is_better, long, value), np.where(is_better, long_begin, start)
        if end >= longest:  # the segment that begins at `first` leaves the table with the next frame
            leaves = window[:, 0] > long
            long, long_begin = np.where(leaves, window[:, 0], long), np.where(leaves, first, long_begin)
        sums += np.log(np.maximum(scores[end - 1], MIN_PROBABILITY))
        value = value + sums
        top_two = np.argsort(-value, kind="stable")[:2]
        top, second = top_two
        best[end], begin[end] = top_two, start[top_two]
        # A class follows the best segment of another class: the second best where it is itself the best.
        entry[:, end - offset] = value[top] - sums
        entry[top, end - offset] = value[second] - sums[top]
    return _backtrack(begin, best)


def _backtrack(begin: IntArray, best: IntArray) -> IntArray:
    """Classes (T,), from the last segment back; `begin` and `best` (T + 1, 2) as in `most_probable`."""
    end = len(begin) - 1
    classes = np.zeros(end, dtype=np.int64)
    current = int(best[end, 0])
    while end > 0:
        start = int(begin[end, int(best[end, 0] != current)])
        classes[start:end] = current
        end = start
        current = int(best[end, 0]) if best[end, 0] != current else int(best[end, 1])
    return classes


def check_durations(durations: Sequence[Sequence[float]], classes: int | None = None) -> str:
    """What is wrong with the durations of `classes` (None: any number of) classes; empty where nothing is."""
    if classes is not None and len(durations) != classes:
        return f"of {len(durations)} classes, expected {classes}: background, then the labels"
    for pair in durations:
        if len(pair) != 2 or not all(math.isfinite(value) for value in pair) or not pair[1] > 0:
            return f"{tuple(pair)}, expected the mean and the positive standard deviation of log seconds"
    return ""
