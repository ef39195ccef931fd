"""From BABEL's labels in seconds to spans of a recording at 30 frames per second, in two ways.

``stal`` is the build of STAL (Yu and Fujiwara, AAAI 2023), on which the published figures stand, errors included:

* Rates are brought to 30 by dropping frames, in a pattern that starts anew each second (`stal_frames`).
* Time without any category is cut from the labels but not from the motion: labels after a gap come too early.
* A frame with several labels of the set gets one of them. In STAL the order of a hash table decides, which differs
  from run to run; here it is the first in the order of the label set.

``fixed`` has none of these errors: frames are evenly spaced, and unlabelled time is not covered (neither action nor
background). Where labels of an exclusive set overlap, the shorter one counts, as the more specific; of equally long
ones, the first in the order of the set. Spans of the same label that overlap or touch are merged.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np

from ...arrays import IntArray
from ...data.annotation import Annotation, LabelSet, Span
from ...errors import InputError
from .babel_json import Segment, Sequence
from .base import union

FPS = 30
"""Frames per second of the result."""


# ---- frames ----------------------------------------------------------------------------------------------------


def stal_frames(num_frames: int, fps: float) -> IntArray:
    """Indices of the frames that STAL keeps of `num_frames` at `fps`, for 30 per second.

    A rate whose whole part is a multiple of 30 keeps every (fps / 30)-th. Any other keeps, of each int(fps) frames,
    floor(n fps / 30) for n = 0..29; the last second may be cut short. Raises InputError for less than 1 fps.
    """
    whole_rate = int(fps)
    if whole_rate < 1:
        raise InputError(f"the rate is {fps} frames per second, expected 1 or more")
    if whole_rate % FPS == 0:
        return np.arange(0, num_frames, fps / FPS).astype(np.int64)
    pattern = np.floor(fps / FPS * np.arange(FPS)).astype(np.int64)
    frames: IntArray = (np.arange(0, num_frames, whole_rate)[:, None] + pattern).reshape(-1)
    return np.asarray(frames[frames < num_frames])


def even_frames(num_frames: int, fps: float) -> IntArray:
    """Indices floor(n fps / 30) of evenly spaced frames, over the whole length; rates such as 59.99999 are rounded."""
    rate = round(fps) if abs(fps - round(fps)) < 1e-3 else fps
    count = max(1, int(num_frames * FPS / rate + 1e-9))
    frames = np.floor(np.arange(count) * rate / FPS + 1e-9).astype(np.int64)
    return np.minimum(frames, num_frames - 1)


# ---- labels ----------------------------------------------------------------------------------------------------


def stal_ids(sequence: Sequence, labels: LabelSet) -> IntArray:
    """Frame ids (N,) of the labelled frames of a sequence: 0 for other categories, else label index + 1.

    Frame n of int(30 dur) has the categories of all labels with start <= n / 30 < end. Frames without one are removed,
    so that later ones move forward.
    """
    times = np.arange(int(FPS * sequence.duration)) / FPS
    labelled = np.zeros(len(times), dtype=bool)
    targets = np.zeros((len(times), len(labels)), dtype=bool)
    for segment in sequence.segments or ():
        is_inside = (times >= segment.start) & (times < segment.end)
        labelled |= is_inside & bool(segment.categories)
        for index in _label_indices(segment, labels):
            targets[is_inside, index] = True
    ids = np.where(targets.any(axis=1), targets.argmax(axis=1) + 1, 0)
    return np.asarray(ids[labelled], dtype=np.int64)


def fixed_annotation(sequence: Sequence, labels: LabelSet, duration: float) -> Annotation | None:
    """The annotation of a recording of `duration` seconds; None where the sequence is not labelled in time.

    Time without a label that has a category is not covered. Labels are cut to the recording.
    """
    if sequence.segments is None:
        return None
    segments = [segment for segment in (_cut(segment, duration) for segment in sequence.segments) if segment]
    pieces = _shortest(segments, labels) if labels.exclusive else _label_pieces(segments, labels)
    spans = []
    for index, name in enumerate(labels.names):
        intervals_of_label = union((start, end) for start, end, label in pieces if label == index)
        spans += [Span(start, end, name) for start, end in intervals_of_label]
    covered = union((segment.start, segment.end) for segment in segments)
    return Annotation(tuple(spans), labels, None if covered == [(0.0, duration)] else tuple(covered))


Piece = tuple[float, float, int]
"""Start and end in seconds, and the index of the label."""


def _label_pieces(segments: Iterable[Segment], labels: LabelSet) -> list[Piece]:
    """Every label of every segment."""
    return [(segment.start, segment.end, index) for segment in segments for index in _label_indices(segment, labels)]


def _shortest(segments: Iterable[Segment], labels: LabelSet) -> list[Piece]:
    """One label at a time: of several, that of the shortest segment."""
    all_pieces = _label_pieces(segments, labels)
    bounds = sorted({bound for start, end, _ in all_pieces for bound in (start, end)})
    pieces: list[Piece] = []
    for start, end in itertools.pairwise(bounds):
        candidates = [piece for piece in all_pieces if piece[0] <= start and piece[1] >= end]
        if candidates:
            pieces.append((start, end, min(candidates, key=lambda piece: (piece[1] - piece[0], piece[2]))[2]))
    return pieces


def _label_indices(segment: Segment, labels: LabelSet) -> list[int]:
    """Indices of the labels of a segment."""
    return [index for index, name in enumerate(labels.names) if name in segment.categories]


def _cut(segment: Segment, duration: float) -> Segment | None:
    """The segment cut to the recording; None if nothing is left or it has no categories."""
    start, end = max(0.0, segment.start), min(duration, segment.end)
    return Segment(start, end, segment.categories) if start < end and segment.categories else None
