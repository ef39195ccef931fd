"""The snippet term: an addition to any method that gives feature pyramids of two views."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor, nn

from ..config import SnippetConfig
from ..encoders.base import Pyramid
from ..losses import AlignedSnippetLoss, PaperSnippetLoss
from ..transforms.augment import View
from .base import Method, MethodOutput, Step, projection, unit_length
from .mining import nearest
from .momentum import Momentum, slow_copy
from .queue import KeyQueue


def pool_snippets(features: Tensor, mask: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """K equal, non-overlapping snippets of features (B, C, T) under mask (B, T): features (B, K, C) and valid (B, K).

    A snippet is the mean over its valid steps, steps on a border counted by their share; it is valid where at
    least half of it is.
    """
    features = features.float()
    there = mask.to(features.dtype)
    share = _shares_on(features.shape[2], count, features.dtype, features.device)  # (K, T)
    weight = there @ share.T  # (B, K)
    summed = torch.einsum("bct,kt->bkc", features * there[:, None], share)
    return summed / weight.clamp(min=1e-6)[..., None], weight >= 0.5


def snippet_shares(length: int, count: int) -> Tensor:
    """Matrix (K, T): the share of snippet k that step t fills; rows sum to 1."""
    edges = torch.arange(count + 1) * (length / count)
    steps = torch.arange(length)
    start = torch.maximum(edges[:-1, None], steps[None])
    end = torch.minimum(edges[1:, None], steps[None] + 1)
    return (end - start).clamp(min=0) * (count / length)


@lru_cache(maxsize=64)
def _shares_on(length: int, count: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """`snippet_shares` on a device, sent there once; not to be written to."""
    with torch.inference_mode(False):  # what is kept serves training too
        return snippet_shares(length, count).to(device, dtype)


def timed_snippets(view: View, count: int) -> Tensor:
    """Which of K snippets of a view lie wholly where its time map says (B, K) bool."""
    if view.timed is None:
        return torch.ones(len(view.positions), count, dtype=torch.bool, device=view.positions.device)
    share = _shares_on(view.timed.shape[1], count, view.positions.dtype, view.positions.device)
    return (~view.timed).to(share.dtype) @ share.T < 1e-6


class SnippetTerm(nn.Module):
    """Snippet discrimination over the deepest map; variant `aligned` is ours, `paper` the release's.

    aligned: positives cover the same time of the recording, found through the time maps of the views; snippets with
    frames that are mirrored in time are left out; the queue holds single snippets. paper: positives by arg-max backbone
    similarity, later also the nearest neighbours in the queue, which holds one time-averaged vector per clip. Heads are
    applied snippet by snippet (1x1, ReLU, 1x1) and L2-normalised.
    """

    def __init__(
        self, in_channels: int, config: SnippetConfig, *, dim: int, momentum: float, temperature: float
    ) -> None:
        """in_channels: of the deepest map."""
        super().__init__()
        self.config = config
        self.head = projection(in_channels, dim)
        self.key_head = slow_copy(self.head)
        self.momentum = Momentum(momentum)
        self.queue = KeyQueue(config.queue, dim)
        self.aligned = AlignedSnippetLoss(
            temperature, config.margin, config.same_recording_negatives, config.soft_targets
        )
        self.paper = PaperSnippetLoss(temperature)

    def forward(self, query: Pyramid, key: Pyramid, query_view: View, key_view: View, progress: float = 0.0) -> Tensor:
        """Scalar snippet loss of two pyramids of the same clip windows; fills the queue while training.

        progress of the training, from 0 to 1, says whether the paper's neighbours are mined.
        """
        length = query_view.positions.shape[1]
        count = max(1, round(length / self.config.frames))
        features, valid = pool_snippets(query.maps[-1], query.masks[-1], count)
        q = unit_length(self.head(features))
        with torch.no_grad():
            key_features, key_valid = pool_snippets(key.maps[-1], key.masks[-1], count)
            k = unit_length(self.key_head(key_features))
        recordings = query_view.recording
        negatives, usable = self.queue.negatives(recordings)
        if self.config.variant == "paper":
            mined = None
            if self.config.neighbours > 0 and progress >= self.config.neighbours_from:
                candidates = usable[:, None].expand(-1, count, -1)
                mined = nearest(q, negatives, candidates, self.config.neighbours)
            backbone = features.detach(), key_features
            loss: Tensor = self.paper(q, k, *backbone, valid, key_valid, negatives, usable, mined)
            held = key_valid.any(dim=1).nonzero()[:, 0]
            fresh, owners = unit_length((k * key_valid[..., None]).sum(dim=1))[held], recordings[held]
        else:
            edges = query_view.times.edges(count, length), key_view.times.edges(count, length)
            valid = valid & timed_snippets(query_view, count)
            key_valid = key_valid & timed_snippets(key_view, count)
            loss = self.aligned(q, k, *edges, valid, key_valid, negatives, usable)
            rows = key_valid.flatten().nonzero()[:, 0]
            fresh, owners = k.flatten(0, 1)[rows], recordings[rows // count]
        if self.training:
            self.queue.put(fresh, owners)
        return loss

    def after_step(self) -> None:
        """Move the key head towards the query head."""
        self.momentum.update(self.head, self.key_head)


class WithSnippets(Method):
    """Any method plus the snippet term: L = L_method + lambda L_snippet."""

    def __init__(self, method: Method, term: SnippetTerm, weight: float) -> None:
        super().__init__()
        self.method, self.term, self.weight = method, term, weight
        self.encoder = method.encoder

    def forward(self, step: Step) -> MethodOutput:
        """One step of the method, with the snippet term of the two views that it gives out."""
        out: MethodOutput = self.method(step)
        snippet = self.term(out.query, out.key, out.query_view, out.key_view, step.progress)
        parts = {**out.parts, "snippet": snippet.detach()}
        return replace(out, loss=out.loss + self.weight * snippet, parts=parts)

    def after_step(self) -> None:
        """Called after each optimiser step."""
        self.method.after_step()
        self.term.after_step()
