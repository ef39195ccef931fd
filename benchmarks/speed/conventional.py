"""The field's usual way of learning from skeletons and of localizing, written plainly, to measure ours against.

It is what the public code of the skeleton contrastive family does, as its papers and guides describe it, in our words:
everything in float32; clips (N, C, T, V, M) with M = 2 people, the second all zeros where one is present; ST-GCN
with the channels mixed first and the neighbours summed by an einsum; a momentum network updated parameter by parameter;
a long recording cut into windows of 64 frames with a stride of 16, whose scores are averaged; a stream scored by
running the window again for each frame. Views are in `conventional_views`, files and mAP in `conventional_files`.

Letters are the field's: N clips, C channels, T frames, V joints, M people, K partitions of the graph. Where the maths
is ours, benchmarks/tests/test_conventional.py holds that the numbers are.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS_16 = (16, 16, 16, 16, 32, 32, 32, 64, 64, 256)
WIDTHS_64 = (64, 64, 64, 64, 128, 128, 128, 256, 256, 256)
STRIDES = (1, 1, 1, 1, 2, 1, 1, 2, 1, 1)
PEOPLE = 2
WINDOW, STRIDE = 64, 16


class Block(nn.Module):
    """Graph convolution, then convolution over nine frames, with a residual (Yan et al., AAAI 2018)."""

    def __init__(self, before: int, after: int, stride: int, parts: int, dropout: float, residual: bool) -> None:
        super().__init__()
        self.mix = nn.Conv2d(before, after * parts, 1)
        self.time = nn.Sequential(
            nn.BatchNorm2d(after),
            nn.ReLU(inplace=True),
            nn.Conv2d(after, after, (9, 1), (stride, 1), (4, 0)),
            nn.BatchNorm2d(after),
            nn.Dropout(dropout, inplace=True),
        )
        self.residual = residual
        self.short: nn.Module = nn.Identity()
        if residual and (before != after or stride != 1):
            self.short = nn.Sequential(nn.Conv2d(before, after, 1, (stride, 1)), nn.BatchNorm2d(after))

    def forward(self, x: Tensor, graph: Tensor) -> Tensor:
        """(N M, C, T, V) and graph (K, V, V) to (N M, C', T', V)."""
        count, _, frames, joints = x.shape
        mixed = self.mix(x).view(count, len(graph), -1, frames, joints)
        summed = torch.einsum("nkctv,kvw->nctw", mixed, graph).contiguous()
        out: Tensor = self.time(summed)
        return F.relu(out + self.short(x) if self.residual else out, inplace=True)


class STGCN(nn.Module):
    """ST-GCN over clips (N, C, T, V, M); adjacency (K, V, V)."""

    adjacency: Tensor

    def __init__(
        self, adjacency: Tensor, in_channels: int = 3, widths: Sequence[int] = WIDTHS_16, dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.register_buffer("adjacency", adjacency)
        self.input_norm = nn.BatchNorm1d(in_channels * adjacency.shape[1])
        sizes = zip((in_channels, *widths[:-1]), widths, STRIDES, strict=True)
        self.blocks = nn.ModuleList(
            Block(before, after, stride, len(adjacency), dropout if number else 0.0, residual=number > 0)
            for number, (before, after, stride) in enumerate(sizes)
        )
        self.importance = nn.ParameterList(nn.Parameter(torch.ones_like(adjacency)) for _ in self.blocks)
        self.channels = tuple(width for width, after in zip(widths, (*STRIDES[1:], 2), strict=True) if after > 1)

    def maps(self, x: Tensor) -> list[Tensor]:
        """The last maps (N, M, C', T', V) of each resolution in time, finest first."""
        clips, channels, frames, joints, people = x.shape
        x = x.permute(0, 4, 3, 1, 2).contiguous().view(clips * people, joints * channels, frames)
        x = self.input_norm(x).view(clips, people, joints, channels, frames)
        x = x.permute(0, 1, 3, 4, 2).contiguous().view(clips * people, channels, frames, joints)
        levels = []
        for number, (block, importance) in enumerate(zip(self.blocks, self.importance, strict=True)):
            x = block(x, self.adjacency * importance)
            if number + 1 == len(self.blocks) or STRIDES[number + 1] > 1:
                levels.append(x.view(clips, people, *x.shape[1:]))
        return levels

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, C'): means over joints and time, then over people."""
        last = self.maps(x)[-1]
        return F.avg_pool2d(last.flatten(0, 1), last.shape[-2:]).view(*last.shape[:3]).mean(dim=1)


class SkeletonCLR(nn.Module):
    """MoCo on skeleton clips (Li et al., CVPR 2021): a query network, its slow copy, a queue of negatives."""

    queue: Tensor
    pointer: Tensor

    def __init__(
        self,
        network: STGCN,
        queue: int = 32768,
        dim: int = 128,
        momentum: float = 0.999,
        temperature: float = 0.07,
    ) -> None:
        super().__init__()
        self.momentum, self.temperature = momentum, temperature
        width = network.channels[-1]
        self.query = network
        self.query_head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, dim))
        self.key, self.key_head = copy.deepcopy(self.query), copy.deepcopy(self.query_head)
        for parameter in (*self.key.parameters(), *self.key_head.parameters()):
            parameter.requires_grad = False
        self.register_buffer("queue", F.normalize(torch.randn(dim, queue), dim=0))
        self.register_buffer("pointer", torch.zeros(1, dtype=torch.long))

    @torch.no_grad()
    def update_key(self) -> None:
        """Move the slow network."""
        for fast, slow in ((self.query, self.key), (self.query_head, self.key_head)):
            for new, old in zip(fast.parameters(), slow.parameters(), strict=True):
                old.data = old.data * self.momentum + new.data * (1.0 - self.momentum)

    @torch.no_grad()
    def positive(self, clips: Tensor) -> Tensor:
        """Keys (N, D) of clips; moves the slow network first."""
        self.update_key()
        return F.normalize(self.key_head(self.key(clips)), dim=1)

    @torch.no_grad()
    def enqueue(self, keys: Tensor) -> None:
        """Put keys (N, D) in place of the oldest; the queue's size is a multiple of N."""
        start = int(self.pointer)
        self.queue[:, start : start + len(keys)] = keys.T
        self.pointer[0] = (start + len(keys)) % self.queue.shape[1]

    def logits(self, query: Tensor, key: Tensor) -> Tensor:
        """Similarities (N, 1 + queue) over the temperature, the positive first."""
        positive = torch.einsum("nc,nc->n", [query, key]).unsqueeze(-1)
        negative = torch.einsum("nc,ck->nk", [query, self.queue.clone().detach()])
        return torch.cat([positive, negative], dim=1) / self.temperature

    def forward(self, query_clips: Tensor, key_clips: Tensor) -> Tensor:
        """The loss of two views (N, C, T, V, M)."""
        query = F.normalize(self.query_head(self.query(query_clips)), dim=1)
        key = self.positive(key_clips)
        logits = self.logits(query, key)
        self.enqueue(key)
        return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))


class AimCLR(SkeletonCLR):
    """Two more queries, an extreme one and the same with joints dropped, against one key (Guo et al., AAAI 2022)."""

    keep = 0.7

    def forward(  # type: ignore[override]
        self, query_clips: Tensor, key_clips: Tensor, extreme_clips: Tensor, draws: Tensor | None = None
    ) -> Tensor:
        """The loss in the phase with mining; draws (N, V) uniform numbers of the drop module."""
        normal = F.normalize(self.query_head(self.query(query_clips)), dim=1)
        last = self.query.maps(extreme_clips)[-1]
        changed = F.normalize(self.query_head(last.mean(dim=(1, 3, 4))), dim=1)
        dropped = F.normalize(self.query_head(self.drop(last, draws)), dim=1)
        key = self.positive(key_clips)
        views = [self.logits(query, key) for query in (normal, changed, dropped)]
        positives = torch.zeros_like(views[0])
        positives[:, 0] = 1
        for logits in views:
            nearest = torch.topk(logits[:, 1:].detach(), 1, dim=1).indices
            positives.scatter_(1, nearest + 1, 1)
        mined = -(F.log_softmax(views[0], dim=1) * positives).sum(1).div(positives.sum(1)).mean()
        target = F.softmax(views[0].detach(), dim=1)
        divergences = [-(target * F.log_softmax(logits, dim=1)).sum(dim=1).mean() for logits in views[1:]]
        self.enqueue(key)
        return mined + (divergences[0] + divergences[1]) / 2

    def drop(self, last: Tensor, draws: Tensor | None = None) -> Tensor:
        """Features (N, C) of the deepest map (N, M, C, T, V) without its most active joints (energy attention)."""
        joints = last.mean(dim=(1, 3))  # (N, C, V)
        values = joints.detach()
        deviation = (values - values.mean(dim=2, keepdim=True)).pow(2)
        variance = deviation.mean(dim=2, keepdim=True)
        attention = ((deviation + 2 * variance + 2e-4) / (4 * (variance + 1e-4))).mean(dim=1)  # (N, V)
        chance = (1 - self.keep) * attention / attention.mean(dim=1, keepdim=True)
        draws = torch.rand(chance.shape, device=chance.device) if draws is None else draws
        keep = draws >= chance
        keep = (keep | ~keep.any(dim=1, keepdim=True)).to(joints.dtype)
        return (joints * keep[:, None]).sum(dim=2) / keep.sum(dim=1, keepdim=True)


class Unit(nn.Sequential):
    """Convolution over three frames, batch norm, ReLU of maps (N, C, T)."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(nn.Conv1d(before, after, 3, padding=1), nn.BatchNorm1d(after), nn.ReLU(inplace=True))


class Localizer(nn.Module):
    """ST-GCN, a U over its three resolutions (nested, as in U-Net++), and a linear map for each frame."""

    def __init__(self, network: STGCN, labels: int, width: int = 64, out: int = 256) -> None:
        super().__init__()
        fine, middle, coarse = network.channels
        self.network = network
        self.unit_01, self.unit_11 = Unit(fine + middle, width), Unit(middle + coarse, width)
        self.unit_02 = Unit(fine + 2 * width, width)
        self.join = nn.Conv1d(fine + 2 * width, out, 1)
        self.head = nn.Conv1d(out, labels + 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, labels + 1, T) of clips (N, C, T, V, M), column 0 background."""
        fine, middle, coarse = (level.mean(dim=(1, 4)) for level in self.network.maps(x))
        fine_1 = self.unit_01(torch.cat([fine, _doubled(middle, fine)], dim=1))
        middle_1 = self.unit_11(torch.cat([middle, _doubled(coarse, middle)], dim=1))
        fine_2 = self.unit_02(torch.cat([fine, fine_1, _doubled(middle_1, fine)], dim=1))
        logits: Tensor = self.head(F.relu(self.join(torch.cat([fine, fine_1, fine_2], dim=1))))
        return logits


def _doubled(x: Tensor, like: Tensor) -> Tensor:
    """Maps (N, C, T) with each frame twice, cut to the frames of another."""
    return torch.repeat_interleave(x, 2, dim=2)[:, :, : like.shape[2]]


@torch.no_grad()
def windowed_scores(
    model: nn.Module, clip: Tensor, window: int = WINDOW, stride: int = STRIDE, batch: int = 32
) -> Tensor:
    """Frame scores (T, labels + 1) of a recording (C, T, V, M): windows, scored in batches, their softmax averaged.

    The last window ends with the recording; a shorter recording is scored whole.
    """
    frames = clip.shape[1]
    window = min(window, frames)
    starts = [*range(0, frames - window, stride), frames - window]
    total, count = None, torch.zeros(frames, 1, device=clip.device)
    for first in range(0, len(starts), batch):
        batch_starts = starts[first : first + batch]
        clips = torch.stack([clip[:, start : start + window] for start in batch_starts])
        scores = model(clips).softmax(dim=1).transpose(1, 2)
        if total is None:
            total = torch.zeros(frames, scores.shape[2], device=clip.device)
        for start, window_scores in zip(batch_starts, scores, strict=True):
            total[start : start + window] += window_scores
            count[start : start + window] += 1
    assert total is not None
    return total / count


class WindowStream:
    """Frames one at a time; the scores of the newest by running the latest window once more."""

    def __init__(self, model: nn.Module, window: int = WINDOW) -> None:
        self.model = model
        self.frames: deque[Tensor] = deque(maxlen=window)

    @torch.no_grad()
    def push(self, frame: Tensor) -> Tensor:
        """Scores (labels + 1) of a new frame (C, V, M)."""
        self.frames.append(frame)
        clip = torch.stack(tuple(self.frames), dim=1)[None]
        scores: Tensor = self.model(clip)[0, :, -1].softmax(dim=0)
        return scores
