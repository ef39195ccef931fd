"""The body of a synthetic performer: joint-angle channels, proportions, forward kinematics to the joints of NTU_25.

World axes: y up; a body with heading 0 faces +z and has its left at +x. Angles are radians inside, degrees in
`pose`. Leg angles are measured from the vertical in the heading frame, so a bent trunk does not swing the legs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...arrays import Float64Array
from ...data.skeletons import NTU_25

_MIDDLE = (
    "air", "heading", "pelvis_pitch", "pelvis_roll", "spine_pitch", "spine_roll", "spine_yaw",
    "head_pitch", "head_roll", "head_yaw",
)  # fmt: skip
_SIDED = (
    "arm_flex", "arm_abduct", "arm_twist", "elbow", "wrist", "hip_flex", "hip_abduct", "hip_twist", "knee", "toe",
)  # fmt: skip

CHANNELS: tuple[str, ...] = (*_MIDDLE, *(f"l_{name}" for name in _SIDED), *(f"r_{name}" for name in _SIDED))
"""Names of the columns of a track (order letter D). All are angles but ``air``, the metres of the lowest
sole above the ground. Forward, outward and flexing are positive; heading, yaw and roll turn towards the left."""

INDEX = {name: column for column, name in enumerate(CHANNELS)}

_SWAP = np.array([INDEX[{"l": "r", "r": "l"}[n[0]] + n[1:]] if n[1] == "_" else INDEX[n] for n in CHANNELS])
_SIGN = np.array([-1.0 if n == "heading" or n.endswith(("_yaw", "_roll")) else 1.0 for n in CHANNELS])
_HINGES = [INDEX[f"{side}_{name}"] for side in "lr" for name in ("elbow", "knee")]

CONTACT_SOFTNESS = 0.01
"""Metres by which a sole must be higher than another to lose most of its weight in placing the body."""


def pose(**degrees: float) -> Float64Array:
    """A pose (D,) from degrees (metres for ``air``); a name without ``l_`` or ``r_`` sets both sides."""
    vector = np.zeros(len(CHANNELS))
    for name, value in degrees.items():
        columns = [INDEX[name]] if name in INDEX else [INDEX[f"l_{name}"], INDEX[f"r_{name}"]]
        vector[columns] = value if name == "air" else np.deg2rad(value)
    return vector


def mirrored(track: Float64Array) -> Float64Array:
    """The track (..., D) of the mirrored body: left and right change places."""
    return np.asarray(track[..., _SWAP] * _SIGN)


@dataclass(frozen=True)
class Body:
    """Bone lengths of one person, metres."""

    trunk: float
    """From the base of the spine to between the shoulders."""
    shoulders: float
    """From the spine to a shoulder."""
    hips: float
    """From the base of the spine to a hip, sideways."""
    upper_arm: float
    forearm: float
    hand: float
    thigh: float
    shin: float
    foot: float
    head: float
    """From the neck to the middle of the head."""

    @staticmethod
    def of(height: float, legs: float = 1.0, arms: float = 1.0, width: float = 1.0) -> Body:
        """A body of this height (metres); the factors `legs`, `arms` and `width` scale average proportions.

        The fractions of the height are rounded from Winter, "Biomechanics and Motor Control of Human Movement".
        """
        return Body(
            trunk=height * (0.29 + 0.29 * (1 - legs)),
            shoulders=height * 0.105 * width,
            hips=height * 0.052 * width,
            upper_arm=height * 0.170 * arms,
            forearm=height * 0.146 * arms,
            hand=height * 0.050 * arms,
            thigh=height * 0.245 * legs,
            shin=height * 0.240 * legs,
            foot=height * 0.095,
            head=height * 0.085,
        )

    @property
    def ankle_height(self) -> float:
        """Metres from the sole to the ankle."""
        return 0.42 * self.foot


def forward_kinematics(body: Body, track: Float64Array) -> Float64Array:
    """Joint positions (T, 25, 3) in metres of a track (T, D), standing on the ground y = 0.

    The lowest sole carries the body: it sets the height of the root and, by staying where it is, moves the root
    over the ground, so that leg angles alone make the body walk. Frame 0 has its root at x = z = 0.
    """
    track = track.copy()
    bent = track[:, _HINGES]
    track[:, _HINGES] = (bent + np.sqrt(bent**2 + np.deg2rad(4) ** 2)) / 2  # elbows and knees bend one way only
    angle = {name: track[:, column] for name, column in INDEX.items()}
    out = np.zeros((len(track), NTU_25.num_joints, 3))
    heading = _rotation(1, angle["heading"])
    pelvis = _rotated(heading, (2, -angle["pelvis_roll"]), (0, angle["pelvis_pitch"]))
    twist = _rotation(1, angle["spine_yaw"] / 2)
    bend = _rotated(twist, (2, -angle["spine_roll"] / 2), (0, angle["spine_pitch"] / 2))
    lumbar = pelvis @ bend
    chest = lumbar @ bend
    head = _rotated(chest, (1, angle["head_yaw"]), (2, -angle["head_roll"]), (0, angle["head_pitch"]))
    _place(out, "middle of spine", "base of spine", lumbar, (0, 0.52 * body.trunk, 0))
    _place(out, "spine shoulder", "middle of spine", chest, (0, 0.48 * body.trunk, 0))
    _place(out, "neck", "spine shoulder", chest, (0, 0.4 * body.head, 0))
    _place(out, "head", "neck", head, (0, body.head, 0.15 * body.head))
    soles = np.empty((len(track), 2, 2))  # T, foot, (heel, toe): heights below the root
    for foot, (side, sign) in enumerate((("left", 1.0), ("right", -1.0))):
        _arm(out, body, side, sign, chest, angle)
        soles[:, foot] = _leg(out, body, side, sign, (heading, pelvis), angle)
    return out + _root(out, soles, angle["air"])[:, None]


def _arm(
    out: Float64Array, body: Body, side: str, sign: float, chest: Float64Array, angle: dict[str, Float64Array]
) -> None:
    """Place one arm on the chest."""
    of = {name: angle[f"{side[0]}_{name}"] for name in _SIDED}
    upper = _rotated(chest, (0, -of["arm_flex"]), (2, sign * of["arm_abduct"]), (1, sign * of["arm_twist"]))
    lower = upper @ _rotation(0, -of["elbow"])
    hand = lower @ _rotation(0, -of["wrist"])
    _place(out, f"{side} shoulder", "spine shoulder", chest, (sign * body.shoulders, -0.2 * body.head, 0))
    _place(out, f"{side} elbow", f"{side} shoulder", upper, (0, -body.upper_arm, 0))
    _place(out, f"{side} wrist", f"{side} elbow", lower, (0, -body.forearm, 0))
    _place(out, f"{side} hand", f"{side} wrist", hand, (0, -body.hand, 0))
    _place(out, f"{side} hand tip", f"{side} hand", hand, (0, -body.hand, 0))
    _place(out, f"{side} thumb", f"{side} hand", hand, (-0.2 * sign * body.hand, -0.2 * body.hand, 0.6 * body.hand))


def _leg(
    out: Float64Array,
    body: Body,
    side: str,
    sign: float,
    frames: tuple[Float64Array, Float64Array],
    angle: dict[str, Float64Array],
) -> Float64Array:
    """Place one leg; the heights (T, 2) of its heel and toe soles relative to the root."""
    heading, pelvis = frames
    of = {name: angle[f"{side[0]}_{name}"] for name in _SIDED}
    outward = _rotation(1, sign * of["hip_twist"])
    upper = heading @ _rotation(0, -of["hip_flex"]) @ _rotation(2, sign * of["hip_abduct"]) @ outward
    lower = upper @ _rotation(0, of["knee"])
    sole = heading @ outward @ _rotation(0, of["toe"])
    _place(out, f"{side} hip", "base of spine", pelvis, (sign * body.hips, -0.25 * body.hips, 0))
    _place(out, f"{side} knee", f"{side} hip", upper, (0, -body.thigh, 0))
    _place(out, f"{side} ankle", f"{side} knee", lower, (0, -body.shin, 0))
    _place(out, f"{side} foot", f"{side} ankle", sole, (0, -0.7 * body.ankle_height, body.foot))
    heel = out[:, NTU_25.joints.index(f"{side} ankle"), 1] - body.ankle_height
    toe = out[:, NTU_25.joints.index(f"{side} foot"), 1] - 0.3 * body.ankle_height
    return np.stack((heel, toe), axis=1)


def _root(out: Float64Array, soles: Float64Array, air: Float64Array) -> Float64Array:
    """Root positions (T, 3) that keep the carrying soles on the ground and in place."""
    weight = np.exp((soles.min(axis=(1, 2), keepdims=True) - soles) / CONTACT_SOFTNESS)
    weight /= weight.sum(axis=(1, 2), keepdims=True)
    root = np.zeros((len(out), 3))
    root[:, 1] = air - (weight * soles).sum(axis=(1, 2))
    feet = out[:, [NTU_25.joints.index("left foot"), NTU_25.joints.index("right foot")]][..., [0, 2]]
    carry = weight.sum(axis=2)
    moved = ((carry[1:] + carry[:-1])[..., None] / 2 * np.diff(feet, axis=0)).sum(axis=1)
    root[1:, [0, 2]] = -np.cumsum(moved, axis=0)
    return root


def _place(out: Float64Array, joint: str, parent: str, frame: Float64Array, offset: tuple[float, float, float]) -> None:
    """Put a joint at an offset, metres, from another in a frame (T, 3, 3)."""
    out[:, NTU_25.joints.index(joint)] = out[:, NTU_25.joints.index(parent)] + frame @ np.array(offset)


def _rotated(frame: Float64Array, *turns: tuple[int, Float64Array]) -> Float64Array:
    """The frame (T, 3, 3) turned about its own axes, one (axis, angles (T,)) after the other."""
    for axis, angle in turns:
        frame = frame @ _rotation(axis, angle)
    return frame


def _rotation(axis: int, angle: Float64Array) -> Float64Array:
    """Rotations (T, 3, 3) about one axis by angles (T,), counter-clockwise seen from the axis' tip."""
    rotation = np.zeros((len(angle), 3, 3))
    first, second = (axis + 1) % 3, (axis + 2) % 3
    rotation[:, axis, axis] = 1.0
    rotation[:, first, first] = rotation[:, second, second] = np.cos(angle)
    rotation[:, second, first] = np.sin(angle)
    rotation[:, first, second] = -rotation[:, second, first]
    return rotation
