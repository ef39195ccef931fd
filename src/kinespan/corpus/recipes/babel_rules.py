"""From BABEL's labels in seconds to spans of a recording at 30 frames a second, in two ways.

``stal`` is the build of STAL (Yu and Fujiwara, AAAI 2023), on which the published figures stand, faults included:

* Rates are brought to 30 by dropping frames, in a pattern that starts anew each second (`stal_frames`).
* Time that no category labels is taken out of the labels, not of the motion: labels after a gap come too early.
* A frame with several labels of the set keeps one. STAL keeps whichever comes first in a hash table, which differs
  from run to run; here it is the first in the order of the label set.

``fixed`` has none of these: frames are evenly spaced, unlabelled time is not covered (neither action nor background),
and where labels of an exclusive set overlap the shorter one holds, being the more specific, of equals the first in the
order of the set. Labels that overlap or touch are one span where they are the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np

from ...annotation import Annotation, LabelSet, Span
from ...arrays import IntArray
from ...errors import InputError
from .babel_json import Segment, Sequence

FPS = 30
"""Frames a second of what comes out."""


# ---- frames ----------------------------------------------------------------------------------------------------


def stal_frames(num_frames: int, fps: float) -> IntArray:
    """Indices of the frames that STAL keeps of `num_frames` at `fps`, for 30 a second.

    A rate whose whole part is a multiple of 30 keeps every (fps / 30)-th. Any other keeps, of each int(fps) frames,
    floor(n fps / 30) for n = 0..29; the last second may be cut short. Raises InputError for less than 1 fps.
    """
    whole = int(fps)
    if whole < 1:
        raise InputError(f"the rate is {fps} frames a second, expected 1 or more")
    if whole % FPS == 0:
        return np.arange(0, num_frames, fps / FPS).astype(np.int64)
    pattern = np.floor(fps / FPS * np.arange(FPS)).astype(np.int64)
    kept: IntArray = (np.arange(0, num_frames, whole)[:, None] + pattern).reshape(-1)
    return np.asarray(kept[kept < num_frames])


def even_frames(num_frames: int, fps: float) -> IntArray:
    """Indices floor(n fps / 30) of evenly spaced frames, over the whole length; rates such as 59.99999 are rounded."""
    rate = round(fps) if abs(fps - round(fps)) < 1e-3 else fps
    count = max(1, int(num_frames * FPS / rate + 1e-9))
    kept = np.floor(np.arange(count) * rate / FPS + 1e-9).astype(np.int64)
    return np.minimum(kept, num_frames - 1)


# ---- labels ----------------------------------------------------------------------------------------------------


def stal_ids(sequence: Sequence, labels: LabelSet) -> IntArray:
    """Frame ids (N,) of the labelled frames of a sequence: 0 for other categories, else place in the set + 1.

    Frame n of int(30 dur) has the categories of all labels with start <= n / 30 < end. Frames without one are left
    out, and those after them move up.
    """
    times = np.arange(int(FPS * sequence.duration)) / FPS
    labelled = np.zeros(len(times), dtype=bool)
    hits = np.zeros((len(times), len(labels)), dtype=bool)
    for segment in sequence.segments or ():
        inside = (times >= segment.start) & (times < segment.end)
        labelled |= inside & bool(segment.categories)
        for place in _places(segment, labels):
            hits[inside, place] = True
    ids = np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, 0)
    return np.asarray(ids[labelled], dtype=np.int64)


def fixed_annotation(sequence: Sequence, labels: LabelSet, duration: float) -> Annotation | None:
    """The annotation of a recording of `duration` seconds; None where the sequence is not labelled in time.

    Time that no label with a category holds is not covered. Labels are cut to the recording.
    """
    if sequence.segments is None:
        return None
    segments = [segment for segment in (_cut(segment, duration) for segment in sequence.segments) if segment]
    pieces = _shortest(segments, labels) if labels.exclusive else _each(segments, labels)
    spans = []
    for place, name in enumerate(labels.names):
        mine = _joined((start, end) for start, end, of in pieces if of == place)
        spans += [Span(start, end, name) for start, end in mine]
    covered = _joined((segment.start, segment.end) for segment in segments)
    return Annotation(tuple(spans), labels, None if covered == [(0.0, duration)] else tuple(covered))


Piece = tuple[float, float, int]
"""Start and end in seconds, and the place of the label in the set."""


def _each(segments: Iterable[Segment], labels: LabelSet) -> list[Piece]:
    """Every label of every segment."""
    return [(segment.start, segment.end, place) for segment in segments for place in _places(segment, labels)]


def _shortest(segments: Iterable[Segment], labels: LabelSet) -> list[Piece]:
    """One label at a time: of those that hold, that of the shortest segment."""
    every = _each(segments, labels)
    bounds = sorted({bound for start, end, _ in every for bound in (start, end)})
    chosen: list[Piece] = []
    for start, end in itertools.pairwise(bounds):
        holding = [piece for piece in every if piece[0] <= start and piece[1] >= end]
        if holding:
            chosen.append((start, end, min(holding, key=lambda piece: (piece[1] - piece[0], piece[2]))[2]))
    return chosen


def _places(segment: Segment, labels: LabelSet) -> list[int]:
    """Places in the label set of what a segment is labelled with."""
    return [place for place, name in enumerate(labels.names) if name in segment.categories]


def _cut(segment: Segment, duration: float) -> Segment | None:
    """The part of a segment inside the recording; None where there is none, or nobody has named what is done."""
    start, end = max(0.0, segment.start), min(duration, segment.end)
    return Segment(start, end, segment.categories) if start < end and segment.categories else None


def _joined(stretches: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """The union of stretches of time, in order."""
    joined: list[tuple[float, float]] = []
    for start, end in sorted(stretches):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined
