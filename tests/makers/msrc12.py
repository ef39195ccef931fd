"""Made MSRC-12 files: a time stamp and 20 joints a line, gzipped or not, and tags on a clock of their own."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

START = 642_926_216
"""A time stamp, microseconds, as a first frame has it."""


def stamps(rng: np.random.Generator, frames: int) -> list[int]:
    """Time stamps of frames that are 31 to 35 ms apart."""
    return (START + np.concatenate([[0], np.cumsum(rng.integers(31_000, 35_000, frames - 1))])).tolist()


def write_recording(
    path: Path, times: Sequence[int], joints: np.ndarray, *, zipped: bool = True, end: str = "\n"
) -> Path:
    """A recording of joints (T, 20, 3); joints at zero are written as untracked, with w = 0."""
    lines = []
    for time, frame in zip(times, joints, strict=True):
        words = [str(time)]
        for joint in frame:
            words += ["0 0 0 0"] if not joint.any() else [*(f"{value:.6f}" for value in joint), "1.000000"]
        lines.append(" ".join(words) + end)
    path.parent.mkdir(parents=True, exist_ok=True)
    data = "".join(lines).encode()
    path.write_bytes(gzip.compress(data) if zipped else data)
    return path


def write_tags(path: Path, tags: Iterable[tuple[float, int]]) -> Path:
    """A .tagstream of (seconds after the first frame, gesture 1..12)."""
    lines = ["XQPCTick;Tag"]
    for seconds, gesture in tags:
        lines.append(f"{round((START + seconds * 1e6) * 49.875)};G{gesture}  made")
    path.write_bytes("\r\n".join(lines).encode())
    return path


def write_msrc12(
    folder: Path, performers: Sequence[int] = (1, 2, 3, 4, 5, 6), gestures: Sequence[int] = (1, 11)
) -> None:
    """A recording of 60 frames of each performer and gesture, with action points at 0.5 and 1.25 s."""
    for performer in performers:
        for gesture in gestures:
            rng = np.random.default_rng([performer, gesture])
            joints = rng.normal(size=(60, 20, 3)) + np.array([0, 0, 3])
            joints[:3] = 0
            name = f"P1_2_{gesture}_p{performer:02d}"
            write_recording(folder / f"{name}.csv.gz", stamps(rng, 60), joints)
            write_tags(folder / f"{name}.tagstream", [(0.5, gesture), (1.25, gesture)])
