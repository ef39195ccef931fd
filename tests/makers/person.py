"""A person who stands, walks or lies, for tests of unit and up axis: 21 joints in metres, y up, as any reader sees."""

from __future__ import annotations

import numpy as np

BODY = {
    "Hips": (None, (0, 0, 0)),
    "Spine": ("Hips", (0, 0.1, 0)),
    "Chest": ("Spine", (0, 0.28, 0)),
    "Neck": ("Chest", (0, 0.16, 0)),
    "Head": ("Neck", (0, 0.1, 0.02)),
    **{
        f"{side}{name}": (parent if parent in ("Hips", "Chest") else f"{side}{parent}", (sign * x, y, z))
        for side, sign in (("Left", 1), ("Right", -1))
        for name, parent, (x, y, z) in (
            ("Shoulder", "Chest", (0.05, 0.1, 0)),
            ("Arm", "Shoulder", (0.13, 0, 0)),
            ("ForeArm", "Arm", (0.02, -0.29, 0)),
            ("Hand", "ForeArm", (0.01, -0.25, 0.04)),
            ("UpLeg", "Hips", (0.1, -0.04, 0)),
            ("Leg", "UpLeg", (0, -0.42, 0)),
            ("Foot", "Leg", (0, -0.42, 0)),
            ("ToeBase", "Foot", (0, -0.05, 0.13)),
        )
    },
}
JOINTS = tuple(BODY)
PARENTS = tuple(-1 if parent is None else JOINTS.index(parent) for parent, _ in BODY.values())
HEIGHT = 0.93
"""Metres from the floor to the hips of somebody who stands."""


def pose() -> np.ndarray:
    """The joints (21, 3) of somebody who stands, the hips at 0 0 0."""
    joints = np.zeros((len(BODY), 3))
    for joint, (_, offset) in enumerate(BODY.values()):
        joints[joint] = np.array(offset) + (joints[PARENTS[joint]] if PARENTS[joint] >= 0 else 0)
    return joints


def standing(frames: int = 20) -> np.ndarray:
    """Positions (T, 21, 3) of somebody who walks along z, bends a little and swings the arms."""
    rng = np.random.default_rng(0)
    steps = np.linspace(0, 2 * np.pi, frames)[:, None, None]
    positions = pose() + np.array([0, HEIGHT, 0]) + steps * np.array([0.01, 0, 0.2])
    return positions + 0.02 * np.sin(steps + rng.uniform(0, 6, size=(len(BODY), 3)))


def lying(frames: int = 20, towards: float = 0.0) -> np.ndarray:
    """Positions (T, 21, 3) of somebody who lies on the floor on the back, the head towards z, turned by an angle."""
    positions = standing(frames) - standing(frames)[:, :1]
    x, y, z = np.moveaxis(positions, -1, 0)
    flat = np.stack([x, z + 0.12, y], -1) * np.array([1, 1, 1])
    cos, sin = np.cos(towards), np.sin(towards)
    return flat @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]]) + np.array([0.4, 0, 2.3])
