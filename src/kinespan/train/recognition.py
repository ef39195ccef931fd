"""Recognition of trimmed clips on a frozen encoder: how well its features tell actions apart before it is tuned.

The two protocols of the skeleton contrastive family (CrosSCLR, Li et al., CVPR 2021, section 4.2): a linear classifier
on frozen features, and the nearest neighbour among them. A clip is an annotated span, brought to the number of frames
that the encoder was trained on; where each recording is one action, as in NTU RGB+D, that is the whole recording.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..config import RecognizeConfig
from ..corpus.splits import without_labels
from ..corpus.splitting import label_fraction
from ..corpus.store import Corpus
from ..corpus.training_set import TrainingSet, choose_skeleton, corpus_parts
from ..data.annotation import LabelSet
from ..errors import InputError
from ..methods.base import unit_length, video_feature
from ..models.encoder_model import EncoderModel
from ..models.model_file import ModelSpec, read_spec
from ..runs.folder import pretrained_file
from ..runs.pretrained import encoder_weights
from ..transforms.normalise import Motion
from .clip_pool import load_motions
from .engine import seeded


@dataclass(frozen=True)
class Samples:
    """Trimmed clips of some recordings: features (N, C) of the frozen encoder, label ids (N,), their recordings."""

    features: Tensor
    ids: Tensor
    recordings: tuple[str, ...]


def recognize(
    corpus: Corpus,
    config: RecognizeConfig,
    pretrained: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Classify the spans of a fold's test recordings by those of its training recordings; returns the figures.

    top1 and per_class_mean (mean recall over the labels that occur) in 0..1, recall by label, the confusion matrix
    (true label, predicted label) as counts, and the facts: protocol, split, labels used, seed. The classifier after the
    last epoch is used; papers often give the best test epoch. Raises InputError for bad settings, and where a corpus
    has no labels.
    """
    if config.split is None:
        raise InputError("--split is missing: recognition is tested on the recordings that a split holds out")
    parts = corpus_parts(corpus, config.split, config.fold)
    if corpus.labels is None:
        raise InputError(f"corpus {corpus.name!r} has no labels; prepare it with --annotations FILE")
    labels = without_labels(corpus.labels, parts.drop_labels)
    train = parts.train
    if config.label_fraction < 1:
        train = label_fraction(
            train, config.label_fraction, config.seed, {name: corpus.annotation(name) for name in train}
        )
    spec, model = frozen_encoder(corpus, config, pretrained, train)
    total, sides, done = len(train) + len(parts.test), [], 0
    for names in (train, parts.test):
        before = done
        sides.append(
            samples(
                corpus, names, labels, model,
                lambda count, before=before: progress and progress(before + count, total),  # type: ignore[misc]
            )
        )  # fmt: skip
        done += len(names)
    bank, test = sides
    if config.protocol == "knn":
        predicted = nearest(bank.features, bank.ids, test.features, config.neighbours)
    else:
        predicted = linear(bank.features, bank.ids, test.features, len(labels), config)
    training = {} if pretrained is None else dict(spec.training)
    facts = {
        "corpus": corpus.name, "protocol": config.protocol, "split": config.split, "fold": config.fold,
        "label_fraction": config.label_fraction, "seed": config.seed, "encoder": spec.encoder,
        "train_clips": len(bank.ids), "test_clips": len(test.ids), "pretrained": training or None,
    }  # fmt: skip
    return {**scored(predicted, test.ids, labels), "facts": facts}


def frozen_encoder(
    corpus: Corpus, config: RecognizeConfig, pretrained: Path | None, names: Sequence[str]
) -> tuple[ModelSpec, EncoderModel]:
    """The encoder of a pretrained run, or an untrained one of the configuration, in eval mode, and its spec."""
    if pretrained is not None:
        spec = read_spec(pretrained_file(pretrained))
    else:
        skeleton = choose_skeleton(config.network.skeleton, [TrainingSet(corpus, tuple(names))])
        spec = ModelSpec.of_network(config.network, skeleton)
    with seeded(config.seed):
        model = EncoderModel.of_spec(spec)
    if pretrained is not None:
        model.encoder.load_state_dict(encoder_weights(pretrained_file(pretrained)))
    return spec, model.eval().requires_grad_(False)


@torch.no_grad()
def samples(
    corpus: Corpus,
    names: Sequence[str],
    labels: LabelSet,
    model: EncoderModel,
    progress: Callable[[int], Any] | None = None,
    batch: int = 64,
) -> Samples:
    """The clips of some recordings. Raises InputError where they hold none."""
    features, ids, owners = [], [], []
    for first in range(0, len(names), batch):
        batch_names = names[first : first + batch]
        clips: list[tuple[np.ndarray, np.ndarray]] = []
        for name, motion in zip(batch_names, load_motions(corpus, batch_names, model.input), strict=True):
            annotation = corpus.annotation(name)
            for span in annotation.spans if annotation is not None else ():
                if span.label in labels.names:
                    clips.append(trimmed(motion, span.start, span.end, model.clip_frames))
                    ids.append(labels.names.index(span.label))
                    owners.append(name)
        for start in range(0, len(clips), batch):
            features.append(_features(clips[start : start + batch], model))
        if progress is not None:
            progress(first + len(batch_names))
    if not features:
        raise InputError(f"corpus {corpus.name!r}: none of the {len(names)} recordings has a labelled span")
    return Samples(torch.cat(features), torch.tensor(ids), tuple(owners))


def trimmed(motion: Motion, start: float, end: float, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions (T, P, J, 3) and valid (T, P) of a motion from start to end, in seconds, brought to T = `frames`."""
    last = motion.num_frames
    begin = min(max(0, round(start * motion.fps)), last - 1)
    stop = min(max(begin + 1, round(end * motion.fps)), last)
    source = begin + np.clip((np.arange(frames) + 0.5) * (stop - begin) / frames - 0.5, 0, stop - begin - 1)
    low = np.floor(source).astype(np.int64)  # (T,), the frames before and after a fractional frame
    high = np.minimum(low + 1, stop - 1)
    weight = (source - low).astype(np.float32)
    mixed = motion.positions[low] + weight[:, None, None, None] * (motion.positions[high] - motion.positions[low])
    valid = motion.valid[low] & (motion.valid[high] | (weight == 0)[:, None])
    return np.where(valid[:, :, None, None], mixed, np.float32(0)), valid


def _features(clips: Sequence[tuple[np.ndarray, np.ndarray]], model: EncoderModel) -> Tensor:
    """Video features (N, C) of clips, which may hold different numbers of people."""
    people = max(valid.shape[1] for _, valid in clips)
    frames, joints = clips[0][0].shape[0], clips[0][0].shape[2]
    positions = torch.zeros(len(clips), frames, people, joints, 3)
    valid = torch.zeros(len(clips), frames, people, dtype=torch.bool)
    for number, (clip_positions, clip_valid) in enumerate(clips):
        positions[number, :, : clip_valid.shape[1]] = torch.from_numpy(clip_positions)
        valid[number, :, : clip_valid.shape[1]] = torch.from_numpy(clip_valid)
    return video_feature(model(positions, valid))


def nearest(bank: Tensor, ids: Tensor, query: Tensor, neighbours: int, block: int = 4096) -> Tensor:
    """Label ids (N,) of queries (N, C) by the majority of their nearest bank features (M, C), cosine similarity.

    Of labels with equal votes the one of the nearer neighbours wins.
    """
    bank, predicted = unit_length(bank), []
    for queries in unit_length(query).split(block):  # type: ignore[no-untyped-call]
        similarity = queries @ bank.T  # (block, M)
        nearest_ids = ids[similarity.topk(min(neighbours, len(bank)), dim=1).indices]  # (block, neighbours)
        votes = F.one_hot(nearest_ids, int(ids.max()) + 1).double()  # (block, neighbours, labels)
        # ranks weigh far less than a vote: they only settle ties
        rank = 1 + 1e-6 * torch.arange(nearest_ids.shape[1], 0, -1, dtype=torch.float64)
        predicted.append((votes * rank[None, :, None]).sum(dim=1).argmax(dim=1))
    return torch.cat(predicted)


def linear(bank: Tensor, ids: Tensor, query: Tensor, classes: int, config: RecognizeConfig) -> Tensor:
    """Label ids (N,) of queries (N, C) by a linear classifier trained on the bank (M, C) with SGD (momentum 0.9)."""
    generator = torch.Generator().manual_seed(config.seed)
    with seeded(config.seed):
        head = torch.nn.Linear(bank.shape[1], classes)
    torch.nn.init.normal_(head.weight, std=0.02, generator=generator)
    torch.nn.init.zeros_(head.bias)
    optimizer = torch.optim.SGD(head.parameters(), lr=config.lr, momentum=0.9)
    for epoch in range(config.epochs):
        if epoch == config.lr_drop:
            for group in optimizer.param_groups:
                group["lr"] *= 0.1
        order = torch.randperm(len(bank), generator=generator)
        for indices in order.split(config.batch_size):  # type: ignore[no-untyped-call]
            optimizer.zero_grad()
            F.cross_entropy(head(bank[indices]), ids[indices]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    with torch.no_grad():
        return torch.as_tensor(head(query).argmax(dim=1))


def scored(predicted: Tensor, true: Tensor, labels: LabelSet) -> dict[str, Any]:
    """top1, per_class_mean, recall by label and the confusion matrix of predicted and true label ids (N,)."""
    count = len(labels)
    confusion = torch.bincount(true * count + predicted, minlength=count * count).view(count, count)
    totals = confusion.sum(dim=1)  # (C,), clips of each true label
    recall: Mapping[str, float | None] = {
        name: float(confusion[label, label] / totals[label]) if totals[label] else None
        for label, name in enumerate(labels.names)
    }
    known = [value for value in recall.values() if value is not None]
    return {
        "top1": float((predicted == true).float().mean()),
        "per_class_mean": float(np.mean(known)),
        "recall": dict(recall),
        "confusion": confusion.tolist(),
        "labels": list(labels.names),
    }
