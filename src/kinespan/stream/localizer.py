"""The StreamLocalizer: recorded frames in as they come, frame scores and Spans out as soon as they are certain."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ..annotation import Span
from ..ensemble import Ensemble
from ..errors import InputError
from ..localizer import Localizer
from ..model import Model, Scores
from ..recording import Recording
from ..skeleton import Skeleton
from ..transforms.normalise import num_resampled
from .heads import Heads
from .intake import Intake
from .products import ONE_THREAD
from .segmenter import Segmenter
from .sources import anybody, source_of

Positions = NDArray[np.float32]
Valid = NDArray[np.bool_]


@dataclass(frozen=True)
class Update:
    """What came of pushed frames: scores (n, C + 1) of the model's frames from ``first`` on, and spans that closed.

    Neither changes any more.
    """

    first: int
    scores: Scores
    closed: tuple[Span, ...]


class StreamLocalizer:
    """Localizes a recording while it is made.

    Scores are those of one pass over the whole recording, but for rounding, and come ``latency`` seconds after their
    frames at most: a network needs to see that much of what follows. Convolutional networks (ST-GCN, TCN, with any
    fusion and refinement) remember what each layer still looks at, so that a frame costs the same however much came
    before. Of other encoders whose halo is known, windows are run again every `hop` seconds; of those that look at
    whole clips, the windows that `Localizer` blends. With `lookahead` scores come that many seconds (and up to `hop`)
    after their frames, and are those of a recording that is cut off when they come; each `hop` then costs about as
    much as a window does.

    The localizer's `precision` when the stream is made is the stream's: in bfloat16 only large products are.

    Spans are those of `Model.segment` by arg-max, the people together: the most probable segments (viterbi) hang on all
    that follows for about as long as the longest action. While a track has a gap that may yet be filled, its frames
    wait for up to the normalisation's `fill_gap` seconds.

    What normalisation takes from a whole recording is not known while it is made. Place and heading go by the first
    frame with anybody in it, as they always do. The size of a body is `torso` metres from root to mid-shoulders, or the
    median over the first `settle` seconds of motion, for which the first scores wait; with the whole recording's
    own (`torso_of`) scores are the same. The published families of normalisation take the first person to be the one
    of the lowest slot in the first frame, and never fill a track that has ended.
    """

    def __init__(
        self,
        model: Model,
        fps: float,
        skeleton: Skeleton | None = None,
        *,
        torso: float | None = None,
        settle: float = 2.0,
        lookahead: float | None = None,
        hop: float = 0.2,
    ) -> None:
        """fps and skeleton: of the frames that will come; by default the model's skeleton.

        Raises InputError for numbers that make no sense and for a skeleton that does not map to the model's.
        """
        for name, value, least in (("fps", fps, 1e-9), ("torso", torso, 1e-9), ("settle", settle, 0), ("hop", hop, 0)):
            if value is not None and not (math.isfinite(value) and value >= least):
                raise InputError(f"{name}: found {value}, expected a positive number")
        if lookahead is not None and not lookahead >= 0:
            raise InputError(f"lookahead: found {lookahead}, expected 0 or more seconds, or none")
        self.model, self.fps = model, float(fps)
        self.skeleton = model.spec.input.skeleton if skeleton is None else skeleton
        members = list(model.members) if isinstance(model, Ensemble) else [model]
        self._members = [
            _Member(member, self.skeleton, self.fps, torso, settle, hop)
            for member in members
            if isinstance(member, Localizer)
        ]
        if not self._members or len(self._members) != len(members):
            raise InputError(f"{type(model).__name__}: streaming takes a Localizer, or several that are fused")
        rate, own = model.spec.input.fps, model.spec.decode
        self._lag = max(member.lag for member in self._members)
        self._hop = max(1, round(hop * rate))
        self._ahead = None if lookahead is None else round(lookahead * rate)
        if self._ahead is not None and self._ahead >= self._lag:
            self._ahead = None  # the whole pass is there by then
        self._segmenter = Segmenter(rate, model.labels, own.min_duration, own.smooth)
        self._queues = [_Queue(len(model.labels) + 1) for _ in self._members]
        self._given = 0
        self._recorded = 0
        self._slots: int | None = None
        self._over = False

    @property
    def latency(self) -> float:
        """Seconds from the end of a frame to its score, at most, while no gap is open and the size is known."""
        rate = self.model.spec.input.fps
        frames = self._lag if self._ahead is None else self._ahead + self._hop - 1
        # between two rates a frame lies between two recorded ones, and the later may have just begun
        return frames / rate if self.fps == rate else (frames - 0.5) / rate + 1.5 / self.fps

    @property
    def open(self) -> tuple[Span, ...]:
        """The spans that are not closed, with their scores so far, as if the recording ended with the latest score."""
        return () if self._over else tuple(self._segmenter.open())

    def push(self, positions: Positions, valid: Valid | None = None) -> Update:
        """What the next frames bring: positions (P, J, 3) or (n, P, J, 3) in metres, y up, valid (P,) or (n, P).

        valid None: everybody is there. Both are copied. The first frames say how many person slots P there are; frames
        with fewer are taken to lack the others. Raises InputError for other shapes, values that are not finite where
        valid, and frames after `finish`.
        """
        frames = self._checked(positions, valid)
        self._recorded += len(frames[0])
        with ONE_THREAD:
            for member, queue in zip(self._members, self._queues, strict=True):
                queue.put(member.push(*frames))
            if self._ahead is None:
                ready = min(queue.end for queue in self._queues)
                scores = self._mean([queue.take(ready) for queue in self._queues])
            else:
                scores = self._so_far(self._ahead)
        return self._update(scores, self._segmenter.push(scores))

    def finish(self) -> Update:
        """The recording has ended: all scores and spans that are left."""
        if self._over:
            raise InputError("the stream is finished; a new recording takes a new StreamLocalizer")
        self._over = True
        scores = self._cut() if self._recorded else np.zeros((0, len(self.model.labels) + 1), dtype=np.float32)
        return self._update(scores, self._segmenter.finish(scores))

    def _so_far(self, ahead: int) -> Scores:
        """Scores of frames that are `lookahead` old, of a recording that ends now, where it is time for some."""
        due = num_resampled(self._recorded, self.fps, self.model.spec.input.fps) - ahead
        if due - self._given < self._hop:
            return np.zeros((0, len(self.model.labels) + 1), dtype=np.float32)
        scores = self._cut()[: due - self._given]
        for queue in self._queues:
            queue.take(due)
        return scores

    def _cut(self) -> Scores:
        """Scores of all frames that are not given yet, for a recording that ends now."""
        with ONE_THREAD:
            tails = [member.tail() for member in self._members]
        return self._mean([queue.followed_by(tail) for queue, tail in zip(self._queues, tails, strict=True)])

    def _mean(self, found: list[Scores]) -> Scores:
        """Scores of the members as one, as `Ensemble` has them."""
        return self.model.mean(found) if isinstance(self.model, Ensemble) else found[0]

    def _update(self, scores: Scores, closed: list[Span]) -> Update:
        first = self._given
        self._given += len(scores)
        return Update(first, scores, tuple(closed))

    def _checked(self, positions: Positions, valid: Valid | None) -> tuple[Positions, Valid]:
        """Frames (n, P, J, 3) and valid (n, P), zero where not valid, or InputError."""
        if self._over:
            raise InputError("the stream is finished; a new recording takes a new StreamLocalizer")
        where = np.array(positions, dtype=np.float32)  # frames are kept for a while, the caller's array may change
        where = where[None] if where.ndim == 3 else where
        joints, name = self.skeleton.num_joints, self.skeleton.name
        if where.ndim != 4 or where.shape[2:] != (joints, 3) or not where.shape[1]:
            shape = np.shape(positions)
            raise InputError(f"frames: found shape {shape}, expected (P, {joints}, 3) for {name!r} or n of them")
        there = np.ones(where.shape[:2], dtype=bool) if valid is None else np.array(valid, dtype=bool)
        there = there[None] if there.ndim == 1 else there
        if there.shape != where.shape[:2]:
            raise InputError(f"valid: found shape {there.shape}, expected {where.shape[:2]} for these frames")
        self._slots = self._slots or where.shape[1]
        if where.shape[1] > self._slots:
            raise InputError(
                f"frames: found {where.shape[1]} person slots, the first had {self._slots}; begin with all there may be"
            )
        if valid is not None and not there.all():
            where = np.where(there[:, :, None, None], where, np.float32(0))
        if not np.isfinite(where).all():
            frame = self._recorded + int(np.argmax(~np.isfinite(where).all(axis=(1, 2, 3))))
            raise InputError(f"frame {frame} holds a value that is not finite; mark who was not seen as not valid")
        missing = self._slots - where.shape[1]
        if missing:
            where = np.pad(where, ((0, 0), (0, missing), (0, 0), (0, 0)))
            there = np.pad(there, ((0, 0), (0, missing)))
        return where, there


class _Member:
    """One localizer: recorded frames in, frame scores out."""

    def __init__(
        self, model: Localizer, skeleton: Skeleton, fps: float, torso: float | None, settle: float, hop: float
    ) -> None:
        self.intake = Intake(model.spec, skeleton, fps, torso, settle)
        with model.autocast():
            self.source = source_of(model, hop)
            self.heads = Heads(model)
        self.heads.expect(self.source.lag)
        self.lag = self.source.lag + self.heads.lag
        self.like: tuple[Positions, Valid] | None = None

    def push(self, positions: Positions, valid: Valid) -> Scores:
        """Scores that recorded frames make final."""
        self.like = positions[:0], valid[:0]
        positions, valid = self.intake.push(positions, valid)
        self.heads.seen(anybody(valid, axis=1))
        return self.heads(self.source.push(positions, valid))

    def tail(self) -> Scores:
        """The scores that are left if the recording ends now; changes nothing."""
        assert self.like is not None
        positions, valid = self.intake.tail(self.like)
        return self.heads.tail(anybody(valid, axis=1), self.source.tail(positions, valid))


class _Queue:
    """Scores of one member that are final, up to frame ``end``, and not given out yet, from frame ``first`` on."""

    def __init__(self, classes: int) -> None:
        self.rows: Scores = np.zeros((0, classes), dtype=np.float32)
        self.first = self.end = 0

    def put(self, scores: Scores) -> None:
        """The next scores; those of frames before ``first`` have been given out before they were final."""
        late = self.first - self.end
        self.end += len(scores)
        scores = scores[max(0, late) :]
        self.rows = np.concatenate([self.rows, scores]) if len(self.rows) else scores

    def take(self, until: int) -> Scores:
        """The scores of frames before `until`, as far as they are there; they are given out."""
        rows, self.rows = self.rows[: until - self.first], self.rows[until - self.first :]
        self.first = until
        return rows

    def followed_by(self, tail: Scores) -> Scores:
        """The scores that are not given out, and those of all frames that are not final."""
        return np.concatenate([self.rows, tail[max(0, self.first - self.end) :]])


def stream_recording(stream: StreamLocalizer, recording: Recording, frames: int = 1) -> Iterator[Update]:
    """A recording as if it were live, `frames` recorded frames a push, and then the end."""
    for start in range(0, recording.num_frames, frames):
        yield stream.push(recording.positions[start : start + frames], recording.mask[start : start + frames])
    yield stream.finish()


def push_times(stream: StreamLocalizer, recording: Recording, warmup: int = 0) -> NDArray[np.float64]:
    """Seconds (T - warmup,) that each push of one frame of a recording takes, the first `warmup` left out."""
    times = []
    for position, valid in zip(recording.positions, recording.mask, strict=True):
        begin = perf_counter()
        stream.push(position, valid)
        times.append(perf_counter() - begin)
    return np.array(times[warmup:])
