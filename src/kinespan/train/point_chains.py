"""Point labels in a recording as chains of anchors, and the annotation that grown spans make of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from ..arrays import BoolArray, Float32Array, Float64Array
from ..data.annotation import POINT_MARGIN, Annotation, Interval, LabelSet, Span, frame_centres
from ..decode.frames import true_runs
from ..decode.growing import Anchor, GrownSpans, grow_spans
from ..transforms.normalise import Motion

CORE = 0.15
"""Seconds to each side of an instant that are in its action."""
SPREAD = 0.4
"""Standard deviation of the log of durations about the mean of their label."""
GAP_SHARE = 0.7
"""Actions last this share of the time between neighbouring instants, if motion does not say otherwise."""
PRIOR_COUNT = 3.0
"""The median of all labels counts as this many spans beside a label's own."""
FEW_SPANS = 3
"""With fewer spans the labels say nothing of durations."""
CONFIDENT = 0.9
"""A frame gets a target where the probability of its label, or of none, is above this."""


class Track(NamedTuple):
    """A labelled recording, or a person in it, as a network sees it."""

    name: str
    person: int | None
    motion: Motion
    annotation: Annotation
    """Over the labels of spans."""


@dataclass(frozen=True)
class Chain:
    """The anchors of a track in order: of all labels where they exclude each other, else of one label."""

    track: int
    anchors: tuple[Anchor, ...]

    @property
    def columns(self) -> list[int]:
        """The column of each anchor's label."""
        return [anchor.column for anchor in self.anchors]


def chains_of(track: int, motion: Motion, annotation: Annotation) -> list[Chain]:
    """The chains of a track that hold a point label.

    Points inside a span are left out: it gives their bounds, or, if labels exclude each other, contradicts them. So is
    the later one of two points in a frame.
    """
    labels, num_frames = annotation.labels, motion.num_frames
    groups = [labels.names] if labels.exclusive else [(name,) for name in labels.names]
    chains = []
    for names in groups:
        anchors = _span_anchors(annotation, names, motion)
        taken = np.zeros(num_frames, dtype=bool)
        for anchor in anchors:
            taken[anchor.first : anchor.stop] = True
        for point in annotation.point_labels:
            frame = min(max(int(point.time * motion.fps + 1e-6), 0), num_frames - 1)
            if point.label in names and not taken[frame]:
                taken[frame] = True
                anchors.append(Anchor(labels.index(point.label) + 1, frame, frame + 1))
        if not all(anchor.is_span for anchor in anchors):
            chains.append(Chain(track, tuple(sorted(anchors, key=lambda anchor: anchor.first))))
    return chains


def _span_anchors(annotation: Annotation, names: Sequence[str], motion: Motion) -> list[Anchor]:
    """The spans of some labels as anchors; of two that share frames the later one starts where the earlier one ends."""
    centres, anchors, free = frame_centres(motion.num_frames, motion.fps), list[Anchor](), 0
    for span in annotation.spans:
        first, stop = np.searchsorted(centres, (span.start, span.end)).tolist()
        if span.label in names and max(first, free) < stop:
            anchors.append(Anchor(annotation.labels.index(span.label) + 1, max(first, free), stop, is_span=True))
            free = stop
    return anchors


def usable_time(track: Track) -> BoolArray:
    """Mask (T,) of the time that was watched or is near a point label."""
    centres = frame_centres(track.motion.num_frames, track.motion.fps)
    usable = _in_intervals(centres, track.annotation.watched)
    for point in track.annotation.point_labels:
        usable |= np.abs(centres - point.time) < POINT_MARGIN
    return usable


def core_frames(chain: Chain, motion: Motion) -> BoolArray:
    """Mask (T,) of the frames that are known to be in an action of a chain."""
    mask, reach = np.zeros(motion.num_frames, dtype=bool), round(CORE * motion.fps)
    edges = [0, *(edge for anchor in chain.anchors for edge in (anchor.first, anchor.stop)), motion.num_frames]
    for anchor, before, after in zip(chain.anchors, edges[0::2], edges[3::2], strict=False):
        more = 0 if anchor.is_span else reach
        mask[max(before, anchor.first - more) : min(after, anchor.stop + more)] = True
    return mask


def first_durations(
    chains: Sequence[Chain], motions: Sequence[Motion], evidence: Sequence[Float64Array], known: Sequence[Span]
) -> float:
    """Log of the seconds that actions last: the mean for all labels, before any span is grown.

    known: the spans that are labelled; with `FEW_SPANS` they say it. Else the median over instants of the time around
    them in which the evidence (T,) of their chain speaks for an action gives the range: `GAP_SHARE` of the time between
    neighbours, but not less than that median, nor more than twice as much.
    """
    if len(known) >= FEW_SPANS:
        return float(np.median([math.log(span.duration) for span in known]))
    distances, lengths = [], []
    for chain, odds in zip(chains, evidence, strict=True):
        fps = motions[chain.track].fps
        middles = [(anchor.first + anchor.stop) / 2 for anchor in chain.anchors]
        distances += [float(step) / fps for step in np.diff(middles)]
        edges = [0, *(edge for anchor in chain.anchors for edge in (anchor.first, anchor.stop)), len(odds)]
        against = odds <= 0
        for anchor, before, after in zip(chain.anchors, edges[0::2], edges[3::2], strict=False):
            left, right = np.flatnonzero(against[before : anchor.first]), np.flatnonzero(against[anchor.stop : after])
            start = before + left[-1] + 1 if len(left) else before
            end = anchor.stop + right[0] if len(right) else after
            lengths.append(float(end - start) / fps)
    around = float(np.median(lengths))
    if not distances:
        return math.log(around)
    between = float(np.median(distances))
    around = min(around, between)
    return math.log(min(max(GAP_SHARE * between, around), 2 * around))


def durations_by_label(
    chains: Sequence[Chain],
    grown: Sequence[GrownSpans],
    motions: Sequence[Motion],
    known: Sequence[Span],
    labels: LabelSet,
) -> Float64Array:
    """Mean (C + 1,) of the log of seconds of each label's spans, grown and known, drawn to the median of all labels."""
    logs: list[list[float]] = [[] for _ in range(len(labels) + 1)]
    for chain, spans in zip(chains, grown, strict=True):
        fps = motions[chain.track].fps
        for anchor, (start, end) in zip(chain.anchors, spans.bounds, strict=True):
            if not anchor.is_span:
                logs[anchor.column].append(math.log((end - start) / fps))
    for span in known:
        logs[labels.index(span.label) + 1].append(math.log(span.duration))
    median = float(np.median([value for values in logs for value in values]))
    return np.array([(sum(values) + PRIOR_COUNT * median) / (len(values) + PRIOR_COUNT) for values in logs])


def grown(
    chains: Sequence[Chain], motions: Sequence[Motion], evidence: Sequence[Float64Array], durations: Float64Array
) -> list[GrownSpans]:
    """The spans of chains, given evidence (T, C + 1) of each, and mean log seconds (C + 1,) of each label."""
    result = []
    for chain, odds in zip(chains, evidence, strict=True):
        mean = durations[chain.columns] + math.log(motions[chain.track].fps)  # (n,), of frames
        result.append(grow_spans(chain.anchors, odds, mean, np.full(len(chain.anchors), SPREAD)))
    return result


def label_probabilities(grown: Sequence[GrownSpans], num_frames: int, labels: LabelSet) -> Float32Array:
    """Probabilities (T, C + 1) of a track's labels by the bounds of its chains, column 0 of none."""
    values = np.zeros((num_frames, len(labels) + 1), dtype=np.float32)
    for spans in grown:
        values += spans.inside
    np.clip(values, 0.0, 1.0, out=values)
    values[:, 0] = 1 - (values.sum(axis=1) if labels.exclusive else values.max(axis=1)).clip(0.0, 1.0)
    return values


def sure_targets(track: Track, probabilities: Float32Array, none_is_likely: BoolArray | None = None) -> Float32Array:
    """Targets (T, C + 1) of a track: 1 where a label, or none, is sure; all zero where it is not.

    probabilities (T, C + 1): see `label_probabilities`. none_is_likely (T,): what a frame itself says; without it,
    time that nobody was said to have looked at is not background.
    """
    labels = track.annotation.labels
    sure: BoolArray = probabilities > CONFIDENT  # (T, C + 1)
    sure[:, 0] &= background_time(track, none_is_likely)
    if not labels.exclusive:  # a frame has a target if each of its labels is sure
        decided = (probabilities > CONFIDENT) | (probabilities < 1 - CONFIDENT)
        sure &= np.asarray(decided[:, 1:].all(axis=1))[:, None]
        sure[:, 0] &= ~sure[:, 1:].any(axis=1)
    return sure.astype(np.float32)


def background_time(track: Track, none_is_likely: BoolArray | None) -> BoolArray:
    """Mask (T,) of the time that may be background: that was looked at, or, if nobody said so, by what frames say."""
    num_frames = track.motion.num_frames
    watched = track.annotation.watched
    said = watched is not None or track.annotation.covered is None
    if said:
        return _in_intervals(frame_centres(num_frames, track.motion.fps), watched)
    return np.zeros(num_frames, dtype=bool) if none_is_likely is None else none_is_likely


def grown_annotation(
    track: Track, chains: Sequence[Chain], grown: Sequence[GrownSpans], targets: Float32Array
) -> Annotation:
    """The annotation with the grown spans in place of point labels; covered is what has a target (T, C + 1)."""
    fps, labels = track.motion.fps, track.annotation.labels
    spans = list(track.annotation.spans)
    for chain, result in zip(chains, grown, strict=True):
        for anchor, (start, end) in zip(chain.anchors, result.bounds, strict=True):
            if not anchor.is_span:
                label = labels.names[anchor.column - 1]
                spans.append(Span(int(start) / fps, int(end) / fps, label, person=track.person))
    known: BoolArray = np.asarray(targets.any(axis=1))
    if labels.exclusive:  # of bounds that are in doubt a span has the likelier side; of other time nothing is known
        known &= targets[:, 0] > 0
        known |= _in_intervals(frame_centres(len(known), fps), [(span.start, span.end) for span in spans])
    covered = tuple(
        (first / fps, stop / fps) for first, stop in zip(*map(np.ndarray.tolist, true_runs(known)), strict=True)
    )
    return replace(track.annotation, spans=tuple(spans), covered=covered, events=())


def _in_intervals(times: Float64Array, intervals: Sequence[Interval] | None) -> BoolArray:
    """Mask (T,) of the times that are in an interval; of all where there are None."""
    inside: BoolArray = np.full(times.shape, intervals is None, dtype=bool)
    for start, end in intervals or ():
        inside |= (times >= start) & (times < end)
    return inside
