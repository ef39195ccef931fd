"""The two ways in which papers count detections in PKU-MMD.

``pku_figures`` is PKU-MMD's official evaluation (Liu et al., "PKU-MMD: a large scale benchmark for skeleton-based human
action understanding", 2017; the dataset's evaluate.py), with its own matching and its own average precision.

* A proposal is matched with the true span of its label and recording that it overlaps most, if by theta or more, even
  if others are too; of several proposals on one true span one is correct and the others are wrong.
* The overlap is intersection over hull, negative for spans apart; where it can matter it equals tIoU.
* AP removes proposals, lowest confidence first. Precision and recall are computed after each matched proposal is
  removed; a fall of recall counts with the best precision so far, which includes the precision after the fall. That is
  not the interpolated area: one correct proposal above one wrong one has AP 0.5, not 1, as the precision between the
  two is never computed.
* The script compares a proposal without a match with the last true span of all (index -1). That changes nothing for
  theta > 0, so it is not reproduced; of equal overlaps the later true span counts.
* mAP_v is over the recordings that have a result file, here: that are a key of the predictions.

Both are on whole frames, as the official files count them, so that an overlap of exactly theta suffices.

``simple_det_figures`` is what HiCLR, PCM3 and USDRL (AAAI 2025) report: mAP_v as above, and in place of mAP_a that of
PASCAL VOC, interpolated and over the labels with true spans, with both end frames of a span counted. There too a
prediction is matched with the true span that it overlaps most (the earlier of equals), and all but the best are wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..arrays import BoolArray, Float64Array, IntArray
from .average_precision import first_of_each, grouped, interpolated_ap, official_ap
from .matching import SpanColumns, best_overlap, extended

THETAS_2D = tuple(0.05 * step for step in range(1, 21))
"""The overlaps, 0.05 to 1.00, that 2D-AP is the mean over."""

Figures = Mapping[str, Float64Array | float]
"""Figures by the name that papers give them, in 0..1: by theta, (K,), or one number for all."""


def pku_figures(
    predicted: SpanColumns, true: SpanColumns, thetas: Sequence[float], num_labels: int, with_results: BoolArray
) -> tuple[Float64Array, Figures]:
    """AP (C, K) by label and theta, and the official figures; spans are in whole frames.

    `with_results` (R,) marks the recordings that have predictions. mAP_a: mean AP over all labels; mAP_v: mean over
    recordings of AP with all labels pooled; AP and F1: all proposals pooled; 2D-AP: mean of that AP over theta = 0.05,
    0.10, ..., 1.00. NaN without anything to average.
    """
    true_index, overlap = best_overlap(predicted, true, last=True)
    total = np.array([len(true)])
    pooled, by_label = grouped(np.zeros(len(predicted), dtype=np.int64), 1), grouped(predicted.label, num_labels)
    num_true_by_label = np.bincount(true.label, minlength=num_labels)
    ap = np.zeros((num_labels, len(thetas)))
    all_ap, f1 = np.zeros((2, len(thetas)))
    for k, theta in enumerate(thetas):
        is_matched, is_first = _reach_theta(true_index, overlap, theta, len(true))
        ap[:, k] = official_ap(is_matched, is_first, by_label, num_true_by_label)
        all_ap[k] = official_ap(is_matched, is_first, pooled, total)[0]
        f1[k] = 2 * is_first.sum() / (len(predicted) + len(true)) if is_first.any() else 0.0
    ap_2d = [official_ap(*_reach_theta(true_index, overlap, theta, len(true)), pooled, total)[0] for theta in THETAS_2D]
    return ap, {
        "mAP_a": ap.mean(axis=0) if num_labels else np.full(len(thetas), np.nan),
        "mAP_v": _map_video(predicted, true, thetas, with_results, true_index, overlap),
        "AP": all_ap,
        "F1": f1,
        "2D-AP": float(np.mean(ap_2d)),
    }


def simple_det_figures(
    predicted: SpanColumns, true: SpanColumns, thetas: Sequence[float], num_labels: int, with_results: BoolArray
) -> tuple[Float64Array, Figures]:
    """AP (C, K) by label and theta, NaN for labels without true spans, mAP_a and mAP_v; see `pku_figures`."""
    true_index, overlap = best_overlap(extended(predicted, 1), extended(true, 1))
    correct = np.array([_reach_theta(true_index, overlap, theta, len(true))[1] for theta in thetas])
    count = np.bincount(true.label, minlength=num_labels)
    ap = interpolated_ap(correct, predicted.label, count)
    return ap, {
        "mAP_a": ap[count > 0].mean(axis=0) if count.any() else np.full(len(thetas), np.nan),
        "mAP_v": _map_video(predicted, true, thetas, with_results, *best_overlap(predicted, true, last=True)),
    }


def _map_video(
    predicted: SpanColumns,
    true: SpanColumns,
    thetas: Sequence[float],
    with_results: BoolArray,
    true_index: IntArray,
    overlap: Float64Array,
) -> Float64Array:
    """The official mAP_v (K,)."""
    if not with_results.any():
        return np.full(len(thetas), np.nan)
    count = np.bincount(true.recording, minlength=len(with_results))
    groups = grouped(predicted.recording, len(with_results))
    ap = [official_ap(*_reach_theta(true_index, overlap, theta, len(true)), groups, count) for theta in thetas]
    return np.array([values[with_results].mean() for values in ap])


def _reach_theta(
    true_index: IntArray, overlap: Float64Array, theta: float, num_true: int
) -> tuple[BoolArray, BoolArray]:
    """Masks (N,) of the proposals that reach theta with their true span, and of the best of those on each true span."""
    is_matched = (overlap >= theta) & (true_index >= 0)
    return is_matched, first_of_each(np.where(is_matched, true_index, -1), num_true)
