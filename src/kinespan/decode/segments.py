"""The segmentation: at most one action at a time, in order."""

from __future__ import annotations

import heapq

import numpy as np

from ..arrays import AnyArray, Float64Array
from ..data.annotation import LabelSet, Span, runs
from ..errors import InputError
from .calibration import span_probability
from .config import DecodeConfig
from .durations import check_durations, duration_table, most_probable
from .frames import check_scores, min_frames, moving_mean, running_sums, span_scores, true_runs


def segment(scores: AnyArray, fps: float, labels: LabelSet, config: DecodeConfig = DecodeConfig()) -> list[Span]:
    """The segmentation of frame scores (T, C + 1), in order of time; a span's score says how likely it is right.

    That is its mean probability, or what `config.span_calibration` makes of it. Scores are first averaged over
    `config.smooth` seconds. Exclusive labels: runs of the best column, background included, or, by viterbi, of the most
    probable segmentation (see `kinespan.decode.durations`). Runs shorter than `config.min_duration` seconds are
    absorbed, shortest first, by the neighbour whose label has the higher mean score over the run (the earlier of
    equals). Overlapping labels: each label's runs above 0.5 that last that long.

    Raises InputError as `decode` does, and for viterbi with overlapping labels or without durations of these labels.
    """
    values, labels = span_scores(check_scores(scores, fps, labels), labels)
    if config.segmentation == "viterbi":
        if not labels.exclusive:
            raise InputError("segmentation: found viterbi, which needs exclusive labels; expected argmax")
        fault = check_durations(config.durations, len(labels) + 1)
        if fault:
            raise InputError(f"durations: found {fault}; finetune the model again, or use segmentation argmax")
    values = moving_mean(values, fps, config.smooth)
    if not len(values):
        return []
    shortest = min_frames(config.min_duration, fps)
    sums = running_sums(values)  # (T + 1, C + 1)
    if labels.exclusive:
        if config.segmentation == "viterbi":
            ids = most_probable(values, duration_table(config.durations, fps))
        else:
            ids = values.argmax(axis=1)
        segments = absorb_short_runs(runs(ids), sums, shortest)
    else:
        active = [(column, *true_runs(values[:, column] > 0.5)) for column in range(1, values.shape[1])]
        segments = [
            (column, int(start), int(end))
            for column, starts, ends in active
            for start, end in zip(starts, ends, strict=True)
            if end - start >= shortest
        ]
    spans = [
        Span(
            start / fps,
            end / fps,
            labels.names[column - 1],
            span_probability(float(sums[end, column] - sums[start, column]) / (end - start), config.span_calibration),
        )
        for column, start, end in segments
        if column > 0
    ]
    return sorted(spans, key=lambda span: (span.start, span.end, span.label))


def absorb_short_runs(
    segments: list[tuple[int, int, int]], sums: Float64Array, shortest: int
) -> list[tuple[int, int, int]]:
    """Contiguous runs (column, start, end) with those of fewer than `shortest` frames absorbed, shortest first.

    `sums` (T + 1, C + 1) are the running sums of the scores. The neighbour whose column has the higher sum over a
    short run takes it over, and adjacent runs of one column become one.
    """
    column, start, end = map(list, zip(*segments, strict=True))
    count = len(segments)
    previous, following = list(range(-1, count - 1)), [*range(1, count), -1]  # a linked list; -1: none
    exists = [True] * count
    queue = [(end[i] - start[i], start[i], i) for i in range(count) if end[i] - start[i] < shortest]
    heapq.heapify(queue)
    while queue:
        length, _, i = heapq.heappop(queue)
        if not exists[i] or end[i] - start[i] != length:  # it was absorbed or has grown
            continue
        neighbours = [j for j in (previous[i], following[i]) if j >= 0]
        if not neighbours:
            break
        gains = [sums[end[i], column[j]] - sums[start[i], column[j]] for j in neighbours]
        column[i] = column[neighbours[int(np.argmax(gains))]]
        for j in neighbours:
            if column[j] == column[i]:
                exists[j] = False
                start[i], end[i] = min(start[i], start[j]), max(end[i], end[j])
        previous[i] = previous[previous[i]] if previous[i] >= 0 and not exists[previous[i]] else previous[i]
        following[i] = following[following[i]] if following[i] >= 0 and not exists[following[i]] else following[i]
        if previous[i] >= 0:
            following[previous[i]] = i
        if following[i] >= 0:
            previous[following[i]] = i
        if end[i] - start[i] < shortest:
            heapq.heappush(queue, (end[i] - start[i], start[i], i))
    return [(column[i], start[i], end[i]) for i in range(count) if exists[i]]
