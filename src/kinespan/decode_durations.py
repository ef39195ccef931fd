"""The segmentation that knows how long actions last: the most probable one under learnt durations.

A hidden semi-Markov model (Murphy: Hidden Semi-Markov Models, 2002; Rabiner: A Tutorial on Hidden Markov Models, 1989,
section IV.D): frames are cut into segments, each of one class and of another class than the one before, which maximise

    sum over segments (c, s, e) of   sum_{s <= t < e} log p_c(t) + log P_c(e - s) - log C

p_c(t) is the frame score of class c, 0 background; P_c the log-normal density of its durations, learnt from training
spans; every one of the C other classes may follow. Durations count as the model has them, at weight 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

from .annotation import IGNORE, runs
from .arrays import Float32Array, Float64Array, IntArray

Durations = tuple[tuple[float, float], ...]
"""Mean and standard deviation of the log of a segment's seconds: of background, then of each label."""

LEAST_SCORE = 1e-4
"""No frame speaks against a class more strongly than with this probability."""
LEAST_SPREAD = 0.2
"""No class's durations are held to be more alike than this (standard deviation of the log)."""
PSEUDO_COUNT = 3.0
"""Spread common to all classes counts as this many segments beside a class's own."""
MOST_FRAMES = 1024
"""Segments up to this long, at most, are scored one by one; of longer ones the log density goes on in a line."""


def learn_durations(frame_ids: Iterable[IntArray], fps: float, classes: int) -> Durations:
    """Durations of background and labels, of the frame ids (T,) of annotated recordings at a rate.

    Segments that a recording's end or unlabelled time cuts short count only for a class that has no whole one. A class
    without any has the mean and the spread of all segments.
    """
    whole: list[list[float]] = [[] for _ in range(classes)]
    cut: list[list[float]] = [[] for _ in range(classes)]
    for ids in frame_ids:
        found = runs(ids)
        for place, (value, start, end) in enumerate(found):
            if value != IGNORE:
                beside = found[max(0, place - 1) : place + 2]
                inside = len(beside) == 3 and all(near != IGNORE for near, _, _ in beside)
                (whole if inside else cut)[value].append(math.log((end - start) / fps))
    logs = [np.array(one or other) for one, other in zip(whole, cut, strict=True)]
    every = np.concatenate(logs)
    if not len(every):
        return ()
    within = np.concatenate([part - part.mean() for part in logs if len(part)])
    common = float(np.square(within).mean())
    learnt = []
    for part in logs:
        if not len(part):
            learnt.append((float(every.mean()), max(LEAST_SPREAD, float(every.std()))))
            continue
        own = float(np.square(part - part.mean()).sum())
        spread = math.sqrt((own + PSEUDO_COUNT * common) / (len(part) + PSEUDO_COUNT))
        learnt.append((float(part.mean()), max(LEAST_SPREAD, spread)))
    return tuple(learnt)


def duration_table(durations: Durations, fps: float, most: int = MOST_FRAMES) -> Float64Array:
    """Log density (C + 1, D), per frame, of segments of 1 to D frames; D covers all but the rarest, `most` at most."""
    mean, spread = np.array(durations).T
    longest = math.ceil(float(np.exp(mean + 3 * spread).max()) * fps)
    frames = np.arange(1, max(2, min(most, longest)) + 1)
    logs = np.log(frames / fps)
    z = (logs - mean[:, None]) / spread[:, None]
    table: Float64Array = -0.5 * z**2 - np.log(spread * math.sqrt(2 * math.pi))[:, None] - np.log(frames)
    return table


def most_probable(scores: Float32Array, table: Float64Array) -> IntArray:
    """Classes (T,) of the most probable segmentation of scores (T, C + 1) under log densities (C + 1, D).

    Of segments longer than D frames the log density goes on in the line of its last two values, or level where that
    would rise. O(T C D).
    """
    total, classes = scores.shape
    if classes == 1 or not total:
        return np.zeros(total, dtype=np.int64)
    cost = table - math.log(classes - 1)
    longest = cost.shape[1]
    slope = np.minimum(0.0, cost[:, -1] - cost[:, -2])
    rising = cost[:, ::-1]
    every = np.arange(classes)
    # entry[c, s - at]: the best score of what is before frame s where class c begins there, less the sum of c up to
    # there; of the frames that a segment of D frames may still begin at, in room for twice as many
    entry, at = np.full((classes, 2 * longest), -np.inf), 0
    entry[:, 0] = 0.0
    sums = np.zeros(classes)
    # of the two best classes of a segment that ends before a frame: which, and where it begins
    best = np.zeros((total + 1, 2), dtype=np.int64)
    begin = np.zeros((total + 1, 2), dtype=np.int64)
    long, long_begin = np.full(classes, -np.inf), np.zeros(classes, dtype=np.int64)
    for end in range(1, total + 1):
        first = max(0, end - longest)
        if end - at == entry.shape[1]:
            entry[:, : end - first] = entry[:, first - at : end - at]
            at = first
        window = entry[:, first - at : end - at] + rising[:, longest - (end - first) :]
        place = window.argmax(axis=1)
        value, since = window[every, place], first + place
        # segments of D frames or more: those that were so long a frame ago, and those that have just become it
        long = long + slope
        better = long > value
        value, since = np.where(better, long, value), np.where(better, long_begin, since)
        if end >= longest:
            newly = window[:, 0] > long
            long, long_begin = np.where(newly, window[:, 0], long), np.where(newly, first, long_begin)
        sums += np.log(np.maximum(scores[end - 1], LEAST_SCORE))
        value = value + sums
        two = np.argsort(-value, kind="stable")[:2]
        top, second = two
        best[end], begin[end] = two, since[two]
        entry[:, end - at] = value[top] - sums
        entry[top, end - at] = value[second] - sums[top]
    return _traced(begin, best)


def _traced(begin: IntArray, best: IntArray) -> IntArray:
    """Classes (T,), from the end back: the two best classes (T + 1, 2) of the last segment, and where it begins."""
    end = len(begin) - 1
    classes = np.zeros(end, dtype=np.int64)
    found = int(best[end, 0])
    while end > 0:
        start = int(begin[end, int(best[end, 0] != found)])
        classes[start:end] = found
        end = start
        found = int(best[end, 0]) if best[end, 0] != found else int(best[end, 1])
    return classes


def check_durations(durations: Sequence[Sequence[float]], classes: int | None = None) -> str:
    """What is wrong with durations, of so many classes where that is known; empty where nothing is."""
    if classes is not None and len(durations) != classes:
        return f"of {len(durations)} classes, expected {classes}: background, then the labels"
    for pair in durations:
        if len(pair) != 2 or not all(math.isfinite(value) for value in pair) or not pair[1] > 0:
            return f"{tuple(pair)}, expected the mean and the positive standard deviation of log seconds"
    return ""
