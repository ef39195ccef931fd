"""Made HumanML3D files: joints as .npy, captions with their words, lists of names, mirror images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

WHOLE = ("a man walks forward and jumps.", "a/DET man/NOUN walk/VERB forward/ADV and/CCONJ jump/VERB", 0.0, 0.0)


def write_motion(folder: Path, name: str, frames: int = 40) -> np.ndarray:
    """A motion (T, 22, 3) float32."""
    positions = np.random.default_rng(sum(name.encode())).normal(size=(frames, 22, 3)).astype(np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / f"{name}.npy", positions)
    return positions


def write_text(folder: Path, name: str, captions: Sequence[tuple[str, str, object, object]] = (WHOLE,)) -> Path:
    """The captions of a motion: text, words with their kinds, start and end."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.txt"
    path.write_text("".join("#".join(map(str, caption)) + "\n" for caption in captions))
    return path


def write_humanml3d(root: Path, parts: Mapping[str, Sequence[str]], joints: str = "new_joints") -> None:
    """These motions, in lists by part; each beside its mirror image M<name>, as the official lists have them."""
    for part, names in parts.items():
        both = [name for one in names for name in (one, f"M{one}")]
        for name in both:
            write_motion(root / joints, name)
            write_text(root / "texts", name)
        (root / f"{part}.txt").write_text("".join(f"{name}\n" for name in both))
