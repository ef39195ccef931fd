"""Streams: what a network sees of positions (joint, bone, joint motion, bone motion)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..config import check_streams
from ..data.skeleton import Skeleton
from .constants import joints_on


def compute_streams(positions: Tensor, valid: Tensor, skeleton: Skeleton, names: Sequence[str], fps: float) -> Tensor:
    """The S named streams of positions (B, T, P, J, 3), valid (B, T, P), concatenated: (B, T, P, J, 3 S).

    joint: position relative to the root of the same frame. bone: position relative to the parent joint (zero for a
    joint without one). joint_motion, bone_motion: forward difference in time, per second, zero where either frame is
    absent and at the end; joint motion is that of the position, so that it shows how the body moves through the room.
    position: as the normalisation leaves it, which the published preprocessings of NTU feed a network as joints.

    Raises InputError as `check_streams` does.
    """
    check_streams(names)
    streams = {"position": positions}
    if "joint" in names:
        root = positions[..., joints_on(tuple(skeleton.root), positions.device), :].mean(dim=-2, keepdim=True)
        streams["joint"] = positions - root
    if "bone" in names or "bone_motion" in names:
        parents = tuple(parent if parent >= 0 else joint for joint, parent in enumerate(skeleton.parents))
        streams["bone"] = positions - positions[..., joints_on(parents, positions.device), :]
    if "joint_motion" in names:
        streams["joint_motion"] = _motion(positions, valid, fps)
    if "bone_motion" in names:
        streams["bone_motion"] = _motion(streams["bone"], valid, fps)
    return torch.cat([streams[name] for name in names], dim=-1)


def _motion(values: Tensor, valid: Tensor, fps: float) -> Tensor:
    """Forward difference per second of values (B, T, P, J, 3), zero where one of the two frames is absent."""
    is_pair = (valid[:, 1:] & valid[:, :-1])[..., None, None]
    difference = torch.where(is_pair, values[:, 1:] - values[:, :-1], 0.0) * fps
    return torch.nn.functional.pad(difference, (0, 0, 0, 0, 0, 0, 0, 1))
