"""Figures to watch during pretraining: the spread of embeddings, and how well frame features separate labels."""

from __future__ import annotations

from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from torch.nn import functional as F

from ..models.encoder_model import EncoderModel, evaluation_mode
from .clip_pool import ClipPool
from .engine import TrainingModule

NEIGHBOURS = 20
MAX_RECORDINGS, MAX_FRAMES = 16, 512
"""Annotated recordings that are probed, and frames of each."""


def embedding_spread(vectors: Tensor) -> Tensor:
    """Collapse indicator of L2-normalised vectors (B, D): mean standard deviation of a dimension, times sqrt(D).

    1 where directions are spread evenly, 0 where all vectors are the same (Chen and He, SimSiam, CVPR 2021).
    """
    spread: Tensor = vectors.std(dim=0, correction=0).mean() * vectors.shape[1] ** 0.5
    return spread


def knn_accuracy(bank: Tensor, bank_ids: Tensor, query: Tensor, query_ids: Tensor) -> float:
    """Mean over classes of the share of queries (N, C) whose class their nearest bank vectors (M, C) give.

    Cosine similarity, majority of the `NEIGHBOURS` nearest; class ids (M,) and (N,) are small integers.
    """
    similarity = F.normalize(query, dim=1) @ F.normalize(bank, dim=1).T  # (N, M)
    neighbour_ids = bank_ids[similarity.topk(min(NEIGHBOURS, len(bank)), dim=1).indices]  # (N, neighbours)
    votes = F.one_hot(neighbour_ids, int(max(bank_ids.max(), query_ids.max())) + 1).sum(dim=1)  # (N, classes)
    right = (votes.argmax(dim=1) == query_ids).float()  # (N,)
    return float(torch.stack([right[query_ids == label].mean() for label in torch.unique(query_ids)]).mean())


class FrameProbe(Callback):
    """Every few steps: kNN accuracy of the deepest features on annotated recordings, half of them as the bank.

    It never changes the training.
    """

    def __init__(self, pool: ClipPool, every: int) -> None:
        self.pool, self.every = pool, every

    def on_train_batch_end(self, trainer: L.Trainer, module: L.LightningModule, *_: Any) -> None:
        """Probe when it is time."""
        if trainer.global_step % self.every == 0 and isinstance(module, TrainingModule) and trainer.is_global_zero:
            model = module.encoder_model
            assert isinstance(model, EncoderModel)
            module.show(knn=self.accuracy(model))

    @torch.no_grad()
    def accuracy(self, model: EncoderModel) -> float:
        """Balanced kNN accuracy over background and labels, in 0..1, of the deepest features."""
        # every second recording is a query, the others are the bank
        bank: list[tuple[Tensor, Tensor]] = []
        queries: list[tuple[Tensor, Tensor]] = []
        annotated = [index for index in range(len(self.pool)) if self.pool.annotated(index)]
        with evaluation_mode(model):
            for number, index in enumerate(annotated[:MAX_RECORDINGS]):
                (queries if number % 2 else bank).append(self._labelled_features(model, index))
        bank_features, bank_ids = (torch.cat(tensors) for tensors in zip(*bank, strict=True))
        query_features, query_ids = (torch.cat(tensors) for tensors in zip(*queries, strict=True))
        return knn_accuracy(bank_features, bank_ids, query_features, query_ids)

    def _labelled_features(self, model: EncoderModel, index: int) -> tuple[Tensor, Tensor]:
        """Features (N, C) and target columns (N,) of the labelled steps of recording `index`."""
        frames, stride = min(MAX_FRAMES, int(self.pool.lengths[index])), model.encoder.strides[-1]
        start = torch.zeros(1, dtype=torch.long, device=self.pool.lengths.device)
        view, targets = self.pool.clips(start + index, start, frames)
        assert targets is not None
        pyramid = model(view.positions, view.valid)
        labelled = targets.mask[0, ::stride] & pyramid.masks[-1][0]  # (T_L,)
        return pyramid.maps[-1][0].T[labelled], targets.values[0, ::stride][labelled].argmax(dim=1)
