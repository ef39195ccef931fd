"""Kinds of errors of scored spans, and the mAP that each costs (Alwassel et al., "Diagnosing Error in Temporal Action
Detectors", ECCV 2018, section 3.2).

Of each label the 10 G best predictions count, G being its number of true spans. At a tIoU threshold a prediction is

* right: it is matched with a true span, as under the rule ``activitynet``;
* double: it reaches the threshold on a span of its label that is matched with a better prediction;
* wrong label: it reaches the threshold on a span of another label only;
* localization: it overlaps a span of its label by 0.1 or more, but less than the threshold;
* confusion: it overlaps a span of another label by that much;
* background: it overlaps no span by 0.1.

The first kind that fits counts. The cost of a kind is the mAP gained by removing its predictions; missed are the true
spans without a match.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..arrays import BoolArray, Float64Array, IntArray
from ..data.annotation import Span
from .average_precision import interpolated_ap
from .matching import SpanColumns, best_overlap, greedy_match, span_columns

KINDS = ("double", "wrong label", "localization", "confusion", "background")
PER_TRUE_SPAN = 10
"""Predictions of a label that count for each of its true spans."""
MIN_OVERLAP = 0.1
"""tIoU from which a prediction counts as about a true span."""


@dataclass(frozen=True)
class Errors:
    """Errors at one tIoU: predictions of each kind, the mAP (fraction) that each costs, and the missed true spans."""

    tiou: float
    predictions: int
    """Predictions that count."""
    right: int
    """Predictions matched with a true span."""
    counts: Mapping[str, int]
    """Predictions by kind of error."""
    cost: Mapping[str, float]
    """mAP gained without the predictions of that kind; NaN without true spans."""
    missed: Mapping[str, int]
    """True spans without a match, by label."""
    true: Mapping[str, int]
    """All true spans by label."""


def detection_errors(
    predictions: Mapping[str, Sequence[Span]],
    truth: Mapping[str, Sequence[Span]],
    labels: Sequence[str],
    tiou: float = 0.5,
) -> Errors:
    """The errors of scored spans against true spans, both by recording; spans of other labels are left out.

    Raises InputError for predictions of a recording that truth lacks, or without a finite score.
    """
    recordings = sorted(truth)
    predicted = span_columns(predictions, recordings, labels, scored=True)
    true = span_columns(truth, recordings, labels, scored=False)
    num_true = np.bincount(true.label, minlength=len(labels))
    predicted = _rows(predicted, _rank_in_label(predicted) < PER_TRUE_SPAN * num_true[predicted.label])
    prediction_of = greedy_match(predicted, true, (tiou,))[0]
    correct = np.zeros(len(predicted), dtype=bool)
    correct[prediction_of[prediction_of < len(predicted)]] = True
    same_label = best_overlap(predicted, true)[1]
    any_label = best_overlap(_as_one_label(predicted), _as_one_label(true))[1]
    kinds = np.select(
        [correct, same_label >= tiou, any_label >= tiou, same_label >= MIN_OVERLAP, any_label >= MIN_OVERLAP],
        range(5),
        default=5,
    )
    total_ap = _mean_ap(correct, predicted.label, num_true)
    cost = {
        name: _mean_ap(correct[kinds != number], predicted.label[kinds != number], num_true) - total_ap
        for number, name in enumerate(KINDS, start=1)
    }
    missed = np.bincount(true.label[prediction_of == len(predicted)], minlength=len(labels))
    return Errors(
        tiou,
        len(predicted),
        int(correct.sum()),
        {name: int((kinds == number).sum()) for number, name in enumerate(KINDS, start=1)},
        cost,
        dict(zip(labels, missed.tolist(), strict=True)),
        dict(zip(labels, num_true.tolist(), strict=True)),
    )


def _rank_in_label(predicted: SpanColumns) -> IntArray:
    """Number (N,) of better predictions of the same label."""
    order = np.argsort(predicted.label, kind="stable")  # within a label, best first
    first = np.searchsorted(predicted.label[order], predicted.label[order], side="left")
    rank = np.empty(len(predicted), dtype=np.int64)
    rank[order] = np.arange(len(predicted)) - first
    return rank


def _rows(spans: SpanColumns, mask: BoolArray) -> SpanColumns:
    return SpanColumns(*(getattr(spans, name)[mask] for name in SpanColumns.__dataclass_fields__))


def _as_one_label(spans: SpanColumns) -> SpanColumns:
    return replace(spans, label=np.zeros_like(spans.label))


def _mean_ap(correct: BoolArray, label: IntArray, num_true: IntArray) -> float:
    """Mean interpolated AP over the labels with true spans; NaN without any."""
    ap: Float64Array = interpolated_ap(correct[None], label, num_true)[:, 0]
    present = num_true > 0
    return float(ap[present].mean()) if present.any() else float("nan")
