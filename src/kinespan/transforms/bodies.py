"""Which of the bodies that a sensor saw are people: the published selections of NTU RGB+D, as pure functions.

Each takes positions (T, P, J, 3) and valid (T, P), one slot a tracked body, and gives both for at most two slots.
``place`` (T, P) says at what place of its frame's list a body stands; None: bodies stand in the order of their slots.

* `first_bodies`: CrosSCLR, AimCLR and others; the first two of each frame, whoever they are.
* `most_energetic`: 2s-AGCN and others; of the first four of each frame the two that spread most.
* `denoised`: CTR-GCN and others; short and flat tracks dropped, then by motion.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..arrays import BoolArray, IntArray

Number = TypeVar("Number", bound=np.floating)

SHORTEST = 11
"""Tracks of at most this many frames are noise (CTR-GCN)."""
WIDEST = 0.8
"""A body wider than this share of its height is no upright person in that frame (CTR-GCN)."""
NOISY = 0.69754
"""A track with at least this share of such frames is noise (CTR-GCN)."""


def first_bodies(
    positions: NDArray[Number], valid: BoolArray, place: IntArray | None = None, count: int = 2
) -> tuple[NDArray[Number], BoolArray]:
    """The first `count` bodies of each frame; slot k holds the one at place k, so that people may change slots."""
    rank = _ranks(valid, place)
    chosen = np.zeros((len(positions), count, *positions.shape[2:]), positions.dtype)
    seen = np.zeros((len(positions), count), dtype=bool)
    frames, slots = np.nonzero(valid & (rank < count))
    chosen[frames, rank[frames, slots]] = positions[frames, slots]
    seen[frames, rank[frames, slots]] = True
    return _used(chosen, seen)


def most_energetic(
    positions: NDArray[Number], valid: BoolArray, place: IntArray | None = None, considered: int = 4, count: int = 2
) -> tuple[NDArray[Number], BoolArray]:
    """Of the first `considered` bodies of each frame the `count` with the most energy, the most energetic first.

    Energy is the standard deviation of x over all frames and joints of a slot, plus that of y, plus that of z.
    """
    positions, valid = first_bodies(positions, valid, place, considered)
    energy = [
        positions[valid[:, slot], slot].reshape(-1, 3).std(axis=0).sum() if valid[:, slot].any() else 0.0
        for slot in range(valid.shape[1])
    ]
    order = np.argsort(-np.array(energy), kind="stable")[:count]
    return _used(positions[:, order], valid[:, order])


def denoised(positions: NDArray[Number], valid: BoolArray) -> tuple[NDArray[Number], BoolArray]:
    """Two people out of tracks: the short and the flat ones dropped, the others by motion.

    1. Tracks of at most 11 frames are dropped.
    2. Tracks are dropped that in at least 69.754 % of their frames are wider than 0.8 of their height (x and y ranges).
    3. The rest goes by motion, the most first: the variances of x, y and z over all frames and joints, added; for a
       track with some wide frames that without them, where it is less.
    4. Each takes the first of two slots in which nobody else is between its first and last frame: a body that was
       lost and found under another number goes on in its slot. Who fits in neither is left out.

    A single track is kept as it is, and no step drops the last one left (the longest one in step 1). Frames in which
    nobody is left stay where they are, where published code takes them out: time is kept.
    """
    frames = [np.flatnonzero(valid[:, slot]) for slot in range(valid.shape[1])]
    tracks = [slot for slot in range(valid.shape[1]) if frames[slot].size]
    if len(tracks) > 1:
        tracks = [slot for slot in tracks if frames[slot].size > SHORTEST] or [
            max(tracks, key=lambda slot: frames[slot].size)
        ]
    motion: dict[int, float] = {}
    for slot in list(tracks):
        poses = positions[frames[slot], slot]
        wide = _wide(poses)
        if len(tracks) > 1 and wide.mean() >= NOISY:
            tracks.remove(slot)
            continue
        motion[slot] = _motion(poses)
        if wide.any() and not wide.all():
            motion[slot] = min(motion[slot], _motion(poses[~wide]))
    tracks.sort(key=lambda slot: -motion[slot])
    return _two_slots(positions, valid, tracks)


def _two_slots(positions: NDArray[Number], valid: BoolArray, tracks: list[int]) -> tuple[NDArray[Number], BoolArray]:
    """Step 4 of `denoised`."""
    chosen = np.zeros((len(positions), 2, *positions.shape[2:]), positions.dtype)
    seen = np.zeros((len(positions), 2), dtype=bool)
    taken = np.zeros((len(positions), 2), dtype=bool)
    for track in tracks:
        frames = np.flatnonzero(valid[:, track])
        span = slice(frames[0], frames[-1] + 1)
        slot = next((slot for slot in range(2) if not taken[span, slot].any()), None)
        if slot is not None:
            chosen[frames, slot] = positions[frames, track]
            seen[frames, slot] = True
            taken[span, slot] = True
    return _used(chosen, seen)


def _wide(poses: NDArray[Number]) -> BoolArray:
    """In which frames poses (T, J, 3) are wider than 0.8 of their height."""
    ranges = poses.max(axis=1) - poses.min(axis=1)
    wide: BoolArray = ranges[:, 0] > WIDEST * ranges[:, 1]
    return wide


def _motion(poses: NDArray[Number]) -> float:
    """The variances of x, y and z of poses (T, J, 3), added."""
    return float(poses.reshape(-1, 3).var(axis=0).sum())


def _ranks(valid: BoolArray, place: IntArray | None) -> IntArray:
    """The rank (T, P) of each valid body among those of its frame, by place."""
    by = np.where(valid, np.arange(valid.shape[1]) if place is None else place, np.iinfo(np.int64).max)
    return np.argsort(np.argsort(by, axis=1, kind="stable"), axis=1, kind="stable")


def _used(positions: NDArray[Number], valid: BoolArray) -> tuple[NDArray[Number], BoolArray]:
    """Without slots at the end that nobody is in; at least one slot."""
    used = max((int(slot) + 1 for slot in np.flatnonzero(valid.any(axis=0))), default=1)
    return positions[:, :used], valid[:, :used]
