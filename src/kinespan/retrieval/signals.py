"""Signs that a label would help: uncertainty, disagreement and novelty, the first two 0 to 1 at a time.

* uncertainty: the entropy of the frame scores, as a share of the largest possible (Settles, Active Learning Literature
  Survey, 2009, section 3.1); for overlapping labels that of the least certain label;
* disagreement: how far the networks of a model differ, the Jensen-Shannon divergence of their scores as a share of the
  largest possible (query by committee: Seung, Opper and Sompolinsky, COLT 1992; McCallum and Nigam, ICML 1998; the
  committee here are networks of different kind or seed: Beluch et al., CVPR 2018);
* novelty: how much of the motion without labels is more like a stretch than like anything that has labels, by cosines
  of snippets and by second of the stretch (facility location: Wei, Iyer and Bilmes, ICML 2015). What is merely unlike
  everything else, such as a sensor's errors, covers nothing: with few labels it is the typical that should be labelled
  (Hacohen, Dekel and Weinshall, ICML 2022).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..arrays import BoolArray, Float32Array, Float64Array
from ..data.annotation import Interval, LabelSet
from .index import SnippetIndex

SIGNALS = ("uncertainty", "disagreement", "novelty")
BLOCK = 4096
"""Snippets of either side whose cosines are in memory at once."""
MAX_SNIPPETS = 6_000
"""Of more snippets, which are those of 50 minutes, every second one, or every third, ... stands for all."""
MAX_COSINES = 4_000_000
"""Cosines of stretches and snippets that are kept; where there would be more, fewer snippets stand for all."""


def uncertainty(scores: Float32Array, labels: LabelSet) -> Float64Array:
    """How unsure scores (T, C + 1) are, (T,): 0 where one label is certain, 1 where all are as likely.

    Exclusive labels are one distribution; each of overlapping ones, and each event, is a yes or no of its own, of which
    the least certain counts.
    """
    return np.asarray(
        np.max([_entropy(group) / np.log(group.shape[-1]) for group in _distributions(scores, labels)], axis=0)
    )


def disagreement(members: Sequence[Float32Array], labels: LabelSet) -> Float64Array:
    """How far the scores (T, C + 1) of networks differ, (T,).

    0 where they are the same, 1 where each is sure of another label: the Jensen-Shannon divergence over its largest
    value, the log of the number of networks or of labels.
    """
    groups = []
    for member in zip(*(_distributions(scores, labels) for scores in members), strict=True):
        mean = np.mean(member, axis=0)
        divergence = _entropy(mean) - np.mean([_entropy(group) for group in member], axis=0)
        groups.append(np.clip(divergence / np.log(min(len(member), mean.shape[-1])), 0.0, 1.0))
    return np.asarray(np.max(groups, axis=0))


def _distributions(scores: Float32Array, labels: LabelSet) -> list[Float64Array]:
    """Scores (T, C + 1) as distributions (T, K) that each add up to 1."""
    values = np.clip(np.asarray(scores, dtype=np.float64), 0.0, 1.0)
    single = labels.event_columns if labels.exclusive else tuple(range(1, values.shape[-1]))
    groups = [np.stack([values[..., column], 1.0 - values[..., column]], axis=-1) for column in single]
    if labels.exclusive and labels.spans:
        spans = values[..., list(labels.span_columns)]
        groups.append(spans / np.maximum(spans.sum(axis=-1, keepdims=True), 1e-12))
    return groups


def _entropy(distribution: Float64Array) -> Float64Array:
    """Entropy (T,) of distributions (T, K), in nats."""
    return np.asarray(-np.sum(distribution * np.log(np.maximum(distribution, 1e-12)), axis=-1))


class Novelty:
    """How much of the motion without labels each stretch is more like than all that has labels, or counts as such.

    stretches: recording, start and end in seconds of each of R stretches; done: the time of each recording that was
    watched or has labels.
    """

    def __init__(
        self,
        index: SnippetIndex,
        done: Mapping[str, Sequence[Interval]],
        stretches: Sequence[tuple[str, float, float]],
    ) -> None:
        snippets = index.snippets
        most = min(MAX_SNIPPETS, MAX_COSINES // max(1, len(stretches)))
        every = slice(None, None, max(1, -(-len(snippets.features) // max(1, most))))
        features, tracks = snippets.features[every], snippets.track[every]
        middle = ((snippets.start + snippets.end) / 2)[every]
        bounds = {
            track.recording: tuple(np.searchsorted(tracks, [number, number + 1]).tolist())
            for number, track in enumerate(index.tracks)
            if track.person is None
        }
        self._open = np.ones(len(middle), dtype=bool)
        for recording, intervals in done.items():
            first, stop = bounds.get(recording, (0, 0))
            self._open[first:stop] = ~inside(middle[first:stop], intervals)
        self._closest = _closest(features, features[~self._open])
        self._ranges = []
        for recording, start, end in stretches:
            first, stop = bounds.get(recording, (0, 0))
            low, high = np.searchsorted(middle[first:stop], [start, end]).tolist()
            self._ranges.append((first + low, first + high))
        self._cosines = np.stack([_closest(features, features[first:stop]) for first, stop in self._ranges])  # (R, M)
        self._seconds = np.array([end - start for _, start, end in stretches])

    def gains(self) -> Float64Array:
        """The novelty (R,) of each stretch: by how much labels of it raise the cosine of open snippets with the most
        similar labelled one, in the mean over all of them, by second of the stretch."""
        count = max(1, int(self._open.sum()))
        raised = np.maximum(self._cosines - self._closest, 0.0) @ self._open.astype(np.float32)
        return np.asarray(raised / count / self._seconds, dtype=np.float64)

    def strangeness(self, number: int) -> float:
        """One minus the cosine of a stretch's open snippets with the most similar labelled ones, in the mean."""
        chosen = slice(*self._ranges[number])
        is_open = self._open[chosen]
        return float(1.0 - self._closest[chosen][is_open].mean()) if is_open.any() else 0.0

    def label(self, number: int) -> None:
        """Count a stretch as labelled from now on."""
        self._closest = np.maximum(self._closest, self._cosines[number])


def _closest(features: Float32Array, labelled: Float32Array) -> Float32Array:
    """The cosine (M,), 0 at least, of each snippet (M, C) with the labelled one (L, C) that is most like it."""
    closest = np.zeros(len(features), dtype=np.float32)
    for first in range(0, len(features), BLOCK):
        block = slice(first, first + BLOCK)
        for begin in range(0, len(labelled), BLOCK):
            cosines = features[block] @ labelled[begin : begin + BLOCK].T
            closest[block] = np.maximum(closest[block], cosines.max(axis=1))
    return closest


def inside(times: Float64Array, intervals: Sequence[Interval]) -> BoolArray:
    """Mask (T,) of the times that are in an interval (start, end)."""
    inside = np.zeros(times.shape, dtype=bool)
    for start, end in intervals:
        inside |= (times >= start) & (times < end)
    return inside
