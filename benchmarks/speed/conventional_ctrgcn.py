"""CTR-GCN as the field runs it: float32, two people, a graph product for each of three subsets (see `conventional`).

Chen et al., "Channel-wise Topology Refinement Graph Convolution", ICCV 2021, from its equations and figures. Joints are
compared frame by frame and the comparison averaged over time; subsets are computed in sequence, and so are
the branches of the temporal convolution.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .conventional import STRIDES, WIDTHS_64

KERNEL, DILATIONS = 5, (1, 2)


def compared(channels: int) -> int:
    """Channels in which joints are compared: an eighth of the input's, and eight for the first block's coordinates."""
    return max(8, channels // 8)


class Subset(nn.Module):
    """One of the graphs of a block: a topology for each channel, and its product with the mixed channels."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        size = compared(before)
        self.source, self.target = nn.Conv2d(before, size, 1), nn.Conv2d(before, size, 1)
        self.expand, self.mix = nn.Conv2d(size, after, 1), nn.Conv2d(before, after, 1)

    def forward(self, x: Tensor, graph: Tensor, alpha: Tensor) -> Tensor:
        """(N, C, T, V) and graph (V, V), from joint v to joint w, to (N, C', T, V)."""
        source, target = self.source(x).mean(dim=2), self.target(x).mean(dim=2)
        topology = self.expand(torch.tanh(target[:, :, None, :] - source[:, :, :, None])) * alpha + graph
        return torch.einsum("ncvw,nctv->nctw", topology, self.mix(x))


class Temporal(nn.Module):
    """Two dilated branches, a max pooling and a plain branch, concatenated; (N, C, T, V) to (N, C, T', V)."""

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        share = channels // 4
        self.branches = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, share, 1), nn.BatchNorm2d(share), nn.ReLU(inplace=True),
                nn.Conv2d(share, share, (KERNEL, 1), (stride, 1), (KERNEL // 2 * step, 0), (step, 1)),
                nn.BatchNorm2d(share),
            )
            for step in DILATIONS
        )  # fmt: skip
        self.branches.append(
            nn.Sequential(
                nn.Conv2d(channels, share, 1), nn.BatchNorm2d(share), nn.ReLU(inplace=True),
                nn.MaxPool2d((3, 1), (stride, 1), (1, 0)), nn.BatchNorm2d(share),
            )
        )  # fmt: skip
        self.branches.append(nn.Sequential(nn.Conv2d(channels, share, 1, (stride, 1)), nn.BatchNorm2d(share)))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=1)


def shortcut(before: int, after: int, stride: int = 1) -> nn.Module:
    """The identity where the shape stays, else a convolution of one frame and a norm."""
    if before == after and stride == 1:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(before, after, 1, (stride, 1)), nn.BatchNorm2d(after))


class Block(nn.Module):
    """Three refined graphs, then convolutions over time, each with a shortcut; (N, C, T, V) to (N, C', T', V)."""

    def __init__(self, before: int, after: int, stride: int, graph: Tensor, dropout: float, residual: bool) -> None:
        super().__init__()
        self.graph = nn.Parameter(graph.clone())
        self.alpha = nn.Parameter(torch.zeros(1))
        self.subsets = nn.ModuleList(Subset(before, after) for _ in graph)
        self.norm = nn.BatchNorm2d(after)
        self.inner = shortcut(before, after)
        self.time = Temporal(after, stride)
        self.dropout = nn.Dropout(dropout, inplace=True)
        self.residual = residual
        self.outer = shortcut(before, after, stride) if residual else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        outputs = [subset(x, graph, self.alpha) for subset, graph in zip(self.subsets, self.graph, strict=True)]
        hidden = F.relu(self.norm(torch.stack(outputs).sum(dim=0)) + self.inner(x), inplace=True)
        out = self.dropout(self.time(hidden))
        return F.relu(out + self.outer(x) if self.residual else out, inplace=True)


class CTRGCN(nn.Module):
    """CTR-GCN over clips (N, C, T, V, M); graph (3, V, V) is the initial value of each of its three graphs."""

    def __init__(self, graph: Tensor, in_channels: int = 3, dropout: float = 0.0) -> None:
        super().__init__()
        self.input_norm = nn.BatchNorm1d(in_channels * graph.shape[1])
        sizes = zip((in_channels, *WIDTHS_64[:-1]), WIDTHS_64, STRIDES, strict=True)
        self.blocks = nn.ModuleList(
            Block(before, after, stride, graph, dropout if number else 0.0, residual=number > 0)
            for number, (before, after, stride) in enumerate(sizes)
        )
        self.channels = (WIDTHS_64[-1],)

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, C'): means over joints and time, then over people."""
        clips, channels, frames, joints, people = x.shape
        x = x.permute(0, 4, 3, 1, 2).contiguous().view(clips * people, joints * channels, frames)
        x = self.input_norm(x).view(clips, people, joints, channels, frames)
        x = x.permute(0, 1, 3, 4, 2).contiguous().view(clips * people, channels, frames, joints)
        for block in self.blocks:
            x = block(x)
        return x.mean(dim=(2, 3)).view(clips, people, -1).mean(dim=1)
