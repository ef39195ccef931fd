"""Frame scores to spans: scored, possibly overlapping spans for mAP, and the exclusive segmentation.

The named decoders are in `kinespan.decode_presets`.

Frame scores are (T, C + 1): column 0 is background, column c + 1 is label c of the LabelSet. Rows are a softmax for
exclusive labels; for overlapping labels the columns are independent sigmoids and column 0 is 1 - max of the others.
"""

from __future__ import annotations

import heapq
import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from .annotation import LabelSet, Span, runs
from .arrays import AnyArray, BoolArray, Float32Array, Float64Array, IntArray
from .decode_durations import Durations, check_durations, duration_table, most_probable
from .decode_suppress import hard_nms, soft_nms
from .errors import InputError

OUTER_MARGIN = 0.25
"""A run is compared with the time on either side of it, this share of its length each: the margin of STAL's released
code (Yu, Fujiwara, AAAI 2023)."""
NMS_SIGMA = 0.5
"""Soft-NMS multiplies a score by exp(-tIoU^2 / sigma) for each better span; 0.5 is the value of Bodla et al., ICCV
2017."""


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise InputError where a setting is none of its choices."""
    if value not in choices:
        raise InputError(f"{name}: found {value!r}, expected one of {', '.join(choices)}")


@dataclass(frozen=True)
class DecodeConfig:
    """How frame scores become scored spans. Raises InputError, naming the setting, for a bad value."""

    method: Literal["runs", "action", "argmax"] = "runs"
    """runs: each label's runs above each threshold, scored and suppressed, for mAP; action: runs of any action (1 -
    background at or above each threshold), each with the one label whose mean score in it is highest; argmax: the
    exclusive segmentation."""
    smooth: float = 0.0
    """Seconds around each frame over which scores are averaged first; 0: none."""
    thresholds: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    """Runs above each of these are candidates; several thresholds let loose and tight bounds compete."""
    min_duration: float = 0.2
    """Seconds; shorter runs are dropped (runs, action) or absorbed by a neighbour (argmax)."""
    min_frames: int = 1
    """Runs of fewer frames are dropped at any frame rate (runs, action)."""
    outer_weight: float = 0.6
    """Score of a run = mean score inside - this x mean score in the margins on either side."""
    nms: Literal["soft", "hard", "stal", "none"] = "soft"
    """Non-maximum suppression within a label. soft: scores of overlapping spans decay; hard: overlapping spans are
    dropped; stal: contained spans are dropped; none: no suppression."""
    nms_threshold: float = 0.5
    """hard: the tIoU, stal: the overlapping share of its own length, above which a span is dropped for a better one."""
    min_score: float = 0.001
    """Spans whose score after suppression is lower are dropped; -inf keeps all."""
    inclusive: bool = False
    """Ends as STAL counts them: the mean inside includes the frame after the run, and spans end one frame late."""
    segmentation: Literal["argmax", "viterbi"] = "argmax"
    """How exclusive labels are segmented. argmax: each frame has its best label; viterbi: the most probable segments,
    given how long those of each label last."""
    durations: Durations = ()
    """viterbi: mean and standard deviation of the log of seconds, of background and of each label. Finetuning learns
    them from the training labels."""

    def __post_init__(self) -> None:
        """Validate. Raises InputError, naming the setting."""
        _one_of("method", self.method, ("runs", "action", "argmax"))
        _one_of("nms", self.nms, ("soft", "hard", "stal", "none"))
        _one_of("segmentation", self.segmentation, ("argmax", "viterbi"))
        fault = check_durations(self.durations)
        if fault:
            raise InputError(f"durations: found {fault}")
        if not self.thresholds or not all(math.isfinite(value) for value in self.thresholds):
            raise InputError(f"thresholds: found {self.thresholds}, expected at least one number, all finite")
        for name, low in (("min_duration", 0.0), ("min_frames", 0), ("nms_threshold", 0.0)):
            if not getattr(self, name) >= low:
                raise InputError(f"{name}: found {getattr(self, name)}, expected {low} or more")
        if not (math.isfinite(self.smooth) and self.smooth >= 0):
            raise InputError(f"smooth: found {self.smooth}, expected 0 or more seconds")


def decode(
    scores: AnyArray,
    fps: float,
    labels: LabelSet,
    config: DecodeConfig = DecodeConfig(),
) -> list[Span]:
    """Scored spans of frame scores (T, C + 1), best first; they may overlap, also within a label.

    Every run of a label above a threshold is a candidate (method action: every run of action with that label), scored
    by its contrast with the time around it (mean inside - outer_weight x mean in the margins). Non-maximum suppression
    within each label follows.

    Raises InputError for scores of another shape or with values that are not finite.
    """
    values = check_scores(scores, fps, labels)
    if config.method == "argmax":
        spans = segment_as(values, fps, labels, config)
    else:
        spans = []
        values = moving_mean(values, fps, config.smooth)
        actions = _action_runs(values, fps, config) if config.method == "action" else None
        for index, name in enumerate(labels.names):
            column = values[:, index + 1]  # (T,)
            start, end = _label_runs(column, fps, config) if actions is None else actions.of(index)
            candidates = _suppress(_score_contrast(column, start, end, config), config)
            spans += [
                Span(start / fps, end / fps, name, score)
                for start, end, score in zip(*(array.tolist() for array in candidates), strict=True)
                if score >= config.min_score
            ]
    return sorted(spans, key=lambda span: (-(span.score or 0.0), span.start, span.end, span.label))


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


def segment_as(scores: AnyArray, fps: float, labels: LabelSet, config: DecodeConfig) -> list[Span]:
    """The segmentation of frame scores (T, C + 1) under the settings of `config`; see `segment`.

    Raises InputError as `decode` does, and for viterbi with overlapping labels or without durations of these labels.
    """
    durations: Durations | None = None
    if config.segmentation == "viterbi":
        durations = config.durations
        if not labels.exclusive:
            raise InputError("segmentation: found viterbi, which needs exclusive labels; expected argmax")
        fault = check_durations(durations, len(labels) + 1)
        if fault:
            raise InputError(f"durations: found {fault}; finetune the model again, or use segmentation argmax")
    return segment(scores, fps, labels, config.min_duration, config.smooth, durations)


def segment(
    scores: AnyArray,
    fps: float,
    labels: LabelSet,
    min_duration: float = 0.2,
    smooth: float = 0.0,
    durations: Durations | None = None,
) -> list[Span]:
    """The segmentation of frame scores (T, C + 1), in order of time; a span's score is its mean probability.

    Scores are first averaged over `smooth` seconds. Exclusive labels: runs of the best column, background included;
    with `durations`, the runs of the most probable segmentation (see `kinespan.decode_durations`). Runs shorter than
    `min_duration` seconds are absorbed, shortest first, by the neighbour whose label has the higher mean score over
    the run (the earlier of equals). Overlapping labels: each label's runs above 0.5 that last `min_duration`.

    Raises InputError as `decode` does.
    """
    values = moving_mean(check_scores(scores, fps, labels), fps, smooth)
    if not len(values):
        return []
    shortest = min_frames(min_duration, fps)
    sums = running_sums(values)  # (T + 1, C + 1)
    if labels.exclusive:
        if durations is None:
            ids = values.argmax(axis=1)
        else:
            ids = most_probable(values, duration_table(durations, fps))
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
            float(sums[end, column] - sums[start, column]) / (end - start),
        )
        for column, start, end in segments
        if column > 0
    ]
    return sorted(spans, key=lambda span: (span.start, span.end, span.label))


class _Candidates(NamedTuple):
    """Candidate spans of one label: first frame, frame after the last (as stored), score; each (N,)."""

    start: IntArray
    end: IntArray
    score: Float64Array

    def select(self, index: AnyArray) -> _Candidates:
        return _Candidates(self.start[index], self.end[index], self.score[index])


class _ActionRuns(NamedTuple):
    """Runs of any action: first frame, frame after the last, index of the label with the best mean; each (N,)."""

    start: IntArray
    end: IntArray
    label: IntArray

    def of(self, label: int) -> tuple[IntArray, IntArray]:
        return self.start[self.label == label], self.end[self.label == label]


def _action_runs(values: Float32Array, fps: float, config: DecodeConfig) -> _ActionRuns:
    """The runs of scores (T, C + 1) in which any action holds; of equal labels the first names a run."""
    action = np.float32(1) - values[:, 0]  # (T,)
    start, end = _long_runs([true_runs(action >= np.float32(limit)) for limit in config.thresholds], fps, config)
    sums = running_sums(values[:, 1:])  # (T + 1, C)
    return _ActionRuns(start, end, (sums[end] - sums[start]).argmax(axis=1))


def _label_runs(column: Float32Array, fps: float, config: DecodeConfig) -> tuple[IntArray, IntArray]:
    """First frames and frames after the last, each (N,), of the runs of scores (T,) above each threshold."""
    return _long_runs([true_runs(column > np.float32(limit)) for limit in config.thresholds], fps, config)


def _long_runs(
    runs_by_threshold: list[tuple[IntArray, IntArray]], fps: float, config: DecodeConfig
) -> tuple[IntArray, IntArray]:
    """First frames and frames after the last, each (N,), of the runs that last long enough."""
    start = np.concatenate([starts for starts, _ in runs_by_threshold])
    end = np.concatenate([ends for _, ends in runs_by_threshold])
    is_long = end - start >= max(config.min_frames, min_frames(config.min_duration, fps))
    return start[is_long], end[is_long]


def _score_contrast(column: Float32Array, start: IntArray, end: IntArray, config: DecodeConfig) -> _Candidates:
    """The runs [start, end), each (N,), of a label's scores (T,), scored by mean inside - weight x mean in margins."""
    length, total = end - start, len(column)
    if config.inclusive:
        # STAL: frame `end` counts as inside; the right margin begins after it and never includes the last frame.
        inner_end = np.minimum(end + 1, total)
        outer_start = np.maximum(0, np.trunc(start - OUTER_MARGIN * length).astype(np.int64))
        outer_end = np.minimum(total - 1, np.trunc(end + OUTER_MARGIN * length + 1).astype(np.int64))
    else:
        inner_end = end
        margin = np.ceil(OUTER_MARGIN * length).astype(np.int64)
        outer_start, outer_end = np.maximum(0, start - margin), np.minimum(total, end + margin)
    outer_end = np.maximum(outer_end, inner_end)
    sums = running_sums(column)  # (T + 1,)
    inner = (sums[inner_end] - sums[start]) / (inner_end - start)  # (N,) mean inside
    outer = sums[start] - sums[outer_start] + sums[outer_end] - sums[inner_end]
    outer /= np.maximum(1, start - outer_start + outer_end - inner_end)  # (N,) mean in both margins
    return _Candidates(start, end + 1 if config.inclusive else end, inner - config.outer_weight * outer)


def true_runs(mask: BoolArray) -> tuple[IntArray, IntArray]:
    """First frames and frames after the last, each (N,), of the runs of True in a mask (T,)."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    return edges[0::2], edges[1::2]


def running_sums(values: Float32Array) -> Float64Array:
    """Sums (T + 1, ...) of values (T, ...): that of frames [s, e) is sums[e] - sums[s]."""
    return np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0, dtype=np.float64)])


def _suppress(candidates: _Candidates, config: DecodeConfig) -> _Candidates:
    """Non-maximum suppression within one label."""
    if config.nms == "none" or not len(candidates.start):
        return candidates
    if config.nms != "soft":
        return candidates.select(hard_nms(*candidates, config.nms_threshold, contained=config.nms == "stal"))
    # Decay would raise a score below zero, and one at zero is as good as no candidate.
    start, end, score = candidates.select(candidates.score >= max(config.min_score, 0.0))
    indices, decayed = soft_nms(start, end, score, NMS_SIGMA, config.min_score)
    return _Candidates(start[indices], end[indices], decayed)


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


def min_frames(seconds: float, fps: float) -> int:
    """The fewest frames that last `seconds`; a rounding error does not add one."""
    return math.ceil(seconds * fps - 1e-6)


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
