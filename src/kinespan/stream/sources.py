"""Where the features of frames come from: a network run step by step, or windows run again and again.

A source takes frames as they come and gives features of frames as they become final, in order; ``lag`` is how many
more frames that takes at most. ``tail`` gives the rest as if the recording ended now, and changes nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from numpy.typing import NDArray

from ..localizer import Localizer
from ..transforms.normalise import Motion
from ..transforms.streams import compute_streams
from .layers import Layer
from .networks import EncoderSteps, FusionSteps, encoder_steps, fusion_steps
from .products import Floats
from .steps import Presence

Positions = NDArray[np.float32]
Valid = NDArray[np.bool_]
MOST = 64
"""Frames that go through a network at once; more come one group after the other, so that buffers stay small."""
FREE = -1
"""In place of a person slot: a row that stands for nobody."""


def anybody(valid: Valid, axis: int) -> Valid:
    """Which person slots (P,), axis 0, or frames (n,), axis 1, of valid (n, P) have somebody in them."""
    return np.asarray(valid.any(axis=axis))


class Source(ABC):
    """Fused features of a localizer's frames, as they come."""

    lag: int

    @abstractmethod
    def push(self, positions: Positions, valid: Valid) -> Floats:
        """Features (n', C) that the next frames, positions (n, P, J, 3) and valid (n, P), make final."""

    @abstractmethod
    def tail(self, positions: Positions, valid: Valid) -> Floats:
        """Features of all frames that are not final yet, for a recording that ends after these frames."""


def source_of(model: Localizer, hop: float) -> Source:
    """The source that suits a localizer; `hop`: seconds between two windows where there are some."""
    lag = _ahead(model)
    encoder = encoder_steps(model.encoder, model.spec.input.skeleton.num_joints, lag)
    fusion = None if encoder is None else fusion_steps(model.fusion, model.encoder, encoder.arrivals)
    if encoder is not None and fusion is not None:
        return NetworkSource(model, encoder, fusion)
    if model.feature_halo is None:
        return ClipSource(model)
    return WindowSource(model, model.feature_halo, max(1, round(hop * model.spec.input.fps)))


def _ahead(model: Localizer) -> int:
    """Frames after a frame that its streams need: motion is a forward difference."""
    return int(any(stream.endswith("_motion") for stream in model.spec.input.streams))


class NetworkSource(Source):
    """A network run step by step: what a frame costs does not depend on what came before."""

    def __init__(self, model: Localizer, encoder: EncoderSteps, fusion: FusionSteps) -> None:
        self.spec, self.encoder, self.fusion = model.spec, encoder, fusion
        self.lag = fusion.lag
        self.ahead = _ahead(model)
        assert model.feature_halo is not None
        # once absent for as long, a person is in no output that is still to come
        self.presence = Presence(self.lag + model.feature_halo + model.encoder.strides[-1])
        self.people: list[int] = []
        """The person slot of each row, or FREE; ``full``: row k is slot k's, for all that there are."""
        self.full = False
        self._seat([], 1)
        self.held: tuple[tuple[Positions, Valid], ...] = ()
        """Frames that wait for the encoder's turn, and the latest, whose motion is not known yet."""

    @property
    def parts(self) -> list[Layer]:
        """All that has a memory."""
        return [*self.encoder.parts, *self.fusion.parts]

    def push(self, positions: Positions, valid: Valid) -> Floats:
        """Features (n', C) that the next frames, positions (n, P, J, 3) and valid (n, P), make final."""
        starts = range(0, len(positions), MOST)
        found = [self._pass(positions[at : at + MOST], valid[at : at + MOST], end=False) for at in starts]
        return found[0] if len(found) == 1 else np.concatenate([self._none(), *found])

    def tail(self, positions: Positions, valid: Valid) -> Floats:
        """Features of all frames that are not final yet, for a recording that ends after these frames."""
        held, people, full, presence = self.held, list(self.people), self.full, self.presence.save()
        kept = [part.save() for part in self.parts]
        found = [self.push(positions, valid), self._pass(positions[:0], valid[:0], end=True)]
        self.held, self.people, self.full = held, people, full
        self.presence.load(presence)
        for part, one in zip(self.parts, kept, strict=True):
            part.load(one)
        return np.concatenate(found)

    def _none(self) -> Floats:
        return np.zeros((0, self.fusion.channels), dtype=np.float32)

    def _pass(self, positions: Positions, valid: Valid, end: bool) -> Floats:
        """Some frames through the network."""
        # frames that `presence` holds: all that are held but for the latest, if its motion is not known yet
        seen = max(0, sum(len(there) for _, there in self.held) - self.ahead)
        self.held = (*self.held, (positions, valid))
        if self.ahead:
            valid = np.concatenate([there for _, there in self.held])[seen:]
        fresh = len(valid) - (0 if end else self.ahead)
        if fresh <= 0 and not end:
            return self._none()
        if self.full and self.presence.everyone and valid.all():
            here = valid
        else:
            self._welcome(valid)
            here = self._seated(valid)
        self.presence.add(here[:fresh].T)
        x = self._streams(seen + fresh if end or self.encoder.due(self.presence) else 0)
        levels = self.encoder(x, self.presence, end)
        return self.fusion(levels, self.presence, end)

    def _streams(self, count: int) -> Floats:
        """Streams (N, J, n, C) of people in the first `count` frames that are held, which wait no longer."""
        spec = self.spec
        if not count:
            joints = spec.input.skeleton.num_joints
            return np.zeros((len(self.people), joints, 0, 3 * len(spec.input.streams)), dtype=np.float32)
        positions, valid = (np.concatenate(part) for part in zip(*self.held, strict=True))
        self.held = ((positions[count:], valid[count:]),)
        slots = np.maximum(self.people, 0)  # whoever a free row is given is not there
        where, there = torch.from_numpy(positions[:, slots])[None], torch.from_numpy(self._seated(valid))[None]
        found = compute_streams(where, there, spec.input.skeleton, spec.input.streams, spec.input.fps)
        return found[0, :count].permute(1, 2, 0, 3).numpy()

    def _seated(self, valid: Valid) -> Valid:
        """Whether the person of each row was there (n, N), of valid (n, P)."""
        people = np.array(self.people)
        return np.asarray(valid[:, np.maximum(people, 0)] & (people != FREE))

    def _welcome(self, valid: Valid) -> None:
        """Give rows to people who have come, and free those of people who have long gone."""
        there = anybody(valid, axis=0)
        if np.flatnonzero(there).tolist() == self.people and self.presence.everyone:
            return
        gone = self.presence.gone()
        for row, slot in enumerate(self.people):
            if slot != FREE and gone[row] and not there[slot]:
                self.people[row] = FREE
        new = [int(slot) for slot in np.flatnonzero(there) if slot not in self.people]
        taken = [row for row, slot in enumerate(self.people) if slot != FREE]
        free = [row for row, slot in enumerate(self.people) if slot == FREE][: max(len(new), 1 - len(taken))]
        if len(taken) + len(free) < len(self.people) or len(new) > len(free):
            self._seat(sorted(taken + free), len(new) - len(free))
        for slot in new:
            self.people[self.people.index(FREE)] = slot
        self.full = self.people == list(range(valid.shape[1]))

    def _seat(self, rows: list[int], added: int) -> None:
        """Keep some rows and add free ones."""
        added = max(0, added)
        per = self.encoder.rows
        index = [row * per + one for row in rows for one in range(per)]
        for part in self.encoder.parts:
            for steps in part.memory:
                steps.choose(index, added * per)
        self.presence.choose(rows, added)
        self.people = [self.people[row] for row in rows] + [FREE] * added


class _Kept:
    """The latest frames of a recording; ``first`` is the number of the first that is kept."""

    def __init__(self) -> None:
        self.positions: Positions | None = None
        self.valid: Valid = np.zeros((0, 0), dtype=bool)
        self.first = 0

    @property
    def end(self) -> int:
        return self.first + len(self.valid)

    def with_more(self, positions: Positions, valid: Valid) -> _Kept:
        more = _Kept()
        more.first = self.first
        more.positions = positions if self.positions is None else np.concatenate([self.positions, positions])
        more.valid = valid if self.positions is None else np.concatenate([self.valid, valid])
        return more

    def since(self, frame: int) -> _Kept:
        """Without the frames before one."""
        assert self.positions is not None
        later = _Kept()
        later.first = max(frame, self.first)
        cut = later.first - self.first
        later.positions, later.valid = self.positions[cut:].copy(), self.valid[cut:].copy()
        return later

    def features(self, model: Localizer, start: int, end: int) -> Floats:
        """Features (end - start, C) that a model finds in these frames alone."""
        assert self.positions is not None
        at = slice(start - self.first, end - self.first)
        length = (end - start + model.encoder.strides[-1] + 1) / model.spec.input.fps  # in one pass
        motion = Motion(self.positions[at], self.valid[at], model.spec.input.fps, "stream")
        with torch.inference_mode():
            return np.asarray(model.motion_features(motion, length).float().cpu().numpy())


class WindowSource(Source):
    """Windows that see a halo around what is kept of them, every `hop` frames: any encoder whose halo is known."""

    def __init__(self, model: Localizer, halo: int, hop: int) -> None:
        self.model, self.halo, self.hop = model, halo, hop
        self.lag = halo + hop - 1
        self.stride = model.encoder.strides[-1]
        self.kept, self.done = _Kept(), 0

    def push(self, positions: Positions, valid: Valid) -> Floats:
        """Features (n', C) that the next frames, positions (n, P, J, 3) and valid (n, P), make final."""
        self.kept = self.kept.with_more(positions, valid)
        if self.kept.end - self.halo - self.done < self.hop:
            return np.zeros((0, self.model.fusion.channels), dtype=np.float32)
        found = self._until(self.kept, self.kept.end - self.halo)
        self.done += len(found)
        self.kept = self.kept.since(self._start())
        return found

    def tail(self, positions: Positions, valid: Valid) -> Floats:
        """Features of all frames that are not final yet, for a recording that ends after these frames."""
        kept = self.kept.with_more(positions, valid)
        return self._until(kept, kept.end)

    def _start(self) -> int:
        """The first frame that a window sees: windows start on multiples of the stride."""
        return max(0, (self.done - self.halo) // self.stride * self.stride)

    def _until(self, kept: _Kept, end: int) -> Floats:
        """Features of the frames from those done to `end`."""
        if end <= self.done:
            return np.zeros((0, self.model.fusion.channels), dtype=np.float32)
        start = self._start()
        return kept.features(self.model, start, kept.end)[self.done - start : end - start]


class ClipSource(Source):
    """Clip-long windows, half over half, as the localizer blends them: encoders that look at a whole clip."""

    def __init__(self, model: Localizer) -> None:
        self.model, self.length = model, model.spec.clip_frames
        self.lag = self.length  # a window may yet end anywhere within a clip of the last frame
        self.half = max(1, self.length // 2)
        place = np.arange(self.length)
        self.weight: Floats = np.minimum(place + 1, self.length - place)[:, None].astype(np.float32)
        self.kept, self.done, self.next = _Kept(), 0, 0
        self.total: Floats | None = None
        self.weights: Floats = np.zeros((0, 1), dtype=np.float32)

    def push(self, positions: Positions, valid: Valid) -> Floats:
        """Features (n', C) that the next frames, positions (n, P, J, 3) and valid (n, P), make final."""
        self.kept = self.kept.with_more(positions, valid)
        while self.next + self.length <= self.kept.end:
            self.total, self.weights = self._blended(self.kept, self.next)
            self.next += self.half
        count = max(0, self.kept.end - self.length - self.done)
        if self.total is None or not count:
            return np.zeros((0, self.model.fusion.channels), dtype=np.float32)
        found = self.total[:count] / self.weights[:count]
        self.total, self.weights = self.total[count:].copy(), self.weights[count:].copy()
        self.done += count
        self.kept = self.kept.since(min(self.done, self.next))
        return found

    def tail(self, positions: Positions, valid: Valid) -> Floats:
        """Features of all frames that are not final yet, for a recording that ends after these frames."""
        kept, state = self.kept, (self.total, self.weights, self.done, self.next)
        found = [self.push(positions, valid)]
        last = self.kept.end - self.length
        if self.kept.end and last <= 0 and self.next == 0:  # the recording is no longer than a clip
            found.append(self.kept.features(self.model, 0, self.kept.end))
        elif self.kept.end:
            again = self.next - self.half == last  # the regular windows have ended with the recording
            total, weights = (self.total, self.weights) if again else self._blended(self.kept, last)
            assert total is not None
            found.append(total / weights)
        self.kept = kept
        self.total, self.weights, self.done, self.next = state
        return np.concatenate(found)

    def _blended(self, kept: _Kept, start: int) -> tuple[Floats, Floats]:
        """Sums and weights of the frames from those done on, with one more window in them."""
        found = kept.features(self.model, start, start + self.length)
        frames = max(start + self.length - self.done, len(self.weights))
        total, weights = (np.zeros((frames, width), dtype=np.float32) for width in (found.shape[1], 1))
        if self.total is not None:
            total[: len(self.total)], weights[: len(self.weights)] = self.total, self.weights
        cut = max(0, self.done - start)  # what lies before has been given
        at = slice(start + cut - self.done, start + self.length - self.done)
        total[at] += self.weight[cut:] * found[cut:]
        weights[at] += self.weight[cut:]
        return total, weights
