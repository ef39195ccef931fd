"""What a step needs at least, from the shapes of its layers: floating-point operations and bytes to and from memory.

An operation is a multiplication or an addition; matrix products and convolutions are counted, elementwise operations
are not. Traffic is the least that a machine without caches for whole maps must move: each layer reads its input and
writes its output once, with norms, ReLU, dropout and residual on the way. Counts are of the maths, not of a program: a
program that takes more operations or passes than needed shows as a smaller share of what the machine can do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

STRIDES = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)
PARTS, KERNEL, JOINTS = 3, 9, 25
TRAINING = 3
"""Forward; then backward twice as much: to the input and to the weights."""
Order = Literal["mix", "sum", "least"]
"""Of a graph convolution: channels mixed first, neighbours summed first, or whichever takes fewer operations."""


@dataclass(frozen=True)
class Need:
    """Operations, and values (not bytes) moved."""

    operations: float = 0.0
    values: float = 0.0

    def __add__(self, other: Need) -> Need:
        return Need(self.operations + other.operations, self.values + other.values)

    def __rmul__(self, times: float) -> Need:
        return Need(times * self.operations, times * self.values)


def product(rows: float, before: int, after: int) -> Need:
    """A linear map of rows (rows, before) to (rows, after)."""
    return Need(2 * rows * before * after, rows * (before + after) + before * after)


def convolution(before: int, after: int, kernel: int, steps: float, stride: int = 1) -> Need:
    """A convolution over time that gives `steps` steps of `after` channels."""
    values = steps * (stride * before + after) + kernel * before * after
    return Need(2 * steps * kernel * before * after, values)


def stgcn(
    frames: float, widths: Sequence[int], in_channels: int = 3, joints: int = JOINTS, order: Order = "least"
) -> Need:
    """One forward pass of ST-GCN over one person of `frames` frames."""
    need = Need()
    for number, (before, after, stride) in enumerate(zip((in_channels, *widths[:-1]), widths, STRIDES, strict=True)):
        summed = {"mix": after, "sum": before, "least": min(before, after)}[order]
        graph = 2 * frames * joints * PARTS * (joints * summed + before * after)
        need += Need(graph, frames * joints * (before + after) + PARTS * before * after)
        frames = -(-frames // stride)
        need += convolution(after, after, KERNEL, frames * joints, stride)
        if number and (before != after or stride > 1):
            need += convolution(before, after, 1, frames * joints)
        elif number:
            need += Need(values=frames * joints * before)
    return need


def ctrgcn(frames: float, widths: Sequence[int], in_channels: int = 3, joints: int = JOINTS) -> Need:
    """One forward pass of CTR-GCN over one person of `frames` frames; joints are compared after the mean over time."""
    need = Need()
    for number, (before, after, stride) in enumerate(zip((in_channels, *widths[:-1]), widths, STRIDES, strict=True)):
        compared, share, rows = max(8, before // 8), after // 4, frames * joints
        need += product(joints, before, 2 * PARTS * compared)
        topology = 2 * PARTS * joints**2 * after * compared
        need += Need(topology + 2 * PARTS * rows * after * (before + joints), rows * (before + after))
        need += product(rows, after, after)
        if before != after:
            need += product(rows, before, after)
        frames = -(-frames // stride)
        need += 2.0 * convolution(share, share, 5, frames * joints, stride)
        if number and (before != after or stride > 1):
            need += convolution(before, after, 1, frames * joints)
        elif number:
            need += Need(values=frames * joints * before)
    return need


def head(clips: int, width: int, dim: int) -> Need:
    """Two linear maps."""
    return product(clips, width, width) + product(clips, width, dim)


def contrast(clips: int, queue: int, dim: int) -> Need:
    """Queries against a queue: similarities, and the way back to the queries."""
    return 2 * product(clips, dim, queue)


def skeletonclr(
    clips: int, frames: int, people: int, widths: Sequence[int], queue: int, dim: int, order: Order = "least"
) -> Need:
    """A step over ST-GCN; see `two_views`."""
    return two_views(clips, people, stgcn(frames, widths, order=order), widths[-1], queue, dim)


def two_views(clips: int, people: int, network: Need, width: int, queue: int, dim: int) -> Need:
    """A step: one view through the query network and back, one through the key network, the queue.

    network: what a pass over one person needs.
    """
    passes = clips * people * (TRAINING + 1)
    heads = (TRAINING + 1) * head(clips, width, dim)
    return passes * network + heads + contrast(clips, queue, dim)


def aimclr(
    clips: int, frames: int, people: int, widths: Sequence[int], queue: int, dim: int, order: Order = "least"
) -> Need:
    """A step: two views through the query network and back, three queries, one view through the key network."""
    passes = clips * people * (2 * TRAINING + 1)
    heads = (3 * TRAINING + 1) * head(clips, widths[-1], dim)
    return passes * stgcn(frames, widths, order=order) + heads + 3 * contrast(clips, queue, dim)


def localizer(
    frames: float,
    people: int,
    widths: Sequence[int],
    labels: int,
    order: Order = "least",
    width: int = 64,
    out: int = 256,
) -> Need:
    """One forward pass over a clip: ST-GCN, the nested U over three resolutions, the frame head."""
    fine, middle, coarse = (widths[number] for number in (3, 6, 9))
    half = -(-frames // 2)
    fusion = (
        convolution(fine + middle, width, 3, frames)
        + convolution(middle + coarse, width, 3, half)
        + convolution(fine + 2 * width, width, 3, frames)
        + convolution(fine + 2 * width, out, 1, frames)
        + convolution(out, labels + 1, 1, frames)
    )
    return people * stgcn(frames, widths, order=order) + fusion
