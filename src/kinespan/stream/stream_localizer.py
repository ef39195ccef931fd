"""The StreamLocalizer: recorded frames in as they come; frame scores and Spans out as soon as they are final."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..arrays import BoolArray, Float32Array
from ..data.annotation import Event, Span
from ..data.recording import Recording
from ..data.skeleton import Skeleton
from ..data.unknown import unknown_of
from ..errors import InputError
from ..models.base import Model, Scores
from ..models.ensemble import Ensemble
from ..models.localizer import Localizer
from .event_finder import EventFinder
from .frame_check import FrameCheck
from .intake import Intake
from .segmenter import Segmenter
from .windows import WindowScorer, look_ahead_frames

DEFAULT_HOP = 1.0
"""Seconds of motion that are scored at once where no latency is asked for."""
FINISHED = "the stream is finished; a new recording takes a new one"
MIN_SETTLE = 2.0
"""Least seconds of motion over which the size of a body is measured."""


@dataclass(frozen=True)
class Update:
    """The scores, spans and events that pushed frames made final; none of them changes any more.

    scores (n, C + 1), column 0 background, of the frames from number ``first_frame`` on, at the model's rate; spans
    that are final, in order of time, with the scores of `segment`; events that are final, in order of time.
    """

    first_frame: int
    scores: Scores
    spans: tuple[Span, ...]
    events: tuple[Event, ...] = ()


class StreamLocalizer:
    """Localizes a recording while it is being made.

    Scores are those that `Model.frame_scores` gives of the whole recording, but for rounding. They come late, because a
    score depends on motion after its frame: ``look_ahead`` seconds of it. Every so often the motion around the frames
    that have enough behind them goes through the network again, so the cost of a second of motion falls with the
    latency that is allowed; what comes out does not depend on it. Any encoder can be streamed, a plug-in too: one with
    a halo looks that far ahead, one that looks at whole clips as far as a clip is long.

    Spans are the arg-max segmentation of the scores (`kinespan.decode.segment`), the people together (where a model
    tells people apart, use `PeopleStream`). A span is final once what follows it has lasted the model's `min_duration`,
    with smoothing half its window later. The segmentation by learnt durations (viterbi) is not streamed: it can depend
    on all that follows. Events are those of `kinespan.decode.decode_events`, each final about two and a half times the
    tolerance after its score.

    A few things about a body take time to know, or are known of a whole recording only:

    * Frames wait for its heading, which is that of the first second (`Normalisation.heading`).
    * Its size is `torso`, or the median over the first ``look_ahead`` seconds of motion (2 at least); with the whole
      recording's own (`torso_of`) scores are the same.
    * Somebody who is absent may come back: frames then wait for up to the normalisation's `fill_gap` seconds.
    * The published normalisations take the first person to be the one of the lowest slot in the first frame with
      anybody in it.
    """

    def __init__(
        self,
        model: Model,
        fps: float,
        skeleton: Skeleton | None = None,
        *,
        latency: float | None = None,
        torso: float | None = None,
        unknown_below: float | None = None,
    ) -> None:
        """A stream of one recording.

        Parameters:
            model: a Localizer, or an ensemble of several.
            fps: recorded frames a second.
            skeleton: that of the recorded frames; None: the model's.
            latency: seconds that the score of a frame may come after the end of the frame; None: look-ahead and 1 s.
            torso: metres from root to mid-shoulders; None: measured.
            unknown_below: spans that score less are answered `unknown`; None: none are.

        Raises InputError for numbers out of range, a latency that is shorter than the model's look-ahead, a skeleton
        that does not map to the model's, and other kinds of model.
        """
        for name, value in (("fps", fps), ("torso", torso)):
            if value is not None and not (math.isfinite(value) and value > 0):
                raise InputError(f"{name}: found {value}, expected a positive number")
        self.model, self.fps = model, float(fps)
        self.skeleton = model.spec.input.skeleton if skeleton is None else skeleton
        self._unknown = unknown_of(model.labels, unknown_below)
        self._scorers = [self._scorer(member, torso) for member in _members(model)]
        self._look_ahead = max(scorer.look_ahead for scorer in self._scorers)
        self._hop = self._hop_for(latency)
        decoding = model.spec.decode
        spans, rate = model.labels.without_events, model.spec.input.fps
        self._segmenter = Segmenter(rate, spans, decoding.min_duration, decoding.smooth, decoding.span_calibration)
        self._event_finder = EventFinder(rate, model.labels, decoding.event_threshold)
        self._check = FrameCheck(self.skeleton)
        self._num_scored = 0
        self._finished = False

    @property
    def look_ahead(self) -> float:
        """Seconds of motion after a frame that its score depends on."""
        return self._look_ahead / self.model.spec.input.fps

    @property
    def latency(self) -> float:
        """Seconds from the end of a frame to its score, at most; more while a body settles or a gap is open."""
        return self._latency_of(self._hop)

    @property
    def open_spans(self) -> tuple[Span, ...]:
        """The spans that are not final, with their scores so far, as if the recording ended with the latest score."""
        return () if self._finished else self._answered(self._segmenter.open())

    def push(self, positions: Float32Array, valid: BoolArray | None = None) -> Update:
        """Take the next recorded frames; returns what they make final.

        Parameters:
            positions: (n, P, J, 3), or (P, J, 3) for one frame, in metres, y up; P person slots. Copied.
            valid: (n, P, J) or (P, J), which joints were seen, or (n, P) or (P,), who is present; None: all. Copied.

        The first frames say how many person slots there are; in frames with fewer, the others are absent.

        Raises InputError for other shapes, values that are not finite where valid, several people of whom the model
        tells each apart, and frames after `finish`.
        """
        if self._finished:
            raise InputError(FINISHED)
        frames = self._check(positions, valid)
        if self.model.spec.people == "each" and self._check.num_slots > 1:
            raise InputError("the model tells people apart, and frames hold several; stream them with PeopleStream")
        return self._advance(*frames, last=False)

    def finish(self) -> Update:
        """The recording has ended: all scores and spans that are left. Raises InputError when called twice."""
        if self._finished:
            raise InputError(FINISHED)
        update = self._advance(*self._check.absent(0), last=True)
        self._finished = True
        return update

    def _advance(self, positions: Float32Array, valid: BoolArray, last: bool) -> Update:
        """Take checked frames (n, P, J, 3) and valid (n, P), and score what has become final."""
        for scorer in self._scorers:
            scorer.push(positions, valid, last)
        start = self._num_scored
        stop = min(scorer.num_frames for scorer in self._scorers) - (0 if last else self._look_ahead)
        scores = np.zeros((0, len(self.model.labels) + 1), dtype=np.float32)
        if stop - start >= (1 if last else self._hop):
            scores = self._mean([scorer.score(start, stop) for scorer in self._scorers])
            self._num_scored = stop
        columns = scores[:, self.model.labels.span_columns]
        spans = self._segmenter.finish(columns) if last else self._segmenter.push(columns)
        return Update(start, scores, self._answered(spans), tuple(self._event_finder.push(scores, last)))

    def _answered(self, spans: list[Span]) -> tuple[Span, ...]:
        """The spans, `unknown` where they score too little."""
        return tuple(spans) if self._unknown is None else self._unknown.spans(spans)

    def _mean(self, scores: list[Scores]) -> Scores:
        """Scores (n, C + 1) of the model, of those of its members."""
        return self.model.mean(scores) if isinstance(self.model, Ensemble) else scores[0]

    def _scorer(self, model: Localizer, torso: float | None) -> WindowScorer:
        """Scores of one localizer."""
        settle_frames = max(look_ahead_frames(model), round(MIN_SETTLE * model.spec.input.fps))
        return WindowScorer(model, Intake(model.spec, self.skeleton, self.fps, torso, settle_frames))

    def _latency_of(self, hop: int) -> float:
        """Seconds from the end of a frame to its score, at most, if `hop` frames are scored at once."""
        rate, frames = self.model.spec.input.fps, self._look_ahead + hop - 1
        # between two rates a frame lies between two recorded ones, and the later may have just begun
        return frames / rate if self.fps == rate else (frames - 0.5) / rate + 1.5 / self.fps

    def _hop_for(self, latency: float | None) -> int:
        """Frames, at the model's rate, that are scored at once."""
        rate, shortest = self.model.spec.input.fps, self._latency_of(hop=1)
        if latency is None:
            return max(1, round(DEFAULT_HOP * rate))
        if not (math.isfinite(latency) and latency >= shortest - 1e-9):
            raise InputError(
                f"latency: found {latency} s, expected {math.ceil(shortest * 100) / 100:.2f} s or more, since a score "
                f"depends on {self.look_ahead:.2f} s of the motion after its frame"
            )
        return 1 + math.floor((latency - shortest) * rate + 1e-6)


def _members(model: Model) -> list[Localizer]:
    """The localizers that a model consists of."""
    members = list(model.members) if isinstance(model, Ensemble) else [model]
    localizers = [member for member in members if isinstance(member, Localizer)]
    if len(localizers) < len(members):
        raise InputError(f"{type(model).__name__}: only a Localizer, or an ensemble of them, can be streamed")
    return localizers


def stream_recording(stream: StreamLocalizer, recording: Recording, frames: int = 1) -> Iterator[Update]:
    """A recording as if it were live: an update for every `frames` recorded frames, and one for the end."""
    for start in range(0, recording.num_frames, frames):
        yield stream.push(recording.positions[start : start + frames], recording.valid[start : start + frames])
    yield stream.finish()
