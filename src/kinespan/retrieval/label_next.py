"""What to label next: recordings and moments ranked by how much a label of theirs would help the next model.

Three signals say so, see `kinespan.retrieval.signals`: uncertainty, disagreement and novelty. They have different
scales, so it is their ranks that are averaged (Borda count). Recordings are put in order one by one: those that stand
above count as labelled for the novelty of those below, else a list would begin with ten of a kind. Time that was
watched, or that has labels, counts nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..arrays import BoolArray, Float32Array, Float64Array
from ..data.annotation import POINT_MARGIN, Annotation, Interval, LabelSet, frame_centres, runs
from .index import SnippetIndex
from .signals import SIGNALS, Novelty, disagreement, inside, uncertainty

MOMENT_SECONDS = 3.0
"""Length of a moment."""
LEAST_SECONDS = 0.5
"""Open time between labels that is shorter is no moment."""
MOST_CHOSEN = 100
"""Recordings, and moments, that are chosen one by one; the others follow as they stand then."""
STRANGE = 0.5
"""Strangeness from which a stretch is called like nothing that has labels."""


@dataclass(frozen=True)
class RecordingEvidence:
    """What is known of a recording when it is asked whether labels of it would help."""

    name: str
    duration: float
    """Seconds."""
    members: tuple[Float32Array, ...]
    """Frame scores (T, C + 1), column 0 background, of each network of the model; where people are told apart
    (P, T, C + 1). A model of one network has one."""
    done: tuple[Interval, ...] = ()
    """The time that was watched or has labels."""


class SuggestedRecording(NamedTuple):
    """A recording, and why to label it."""

    name: str
    value: float
    """0 to 1, how much its labels would help beside those of the recordings above it."""
    reasons: tuple[str, ...]


class SuggestedMoment(NamedTuple):
    """A moment of a recording, and why to label it."""

    name: str
    start: float
    end: float
    value: float
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class Suggestions:
    """What to label next, best first."""

    recordings: tuple[SuggestedRecording, ...]
    moments: tuple[SuggestedMoment, ...]
    by: tuple[str, ...]
    """The signals that were there to rank by."""


def done_time(annotation: Annotation | None, duration: float) -> tuple[Interval, ...]:
    """The time of a recording that was watched or that has labels: near a point label, too."""
    if annotation is None:
        return ()
    if annotation.covered is None:
        return ((0.0, duration),)
    near = [(point.time - POINT_MARGIN, point.time + POINT_MARGIN) for point in annotation.events]
    return (*annotation.covered, *((span.start, span.end) for span in annotation.spans), *near)


def suggest(
    evidence: Sequence[RecordingEvidence],
    fps: float,
    labels: LabelSet,
    index: SnippetIndex | None = None,
    signals: Sequence[str] = SIGNALS,
) -> Suggestions:
    """Recordings and moments in the order in which labels of them would help most.

    Parameters:
        evidence: of every recording that the model has localized.
        fps: frames of the scores a second.
        labels: those of the model.
        index: snippet features of the recordings; without it novelty does not count.
        signals: those that count, of SIGNALS.

    Recordings without time left to label are left out.
    """
    curves = [_Curves.of(item, fps, labels) for item in evidence]
    several = bool(evidence) and all(len(item.members) > 1 for item in evidence)
    usable = {"uncertainty": True, "disagreement": several, "novelty": index is not None}
    by = tuple(name for name in SIGNALS if name in signals and usable[name])
    recordings, moments = [], []
    for item in curves:
        if item.open.any():
            recordings.append(_Stretch(item, 0, len(item.open)))
            moments += [_Stretch(item, *frames) for frames in _moments(item.open, fps)]
    ordered, done = {}, {item.name: item.done for item in evidence}
    for name, stretches in (("recordings", recordings), ("moments", moments)):
        novelty = None
        if index is not None and stretches and "novelty" in by:
            novelty = Novelty(index, done, [(item.curves.name, *item.seconds(fps)) for item in stretches])
        ordered[name] = _in_order(stretches, by, novelty, fps)
    return Suggestions(
        tuple(SuggestedRecording(stretch.curves.name, value, why) for stretch, value, why in ordered["recordings"]),
        tuple(
            SuggestedMoment(stretch.curves.name, *stretch.seconds(fps), value, why)
            for stretch, value, why in ordered["moments"]
        ),
        by,
    )


@dataclass(frozen=True)
class _Curves:
    """The signals of a recording by frame (T,), and which frames are open: neither watched nor labelled.

    Where people are told apart, those of the person of whom the model is least certain in that frame.
    """

    name: str
    duration: float
    open: BoolArray
    members: Float32Array
    """(M, T, C + 1), the scores of each network."""
    labels: LabelSet
    uncertainty: Float64Array
    disagreement: Float64Array

    @staticmethod
    def of(evidence: RecordingEvidence, fps: float, labels: LabelSet) -> _Curves:
        members = np.stack(evidence.members)
        people = members if members.ndim == 4 else members[:, None]  # (M, P, T, C + 1)
        unsure = uncertainty(people.mean(axis=0), labels)  # (P, T)
        least, frames = unsure.argmax(axis=0), np.arange(people.shape[2])
        chosen = people[:, least, frames]  # (M, T, C + 1)
        is_open = ~inside(frame_centres(people.shape[2], fps), evidence.done)
        differ = disagreement(list(chosen), labels) if len(chosen) > 1 else np.zeros(len(frames))
        return _Curves(evidence.name, evidence.duration, is_open, chosen, labels, unsure[least, frames], differ)


def _moments(is_open: BoolArray, fps: float) -> list[tuple[int, int]]:
    """Open time (T,) cut into equal moments [first, stop) of about MOMENT_SECONDS; what is much shorter is left out."""
    cuts = []
    for value, first, stop in runs(is_open.astype(np.int64)):
        count = round((stop - first) / (MOMENT_SECONDS * fps))
        if value and (count or stop - first >= LEAST_SECONDS * fps):
            edges = np.round(np.linspace(first, stop, max(1, count) + 1)).astype(int).tolist()
            cuts += list(pairwise(edges))
    return cuts


# ---- putting in order ------------------------------------------------------------------------------------------------


class _Stretch(NamedTuple):
    """Frames [first, stop) of a recording."""

    curves: _Curves
    first: int
    stop: int

    def mean(self, signal: Float64Array) -> float:
        """The mean of a signal (T,) over its open frames."""
        is_open = self.curves.open[self.first : self.stop]
        return float(signal[self.first : self.stop][is_open].mean()) if is_open.any() else 0.0

    def seconds(self, fps: float) -> Interval:
        """Its start and end in seconds."""
        return self.first / fps, min(self.stop / fps, self.curves.duration)

    def highest(self, signal: Float64Array) -> int:
        """The open frame in which a signal (T,) is highest."""
        values = np.where(self.curves.open, signal, -1.0)[self.first : self.stop]
        return self.first + int(values.argmax())


def _in_order(
    stretches: Sequence[_Stretch], by: Sequence[str], novelty: Novelty | None, fps: float
) -> list[tuple[_Stretch, float, tuple[str, ...]]]:
    """Stretches, each with its value and reasons, best first; MOST_CHOSEN one by one.

    A value is the mean of the ranks of the signals, a rank being the share of all stretches that a signal is above of.
    Since novelty only falls while stretches are chosen, so does the value down the list.
    """
    if not stretches or not by:
        return []
    fixed = {
        name: np.array([stretch.mean(getattr(stretch.curves, name)) for stretch in stretches])
        for name in by
        if name != "novelty"
    }
    ranks = {name: _ranks(np.sort(values), values) for name, values in fixed.items()}
    at_first = np.zeros(0) if novelty is None else np.sort(novelty.gains())
    left = np.ones(len(stretches), dtype=bool)
    ordered: list[tuple[_Stretch, float, tuple[str, ...]]] = []
    while left.any():
        one_by_one = novelty is not None and len(ordered) < MOST_CHOSEN
        if novelty is not None and one_by_one:
            ranks["novelty"] = _ranks(at_first, novelty.gains())
        values = np.mean([ranks[name] for name in by], axis=0)
        following = [number for number in np.argsort(-values, kind="stable").tolist() if left[number]]
        for number in following[:1] if one_by_one else following:
            left[number] = False
            strange = 0.0 if novelty is None else novelty.strangeness(number)
            reasons = _reasons(stretches[number], {name: float(ranks[name][number]) for name in by}, strange, fps)
            ordered.append((stretches[number], float(values[number]), reasons))
            if novelty is not None and one_by_one:
                novelty.label(number)
    return ordered


def _ranks(ordered: Float64Array, values: Float64Array) -> Float64Array:
    """The share of ordered values that each value is above; those that are the same count half."""
    below, above = (np.searchsorted(ordered, values, side=side) for side in ("left", "right"))
    return np.asarray((below + above) / (2.0 * len(ordered)))


# ---- reasons ---------------------------------------------------------------------------------------------------------


def _reasons(stretch: _Stretch, ranks: Mapping[str, float], strangeness: float, fps: float) -> tuple[str, ...]:
    """Why a stretch should be labelled: the signals by which it is in the upper half, or the one that says most."""
    names = sorted(ranks, key=lambda name: -ranks[name])
    names = [name for name in names if ranks[name] >= 0.5] or names[:1]
    curves = stretch.curves
    words: dict[str, Callable[[], str]] = {
        "uncertainty": lambda: _unsure(curves, stretch.highest(curves.uncertainty), fps),
        "disagreement": lambda: _differing(curves, stretch.highest(curves.disagreement), fps),
        "novelty": lambda: "like nothing that has labels" if strangeness >= STRANGE else "like much without labels",
    }
    return tuple(words[name]() for name in names)


def _unsure(curves: _Curves, frame: int, fps: float) -> str:
    """What the mean of the networks is unsure between in a frame."""
    scores, at = curves.members[:, frame].mean(axis=0), f"at {frame / fps:.1f} s"
    columns = curves.labels.span_columns
    if curves.labels.exclusive and len(columns) > 1:
        first, second = sorted(columns, key=lambda column: -scores[column])[:2]
        return f"unsure between {_name(curves.labels, first)} and {_name(curves.labels, second)} {at}"
    column = 1 + int(np.abs(scores[1:] - 0.5).argmin())
    return f"unsure of {_name(curves.labels, column)} {at}"


def _differing(curves: _Curves, frame: int, fps: float) -> str:
    """What each network says of a frame."""
    said = dict.fromkeys(_name(curves.labels, int(scores.argmax())) for scores in curves.members[:, frame])
    at = f"at {frame / fps:.1f} s"
    if len(said) == 1:
        return f"the networks differ in how sure they are of {next(iter(said))} {at}"
    return f"the networks differ {at}: {', '.join(said)}"


def _name(labels: LabelSet, column: int) -> str:
    return labels.names[column - 1] if column else "no action"
