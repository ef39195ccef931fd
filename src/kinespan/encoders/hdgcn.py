"""HD-GCN (Lee et al.: Hierarchically Decomposed Graph Convolutional Networks, ICCV 2023) with a feature pyramid.

The body is a tree that hangs from its centre of mass. Joints as far from it make a level; two levels that follow each
other make a hierarchy edge set, in which every joint of the one is joined to every joint of the other, so that left
and right hand, say, meet without the way through the trunk. Each of L sets has three graphs: the joints themselves,
centripetal (towards the centre of mass) and centrifugal edges.

| stage | shape of one person's map |
|---|---|
| streams, input batch norm over (J, C) | (N, T, J, C_in) |
| blocks 1 to 4 | (N, T, J, 64), level 0 of the pyramid |
| blocks 5 to 7, stride 2 at 5 | (N, T/2, J, 128), level 1 |
| blocks 8 to 10, stride 2 at 8 | (N, T/4, J, 256), level 2 |

A block is a hierarchical graph convolution and a temporal one at several scales. Neighbours in feature space and the
attention over sets come from the clip as a whole, so a frame's features depend on all of its valid frames.

The centre of mass is the skeleton's spine landmark (the belly of NTU's 25 joints, one of the three that the paper
takes): seven levels, six sets. A skeleton of other depth has more or fewer, and parameters with them. NTU's network
has 1.64 M parameters, 1.67 M with a classifier of 120 classes; the literature gives 1.68 M.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..arrays import Float32Array
from ..data.skeleton import Skeleton
from .base import ENCODERS
from .graph import hops
from .layers import MaskedBatchNorm
from .stack import GraphStack

SUBSETS = 3
NEAREST_JOINTS = 5
NEAREST_SETS = 3
REDUCTION = 4
PAPER = (
    "Lee, Lee, Lee, Lee: Hierarchically Decomposed Graph Convolutional Networks for Skeleton-Based Action "
    "Recognition, ICCV 2023"
)


def with_free_fingers(skeleton: Skeleton) -> Skeleton:
    """The skeleton with a tip of a hand that hangs on the thumb, as Kinect has it, hanging beside the thumb."""
    joint_of = {part: joint for joint, part in enumerate(skeleton.body_parts)}
    parents = list(skeleton.parents)
    for side in ("left", "right"):
        tip, thumb = joint_of.get(f"{side}_hand_tip"), joint_of.get(f"{side}_thumb")
        if tip is not None and thumb is not None and parents[tip] == thumb:
            parents[tip] = parents[thumb]
    return replace(skeleton, parents=tuple(parents))


def levels(skeleton: Skeleton) -> list[list[int]]:
    """Joints by their number of bones to the nearest joint of the spine, or else of the root, nearest first.

    No level is empty.
    Parts that no bone joins hang together as in `graph.hops`; fingers are all beyond the hand, as in the paper.
    """
    distance = hops(with_free_fingers(skeleton))[:, list(skeleton.spine or skeleton.root)].min(axis=1)
    return [np.flatnonzero(distance == level).tolist() for level in np.unique(distance)]


def hierarchy(skeleton: Skeleton) -> tuple[Float32Array, Float32Array]:
    """Adjacency (L, 3, J, J) of the hierarchy edge sets, and the share (L, J) that each joint has in its set's mean.

    Entry [l, k, v, w] is the weight from joint v to joint w between level l and l + 1: k = 0 joints of both levels
    to themselves, k = 1 centripetal, from the further to the nearer level, k = 2 centrifugal. Columns sum to 1 over v
    where there is anything. A skeleton of a single level has one set, without edges.
    """
    groups = levels(skeleton)
    sets = list(pairwise(groups)) or [(groups[0], [])]
    adjacency = np.zeros((len(sets), SUBSETS, skeleton.num_joints, skeleton.num_joints), dtype=np.float32)
    share = np.zeros((len(sets), skeleton.num_joints), dtype=np.float32)
    for number, (inner, outer) in enumerate(sets):
        both = inner + outer
        adjacency[number, 0, both, both] = 1
        if outer:
            adjacency[number, 1][np.ix_(outer, inner)] = 1 / len(outer)
            adjacency[number, 2][np.ix_(inner, outer)] = 1 / len(inner)
        share[number, both] = 1 / len(both)
    return adjacency, share


def at_least_float(x: Tensor) -> Tensor:
    """x in float32, or in float64 where it is."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def mean_over_time(x: Tensor, mask: Tensor | None) -> Tensor:
    """Mean (N, ...), in float32 at least, of x (N, T, ...) over the frames of mask (N, T); zero where there is none."""
    if mask is None:
        return at_least_float(x).mean(dim=1)
    share = at_least_float(x.new_ones(())) * mask / mask.sum(dim=1, keepdim=True).clamp(min=1)
    return torch.einsum("ntc,nt->nc", at_least_float(x.flatten(2)), share).view(len(x), *x.shape[2:])


def max_over_time(x: Tensor, mask: Tensor | None) -> Tensor:
    """Maximum (N, ...) of x (N, T, ...) over the frames of mask (N, T); zero where there is none."""
    if mask is None:
        return x.amax(dim=1)
    outside = ~mask.view(*mask.shape, *[1] * (x.ndim - 2))
    highest = x.masked_fill(outside, -torch.inf).amax(dim=1)
    return highest.masked_fill(highest == -torch.inf, 0)


class EdgeConv(nn.Module):
    """Convolution over nearest neighbours in feature space, of G groups apart; x (N, G, V, C), the same shape.

    For node i the maximum over its k nearest nodes j, itself among them, of LeakyReLU(norm(W [x_i, x_j - x_i])):
    Wang et al., "Dynamic Graph CNN for Learning on Point Clouds", ACM Transactions on Graphics 2019, equation 8.
    """

    def __init__(self, channels: int, groups: int, nearest: int) -> None:
        super().__init__()
        self.nearest = nearest
        self.weight = nn.Parameter(torch.empty(2, groups, channels, channels))
        nn.init.uniform_(self.weight, -((2 * channels) ** -0.5), (2 * channels) ** -0.5)
        self.norm = MaskedBatchNorm(groups * channels)

    def forward(self, x: Tensor) -> Tensor:
        """x (N, G, V, C), the same shape; neighbours are of a node's own group."""
        count, groups, nodes, channels = x.shape
        nearest = min(self.nearest, nodes)
        with torch.no_grad():
            points = at_least_float(x).flatten(0, 1)  # (N G, V, C)
            # without the shortcut by inner products, which would round near ones apart in a batch-dependent way
            distance = torch.cdist(points, points, compute_mode="donot_use_mm_for_euclid_dist")
            index = distance.topk(nearest, largest=False).indices.view(count, groups, nodes * nearest, 1)
        of_self, of_step = self.weight[0], self.weight[1]
        gathered = torch.matmul(x, of_step).gather(2, index.expand(-1, -1, -1, channels))  # (N, G, V k, C)
        edges = gathered.view(count, groups, nodes, nearest, channels) + torch.matmul(x, of_self - of_step).unsqueeze(3)
        flat = edges.permute(0, 2, 3, 1, 4).reshape(count, nodes * nearest, groups * channels)
        out = F.leaky_relu(self.norm.normalise(flat, None), 0.2)
        return out.view(count, nodes, nearest, groups, channels).amax(dim=2).transpose(1, 2)


class HierarchyAttention(nn.Module):
    """Weights (N, L, C), in 0..1, of L hierarchy edge sets from their representatives (N, L, C): the paper's A-HA.

    Sets are nodes here: 1x1, norm, ReLU to a quarter of the channels, EdgeConv among the sets, 1x1, sigmoid.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // REDUCTION
        self.down = nn.Linear(channels, inner)
        self.norm = MaskedBatchNorm(inner)
        self.edge = EdgeConv(inner, 1, NEAREST_SETS)
        self.up = nn.Linear(inner, channels)

    def forward(self, x: Tensor) -> Tensor:
        """A weight for each channel of each set."""
        hidden = torch.relu(self.norm.normalise(self.down(x), None))
        return torch.sigmoid(self.up(self.edge(hidden[:, None])[:, 0]))


class HierarchicalGraphConv(nn.Module):
    """The paper's HD-Gconv with attention-guided hierarchy aggregation; x (N, T, J, C) to (N, T, J, C').

    For each of L edge sets x is brought to C' / 4 channels, which are summed over neighbours, mixed and normalised in
    each of the set's three graphs, and go through EdgeConv as means over valid time: four quarters, one after
    another. The sets are summed with the weights that `HierarchyAttention` gives them from their representatives:
    the maximum over valid time, averaged over the joints of the set. The graphs are learned, from `hierarchy` on.
    """

    share: Tensor

    def __init__(self, in_channels: int, out_channels: int, adjacency: Tensor, share: Tensor) -> None:
        super().__init__()
        sets, inner = len(adjacency), out_channels // (SUBSETS + 1)
        self.adjacency = nn.Parameter(adjacency.clone())
        self.register_buffer("share", share, persistent=False)
        self.down = nn.Linear(in_channels, sets * inner)
        self.down_norm = MaskedBatchNorm(sets * inner)
        self.mix = nn.Parameter(torch.empty(sets * SUBSETS, inner, inner))
        nn.init.uniform_(self.mix, -(inner**-0.5), inner**-0.5)
        self.norm = MaskedBatchNorm(sets * SUBSETS * inner)
        self.edge = EdgeConv(inner, sets, NEAREST_JOINTS)
        self.attention = HierarchyAttention(out_channels)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """mask (N, T). Padded frames of the result carry no meaning."""
        count, length, joints, _ = x.shape
        sets, inner = len(self.adjacency), self.mix.shape[1]
        hidden = torch.relu(self.down_norm.normalise(self.down(x), mask))
        edges = self.edge(mean_over_time(hidden, mask).view(count, joints, sets, inner).transpose(1, 2))  # (N, L, J, c)
        graphs = self.subsets(hidden.view(count, length, joints, sets, inner))  # (N, T, J, L, 3 c)
        graphs = self.norm.normalise(graphs.flatten(3), mask).view_as(graphs)

        highest = torch.cat([at_least_float(max_over_time(graphs, mask)), edges.permute(0, 2, 1, 3)], dim=-1)
        # n person, j joint, l edge set, c channel: (N, L, 4 c), the mean over the joints of each set
        weights = self.attention(torch.einsum("njlc,lj->nlc", highest, self.share))
        of_graphs, of_edges = torch.split(weights, [SUBSETS * inner, inner], dim=-1)
        graph_sum = (graphs * of_graphs[:, None, None].to(graphs.dtype)).sum(dim=3)  # (N, T, J, 3 c)
        edge_sum = (edges * of_edges[:, :, None].to(edges.dtype)).sum(dim=1)  # (N, J, c), one for the whole clip
        return torch.cat([graph_sum, edge_sum[:, None].expand(-1, length, -1, -1).to(graph_sum.dtype)], dim=-1)

    def subsets(self, hidden: Tensor) -> Tensor:
        """Sums over the neighbours of each graph, mixed: (N, T, J, L, c) to (N, T, J, L, 3 c)."""
        count, length, joints, sets, inner = hidden.shape
        graphs = self.adjacency.transpose(2, 3).reshape(sets, SUBSETS * joints, joints)
        # joints in front, so that all frames and people of a set are one product
        summed = torch.bmm(graphs, hidden.permute(3, 2, 0, 1, 4).reshape(sets, joints, -1))
        mixed = torch.bmm(summed.view(sets * SUBSETS, -1, inner), self.mix)
        ordered = mixed.view(sets, SUBSETS, joints, count, length, inner).permute(3, 4, 2, 0, 1, 5)
        return ordered.reshape(count, length, joints, sets, SUBSETS * inner)


@ENCODERS.register("hdgcn", paper=PAPER)
def hdgcn(skeleton: Skeleton, in_channels: int, dropout: float = 0.0) -> GraphStack:
    """HD-GCN, graphs from each level of the body to the next; 1.6 M parameters."""
    adjacency, share = map(torch.from_numpy, hierarchy(skeleton))
    graph = partial(HierarchicalGraphConv, adjacency=adjacency, share=share)
    return GraphStack(skeleton, in_channels, graph, dropout=dropout)
