"""What is watched while pretraining: the spread of embeddings, and what frame features know of the labels."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from ..corpus.sampler import ClipPool
from ..encoders import Encoder
from ..transforms.streams import compute_streams
from .common import StepModule


def embedding_spread(vectors: Tensor) -> Tensor:
    """Collapse indicator of L2-normalised vectors (B, D): mean standard deviation of a dimension, times sqrt(D).

    1 where directions are spread evenly, 0 where all vectors are the same (Chen and He, SimSiam, CVPR 2021).
    """
    spread: Tensor = vectors.std(dim=0, correction=0).mean() * vectors.shape[1] ** 0.5
    return spread


def knn_accuracy(bank: Tensor, bank_ids: Tensor, query: Tensor, query_ids: Tensor, neighbours: int = 20) -> float:
    """Mean over classes of the share of queries (N, C) that their nearest bank vectors (M, C) name rightly.

    Cosine similarity, majority of the `neighbours` nearest; class ids (M,) and (N,) are small integers.
    """
    near = torch.nn.functional.normalize(query, dim=1) @ torch.nn.functional.normalize(bank, dim=1).T
    nearest = bank_ids[near.topk(min(neighbours, len(bank)), dim=1).indices]
    votes = torch.nn.functional.one_hot(nearest, int(max(bank_ids.max(), query_ids.max())) + 1).sum(dim=1)
    right = (votes.argmax(dim=1) == query_ids).float()
    return float(torch.stack([right[query_ids == label].mean() for label in torch.unique(query_ids)]).mean())


class FrameProbe(Callback):
    """Every few steps: kNN accuracy of the deepest features on annotated recordings, half of them as the bank.

    It only looks: nothing that it finds reaches the training.
    """

    def __init__(self, pool: ClipPool, every: int, most_recordings: int = 16, most_frames: int = 512) -> None:
        self.pool, self.every = pool, every
        self.most_recordings, self.most_frames = most_recordings, most_frames

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:
        """Probe when it is time."""
        if trainer.global_step % self.every == 0 and isinstance(module, StepModule) and trainer.is_global_zero:
            encoder, options = module.encoder, module.stream_options
            assert isinstance(encoder, Encoder)
            module.note(knn=self.accuracy(encoder, options))

    @torch.no_grad()
    def accuracy(self, encoder: Encoder, options: Any) -> float:
        """Balanced kNN accuracy over background and labels."""
        was_training = encoder.training
        encoder.eval()
        sides: tuple[list[tuple[Tensor, Tensor]], ...] = ([], [])
        annotated = [number for number in range(len(self.pool)) if self.pool.annotated(number)]
        for place, number in enumerate(annotated[: self.most_recordings]):
            frames = min(self.most_frames, int(self.pool.lengths[number]))
            start = torch.zeros(1, dtype=torch.long, device=self.pool.lengths.device)
            view, hits = self.pool.clips(start + number, start, frames)
            assert hits is not None
            pyramid = encoder(compute_streams(view.positions, view.valid, *options), view.valid)
            stride = encoder.strides[-1]
            here = hits[0, ::stride]
            labelled = here.any(dim=1) & pyramid.masks[-1][0]
            features = pyramid.maps[-1][0].T[labelled]
            sides[place % 2].append((features, here[labelled].int().argmax(dim=1)))
        encoder.train(was_training)
        (bank, bank_ids), (query, query_ids) = (
            tuple(torch.cat(part) for part in zip(*side, strict=True)) for side in sides
        )
        return knn_accuracy(bank, bank_ids, query, query_ids)
