"""The snippet term: an addition to any method that gives feature pyramids of two views.

Notable choices:
- snippets are means of the deepest map over equal parts of the view, whatever its length and stride
- time that a view mirrors at its ends makes no snippet: its time map would say what it does not show
- aligned: the queue holds single snippets; paper: one mean vector per clip
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor, nn

from ..config import MethodConfig, SnippetConfig
from ..encoders.base import Pyramid
from ..losses import AlignedSnippetLoss, PaperSnippetLoss, Snippets
from ..transforms.augment import View
from .base import Method, MethodInputs, MethodOutput, projection, unit_length
from .mining import nearest
from .momentum import Momentum, slow_copy
from .queue import KeyQueue


def pool_snippets(features: Tensor, mask: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """K equal, non-overlapping snippets of features (B, C, T) under mask (B, T): features (B, K, C) and valid (B, K).

    A snippet is the mean over its valid steps, steps on a border counted by their share; it is valid where at
    least half of it is.
    """
    features = features.float()
    step_weight = mask.to(features.dtype)  # (B, T)
    shares = _shares_on(features.shape[2], count, features.dtype, features.device)  # (K, T)
    weight = step_weight @ shares.T  # (B, K): valid share of each snippet
    # b: clips, c: channels, t: steps, k: snippets
    total = torch.einsum("bct,kt->bkc", features * step_weight[:, None], shares)  # (B, K, C)
    return total / weight.clamp(min=1e-6)[..., None], weight >= 0.5


def snippet_shares(length: int, count: int) -> Tensor:
    """Matrix (K, T): the share of snippet k that step t fills; rows sum to 1."""
    edges = torch.arange(count + 1) * (length / count)  # (K + 1,), in steps
    steps = torch.arange(length)  # (T,)
    start = torch.maximum(edges[:-1, None], steps[None])  # (K, T)
    end = torch.minimum(edges[1:, None], steps[None] + 1)  # (K, T)
    return (end - start).clamp(min=0) * (count / length)


@lru_cache(maxsize=64)
def _shares_on(length: int, count: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """`snippet_shares` on a device, sent there once; not to be written to."""
    with torch.inference_mode(False):  # a cached tensor may be used in training later
        return snippet_shares(length, count).to(device, dtype)


def timed_snippets(view: View, count: int) -> Tensor:
    """Which of K snippets of a view (B, K) bool show nothing but the time that its time map says."""
    if view.timed is None:
        return torch.ones(len(view.positions), count, dtype=torch.bool, device=view.positions.device)
    shares = _shares_on(view.timed.shape[1], count, view.positions.dtype, view.positions.device)  # (K, T)
    return (~view.timed).to(shares.dtype) @ shares.T < 1e-6


class SnippetTerm(nn.Module):
    """Snippet discrimination over the deepest map; variant `aligned` is ours, `paper` the release's.

    aligned: positives cover the same time of the recording, found through the time maps of the views. paper: positives
    by arg-max backbone similarity, later also the nearest neighbours in the queue. Heads are applied snippet by snippet
    (1x1, ReLU, 1x1) and L2-normalised; keys come from a momentum copy of the head.
    """

    def __init__(self, in_channels: int, config: SnippetConfig, contrast: MethodConfig) -> None:
        """in_channels: of the deepest map; contrast: the method's settings, of which the term has its own queue."""
        super().__init__()
        self.config = config
        self.head = projection(in_channels, contrast.dim)
        self.key_head = slow_copy(self.head)
        self.momentum = Momentum(contrast.momentum)
        self.queue = KeyQueue(config.queue, contrast.dim)
        self.aligned = AlignedSnippetLoss(
            contrast.temperature, config.margin, config.same_recording_negatives, config.soft_targets
        )
        self.paper = PaperSnippetLoss(contrast.temperature)

    def forward(self, query: Pyramid, key: Pyramid, query_view: View, key_view: View, progress: float = 0.0) -> Tensor:
        """Scalar snippet loss of two pyramids of the same clip windows; fills the queue while training.

        progress of the training, from 0 to 1, says whether the paper's neighbours are mined.
        """
        query_snippets = self._snippets(query, query_view, self.head)
        with torch.no_grad():
            key_snippets = self._snippets(key, key_view, self.key_head)
        recordings = query_view.recording  # (B,)
        if self.config.variant == "paper":
            return self._paper(query_snippets, key_snippets, recordings, progress)
        return self._aligned(query_snippets, key_snippets, recordings)

    def _snippets(self, pyramid: Pyramid, view: View, head: nn.Module) -> Snippets:
        """The snippets of a view, projected by a head."""
        num_frames = view.positions.shape[1]
        count = max(1, round(num_frames / self.config.frames))
        features, valid = pool_snippets(pyramid.maps[-1], pyramid.masks[-1], count)  # (B, K, C), (B, K)
        if self.config.variant == "aligned":
            valid = valid & timed_snippets(view, count)
        vectors = unit_length(head(features))  # (B, K, D)
        return Snippets(vectors, valid, view.times.edges(count, num_frames), features)

    def _aligned(self, query: Snippets, key: Snippets, recordings: Tensor) -> Tensor:
        """The loss of positives aligned in time; every valid key snippet goes into the queue."""
        loss: Tensor = self.aligned(query, key, *self.queue.negatives(recordings))
        if self.training:
            rows = key.valid.flatten().nonzero()[:, 0]  # (N,), indices into B K snippets
            self.queue.put(key.vectors.flatten(0, 1)[rows], recordings[rows // key.valid.shape[1]])
        return loss

    def _paper(self, query: Snippets, key: Snippets, recordings: Tensor, progress: float) -> Tensor:
        """The loss of arg-max positives; the mean vector of each clip's valid key snippets goes into the queue."""
        queue, negative_mask = self.queue.negatives(recordings)  # (M, D), (B, M)
        mined = None
        if self.config.neighbours > 0 and progress >= self.config.neighbours_from:
            candidates = negative_mask[:, None].expand(-1, query.valid.shape[1], -1)  # (B, K, M)
            mined = nearest(query.vectors, queue, candidates, self.config.neighbours)
        query = replace(query, features=query.features.detach())  # which positive is chosen has no gradient
        loss: Tensor = self.paper(query, key, queue, negative_mask, mined)
        if self.training:
            clips = key.valid.any(dim=1).nonzero()[:, 0]  # (N,)
            means = unit_length((key.vectors * key.valid[..., None]).sum(dim=1))  # (B, D)
            self.queue.put(means[clips], recordings[clips])
        return loss

    def after_step(self) -> None:
        """Move the key head towards the query head."""
        self.momentum.update(self.head, self.key_head)


class WithSnippets(Method):
    """Any method plus the snippet term: L = L_method + lambda L_snippet."""

    def __init__(self, method: Method, term: SnippetTerm, weight: float) -> None:
        """weight: lambda."""
        super().__init__()
        self.method, self.term, self.weight = method, term, weight
        self.encoder = method.encoder

    def forward(self, inputs: MethodInputs) -> MethodOutput:
        """One step of the method, with the snippet term of the two views that it returns."""
        out: MethodOutput = self.method(inputs)
        snippet = self.term(out.query, out.key, out.query_view, out.key_view, inputs.progress)
        parts = {**out.parts, "snippet": snippet.detach()}
        return replace(out, loss=out.loss + self.weight * snippet, parts=parts)

    def after_step(self) -> None:
        """Called after each optimiser step, to move momentum networks."""
        self.method.after_step()
        self.term.after_step()
