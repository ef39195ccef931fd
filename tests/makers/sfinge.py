"""Made SFINGE 3D files: a hand a line, and the table of gestures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np


def hands(rng: np.random.Generator, frames: int) -> np.ndarray:
    """(T, 20, 7): positions in metres, and quaternions of length 1."""
    quaternions = rng.normal(size=(frames, 20, 4))
    quaternions /= np.linalg.norm(quaternions, axis=2, keepdims=True)
    return np.concatenate([rng.normal(scale=0.1, size=(frames, 20, 3)), quaternions], axis=2)


def write_hands(path: Path, values: np.ndarray, separator: str = ",") -> Path:
    """A file of hands (T, 20, 7), with five digits as in the published ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(separator.join(f"{value:.5g}" for value in frame.ravel()) + "\n" for frame in values))
    return path


def write_table(folder: Path, gestures: Mapping[int, Sequence[tuple[int, int, int]]]) -> Path:
    """sequencesGT.csv: (class, first frame, last frame) of the gestures of each sequence."""
    lines = []
    for sequence, triples in gestures.items():
        lines.append(",".join(map(str, (sequence, len(triples), *(number for triple in triples for number in triple)))))
    path = folder / "sequencesGT.csv"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def write_sfinge3d(folder: Path, sequences: int = 8, frames: int = 60) -> None:
    """Sequences 1, 2, ..., in each of which frames 11 to 30 are gesture 1, and 41 to 50 a gesture that goes round."""
    for number in range(1, sequences + 1):
        write_hands(folder / f"{number}.txt", hands(np.random.default_rng(number), frames))
    table = {number: [(1, 11, 30), (2 + number % 12, 41, 50)] for number in range(1, sequences + 1)}
    write_table(folder, table)
