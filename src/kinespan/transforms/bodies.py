"""Which of the bodies that a sensor tracked are people: the published selections of NTU RGB+D, as pure functions.

Each takes positions (T, P, J, 3) and valid (T, P), one slot a tracked body, and returns both for at most two slots.
``list_position`` (T, P) is a body's position in the list of its frame; None: bodies are listed by slot.

* `first_bodies`: CrosSCLR, AimCLR and others; the first two of each frame, whoever they are.
* `most_energetic`: 2s-AGCN and others; of the first four of each frame the two with the largest spread.
* `denoised`: CTR-GCN and others; short and wide tracks are dropped, the rest ranked by motion.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..arrays import BoolArray, IntArray

Number = TypeVar("Number", bound=np.floating)

MAX_NOISE_FRAMES = 11
"""Tracks of at most this many frames are noise (CTR-GCN)."""
MAX_WIDTH = 0.8
"""A body wider than this share of its height is not an upright person in that frame (CTR-GCN)."""
NOISE_SHARE = 0.69754
"""A track with at least this share of such frames is noise (CTR-GCN)."""


def first_bodies(
    positions: NDArray[Number], valid: BoolArray, list_position: IntArray | None = None, count: int = 2
) -> tuple[NDArray[Number], BoolArray]:
    """The first `count` bodies of each frame; slot k holds the k-th listed body, so people may change slots."""
    rank = _ranks(valid, list_position)
    selected = np.zeros((len(positions), count, *positions.shape[2:]), positions.dtype)
    selected_valid = np.zeros((len(positions), count), dtype=bool)
    frames, slots = np.nonzero(valid & (rank < count))
    selected[frames, rank[frames, slots]] = positions[frames, slots]
    selected_valid[frames, rank[frames, slots]] = True
    return _without_empty_slots(selected, selected_valid)


def most_energetic(
    positions: NDArray[Number], valid: BoolArray, list_position: IntArray | None = None
) -> tuple[NDArray[Number], BoolArray]:
    """Of the first four bodies of each frame the two with the most energy, the most energetic first.

    Energy is the standard deviation of x over all frames and joints of a slot, plus that of y, plus that of z.
    """
    positions, valid = first_bodies(positions, valid, list_position, count=4)
    energy = [
        positions[valid[:, slot], slot].reshape(-1, 3).std(axis=0).sum() if valid[:, slot].any() else 0.0
        for slot in range(valid.shape[1])
    ]
    order = np.argsort(-np.array(energy), kind="stable")[:2]
    return _without_empty_slots(positions[:, order], valid[:, order])


def denoised(positions: NDArray[Number], valid: BoolArray) -> tuple[NDArray[Number], BoolArray]:
    """The two people among the tracks: short and wide tracks are dropped, the rest ranked by motion.

    1. Tracks of at most 11 frames are dropped.
    2. Tracks are dropped that in at least 69.754 % of their frames are wider than 0.8 of their height (x and y ranges).
    3. The rest is ranked by motion, the most first: the sum of the variances of x, y and z over all frames and joints;
       for a track with some wide frames, that of its other frames if it is less.
    4. Each gets the first of two slots that is free between its first and last frame: a body that was lost and tracked
       again under another number continues in its slot. A track that fits in neither is dropped.

    A single track stays as it is, and no step drops the last remaining one (step 1 spares the longest). Empty frames
    stay, where published code removes them, so that times stay the same.
    """
    frames = [np.flatnonzero(valid[:, slot]) for slot in range(valid.shape[1])]
    tracks = [slot for slot in range(valid.shape[1]) if frames[slot].size]
    if len(tracks) > 1:
        tracks = [slot for slot in tracks if frames[slot].size > MAX_NOISE_FRAMES] or [
            max(tracks, key=lambda slot: frames[slot].size)
        ]
    motion: dict[int, float] = {}
    for slot in list(tracks):
        poses = positions[frames[slot], slot]
        is_wide = _is_wide(poses)
        if len(tracks) > 1 and is_wide.mean() >= NOISE_SHARE:
            tracks.remove(slot)
            continue
        motion[slot] = _motion(poses)
        if is_wide.any() and not is_wide.all():
            motion[slot] = min(motion[slot], _motion(poses[~is_wide]))
    tracks.sort(key=lambda slot: -motion[slot])
    return _two_slots(positions, valid, tracks)


def _two_slots(positions: NDArray[Number], valid: BoolArray, tracks: list[int]) -> tuple[NDArray[Number], BoolArray]:
    """Step 4 of `denoised`."""
    selected = np.zeros((len(positions), 2, *positions.shape[2:]), positions.dtype)
    selected_valid = np.zeros((len(positions), 2), dtype=bool)
    is_occupied = np.zeros((len(positions), 2), dtype=bool)
    for track in tracks:
        frames = np.flatnonzero(valid[:, track])
        span = slice(frames[0], frames[-1] + 1)
        slot = next((slot for slot in range(2) if not is_occupied[span, slot].any()), None)
        if slot is not None:
            selected[frames, slot] = positions[frames, track]
            selected_valid[frames, slot] = True
            is_occupied[span, slot] = True
    return _without_empty_slots(selected, selected_valid)


def _is_wide(poses: NDArray[Number]) -> BoolArray:
    """Mask (T,) of the poses (T, J, 3) that are wider than 0.8 of their height."""
    ranges = poses.max(axis=1) - poses.min(axis=1)
    is_wide: BoolArray = ranges[:, 0] > MAX_WIDTH * ranges[:, 1]
    return is_wide


def _motion(poses: NDArray[Number]) -> float:
    """The sum of the variances of x, y and z of poses (T, J, 3)."""
    return float(poses.reshape(-1, 3).var(axis=0).sum())


def _ranks(valid: BoolArray, list_position: IntArray | None) -> IntArray:
    """The rank (T, P) of each valid body among those of its frame, by the order of its list."""
    order_by = np.where(
        valid, np.arange(valid.shape[1]) if list_position is None else list_position, np.iinfo(np.int64).max
    )
    return np.argsort(np.argsort(order_by, axis=1, kind="stable"), axis=1, kind="stable")


def _without_empty_slots(positions: NDArray[Number], valid: BoolArray) -> tuple[NDArray[Number], BoolArray]:
    """Without empty slots at the end; at least one slot."""
    num_used = 1 + int(np.flatnonzero(valid.any(axis=0)).max(initial=0))
    return positions[:, :num_used], valid[:, :num_used]
