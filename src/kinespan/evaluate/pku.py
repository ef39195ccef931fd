"""The two ways in which papers count detections in PKU-MMD.

``pku_figures`` is PKU-MMD's official evaluation (Liu et al., "PKU-MMD: a large scale benchmark for skeleton-based human
action understanding", 2017; the dataset's evaluate.py), with its own matching and its own average precision.

* A proposal goes to the true span of its label and recording that it overlaps most, if by theta or more, whoever else
  went there; several proposals on one true span count as one right one, and all but one as wrong.
* The overlap is intersection over hull, negative for spans apart; where it can matter it equals tIoU.
* AP takes proposals away, lowest confidence first. Precision and recall are taken after each proposal with a match is
  gone; a fall of recall counts with the best precision so far, which includes the precision after the fall. That is
  not the interpolated area: one right proposal above one wrong one has AP 0.5, not 1, as the precision between the
  two is never taken.
* The script compares a proposal that has no match yet with the last true span of all (index -1). That changes
  nothing for theta > 0, so it is not reproduced; of equal overlaps the later true span is taken.
* mAP_v is over the recordings that have a result file, here: that are a key of the predictions.

Both are on whole frames, as the official files count them, so that an overlap of exactly theta is one.

``simple_det_figures`` is what HiCLR, PCM3 and USDRL (AAAI 2025) report: mAP_v as above, and in place of mAP_a that of
PASCAL VOC, interpolated and over the labels that truth has, with both end frames of a span counted in. There too a
prediction goes to the true span that it overlaps most (the earlier of equals), and all but the best one are wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..arrays import BoolArray, Float64Array, IntArray
from .average_precision import first_of_each, grouped, interpolated_ap, official_ap
from .matching import Table, best, longer

THETAS_2D = tuple(0.05 * step for step in range(1, 21))
"""The overlaps, 0.05 to 1.00, that 2D-AP is the mean over."""

Figures = Mapping[str, Float64Array | float]
"""Figures by the name that papers give them, in 0..1: by theta, (K,), or one number for all."""


def pku_figures(
    found: Table, true: Table, thetas: Sequence[float], num_labels: int, with_results: BoolArray
) -> tuple[Float64Array, Figures]:
    """AP (C, K) of each label and the official figures; `with_results` (R,) marks recordings that have predictions.

    `found` and `true` are in whole frames.
    mAP_a: mean AP over all labels; mAP_v: mean over recordings of AP with all labels pooled; AP and F1: all proposals
    pooled; 2D-AP: mean of that AP over theta = 0.05, 0.10, ..., 1.00. NaN where there is nothing to average.
    """
    goal, overlap = best(found, true, last=True)
    total = np.array([len(true)])
    pooled, by_label = grouped(np.zeros(len(found), dtype=np.int64), 1), grouped(found.label, num_labels)
    of_label = np.bincount(true.label, minlength=num_labels)
    ap = np.zeros((num_labels, len(thetas)))
    all_ap, f1 = np.zeros((2, len(thetas)))
    for k, theta in enumerate(thetas):
        matched, new = _reached(goal, overlap, theta, len(true))
        ap[:, k] = official_ap(matched, new, by_label, of_label)
        all_ap[k] = official_ap(matched, new, pooled, total)[0]
        f1[k] = 2 * new.sum() / (len(found) + len(true)) if new.any() else 0.0
    ap_2d = [official_ap(*_reached(goal, overlap, theta, len(true)), pooled, total)[0] for theta in THETAS_2D]
    return ap, {
        "mAP_a": ap.mean(axis=0) if num_labels else np.full(len(thetas), np.nan),
        "mAP_v": _map_video(found, true, thetas, with_results, goal, overlap),
        "AP": all_ap,
        "F1": f1,
        "2D-AP": float(np.mean(ap_2d)),
    }


def simple_det_figures(
    found: Table, true: Table, thetas: Sequence[float], num_labels: int, with_results: BoolArray
) -> tuple[Float64Array, Figures]:
    """AP (C, K) of each label, NaN for labels that truth does not have, mAP_a and mAP_v; arguments as above."""
    goal, overlap = best(longer(found, 1), longer(true, 1))
    right = np.array([_reached(goal, overlap, theta, len(true))[1] for theta in thetas])
    count = np.bincount(true.label, minlength=num_labels)
    ap = interpolated_ap(right, found.label, count)
    return ap, {
        "mAP_a": ap[count > 0].mean(axis=0) if count.any() else np.full(len(thetas), np.nan),
        "mAP_v": _map_video(found, true, thetas, with_results, *best(found, true, last=True)),
    }


def _map_video(
    found: Table, true: Table, thetas: Sequence[float], with_results: BoolArray, goal: IntArray, overlap: Float64Array
) -> Float64Array:
    """The official mAP_v (K,)."""
    if not with_results.any():
        return np.full(len(thetas), np.nan)
    count = np.bincount(true.recording, minlength=len(with_results))
    groups = grouped(found.recording, len(with_results))
    ap = [official_ap(*_reached(goal, overlap, theta, len(true)), groups, count) for theta in thetas]
    return np.array([values[with_results].mean() for values in ap])


def _reached(goal: IntArray, overlap: Float64Array, theta: float, num_true: int) -> tuple[BoolArray, BoolArray]:
    """Which proposals (N,) reach theta with their true span, and which of them are the best there."""
    matched = (overlap >= theta) & (goal >= 0)
    return matched, first_of_each(np.where(matched, goal, -1), num_true)
