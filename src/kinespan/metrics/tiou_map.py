"""Mean average precision of scored spans over thresholds of temporal intersection over union (tIoU).

Four rules:

* ``activitynet``, the reference: best score first, each prediction is matched with the true span of its recording and
  label that has the highest tIoU among those that are free and reach the threshold; AP is the all-point interpolated
  area under precision and recall; the mean is over the labels with true spans.
* ``stal``, as in Skeleton-Temporal-Action-Localization (AAAI 2023) and SnipCLR: the same, but on whole frames, where
  a true span [s, e) is compared as the frames s .. e - 2 (one short) and a prediction as it is (their decoder,
  `kinespan.decode.presets.STAL`, makes it one long).
* ``pku``, PKU-MMD's official script, and ``simple-det``, as HiCLR, PCM3 and USDRL count in PKU-MMD: VOC's AP on whole
  frames, with both end frames of a span counted, so that [s, e) is compared as the frames s .. e. Both give further
  figures by the names that papers use (mAP_a, mAP_v, ...); see `kinespan.metrics.pku`.

Ties never depend on the order of the input: of equal scores the recording that is first by name, then the earlier
span, goes first; of equal tIoU the earlier true span is matched.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from ..arrays import Float64Array
from ..data.annotation import Span
from ..errors import InputError
from .average_precision import interpolated_ap
from .matching import SpanColumns, extended, greedy_match, in_frames, span_columns
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
"""The default thresholds of each rule, those that papers report."""
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
"""What each rule counts, in a line, and its source."""
DEFAULT_FPS = 30.0
"""Frames a second of recordings of unknown rate."""


@dataclass(frozen=True)
class MapResult:
    """AP of C labels at K thresholds and its means; fractions, 0..1."""

    rule: Rule
    tious: tuple[float, ...]
    """K thresholds."""
    labels: tuple[str, ...]
    """C labels."""
    ap: Float64Array
    """(C, K); NaN for labels without true spans (0 under ``pku``)."""
    map: Float64Array
    """(K,) mean over the labels with true spans (all labels under ``pku``); NaN without any."""
    figures: Figures = field(default_factory=dict)
    """Further figures of the rule, by name; arrays are (K,)."""

    @property
    def average(self) -> float:
        """Mean of `map` over the thresholds."""
        return float(self.map.mean())

    def for_tious(self, tious: Sequence[float]) -> MapResult:
        """The result for a subset of its thresholds. Raises ValueError for others."""
        index = [self.tious.index(value) for value in tious]
        figures = {
            name: value[index] if isinstance(value, np.ndarray) else value for name, value in self.figures.items()
        }
        return replace(self, tious=tuple(tious), ap=self.ap[:, index], map=self.map[index], figures=figures)


def detection_map(
    predictions: Mapping[str, Sequence[Span]],
    truth: Mapping[str, Sequence[Span]],
    tious: Sequence[float] | None = None,
    rule: Rule = "activitynet",
    labels: Sequence[str] | None = None,
    fps: float | Mapping[str, float] = DEFAULT_FPS,
) -> MapResult:
    """Mean average precision of scored spans against true spans, both by recording.

    Parameters:
        predictions: scored spans by recording. Recordings without predictions count as missed.
        truth: true spans by recording.
        tious: thresholds, by default those of the rule (`RULE_TIOUS`).
        rule: how predictions are matched and averaged; see the module.
        labels: the rows of the result, by default the labels of `truth`, sorted; spans of other labels are ignored.
        fps: frames a second, of all recordings or by recording (30 where missing), for the rules on whole frames.

    Raises InputError for predictions of a recording that truth lacks, a prediction without a finite score, and a
    tIoU outside (0, 1].
    """
    if rule not in RULES:
        raise InputError(f"unknown rule {rule!r}; available: {', '.join(RULES)}")
    tious = tuple(float(value) for value in (RULE_TIOUS[rule] if tious is None else tious))
    if len(tious) == 0 or not all(0 < value <= 1 for value in tious):
        raise InputError(f"tIoU thresholds: found {tious}, expected at least one, each above 0 and at most 1")
    if labels is None:
        labels = sorted({span.label for spans in truth.values() for span in spans})
    recordings = sorted(truth)
    predicted = span_columns(predictions, recordings, labels, scored=True)
    true = span_columns(truth, recordings, labels, scored=False)
    rates = np.array([fps.get(name, DEFAULT_FPS) if isinstance(fps, Mapping) else fps for name in recordings], float)
    if rule != "activitynet":
        predicted, true = in_frames(predicted, rates), in_frames(true, rates)
    if rule in ("pku", "simple-det"):
        with_results = np.array([name in predictions for name in recordings], dtype=bool)
        figures_of = pku_figures if rule == "pku" else simple_det_figures
        ap, figures = figures_of(predicted, true, tious, len(labels), with_results)
        return MapResult(rule, tious, tuple(labels), ap, np.asarray(figures["mAP_a"]), figures)
    ap = _greedy_ap(predicted, extended(true, -1) if rule == "stal" else true, tious, len(labels))
    has_truth = np.bincount(true.label, minlength=len(labels)) > 0
    means = ap[has_truth].mean(axis=0) if has_truth.any() else np.full(len(tious), np.nan)
    return MapResult(rule, tious, tuple(labels), ap, means)


def _greedy_ap(predicted: SpanColumns, true: SpanColumns, tious: Sequence[float], num_labels: int) -> Float64Array:
    """AP (C, K) by greedy matching."""
    correct = np.zeros((len(tious), len(predicted)), dtype=bool)
    for row, prediction_of in zip(correct, greedy_match(predicted, true, tious), strict=True):
        row[prediction_of[prediction_of < len(predicted)]] = True
    return interpolated_ap(correct, predicted.label, np.bincount(true.label, minlength=num_labels))
