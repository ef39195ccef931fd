"""PKU-MMD's official evaluation (Liu et al., "PKU-MMD: a large scale benchmark for skeleton-based human action
understanding", 2017; the dataset's evaluate.py), with its own matching and its own average precision.

* A proposal goes to the true span of its label and recording that it overlaps most, if by theta or more, whoever else
  went there; several proposals on one true span count as one right one, and all but one as wrong.
* The overlap is intersection over hull, negative for spans apart; where it can matter it equals tIoU.
* AP takes proposals away, lowest confidence first. Precision and recall are taken after each proposal with a match is
  gone; a fall of recall counts with the best precision so far, which includes the precision after the fall. That is
  not the interpolated area: one right proposal above one wrong one has AP 0.5, not 1, as the precision between the
  two is never taken.
* The script compares a proposal that has no match yet with the last true span of all (index -1). That changes
  nothing for theta > 0, so it is not reproduced; of equal overlaps the later true span is taken.
* mAP_video is over the recordings that have a result file, here: that are a key of the predictions.

The official files count whole frames; bounds in seconds give the same figures if they are those frames / fps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .matching import Floats, Ints, Table, pairs

THETAS_2D = tuple(0.05 * step for step in range(1, 21))
"""The overlaps, 0.05 to 1.00, that 2D-AP is the mean over."""


@dataclass(frozen=True)
class PkuResult:
    """What the official script prints, in 0..1; arrays (K,) are by theta.

    ``map_action``: mean AP over labels; ``map_video``: mean over recordings of AP with all labels pooled;
    ``ap`` and ``f1``: all proposals pooled; ``ap_2d``: mean of the pooled AP over theta = 0.05, 0.10, ..., 1.00.
    """

    map_action: Floats
    map_video: Floats
    ap: Floats
    f1: Floats
    ap_2d: float


def pku_map(
    found: Table, true: Table, thetas: Sequence[float], num_labels: int, with_results: NDArray[np.bool_]
) -> tuple[Floats, PkuResult]:
    """AP (C, K) of each label and the official figures; `with_results` (R,) marks recordings that have predictions."""
    goal, overlap = _best(found, true)
    total = len(true)
    of_label = np.bincount(true.label, minlength=num_labels)
    of_recording = np.bincount(true.recording, minlength=len(with_results))
    ap = np.zeros((num_labels, len(thetas)))
    by_recording = np.zeros((len(with_results), len(thetas)))
    pooled, f1 = np.zeros(len(thetas)), np.zeros(len(thetas))
    by_label_members, by_recording_members = (
        _members(found.label, num_labels),
        _members(found.recording, len(with_results)),
    )
    for k, theta in enumerate(thetas):
        matched = np.where(overlap >= theta, goal, -1)
        ap[:, k] = [_ap(matched[rows], count) for rows, count in zip(by_label_members, of_label, strict=True)]
        by_recording[:, k] = [
            _ap(matched[rows], count) for rows, count in zip(by_recording_members, of_recording, strict=True)
        ]
        pooled[k] = _ap(matched, total)
        right = len(np.unique(matched[matched >= 0]))
        f1[k] = 2 * right / (len(found) + total) if right else 0.0
    ap_2d = float(np.mean([_ap(np.where(overlap >= theta, goal, -1), total) for theta in THETAS_2D]))
    nothing = np.full(len(thetas), np.nan)
    map_action = ap.mean(axis=0) if num_labels else nothing
    map_video = by_recording[with_results].mean(axis=0) if with_results.any() else nothing
    return ap, PkuResult(map_action, map_video, pooled, f1, ap_2d)


def _best(found: Table, true: Table) -> tuple[Ints, Floats]:
    """The true span that each proposal overlaps most (the later of equals) and the overlap; -1 and 0 for none."""
    goal, overlap = np.full(len(found), -1, dtype=np.int64), np.zeros(len(found))
    for chunk in pairs(found, true):
        order = np.lexsort((chunk.true, chunk.tiou, chunk.found))
        mine = chunk.found[order]
        # The last of each proposal's pairs, sorted by overlap, is its best.
        last = order[np.flatnonzero(np.append(mine[1:] != mine[:-1], True))] if len(mine) else order
        goal[chunk.found[last]], overlap[chunk.found[last]] = chunk.true[last], chunk.tiou[last]
    return goal, overlap


def _members(index: Ints, count: int) -> list[Ints]:
    """For each value below `count` the places (in order) where `index` has it."""
    order = np.argsort(index, kind="stable")
    return np.split(order, np.searchsorted(index[order], np.arange(1, count))) if count else []


def _ap(matched: Ints, total: int) -> float:
    """The script's AP of proposals, best first, with the true span that each goes to (-1: none); `total` true spans."""
    if not total or not len(matched):
        return 0.0
    _, first = np.unique(matched, return_index=True)
    new = np.zeros(len(matched), dtype=bool)
    new[first] = True
    new &= matched >= 0
    # right[n]: how many of the n best proposals are right, n = 0 .. N.
    right = np.concatenate([[0], np.cumsum(new)])
    precision = right / np.maximum(1, np.arange(len(right)))
    seen = np.where(matched >= 0, precision[:-1], 0.0)
    seen[-1] = max(seen[-1], precision[-1])
    best = np.maximum.accumulate(seen[::-1])[::-1]
    return float(best[new].sum() / total)
