"""Streams: what a network sees of positions (joint, bone, joint motion, bone motion)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..config import check_streams
from ..data.skeleton import Skeleton
from .constants import joints_on


def compute_streams(positions: Tensor, valid: Tensor, skeleton: Skeleton, names: Sequence[str], fps: float) -> Tensor:
    """The S named streams of positions (B, T, P, J, 3), valid (B, T, P, J), concatenated: (B, T, P, J, 3 S).

    joint: position relative to the root of the same frame. bone: position relative to the parent joint (zero for a
    joint without one). joint_motion, bone_motion: forward difference in time, per second, zero where either frame is
    missing and at the end; joint motion is that of the position, so that it shows how the body moves through the room.
    position: as the normalisation leaves it, which the published preprocessings of NTU feed a network as joints.

    Streams are zero for joints that are not valid, and bones also where the parent is not: a network cannot tell where
    an unseen joint was put. The root is the mean of those of its joints that are valid.

    Raises InputError as `check_streams` does.
    """
    check_streams(names)
    streams = {"position": torch.where(valid[..., None], positions, 0.0)}
    if "joint" in names:
        roots = joints_on(tuple(skeleton.root), positions.device)
        weight = valid[..., roots, None].to(positions.dtype)  # (B, T, P, roots, 1)
        total = (positions[..., roots, :] * weight).sum(dim=-2, keepdim=True)
        root = total / weight.sum(dim=-2, keepdim=True).clamp(min=1)  # (B, T, P, 1, 3)
        streams["joint"] = torch.where(valid[..., None], positions - root, 0.0)
    if "bone" in names or "bone_motion" in names:
        parents = tuple(parent if parent >= 0 else joint for joint, parent in enumerate(skeleton.parents))
        parent = joints_on(parents, positions.device)
        is_bone = valid & valid[..., parent]
        streams["bone"] = torch.where(is_bone[..., None], positions - positions[..., parent, :], 0.0)
    if "joint_motion" in names:
        streams["joint_motion"] = _motion(positions, valid, fps)
    if "bone_motion" in names:
        streams["bone_motion"] = _motion(streams["bone"], is_bone, fps)
    return torch.cat([streams[name] for name in names], dim=-1)


def _motion(values: Tensor, valid: Tensor, fps: float) -> Tensor:
    """Forward difference per second of values (B, T, P, J, 3), zero where valid (B, T, P, J) is not in both frames."""
    is_pair = (valid[:, 1:] & valid[:, :-1])[..., None]
    difference = torch.where(is_pair, values[:, 1:] - values[:, :-1], 0.0) * fps
    return torch.nn.functional.pad(difference, (0, 0, 0, 0, 0, 0, 0, 1))
