"""Mean average precision of scored spans over thresholds of temporal intersection over union (tIoU).

Three rules:

* ``activitynet``, the reference: best score first, each prediction takes the true span of its recording and label
  with the highest tIoU among those that are free and reach the threshold; AP is the all-point interpolated area under
  precision and recall; the mean is over the labels that truth has.
* ``stal``, as in Skeleton-Temporal-Action-Localization (AAAI 2023) and SnipCLR: the same, but on whole frames, where
  a true span [s, e) is compared as the frames s .. e - 2 (one short) and a prediction as it is (their decoder,
  `kinespan.decode_presets.STAL`, makes it one long).
* ``pku``, PKU-MMD's official script; see `PkuResult` and `kinespan.evaluate.pku`.

Ties are settled by what the spans are, never by the order in which they come: of equal scores the recording that is
first by name, then the earlier span, goes first; of equal tIoU the earlier true span is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..annotation import Span
from ..errors import InputError
from .matching import Floats, Table, match, table
from .pku import PkuResult, pku_map

Rule = Literal["activitynet", "stal", "pku"]
RULES: tuple[Rule, ...] = ("activitynet", "stal", "pku")
DEFAULT_TIOUS = (0.1, 0.2, 0.3, 0.4, 0.5)


@dataclass(frozen=True)
class MapResult:
    """AP of each label and its mean, at each tIoU (K thresholds, C labels); fractions, 0..1.

    ``ap`` (C, K) is NaN for labels that truth does not have, which the mean leaves out (under ``pku`` they count as
    0). ``map`` is (K,), ``average`` its mean over thresholds; NaN where truth has no span at all.
    """

    rule: Rule
    tious: tuple[float, ...]
    labels: tuple[str, ...]
    ap: Floats
    map: Floats
    average: float
    pku: PkuResult | None = None


def tiou(left: NDArray[Any], right: NDArray[Any]) -> Floats:
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
    tious: Sequence[float] = DEFAULT_TIOUS,
    rule: Rule = "activitynet",
    labels: Sequence[str] | None = None,
    fps: float | Mapping[str, float] = 30.0,
) -> MapResult:
    """Mean average precision of scored spans by recording against the true spans by recording.

    `labels` are the rows of the result, by default the labels of truth, sorted; spans of other labels take no part.
    `fps` turns seconds into whole frames for the rule ``stal``, for all recordings or each. Recordings of truth
    without predictions count as missed. Raises InputError for predictions of a recording that truth does not have,
    for a span without a finite score, and for a tIoU outside (0, 1].
    """
    if rule not in RULES:
        raise InputError(f"rule: found {rule!r}, expected one of {', '.join(RULES)}")
    if len(tious) == 0 or not all(0 < value <= 1 for value in tious):
        raise InputError(f"tIoU thresholds: found {tuple(tious)}, expected at least one, each above 0 and at most 1")
    if labels is None:
        labels = sorted({span.label for spans in truth.values() for span in spans})
    recordings = sorted(truth)
    found = table(predictions, recordings, labels, scored=True)
    true = table(truth, recordings, labels, scored=False)
    if rule == "stal":
        found, true = _stal_frames(found, recordings, fps, 0), _stal_frames(true, recordings, fps, 1)
    pku = None
    if rule == "pku":
        with_results = np.array([name in predictions for name in recordings], dtype=bool)
        ap, pku = pku_map(found, true, tious, len(labels), with_results)
        mean = ap.mean(axis=0) if len(labels) else np.full(len(tious), np.nan)
    else:
        right = np.zeros((len(tious), len(found)), dtype=bool)
        for row, holder in zip(right, match(found, true, tious), strict=True):
            row[holder[holder < len(found)]] = True
        ap = _average_precision(right, found.label, np.bincount(true.label, minlength=len(labels)))
        present = ~np.isnan(ap[:, 0]) if len(labels) else np.zeros(0, dtype=bool)
        mean = ap[present].mean(axis=0) if present.any() else np.full(len(tious), np.nan)
    return MapResult(rule, tuple(float(t) for t in tious), tuple(labels), ap, mean, float(mean.mean()), pku)


def _average_precision(right: NDArray[np.bool_], label: NDArray[np.int64], count: NDArray[np.int64]) -> Floats:
    """AP (C, K) of predictions, best first, that are right or not (K, N), have a label (N,); `count` (C,) of truth."""
    result = np.full((len(count), len(right)), np.nan)
    order = np.argsort(label, kind="stable")
    bounds = np.searchsorted(label[order], np.arange(len(count) + 1))
    for row in np.flatnonzero(count):
        hit = right[:, order[bounds[row] : bounds[row + 1]]]
        precision = np.cumsum(hit, axis=1) / np.arange(1, hit.shape[1] + 1)
        # All-point interpolation: each step of recall counts with the best precision at that recall or beyond.
        best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        result[row] = (best * hit).sum(axis=1) / count[row]
    return result


def _stal_frames(spans: Table, recordings: Sequence[str], fps: float | Mapping[str, float], short: int) -> Table:
    """The spans in whole frames, `short` frames less at the end."""
    rates = fps if isinstance(fps, Mapping) else dict.fromkeys(recordings, fps)
    rate = np.array([rates.get(name, 30.0) for name in recordings], dtype=np.float64)[spans.recording]
    return replace(spans, start=np.rint(spans.start * rate), end=np.rint(spans.end * rate) - short)
