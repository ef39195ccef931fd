"""Encoders and fusions run a few frames after the other: every new frame costs its own columns only.

The idea is that of continual inference (Hedegaard, Heidari, Iosifidis: Continual Spatio-Temporal Graph Convolutional
Networks, Pattern Recognition 2023), with the right context kept: what comes out is what one pass over the whole
recording gives, as late as that context asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from .layers import BlockSteps, DilatedStackSteps, Layer, UnitSteps, at_turn, masked, masked_rows
from .products import Floats
from .steps import Arrivals, Presence, Steps, affine, arrivals


class EncoderSteps:
    """An encoder: streams of people (N, J, n, C) in, new steps (n_l, C_l) of every level of the pyramid out.

    ``arrivals``: when the steps of each level are final. ``parts``: all that has a memory, its rows one for each joint
    (``rows`` of them a person) of every person.
    """

    arrivals: tuple[Arrivals, ...]
    parts: list[Layer]
    rows: int

    def due(self, presence: Presence) -> bool:
        """Whether it takes frames now; those that come before wait until then, and come with the next together."""
        return True

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
        if self.affine is not None and x.shape[2]:
            x = x * self.affine[0] + self.affine[1]
        mask = presence.people(presence.frames - x.shape[2], x.shape[2], 1)
        return masked_rows(x.reshape(x.shape[0] * x.shape[1], *x.shape[2:]), mask)


CALL = 30_000
"""What calling a block or its convolution takes, in numbers of a matrix that it could multiply by meanwhile."""
DELAY = 0.05
"""By how much the fullest frame has to get shorter for a frame more of latency."""
TOGETHER = 8
"""Frames that are taken together, where the strides of a network allow it."""
PLANS = 4096
"""Ways to take turns that are followed at once, times the frames of a period."""


def rhythm(blocks: Sequence[Block]) -> tuple[int, int]:
    """Frames after which all blocks do the same again, and every how many frames it is a block's turn."""
    period = prod(block.stride for block in blocks)
    period *= max(1, TOGETHER // period)
    return period, max(size for size in range(1, TOGETHER + 1) if period % size == 0)


def turns(blocks: Sequence[Block]) -> list[int]:
    """With which frame of `rhythm` it is each block's turn.

    What a network gives for a group of frames comes with the first step of the coarsest level that needs the last of
    them, so finer blocks can as well take several steps together, which costs little more than one. If it is the
    turn of all with the same frame, that frame has all the work; of all ways this is the one whose fullest frame is
    least, a frame of latency more than there has to be counting as DELAY of it. The first block's turn is with the
    first frame of a group, that of others with the same frame as their input's or a later one: what comes before it
    would wait for a whole group.
    """
    period, group = rhythm(blocks)
    plans = [_Plan([], Arrivals(1, (0,) * period), [0] * period, 1.0)]
    least, step = 0, 1
    for block in blocks:
        least, step = least + block.time.conv.kernel_size[0] // 2 * step, step * block.stride
        followed = sorted(plans, key=_Plan.unevenness)[: max(1, PLANS // period)]
        plans = [plan.followed_by(block, turn, group, least) for plan in followed for turn in plan.next_turns(group)]
    return min(plans, key=lambda plan: (max(plan.loads) * plan.delay, plan.turns)).turns


@dataclass(frozen=True)
class _Plan:
    """Turns of the first blocks, when what they give comes, what each frame of a period has to do, and what the
    latency makes it count."""

    turns: list[int]
    given: Arrivals
    loads: list[int]
    delay: float

    def unevenness(self) -> tuple[float, list[int]]:
        """What tells early how full the fullest frame will be, better than the fullest so far does."""
        return sum(load * load for load in self.loads) * self.delay**2, self.turns

    def next_turns(self, group: int) -> range:
        """With which frames of a group it may be the next block's turn."""
        return range(self.turns[-1], group) if self.turns else range(1)

    def followed_by(self, block: Block, turn: int, group: int, least: int) -> _Plan:
        """The plan with one block more; least: the latency up to it that there has to be."""
        joints, time, *more = (part.numel() for part in _matrices(block))
        taken, given = at_turn(block, self.given, turn, group)
        loads = list(self.loads)
        for steps, cost in ((taken, joints), (given, time + sum(more))):
            frames = [steps.at(number) % len(loads) for number in range(len(steps.late))]
            for frame in frames:
                loads[frame] += cost
            for frame in set(frames):
                loads[frame] += CALL
        return _Plan([*self.turns, turn], given, loads, 1 + DELAY * (given.lag - least))


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
        period, group = rhythm(blocks)
        inputs = Arrivals(1, (0,) * period)
        for block, turn in zip(blocks, turns(blocks), strict=True):
            self.blocks.append(BlockSteps(block, inputs, turn, group))
            inputs = self.blocks[-1].arrivals
        self.taps, self.channels = stack.taps, stack.channels
        self.arrivals = tuple(self.blocks[tap].arrivals.later(lag) for tap in self.taps)
        self.parts = list(self.blocks)
        self.none = [np.zeros((0, size), dtype=np.float32) for size in self.channels]

    def due(self, presence: Presence) -> bool:
        """Whether it is the first block's turn."""
        return self.blocks[0].due(presence)

    def __call__(self, x: Floats, presence: Presence, end: bool) -> list[Floats]:
        """What the next frames x make final."""
        x = self.norm(x, presence)
        levels: list[Floats | None] = []
        for number, block in enumerate(self.blocks):
            before = block.done
            if x.shape[1] or end or (block.waiting is not None and block.waiting.ready and block.due(presence)):
                x = block(x, presence, end)
            if number in self.taps:
                levels.append(pooled(x, presence, before, block.step * block.stride) if block.done > before else None)
        return [self.none[at] if level is None else level for at, level in enumerate(levels)]


class TCNSteps(EncoderSteps):
    """Dilated convolutions on the joints of a person side by side."""

    rows = 1

    def __init__(self, encoder: TCN, joints: int, lag: int) -> None:
        self.norm, self.joints = InputNorm(encoder.input_norm, joints), joints
        self.stack = DilatedStackSteps(encoder.stack, lag, rows=0)
        self.arrivals, self.parts = (Arrivals(1, (self.stack.lag,)),), self.stack.parts

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
        self.arrivals, self.rows = members[0].arrivals, members[0].rows
        self.parts = [part for member in members for part in member.parts]

    def due(self, presence: Presence) -> bool:
        """Whether it is the turn of one of them, and so of all: they are alike."""
        return self.members[0].due(presence)

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

    def __init__(
        self, fusion: NestedU, channels: tuple[int, ...], strides: tuple[int, ...], inputs: Sequence[Arrivals]
    ) -> None:
        self.depth, self.ratios, self.strides = fusion.depth, fusion.ratios, strides
        sizes = {(level, 0): size for level, size in enumerate(channels)}
        come = {(level, 0): one for level, one in enumerate(inputs)}
        self.units: dict[tuple[int, int], UnitSteps] = {}
        for column in range(1, self.depth):
            for level in range(self.depth - column):
                sources = [(level, before) for before in range(column)] + [(level + 1, column - 1)]
                unit = cast(Unit, fusion.units[f"{level}_{column}"])
                made = UnitSteps(unit, [sizes[one] for one in sources], [come[one] for one in sources])
                self.units[level, column] = made
                sizes[level, column], come[level, column] = unit.conv.out_channels, made.arrivals
        ends = [(0, column) for column in range(self.depth)]
        self.join = UnitSteps(fusion.join, [sizes[end] for end in ends], [come[end] for end in ends])
        self.lag, self.channels = self.join.lag, fusion.channels
        self.parts = [*self.units.values(), self.join]
        self.none: Floats = np.zeros((0, self.channels), dtype=np.float32)

    def __call__(self, levels: list[Floats], presence: Presence, end: bool) -> Floats:
        """What the next steps of the levels make final."""
        if not end and not any(map(len, levels)):
            return self.none
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

    def __init__(self, fusion: LastMap, inputs: Arrivals) -> None:
        self.stride, self.channels = fusion.stride, fusion.channels
        self.steps = Steps([fusion.channels], rows=1)
        self.memory, self.parts = (self.steps,), [self]
        self.lag = arrivals(1, inputs.period, lambda frame: inputs.at(-(-frame // self.stride))).lag

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
    elif (
        isinstance(encoder, Stack)
        and type(encoder).person_features is Stack.person_features
        and type(encoder).forward is Encoder.forward
    ):
        made = StackSteps(encoder, lag) if all(type(block) is Block for block in encoder.blocks) else None
    return made


def fusion_steps(fusion: Fusion, encoder: Encoder, inputs: Sequence[Arrivals]) -> FusionSteps | None:
    """The fusion step by step, after levels that come like `inputs`; None where nobody has said how it is done."""
    if type(fusion) is NestedU:
        return NestedUSteps(fusion, encoder.channels, encoder.strides, inputs)
    if type(fusion) is LastMap:
        return LastMapSteps(fusion, inputs[-1])
    return None
