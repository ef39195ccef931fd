"""Mean average precision of scored spans over thresholds of temporal intersection over union (tIoU).

Four rules:

* ``activitynet``, the reference: best score first, each prediction takes the true span of its recording and label
  with the highest tIoU among those that are free and reach the threshold; AP is the all-point interpolated area under
  precision and recall; the mean is over the labels that truth has.
* ``stal``, as in Skeleton-Temporal-Action-Localization (AAAI 2023) and SnipCLR: the same, but on whole frames, where
  a true span [s, e) is compared as the frames s .. e - 2 (one short) and a prediction as it is (their decoder,
  `kinespan.decode_presets.STAL`, makes it one long).
* ``pku``, PKU-MMD's official script, and ``simple-det``, as HiCLR, PCM3 and USDRL count in PKU-MMD: VOC's AP on whole
  frames, with both end frames of a span counted in, so that [s, e) is compared as the frames s .. e. Both give further
  figures by the names that papers use (mAP_a, mAP_v, ...); see `kinespan.evaluate.pku`.

Ties are settled by what the spans are, never by the order in which they come: of equal scores the recording that is
first by name, then the earlier span, goes first; of equal tIoU the earlier true span is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from ..annotation import Span
from ..arrays import AnyArray, Float64Array
from ..errors import InputError
from .average_precision import interpolated_ap
from .matching import Table, in_frames, longer, match, table
from .pku import Figures, pku_figures, simple_det_figures

Rule = Literal["activitynet", "stal", "pku", "simple-det"]
RULES: tuple[Rule, ...] = ("activitynet", "stal", "pku", "simple-det")
DEFAULT_TIOUS = (0.1, 0.2, 0.3, 0.4, 0.5)
RULE_TIOUS: Mapping[Rule, tuple[float, ...]] = {
    "activitynet": DEFAULT_TIOUS,
    "stal": DEFAULT_TIOUS,
    "pku": (0.5,),
    "simple-det": (0.1, 0.3, 0.5),
}
"""The thresholds that are reported under each rule."""
RULE_FACTS: Mapping[Rule, tuple[str, str]] = {
    "activitynet": (
        "spans in seconds; each prediction takes the best true span that is free; interpolated AP",
        "Heilbron et al.: ActivityNet, CVPR 2015",
    ),
    "stal": (
        "as activitynet, on whole frames, true spans a frame short",
        "Yu, Fujiwara: Frame-Level Label Refinement (STAL), AAAI 2023; so does SnipCLR, arXiv 2512.16504",
    ),
    "pku": (
        "the official script of PKU-MMD, on whole frames, with an AP of its own; also mAP_a, mAP_v, AP, F1, 2D-AP",
        "Liu et al.: PKU-MMD, 2017, arXiv 1703.07475",
    ),
    "simple-det": (
        "PASCAL VOC's AP on whole frames as mAP_a, the official script's mAP_v",
        "HiCLR, AAAI 2023; PCM3, ACM MM 2023; USDRL, AAAI 2025",
    ),
}
"""What each rule counts, in a line, and where it is from."""
DEFAULT_FPS = 30.0
"""Frames per second of recordings of which nothing else is known."""


@dataclass(frozen=True)
class MapResult:
    """AP of each label and its mean, at each tIoU (K thresholds, C labels); fractions, 0..1.

    ``ap`` (C, K) is NaN for labels that truth does not have, which the mean leaves out (under ``pku`` they count as
    0). ``map`` is (K,), ``average`` its mean over thresholds; NaN where truth has no span at all. ``figures`` are
    those that a rule has besides, by name; an array is by threshold.
    """

    rule: Rule
    tious: tuple[float, ...]
    labels: tuple[str, ...]
    ap: Float64Array
    map: Float64Array
    average: float
    figures: Figures = field(default_factory=dict)

    def at(self, tious: Sequence[float]) -> MapResult:
        """The result at some of its thresholds only."""
        index = [self.tious.index(value) for value in tious]
        figures = {
            name: value[index] if isinstance(value, np.ndarray) else value for name, value in self.figures.items()
        }
        means = self.map[index]
        return replace(
            self, tious=tuple(tious), ap=self.ap[:, index], map=means, average=float(means.mean()), figures=figures
        )


def tiou(left: AnyArray, right: AnyArray) -> Float64Array:
    """Temporal intersection over union (N, M) of segments (N, 2) and (M, 2), each [start, end]."""
    start, end = np.asarray(left, dtype=np.float64).reshape(-1, 2).T[:, :, None]
    other_start, other_end = np.asarray(right, dtype=np.float64).reshape(-1, 2).T[:, None, :]
    shared = np.maximum(0.0, np.minimum(end, other_end) - np.maximum(start, other_start))
    union = (end - start) + (other_end - other_start) - shared
    result = np.zeros(shared.shape)
    np.divide(shared, union, out=result, where=union > 0)
    return result


def detection_map(
    predictions: Mapping[str, Sequence[Span]],
    truth: Mapping[str, Sequence[Span]],
    tious: Sequence[float] | None = None,
    rule: Rule = "activitynet",
    labels: Sequence[str] | None = None,
    fps: float | Mapping[str, float] = DEFAULT_FPS,
) -> MapResult:
    """Mean average precision of scored spans by recording against the true spans by recording.

    `tious` are by default those that are reported under the rule. `labels` are the rows of the result, by default the
    labels of truth, sorted; spans of other labels take no part. `fps` turns seconds into whole frames for the rules
    that count these (all but ``activitynet``), for all recordings or each (30 for one that it lacks). Recordings of
    truth without predictions count as missed.
    Raises InputError for predictions of a recording that truth does not have, for a span without a finite score, and
    for a tIoU outside (0, 1].
    """
    if rule not in RULES:
        raise InputError(f"rule: found {rule!r}, expected one of {', '.join(RULES)}")
    tious = tuple(float(value) for value in (RULE_TIOUS[rule] if tious is None else tious))
    if len(tious) == 0 or not all(0 < value <= 1 for value in tious):
        raise InputError(f"tIoU thresholds: found {tious}, expected at least one, each above 0 and at most 1")
    if labels is None:
        labels = sorted({span.label for spans in truth.values() for span in spans})
    recordings = sorted(truth)
    found = table(predictions, recordings, labels, scored=True)
    true = table(truth, recordings, labels, scored=False)
    rates = np.array([fps.get(name, DEFAULT_FPS) if isinstance(fps, Mapping) else fps for name in recordings], float)
    if rule != "activitynet":
        found, true = in_frames(found, rates), in_frames(true, rates)
    if rule in ("pku", "simple-det"):
        with_results = np.array([name in predictions for name in recordings], dtype=bool)
        count_by = pku_figures if rule == "pku" else simple_det_figures
        ap, figures = count_by(found, true, tious, len(labels), with_results)
        means = np.asarray(figures["mAP_a"])
        return MapResult(rule, tious, tuple(labels), ap, means, float(means.mean()), figures)
    ap = _best_free_ap(found, longer(true, -1) if rule == "stal" else true, tious, len(labels))
    present = np.bincount(true.label, minlength=len(labels)) > 0
    means = ap[present].mean(axis=0) if present.any() else np.full(len(tious), np.nan)
    return MapResult(rule, tious, tuple(labels), ap, means, float(means.mean()))


def _best_free_ap(found: Table, true: Table, tious: Sequence[float], num_labels: int) -> Float64Array:
    """AP (C, K) where each prediction takes the best true span that is free."""
    right = np.zeros((len(tious), len(found)), dtype=bool)
    for row, holder in zip(right, match(found, true, tious), strict=True):
        row[holder[holder < len(found)]] = True
    return interpolated_ap(right, found.label, np.bincount(true.label, minlength=num_labels))
