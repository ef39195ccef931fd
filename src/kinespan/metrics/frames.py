"""Frame metrics of exclusive labels, from one confusion matrix; unlabelled frames are left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..arrays import Float64Array, IntArray
from ..data.annotation import IGNORE


@dataclass(frozen=True)
class FrameCounts:
    """Frames of each label, background left out, each (C,)."""

    true: IntArray
    """Frames of the label in the ground truth."""
    predicted: IntArray
    """Frames of the label in the predictions."""
    both: IntArray
    """Frames of the label in both."""

    @property
    def precision(self) -> Float64Array:
        """Share (C,) of the predicted frames that are correct; NaN for a label that is never predicted."""
        return _ratio(self.both, self.predicted)

    @property
    def recall(self) -> Float64Array:
        """Share (C,) of the true frames that are predicted; NaN for a label without true frames."""
        return _ratio(self.both, self.true)


def confusion_matrix(predicted: Iterable[IntArray], truth: Iterable[IntArray], num_labels: int) -> IntArray:
    """Frames by true (row) and predicted (column) frame id, (C + 1, C + 1), pooled over recordings.

    `predicted` and `truth` give the frame ids (T,) of each recording, in the same order. Frames whose true id is
    IGNORE are left out; a predicted IGNORE counts as background.
    """
    size = num_labels + 1
    matrix = np.zeros((size, size), dtype=np.int64)
    for predicted_ids, true_ids in zip(predicted, truth, strict=True):
        is_labelled = true_ids != IGNORE  # (T,)
        cells = true_ids[is_labelled] * size + np.where(predicted_ids == IGNORE, 0, predicted_ids)[is_labelled]
        matrix += np.bincount(cells, minlength=size * size).reshape(size, size)
    return matrix


def frame_counts(confusion: IntArray) -> FrameCounts:
    """The counts of each label in a confusion matrix (C + 1, C + 1)."""
    return FrameCounts(confusion.sum(axis=1)[1:], confusion.sum(axis=0)[1:], np.diagonal(confusion)[1:].copy())


def frame_accuracy(confusion: IntArray) -> float:
    """Share of the frames that are correct, background included, pooled over recordings; NaN without frames."""
    return float(_ratio(np.trace(confusion), confusion.sum()))


def _ratio(count: IntArray | np.int64, total: IntArray | np.int64) -> Float64Array:
    """count / total, each part of its total; NaN where the total is 0."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.divide(count, total))
