"""Spans as arrays, and the greedy matching of predictions with true spans, without a loop over spans."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..arrays import BoolArray, Float64Array, IntArray
from ..data.annotation import Annotation, Span
from ..data.span_table import SpanTable
from ..errors import InputError

MAX_PAIRS = 2_000_000
"""At most so many pairs of a prediction and a true span are compared at once, which bounds the memory."""


@dataclass(frozen=True, eq=False)
class SpanColumns:
    """N spans as columns (N,): index of the recording and of the label, bounds, score."""

    recording: IntArray
    label: IntArray
    start: Float64Array
    end: Float64Array
    score: Float64Array

    def __len__(self) -> int:
        """The number of spans N."""
        return len(self.recording)


class Pairs(NamedTuple):
    """Pairs (prediction, true span) of one recording and label that share time, and their tIoU, each (M,)."""

    predicted: IntArray
    true: IntArray
    tiou: Float64Array


def span_columns(
    spans: Mapping[str, Sequence[Span]], recordings: Sequence[str], labels: Sequence[str], scored: bool
) -> SpanColumns:
    """The spans of `labels` as columns: predictions (`scored`) best score first, true spans by recording and time.

    Raises InputError for a recording that is not in `recordings` and a prediction without a finite score.
    """
    rows = SpanTable.of(spans)
    recording_index = {name: index for index, name in enumerate(recordings)}
    label_index = {name: index for index, name in enumerate(labels)}
    check_recordings(rows.recordings, recordings)
    index = np.array([label_index.get(name, -1) for name in rows.labels], dtype=np.int64)
    if index.min(initial=0) < 0:
        rows = rows.where(index[rows.label] >= 0)
    recording = np.array([recording_index[name] for name in rows.recordings], dtype=np.int64)[rows.recording]
    label, score = index[rows.label], rows.score if scored else np.zeros(len(rows.label))
    if not np.isfinite(score).all():
        name = recordings[recording[np.argmin(np.isfinite(score))]]
        bad = next(s for s in spans[name] if s.label in label_index and (s.score is None or not np.isfinite(s.score)))
        raise InputError(
            f"recording {name!r}: predicted span {bad.label!r} at {bad.start} s has score {bad.score}, "
            "expected a finite number"
        )
    order = np.argsort(-score)
    order = _sort_within_runs(order, _is_new(score[order]), recording, rows.start, rows.end, label)
    return SpanColumns(recording[order], label[order], rows.start[order], rows.end[order], score[order])


def check_recordings(predicted: Iterable[str], true: Collection[str]) -> None:
    """Raise InputError for recordings with predictions but without ground truth."""
    unknown = sorted(set(predicted) - set(true))
    if unknown:
        raise InputError(
            f"predictions without ground truth: of {', '.join(map(repr, unknown[:5]))}"
            f"{f' and {len(unknown) - 5} more' if len(unknown) > 5 else ''}; give their ground truth too"
        )


def in_known_time(spans: SpanTable, annotations: Mapping[str, Annotation]) -> BoolArray:
    """Mask (N,) of the spans of which at least half lies in the known time of their recording."""
    mask = np.ones(len(spans.label), dtype=bool)
    for index, name in enumerate(spans.recordings):
        known = annotations[name].known
        if known is None:
            continue
        rows = slice(spans.bounds[index], spans.bounds[index + 1])
        start, end = spans.start[rows], spans.end[rows]
        shared = np.zeros(len(start))
        for first, last in known:
            shared += np.maximum(0.0, np.minimum(end, last) - np.maximum(start, first))
        mask[rows] = shared >= (end - start) / 2
    return mask


def overlapping_pairs(predicted: SpanColumns, true: SpanColumns) -> Iterator[Pairs]:
    """The pairs that share time, in chunks, ordered by prediction, then by time of the true span."""
    num_labels = 1 + int(max(predicted.label.max(initial=0), true.label.max(initial=0)))
    # A group is a recording and a label.
    group, true_group = (spans.recording * num_labels + spans.label for spans in (predicted, true))
    order = np.argsort(true_group, kind="stable")  # within a group the true spans stay in order of time
    sorted_groups = true_group[order]
    bounds = np.append(np.flatnonzero(_is_new(sorted_groups)), len(order))  # (G + 1,)
    group_index = np.searchsorted(sorted_groups[bounds[:-1]], group)
    # Of each prediction: the range of `order` with the true spans of its group, which may be missing.
    first, stop_of_group = bounds[group_index], bounds[np.minimum(group_index + 1, len(bounds) - 1)]
    has_group = first < len(order)
    has_group[has_group] = sorted_groups[first[has_group]] == group[has_group]
    count = np.where(has_group, stop_of_group - first, 0)  # (N,) pairs to compare
    total = np.concatenate([[0], np.cumsum(count)])
    begin = 0
    while begin < len(predicted):
        stop = max(begin + 1, int(np.searchsorted(total, total[begin] + MAX_PAIRS, side="right")) - 1)
        i = np.repeat(np.arange(begin, stop), count[begin:stop])  # prediction of each pair
        j = order[first[i] + np.arange(total[begin], total[stop]) - total[i]]  # true span of each pair
        shared = np.minimum(predicted.end[i], true.end[j]) - np.maximum(predicted.start[i], true.start[j])
        overlaps = shared > 0
        i, j, shared = i[overlaps], j[overlaps], shared[overlaps]
        # The union of two segments that overlap is what lies between the first start and the last end.
        union = np.maximum(predicted.end[i], true.end[j]) - np.minimum(predicted.start[i], true.start[j])
        yield Pairs(i, j, shared / union)
        begin = stop


def best_overlap(predicted: SpanColumns, true: SpanColumns, last: bool = False) -> tuple[IntArray, Float64Array]:
    """The true span that each prediction overlaps most, (N,), -1 for none, and that tIoU, (N,).

    Of equals the first true span by time, or the `last`. Several predictions may have the same true span.
    """
    true_index, tiou = np.full(len(predicted), -1, dtype=np.int64), np.zeros(len(predicted))
    for pairs in overlapping_pairs(predicted, true):
        order = np.lexsort((pairs.true if last else -pairs.true, pairs.tiou, pairs.predicted))
        i = pairs.predicted[order]
        # The last of each prediction's pairs, sorted by overlap, is its best.
        best = order[np.flatnonzero(np.append(i[1:] != i[:-1], True))] if len(i) else order
        true_index[pairs.predicted[best]], tiou[pairs.predicted[best]] = pairs.true[best], pairs.tiou[best]
    return true_index, tiou


def in_frames(spans: SpanColumns, fps: Float64Array) -> SpanColumns:
    """The spans in whole frames in place of seconds; `fps` (R,) by recording."""
    rate = fps[spans.recording]
    return replace(spans, start=np.rint(spans.start * rate), end=np.rint(spans.end * rate))


def extended(spans: SpanColumns, frames: int) -> SpanColumns:
    """Spans in frames that end `frames` later (negative: earlier)."""
    return replace(spans, end=spans.end + frames)


def greedy_match(predicted: SpanColumns, true: SpanColumns, tious: Sequence[float]) -> list[IntArray]:
    """For each threshold, the prediction that each true span is matched with, (M,); len(predicted) for none.

    Best score first, a prediction is matched with the free true span of its recording and label that has the highest
    tIoU, of those that reach the threshold (the earlier one of equals).
    """
    lowest = min(tious)
    chunks = [
        Pairs(pairs.predicted[is_above], pairs.true[is_above], pairs.tiou[is_above])
        for pairs in overlapping_pairs(predicted, true)
        for is_above in [pairs.tiou >= lowest]
    ]
    if not chunks:
        return [np.full(len(true), len(predicted), dtype=np.int64) for _ in tious]
    i, j, tiou = (np.concatenate(column) for column in zip(*chunks, strict=True))
    # Pairs come in order of predictions, most of which have only one.
    order = _sort_within_runs(np.arange(len(i)), _is_new(i), -tiou, j)
    j, tiou = j[order], tiou[order]
    matches = []
    for threshold in tious:
        reached = np.flatnonzero(tiou >= threshold)
        matches.append(_assign(i[reached], j[reached], len(predicted), len(true)))
    return matches


def _assign(predicted: IntArray, true: IntArray, num_predicted: int, num_true: int) -> IntArray:
    """The prediction (M,) of each true span when predictions, in order, get the first free span on their list.

    The lists are the pairs `predicted` (sorted) and `true`. All predictions propose at once to their next choice and
    each true span keeps the earliest (deferred acceptance, Gale and Shapley 1962); as all true spans rank predictions
    alike, the one stable matching is that of serving predictions in turn.
    """
    # Predictions with a list, numbered in order: where their next choice and the end of their list are.
    next_choice = np.flatnonzero(_is_new(predicted))
    with_list, end_of_list = predicted[next_choice], np.append(next_choice[1:], len(predicted))
    proposers, nobody = np.arange(len(with_list)), len(with_list)
    holder = np.full(num_true, nobody, dtype=np.int64)  # of each true span
    while len(proposers):
        wanted = true[next_choice[proposers]]
        previous = holder[wanted]
        np.minimum.at(holder, wanted, proposers)
        refused = proposers[holder[wanted] != proposers]
        displaced = np.sort(previous[(previous < nobody) & (holder[wanted] != previous)])
        proposers = np.concatenate([refused, displaced[_is_new(displaced)]])
        next_choice[proposers] += 1
        proposers = proposers[next_choice[proposers] < end_of_list[proposers]]
    return np.append(with_list, num_predicted)[holder]


def _is_new(values: IntArray | Float64Array) -> BoolArray:
    """Mask of the sorted values (N,) that differ from the one before. (`np.unique` imports masked arrays: slow.)"""
    return np.append(True, values[1:] != values[:-1])[: len(values)]


def _sort_within_runs(order: IntArray, begins: BoolArray, *keys: IntArray | Float64Array) -> IntArray:
    """The order (N,) of rows, with each run of it sorted by keys, the first counting most.

    `begins` (N,) marks where runs begin. Only runs of several rows are sorted, which are few.
    """
    is_single = begins & np.append(begins[1:], True)[: len(begins)]
    indices = np.flatnonzero(~is_single)
    rows = order[indices]
    run = np.cumsum(begins)[indices]
    order = order.copy()
    order[indices] = rows[np.lexsort((*(key[rows] for key in reversed(keys)), run))]
    return order
