"""The gestures of the synthetic performers: labelled actions, and distractors.

Two actions of a pair are one motion forwards and backwards (or mirrored), so that no single pose tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...arrays import Float64Array
from .body import INDEX, mirrored, pose

STANDING, SEATED, CARRYING = "standing", "seated", "carrying"

SEAT = pose(hip_flex=84, knee=84, hip_abduct=5, spine_pitch=6, pelvis_pitch=-4, arm_flex=20, arm_twist=-18, elbow=28)
CARRY = pose(arm_flex=8, arm_abduct=8, arm_twist=-12, elbow=82, spine_pitch=-5)


@dataclass(frozen=True)
class Motion:
    """A gesture before it is timed: its usual length in seconds, and its offsets as a function of time u in [0, 1].

    ``offsets`` maps u (n,) to (n, D), radians (metres for ``air``), relative to the pose in which the gesture begins.
    """

    seconds: float
    offsets: Callable[[Float64Array], Float64Array]

    def backwards(self) -> Motion:
        """The same motion from its end to its beginning."""
        end = self.offsets(np.ones(1))
        return Motion(self.seconds, lambda u: self.offsets(1 - u) - end)

    def mirrored(self) -> Motion:
        """The same motion with left and right exchanged."""
        return Motion(self.seconds, lambda u: mirrored(self.offsets(u)))


@dataclass(frozen=True)
class Draw:
    """Everything that a gesture depends on: randomness, the performer's size of movement, the seat and the load."""

    rng: np.random.Generator
    amplitude: float
    right_handed: float
    """Probability that a one-handed gesture is made with the right."""
    seat: Float64Array
    carry: Float64Array

    def vary(self, value: float, spread: float = 0.15) -> float:
        """The value times a random factor of 1 - spread to 1 + spread."""
        return value * float(self.rng.uniform(1 - spread, 1 + spread))

    def size(self) -> float:
        """A random size of this gesture."""
        return self.vary(self.amplitude, 0.2)

    def sided(self, motion: Motion) -> Motion:
        """The motion, written for the right side, on a random side."""
        return motion if self.rng.random() < self.right_handed else motion.mirrored()


@dataclass(frozen=True)
class Gesture:
    """A kind of motion: how to draw one, the states in which it may begin, and the state after it (None: unchanged)."""

    make: Callable[[Draw], Motion]
    during: tuple[str, ...] = (STANDING,)
    leaves: str | None = None


def through(seconds: float, *keys: tuple[float, Float64Array]) -> Motion:
    """Motion through keys (share of its time from 0 to 1, pose), from 0, without overshoot, at rest at both ends.

    Piecewise cubic; the slope at an inner key is the harmonic mean of its neighbours' where they agree in sign and
    else 0 (Fritsch and Butland 1984).
    """
    times = np.array([0.0, *(time for time, _ in keys)])
    poses = np.stack([np.zeros_like(keys[0][1]), *(key for _, key in keys)])
    slopes = np.diff(poses, axis=0) / np.diff(times)[:, None]
    product = slopes[1:] * slopes[:-1]
    total = np.where(product > 0, slopes[1:] + slopes[:-1], 1.0)
    tangents = np.zeros_like(poses)
    tangents[1:-1] = np.where(product > 0, 2 * product / total, 0.0)

    def offsets(u: Float64Array) -> Float64Array:
        k = np.clip(np.searchsorted(times, u, side="right") - 1, 0, len(times) - 2)
        width = (times[k + 1] - times[k])[:, None]
        s = (u - times[k])[:, None] / width
        value = (1 + 2 * s) * (1 - s) ** 2 * poses[k] + s**2 * (3 - 2 * s) * poses[k + 1]
        return np.asarray(value + width * s * (1 - s) * ((1 - s) * tangents[k] - s * tangents[k + 1]))

    return Motion(seconds, offsets)


def smooth_step(u: Float64Array) -> Float64Array:
    """Minimum-jerk rise from 0 at u <= 0 to 1 at u >= 1 (Flash and Hogan 1985)."""
    u = np.clip(u, 0.0, 1.0)
    return np.asarray(u**3 * (10 - 15 * u + 6 * u**2))


def _faded(seconds: float, ramp: float, wobble: Callable[[Float64Array], Float64Array]) -> Motion:
    """`wobble`, a function of seconds (n,) to poses (n, D), faded in and out over `ramp` seconds each."""

    def offsets(u: Float64Array) -> Float64Array:
        t = u * seconds
        fade = smooth_step(t / ramp) * smooth_step((seconds - t) / ramp)
        return fade[:, None] * wobble(t)

    return Motion(seconds, offsets)


def _columns(u: Float64Array, **degrees: Float64Array) -> Float64Array:
    """Poses (n, D) at times u (n,) from columns (n,) in degrees."""
    poses = np.zeros((len(u), len(INDEX)))
    for name, value in degrees.items():
        poses[:, INDEX[name]] = np.deg2rad(value)
    return poses


# Labelled actions


def _sit(draw: Draw) -> Motion:
    lean = draw.vary(1.0, 0.4)
    down = 0.55 * draw.seat + pose(pelvis_pitch=24 * lean, spine_pitch=16 * lean, arm_flex=14 * lean, head_pitch=8)
    return through(draw.vary(1.7), (draw.vary(0.55, 0.1), down), (1.0, draw.seat))


def _pick(draw: Draw) -> Motion:
    stoop = draw.rng.uniform()
    bottom = pose(
        hip_flex=92 - 70 * stoop, knee=118 - 85 * stoop, pelvis_pitch=38 + 34 * stoop, spine_pitch=30 + 22 * stoop,
        arm_flex=62 + 40 * stoop, elbow=6, head_pitch=-18, arm_abduct=6, arm_twist=-10,
    )  # fmt: skip
    half = draw.vary(0.5, 0.1)
    return through(draw.vary(2.1), (half, bottom), (half + 0.06, bottom), (1.0, draw.carry))


def _push(draw: Draw) -> Motion:
    size = draw.size()
    bent = pose(arm_flex=-14, arm_abduct=26, arm_twist=-14, elbow=118, wrist=-35, spine_pitch=-4)
    out = pose(arm_flex=80 * size, arm_abduct=6, elbow=-12, wrist=-35, spine_pitch=8 * size, pelvis_pitch=5 * size)
    if draw.rng.random() < 0.5:  # with one hand
        left = [INDEX[name] for name in INDEX if name.startswith("l_")]
        bent[left] = out[left] = 0.0
        bent[INDEX["spine_yaw"]], out[INDEX["spine_yaw"]] = np.deg2rad((-14, 16))
    motion = through(draw.vary(1.9), (0.28, bent), (0.34, bent), (0.66, out), (0.72, out), (1.0, 0 * out))
    return draw.sided(motion)


def _circle(draw: Draw) -> Motion:
    """Clockwise as the performer sees it, in front of the body, with either arm, stretched out."""
    turns, seconds = draw.rng.uniform(1.9, 3.2), draw.vary(1.0, 0.2)
    start, radius, high = draw.rng.uniform(0, 2 * np.pi), np.clip(32 * draw.size(), 25, 42), draw.vary(76, 0.1)
    right = draw.rng.random() < draw.right_handed
    sense = -1.0 if right else 1.0  # the left hand mirrors the right: it has to go round the other way

    def wobble(t: Float64Array) -> Float64Array:
        phase = start + sense * 2 * np.pi * t / seconds
        return _columns(
            t, r_arm_flex=high + radius * np.sin(phase), r_arm_abduct=14 + radius * np.cos(phase),
            r_elbow=np.full_like(t, -24.0), spine_yaw=0.1 * radius * np.cos(phase),
        )  # fmt: skip

    motion = _faded(turns * seconds + 0.9, 0.5, wobble)
    return motion if right else motion.mirrored()


def _march(draw: Draw, rate: float, lift: float, seconds: float) -> Motion:
    """Steps on the spot, `rate` per second, with either foot first."""
    start = np.pi * draw.rng.integers(2)

    def wobble(t: Float64Array) -> Float64Array:
        beat = np.sin(start + np.pi * rate * t)
        left, right = np.clip(beat, 0, 1) ** 2, np.clip(-beat, 0, 1) ** 2
        return _columns(
            t, l_hip_flex=lift * left, r_hip_flex=lift * right, l_knee=1.9 * lift * left, r_knee=1.9 * lift * right,
            l_toe=0.7 * lift * left, r_toe=0.7 * lift * right, pelvis_roll=-2 * beat, spine_roll=3 * beat,
        )  # fmt: skip

    return _faded(seconds, 0.25, wobble)


def _turn_left(draw: Draw) -> Motion:
    angle = np.clip(100 * draw.size(), 55, 170)
    seconds = draw.vary(0.6 + angle / 85, 0.1)
    steps = _march(draw, draw.vary(2.0), draw.vary(20), seconds)
    return Motion(seconds, lambda u: steps.offsets(u) + _columns(u, heading=angle * smooth_step(u)))


def _walk(draw: Draw) -> Motion:
    """A few steps forward."""
    seconds, rate, size = draw.rng.uniform(1.6, 2.8), draw.vary(1.7), draw.vary(1.0, 0.2)
    start = np.pi * draw.rng.integers(2)

    def wobble(t: Float64Array) -> Float64Array:
        phase = start + np.pi * rate * t
        swing, left, right = np.sin(phase), np.clip(np.cos(phase), 0, 1), np.clip(-np.cos(phase), 0, 1)
        bend = 48 * size
        return _columns(
            t, l_hip_flex=20 * size * swing + 12 * left**2, r_hip_flex=-20 * size * swing + 12 * right**2,
            l_knee=bend * left**2, r_knee=bend * right**2, l_arm_flex=-16 * size * swing, r_arm_flex=16 * size * swing,
            l_elbow=4 - 4 * swing, r_elbow=4 + 4 * swing, spine_yaw=5 * swing, l_toe=10 * left**2, r_toe=10 * right**2,
        )  # fmt: skip

    return _faded(seconds, 0.4, wobble)


def _wave(draw: Draw) -> Motion:
    size, rate, high = draw.size(), draw.vary(2.0, 0.25), draw.rng.uniform(55, 95)

    def wobble(t: Float64Array) -> Float64Array:
        beat = np.sin(2 * np.pi * rate * t)
        return _columns(
            t, r_arm_flex=np.full_like(t, 18.0), r_arm_abduct=high + 4 * beat, r_arm_twist=78 + 24 * size * beat,
            r_elbow=86 + 8 * size * beat, r_wrist=6 * beat,
        )  # fmt: skip

    return draw.sided(_faded(1.0 + draw.rng.uniform(1.5, 4.0) / rate, 0.5, wobble))


def _jump(draw: Draw) -> Motion:
    size = draw.size()
    crouch = pose(hip_flex=48 * size, knee=78 * size, pelvis_pitch=22, spine_pitch=14, arm_flex=-32, elbow=12)
    push_off = pose(hip_flex=6, knee=10, pelvis_pitch=4, arm_flex=55 * size, elbow=18, toe=16)
    top = pose(hip_flex=14, knee=24, arm_flex=95 * size, arm_abduct=14, elbow=24, toe=24, air=0.24 * size)
    land = pose(hip_flex=36 * size, knee=58 * size, pelvis_pitch=18, spine_pitch=8, arm_flex=20, elbow=14)
    return through(draw.vary(1.7, 0.1), (0.34, crouch), (0.47, push_off), (0.59, top), (0.74, land), (1.0, 0 * land))


# Distractors


def _reach(draw: Draw) -> Motion:
    out = pose(r_arm_flex=80, r_arm_abduct=draw.rng.uniform(-15, 40), r_elbow=-10, spine_pitch=5) * draw.vary(0.85, 0.2)
    return draw.sided(through(draw.vary(1.6), (0.4, out), (0.55, out), (1.0, 0 * out)))


def _hand_to_head(draw: Draw) -> Motion:
    rate = draw.vary(3.0)

    def wobble(t: Float64Array) -> Float64Array:
        beat = np.sin(2 * np.pi * rate * t)
        return _columns(
            t, r_arm_flex=72 + 3 * beat, r_arm_abduct=np.full_like(t, 30.0), r_arm_twist=np.full_like(t, 12.0),
            r_elbow=132 + 7 * beat, head_pitch=np.full_like(t, 10.0),
        )  # fmt: skip

    return draw.sided(_faded(draw.vary(2.0), 0.6, wobble))


def _fold_arms(draw: Draw) -> Motion:
    folded = pose(arm_flex=34, arm_abduct=8, arm_twist=-58, elbow=96)
    return through(draw.vary(3.0, 0.3), (0.28, folded), (0.72, folded), (1.0, 0 * folded))


def _stretch(draw: Draw) -> Motion:
    high = pose(arm_flex=158, arm_abduct=12, elbow=22, spine_pitch=-12, head_pitch=-14) * draw.vary(0.95, 0.1)
    return through(draw.vary(2.6), (0.4, high), (0.58, high), (1.0, 0 * high))


def _bow(draw: Draw) -> Motion:
    low = pose(pelvis_pitch=28, spine_pitch=24, head_pitch=12, arm_flex=26) * draw.size()
    return through(draw.vary(2.0), (0.45, low), (0.6, low), (1.0, 0 * low))


def _look_around(draw: Draw) -> Motion:
    left = pose(head_yaw=50, spine_yaw=18, head_pitch=4) * draw.vary(1.0, 0.3)
    keys = ((0.28, left), (0.38, left), (0.7, mirrored(left)), (0.78, mirrored(left)), (1.0, 0 * left))
    return draw.sided(through(draw.vary(2.6), *keys))


def _half_squat(draw: Draw) -> Motion:
    low = pose(hip_flex=55, knee=88, pelvis_pitch=26, spine_pitch=14, arm_flex=50) * draw.vary(0.75, 0.3)
    return through(draw.vary(1.8), (0.45, low), (0.55, low), (1.0, 0 * low))


def _kick(draw: Draw) -> Motion:
    back = pose(r_hip_flex=-12, r_knee=55, l_arm_flex=20, r_arm_flex=-15, r_toe=20)
    hit = pose(r_hip_flex=58, r_knee=12, l_arm_flex=-20, r_arm_flex=25, pelvis_pitch=-6, r_toe=-20) * draw.vary(0.9)
    return draw.sided(through(draw.vary(1.3), (0.35, back), (0.6, hit), (1.0, 0 * hit)))


def _side_step(draw: Draw) -> Motion:
    lift = pose(r_hip_abduct=10, r_hip_flex=12, r_knee=24)
    wide = pose(hip_abduct=9)
    close = pose(l_hip_flex=14, l_knee=28, l_hip_abduct=5)
    return draw.sided(through(draw.vary(1.4), (0.25, lift), (0.45, wide), (0.72, close), (1.0, 0 * wide)))


def _fidget(draw: Draw) -> Motion:
    return _march(draw, draw.vary(1.8), draw.vary(14), draw.rng.uniform(0.9, 2.0))


_UPPER = (STANDING, SEATED)
_FREE = (STANDING, CARRYING)

LABELLED: dict[str, Gesture] = {
    "sit down": Gesture(_sit, leaves=SEATED),
    "stand up": Gesture(lambda draw: _sit(draw).backwards(), during=(SEATED,), leaves=STANDING),
    "pick up": Gesture(_pick, leaves=CARRYING),
    "put down": Gesture(lambda draw: _pick(draw).backwards(), during=(CARRYING,), leaves=STANDING),
    "push": Gesture(_push, during=_UPPER),
    "pull": Gesture(lambda draw: _push(draw).backwards(), during=_UPPER),
    "circle clockwise": Gesture(_circle, during=_UPPER),
    "circle anticlockwise": Gesture(lambda draw: _circle(draw).backwards(), during=_UPPER),
    "turn left": Gesture(_turn_left, during=_FREE),
    "turn right": Gesture(lambda draw: _turn_left(draw).mirrored(), during=_FREE),
    "walk forward": Gesture(_walk, during=_FREE),
    "walk backward": Gesture(lambda draw: _walk(draw).backwards(), during=_FREE),
    "wave": Gesture(_wave, during=_UPPER),
    "jump": Gesture(_jump),
}
"""The labelled actions, by name."""

DISTRACTORS: tuple[Gesture, ...] = (
    Gesture(_reach, during=_UPPER),
    Gesture(_hand_to_head, during=_UPPER),
    Gesture(_fold_arms, during=_UPPER),
    Gesture(_stretch, during=_UPPER),
    Gesture(_look_around, during=(STANDING, SEATED, CARRYING)),
    Gesture(_bow),
    Gesture(_half_squat),
    Gesture(_kick),
    Gesture(_side_step, during=_FREE),
    Gesture(_fidget, during=_FREE),
)
"""Gestures that are background."""
