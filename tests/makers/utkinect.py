"""Made UTKinect-Action3D files: joints_sXX_eYY.txt, a line a tracked frame, and actionLabel.txt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

ACTIONS = ("walk", "sitDown", "standUp", "pickUp", "carry", "throw", "push", "pull", "waveHands", "clapHands")


def row(number: int, joints: np.ndarray) -> str:
    """A line: the frame number and joints (20, 3), separated as in the files."""
    return "  ".join([str(number), *(f"{value:.7f}" for value in joints.ravel())])


def write_joints(folder: Path, performer: int, take: int, numbers: Iterable[int]) -> np.ndarray:
    """The joints file of a recording whose tracked frames have these numbers; returns the joints (N, 20, 3)."""
    numbers = list(numbers)
    joints = np.random.default_rng([performer, take]).normal(size=(len(numbers), 20, 3)) + np.array([0, 0, 3])
    folder.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{row(number, pose)}\n" for number, pose in zip(numbers, joints, strict=True))
    (folder / f"joints_s{performer:02d}_e{take:02d}.txt").write_text(text)
    return joints.round(7)


def write_labels(folder: Path, marks: Mapping[tuple[int, int], Sequence[tuple[str, object, object]]]) -> Path:
    """actionLabel.txt: a heading for each (performer, take), then its actions with first and last frame number."""
    lines = []
    for (performer, take), actions in marks.items():
        lines.append(f"s{performer:02d} e{take:02d}")
        lines += [f"{label}: {start} {end} " for label, start, end in actions]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "actionLabel.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def write_utkinect(folder: Path, performers: int = 3) -> None:
    """Recordings of 10 s, two of each performer, in which every action takes 0.8 s; every other frame is tracked."""
    keys = [(performer, take) for performer in range(1, performers + 1) for take in (1, 2)]
    for performer, take in keys:
        write_joints(folder / "joints", performer, take, range(100, 400, 2))
    actions = [(label, 100 + 30 * at, 124 + 30 * at) for at, label in enumerate(ACTIONS)]
    write_labels(folder, dict.fromkeys(keys, actions))
