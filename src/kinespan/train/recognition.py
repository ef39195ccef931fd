"""Recognition of trimmed clips on a frozen encoder: how well its features tell actions apart before it is tuned.

The two protocols of the skeleton contrastive family (CrosSCLR, Li et al., CVPR 2021, section 4.2): a linear classifier
on frozen features, and the nearest neighbour among them. A clip is an annotated span, brought to the number of frames
that the encoder was trained on; where each recording is one action, as in NTU RGB+D, that is the whole recording.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ..config import RecognizeConfig, single_fold
from ..corpus.splits import without_labels
from ..corpus.splitting import label_fraction
from ..corpus.store import Corpus
from ..corpus.training_set import TrainingSet, choose_skeleton, corpus_parts
from ..data.annotation import LabelSet
from ..errors import InputError
from ..methods.base import unit_length, video_feature
from ..models.base import by_person
from ..models.encoder_model import EncoderModel
from ..models.model_file import ModelSpec, read_spec
from ..runs.folder import pretrained_file
from ..runs.load import load_encoder
from ..transforms.normalise import Motion
from .clip_pool import pad_people
from .seeding import seeded

BATCH = 64
"""Recordings that are read, and clips that are embedded, at once."""


class Samples(NamedTuple):
    """Trimmed clips: features (N, C) of the frozen encoder, and label ids (N,)."""

    features: Tensor
    ids: Tensor


def recognize(
    corpus: Corpus,
    config: RecognizeConfig,
    pretrained: str | Path | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> dict[str, Any]:
    """Classify the spans of a fold's test recordings by those of its training recordings; returns the figures.

    top1 and per_class_mean (mean recall over the labels that occur) in 0..1, recall by label, the confusion matrix
    (true label, predicted label) as counts, and the facts: protocol, split, labels used, seed. The classifier after the
    last epoch is used; papers often give the best test epoch. progress is called with the number of recordings whose
    features are computed, of those to train and to test on. Raises InputError for bad settings, and where a corpus has
    no labels.
    """
    if config.split is None:
        raise InputError("--split is missing: recognition is tested on the recordings that a split holds out")
    parts = corpus_parts(corpus, config.split, single_fold(config.fold))
    if corpus.labels is None:
        raise InputError(f"corpus {corpus.name!r} has no labels; prepare it with --annotations FILE")
    labels, train = without_labels(corpus.labels, parts.drop_labels), parts.train
    if config.label_fraction < 1:
        annotations = {name: corpus.annotation(name) for name in train}
        train = label_fraction(train, config.label_fraction, config.seed, annotations)
    if pretrained is None:
        skeleton = choose_skeleton(config.network.skeleton, [TrainingSet(corpus, train)])
        spec = ModelSpec.of_network(config.network, skeleton)
        with seeded(config.seed):
            model = EncoderModel.of_spec(spec).eval()
    else:
        spec, model = read_spec(pretrained_file(pretrained)), load_encoder(pretrained)
    bank = samples(corpus, train, labels, model, progress)
    test = samples(corpus, parts.test, labels, model, lambda done: progress(len(train) + done))
    if config.protocol == "knn":
        predicted = nearest(bank.features, bank.ids, test.features, config.neighbours)
    else:
        predicted = linear(bank.features, bank.ids, test.features, len(labels), config)
    facts = {
        "corpus": corpus.name, "protocol": config.protocol, "split": config.split, "fold": config.fold,
        "label_fraction": config.label_fraction, "seed": config.seed, "encoder": spec.encoder,
        "train_clips": len(bank.ids), "test_clips": len(test.ids), "pretrained": dict(spec.training) or None,
    }  # fmt: skip
    return {**scored(predicted, test.ids, labels), "facts": facts}


@torch.no_grad()
def samples(
    corpus: Corpus,
    names: Sequence[str],
    labels: LabelSet,
    model: EncoderModel,
    progress: Callable[[int], None],
) -> Samples:
    """The labelled spans of recordings as clips, each of the person whom it names. Raises InputError without any."""
    features, ids = [], []
    for first in range(0, len(names), BATCH):
        batch_names = names[first : first + BATCH]
        clips: list[tuple[np.ndarray, np.ndarray]] = []
        for name in batch_names:
            recording, annotation = corpus[name], corpus.annotation(name)
            if annotation is None:
                continue
            motions: dict[int | None, Motion] = {None: model.input.motion(recording)}
            if annotation.people:  # a clip shows the person whose action it is
                motions |= {slot: model.input.motion(alone) for slot, alone in by_person(recording, "each")}
            for span in annotation.spans:
                if span.label in labels.names:
                    motion = motions.get(span.person, motions[None])
                    clips.append(trimmed(motion, span.start, span.end, model.clip_frames))
                    ids.append(labels.names.index(span.label))
        features += [_features(clips[start : start + BATCH], model) for start in range(0, len(clips), BATCH)]
        progress(first + len(batch_names))
    if not features:
        reason = "" if labels.spans else "; its labels are events, which have no clip to recognize"
        raise InputError(f"corpus {corpus.name!r}: none of the {len(names)} recordings has a labelled span{reason}")
    return Samples(torch.cat(features), torch.tensor(ids))


def trimmed(motion: Motion, start: float, end: float, frames: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions (T, P, J, 3) and valid (T, P, J) of a motion from start to end, in seconds, brought to T = `frames`."""
    last = motion.num_frames
    begin = min(max(0, round(start * motion.fps)), last - 1)
    stop = min(max(begin + 1, round(end * motion.fps)), last)
    source = begin + np.clip((np.arange(frames) + 0.5) * (stop - begin) / frames - 0.5, 0, stop - begin - 1)
    low = np.floor(source).astype(np.int64)  # (T,), the frames before and after a fractional frame
    high = np.minimum(low + 1, stop - 1)
    weight = (source - low).astype(np.float32)
    mixed = motion.positions[low] + weight[:, None, None, None] * (motion.positions[high] - motion.positions[low])
    valid = motion.valid[low] & (motion.valid[high] | (weight == 0)[:, None, None])
    return np.where(valid[..., None], mixed, np.float32(0)), valid


def _features(clips: Sequence[tuple[np.ndarray, np.ndarray]], model: EncoderModel) -> Tensor:
    """Video features (N, C) of clips, which may hold different numbers of people."""
    people = max(valid.shape[1] for _, valid in clips)
    positions = np.stack([pad_people(positions, people) for positions, _ in clips])  # (N, T, P, J, 3)
    valid = np.stack([pad_people(valid, people) for _, valid in clips])  # (N, T, P, J)
    return video_feature(model(torch.from_numpy(positions), torch.from_numpy(valid)))


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
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [config.lr_drop])
    for _ in range(config.epochs):
        order = torch.randperm(len(bank), generator=generator)
        for indices in order.split(config.batch_size):  # type: ignore[no-untyped-call]
            optimizer.zero_grad()
            F.cross_entropy(head(bank[indices]), ids[indices]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        schedule.step()
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
