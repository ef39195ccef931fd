"""Encoders and fusions run a few frames after the other: every new frame costs its own columns only.

The idea is that of continual inference (Hedegaard, Heidari, Iosifidis: Continual Spatio-Temporal Graph Convolutional
Networks, Pattern Recognition 2023), with the right context kept: what comes out is what one pass over the whole
recording gives, as late as that context asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import cast

import numpy as np
from torch import Tensor

from ..encoders import Encoder
from ..encoders.layers import MaskedBatchNorm
from ..encoders.stack import Stack
from ..encoders.stgcn import Block
from ..encoders.streamwise import Streamwise
from ..encoders.tcn import TCN
from ..fusion import Fusion, LastMap, NestedU, Unit
from .layers import BlockSteps, DilatedStackSteps, Layer, UnitSteps, masked, masked_rows
from .products import Floats
from .steps import Presence, Steps, affine


class EncoderSteps:
    """An encoder: streams of people (N, J, n, C) in, new steps (n_l, C_l) of every level of the pyramid out.

    ``lags``: frames after a step's first frame that its features are final, by level. ``parts``: all that has a
    memory, its rows one for each joint (``rows`` of them a person) of every person.
    """

    lags: tuple[int, ...]
    parts: list[Layer]
    rows: int

    def __call__(self, x: Floats, presence: Presence, end: bool) -> list[Floats]:
        """What the next frames x make final; ``presence`` holds them already."""
        raise NotImplementedError(type(self).__name__)


class InputNorm:
    """The input norm over (J, C) of streams (N, J, n, C); absent people are zero after it."""

    def __init__(self, norm: MaskedBatchNorm | None, joints: int) -> None:
        self.affine: tuple[Floats, Floats] | None = None
        if norm is not None:
            scale, shift = (part.view(joints, 1, -1).cpu().numpy() for part in affine(norm))
            self.affine = scale, shift

    def __call__(self, x: Floats, presence: Presence) -> Floats:
        """The next frames, as (N J, n, C); ``presence`` holds them already."""
        if self.affine is not None:
            x = x * self.affine[0] + self.affine[1]
        mask = presence.people(presence.frames - x.shape[2], x.shape[2], 1)
        return masked_rows(x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]), mask)


CALL = 70_000
"""What calling a block or its convolution takes, in numbers of a matrix that it could multiply by meanwhile."""
DELAY = 0.02
"""By how much the fullest frame has to get shorter for a frame more of latency."""
LONGEST = 8
"""Calls that a block never waits as many as."""
PLANS = 256
"""Ways to take turns that are followed at once; of the published networks that is all there are."""


def turns(blocks: Sequence[Block], lag: int) -> list[int]:
    """How many calls each of the blocks waits with a step, so that no frame has to do all the work.

    It waits fewer calls than a step has frames; `lag`: frames by which the first block's input is late. A block does
    its part over joints when a step comes, that over time when an output is due, which is every so many frames; waiting
    moves both, and all that comes behind, to other frames. Of all ways the one whose fullest frame is least, a frame of
    latency counting as DELAY of it.
    """
    period = prod(block.stride for block in blocks)
    plans: list[tuple[float, list[int], int, list[int]]] = [(0.0, [], lag, [0] * period)]
    step = 1
    for block in blocks:
        joints, time, *more = (part.numel() for part in _matrices(block))
        every, found = step * block.stride, []
        for _, waits, late, loads in plans:
            for wait in range(min(step, LONGEST)):
                at, out = late + wait, late + wait + block.time.conv.kernel_size[0] // 2 * step
                load = [
                    sum((before, joints + CALL if not (frame - at) % step else 0,
                         time + sum(more) + CALL if not (frame - out) % every else 0))
                    for frame, before in enumerate(loads)
                ]  # fmt: skip
                delay = 1 + DELAY * (sum(waits) + wait)
                found.append((max(load) * delay, [*waits, wait], out, load))
        plans, step = sorted(found)[:PLANS], every
    return plans[0][1]


def _matrices(block: Block) -> list[Tensor]:
    """What a block multiplies by: over joints, over time, in its shortcut."""
    short = [] if block.short is None else [block.short.conv.weight]
    return [block.graph.mix.weight, block.time.conv.weight, *short]


class StackSteps(EncoderSteps):
    """An ST-GCN whose blocks take turns."""

    def __init__(self, stack: Stack, lag: int) -> None:
        blocks = [cast(Block, block) for block in stack.blocks]
        self.rows = blocks[0].graph.adjacency.shape[1]
        self.norm = InputNorm(stack.input_norm, self.rows)
        self.blocks: list[BlockSteps] = []
        step = 1
        for block, wait in zip(blocks, turns(blocks, lag), strict=True):
            self.blocks.append(BlockSteps(block, step, lag, wait))
            step, lag = step * block.stride, self.blocks[-1].lag
        self.taps, self.channels = stack.taps, stack.channels
        self.lags = tuple(self.blocks[tap].lag for tap in self.taps)
        self.parts = list(self.blocks)
        self.none = [np.zeros((0, size), dtype=np.float32) for size in self.channels]

    def __call__(self, x: Floats, presence: Presence, end: bool) -> list[Floats]:
        """What the next frames x make final."""
        hurry = end or x.shape[2] != 1
        x = self.norm(x, presence)
        levels: list[Floats | None] = []
        for number, block in enumerate(self.blocks):
            before = block.done
            if x.shape[1] or block.late or end:
                x = block(x, presence, end, hurry)
            if number in self.taps:
                levels.append(pooled(x, presence, before, block.step * block.stride) if block.done > before else None)
        return [self.none[at] if level is None else level for at, level in enumerate(levels)]


class TCNSteps(EncoderSteps):
    """Dilated convolutions on the joints of a person side by side."""

    rows = 1

    def __init__(self, encoder: TCN, joints: int, lag: int) -> None:
        self.norm, self.joints = InputNorm(encoder.input_norm, joints), joints
        self.stack = DilatedStackSteps(encoder.stack, lag, rows=0)
        self.lags, self.parts = (self.stack.lag,), self.stack.parts

    def __call__(self, x: Floats, presence: Presence, end: bool) -> list[Floats]:
        """What the next frames x make final."""
        before = self.stack.layers[-1].done
        x = self.norm(x, presence)
        people, size = len(x) // self.joints, self.joints * x.shape[2]
        beside = x.reshape(people, self.joints, *x.shape[1:]).swapaxes(1, 2).reshape(people, x.shape[1], size)
        found = self.stack(beside, presence, end)
        return [pooled(found, presence, before, 1)]


class StreamwiseSteps(EncoderSteps):
    """An encoder for each stream."""

    def __init__(self, members: list[EncoderSteps]) -> None:
        self.members = members
        self.lags, self.rows = members[0].lags, members[0].rows
        self.parts = [part for member in members for part in member.parts]

    def __call__(self, x: Floats, presence: Presence, end: bool) -> list[Floats]:
        """What the next frames x make final."""
        streams = zip(self.members, np.split(x, len(self.members), axis=-1), strict=True)
        found = [member(stream, presence, end) for member, stream in streams]
        return [np.concatenate(level, axis=1) for level in zip(*found, strict=True)]


class FusionSteps:
    """A fusion: new steps (n_l, C_l) of every level in, new frames (n, C) out."""

    lag: int
    channels: int
    parts: list[Layer]

    def __call__(self, levels: list[Floats], presence: Presence, end: bool) -> Floats:
        """What the next steps of the levels make final."""
        raise NotImplementedError(type(self).__name__)


class NestedUSteps(FusionSteps):
    """The nested U: nodes (level, column) hand what they have to the units that read them."""

    def __init__(self, fusion: NestedU, channels: tuple[int, ...], strides: tuple[int, ...], lags: tuple[int, ...]):
        self.depth, self.ratios, self.strides = fusion.depth, fusion.ratios, strides
        sizes = {(level, 0): size for level, size in enumerate(channels)}
        lag = {(level, 0): frames for level, frames in enumerate(lags)}
        self.units: dict[tuple[int, int], UnitSteps] = {}
        for column in range(1, self.depth):
            for level in range(self.depth - column):
                sources = [(level, before) for before in range(column)] + [(level + 1, column - 1)]
                unit = cast(Unit, fusion.units[f"{level}_{column}"])
                latest = max(lag[source] for source in sources)
                made = UnitSteps(unit, [sizes[source] for source in sources], strides[level], latest)
                self.units[level, column] = made
                sizes[level, column], lag[level, column] = unit.conv.out_channels, made.lag
        ends = [(0, column) for column in range(self.depth)]
        self.join = UnitSteps(fusion.join, [sizes[end] for end in ends], strides[0], max(lag[end] for end in ends))
        self.lag, self.channels = self.join.lag, fusion.channels
        self.parts = [*self.units.values(), self.join]
        self.none: Floats = np.zeros((0, self.channels), dtype=np.float32)

    def __call__(self, levels: list[Floats], presence: Presence, end: bool) -> Floats:
        """What the next steps of the levels make final."""
        for level, steps in enumerate(levels):
            self._hand(steps[None], level, 0, presence, end)
        for column in range(1, self.depth):
            for level in range(self.depth - column):
                unit = self.units[level, column]
                if unit.conv.ready(unit.input) or end:
                    self._hand(unit(presence, end), level, column, presence, end)
        if not self.join.conv.ready(self.join.input) and not end:
            return self.none
        joined: Floats = self.join(presence, end)[0]
        return joined

    def _hand(self, x: Floats, level: int, column: int, presence: Presence, end: bool) -> None:
        """Give new steps (1, n, C) of a node to the nodes to its right, to the one above it and to the end."""
        if not x.shape[1]:
            return
        for right in range(column + 1, self.depth - level):
            self.units[level, right].take(x, column)
        if level == 0:
            self.join.take(x, column)
        else:
            above = self.units[level - 1, column + 1]
            step, taken = self.strides[level - 1], above.taken[column + 1]
            fine = np.repeat(x, self.ratios[level - 1], axis=1)
            if end:  # the last step is cut where the recording ends
                fine = fine[:, : -(-presence.frames // step) - taken]
            here = presence.anyone(taken, fine.shape[1], step)
            above.take(masked(fine, here), column + 1)


class LastMapSteps(FusionSteps, Layer):
    """The deepest map, linear between its steps."""

    def __init__(self, fusion: LastMap, lags: tuple[int, ...]) -> None:
        self.stride, self.channels = fusion.stride, fusion.channels
        self.steps = Steps([fusion.channels], rows=1)
        self.memory, self.parts = (self.steps,), [self]
        self.lag = lags[-1] + self.stride - 1

    def __call__(self, levels: list[Floats], presence: Presence, end: bool) -> Floats:
        """What the next steps of the deepest level make final."""
        self.steps.put(levels[-1][None])
        first = self.done // self.stride
        last = first + self.steps.ready - 1
        count = (presence.frames if end else last * self.stride + 1) - self.done
        if self.steps.ready == 0 or count <= 0:
            return levels[-1][:0]
        deepest = self.steps.windows(self.steps.ready, 1)[0, :, 0]
        at = np.arange(self.done, self.done + count)
        low = at // self.stride
        high = np.minimum(low + 1, last)
        part = (at % self.stride / np.float32(self.stride)).astype(np.float32)[:, None]
        there = presence.anyone(first, self.steps.ready, self.stride)
        if there is not None:
            part = part * there[high - first][:, None]
        out = deepest[low - first] * (1 - part) + deepest[high - first] * part
        here = presence.anyone(self.done, count, 1)
        self.done += count
        self.steps.drop(self.done // self.stride - first)
        return masked(out, here)


def pooled(x: Floats, presence: Presence, first: int, step: int) -> Floats:
    """Mean (n, C) of x (N R, n, C) over rows and the people present, at steps `first` and on; x is zero elsewhere."""
    rows, count, channels = x.shape
    if not count:
        return np.zeros((0, channels), dtype=np.float32)
    mask = presence.people(first, count, step)
    if mask is None:
        share = np.full(rows, 1 / rows, dtype=np.float32)  # faster than a mean of few rows
        return np.asarray(np.dot(share, x.reshape(rows, -1)).reshape(count, channels))
    means = x.reshape(len(mask), -1, count, channels).mean(axis=1)
    return np.asarray(means.sum(axis=0) / np.maximum(mask.sum(axis=0), 1)[:, None])


def encoder_steps(encoder: Encoder, joints: int, lag: int) -> EncoderSteps | None:
    """The encoder step by step, its input `lag` frames late; None where nobody has said how it is done."""
    made: EncoderSteps | None = None
    if type(encoder) is Streamwise:
        members = [encoder_steps(cast(Encoder, member), joints, lag) for member in encoder.members]
        there = [member for member in members if member is not None]
        made = StreamwiseSteps(there) if len(there) == len(members) else None
    elif type(encoder) is TCN:
        made = TCNSteps(encoder, joints, lag)
    elif isinstance(encoder, Stack) and type(encoder).body is Stack.body and type(encoder).forward is Encoder.forward:
        made = StackSteps(encoder, lag) if all(type(block) is Block for block in encoder.blocks) else None
    return made


def fusion_steps(fusion: Fusion, encoder: Encoder, lags: tuple[int, ...]) -> FusionSteps | None:
    """The fusion step by step, after levels that are late by `lags`; None where nobody has said how it is done."""
    if type(fusion) is NestedU:
        return NestedUSteps(fusion, encoder.channels, encoder.strides, lags)
    if type(fusion) is LastMap:
        return LastMapSteps(fusion, lags)
    return None
