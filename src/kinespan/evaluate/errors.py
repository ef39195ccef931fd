"""What kinds of errors scored spans hold, and what each costs (Alwassel et al., "Diagnosing Error in Temporal Action
Detectors", ECCV 2018, section 3.2).

Of each label the 10 G best predictions are looked at, G its number of true spans. At a tIoU threshold a prediction is

* right: it takes a true span, as under the rule ``activitynet``;
* double: it reaches the threshold on a span of its label that a better prediction took;
* wrong label: it reaches the threshold on a span of another label only;
* localization: it overlaps a span of its label by 0.1 or more, but less than the threshold;
* confusion: it overlaps a span of another label by that much;
* background: it overlaps nothing by 0.1.

The first that fits is taken. The cost of a kind is the mAP that would be gained if predictions of that kind were gone;
missed are the true spans that no prediction takes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..annotation import Span
from ..arrays import BoolArray, Float64Array, IntArray
from .average_precision import interpolated_ap
from .matching import Table, best, match, table

KINDS = ("double", "wrong label", "localization", "confusion", "background")
PER_TRUE_SPAN = 10
"""Predictions of a label that are looked at for each of its true spans."""
NEAR = 0.1
"""tIoU from which on a prediction has to do with a true span."""


@dataclass(frozen=True)
class Errors:
    """Errors at one tIoU: predictions of each kind, the mAP (fraction) that each kind costs, and what was missed."""

    tiou: float
    predictions: int
    """Predictions that were looked at."""
    right: int
    counts: Mapping[str, int]
    """Predictions by kind of error."""
    cost: Mapping[str, float]
    """mAP gained if predictions of that kind were gone; NaN without truth."""
    missed: Mapping[str, int]
    """True spans that no prediction takes, by label."""
    true: Mapping[str, int]
    """All true spans by label."""


def detection_errors(
    predictions: Mapping[str, Sequence[Span]],
    truth: Mapping[str, Sequence[Span]],
    labels: Sequence[str],
    tiou: float = 0.5,
) -> Errors:
    """The errors of scored spans by recording against the true spans by recording; spans of other labels are left out.

    Raises InputError for predictions of a recording that truth does not have, or without a finite score.
    """
    recordings = sorted(truth)
    found, true = table(predictions, recordings, labels, scored=True), table(truth, recordings, labels, scored=False)
    of_label = np.bincount(true.label, minlength=len(labels))
    found = _rows(found, _rank_in_label(found) < PER_TRUE_SPAN * of_label[found.label])
    holder = match(found, true, (tiou,))[0]
    right = np.zeros(len(found), dtype=bool)
    right[holder[holder < len(found)]] = True
    same = best(found, true)[1]
    other = best(_any_label(found), _any_label(true))[1]
    kind = np.select([right, same >= tiou, other >= tiou, same >= NEAR, other >= NEAR], range(5), default=5)
    whole = _mean_ap(right, found.label, of_label)
    cost = {
        name: _mean_ap(right[kind != number], found.label[kind != number], of_label) - whole
        for number, name in enumerate(KINDS, start=1)
    }
    missed = np.bincount(true.label[holder == len(found)], minlength=len(labels))
    return Errors(
        tiou,
        len(found),
        int(right.sum()),
        {name: int((kind == number).sum()) for number, name in enumerate(KINDS, start=1)},
        cost,
        dict(zip(labels, missed.tolist(), strict=True)),
        dict(zip(labels, of_label.tolist(), strict=True)),
    )


def _rank_in_label(found: Table) -> IntArray:
    """How many better predictions of the same label there are, (N,)."""
    order = np.argsort(found.label, kind="stable")  # within a label they stay best first
    first = np.searchsorted(found.label[order], found.label[order], side="left")
    rank = np.empty(len(found), dtype=np.int64)
    rank[order] = np.arange(len(found)) - first
    return rank


def _rows(spans: Table, chosen: BoolArray) -> Table:
    return Table(*(getattr(spans, name)[chosen] for name in Table.__dataclass_fields__))


def _any_label(spans: Table) -> Table:
    return replace(spans, label=np.zeros_like(spans.label))


def _mean_ap(right: BoolArray, label: IntArray, of_label: IntArray) -> float:
    """Mean over the labels that truth has of the interpolated AP; NaN where it has none."""
    ap: Float64Array = interpolated_ap(right[None], label, of_label)[:, 0]
    present = of_label > 0
    return float(ap[present].mean()) if present.any() else float("nan")
