"""Layers of networks, run a few steps after the other: they share weights with the modules that they are made of.

Each takes the next steps of its input and gives the outputs that have become final. With ``end`` the recording ends
there: zeros follow, as in a convolution's padding, and all outputs come.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import nn

from ..encoders.layers import TemporalConv
from ..encoders.stgcn import Block
from ..encoders.tcn import DilatedLayer, DilatedStack
from ..fusion import Unit
from .products import Floats, Product
from .steps import Arrivals, Presence, Steps, TimeConv, arrivals, folded


class Layer:
    """A layer that remembers ``memory``; ``lag`` is how many frames after a step's first frame its output is final."""

    memory: tuple[Steps, ...] = ()
    lag: int
    done: int = 0
    """Outputs given so far."""

    def save(self) -> Any:
        """All that `load` needs to come back to here."""
        return self.done, [steps.save() for steps in self.memory]

    def load(self, saved: Any) -> None:
        """Come back to where `save` was called."""
        self.done, kept = saved
        for steps, one in zip(self.memory, kept, strict=True):
            steps.load(one)


class BlockSteps(Layer):
    """A block of ST-GCN; x (N J, n, C) to (N J, n', C'). Steps wait until it is its turn, to be taken together."""

    def __init__(self, block: Block, inputs: Arrivals, turn: int, group: int) -> None:
        """It is its turn with frame turn, turn + group, turn + 2 group, ..."""
        graph = block.graph
        weights = (graph.adjacency * graph.importance).detach()  # (K, J, J), from joint to joint
        self.parts, self.joints = weights.shape[:2]
        mix, mix_bias = folded(graph.mix.weight, graph.mix.bias, block.graph_norm)
        # channels are mixed for every partition, then joints summed: nothing is moved in between
        by_part = mix.view(len(mix), self.parts, -1).permute(2, 1, 0).flatten(1)  # (C, K C')
        self.mix, self.mix_bias = Product(by_part, rows=self.joints), mix_bias.cpu().numpy()
        # to joint from (joint, partition), (J, J K)
        self.neighbours = np.ascontiguousarray(weights.permute(2, 1, 0).flatten(1).cpu().numpy())
        weight, bias = folded(block.time.conv.weight[..., 0], block.time.conv.bias, block.time_norm)
        self.short: Product | None = None
        if block.short is not None:
            short, more = folded(block.short.conv.weight[..., 0, 0], block.short.conv.bias, block.short_norm)
            self.short, bias = Product(short.T, rows=self.joints), bias + more
        self.time = TimeConv(weight, bias, block.stride, rows=self.joints)
        self.hidden = Steps([weight.shape[1]], before=self.time.reach)
        self.residual = Steps([self.mix.inputs]) if block.residual else None
        taken, self.arrivals = at_turn(block, inputs, turn, group)
        self.turn, self.group = turn, group
        self.waiting = None if taken == inputs else Steps([self.mix.inputs])
        self.memory = tuple(steps for steps in (self.hidden, self.residual, self.waiting) if steps is not None)
        self.step, self.stride, self.lag = inputs.step, block.stride, self.arrivals.lag
        self.seen = 0

    def __call__(self, x: Floats, presence: Presence, end: bool) -> Floats:
        """The outputs that the next steps x make final; with the `end` nothing waits."""
        if self.waiting is not None:
            x = self._with_waiting(self.waiting, x, end or self.due(presence))
        count = x.shape[1]
        if not count and not end:
            return self.none(x)
        if count:
            place, found = self.hidden.place(count), self.over_joints(x)
            np.maximum(found, 0, out=place.reshape(found.shape))
            mask = presence.people(self.seen, count, self.step)
            if mask is not None:
                place *= _by_row(mask, self.joints)
            if self.residual is not None:
                self.residual.put(x)
            self.seen += count
        if end:
            self.hidden.close(self.time.reach)
        count = self.time.ready(self.hidden)
        if not count:
            return self.none(x)
        out = self.time(self.hidden, count)
        self.hidden.drop(count * self.stride)
        if self.residual is not None:
            beside = self.residual.windows(count, 1, self.stride).reshape(len(out), -1)
            out += beside if self.short is None else self.short(beside)
            self.residual.drop(count * self.stride)
        out = np.maximum(out, 0, out=out).reshape(len(x), count, -1)
        out = masked_rows(out, presence.people(self.done, count, self.step * self.stride))
        self.done += count
        return out

    def over_joints(self, x: Floats) -> Floats:
        """Graph convolution and norm of steps (N J, n, C), each by itself, to (N, J, n, C')."""
        rows, count, channels = x.shape
        people = rows // self.joints
        steps = x.reshape(people, self.joints, count, channels).swapaxes(1, 2).reshape(-1, channels)
        parts = self.mix(steps).reshape(people, count, self.joints * self.parts, -1)
        summed: Floats = self.neighbours @ parts
        summed += self.mix_bias
        return summed.swapaxes(1, 2)

    def due(self, presence: Presence) -> bool:
        """Whether it was its turn with one of the latest frames."""
        return (presence.frames - 1 - self.turn) % self.group < presence.latest

    def _with_waiting(self, waiting: Steps, x: Floats, now: bool) -> Floats:
        """The steps that have waited and these, if it is time for them `now`."""
        if now and not waiting.ready:
            return x
        if x.shape[1]:
            waiting.put(x)
        steps = waiting.windows(waiting.ready if now else 0, 1)[:, :, 0]
        waiting.drop(steps.shape[1])
        return steps

    def none(self, x: Floats) -> Floats:
        """No outputs."""
        return np.zeros((len(x), 0, self.time.outputs), dtype=np.float32)

    def save(self) -> Any:
        """All that `load` needs to come back to here."""
        return self.seen, super().save()

    def load(self, saved: Any) -> None:
        """Come back to where `save` was called."""
        self.seen, kept = saved
        super().load(kept)


def at_turn(block: Block, inputs: Arrivals, turn: int, group: int) -> tuple[Arrivals, Arrivals]:
    """When a block whose turn is every `group` frames takes its input, and when what it gives is final."""
    step, reach = inputs.step * block.stride, block.time.conv.kernel_size[0] // 2

    def taken(number: int) -> int:
        return inputs.at(number) + (turn - inputs.at(number)) % group

    given = arrivals(step, inputs.period, lambda number: taken(number * block.stride + reach))
    return arrivals(inputs.step, inputs.period, taken), given


class DilatedSteps(Layer):
    """A dilated residual layer; x (R, n, C), zero where nobody was, the same shape."""

    def __init__(self, layer: DilatedLayer, lag: int, rows: int) -> None:
        """rows: R at the start."""
        conv = layer.conv
        assert conv.bias is not None
        self.conv = TimeConv(conv.weight, conv.bias, dilation=conv.dilation[0])
        self.mix = by_frame(layer.mix)
        self.input = Steps([conv.in_channels], before=self.conv.reach, rows=rows)
        self.memory = (self.input,)
        self.lag = lag + self.conv.reach

    def __call__(self, x: Floats, presence: Presence, end: bool) -> Floats:
        """The outputs that the next steps x make final."""
        self.input.put(x)
        if end:
            self.input.close(self.conv.reach)
        count = self.conv.ready(self.input)
        if not count:
            return x[:, :0]
        here = self.input.windows(count, 3, dilation=self.conv.dilation)[:, :, 1]
        hidden = self.conv(self.input, count)
        out = self.mix(np.maximum(hidden, 0, out=hidden)).reshape(here.shape)
        out = masked_rows(out, presence.people(self.done, count, 1))
        out += here
        self.input.drop(count)
        self.done += count
        return out


class DilatedStackSteps:
    """A 1x1 convolution and dilated layers; x (R, n, C) to (R, n', C')."""

    def __init__(self, stack: DilatedStack, lag: int, rows: int) -> None:
        self.enter = by_frame(stack.enter)
        self.layers: list[DilatedSteps] = []
        for layer in stack.layers:
            assert isinstance(layer, DilatedLayer)
            self.layers.append(DilatedSteps(layer, lag, rows))
            lag = self.layers[-1].lag
        self.lag, self.seen = lag, Count()

    @property
    def parts(self) -> list[Layer]:
        """All that has a memory."""
        return [*self.layers, self.seen]

    def __call__(self, x: Floats, presence: Presence, end: bool) -> Floats:
        """The outputs that the next steps x make final."""
        count = x.shape[1]
        x = self.enter(x.reshape(-1, x.shape[2])).reshape(len(x), count, self.enter.outputs)
        x = masked_rows(x, presence.people(self.seen.done, count, 1))
        self.seen.done += count
        for layer in self.layers:
            x = layer(x, presence, end)
        return x


class UnitSteps(Layer):
    """A unit of the nested U, or its last convolution, over the channels of several nodes; (1, n, C) each.

    ``take`` gives it the next steps of a node, by the node's number among its sources.
    """

    def __init__(self, unit: Unit | nn.Conv1d, sources: Sequence[int], inputs: Sequence[Arrivals]) -> None:
        """sources: channels of each node; inputs: when its steps come, at the level of the unit or the one below."""
        conv = unit.conv if isinstance(unit, Unit) else unit
        assert conv.bias is not None
        weight, bias = conv.weight, conv.bias
        if isinstance(unit, Unit):
            weight, bias = folded(weight, bias, unit.norm)
        self.conv = TimeConv(weight, bias)
        self.input = Steps(sources, before=self.conv.reach, rows=1)
        self.memory = (self.input,)
        self.step = min(one.step for one in inputs)

        def latest(number: int) -> int:
            return max(one.at((number + self.conv.reach) * self.step // one.step) for one in inputs)

        self.arrivals = arrivals(self.step, max(one.period for one in inputs), latest)
        self.lag = self.arrivals.lag
        self.taken = [0] * len(sources)

    def take(self, x: Floats, source: int) -> None:
        """The next steps (1, n, C) of a source."""
        self.input.put(x, source)
        self.taken[source] += x.shape[1]

    def __call__(self, presence: Presence, end: bool) -> Floats:
        """The outputs (1, n', C') that what was taken makes final."""
        if end:
            self.input.close(self.conv.reach)
        count = self.conv.ready(self.input)
        out = self.conv(self.input, count)
        out = masked(np.maximum(out, 0, out=out)[None], presence.anyone(self.done, count, self.step))
        self.input.drop(count)
        self.done += count
        return out

    def save(self) -> Any:
        """All that `load` needs to come back to here."""
        return list(self.taken), super().save()

    def load(self, saved: Any) -> None:
        """Come back to where `save` was called."""
        self.taken, kept = list(saved[0]), saved[1]
        super().load(kept)


class Count(Layer):
    """A layer that only counts."""


def by_frame(conv: nn.Conv1d | TemporalConv) -> Product:
    """A convolution of kernel 1, or a map by frame, as a product."""
    inner = conv.conv if isinstance(conv, TemporalConv) else conv
    assert inner.bias is not None
    return Product(inner.weight.flatten(1).T, inner.bias)


def masked(x: Floats, mask: Floats | None) -> Floats:
    """x (1, n, C), zero where mask (n,) is; None leaves it."""
    return x if mask is None else x * mask[:, None]


def masked_rows(x: Floats, mask: Floats | None) -> Floats:
    """x (N R, n, C), zero where mask (N, n) of the people is; None leaves it."""
    return x if mask is None or not x.shape[1] else x * _by_row(mask, len(x) // len(mask))


def _by_row(mask: Floats, rows: int) -> Floats:
    """mask (N, n) of the people for each of their rows, (N R, n, 1)."""
    return np.repeat(mask, rows, axis=0)[:, :, None]
