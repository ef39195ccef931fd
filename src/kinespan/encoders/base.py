"""The pyramid contract that every encoder honours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..registry import Registry
from ..skeleton import Skeleton


@dataclass(frozen=True)
class Pyramid:
    """Feature maps (B, C_l, T_l), finest first, pooled over joints and the people present, and their masks (B, T_l).

    Level l has a stride s_l in frames: its step i stands for frames i s_l and on, and T_l = ceil(T / s_l).
    A step is valid where somebody is there at frame i s_l. Maps are zero where their mask is False.
    ``joints`` (B, J, C) is the other marginal of the deepest features: pooled over valid time and the people present.
    ``whole`` is True where it is known, without a look at the device, that all masks are.
    """

    maps: tuple[Tensor, ...]
    masks: tuple[Tensor, ...]
    joints: Tensor | None = None
    whole: bool = False


class Body(NamedTuple):
    """What a network gives for people (N): maps (N, T_l, J or 1, C_l), finest first, and features (N, J, C) of joints.

    ``joints`` None stands for the mean over valid time of the deepest map, which then has all joints.
    """

    maps: list[Tensor]
    joints: Tensor | None = None


class Encoder(nn.Module):
    """From streams (B, T, P, J, C) and valid (B, T, P) to a Pyramid.

    A subclass states ``channels`` and ``strides`` of its levels, finest first, and ``halo``: how many frames to each
    side a frame's features can depend on; None where they depend on the whole clip, as those of attention over time
    do. It implements `body`; absent people are never sent through it. In eval mode the features of a frame depend on
    nothing else than the frames within the halo: not on padding, not on the order of people, not on the rest of the
    batch.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]
    halo: int | None

    def body(self, x: Tensor, mask: Tensor | None) -> Body:
        """Maps of people x (N, T, J, C); mask (N, T), None where all is valid; elsewhere x means nothing."""
        raise NotImplementedError(type(self).__name__)

    def forward(self, x: Tensor, valid: Tensor) -> Pyramid:
        """The pyramid of a batch."""
        there = _who_is_there(valid)
        index, person = there.clip, there.person
        if len(index) == 0:
            return self._nobody(x)
        people, seen = x[index, :, person], valid[index, :, person]
        found = self.body(people, None if there.always else seen)
        pooled, masks = [], []
        for level, stride in zip(found.maps, self.strides, strict=True):
            here = seen[:, ::stride]
            features = (_over_joints(level) * here[..., None]).transpose(1, 2)
            count = _gathered(index, here.float(), len(x))
            pooled.append(_gathered(index, features, len(x)) / count.clamp(min=1)[:, None])
            masks.append(count > 0)
        joints = _over_time(found, seen[:, :: self.strides[-1]])
        people_there = there.present.sum(dim=1).clamp(min=1)[:, None, None]
        whole = there.always and there.everywhere
        return Pyramid(tuple(pooled), tuple(masks), _gathered(index, joints, len(x)) / people_there, whole)

    def _nobody(self, x: Tensor) -> Pyramid:
        """The pyramid of a batch (B, T, ...) in which nobody is there: zeros."""
        steps = [-(-x.shape[1] // stride) for stride in self.strides]
        levels = zip(self.channels, steps, strict=True)
        maps = tuple(torch.zeros(len(x), channels, length, device=x.device) for channels, length in levels)
        masks = tuple(torch.zeros(len(x), length, dtype=torch.bool, device=x.device) for length in steps)
        return Pyramid(maps, masks, torch.zeros(len(x), x.shape[3], self.channels[-1], device=x.device))


class _There(NamedTuple):
    """Who is there: present (B, P), the clip (N,) and the slot (N,) of each person who is; whether all of them are in
    every frame, and whether every clip has somebody."""

    present: Tensor
    clip: Tensor
    person: Tensor
    always: bool
    everywhere: bool


def _who_is_there(valid: Tensor) -> _There:
    """Of valid (B, T, P), by a single look at the device: each look makes a GPU run empty."""
    present = valid.any(dim=1)
    always = (valid | ~present[:, None]).all()
    told = torch.stack([present.sum(), always.long(), present.any(dim=1).all().long()])
    count, always_there, everywhere = told.tolist()
    # those who are there first, in their order: what nonzero() gives, which would be a second look
    place = present.flatten().logical_not().to(torch.uint8).argsort(stable=True)[:count]
    people = present.shape[1]
    return _There(present, place // people, place % people, bool(always_there), bool(everywhere))


def _over_joints(level: Tensor) -> Tensor:
    """The mean (N, T, C) float32 of a map (N, T, J, C) over its joints."""
    if level.dtype == torch.float32:
        return level.mean(dim=2)
    return _sum(level.new_ones(1, level.shape[2]), level)[:, :, 0] / level.shape[2]


def _over_time(found: Body, here: Tensor) -> Tensor:
    """Features of joints (N, J, C), by default the deepest map's mean over its valid steps, here (N, T_L)."""
    if found.joints is not None:
        return found.joints.float()
    deepest, steps = found.maps[-1], here.sum(dim=1).clamp(min=1)[:, None, None]
    if deepest.dtype == torch.float32:
        return (deepest * here[:, :, None, None]).sum(dim=1) / steps
    return _sum(here[:, None].to(deepest.dtype), deepest.flatten(2)).view(len(deepest), *deepest.shape[2:]) / steps


def _sum(which: Tensor, values: Tensor) -> Tensor:
    """Sums (..., 1, C) float32 of the values (..., M, C) that which (..., 1, M) is 1 for, as a product: there is no sum
    of bfloat16 that adds up in float32 without a float32 copy. Only what comes out is rounded to bfloat16."""
    with torch.autocast(values.device.type, enabled=False):
        return torch.matmul(which, values).float()


def _gathered(index: Tensor, values: Tensor, clips: int) -> Tensor:
    """The sum (B, ...) of the values (N, ...) of the people of each clip, whose number is index (N,)."""
    return torch.zeros(clips, *values.shape[1:], device=values.device).index_add(0, index, values)


EncoderFactory = Callable[[Skeleton, int, float], Encoder]
ENCODERS: Registry[EncoderFactory] = Registry("encoder")
"""Encoders by name: a function of the skeleton, the number of input channels and the dropout. Each is registered with
its paper; the first line of its docstring says what it is."""
