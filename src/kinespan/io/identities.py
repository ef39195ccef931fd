"""People who may exchange places in a file, told apart by order or by a tracker, are put into steady places."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..arrays import BoolArray, Float64Array, IntArray
from .base import DECIDED, FileMotion

_MEMORY = 0.5
"""Seconds after which nothing is concluded from where somebody was last seen."""
_CLEARLY = 0.5
"""People stay in the order of the file unless another one has this share, or less, of the way between the frames."""


def with_steady_people(motion: FileMotion, fps: float) -> FileMotion:
    """The motion in which everybody keeps a place, and a note of it; itself where a file states who is who.

    A frame is in the order in which people have moved least since they were last seen, where that is clear.
    """
    if not motion.people_by_order or motion.positions.shape[1] < 2:
        return motion
    valid = ~np.isnan(motion.positions).any(axis=3)
    if motion.valid is not None:
        valid &= motion.valid if motion.valid.ndim == 3 else motion.valid[:, :, None]
    orders = steady_orders(motion.positions.astype(np.float64), valid, max(1, round(_MEMORY * fps)))
    changes = int((orders[1:] != orders[:-1]).any(axis=1).sum())
    if not (orders != np.arange(orders.shape[1])).any():
        return motion
    times = f"{changes} {'time' if changes == 1 else 'times'}"
    note = f"{DECIDED}people who exchanged places in the file keep theirs, by continuity ({times})"
    frames = np.arange(len(orders))[:, None]
    stated = motion.valid
    return replace(
        motion,
        positions=motion.positions[frames, orders],
        valid=None if stated is None else stated[frames, orders],
        history=(*motion.history, note),
    )


def steady_orders(positions: Float64Array, valid: BoolArray, memory_frames: int) -> IntArray:
    """(T, P) which person of the file is in each place, so that people move least.

    Parameters:
        positions: (T, P, J, 3).
        valid: (T, P, J).
        memory_frames: after so many frames nothing is concluded from where somebody was last seen.
    """
    count = positions.shape[1]
    orders = np.tile(np.arange(count), (len(positions), 1))
    last, seen = positions[0].copy(), valid[0].copy()  # of each place, joint by joint: where it was last seen
    last_frames = np.where(valid[0].any(axis=1), 0, -memory_frames - 1)
    order = orders[0]
    for frame in range(1, len(positions)):
        known = frame - last_frames <= memory_frames
        costs = _distances(last, seen & known[:, None], positions[frame], valid[frame])
        order = _order(costs, order)
        orders[frame] = order
        now = valid[frame, order]
        last = np.where(now[..., None], positions[frame, order], last)
        is_present = now.any(axis=1)
        seen = np.where(is_present[:, None], now | (seen & known[:, None]), seen)
        last_frames[is_present] = frame
    return orders


def _distances(last: Float64Array, seen: BoolArray, now: Float64Array, valid: BoolArray) -> Float64Array:
    """(P, P) the mean distance of joints seen in both, from each place to each person; NaN without any."""
    both = seen[:, None] & valid[None]
    distances = np.where(both, np.linalg.norm(last[:, None] - now[None], axis=3), 0).sum(axis=2)
    counts = both.sum(axis=2)
    return np.where(counts > 0, distances / np.maximum(counts, 1), np.nan)


def _order(costs: Float64Array, before: IntArray) -> IntArray:
    """The person for each place: the nearest pairs first, unless the order before is about as near."""
    count = len(costs)
    order = np.full(count, -1)
    free = set(range(count))
    for pair in np.argsort(costs, axis=None, kind="stable"):  # NaN come last
        place, person = divmod(int(pair), count)
        if np.isnan(costs[place, person]):
            break
        if order[place] < 0 and person in free:
            order[place] = person
            free.discard(person)
    for place in (place for place in range(count) if order[place] < 0):
        order[place] = before[place] if before[place] in free else min(free)
        free.discard(int(order[place]))
    places = np.arange(count)
    kept, changed = np.nansum(costs[places, before]), np.nansum(costs[places, order])
    return before if changed > _CLEARLY * kept else order
