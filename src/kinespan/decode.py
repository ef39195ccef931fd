"""Frame scores to spans: scored, possibly overlapping spans for mAP, and the exclusive segmentation.

The ways of decoding that have a name are in `kinespan.decode_presets`.

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
from .decode_suppress import hard, soft
from .errors import InputError

OUTER_MARGIN = 0.25
"""A run is compared with the time on either side of it, this share of its length each: the margin of STAL's released
code (Yu, Fujiwara, AAAI 2023)."""
NMS_SIGMA = 0.5
"""Soft-NMS multiplies a score by exp(-tIoU^2 / sigma) for each better span; 0.5 is the value of Bodla et al., ICCV
2017."""


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InputError(f"{name}: found {value!r}, expected one of {', '.join(choices)}")


@dataclass(frozen=True)
class DecodeConfig:
    """How frame scores become scored spans.

    Raises InputError for a value that makes no sense.
    """

    method: Literal["runs", "action", "argmax"] = "runs"
    """runs: each label's runs above each threshold, scored and thinned out, for mAP; action: runs of any action at all,
    1 - background at or above each threshold, each named by the one label with the highest mean score in it; argmax:
    the exclusive segmentation."""
    smooth: float = 0.0
    """Scores are first averaged over a window of this many seconds around each frame; 0 leaves them as they are."""
    thresholds: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    """A run is proposed for each of these that its scores stay above; several let loose and tight bounds compete."""
    min_duration: float = 0.2
    """Shorter runs are dropped (runs, action) or absorbed by a neighbour (argmax), in seconds."""
    min_frames: int = 1
    """Runs of fewer frames are dropped, whatever they last (runs, action)."""
    outer_weight: float = 0.6
    """Score of a run = mean score inside - this x mean score in the margins on either side."""
    nms: Literal["soft", "hard", "stal", "none"] = "soft"
    """Non-maximum suppression within a label. soft: overlapping spans decay; hard: they go; stal: contained ones go;
    none: all stay as they are."""
    nms_threshold: float = 0.5
    """hard: the tIoU, stal: the part of its own length, above which a span gives way to a better one."""
    min_score: float = 0.001
    """Spans that score less, after suppression, are dropped; -inf keeps all."""
    inclusive: bool = False
    """Ends as STAL counts them: the mean inside takes in the frame after the run, and spans end one frame late."""
    segmentation: Literal["argmax", "viterbi"] = "argmax"
    """How frames are cut into actions that exclude each other. argmax: each frame has its best label; viterbi: the most
    probable segments, given how long those of each label last."""
    durations: Durations = ()
    """viterbi: mean and standard deviation of the log of seconds, of background and of each label; a finetuned model
    has learnt them from its training labels."""

    def __post_init__(self) -> None:
        """Refuse values that make no sense."""
        _one_of("method", self.method, ("runs", "action", "argmax"))
        _one_of("nms", self.nms, ("soft", "hard", "stal", "none"))
        _one_of("segmentation", self.segmentation, ("argmax", "viterbi"))
        wrong = check_durations(self.durations)
        if wrong:
            raise InputError(f"durations: found {wrong}")
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

    For each label and threshold every run above the threshold is a candidate (method action: every run of action that
    the label names best), scored by its contrast with the time around it (mean inside - outer_weight x mean in the
    margins); suppression then thins out each label's candidates.
    Raises InputError for scores of another shape or with values that are not finite.
    """
    values = _checked(scores, fps, labels)
    if config.method == "argmax":
        found = segment_as(values, fps, labels, config)
    else:
        found = []
        values = moving_mean(values, fps, config.smooth)
        acting = _acting(values, fps, config) if config.method == "action" else None
        for index, name in enumerate(labels.names):
            column = values[:, index + 1]
            start, end = _runs(column, fps, config) if acting is None else acting.of(index)
            kept = _suppress(_scored(column, start, end, config), config)
            found += [
                Span(start / fps, end / fps, name, score)
                for start, end, score in zip(kept.start.tolist(), kept.end.tolist(), kept.score.tolist(), strict=True)
                if score >= config.min_score
            ]
    return sorted(found, key=lambda span: (-(span.score or 0.0), span.start, span.end, span.label))


def moving_mean(scores: Float32Array, fps: float, seconds: float) -> Float32Array:
    """Scores (T, C) averaged over the frames at most seconds / 2 away from each; at both ends over those there are.

    0.7 s at 30 fps are 21 frames, ten on either side. Windows of less than three frames change nothing.
    """
    reach = math.floor(seconds * fps / 2 + 1e-6)
    if reach == 0 or not len(scores):
        return scores
    sums = _running(scores)
    frames = np.arange(len(scores))
    first, last = np.maximum(0, frames - reach), np.minimum(len(scores), frames + reach + 1)
    means: Float64Array = (sums[last] - sums[first]) / (last - first)[:, None]
    return means.astype(np.float32)


def segment_as(scores: AnyArray, fps: float, labels: LabelSet, config: DecodeConfig) -> list[Span]:
    """The segmentation of frame scores (T, C + 1) that a config asks for; see `segment`.

    Raises InputError as `decode` does, and where config asks for viterbi and has no durations of these labels.
    """
    durations: Durations | None = None
    if config.segmentation == "viterbi":
        durations = config.durations
        if not labels.exclusive:
            raise InputError(
                "segmentation: found viterbi, which is for labels that exclude each other; expected argmax"
            )
        wrong = check_durations(durations, len(labels) + 1)
        if wrong:
            raise InputError(f"durations: found {wrong}; finetune the model again, or use segmentation argmax")
    return segment(scores, fps, labels, config.min_duration, config.smooth, durations)


def segment(
    scores: AnyArray,
    fps: float,
    labels: LabelSet,
    min_duration: float = 0.2,
    smooth: float = 0.0,
    durations: Durations | None = None,
) -> list[Span]:
    """The segmentation of frame scores (T, C + 1), in order of time; spans are scored by their mean probability.

    The scores are those of a moving mean over `smooth` seconds, which keeps the best column from flickering.

    Exclusive labels: runs of the best column, background included, not overlapping; with durations of background and
    labels, the runs of the most probable segmentation (see `kinespan.decode_durations`). Those shorter than
    `min_duration` seconds are absorbed, shortest first, by the neighbour whose label has the higher mean score over
    the run (by the earlier one where they are equal). Overlapping labels: each label's runs above 0.5 that last
    `min_duration`.
    Raises InputError as `decode` does.
    """
    values = moving_mean(_checked(scores, fps, labels), fps, smooth)
    if not len(values):
        return []
    min_frames = _frames(min_duration, fps)
    sums = _running(values)
    if labels.exclusive:
        if durations is None:
            ids = values.argmax(axis=1)
        else:
            ids = most_probable(values, duration_table(durations, fps))
        pieces = _absorb(runs(ids), sums, min_frames)
    else:
        above = [(column, *_where(values[:, column] > 0.5)) for column in range(1, values.shape[1])]
        pieces = [
            (column, int(start), int(end))
            for column, starts, ends in above
            for start, end in zip(starts, ends, strict=True)
            if end - start >= min_frames
        ]
    spans = [
        Span(
            start / fps,
            end / fps,
            labels.names[value - 1],
            float(sums[end, value] - sums[start, value]) / (end - start),
        )
        for value, start, end in pieces
        if value > 0
    ]
    return sorted(spans, key=lambda span: (span.start, span.end, span.label))


class _Candidates(NamedTuple):
    """Candidate spans of one label: first frame, frame after the last (as stored), score; each (N,)."""

    start: IntArray
    end: IntArray
    score: Float64Array

    def take(self, index: AnyArray) -> _Candidates:
        return _Candidates(self.start[index], self.end[index], self.score[index])


class _Acting(NamedTuple):
    """Runs of action: first frame, frame after the last, index of the label that names it best; each (N,)."""

    start: IntArray
    end: IntArray
    label: IntArray

    def of(self, label: int) -> tuple[IntArray, IntArray]:
        return self.start[self.label == label], self.end[self.label == label]


def _acting(values: Float32Array, fps: float, config: DecodeConfig) -> _Acting:
    """The runs in scores (T, C + 1) where something is done; of equally good labels the first names a run."""
    anything = np.float32(1) - values[:, 0]
    start, end = _long_enough([_where(anything >= np.float32(limit)) for limit in config.thresholds], fps, config)
    sums = _running(values[:, 1:])
    return _Acting(start, end, (sums[end] - sums[start]).argmax(axis=1))


def _runs(column: Float32Array, fps: float, config: DecodeConfig) -> tuple[IntArray, IntArray]:
    """First frames and frames after the last, each (N,), of the runs of scores (T,) above each threshold."""
    return _long_enough([_where(column > np.float32(limit)) for limit in config.thresholds], fps, config)


def _long_enough(found: list[tuple[IntArray, IntArray]], fps: float, config: DecodeConfig) -> tuple[IntArray, IntArray]:
    """The runs of all thresholds that are long enough."""
    start = np.concatenate([starts for starts, _ in found])
    end = np.concatenate([ends for _, ends in found])
    long = end - start >= max(config.min_frames, _frames(config.min_duration, fps))
    return start[long], end[long]


def _scored(column: Float32Array, start: IntArray, end: IntArray, config: DecodeConfig) -> _Candidates:
    """Runs (N,) of the scores (T,) of their label, with their contrast as score."""
    length, total = end - start, len(column)
    if config.inclusive:
        # STAL: frame `end` counts as inside, the right margin starts after it and never holds the last frame.
        inner_end = np.minimum(end + 1, total)
        outer_start = np.maximum(0, np.trunc(start - OUTER_MARGIN * length).astype(np.int64))
        outer_end = np.minimum(total - 1, np.trunc(end + OUTER_MARGIN * length + 1).astype(np.int64))
    else:
        inner_end = end
        margin = np.ceil(OUTER_MARGIN * length).astype(np.int64)
        outer_start, outer_end = np.maximum(0, start - margin), np.minimum(total, end + margin)
    outer_end = np.maximum(outer_end, inner_end)
    sums = _running(column)
    inner = (sums[inner_end] - sums[start]) / (inner_end - start)
    outer = sums[start] - sums[outer_start] + sums[outer_end] - sums[inner_end]
    outer /= np.maximum(1, start - outer_start + outer_end - inner_end)
    return _Candidates(start, end + 1 if config.inclusive else end, inner - config.outer_weight * outer)


def _where(holds: BoolArray) -> tuple[IntArray, IntArray]:
    """First frames and frames after the last, each (N,), of the runs in which something (T,) holds."""
    edges = np.flatnonzero(np.diff(holds, prepend=False, append=False))
    return edges[0::2], edges[1::2]


def _running(values: Float32Array) -> Float64Array:
    """Running sums (T + 1, ...) of values (T, ...): those of frames [s, e) are running[e] - running[s]."""
    return np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0, dtype=np.float64)])


def _suppress(candidates: _Candidates, config: DecodeConfig) -> _Candidates:
    """Non-maximum suppression within one label."""
    if config.nms == "none" or not len(candidates.start):
        return candidates
    if config.nms != "soft":
        return candidates.take(hard(*candidates, config.nms_threshold, contained=config.nms == "stal"))
    # A score at or below zero is no better than silence, and decay would raise it.
    start, end, score = candidates.take(candidates.score >= max(config.min_score, 0.0))
    kept, decayed = soft(start, end, score, NMS_SIGMA, config.min_score)
    return _Candidates(start[kept], end[kept], decayed)


def _absorb(pieces: list[tuple[int, int, int]], sums: Float64Array, min_frames: int) -> list[tuple[int, int, int]]:
    """Runs (value, start, end) that tile the time, with the short ones absorbed; `sums` (T + 1, C + 1) are running."""
    value, start, end = (list(part) for part in zip(*pieces, strict=True))
    count = len(pieces)
    before, after = list(range(-1, count - 1)), [*range(1, count), -1]
    alive = [True] * count
    queue = [(end[i] - start[i], start[i], i) for i in range(count) if end[i] - start[i] < min_frames]
    heapq.heapify(queue)
    while queue:
        length, _, i = heapq.heappop(queue)
        if not alive[i] or end[i] - start[i] != length:
            continue
        near = [j for j in (before[i], after[i]) if j >= 0]
        if not near:
            break
        gain = [sums[end[i], value[j]] - sums[start[i], value[j]] for j in near]
        # The neighbour's label takes the run over; runs beside it with that label then join it.
        value[i] = value[near[int(np.argmax(gain))]]
        for j in near:
            if value[j] == value[i]:
                alive[j] = False
                start[i], end[i] = min(start[i], start[j]), max(end[i], end[j])
        before[i] = before[before[i]] if before[i] >= 0 and not alive[before[i]] else before[i]
        after[i] = after[after[i]] if after[i] >= 0 and not alive[after[i]] else after[i]
        if before[i] >= 0:
            after[before[i]] = i
        if after[i] >= 0:
            before[after[i]] = i
        if end[i] - start[i] < min_frames:
            heapq.heappush(queue, (end[i] - start[i], start[i], i))
    return [(value[i], start[i], end[i]) for i in range(count) if alive[i]]


def _frames(seconds: float, fps: float) -> int:
    """The fewest frames that last this long; a rounding error does not ask for one more."""
    return math.ceil(seconds * fps - 1e-6)


def _checked(scores: AnyArray, fps: float, labels: LabelSet) -> Float32Array:
    """The scores as float32, or InputError."""
    values = np.asarray(scores, dtype=np.float32)
    if values.ndim != 2 or values.shape[1] != len(labels) + 1:
        raise InputError(
            f"frame scores: found shape {values.shape}, expected (T, {len(labels) + 1}), background and then the labels"
        )
    if not (math.isfinite(fps) and fps > 0):
        raise InputError(f"fps: found {fps}, expected a positive number")
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise InputError(f"frame scores: frame {int(bad.argmax())} holds a value that is not finite")
    return values
