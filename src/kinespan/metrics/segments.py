"""Segmental metrics of exclusive labels: edit score and F1@k.

Both as in Lea et al., "Temporal Convolutional Networks for Action Segmentation and Detection" (CVPR 2017), which
action segmentation reports since; background is dropped, unlabelled time is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from ..arrays import IntArray
from ..data.annotation import BACKGROUND, IGNORE
from .average_precision import first_of_each
from .matching import SpanColumns, best_overlap


def edit_score(predicted: Iterable[IntArray], truth: Iterable[IntArray]) -> float:
    """1 - Levenshtein distance of the two sequences of segments / the length of the longer, mean over recordings.

    `predicted` and `truth` give the frame ids (T,) of each recording, in the same order. A recording without a segment
    on either side scores 1. In 0..1 (papers print x 100); NaN without recordings.
    """
    predicted_segments, true_segments, num_recordings = _segments(predicted, truth)
    sequences = zip(
        _sequences(predicted_segments, num_recordings), _sequences(true_segments, num_recordings), strict=True
    )
    scores = []
    for predicted_ids, true_ids in sequences:
        longest = max(len(predicted_ids), len(true_ids))
        scores.append(1.0 - _levenshtein(predicted_ids, true_ids) / longest if longest else 1.0)
    return float(np.mean(scores)) if scores else float("nan")


def f1_at_k(
    predicted: Iterable[IntArray],
    truth: Iterable[IntArray],
    overlaps: Sequence[float] = (0.10, 0.25, 0.50),
) -> tuple[float, ...]:
    """F1 of segments at each overlap, counts pooled over recordings, in 0..1 (papers print x 100).

    A predicted segment is correct if the true segment of its label that it overlaps most (the first of equals) has
    tIoU >= the overlap and no earlier predicted segment was matched with it. NaN without a segment on either side.
    """
    predicted_segments, true_segments, _ = _segments(predicted, truth)
    true_index, tiou = best_overlap(predicted_segments, true_segments)
    total = len(predicted_segments) + len(true_segments)
    correct = [
        first_of_each(np.where(tiou >= overlap, true_index, -1), len(true_segments)).sum() for overlap in overlaps
    ]
    return tuple(2.0 * int(count) / total if total else float("nan") for count in correct)


def _segments(predicted: Iterable[IntArray], truth: Iterable[IntArray]) -> tuple[SpanColumns, SpanColumns, int]:
    """Predicted and true segments, in frames, and the number of recordings; unlabelled time cuts through both."""
    predicted_rows: list[IntArray] = []
    true_rows: list[IntArray] = []
    num_recordings = 0
    for predicted_ids, true_ids in zip(predicted, truth, strict=True):
        masked_ids = np.where(true_ids == IGNORE, IGNORE, predicted_ids)
        predicted_rows.append(_segment_rows(masked_ids, num_recordings))
        true_rows.append(_segment_rows(true_ids, num_recordings))
        num_recordings += 1
    return _segment_columns(predicted_rows), _segment_columns(true_rows), num_recordings


def _segment_rows(ids: IntArray, recording: int) -> IntArray:
    """Recording, id, first frame and frame after the last of each run of frame ids (T,): (4, N)."""
    first = np.flatnonzero(np.diff(ids, prepend=ids[:1] - 1))
    stop = np.append(first[1:], len(ids))[: len(first)]
    return np.stack([np.full(len(first), recording), ids[first], first, stop])


def _segment_columns(rows_by_recording: Sequence[IntArray]) -> SpanColumns:
    """The columns of arrays (4, N) of `_segment_rows`, without background and unlabelled time."""
    rows = np.concatenate([np.zeros((4, 0), np.int64), *rows_by_recording], axis=1)
    rows = rows[:, ~np.isin(rows[1], (BACKGROUND, IGNORE))]
    first, stop = rows[2].astype(np.float64), rows[3].astype(np.float64)
    return SpanColumns(rows[0], rows[1], first, stop, np.zeros(rows.shape[1]))


def _sequences(segments: SpanColumns, num_recordings: int) -> list[list[int]]:
    """The ids of each recording's segments, in order."""
    bounds = np.searchsorted(segments.recording, np.arange(num_recordings + 1))
    ids = segments.label.tolist()
    return [ids[first:last] for first, last in pairwise(bounds.tolist())]


def _levenshtein(left: Sequence[int], right: Sequence[int]) -> int:
    """Fewest insertions, deletions and substitutions that turn one sequence into the other.

    A column of the table of distances is held as two integers, one bit a row: where the next row is one more (`up`)
    and where it is one less (`down`). Each column follows from the one before by a few operations on them (Myers,
    J. ACM 1999, as in Hyyrö 2003).
    """
    if not left or not right:
        return max(len(left), len(right))
    row_bits: dict[int, int] = {}
    for row, value in enumerate(left):
        row_bits[value] = row_bits.get(value, 0) | 1 << row
    all_rows, last_row = (1 << len(left)) - 1, 1 << (len(left) - 1)
    up, down, distance = all_rows, 0, len(left)
    for value in right:
        equal = row_bits.get(value, 0)
        level = (((equal & up) + up) ^ up) | equal
        more, less = down | ~(level | up), up & level
        distance += bool(more & last_row) - bool(less & last_row)
        more, less = more << 1 | 1, less << 1
        sideways = equal | down
        up, down = (less | ~(sideways | more)) & all_rows, more & sideways & all_rows
    return distance
