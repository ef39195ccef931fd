"""Made NTU RGB+D files: the text of .skeleton files to the last field, motion that tells classes apart, odd files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

# A person who faces the camera: y up, the right side at +x, looking towards -z. Metres about the base of the spine.
_POSE = np.array([
    (0, 0, 0), (0, 0.32, 0), (0, 0.6, 0), (0, 0.74, 0),
    (-0.17, 0.5, 0), (-0.2, 0.25, 0), (-0.21, 0.02, -0.03), (-0.21, -0.06, -0.04),
    (0.17, 0.5, 0), (0.2, 0.25, 0), (0.21, 0.02, -0.03), (0.21, -0.06, -0.04),
    (-0.08, -0.01, 0), (-0.1, -0.4, 0), (-0.11, -0.76, 0.02), (-0.11, -0.82, -0.08),
    (0.08, -0.01, 0), (0.1, -0.4, 0), (0.11, -0.76, 0.02), (0.11, -0.82, -0.08),
    (0, 0.52, 0), (-0.21, -0.14, -0.05), (-0.18, -0.08, -0.06), (0.21, -0.14, -0.05), (0.18, -0.08, -0.06),
])  # fmt: skip
# The further down a limb, the more it moves: joint -> share of the limb's stroke.
_LIMBS = (
    {5: 0.4, 6: 0.9, 7: 1.0, 21: 1.1, 22: 1.0},
    {9: 0.4, 10: 0.9, 11: 1.0, 23: 1.1, 24: 1.0},
    {13: 0.5, 14: 1.0, 15: 1.1},
    {17: 0.5, 18: 1.0, 19: 1.1},
    {1: 0.3, 20: 0.7, 2: 0.9, 3: 1.0, 4: 0.6, 8: 0.6},
)
BODY_ID = 72057594037931100
"""Bodies are numbered from here on: ids that neither float32 nor float64 can tell apart."""
MUTUAL = {*range(50, 61), *range(106, 121)}
"""Actions of two people."""


def moving(rng: np.random.Generator, action: int, frames: int, fps: float = 30.0) -> np.ndarray:
    """Positions (T, 25, 3) of somebody doing an action: which limbs stroke where and how fast comes from its number."""
    style = np.random.default_rng([60, action])
    seconds = np.arange(frames) / fps
    positions = np.repeat(_POSE[None], frames, axis=0) * rng.uniform(0.92, 1.08)
    for limb in style.choice(len(_LIMBS), size=2, replace=False):
        stroke = style.normal(size=3)
        stroke *= style.uniform(0.2, 0.45) / np.linalg.norm(stroke)
        phase = 2 * np.pi * (style.uniform(0.5, 2.0) * rng.uniform(0.9, 1.1) * seconds + rng.uniform())
        for joint, share in _LIMBS[limb].items():
            positions[:, joint] += share * np.sin(phase)[:, None] * stroke
    return positions + rng.normal(scale=0.004, size=positions.shape)


def standing(positions: np.ndarray, x: float = 0.0, z: float = 3.0, heading: float = 0.0) -> np.ndarray:
    """The person turned by `heading` (radians about the vertical) and put before the camera."""
    cos, sin = np.cos(heading), np.sin(heading)
    return positions @ np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]]) + [x, -0.1, z]


def body_lines(body_id: int | str, joints: np.ndarray, colour: str = "962.3") -> list[str]:
    """The lines of one body in one frame: 10 values, the number of joints, 12 values a joint."""
    lines = [f"{body_id} 0 1 1 1 1 0 0.02764709 0.05745083 2", str(len(joints))]
    for x, y, z in joints:
        depth = f"{256 + 366 * x / z:.7g} {212 - 366 * y / z:.7g}"
        lines.append(f"{x:.7g} {y:.7g} {z:.7g} {depth} {colour} 512.7261 0.2208603 -0.02 0.968 -0.1123 2")
    return lines


def skeleton_lines(frames: Sequence[Sequence[tuple[int | str, np.ndarray]]], colour: str = "962.3") -> list[str]:
    """The lines of a file; a frame is its list of (bodyID, joints (25, 3))."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for body_id, joints in bodies:
            lines += body_lines(body_id, joints, colour)
    return lines


def frames_of(positions: np.ndarray, valid: np.ndarray | None = None) -> list[list[tuple[int, np.ndarray]]]:
    """Positions (T, P, 25, 3) and valid (T, P) as the frames of `skeleton_lines`, slot p with the id BODY_ID + p."""
    valid = np.ones(positions.shape[:2], bool) if valid is None else valid
    return [
        [(BODY_ID + person, positions[frame, person]) for person in np.flatnonzero(valid[frame])]
        for frame in range(len(positions))
    ]


def write_lines(path: Path, lines: Iterable[str], end: str = "\r\n") -> Path:
    """The lines as a file, ended as the published files are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + end for line in lines).encode("ascii"))
    return path


def write_ntu(
    folder: Path, names: Iterable[str], rng: np.random.Generator, frames: tuple[int, int] = (40, 70)
) -> list[Path]:
    """A .skeleton file for each name SsssCcccPpppRrrrAaaa, in the motion of its action; two people where it takes two.

    The camera (ccc) looks from 45 degrees to the left, from ahead, or from 45 degrees to the right.
    """
    paths = []
    for name in names:
        camera, action = int(name[5:8]), int(name[17:20])
        length = int(rng.integers(*frames, endpoint=True))
        people = 2 if action in MUTUAL else 1
        heading = (camera - 2) * np.pi / 4 + rng.normal(scale=0.05)
        bodies = [
            standing(moving(rng, action, length), x=0.9 * person - 0.4, heading=heading + np.pi * person)
            for person in range(people)
        ]
        paths.append(write_lines(folder / f"{name}.skeleton", skeleton_lines(frames_of(np.stack(bodies, axis=1)))))
    return paths


ODD = (
    "zero bodies",
    "no frames",
    "three bodies",
    "cut off",
    "wrong joint count",
    "nan",
    "garbage",
    "too long",
    "empty",
)
"""What `write_odd` makes; "three bodies" alone can be read."""


def write_odd(path: Path, kind: str, rng: np.random.Generator, frames: int = 20) -> Path:
    """A file with something unusual in it."""
    if kind == "garbage":
        path.write_bytes(rng.integers(1, 255, size=2000, dtype=np.uint8).tobytes())
        return path
    people = 3 if kind == "three bodies" else 1
    bodies = np.stack([standing(moving(rng, 1 + person, frames), x=person - 1.0) for person in range(people)], axis=1)
    valid = np.ones((frames, people), bool)
    if kind == "three bodies":  # the second comes late and leaves early, the third is there for a moment
        valid[: frames // 3, 1] = valid[-frames // 4 :, 1] = False
        valid[:, 2] = False
        valid[frames // 2 : frames // 2 + 3, 2] = True
    if kind == "zero bodies":
        valid[:] = False
    lines = skeleton_lines(frames_of(bodies, valid))
    if kind == "no frames":
        lines = ["0"]
    elif kind == "cut off":
        lines = lines[: len(lines) - 40]
    elif kind == "wrong joint count":
        lines[3] = "20"
        del lines[24:29]
    elif kind == "nan":
        lines[10] = "NaN " + lines[10].split(" ", 1)[1]
    elif kind == "too long":
        lines += body_lines(BODY_ID, bodies[0, 0])
    elif kind == "empty":
        lines = []
    return write_lines(path, lines)
