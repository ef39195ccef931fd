"""Frame scores to spans: scored, possibly overlapping spans for mAP, and the exclusive segmentation.

The named decoders are in `kinespan.decode.presets`.

Frame scores are (T, C + 1): column 0 is background, column c + 1 is label c of the LabelSet. Rows are a softmax for
exclusive labels; for overlapping labels the columns are independent sigmoids and column 0 is 1 - max of the others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import AnyArray, BoolArray, Float32Array, Float64Array, IntArray
from ..data.annotation import LabelSet, Span
from .config import DecodeConfig
from .frames import check_scores, min_frames, moving_mean, running_sums, span_scores, true_runs
from .segments import segment
from .suppress import hard_nms, soft_nms

OUTER_MARGIN = 0.25
"""A run is compared with the time on either side of it, this share of its length each: the margin of STAL's released
code (Yu, Fujiwara, AAAI 2023)."""
NMS_SIGMA = 0.5
"""Soft-NMS multiplies a score by exp(-tIoU^2 / sigma) for each better span; 0.5 is the value of Bodla et al., ICCV
2017."""


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
    values, labels = span_scores(check_scores(scores, fps, labels), labels)
    if config.method == "argmax":
        spans = segment(values, fps, labels, config)
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
    start, end = _long_runs([action >= np.float32(limit) for limit in config.thresholds], fps, config)
    sums = running_sums(values[:, 1:])  # (T + 1, C)
    return _ActionRuns(start, end, (sums[end] - sums[start]).argmax(axis=1))


def _label_runs(column: Float32Array, fps: float, config: DecodeConfig) -> tuple[IntArray, IntArray]:
    """First frames and frames after the last, each (N,), of the runs of scores (T,) above each threshold."""
    return _long_runs([column > np.float32(limit) for limit in config.thresholds], fps, config)


def _long_runs(masks: list[BoolArray], fps: float, config: DecodeConfig) -> tuple[IntArray, IntArray]:
    """First frames and frames after the last, each (N,), of the runs of True in masks (T,) that last long enough."""
    start, end = map(np.concatenate, zip(*map(true_runs, masks), strict=True))
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
