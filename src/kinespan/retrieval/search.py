"""Exact search for moments that are like a given one, by matrix products over all of an index.

A moment is cut into PARTS equal parts. Each is described by the mean of its standardised steps, scaled to length 1, so
that the order of what happens counts. The similarity of two moments is the mean of the cosines of their parts. Every
stretch of the query's length, from each step on, is compared with it; what is found are the local maxima, best first,
without overlaps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..arrays import BoolArray, Float32Array, Float64Array
from ..data.annotation import Interval
from ..errors import InputError
from .index import SnippetIndex, Track, unit_rows

PARTS = 3
"""Parts of a moment, fewer where it has fewer steps."""
BLOCK = 65536
"""Windows that are compared at once."""


class Moment(NamedTuple):
    """A stretch of a recording, in seconds."""

    recording: str
    start: float
    end: float
    person: int | None = None
    """Slot of the person; None: everybody."""


class Hit(NamedTuple):
    """A moment that is like the one that was asked for."""

    recording: str
    start: float
    """Seconds."""
    end: float
    """Seconds."""
    person: int | None
    """Slot of the person; None: everybody, or whoever is alone in the recording."""
    similarity: float
    """0 to 1, of the same motion 1."""


def search(
    index: SnippetIndex,
    moment: Moment,
    most: int = 50,
    left_out: Mapping[str, Sequence[Interval]] | None = None,
) -> list[Hit]:
    """The moments most like one of the index, best first; they overlap neither each other nor it.

    Parameters:
        index: the snippet index of the recordings.
        moment: what is looked for.
        most: hits at most.
        left_out: intervals (start, end) by recording; hits that overlap one are left out.

    A hit is as long as the moment. Raises InputError for a recording or person that the index has not, and for a moment
    outside of its recording.
    """
    track = index.track_of(moment.recording, moment.person)
    if not 0 <= moment.start < moment.end or moment.start >= track.duration:
        raise InputError(
            f"recording {moment.recording!r}: no moment from {moment.start:g} to {moment.end:g} s, "
            f"it lasts {track.duration:g} s"
        )
    first, stop = steps_of(track, index.hop, moment.start, moment.end)
    query = index.standardised[track.first + first : track.first + stop]
    closed = {name: list(intervals) for name, intervals in (left_out or {}).items()}
    closed.setdefault(moment.recording, []).append((moment.start, moment.end))
    offset, length = moment.start - first * index.hop, min(moment.end, track.duration) - moment.start
    return alike(index, query, moment.person, most, closed, offset, length)


def steps_of(track: Track, hop: float, start: float, end: float) -> tuple[int, int]:
    """The steps [first, stop) of a track that stand for [start, end) seconds: at least one."""
    count = track.stop - track.first
    first = min(max(0, round(start / hop)), count - 1)
    return first, min(max(first + 1, round(end / hop)), count)


def alike(
    index: SnippetIndex,
    query: Float32Array,
    person: int | None = None,
    most: int = 50,
    closed: Mapping[str, Sequence[Interval]] | None = None,
    offset: float = 0.0,
    length: float | None = None,
) -> list[Hit]:
    """The stretches of an index most like the standardised steps (S, C) of a query, best first, without overlaps.

    offset: seconds from a stretch's first step to the start of its hit; length: seconds of a hit, by default S hops.
    `closed` are intervals by recording that no hit overlaps.
    """
    length = len(query) * index.hop if length is None else length
    peaks: list[tuple[float, int, int]] = []
    for number in index.matching(person):
        track = index.tracks[number]
        values = similarities(index.standardised[track.first : track.stop], query)
        values[~_mostly(index.valid[track.first : track.stop], len(query))] = -1.0
        peaks += [(float(values[step]), number, int(step)) for step in np.flatnonzero(_is_peak(values))]
    hits: list[Hit] = []
    taken: dict[int, list[Interval]] = defaultdict(list)  # by track: several people may do the same at once
    for similarity, number, step in sorted(peaks, key=lambda peak: (-peak[0], peak[1], peak[2])):
        if similarity <= 0 or len(hits) == most:
            break
        track = index.tracks[number]
        start = min(max(0.0, step * index.hop + offset), max(0.0, track.duration - length))
        end = min(start + length, track.duration)
        intervals = [*(closed or {}).get(track.recording, ()), *taken[number]]
        if all(end <= low or start >= high for low, high in intervals):
            taken[number].append((start, end))
            hits.append(Hit(track.recording, start, end, track.person, min(similarity, 1.0)))
    return hits


def similarities(steps: Float32Array, query: Float32Array) -> Float64Array:
    """The similarity, -1 to 1, of a query (S, C) and the S steps from each of the steps (N, C) on.

    Of shape (N - S + 1,); empty where there are fewer steps than those of the query.
    """
    count = len(steps) - len(query) + 1
    if count <= 0:
        return np.zeros(0)
    edges = np.round(np.linspace(0, len(query), min(PARTS, len(query)) + 1)).astype(int).tolist()
    parts = list(pairwise(edges))
    wanted = [unit_rows(query[low:high].mean(axis=0)) for low, high in parts]
    values = np.zeros(count)
    for first, sums in _blocks(steps, count, len(query)):
        block = slice(first, min(count, first + BLOCK))
        size = block.stop - first
        for (low, high), target in zip(parts, wanted, strict=True):
            values[block] += unit_rows(sums[high : high + size] - sums[low : low + size]) @ target
    return values / len(parts)


def _blocks(steps: Float32Array, count: int, length: int) -> Iterator[tuple[int, Float64Array]]:
    """For every BLOCK windows their first and the cumulative sums (n + 1, C) of the steps that they reach."""
    for first in range(0, count, BLOCK):
        reached = steps[first : min(count, first + BLOCK) + length - 1]
        yield first, np.concatenate([np.zeros((1, steps.shape[1])), np.cumsum(reached, axis=0, dtype=np.float64)])


def _mostly(valid: BoolArray, length: int) -> BoolArray:
    """Whether at least half of the `length` steps from each step on are valid."""
    if len(valid) < length:
        return np.zeros(0, dtype=bool)
    counts = np.concatenate([[0], np.cumsum(valid)])
    return np.asarray(2 * (counts[length:] - counts[:-length]) >= length)


def _is_peak(values: Float64Array) -> BoolArray:
    """Whether each value is above the one before it and not below the one after it."""
    padded = np.concatenate([[-np.inf], values, [-np.inf]])
    return np.asarray((values > padded[:-2]) & (values >= padded[2:]))
