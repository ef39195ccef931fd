"""Frame metrics of exclusive labels, from one confusion matrix; unlabelled time is left out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ..annotation import IGNORE
from ..arrays import Float64Array, IntArray


@dataclass(frozen=True)
class FrameCounts:
    """Per label: frames that have it in truth, in the predictions and in both, each (C,)."""

    true: IntArray
    predicted: IntArray
    both: IntArray

    @property
    def precision(self) -> Float64Array:
        """Part of the predicted frames that are right, (C,); NaN for a label that is never predicted."""
        return _ratio(self.both, self.predicted)

    @property
    def recall(self) -> Float64Array:
        """Part of the true frames that are found, (C,); NaN for a label that truth does not have."""
        return _ratio(self.both, self.true)


def confusion_matrix(predicted: Iterable[IntArray], truth: Iterable[IntArray], num_labels: int) -> IntArray:
    """Frames by true (row) and predicted (column) frame id, (C + 1, C + 1), pooled over recordings.

    `predicted` and `truth` give the frame ids (T,) of each recording, in the same order. Frames that are IGNORE in
    truth are left out; a predicted IGNORE counts as background.
    """
    size = num_labels + 1
    matrix = np.zeros((size, size), dtype=np.int64)
    for found, true in zip(predicted, truth, strict=True):
        counted = true != IGNORE
        pairs = true[counted] * size + np.where(found == IGNORE, 0, found)[counted]
        matrix += np.bincount(pairs, minlength=size * size).reshape(size, size)
    return matrix


def frame_counts(confusion: IntArray) -> FrameCounts:
    """The counts of each label, background left out, of a confusion matrix (C + 1, C + 1)."""
    return FrameCounts(confusion.sum(axis=1)[1:], confusion.sum(axis=0)[1:], np.diagonal(confusion)[1:].copy())


def frame_accuracy(confusion: IntArray) -> float:
    """Part of the frames that are right, background included, pooled over recordings; NaN where there is no frame."""
    return float(_ratio(np.trace(confusion), confusion.sum()))


def _ratio(part: IntArray | np.int64, whole: IntArray | np.int64) -> Float64Array:
    """part / whole, NaN where whole is 0."""
    parts, wholes = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    result = np.full(parts.shape, np.nan)
    np.divide(parts, wholes, out=result, where=wholes > 0)
    return result
