"""The built-in corpus: untrimmed synthetic motion with known spans, for the demo, tests and a first try without data.

Everything is computed from a seed. Twelve performers of different build, tempo and habits do labelled actions one after
another, with idle movement and unlabelled gestures in between. Most actions come in pairs that no single pose
distinguishes, only direction or order.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ...arrays import BoolArray, Float64Array
from ...data.annotation import Annotation, LabelSet, frame_centres
from ...data.recording import Recording
from ...data.skeletons import NTU_25
from ...errors import InputError
from .actions import LABELLED
from .body import INDEX, forward_kinematics
from .timeline import Timeline, make_performer

ACTIONS = LabelSet(tuple(LABELLED), exclusive=True)
"""The labels of the built-in corpus; at most one at a time."""

NUM_PERFORMERS = 12
"""Recording i is of performer i modulo this."""

_LIMBS = tuple(
    tuple(joint for joint, name in enumerate(NTU_25.joints) if name.startswith(side) and name.split()[1] in joints)
    for side in ("left", "right")
    for joints in (("elbow", "wrist", "hand", "thumb"), ("knee", "ankle", "foot"))
)
_NOISE_SCALE = np.array(
    [1.0 + 0.8 * name.endswith(("hand", "tip", "thumb", "foot", "ankle")) for name in NTU_25.joints]
)


@dataclass(frozen=True)
class SyntheticConfig:
    """How much synthetic motion to make and how difficult it is. Raises InputError for a value out of range."""

    recordings: int = 72
    """Number of recordings; recording i does not depend on it."""
    seconds: tuple[float, float] = (20.0, 40.0)
    """Shortest and longest recording, seconds."""
    fps: float = 30.0
    """Frames per second."""
    seed: int = 0
    """Seed of the performers and recordings."""
    noise: float = 0.006
    """Standard deviation of the sensor noise of a trunk joint, metres; hands and feet have more."""
    dropouts: float = 2.0
    """Mean number a minute of short gaps in which the body is not tracked."""
    distraction: float = 0.4
    """Probability of an unlabelled gesture between two actions."""
    second_person: float = 0.0
    """Probability of a second person, who is not labelled; above 0 every recording has two person slots."""

    def __post_init__(self) -> None:
        """Check the ranges. Raises InputError."""
        low, high = self.seconds
        checks = [
            ("recordings", self.recordings >= 1, "1 or more"),
            ("seconds", 5.0 <= low <= high < math.inf, "(shortest, longest), both 5 or more"),
            ("fps", 5.0 <= self.fps <= 1000.0, "5 to 1000"),
            ("seed", self.seed >= 0, "0 or more"),
            ("noise", 0.0 <= self.noise < math.inf, "0 or more"),
            ("dropouts", 0.0 <= self.dropouts < math.inf, "0 or more"),
            ("distraction", 0.0 <= self.distraction <= 1.0, "0 to 1, a probability"),
            ("second_person", 0.0 <= self.second_person <= 1.0, "0 to 1, a probability"),
        ]
        for name, is_valid, expected in checks:
            if not is_valid:
                raise InputError(f"synthetic corpus: {name} is {getattr(self, name)}; give {expected}")


def synthetic_takes(config: SyntheticConfig) -> Iterator[tuple[Recording, Annotation]]:
    """The recordings of the built-in corpus with their annotations; recording i does not depend on the others."""
    for index in range(config.recordings):
        yield make_recording(f"take_{index:04d}", index, config)


def make_recording(name: str, index: int, config: SyntheticConfig) -> tuple[Recording, Annotation]:
    """Recording `index` of the corpus, named `name`, and its annotation.

    The Recording has positions (T, P, 25, 3) of NTU_25 in metres, y up, on the ground y = 0; P = 1, or 2 where the
    config asks for a second person (person 0 acts); attributes ``performer`` and ``group``. Noise and
    dropouts are drawn apart from the motion: another noise, or another fps, shows the same motion.
    """
    rng = np.random.default_rng([config.seed, 1, index])
    num_frames = round(rng.uniform(*config.seconds) * config.fps)
    seconds = frame_centres(num_frames, config.fps)
    performer = make_performer(config.seed, index % NUM_PERFORMERS)
    timeline = Timeline(performer, rng, seconds, config.distraction)
    timeline.act()
    origin = rng.uniform(-0.8, 0.8, 2)
    positions = _positions(timeline, origin, rng.uniform(-np.pi, np.pi))[:, None]
    valid = np.ones((num_frames, 1), dtype=bool)
    spans = timeline.spans
    if config.second_person > 0:
        second_positions, is_present = _second_person(index, config, seconds, origin)
        positions = np.concatenate((positions, second_positions[:, None]), axis=1)
        valid = np.concatenate((valid, is_present[:, None]), axis=1)
        spans = [replace(span, person=0) for span in spans]
    positions, is_tracked = _sense(np.random.default_rng([config.seed, 3, index]), positions, config)
    recording = Recording(
        positions=positions.astype(np.float32),
        fps=config.fps,
        skeleton=NTU_25,
        name=name,
        valid=valid & is_tracked,
        source="kinespan synthetic",
        attributes={"performer": performer.name, "group": performer.group},
    )
    return recording, Annotation(tuple(spans), ACTIONS)


def _positions(timeline: Timeline, origin: Float64Array, heading: float) -> Float64Array:
    """Joint positions (T, J, 3) of a timeline that starts at an origin (x, z) with a heading in radians."""
    track = timeline.track
    track[:, INDEX["heading"]] += heading
    return np.asarray(forward_kinematics(timeline.performer.body, track) + np.array([origin[0], 0.0, origin[1]]))


def _second_person(
    index: int, config: SyntheticConfig, seconds: Float64Array, origin: Float64Array
) -> tuple[Float64Array, BoolArray]:
    """A bystander: joint positions (T, J, 3) and the frames (T,) in which they are present."""
    rng = np.random.default_rng([config.seed, 2, index])
    performer = make_performer(config.seed, (index + int(rng.integers(1, NUM_PERFORMERS))) % NUM_PERFORMERS)
    timeline = Timeline(performer, rng, seconds, config.distraction)
    timeline.loiter()
    direction, distance = rng.uniform(-np.pi, np.pi), rng.uniform(1.2, 2.2)
    origin = origin + distance * np.array([np.sin(direction), np.cos(direction)])
    positions = _positions(timeline, origin, direction + np.pi)
    first, share = rng.uniform(0.0, 0.6), rng.uniform(0.2, 0.8)
    time_share = seconds / seconds[-1]
    is_present = (time_share >= first) & (time_share <= first + share) & (rng.random() < config.second_person)
    return positions, is_present


def _sense(
    rng: np.random.Generator, positions: Float64Array, config: SyntheticConfig
) -> tuple[Float64Array, BoolArray]:
    """The positions (T, P, J, 3) as a depth camera would report them, and the mask (T, P) of tracked frames."""
    num_frames, people = positions.shape[:2]
    minutes = num_frames / config.fps / 60
    white = rng.standard_normal((num_frames + 4, *positions.shape[1:]))
    slow = sum(w * white[k : k + num_frames] for k, w in enumerate((1, 2, 3, 2, 1))) / math.sqrt(19)
    noise = config.noise * _NOISE_SCALE[:, None] * slow
    is_tracked = np.ones((num_frames, people), dtype=bool)
    for person in range(people):
        for _ in range(rng.poisson(4 * minutes)):  # a limb is hidden for a moment, its position guessed badly
            limb = list(_LIMBS[rng.integers(len(_LIMBS))])
            noise[_short_slice(rng, num_frames, config.fps), person, limb] *= 4.0
        for _ in range(rng.poisson(config.dropouts * minutes)):
            is_tracked[_short_slice(rng, num_frames, config.fps), person] = False
    return positions + noise, is_tracked


def _short_slice(rng: np.random.Generator, num_frames: int, fps: float) -> slice:
    """A random slice of 0.1 to 0.4 seconds of a take."""
    length = max(1, round(rng.uniform(0.1, 0.4) * fps))
    start = int(rng.integers(0, num_frames - length))
    return slice(start, start + length)
