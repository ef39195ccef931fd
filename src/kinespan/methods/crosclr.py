"""CrosSCLR: what is similar in one stream is a positive of the other streams (Li et al., CVPR 2021).

Notable choices:
- the queues of all streams hold the same clips in the same slots, so that an index mined in one is valid in all
- the embedding and the snippet term see all streams side by side
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations

import torch
from torch import Tensor, nn

from ..config import MethodConfig
from ..encoders.base import Encoder
from ..encoders.streamwise import Streamwise, joined
from ..errors import InputError
from ..losses import MultiPositiveLoss
from .base import METHODS, EncoderInput, Method, MethodInputs, MethodOutput, unit_length
from .mining import check_mining, nearest
from .moco import MoCo

PAPER = "Li et al.: 3D Human Action Representation Learning via Cross-View Consistency Pursuit, CVPR 2021"


@dataclass(frozen=True)
class CrosSCLROptions:
    """Settings of CrosSCLR."""

    topk: int = 1
    """Keys nearest to a stream's query that count as positives of each other stream."""
    mine_from: float = 0.5
    """Share of the steps after which streams mine for one another (150 of 300 epochs); 1: never."""

    def __post_init__(self) -> None:
        """Validate; InputError names the option."""
        check_mining(self.topk, self.mine_from)


@METHODS.register("crosclr", paper=PAPER)
class CrosSCLR(Method):
    """SkeletonCLR on each stream; then what is similar in one stream is a positive of the others.

    First phase: the sum over streams u of InfoNCE(q_u, k_u). Second phase: the sum over ordered pairs u, v of streams
    of the multi-positive InfoNCE of q_u, whose positives are k_u and, in the queue of u, the keys of the clips whose
    keys in the queue of v are the top-k nearest to q_v. All streams are those of the same two views. It needs an
    encoder for each stream. The snippet term gets the maps of all streams side by side.
    """

    Options = CrosSCLROptions
    members: Sequence[MoCo]

    def __init__(self, encoder: Encoder, config: MethodConfig, options: CrosSCLROptions) -> None:
        """Raises InputError for an encoder that is not one for each of several streams."""
        super().__init__()
        if not isinstance(encoder, Streamwise):
            raise InputError(
                "method crosclr takes an encoder for each of several streams; give --network.fuse-streams late "
                "--network.streams joint joint_motion bone"
            )
        self.options = options
        self.members = nn.ModuleList(MoCo(member, config) for member in encoder.members)  # type: ignore[assignment]
        self.encoder = encoder
        self.loss = MultiPositiveLoss(config.temperature)

    def forward(self, inputs: MethodInputs) -> MethodOutput:
        """The loss of two views, over streams or across them."""
        query, key = inputs.view(), inputs.view()
        recordings = inputs.clips.recording  # (B,)
        members = self.members
        query_pairs = zip(members, self._by_stream(query), strict=True)
        pyramids, queries = zip(*(member.query(stream) for member, stream in query_pairs), strict=True)  # (B, D) each
        key_pairs = zip(members, self._by_stream(key), strict=True)
        key_pyramids, keys = zip(*(member.key(stream) for member, stream in key_pairs), strict=True)  # (B, D) each
        queues = [member.queue.negatives(recordings)[0] for member in members]  # (M, D) each
        negative_mask = members[0].queue.negatives(recordings)[1]  # (B, M), the same in all streams
        loss = self._contrast(queries, keys, queues, negative_mask, inputs.progress >= self.options.mine_from)
        if self.training:
            for member, member_keys in zip(members, keys, strict=True):
                member.queue.put(member_keys, recordings)
        embedding = unit_length(torch.cat(queries, dim=1))  # (B, streams D)
        pyramid, key_pyramid = joined(pyramids), joined(key_pyramids)
        return MethodOutput(loss, pyramid, key_pyramid, query.view, key.view, embedding, {"video": loss.detach()})

    def after_step(self) -> None:
        """Move the key network of each stream towards its query network."""
        for member in self.members:
            member.after_step()

    def _by_stream(self, inputs: EncoderInput) -> list[EncoderInput]:
        """The input of each stream's encoder."""
        return [EncoderInput(stream, inputs.view) for stream in inputs.streams.chunk(len(self.members), dim=-1)]

    def _contrast(
        self,
        queries: tuple[Tensor, ...],
        keys: tuple[Tensor, ...],
        queues: list[Tensor],
        negative_mask: Tensor,
        across: bool,
    ) -> Tensor:
        """The loss of queries and keys (B, D) and queues (M, D), each by stream; negative_mask (B, M).

        across: whether streams mine positives for one another, as in the second phase.
        """
        topk = self.options.topk
        if across:
            mined = [nearest(query, queue, negative_mask, topk) for query, queue in zip(queries, queues, strict=True)]
            pairs = list(permutations(range(len(queries)), 2))
        else:
            mined = [torch.zeros_like(negative_mask) for _ in queries]  # (B, M) each
            pairs = [(stream, stream) for stream in range(len(queries))]
        losses = [self.loss(queries[u], keys[u], queues[u], mined[v], negative_mask) for u, v in pairs]
        return torch.stack(losses).sum()
