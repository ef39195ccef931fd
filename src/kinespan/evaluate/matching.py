"""Spans as arrays, and the greedy matching of predictions with truth, without a loop over spans."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..annotation import Span, SpanTable
from ..arrays import BoolArray, Float64Array, IntArray
from ..errors import InputError

MAX_PAIRS = 2_000_000
"""Pairs of a prediction and a true span that are compared at once; bounds the memory."""


@dataclass(frozen=True, eq=False)
class Table:
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
    """Pairs (prediction, true span) of one recording and label that share time, with their tIoU, each (M,)."""

    found: IntArray
    true: IntArray
    tiou: Float64Array


def table(spans: Mapping[str, Sequence[Span]], recordings: Sequence[str], labels: Sequence[str], scored: bool) -> Table:
    """Spans of the given labels: predictions best score first, truth (not `scored`) by recording and time.

    Raises InputError for a recording that is not in `recordings` and a prediction without a finite score.
    """
    rows = SpanTable.of(spans)
    place = {name: index for index, name in enumerate(recordings)}
    column = {name: index for index, name in enumerate(labels)}
    unknown = [name for name in rows.recordings if name not in place]
    if unknown:
        raise InputError(
            f"{len(unknown)} recordings have predictions and are not in truth: {', '.join(map(repr, unknown[:5]))}"
            f"{', ...' if len(unknown) > 5 else ''}; give the truth that belongs to the predictions"
        )
    index = np.array([column.get(name, -1) for name in rows.labels], dtype=np.int64)
    if index.min(initial=0) < 0:
        rows = rows.where(index[rows.label] >= 0)
    recording = np.array([place[name] for name in rows.recordings], dtype=np.int64)[rows.recording]
    label, score = index[rows.label], rows.score if scored else np.zeros(len(rows.label))
    if not np.isfinite(score).all():
        name = recordings[recording[np.argmin(np.isfinite(score))]]
        bad = next(s for s in spans[name] if s.label in column and (s.score is None or not np.isfinite(s.score)))
        raise InputError(
            f"recording {name!r}: predicted span {bad.label!r} at {bad.start} s has score {bad.score}, "
            "expected a finite number"
        )
    order = np.argsort(-score)
    order = _within_runs(order, _is_new(score[order]), recording, rows.start, rows.end, label)
    return Table(recording[order], label[order], rows.start[order], rows.end[order], score[order])


def pairs(found: Table, true: Table) -> Iterator[Pairs]:
    """The pairs that share time, in chunks; by prediction, and for each by recording and time of the true span."""
    width = 1 + int(max(found.label.max(initial=0), true.label.max(initial=0)))
    group, true_group = (spans.recording * width + spans.label for spans in (found, true))
    # Stable: within a recording and label the true spans stay in order of time.
    order = np.argsort(true_group, kind="stable")
    in_order = true_group[order]
    bounds = np.append(np.flatnonzero(_is_new(in_order)), len(order))
    place = np.searchsorted(in_order[bounds[:-1]], group)
    first, after = bounds[place], bounds[np.minimum(place + 1, len(bounds) - 1)]
    known = first < len(order)
    known[known] = in_order[first[known]] == group[known]
    count = np.where(known, after - first, 0)
    total = np.concatenate([[0], np.cumsum(count)])
    begin = 0
    while begin < len(found):
        stop = max(begin + 1, int(np.searchsorted(total, total[begin] + MAX_PAIRS, side="right")) - 1)
        mine = np.repeat(np.arange(begin, stop), count[begin:stop])
        goal = order[first[mine] + np.arange(total[begin], total[stop]) - total[mine]]
        shared = np.minimum(found.end[mine], true.end[goal]) - np.maximum(found.start[mine], true.start[goal])
        touching = shared > 0
        mine, goal, shared = mine[touching], goal[touching], shared[touching]
        # Of two segments that share time, the union is what lies between the first start and the last end.
        union = np.maximum(found.end[mine], true.end[goal]) - np.minimum(found.start[mine], true.start[goal])
        yield Pairs(mine, goal, shared / union)
        begin = stop


def best(found: Table, true: Table, last: bool = False) -> tuple[IntArray, Float64Array]:
    """The true span that each prediction overlaps most, (N,), -1 for none, and that tIoU, (N,).

    Of equals the first true span by time, or the `last`; whether another prediction goes there plays no part.
    """
    goal, overlap = np.full(len(found), -1, dtype=np.int64), np.zeros(len(found))
    for chunk in pairs(found, true):
        order = np.lexsort((chunk.true if last else -chunk.true, chunk.tiou, chunk.found))
        mine = chunk.found[order]
        # The last of each prediction's pairs, sorted by overlap, is its best.
        top = order[np.flatnonzero(np.append(mine[1:] != mine[:-1], True))] if len(mine) else order
        goal[chunk.found[top]], overlap[chunk.found[top]] = chunk.true[top], chunk.tiou[top]
    return goal, overlap


def in_frames(spans: Table, fps: Float64Array) -> Table:
    """The spans in whole frames in place of seconds; `fps` (R,) by recording."""
    rate = fps[spans.recording]
    return replace(spans, start=np.rint(spans.start * rate), end=np.rint(spans.end * rate))


def longer(spans: Table, frames: int) -> Table:
    """Spans in frames, ending some frames later (negative: earlier)."""
    return replace(spans, end=spans.end + frames)


def match(found: Table, true: Table, tious: Sequence[float]) -> list[IntArray]:
    """For each threshold, which prediction takes each true span, (M,); len(found) where none does.

    Best score first, a prediction takes the free true span of its recording and label with the highest tIoU that
    reaches the threshold (the earlier one of equals).
    """
    low = min(tious)
    chunks = [
        Pairs(chunk.found[near], chunk.true[near], chunk.tiou[near])
        for chunk in pairs(found, true)
        for near in [chunk.tiou >= low]
    ]
    if not chunks:
        return [np.full(len(true), len(found), dtype=np.int64) for _ in tious]
    mine, goal, overlap = (np.concatenate(parts) for parts in zip(*chunks, strict=True))
    # as they come, pairs are in order of predictions, most of which have one
    order = _within_runs(np.arange(len(mine)), _is_new(mine), -overlap, goal)
    goal, overlap = goal[order], overlap[order]
    result = []
    for threshold in tious:
        reached = np.flatnonzero(overlap >= threshold)
        result.append(_serve(mine[reached], goal[reached], len(found), len(true)))
    return result


def _serve(mine: IntArray, goal: IntArray, num_found: int, num_true: int) -> IntArray:
    """Holder (M,) of each true span when predictions, in order, take the first free span on their list.

    `mine` (sorted) and `goal` are the lists. All predictions ask at once for their next choice and each true span
    keeps the earliest that asked (deferred acceptance, Gale and Shapley 1962); as all true spans rank predictions
    alike, the one stable matching is that of serving predictions one after the other.
    """
    # those who have a list, by their place among them
    next_choice = np.flatnonzero(_is_new(mine))
    who, last = mine[next_choice], np.append(next_choice[1:], len(mine))
    asking, nobody = np.arange(len(who)), len(who)
    holder = np.full(num_true, nobody, dtype=np.int64)
    while len(asking):
        wanted = goal[next_choice[asking]]
        held = holder[wanted]
        np.minimum.at(holder, wanted, asking)
        refused = asking[holder[wanted] != asking]
        displaced = np.sort(held[(held < nobody) & (holder[wanted] != held)])
        asking = np.concatenate([refused, displaced[_is_new(displaced)]])
        next_choice[asking] += 1
        asking = asking[next_choice[asking] < last[asking]]
    return np.append(who, num_found)[holder]


def _is_new(values: IntArray | Float64Array) -> BoolArray:
    """Which of sorted values (N,) are not those before them. (`np.unique` imports masked arrays, which takes long.)"""
    return np.append(True, values[1:] != values[:-1])[: len(values)]


def _within_runs(order: IntArray, new: BoolArray, *keys: IntArray | Float64Array) -> IntArray:
    """The order (N,) of rows, those of each run by keys, the first counting most; `new` (N,) says where a run begins.

    Only runs of more than one row are sorted, which are few where order is nearly decided.
    """
    alone = new & np.append(new[1:], True)[: len(new)]
    places = np.flatnonzero(~alone)
    rows = order[places]
    run = np.cumsum(new)[places]
    order = order.copy()
    order[places] = rows[np.lexsort((*(key[rows] for key in reversed(keys)), run))]
    return order
