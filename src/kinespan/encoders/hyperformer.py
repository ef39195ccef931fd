"""Hyperformer (Zhou et al.: Hypergraph Transformer for Skeleton-based Action Recognition, 2022), with a pyramid.

Joints of a frame attend to each other, knowing how many bones lie between them and which part of the body (torso, an
arm, a leg: a hyperedge) the other belongs to; a temporal convolution at several scales takes the place of the
transformer's perceptron.

| stage | shape of one person's map |
|---|---|
| streams, input batch norm over (J, C) | (N, T, J, C_in) |
| blocks 1 to 4 | (N, T, J, 216), level 0 of the pyramid |
| blocks 5 to 7, stride 2 at 5 | (N, T/2, J, 216), level 1 |
| blocks 8 to 10, stride 2 at 8 | (N, T/4, J, 216), level 2 |

216 channels are 9 heads of 24. The first block takes coordinates as they are. Attention is within a frame, so what a
frame depends on is bounded by the temporal convolutions.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ..arrays import Float32Array, IntArray
from ..data.skeleton import Skeleton
from .base import ENCODERS
from .graph import hops
from .layers import Dropout, masked
from .multiscale import MultiScaleConv, Shortcut
from .stack import STRIDES, Stack, pairs

HEADS = 9
HEAD_CHANNELS = 24
WIDTHS = (HEADS * HEAD_CHANNELS,) * len(STRIDES)
PAPER = "Zhou, Cheng, Li, Fang, Geng, Xie, Keuper: Hypergraph Transformer for Skeleton-based Action Recognition, 2022"

TORSO, LEFT_ARM, RIGHT_ARM, LEFT_LEG, RIGHT_LEG = range(5)
_LIMBS = {"arm": ("shoulder", "elbow", "wrist", "hand", "hand_tip", "thumb"), "leg": ("hip", "knee", "ankle", "foot")}
_LIMB_OF_PART = {
    f"{side}_{part}": limb
    for side, limbs in (("left", (LEFT_ARM, LEFT_LEG)), ("right", (RIGHT_ARM, RIGHT_LEG)))
    for limb, parts in zip(limbs, _LIMBS.values(), strict=True)
    for part in parts
}


def hyperedges(skeleton: Skeleton) -> IntArray:
    """The part of the body (J,) that each joint belongs to, numbered from 0 without gaps in the order above.

    By the joint's canonical name; a joint without one is with the limb whose landmark it is, else with its parent,
    which takes fingers and toes where they belong. The rest, the head among it, is torso.
    """
    landmarks = (skeleton.left_shoulder, skeleton.right_shoulder, skeleton.left_hip, skeleton.right_hip)
    landmark_limbs = [(joint, limb) for limb, landmark in enumerate(landmarks, LEFT_ARM) for joint in landmark]
    joints = [joint for joint, _ in landmark_limbs]
    # a joint of two limbs belongs to neither
    limb_of = {joint: limb for joint, limb in landmark_limbs if joints.count(joint) == 1}
    part_of: dict[int, int] = {-1: TORSO}
    for joint in skeleton.order:
        name = skeleton.body_parts[joint]
        inherited = limb_of.get(joint, part_of[skeleton.parents[joint]])
        part_of[joint] = inherited if name is None else _LIMB_OF_PART.get(name, TORSO)
    parts = np.array([part_of[joint] for joint in range(skeleton.num_joints)])
    return np.unique(parts, return_inverse=True)[1].astype(np.int64)


def bone_graph(skeleton: Skeleton) -> Float32Array:
    """Shares (J, J) of a joint and its neighbours by bones in the joint's mean; rows sum to 1."""
    adjacent = (hops(skeleton) <= 1).astype(np.float32)
    share: Float32Array = adjacent / adjacent.sum(axis=1, keepdims=True)
    return share


class HyperAttention(nn.Module):
    """Hyper self-attention of the joints of a frame; x (N, T, J, C) to (N, T, J, C').

    With q_i, k_j, v_j of joints, e_j the projected mean of the joints of j's hyperedge, r the learned embedding of a
    number of bones and u a learned vector, all of one head of d channels:
    (softmax_j((q_i k_j + q_i r(i, j) + q_i e_j + u e_j) / sqrt(d)) + b(i, j)) v_j, summed over j,
    where b is learned and starts from the body's bones. Heads are not mixed here; what follows does it.
    """

    bones: Tensor
    edge_of: Tensor
    edge_share: Tensor

    def __init__(self, in_channels: int, out_channels: int, heads: int, skeleton: Skeleton) -> None:
        super().__init__()
        self.heads = heads
        self.project = nn.Linear(in_channels, 3 * out_channels)
        self.project_edge = nn.Linear(in_channels, out_channels, bias=False)
        parts, distance = torch.from_numpy(hyperedges(skeleton)), torch.from_numpy(hops(skeleton))
        member = nn.functional.one_hot(parts).T.float()
        self.register_buffer("bones", distance.flatten(), persistent=False)
        self.register_buffer("edge_of", parts, persistent=False)
        self.register_buffer("edge_share", member / member.sum(dim=1, keepdim=True), persistent=False)
        size = out_channels // heads
        self.relative = nn.Parameter(torch.randn(heads, size, int(distance.max()) + 1) * 0.02)
        self.edge_bias = nn.Parameter(torch.zeros(heads, size))
        self.relation = nn.Parameter(torch.from_numpy(bone_graph(skeleton)).repeat(heads, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """x (N, T, J, C) to (N, T, J, C'), each frame by itself."""
        count, length, joints, _ = x.shape
        query, key, value = self.project(x).view(count * length, joints, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        edges = self.project_edge(torch.matmul(self.edge_share.to(x.dtype), x))
        edges = edges.view(count * length, -1, self.heads, query.shape[-1]).transpose(1, 2)  # (N T, heads, E, d)

        scale = query.shape[-1] ** -0.5
        query = query * scale
        by_edge = torch.matmul(query, edges.transpose(2, 3))  # (N T, heads, J, E)
        by_edge = by_edge + torch.matmul(edges, (self.edge_bias * scale)[..., None]).transpose(2, 3)
        logits = torch.matmul(query, key.transpose(2, 3)) + by_edge[..., self.edge_of]
        logits = logits + self.by_bones(query)
        share = logits.softmax(dim=-1, dtype=torch.promote_types(logits.dtype, torch.float32))
        share = (share + self.relation).to(value.dtype)
        return torch.matmul(share, value).transpose(1, 2).reshape(count, length, joints, -1)

    def by_bones(self, query: Tensor) -> Tensor:
        """q_i r(i, j) for all pairs of joints: queries (M, heads, J, d) to (M, heads, J, J)."""
        joints, size = query.shape[2:]
        # a product for each head and joint i with the embeddings of all (i, j)
        embedded = self.relative[..., self.bones].view(self.heads, size, joints, joints).transpose(1, 2)
        products = torch.matmul(query.permute(1, 2, 0, 3), embedded.to(query.dtype))  # (heads, J, M, J)
        return products.permute(2, 0, 1, 3)


class Block(nn.Module):
    """Attention over joints and convolution over time; x (N, T, J, C) to (N, ceil(T / stride), J, C').

    y = shortcut(x) + attention(norm(x)); relu(time(y) + shortcut(x)). The first block has coordinates to attend to,
    which its input norm has brought to size, and no layer norm over them.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int, heads: int, skeleton: Skeleton, dropout: float
    ) -> None:
        super().__init__()
        first = in_channels != out_channels
        self.stride = stride
        self.norm = nn.Identity() if first else nn.LayerNorm(in_channels)
        self.attention = HyperAttention(in_channels, out_channels, heads, skeleton)
        self.widen = nn.Linear(in_channels, out_channels) if first else nn.Identity()
        self.time = MultiScaleConv(out_channels, stride)
        self.short = None if first else Shortcut(in_channels, out_channels, stride)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The block's output and the mask of its steps."""
        out_mask = None if mask is None else mask[:, :: self.stride]
        hidden = self.widen(x) + self.dropout(self.attention(self.norm(x)))
        hidden = self.dropout(self.time(masked(hidden, mask), mask))
        if self.short is not None:
            hidden = hidden + self.short(x, mask)
        return masked(torch.relu(hidden), out_mask), out_mask


class Hyperformer(Stack):
    """Hyperformer of ten blocks for any skeleton; see the module's table for shapes."""

    def __init__(self, skeleton: Skeleton, in_channels: int, dropout: float = 0.0) -> None:
        blocks = [
            Block(before, after, stride, HEADS, skeleton, dropout if number else 0.0)
            for number, (before, after, stride) in enumerate(pairs(in_channels, WIDTHS, STRIDES))
        ]
        reach = blocks[0].time.reach
        super().__init__(blocks, WIDTHS, STRIDES, reach, skeleton.num_joints * in_channels)


@ENCODERS.register("hyperformer", paper=PAPER)
def hyperformer(skeleton: Skeleton, in_channels: int, dropout: float = 0.0) -> Hyperformer:
    """Hyperformer, joints that attend to joints and body parts; 2.6 M parameters."""
    return Hyperformer(skeleton, in_channels, dropout)
