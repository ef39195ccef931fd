"""Synthetic performers, and their takes: build and habits, idle movement, and a sequence of gestures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from ...arrays import Float64Array
from ...data.annotation import Span
from .actions import CARRY, CARRYING, DISTRACTORS, LABELLED, SEAT, SEATED, STANDING, Draw, Gesture
from .body import CHANNELS, INDEX, Body, pose

MAX_ACTIONS = 10
"""The largest number of labelled actions in a take."""

VISIBLE = np.deg2rad(3.0)
"""An action begins when a joint has rotated this far (radians) and ends when all are this close to their end."""

_TRIES = 4  # draws of an action that still fits before a take ends idle
_GROUPS = ("adult", "adult", "child", "older")
_IDLE = pose(
    heading=4, pelvis_pitch=1.5, pelvis_roll=1, spine_pitch=2, spine_roll=2, spine_yaw=4, head_pitch=5, head_roll=2.5,
    head_yaw=10, arm_flex=5, arm_abduct=2.5, arm_twist=8, elbow=7, wrist=8, hip_flex=0.8, hip_twist=1.5, knee=1.5,
)  # fmt: skip
_SWAY = pose(l_hip_abduct=2.2, r_hip_abduct=-2.2, spine_roll=-2, pelvis_roll=-0.8)


@dataclass(frozen=True)
class Performer:
    """Build and habits of a performer. ``posture`` (D,), radians, is added to every pose."""

    name: str
    group: str
    body: Body
    posture: Float64Array
    tempo: float
    amplitude: float
    restless: float
    right_handed: float
    """Probability that a one-handed gesture is made with the right."""


def make_performer(seed: int, index: int) -> Performer:
    """Performer `index` of the corpus with this seed: an adult, a child or an older person."""
    rng = np.random.default_rng([seed, 0, index])
    group = _GROUPS[index % len(_GROUPS)]
    height = {"adult": rng.uniform(1.55, 1.95), "child": rng.uniform(1.15, 1.45), "older": rng.uniform(1.5, 1.8)}
    tempo = {"adult": rng.uniform(0.85, 1.2), "child": rng.uniform(1.1, 1.35), "older": rng.uniform(0.7, 0.88)}
    stoop = rng.uniform(10, 24) if group == "older" else rng.uniform(-3, 8)
    posture = pose(
        spine_pitch=stoop, head_pitch=-0.6 * stoop + rng.uniform(-6, 8), arm_abduct=rng.uniform(6, 16),
        arm_twist=rng.uniform(-20, 15), arm_flex=rng.uniform(-4, 6), elbow=rng.uniform(8, 22),
        hip_abduct=rng.uniform(1, 6), hip_twist=rng.uniform(0, 12), hip_flex=5, knee=rng.uniform(5, 11),
    )  # fmt: skip
    posture += np.deg2rad(rng.normal(0, 1.2, len(CHANNELS)))
    posture[[INDEX["air"], INDEX["heading"]]] = 0.0
    return Performer(
        name=f"p{index:02d}",
        group=group,
        body=Body.of(height[group], *(float(f) for f in rng.uniform((0.93, 0.93, 0.85), (1.07, 1.07, 1.18)))),
        posture=posture,
        tempo=tempo[group],
        amplitude=float(rng.uniform(0.85, 1.15)),
        restless=float(rng.uniform(0.6, 1.4)),
        right_handed=0.15 if rng.random() < 0.25 else 0.8,
    )


class Timeline:
    """A take of a performer as it grows: the track (T, D) at the given seconds (T,), the spans, the state.

    Gestures add up as offsets, so one can begin while the other dies away and every transition is blended.
    `distraction` is the probability of an unlabelled gesture between two actions.
    """

    def __init__(
        self, performer: Performer, rng: np.random.Generator, seconds: Float64Array, distraction: float
    ) -> None:
        self.distraction = distraction
        self.performer = performer
        self.rng = rng
        self.seconds = seconds
        self.end = float(seconds[-1])
        self.spans: list[Span] = []
        self.state = STANDING
        self.track = performer.posture + _idle(rng, seconds, performer.restless)
        self.draw = Draw(
            rng=rng,
            amplitude=performer.amplitude,
            right_handed=performer.right_handed,
            seat=SEAT * rng.uniform(0.92, 1.05),
            carry=CARRY * rng.uniform(0.85, 1.1),
        )

    def act(self) -> None:
        """Fill the take with labelled actions, idle time and, between them, some unlabelled gestures."""
        self.state = str(self.rng.choice([STANDING, SEATED, CARRYING], p=[0.7, 0.15, 0.15]))
        self.track += {STANDING: 0 * SEAT, SEATED: self.draw.seat, CARRYING: self.draw.carry}[self.state]
        now = float(self.rng.uniform(0.4, 2.0))
        counts: Counter[str] = Counter()
        tries = 0
        while counts.total() < MAX_ACTIONS:
            if not tries and self.rng.random() < self.distraction:
                now = self._distract(now) + float(self.rng.uniform(0.1, 0.8))
            label = self._choose(counts)
            times = self._add(LABELLED[label], now)
            if times is None:  # too long for the rest of the take
                tries += 1
                if tries == _TRIES:
                    break
                continue
            start, end, now = times
            if self.spans:  # motions blend into each other, labels are exclusive
                start = max(start, self.spans[-1].end)
            self.spans.append(Span(start, end, label))
            counts[label] += 1
            now += -0.25 if self.rng.random() < 0.2 else 0.3 + min(float(self.rng.exponential(0.8)), 3.0)
        self.loiter(now)

    def loiter(self, start: float = 0.0) -> None:
        """Fill the take from `start` on without labelled actions."""
        now = start + float(self.rng.uniform(0.3, 2.0))
        while now < self.end:
            if self.rng.random() < self.distraction:
                now = self._distract(now)
            now += float(self.rng.uniform(0.5, 3.0))

    def _choose(self, counts: Counter[str]) -> str:
        """The next action, which must be possible in this state; actions done less often are more likely."""
        possible = [label for label, gesture in LABELLED.items() if self.state in gesture.during]
        weights = np.array([(1.0 + counts[label]) ** -2 for label in possible])
        weights *= [2.5 if len(LABELLED[label].during) == 1 else 1.0 for label in possible]  # rarely possible
        return str(self.rng.choice(possible, p=weights / weights.sum()))

    def _distract(self, now: float) -> float:
        """Add an unlabelled gesture if one fits; returns the time at which it is over."""
        possible = [gesture for gesture in DISTRACTORS if self.state in gesture.during]
        times = self._add(possible[self.rng.integers(len(possible))], now)
        return now if times is None else times[2]

    def _add(self, gesture: Gesture, start: float) -> tuple[float, float, float] | None:
        """Add a gesture at `start`: when it begins and ends to be visible, and when it is over; None if too late."""
        motion = gesture.make(self.draw)
        length = float(motion.seconds / (self.performer.tempo * self.rng.lognormal(0.0, 0.15)))
        haste = self.rng.uniform(-0.3, 0.3)  # quick or slow at the beginning
        if start + length > self.end:
            return None

        def offsets(u: Float64Array) -> Float64Array:
            return motion.offsets(u + haste * np.sin(2 * np.pi * u) / (2 * np.pi))

        since = (self.seconds - start) / length
        inside, after = (since >= 0) & (since < 1), since >= 1
        self.track[inside] += offsets(since[inside])
        last = offsets(np.ones(1))
        self.track[after] += last
        if gesture.leaves is not None:
            self.state = gesture.leaves
        u = np.linspace(0, 1, 101)
        curve = offsets(u)
        begun = u[np.argmax(np.abs(curve - curve[0]).max(axis=1) > VISIBLE)]
        ended = 1 - u[np.argmax(np.abs(curve - last)[::-1].max(axis=1) > VISIBLE)]
        return start + float(begun) * length, start + float(ended) * length, start + length


def _idle(rng: np.random.Generator, seconds: Float64Array, size: float) -> Float64Array:
    """The movement (T, D), radians, of somebody who is idle: slow waves, and weight shifts."""
    waves = 6
    columns = len(CHANNELS) + 1
    hertz = np.exp(rng.uniform(np.log(0.06), np.log(0.7), (waves, columns)))
    phase = rng.uniform(0, 2 * np.pi, (waves, columns))
    weight = rng.uniform(0.3, 1.0, (waves, columns)) * (hertz / 0.06) ** -0.35
    weight /= np.sqrt((weight**2).sum(axis=0) / 2)  # unit variance
    drift = sum(w * np.sin(2 * np.pi * f * seconds[:, None] + p) for w, f, p in zip(weight, hertz, phase, strict=True))
    return np.asarray(size * (drift[:, :-1] * _IDLE + drift[:, -1:] * _SWAY))
