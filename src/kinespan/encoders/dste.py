"""DSTE, the Dense Spatio-Temporal Encoder of USDRL (Weng et al., AAAI 2025), with a pyramid of one level.

| stage | shape of one person's map |
|---|---|
| streams, input batch norm over (J, C) | (N, T, J, C_in) |
| temporal tokens: all joints of a frame, embedded, sinusoidal positions added | (N, T, H) |
| spatial tokens: a joint's trajectory of 64 frames, embedded, a learned vector for each joint added | (N, J, H) |
| L dense layers for each branch | the same |
| temporal tokens, the pyramid's only level | (N, T, 1, H) |
| spatial tokens, its features of joints | (N, J, H) |

`dste` has the size of the paper, H 1024, L 2, one head and a gap of 4; `dste_light` has H 256.

A person's valid stretch, from the first to the last valid frame, is brought to 64 frames before trajectories are
embedded, and positions are sinusoidal, so that a clip may have any length. The paper names the two attentions of a
layer and their sizes; "dense shift" and "convolutional" are implemented as we read them. A neighbour of
a joint in them is the one before or after it where the body is walked depth first, which for any skeleton is mostly
the next joint of a limb.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..data.skeleton import Skeleton
from .base import ENCODERS, Encoder, PersonFeatures
from .layers import Dropout, MaskedBatchNorm, masked

FRAMES = 64
LAYERS = 2
HEADS = 1
GAP = 4
REACH = 3
EXPANSION = 2
PAPER = (
    "Weng et al.: USDRL, Unified Skeleton-Based Dense Representation Learning with Multi-Grained Feature "
    "Decorrelation, AAAI 2025"
)


def depth_first(skeleton: Skeleton) -> list[int]:
    """Joint indices where each is followed by its children's branches, one branch after another."""
    children: dict[int, list[int]] = {joint: [] for joint in range(-1, skeleton.num_joints)}
    for joint, parent in enumerate(skeleton.parents):
        children[parent].append(joint)
    order, stack = [], children[-1][::-1]
    while stack:
        joint = stack.pop()
        order.append(joint)
        stack += children[joint][::-1]
    return order


def resampled(x: Tensor, mask: Tensor | None, frames: int = FRAMES) -> Tensor:
    """The valid stretch of x (N, T, ...) at `frames` even steps from its first to its last valid frame.

    Linear between the nearest valid frames of mask (N, T), across gaps too; a single valid frame is repeated. Every
    person has a valid frame; frames is two or more.
    """
    count, length = x.shape[:2]
    if mask is None:
        mask = torch.ones(count, length, dtype=torch.bool, device=x.device)
    frame = torch.arange(length, device=x.device).expand(count, length)
    before = torch.where(mask, frame, -1).cummax(dim=1).values  # (N, T), the last valid frame up to each
    after = torch.where(mask, frame, length).flip(1).cummin(dim=1).values.flip(1)  # (N, T), the first from each on
    first, last = after[:, :1], before[:, -1:]  # (N, 1) each
    # in whole numbers, so that a stretch of `frames` frames is left as it is
    steps = (last - first) * torch.arange(frames, device=x.device)
    index, rest = first + steps // (frames - 1), steps % (frames - 1)  # (N, frames) each
    low, high = before.gather(1, index), after.gather(1, index + (rest > 0))
    weight = (index - low + rest / (frames - 1)) / (high - low).clamp(min=1)
    person = torch.arange(count, device=x.device)[:, None]
    weight = weight.view(count, frames, *[1] * (x.ndim - 2)).to(x.dtype)
    return torch.lerp(x[person, low], x[person, high], weight)


def sinusoids(length: int, channels: int, like: Tensor) -> Tensor:
    """Positions (T, C) of Vaswani et al. (2017), section 3.5: sines in the even channels, cosines in the odd ones."""
    rate = torch.exp(torch.arange(0, channels, 2, device=like.device) * (-math.log(10_000) / channels))
    angle = torch.arange(length, device=like.device)[:, None] * rate
    return torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)[:, :channels].to(like.dtype)


def dense_shift(x: Tensor, gap: int) -> Tensor:
    """Tokens x (N, S, C) that carry a share of the channels of each neighbour up to `gap` away; zeros from outside.

    Channels are cut into 2 gap + 1 shares; in the k-th, token i has what token i + k - gap had.
    """
    length, channels = x.shape[1:]
    shares = 2 * gap + 1
    cuts = [round(share * channels / shares) for share in range(shares + 1)]
    padded = F.pad(x, (0, 0, gap, gap))  # (N, gap + S + gap, C)
    return torch.cat([padded[:, k : k + length, cuts[k] : cuts[k + 1]] for k in range(shares)], dim=2)


class Attention(nn.Module):
    """Attention of tokens to the valid ones; queries, keys and values from x (N, S, C) to (N, S, C)."""

    def __init__(self, channels: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.project = nn.Linear(channels, 3 * channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """mask (N, S) says which tokens can be attended to; one at least."""
        count, length, channels = x.shape
        projected = self.project(x).view(count, length, 3, self.heads, -1)
        query, key, value = projected.permute(2, 0, 3, 1, 4)  # (N, heads, S, C / heads) each
        key_mask = None if mask is None else mask[:, None, None]  # (N, 1, 1, S)
        dropout = self.dropout if self.training else 0.0
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=key_mask, dropout_p=dropout)
        out: Tensor = self.out(attended.transpose(1, 2).reshape(count, length, channels))
        return out


class DenseLayer(nn.Module):
    """A layer of DSTE: two attentions to neighbours in different ways, then a perceptron; x (N, S, C), the same shape.

    h = norm(x); x + (attention(shift(h)) + attention(h + conv(h))) / 2; then x + perceptron(norm(x)). The shift is
    `dense_shift`, the convolution one of each channel over `REACH` tokens.
    """

    def __init__(self, channels: int, heads: int, gap: int, dropout: float) -> None:
        super().__init__()
        self.gap = gap
        self.norm = nn.LayerNorm(channels)
        self.shifted = Attention(channels, heads, dropout)
        self.conv = nn.Conv1d(channels, channels, REACH, padding=REACH // 2, groups=channels)
        self.convolved = Attention(channels, heads, dropout)
        self.perceptron = nn.Sequential(
            nn.LayerNorm(channels),
            nn.Linear(channels, EXPANSION * channels),
            nn.GELU(),
            Dropout(dropout),
            nn.Linear(EXPANSION * channels, channels),
        )
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """mask (N, S), None where all tokens are valid. What stands at the others carries no meaning."""
        hidden = self.norm(x)
        if mask is not None:  # the norm has moved what was zero
            hidden = hidden * mask[..., None].to(hidden.dtype)
        local = hidden + self.conv(hidden.transpose(1, 2)).transpose(1, 2)
        attended = self.shifted(dense_shift(hidden, self.gap), mask) + self.convolved(local, mask)
        x = x + self.dropout(attended / 2)
        out: Tensor = x + self.dropout(self.perceptron(x))
        return out


class DSTE(Encoder):
    """DSTE for any skeleton; see the module's table for shapes."""

    order: Tensor
    index_of_joint: Tensor

    def __init__(self, skeleton: Skeleton, in_channels: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        joints = skeleton.num_joints
        order = torch.tensor(depth_first(skeleton))
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("index_of_joint", order.argsort(), persistent=False)
        self.input_norm = MaskedBatchNorm(joints * in_channels)
        self.embed_frame = nn.Linear(joints * in_channels, hidden)
        self.embed_joint = nn.Linear(FRAMES * in_channels, hidden)
        self.joint_position = nn.Parameter(torch.randn(joints, hidden) * 0.02)
        self.blocks = nn.ModuleList(DenseLayer(hidden, HEADS, GAP, dropout) for _ in range(LAYERS))
        self.joint_blocks = nn.ModuleList(DenseLayer(hidden, HEADS, GAP, dropout) for _ in range(LAYERS))
        self.norm, self.joint_norm = nn.LayerNorm(hidden), nn.LayerNorm(hidden)
        self.channels, self.strides, self.halo = (hidden,), (1,), None

    def person_features(self, x: Tensor, mask: Tensor | None) -> PersonFeatures:
        """One map (N, T, 1, H) and features of joints (N, J, H) of people x (N, T, J, C)."""
        count, length = x.shape[:2]
        x = self.input_norm.normalise(x.reshape(count, length, -1), mask).view_as(x)
        frames = self.embed_frame(x.flatten(2))  # (N, T, H)
        frames = frames + sinusoids(length, frames.shape[2], frames)
        for block in self.blocks:
            frames = block(frames, mask)
        level = masked(self.norm(frames)[:, :, None], mask)  # (N, T, 1, H)

        paths = resampled(x, mask)[:, :, self.order]  # (N, FRAMES, J, C)
        tokens = self.embed_joint(paths.transpose(1, 2).flatten(2)) + self.joint_position  # (N, J, H)
        for block in self.joint_blocks:
            tokens = block(tokens, None)
        return PersonFeatures([level], self.joint_norm(tokens)[:, self.index_of_joint])


@ENCODERS.register("dste", paper=PAPER)
def dste(skeleton: Skeleton, in_channels: int, dropout: float = 0.0) -> DSTE:
    """DSTE, attention over frames beside attention over joints; 51 M parameters."""
    return DSTE(skeleton, in_channels, 1024, dropout)


@ENCODERS.register("dste_light", paper=PAPER)
def dste_light(skeleton: Skeleton, in_channels: int, dropout: float = 0.0) -> DSTE:
    """DSTE with a quarter of its channels, for a laptop; 3 M parameters."""
    return DSTE(skeleton, in_channels, 256, dropout)
