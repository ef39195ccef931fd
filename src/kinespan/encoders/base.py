"""The pyramid contract that every encoder honours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ..data.skeleton import Skeleton
from ..registry import Registry


@dataclass(frozen=True)
class Pyramid:
    """Feature maps (B, C_l, T_l), finest first, pooled over joints and the people present, and their masks (B, T_l).

    Level l has a stride s_l in frames: its step i stands for frames i s_l and on, and T_l = ceil(T / s_l).
    A step is valid where somebody is present at frame i s_l. Maps are zero where their mask is False.
    ``joints`` (B, J, C) is the other marginal of the deepest features: pooled over valid time and the people present.
    ``all_valid`` is True where it is known, without a look at the device, that all masks are True everywhere.
    """

    maps: tuple[Tensor, ...]
    masks: tuple[Tensor, ...]
    joints: Tensor | None = None
    all_valid: bool = False


class PersonFeatures(NamedTuple):
    """Features of N people, not pooled: maps (N, T_l, J or 1, C_l), finest first, and features of joints (N, J, C).

    ``joints`` None stands for the mean over valid time of the deepest map, which then has all joints.
    """

    maps: list[Tensor]
    joints: Tensor | None = None


class Encoder(nn.Module):
    """From streams (B, T, P, J, C) and valid (B, T, P) to a Pyramid.

    A subclass states ``channels`` and ``strides`` of its levels, finest first, and ``halo``: how many frames to each
    side a frame's features can depend on; None where they depend on the whole clip, as those of attention over time
    do. It implements `person_features`; absent people are never sent through it. In eval mode the features of a frame
    depend on nothing else than the frames within the halo: not on padding, not on the order of people, not on the rest
    of the batch.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]
    halo: int | None

    def person_features(self, x: Tensor, mask: Tensor | None) -> PersonFeatures:
        """Features of people x (N, T, J, C); mask (N, T), None where all is valid; outside it x has no meaning."""
        raise NotImplementedError(type(self).__name__)

    def forward(self, x: Tensor, valid: Tensor) -> Pyramid:
        """The pyramid of streams x (B, T, P, J, C) and valid (B, T, P)."""
        people = present_people(valid)
        clip, slot = people.clip, people.slot
        if len(clip) == 0:
            return self._empty(x)
        mask = valid[clip, :, slot]  # (N, T)
        features = self.person_features(x[clip, :, slot], None if people.always_present else mask)
        maps, masks = [], []
        for level, stride in zip(features.maps, self.strides, strict=True):
            level_mask = mask[:, ::stride]  # (N, T_l)
            by_person = (_mean_over_joints(level) * level_mask[..., None]).transpose(1, 2)  # (N, C_l, T_l)
            count = _sum_by_clip(clip, level_mask.float(), len(x))  # (B, T_l), people in each step
            maps.append(_sum_by_clip(clip, by_person, len(x)) / count.clamp(min=1)[:, None])
            masks.append(count > 0)
        joints = _sum_by_clip(clip, _joint_features(features, mask[:, :: self.strides[-1]]), len(x))  # (B, J, C)
        joints = joints / people.present.sum(dim=1).clamp(min=1)[:, None, None]
        return Pyramid(tuple(maps), tuple(masks), joints, people.always_present and people.no_clip_empty)

    def _empty(self, x: Tensor) -> Pyramid:
        """The pyramid of a batch (B, T, ...) in which nobody is present: zeros."""
        steps = [-(-x.shape[1] // stride) for stride in self.strides]
        levels = zip(self.channels, steps, strict=True)
        maps = tuple(torch.zeros(len(x), channels, length, device=x.device) for channels, length in levels)
        masks = tuple(torch.zeros(len(x), length, dtype=torch.bool, device=x.device) for length in steps)
        return Pyramid(maps, masks, torch.zeros(len(x), x.shape[3], self.channels[-1], device=x.device))


class PresentPeople(NamedTuple):
    """The N people of a batch of B clips with P slots each who are present in some frame, by clip and then by slot."""

    present: Tensor
    """(B, P), whether somebody is in a slot in some frame."""
    clip: Tensor
    """(N,), the clip of each person."""
    slot: Tensor
    """(N,), the slot of each person."""
    always_present: bool
    """Whether all of them are there in every frame."""
    no_clip_empty: bool
    """Whether every clip has somebody."""


def present_people(valid: Tensor) -> PresentPeople:
    """The people of valid (B, T, P), by a single look at the device: each look makes a GPU wait."""
    present = valid.any(dim=1)  # (B, P)
    always_present = (valid | ~present[:, None]).all()
    summary = torch.stack([present.sum(), always_present.long(), present.any(dim=1).all().long()])
    count, always, no_clip_empty = summary.tolist()
    # slots with somebody first, in their order: what nonzero() gives, which would be a second look
    index = present.flatten().logical_not().to(torch.uint8).argsort(stable=True)[:count]
    slots = present.shape[1]
    return PresentPeople(present, index // slots, index % slots, bool(always), bool(no_clip_empty))


def _mean_over_joints(level: Tensor) -> Tensor:
    """The mean (N, T, C) float32 of a map (N, T, J, C) over its joints."""
    if level.dtype == torch.float32:
        return level.mean(dim=2)
    return _weighted_sum(level.new_ones(1, level.shape[2]), level)[:, :, 0] / level.shape[2]


def _joint_features(features: PersonFeatures, mask: Tensor) -> Tensor:
    """Features of joints (N, J, C), by default the deepest map's mean over its valid steps, mask (N, T_L)."""
    if features.joints is not None:
        return features.joints.float()
    deepest, steps = features.maps[-1], mask.sum(dim=1).clamp(min=1)[:, None, None]
    if deepest.dtype == torch.float32:
        return (deepest * mask[:, :, None, None]).sum(dim=1) / steps
    total = _weighted_sum(mask[:, None].to(deepest.dtype), deepest.flatten(2))  # (N, 1, J C)
    return total.view(len(deepest), *deepest.shape[2:]) / steps


def _weighted_sum(weights: Tensor, values: Tensor) -> Tensor:
    """Sums (..., 1, C) float32 of values (..., M, C) with weights (..., 1, M) of 0 and 1, as a product.

    torch has no sum of bfloat16 that adds up in float32 without a float32 copy. Only the result is rounded to bfloat16.
    """
    with torch.autocast(values.device.type, enabled=False):
        return torch.matmul(weights, values).float()


def _sum_by_clip(clip: Tensor, values: Tensor, clips: int) -> Tensor:
    """The sum (B, ...) of values (N, ...) over the people of each clip; clip (N,) says which is whose."""
    return torch.zeros(clips, *values.shape[1:], device=values.device).index_add(0, clip, values)


EncoderFactory = Callable[[Skeleton, int, float], Encoder]
ENCODERS: Registry[EncoderFactory] = Registry("encoder")
"""Encoders by name: a function of the skeleton, the number of input channels and the dropout. Each is registered with
its paper; the first line of its docstring says what it is."""
