"""Views as the field makes them: clip by clip in numpy, in the workers of a DataLoader (see `conventional`).

A clip is (C, T, V, M) float32. Augmentations take their random draws as arguments, so that tests can pass ours.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset, RandomSampler, get_worker_info

Floats = NDArray[np.float32]
CROP_RATIO, SHEAR, MAIN_DEGREES, NOISE, KERNEL = 6, 0.5, 30.0, 0.01, 15


def temporal_crop(clip: Floats, ratio: int, start: int) -> Floats:
    """Pad T // ratio mirrored frames to both ends, then take T frames from `start` on."""
    frames = clip.shape[1]
    pad = frames // ratio
    padded = np.pad(clip, [(0, 0), (pad, pad), (0, 0), (0, 0)], mode="reflect")
    return padded[:, start : start + frames]


def linear(clip: Floats, matrix: NDArray[Any]) -> Floats:
    """Every joint times a matrix (3, 3)."""
    moved: Floats = np.dot(clip.transpose(1, 2, 3, 0), matrix.T.astype(clip.dtype))
    return moved.transpose(3, 0, 1, 2)


def shear_matrix(off: NDArray[Any]) -> NDArray[Any]:
    """Ones on the diagonal, `off` (3, 3) elsewhere."""
    return np.where(np.eye(3, dtype=bool), 1.0, off)


def rotation_matrix(main: int, shares: NDArray[Any]) -> NDArray[Any]:
    """A turn by up to 30 degrees about axis `main` and up to one about the others; shares (3,) of these angles."""
    matrix = np.eye(3)
    for axis in range(3):
        angle = shares[axis] * math.radians(MAIN_DEGREES if axis == main else 1.0)
        i, j = [(1, 2), (2, 0), (0, 1)][axis]
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = math.cos(angle)
        turn[i, j], turn[j, i] = -math.sin(angle), math.sin(angle)
        matrix = turn @ matrix
    return matrix


def mirror(clip: Floats, swap: NDArray[np.int64]) -> Floats:
    """The mirror image: left and right joints swapped, x negated."""
    flipped = clip[:, :, swap].copy()
    flipped[0] = -flipped[0]
    return flipped


def blur(clip: Floats, sigma: float) -> Floats:
    """Gaussian smoothing over 15 frames, the clip mirrored at its ends."""
    reach = KERNEL // 2
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).astype(clip.dtype)
    padded = np.pad(clip, [(0, 0), (reach, reach), (0, 0), (0, 0)], mode="reflect")
    smooth = np.zeros_like(clip)
    for shift, weight in enumerate(kernel):
        smooth += weight * padded[:, shift : shift + clip.shape[1]]
    return smooth


def mask_axis(clip: Floats, axis: int) -> Floats:
    """One axis flattened to zero."""
    masked = clip.copy()
    masked[axis] = 0
    return masked


def basic_view(clip: Floats, rng: np.random.Generator) -> Floats:
    """A temporal crop and a shear: the normal view of SkeletonCLR and AimCLR."""
    clip = temporal_crop(clip, CROP_RATIO, int(rng.integers(2 * (clip.shape[1] // CROP_RATIO) + 1)))
    return linear(clip, shear_matrix(rng.uniform(-SHEAR, SHEAR, (3, 3))))


def extreme_view(clip: Floats, rng: np.random.Generator, swap: NDArray[np.int64]) -> Floats:
    """The extreme view of AimCLR: also mirrored, turned, noisy, smoothed, one axis flattened."""
    clip = basic_view(clip, rng)
    if rng.random() < 0.5:
        clip = mirror(clip, swap)
    clip = linear(clip, rotation_matrix(int(rng.integers(3)), rng.random(3)))
    if rng.random() < 0.5:
        clip = clip + rng.normal(0, NOISE, clip.shape).astype(np.float32)
    if rng.random() < 0.5:
        clip = blur(clip, rng.uniform(0.1, 2.0))
    if rng.random() < 0.5:
        clip = mask_axis(clip, int(rng.integers(3)))
    return clip


class Views(Dataset[tuple[Floats, ...]]):
    """Clips (N, C, T, V, M), each given as two basic views, and an extreme one where `swap` says how to mirror."""

    def __init__(self, clips: Floats, swap: NDArray[np.int64] | None = None, seed: int = 0) -> None:
        self.clips, self.swap, self.seed = clips, swap, seed
        self.rng: np.random.Generator | None = None

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, index: int) -> tuple[Floats, ...]:
        if self.rng is None:
            worker = get_worker_info()
            self.rng = np.random.default_rng([self.seed, 0 if worker is None else worker.id + 1])
        clip = np.array(self.clips[index])
        views = [basic_view(clip, self.rng), basic_view(clip, self.rng)]
        if self.swap is not None:
            views.append(extreme_view(clip, self.rng, self.swap))
        return tuple(np.ascontiguousarray(view) for view in views)


def loader(views: Views, batch: int, workers: int) -> DataLoader[Any]:
    """Endless batches of random clips."""
    sampler = RandomSampler(views, replacement=True, num_samples=10**6, generator=torch.Generator().manual_seed(0))
    return DataLoader(
        views, batch, sampler=sampler, num_workers=workers, drop_last=True, persistent_workers=workers > 0
    )
