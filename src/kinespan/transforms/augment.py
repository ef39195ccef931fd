"""Augmentation of whole batches on their device; each view remembers its time map back to the recording.

The set is that of the skeleton contrastive family (CrosSCLR, AimCLR, RVTCLR): temporal crop, shear, rotation, mirror,
noise, blur, axis mask, joint mask. Every draw comes from the generator that is handed in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from ..config import AugmentConfig
from ..skeleton import Skeleton
from .constants import joints_on


@dataclass(frozen=True)
class TimeMap:
    """Affine map from a view's frames to seconds of its recording: frame j covers [start + j step, start + (j+1) step).

    ``start`` (B,) and ``step`` (B,) in seconds; differentiable in both.
    """

    start: Tensor
    step: Tensor

    def edges(self, count: int, num_frames: int) -> Tensor:
        """Seconds (B, count + 1) of the edges of `count` equal segments of a view of `num_frames` frames."""
        parts = torch.arange(count + 1, device=self.start.device, dtype=self.start.dtype) * (num_frames / count)
        return self.start[:, None] + parts * self.step[:, None]


@dataclass(frozen=True)
class View:
    """A batch of clips as a network sees them, and where in their recordings they lie.

    positions (B, T, P, J, 3), valid (B, T, P) bool, times, and recording (B,) int64, the number of the recording
    in its pool. Positions of absent people and padded frames are zero. timed (B, T) bool is False for frames that do
    not show the time that the map gives them (they are mirrored in time); None stands for all True.
    """

    positions: Tensor
    valid: Tensor
    times: TimeMap
    recording: Tensor
    timed: Tensor | None = None


def augment(view: View, config: AugmentConfig, skeleton: Skeleton, generator: Generator) -> View:
    """One augmented View of a batch, on its device. The generator must live on the same device."""
    if config.crop == "shift":
        view = crop_shift(view, config.crop_ratio, generator)
    elif config.crop_min < 1:
        view = crop_resize(view, config.crop_min, generator)
    x, valid = view.positions, view.valid
    x = linear_map(x, config, generator)
    if config.flip > 0:
        x = mirror(x, skeleton, _chosen(len(x), config.flip, x, generator))
    if config.noise > 0:
        amount = config.noise * _chosen(len(x), 0.5, x, generator).to(x.dtype)
        x = x + amount.view(-1, 1, 1, 1, 1) * torch.randn(x.shape, generator=generator, device=x.device)
    if config.blur > 0:
        x = blur(x, valid, config.blur, generator, reach=config.blur_frames // 2)
    if config.axis_mask > 0:
        x = mask_axis(x, config.axis_mask, generator)
    if config.joint_mask > 0:
        x = mask_joints(x, skeleton, config.joint_mask, config.joint_mask_count, generator)
    return replace(view, positions=torch.where(valid[..., None, None], x, 0.0))


def crop_resize(view: View, crop_min: float, generator: Generator) -> View:
    """Cut a random stretch out of each clip and stretch it to the clip's length; the time map follows.

    The stretch is chosen within the part of the clip that holds somebody, so that padding does not grow.
    """
    batch, length = view.positions.shape[:2]
    device = view.positions.device
    end = held_end(view).float()
    share = crop_min + (1 - crop_min) * torch.rand(batch, generator=generator, device=device)
    # A clip that is padded keeps its padding in proportion: the crop of its held part fills the same frames.
    first = (1 - share) * end * torch.rand(batch, generator=generator, device=device)
    grid = torch.arange(length, device=device) + 0.5
    return sample_time(view, first[:, None] + grid * share[:, None] - 0.5, held_end=end, first=first, share=share)


def crop_shift(view: View, ratio: int, generator: Generator) -> View:
    """Move each clip in time by up to 1 / ratio of its length, either way, and mirror it where it ends.

    The temporal crop of the skeleton contrastive family (CrosSCLR, Li et al., CVPR 2021): reflected padding of
    T // ratio frames at both ends, then T frames from a random start. The time map is that of the shift; mirrored
    frames are not `timed`. Only the part of a clip that holds somebody is moved, so padding stays as it is.
    """
    batch, length = view.positions.shape[:2]
    device = view.positions.device
    end = held_end(view)
    most = end // ratio
    shift = (torch.rand(batch, generator=generator, device=device) * (2 * most + 1)).long().clamp(max=2 * most) - most
    frames = torch.arange(length, device=device)
    at = frames + shift[:, None]
    last = end[:, None] - 1
    inside = (at >= 0) & (at <= last)
    mirrored = last - (last - at.abs()).abs()  # 0 and the last frame are the mirrors
    held = frames < end[:, None]
    read = torch.where(held, mirrored, frames)
    seen = _take(view.valid, read) & held[..., None]
    timed = inside if view.timed is None else inside & _take(view.timed, read)
    times = TimeMap(view.times.start + shift * view.times.step, view.times.step)
    positions = torch.where(seen[..., None, None], _take(view.positions, read), 0.0)
    return replace(view, positions=positions, valid=seen, times=times, timed=timed)


def change_tempo(view: View, fast: Tensor) -> View:
    """Views of half the frames (B, T // 2, ...): every second frame where `fast` (B,), else the first half of them.

    The tempo step of RVTCLR (Zhu et al., ICCV 2023). The middle of a frame stays at the middle of the frame that it
    was read from, so a fast view begins half a frame of the clip earlier.
    """
    half = view.positions.shape[1] // 2
    rate = torch.where(fast, 2, 1)
    at = torch.arange(half, device=fast.device) * rate[:, None]
    start = view.times.start - 0.5 * (rate - 1) * view.times.step
    return replace(
        view,
        positions=_take(view.positions, at),
        valid=_take(view.valid, at),
        times=TimeMap(start, view.times.step * rate),
        timed=None if view.timed is None else _take(view.timed, at),
    )


def held_end(view: View) -> Tensor:
    """The frame (B,) after the last one that holds somebody, at least 1."""
    held = view.valid.any(dim=2)
    numbers = torch.arange(1, held.shape[1] + 1, device=held.device)
    return torch.where(held, numbers, 0).amax(dim=1).clamp(min=1)


def sample_time(view: View, at: Tensor, *, held_end: Tensor, first: Tensor, share: Tensor) -> View:
    """Read each clip at fractional frames `at` (B, T), linear between frames; frames past `held_end` stay padding."""
    length = view.positions.shape[1]
    last = (held_end - 1)[:, None]
    at = torch.minimum(at.clamp(min=0), last)
    low = at.floor().long()
    high = torch.minimum(low + 1, last.long())
    part = at - low
    x_low, x_high = _take(view.positions, low), _take(view.positions, high)
    mixed = x_low + part[:, :, None, None, None] * (x_high - x_low)
    seen = _take(view.valid, low) & (_take(view.valid, high) | (part == 0)[..., None])
    inside = torch.arange(length, device=at.device) + 0.5 < held_end[:, None]
    seen = seen & inside[..., None]
    start = view.times.start + first * view.times.step
    mapped = TimeMap(start, view.times.step * share)
    timed = None if view.timed is None else _take(view.timed, low) & _take(view.timed, high)
    positions = torch.where(seen[..., None, None], mixed, 0.0)
    return replace(view, positions=positions, valid=seen, times=mapped, timed=timed)


def linear_map(x: Tensor, config: AugmentConfig, generator: Generator) -> Tensor:
    """Shear and rotate positions (B, ..., 3), one 3x3 matrix a clip (shear as in CrosSCLR: unit diagonal)."""
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
    return torch.einsum("btpjc,bdc->btpjd", x, matrix)


def rotation(axis: int, angle: Tensor) -> Tensor:
    """Rotation matrices (B, 3, 3) about axis 0, 1 or 2 by angles (B,) in radians."""
    one, two = [(1, 2), (2, 0), (0, 1)][axis]
    matrix = torch.zeros(len(angle), 3, 3, device=angle.device)
    matrix[:, axis, axis] = 1
    matrix[:, one, one] = matrix[:, two, two] = angle.cos()
    matrix[:, one, two] = -angle.sin()
    matrix[:, two, one] = angle.sin()
    return matrix


def turn_about_main_axis(degrees: float, batch: int, like: Tensor, generator: Generator) -> Tensor:
    """Rotations (B, 3, 3) by 0 to `degrees` about an axis drawn for each clip, by 0 to 1 degree about the other two.

    The rotation of AimCLR (Guo et al., AAAI 2022), which has it with 30 degrees.
    """
    main = torch.randint(3, (batch,), generator=generator, device=like.device)
    share = torch.rand(batch, 3, generator=generator, device=like.device)
    most = torch.where(main[:, None] == torch.arange(3, device=like.device), math.radians(degrees), math.radians(1))
    x, y, z = (rotation(axis, (share * most)[:, axis]) for axis in range(3))
    return z @ y @ x


def mirror(x: Tensor, skeleton: Skeleton, chosen: Tensor) -> Tensor:
    """Mirror the chosen clips (B,) left to right: negate x and swap the left and right joints."""
    flipped = x[..., joints_on(tuple(skeleton.mirror), x.device), :]
    flipped[..., 0].neg_()
    return torch.where(chosen.view(-1, 1, 1, 1, 1), flipped, x)


def mirror_some(view: View, skeleton: Skeleton, share: float, generator: Generator) -> tuple[View, Tensor]:
    """The batch with a share of its clips, on average, mirrored, and which (B,) bool they are."""
    chosen = _chosen(len(view.positions), share, view.positions, generator)
    return replace(view, positions=mirror(view.positions, skeleton, chosen)), chosen


def blur(x: Tensor, valid: Tensor, probability: float, generator: Generator, reach: int = 4) -> Tensor:
    """Gaussian smoothing in time with a sigma of 0.1 to 2 frames per clip; absent frames give and take nothing."""
    batch, length = x.shape[:2]
    sigma = 0.1 + 1.9 * torch.rand(batch, generator=generator, device=x.device)
    chosen = _chosen(batch, probability, x, generator)
    offsets = torch.arange(-reach, reach + 1, device=x.device)
    kernel = torch.exp(-0.5 * (offsets / sigma[:, None]) ** 2)
    kernel = torch.where(chosen[:, None], kernel, (offsets == 0).float())
    weight = valid.to(x.dtype)
    mixed, total = torch.zeros_like(x), torch.zeros_like(weight)
    padded_x = F.pad(x, (0, 0, 0, 0, 0, 0, reach, reach))
    padded_w = F.pad(weight, (0, 0, reach, reach))
    for index in range(2 * reach + 1):
        scaled = kernel[:, index].view(-1, 1, 1) * padded_w[:, index : index + length]
        total = total + scaled
        mixed = mixed + scaled[..., None, None] * padded_x[:, index : index + length]
    return mixed / total.clamp(min=1e-6)[..., None, None]


def mask_axis(x: Tensor, probability: float, generator: Generator) -> Tensor:
    """Flatten one random axis of each chosen clip to zero."""
    chosen = _chosen(len(x), probability, x, generator)
    axis = torch.randint(3, (len(x),), generator=generator, device=x.device)
    gone = chosen[:, None] & (axis[:, None] == torch.arange(3, device=x.device))
    return torch.where(gone.view(-1, 1, 1, 1, 3), 0.0, x)


def mask_joints(x: Tensor, skeleton: Skeleton, probability: float, count: int, generator: Generator) -> Tensor:
    """Hide `count` random joints of each chosen clip by placing them at the root for the whole clip."""
    chosen = _chosen(len(x), probability, x, generator)
    rank = torch.rand(len(x), skeleton.num_joints, generator=generator, device=x.device).argsort(dim=1).argsort(dim=1)
    hidden = ((rank < count) & chosen[:, None]).view(len(x), 1, 1, -1, 1)
    root = x[..., joints_on(tuple(skeleton.root), x.device), :].mean(dim=-2, keepdim=True)
    return torch.where(hidden, root, x)


def _take(values: Tensor, frames: Tensor) -> Tensor:
    """values (B, T, ...) at frames (B, T')."""
    return values[torch.arange(len(values), device=values.device)[:, None], frames]


def _uniform(shape: tuple[int, ...], like: Tensor, generator: Generator) -> Tensor:
    """Uniform in [-1, 1)."""
    return torch.rand(shape, generator=generator, device=like.device) * 2 - 1


def _chosen(batch: int, probability: float, like: Tensor, generator: Generator) -> Tensor:
    """Which clips (B,) a change falls on."""
    return torch.rand(batch, generator=generator, device=like.device) < probability
