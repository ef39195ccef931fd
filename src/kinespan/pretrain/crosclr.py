"""CrosSCLR: streams that tell each other which recordings are alike (Li et al., CVPR 2021)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations

import torch
from torch import Tensor, nn

from ..config import MethodConfig
from ..encoders.base import Encoder
from ..encoders.streamwise import Streamwise, joined
from ..errors import InputError
from ..losses import MultiPositiveLoss
from .base import METHODS, Method, MethodOutput, Seen, Step, unit_length
from .mining import check_mining, nearest
from .moco import MoCo

PAPER = "Li et al.: 3D Human Action Representation Learning via Cross-View Consistency Pursuit, CVPR 2021"


@dataclass(frozen=True)
class CrosSCLROptions:
    """Settings of CrosSCLR."""

    topk: int = 1
    """Keys nearest to a stream's query that count as positives of each other stream."""
    mine_from: float = 0.5
    """Share of the steps after which streams learn from one another (150 of 300 epochs); 1: never."""

    def __post_init__(self) -> None:
        """Refuse settings that mean nothing."""
        check_mining(self.topk, self.mine_from)


@METHODS.register("crosclr", paper=PAPER)
class CrosSCLR(Method):
    """SkeletonCLR on each stream; then what is near in one stream is a positive of the others.

    First phase: the sum over streams u of InfoNCE(q_u, k_u). Second phase: the sum over ordered pairs u, v of streams
    of the multi-positive InfoNCE of q_u, whose positives are k_u and, in the queue of u, the keys of the clips whose
    keys in the queue of v are the top-k nearest to q_v. All streams are those of the same two views, and their queues
    hold the same clips at the same places. It takes an encoder for each stream. The snippet term gets the maps of all
    streams side by side.
    """

    Options = CrosSCLROptions

    def __init__(self, encoder: Encoder, config: MethodConfig, options: CrosSCLROptions) -> None:
        """Raises InputError for an encoder that is not one for each of several streams."""
        super().__init__()
        if not isinstance(encoder, Streamwise):
            raise InputError(
                "method crosclr takes an encoder for each of several streams; give --network.fuse-streams late "
                "--network.streams joint joint_motion bone"
            )
        self.options = options
        self.members = nn.ModuleList(MoCo(member, config) for member in encoder.members if isinstance(member, Encoder))
        self.encoder = encoder
        self.loss = MultiPositiveLoss(config.temperature)

    def forward(self, step: Step) -> MethodOutput:
        """One step."""
        query, key = step.view(), step.view()
        recordings = step.clips.recording
        streams = [member for member in self.members if isinstance(member, MoCo)]
        pairs = zip(streams, self._parts(query), strict=True)
        pyramids, queries = zip(*(stream.query(part) for stream, part in pairs), strict=True)
        pairs = zip(streams, self._parts(key), strict=True)
        key_pyramids, keys = zip(*(stream.key(part) for stream, part in pairs), strict=True)
        negatives = [stream.queue.negatives(recordings)[0] for stream in streams]
        usable = streams[0].queue.negatives(recordings)[1]  # the same in all
        loss = self._contrast(queries, keys, negatives, usable, step.progress >= self.options.mine_from)
        if self.training:
            for stream, fresh in zip(streams, keys, strict=True):
                stream.queue.put(fresh, recordings)
        embedding = unit_length(torch.cat(queries, dim=1))
        whole, key_whole = joined(list(pyramids)), joined(list(key_pyramids))
        return MethodOutput(loss, whole, key_whole, query.view, key.view, embedding, {"video": loss.detach()})

    def after_step(self) -> None:
        """Move the key network of each stream towards its query network."""
        for member in self.members:
            assert isinstance(member, MoCo)
            member.after_step()

    def _parts(self, seen: Seen) -> list[Seen]:
        """A view by stream."""
        return [Seen(part, seen.view) for part in seen.streams.chunk(len(self.members), dim=-1)]

    def _contrast(
        self,
        queries: tuple[Tensor, ...],
        keys: tuple[Tensor, ...],
        queues: list[Tensor],
        usable: Tensor,
        across: bool,
    ) -> Tensor:
        """The loss of queries and keys (B, D), with queues (M, D) by stream and usable (B, M)."""
        topk = self.options.topk
        if across:
            mined = [nearest(query, queue, usable, topk) for query, queue in zip(queries, queues, strict=True)]
            pairs = list(permutations(range(len(queries)), 2))
        else:
            mined = [torch.zeros_like(usable) for _ in queries]
            pairs = [(own, own) for own in range(len(queries))]
        losses = [self.loss(queries[u], keys[u], queues[u], mined[v], usable) for u, v in pairs]
        return torch.stack(losses).sum()
