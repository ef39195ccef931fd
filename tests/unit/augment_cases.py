"""What the tests of augmentation share: settings that do nothing, and views with gaps or of a clock."""

from __future__ import annotations

import torch

from kinespan.config import AugmentConfig
from kinespan.transforms.augment import TimeMap, View

NOTHING = AugmentConfig(crop_min=1, shear=0, rotation=0, tilt=0, flip=0, noise=0, blur=0, axis_mask=0, joint_mask=0)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def view_of(batch=4, frames=24, people=2, joints=20, seed=0, start=2.0, step=0.1):
    x = torch.randn(batch, frames, people, joints, 3, generator=generator(seed))
    valid = torch.ones(batch, frames, people, dtype=torch.bool)
    valid[0, 18:] = False  # padding
    valid[1, 5:9, 0] = False  # a gap
    valid[2, :, 1] = False  # nobody beside
    times = TimeMap(start + torch.arange(batch).float(), torch.full((batch,), step))
    valid = valid[..., None].expand(x.shape[:4]).clone()
    return View(torch.where(valid[..., None], x, 0.0), valid, times, torch.arange(batch))


def clock(batch=8, frames=20, step=0.1, held=None):
    """A view whose positions are the seconds of their frames' middles."""
    times = TimeMap(5.0 * torch.arange(batch).float(), torch.full((batch,), step))
    middles = times.start[:, None] + (torch.arange(frames) + 0.5) * step
    valid = torch.ones(batch, frames, 1, dtype=torch.bool)
    if held is not None:
        valid[:, held:] = False
    x = middles[:, :, None, None, None].expand(batch, frames, 1, 2, 3)
    valid = valid[..., None].expand(x.shape[:4]).clone()
    return View(torch.where(valid[..., None], x, 0.0), valid, times, torch.arange(batch))
