"""Augmentation of whole batches on their device; each view has a time map back to its recording.

The set is that of the skeleton contrastive family (CrosSCLR, AimCLR, RVTCLR): temporal crop, shear, rotation, mirror,
noise, blur, axis mask, joint mask. All randomness comes from the generator passed in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from ..config import AugmentConfig
from ..data.skeleton import Skeleton
from .constants import joints_on


@dataclass(frozen=True)
class TimeMap:
    """Affine map from a view's frames to seconds of its recording, differentiable in both parameters.

    Frame j covers the seconds [start + j step, start + (j + 1) step).
    """

    start: Tensor
    """(B,) seconds"""
    step: Tensor
    """(B,) seconds a frame"""

    def edges(self, count: int, num_frames: int) -> Tensor:
        """Seconds (B, count + 1) of the edges of `count` equal segments of a view of `num_frames` frames."""
        frames = torch.arange(count + 1, device=self.start.device, dtype=self.start.dtype) * (num_frames / count)
        return self.start[:, None] + frames * self.step[:, None]


@dataclass(frozen=True)
class View:
    """A batch of clips, and the time of their recordings that they show."""

    positions: Tensor
    """(B, T, P, J, 3), zero for absent people and padded frames"""
    valid: Tensor
    """(B, T, P, J) bool: which joints of the people who are present were seen"""
    times: TimeMap
    recording: Tensor
    """(B,) int64: index of the recording in its pool"""
    timed: Tensor | None = None
    """(B, T) bool: False for frames mirrored in time, which do not show the time of the map; None: all True"""

    @cached_property
    def present(self) -> Tensor:
        """(B, T, P) bool: whether the person is present"""
        return self.valid.any(dim=3)


def augment(
    view: View, config: AugmentConfig, skeleton: Skeleton, generator: Generator, frames: int | None = None
) -> View:
    """An augmented View of a batch, on its device, which must be that of the generator.

    frames: those of the view that comes out, fewer than those of the clip where crops may be longer than it
    (`clip_frames_for`); None: as many.
    """
    if config.crop == "shift":
        view = crop_shift(view, config.crop_ratio, generator)
    elif config.crop_min < 1 or frames not in (None, view.positions.shape[1]):
        view = crop_resize(view, config.crop_min, generator, config.crop_max, frames)
    view = replace(view, positions=linear_map(view.positions, config, generator))
    if config.flip > 0:
        view, _ = mirror_some(view, skeleton, config.flip, generator)
    x, valid = view.positions, view.valid
    if config.noise > 0:
        amount = config.noise * _draw(len(x), 0.5, x, generator).to(x.dtype)
        x = x + amount.view(-1, 1, 1, 1, 1) * torch.randn(x.shape, generator=generator, device=x.device)
    if config.blur > 0:
        x = blur(x, valid, config.blur, generator, reach=config.blur_frames // 2)
    if config.axis_mask > 0:
        x = mask_axis(x, config.axis_mask, generator)
    if config.joint_mask > 0:
        x = mask_joints(x, skeleton, config.joint_mask, config.joint_mask_count, generator)
    view = replace(view, positions=torch.where(valid[..., None], x, 0.0))
    return hide_joints(view, skeleton, config.hide, generator) if config.hide > 0 else view


def clip_frames_for(config: AugmentConfig, frames: int) -> int:
    """Frames of the clips that views of so many frames are cut from: more where crops may be longer than a view."""
    return math.ceil(frames * config.crop_max) if config.crop == "resize" else frames


def crop_resize(
    view: View, crop_min: float, generator: Generator, crop_max: float = 1.0, frames: int | None = None
) -> View:
    """Cut a random window out of each clip and resize it to `frames`, by default the clip's, linear between frames.

    Windows are crop_min to crop_max times `frames` long. The time map is that of the window, which lies before the
    clip's padding; where a recording has fewer frames than a view, the share of padding in the view stays the same.
    """
    batch, length = view.positions.shape[:2]
    device = view.positions.device
    content, frames = content_end(view).float(), length if frames is None else frames
    share = crop_min + (crop_max - crop_min) * torch.rand(batch, generator=generator, device=device)
    # The crop of a padded clip's content fills the frames of its content, and is at most all of it.
    end = content.clamp(max=frames)  # (B,), where the content of the view ends
    share = torch.minimum(share, content / end)
    first = (content - share * end) * torch.rand(batch, generator=generator, device=device)
    centres = torch.arange(frames, device=device) + 0.5
    last = (content - 1)[:, None]
    source = torch.minimum((first[:, None] + centres * share[:, None] - 0.5).clamp(min=0), last)  # (B, T), fractional
    low = source.floor().long()
    high = torch.minimum(low + 1, last.long())
    weight = source - low
    x_low, x_high = _at_frames(view.positions, low), _at_frames(view.positions, high)
    mixed = x_low + weight[:, :, None, None, None] * (x_high - x_low)
    valid = _at_frames(view.valid, low) & (_at_frames(view.valid, high) | (weight == 0)[..., None, None])
    valid = valid & (centres < end[:, None])[..., None, None]
    return replace(
        view,
        positions=torch.where(valid[..., None], mixed, 0.0),
        valid=valid,
        times=TimeMap(view.times.start + first * view.times.step, view.times.step * share),
        timed=None if view.timed is None else _at_frames(view.timed, low) & _at_frames(view.timed, high),
    )


def crop_shift(view: View, ratio: int, generator: Generator) -> View:
    """Shift each clip in time by up to 1 / ratio of its length, either way, mirroring it at its ends.

    The temporal crop of the skeleton contrastive family (CrosSCLR, Li et al., CVPR 2021): reflected padding of
    T // ratio frames at both ends, then T frames from a random start. The time map is that of the shift; mirrored
    frames are not `timed`. Padding is not moved.
    """
    batch, length = view.positions.shape[:2]
    device = view.positions.device
    end = content_end(view)
    max_shift = end // ratio
    shift = (torch.rand(batch, generator=generator, device=device) * (2 * max_shift + 1)).long().clamp(
        max=2 * max_shift
    ) - max_shift
    frames = torch.arange(length, device=device)
    shifted = frames + shift[:, None]
    last = end[:, None] - 1
    is_inside = (shifted >= 0) & (shifted <= last)
    mirrored = last - (last - shifted.abs()).abs()  # 0 and the last frame are the mirrors
    is_content = frames < end[:, None]
    source = torch.where(is_content, mirrored, frames)
    mask = _at_frames(view.valid, source) & is_content[..., None, None]
    timed = is_inside if view.timed is None else is_inside & _at_frames(view.timed, source)
    times = TimeMap(view.times.start + shift * view.times.step, view.times.step)
    positions = torch.where(mask[..., None], _at_frames(view.positions, source), 0.0)
    return replace(view, positions=positions, valid=mask, times=times, timed=timed)


def change_tempo(view: View, fast: Tensor) -> View:
    """Views of half the frames (B, T // 2, ...): every second frame where `fast` (B,), else the first half of them.

    The tempo step of RVTCLR (Zhu et al., ICCV 2023). A frame keeps the centre of the frame that it was read from, so a
    fast view begins half a frame of the clip earlier.
    """
    half = view.positions.shape[1] // 2
    rate = torch.where(fast, 2, 1)
    frames = torch.arange(half, device=fast.device) * rate[:, None]
    start = view.times.start - 0.5 * (rate - 1) * view.times.step
    return replace(
        view,
        positions=_at_frames(view.positions, frames),
        valid=_at_frames(view.valid, frames),
        times=TimeMap(start, view.times.step * rate),
        timed=None if view.timed is None else _at_frames(view.timed, frames),
    )


def content_end(view: View) -> Tensor:
    """The frame (B,) after the last one with a person in it, at least 1."""
    has_content = view.present.any(dim=2)  # (B, T)
    stop = torch.arange(1, has_content.shape[1] + 1, device=has_content.device)
    return torch.where(has_content, stop, 0).amax(dim=1).clamp(min=1)


def linear_map(x: Tensor, config: AugmentConfig, generator: Generator) -> Tensor:
    """Shear and rotate positions (B, T, P, J, 3), one 3x3 matrix a clip (shear as in CrosSCLR: unit diagonal)."""
    batch = len(x)
    matrix = torch.eye(3, device=x.device).expand(batch, 3, 3).clone()
    if config.shear > 0:
        off = 1 - torch.eye(3, device=x.device)
        matrix = matrix + off * config.shear * _uniform((batch, 3, 3), x, generator)
    for axis, degrees in ((1, config.rotation), (0, config.tilt), (2, config.tilt)):
        if degrees > 0:
            matrix = rotation(axis, math.radians(degrees) * _uniform((batch,), x, generator)) @ matrix
    if config.main_axis > 0:
        matrix = turn_about_main_axis(config.main_axis, batch, x, generator) @ matrix
    return torch.einsum("btpjc,bdc->btpjd", x, matrix)  # c: coordinate before, d: after


def rotation(axis: int, angle: Tensor) -> Tensor:
    """Rotation matrices (B, 3, 3) about axis 0, 1 or 2 by angles (B,) in radians."""
    first_axis, second_axis = [(1, 2), (2, 0), (0, 1)][axis]
    matrix = torch.zeros(len(angle), 3, 3, device=angle.device)
    matrix[:, axis, axis] = 1
    matrix[:, first_axis, first_axis] = matrix[:, second_axis, second_axis] = angle.cos()
    matrix[:, first_axis, second_axis] = -angle.sin()
    matrix[:, second_axis, first_axis] = angle.sin()
    return matrix


def turn_about_main_axis(degrees: float, batch: int, like: Tensor, generator: Generator) -> Tensor:
    """Rotations (B, 3, 3) by 0 to `degrees` about a random axis of each clip, by 0 to 1 degree about the other two.

    The rotation of AimCLR (Guo et al., AAAI 2022), which has it with 30 degrees.
    """
    main = torch.randint(3, (batch,), generator=generator, device=like.device)
    share = torch.rand(batch, 3, generator=generator, device=like.device)
    max_angle = torch.where(
        main[:, None] == torch.arange(3, device=like.device), math.radians(degrees), math.radians(1)
    )
    x, y, z = (rotation(axis, (share * max_angle)[:, axis]) for axis in range(3))
    return z @ y @ x


def mirror(view: View, skeleton: Skeleton, chosen: Tensor) -> View:
    """The batch with the clips where `chosen` (B,) left to right: x negated, left and right joints swapped."""
    swapped = joints_on(tuple(skeleton.mirror), view.positions.device)
    flipped = view.positions[..., swapped, :]
    flipped[..., 0].neg_()
    return replace(
        view,
        positions=torch.where(chosen.view(-1, 1, 1, 1, 1), flipped, view.positions),
        valid=torch.where(chosen.view(-1, 1, 1, 1), view.valid[..., swapped], view.valid),
    )


def mirror_some(view: View, skeleton: Skeleton, share: float, generator: Generator) -> tuple[View, Tensor]:
    """The batch with each clip mirrored with probability `share`, and the mask (B,) of those that are."""
    chosen = _draw(len(view.positions), share, view.positions, generator)
    return mirror(view, skeleton, chosen), chosen


def blur(x: Tensor, valid: Tensor, probability: float, generator: Generator, reach: int = 4) -> Tensor:
    """Gaussian smoothing in time with a sigma of 0.1 to 2 frames a clip, over valid (B, T, P, J) joints only."""
    batch, length = x.shape[:2]
    sigma = 0.1 + 1.9 * torch.rand(batch, generator=generator, device=x.device)
    chosen = _draw(batch, probability, x, generator)
    offsets = torch.arange(-reach, reach + 1, device=x.device)
    kernel = torch.exp(-0.5 * (offsets / sigma[:, None]) ** 2)
    kernel = torch.where(chosen[:, None], kernel, (offsets == 0).float())
    weight = valid.to(x.dtype)
    mixed, total = torch.zeros_like(x), torch.zeros_like(weight)
    padded_x = F.pad(x, (0, 0, 0, 0, 0, 0, reach, reach))
    padded_w = F.pad(weight, (0, 0, 0, 0, reach, reach))
    for index in range(2 * reach + 1):
        scaled = kernel[:, index].view(-1, 1, 1, 1) * padded_w[:, index : index + length]
        total = total + scaled
        mixed = mixed + scaled[..., None] * padded_x[:, index : index + length]
    return mixed / total.clamp(min=1e-6)[..., None]


def mask_axis(x: Tensor, probability: float, generator: Generator) -> Tensor:
    """Set one random axis to zero in clips drawn with `probability`."""
    chosen = _draw(len(x), probability, x, generator)
    axis = torch.randint(3, (len(x),), generator=generator, device=x.device)
    is_masked = chosen[:, None] & (axis[:, None] == torch.arange(3, device=x.device))
    return torch.where(is_masked.view(-1, 1, 1, 1, 3), 0.0, x)


def mask_joints(x: Tensor, skeleton: Skeleton, probability: float, count: int, generator: Generator) -> Tensor:
    """Move `count` random joints to the root for the whole clip, in clips drawn with `probability`."""
    chosen = _draw(len(x), probability, x, generator)
    rank = torch.rand(len(x), skeleton.num_joints, generator=generator, device=x.device).argsort(dim=1).argsort(dim=1)
    hidden = ((rank < count) & chosen[:, None]).view(len(x), 1, 1, -1, 1)
    root = x[..., joints_on(tuple(skeleton.root), x.device), :].mean(dim=-2, keepdim=True)
    return torch.where(hidden, root, x)


def hide_joints(view: View, skeleton: Skeleton, share: float, generator: Generator) -> View:
    """Hide up to a share of the joints throughout half of the clips, at random; nobody is absent for it.

    A root of which every joint is hidden is estimated by those next to it, as `normalise.estimate_roots` does.
    """
    x, valid, device = view.positions, view.valid, view.positions.device
    chosen = _draw(len(x), 0.5, x, generator)
    amount = share * torch.rand(len(x), generator=generator, device=device) * chosen  # (B,)
    hidden = torch.rand(len(x), skeleton.num_joints, generator=generator, device=device) < amount[:, None]  # (B, J)
    root = joints_on(tuple(skeleton.root), device)
    is_lost = hidden[:, root].all(dim=1)[:, None, None] & valid[..., root].any(dim=3)  # (B, T, P)
    seen = valid & ~hidden[:, None, None]  # (B, T, P, J)
    if skeleton.root_neighbours:
        neighbours, first = joints_on(skeleton.root_neighbours, device), skeleton.root[0]
        weight = seen[..., neighbours, None].to(x.dtype)
        mean = (x[..., neighbours, :] * weight).sum(dim=3) / weight.sum(dim=3).clamp(min=1)  # (B, T, P, 3)
        is_estimated = is_lost & seen[..., neighbours].any(dim=3)  # (B, T, P)
        x = x.clone()
        x[..., first, :] = torch.where(is_estimated[..., None], mean, x[..., first, :])
        seen[..., first] |= is_estimated
        is_lost = is_lost & ~is_estimated
    # where nothing next to it is left either, the root stays: without it nobody would be present
    seen[..., root] |= is_lost[..., None] & valid[..., root]
    return replace(view, positions=torch.where(seen[..., None], x, 0.0), valid=seen)


def _at_frames(values: Tensor, frames: Tensor) -> Tensor:
    """Values (B, T, ...) at frames (B, T')."""
    return values[torch.arange(len(values), device=values.device)[:, None], frames]


def _uniform(shape: tuple[int, ...], like: Tensor, generator: Generator) -> Tensor:
    """Uniform in [-1, 1)."""
    return torch.rand(shape, generator=generator, device=like.device) * 2 - 1


def _draw(batch: int, probability: float, like: Tensor, generator: Generator) -> Tensor:
    """Mask (B,) of clips drawn with a probability."""
    return torch.rand(batch, generator=generator, device=like.device) < probability
