"""One job of a study: pretrain where its start says so, then train and test each of its rows."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from kinespan.config import FinetuneConfig
from kinespan.corpus import Corpus
from kinespan.corpus.training_set import FoldSides, Source, TrainingSet, choose_skeleton, corpus_parts, labelled_names
from kinespan.data.predictions import Predictions, Truth
from kinespan.decode import DecodeConfig, decode, segment
from kinespan.decode.durations import learn_durations
from kinespan.errors import InputError
from kinespan.metrics import detection_map, evaluate
from kinespan.models.base import Model
from kinespan.models.ensemble import ensemble
from kinespan.models.localizer import Localizer
from kinespan.models.model_file import ModelSpec
from kinespan.runs.folder import SHIPPED
from kinespan.runs.inputs import corpus_truth
from kinespan.runs.load import load_model
from kinespan.train.finetuning import finetune
from kinespan.train.pretraining import pretrain

from ..results.store import append_rows
from . import plan
from .baselines import Scores, baseline_scores
from .plan import SCRATCH, Cell, Row, Study

INNER = "inner"
"""SPLIT:inner holds out, of fold k's training recordings, those that fold 1 tests; nothing of fold k's test is seen."""
HIGH_TIOUS = (0.5, 0.6, 0.7, 0.8, 0.9)


def parts_of(corpus: Corpus, split: str, fold: int) -> FoldSides:
    """The recordings of a fold, of SPLIT:inner too. Raises InputError for an unknown split or fold."""
    name, _, inner = split.partition(":")
    parts = corpus_parts(corpus, name, fold)
    if not inner:
        return parts
    held_out = corpus_parts(corpus, name, 1).test
    if inner != INNER or fold == 1:
        raise InputError(f"split {split!r}, fold {fold}: expected {name}:{INNER} and a fold from 2 on")
    return FoldSides(tuple(name for name in parts.train if name not in held_out), held_out, parts.drop_labels)


def random_share(names: Sequence[str], share: float, seed: int) -> tuple[str, ...]:
    """A random share of the names, at least one, in their order; a smaller share of the same seed is a subset."""
    order = np.random.default_rng(seed).permutation(len(names))
    return tuple(names[index] for index in sorted(order[: max(1, round(share * len(names)))]))


def run_job(study: Study, corpus: Corpus, pools: Sequence[Source], cells: Sequence[Cell], out: Path) -> None:
    """Every cell of a job, all of one start, pool, fold and seed; rows go to `out` as they are done."""
    fold, seed, start, pool = study.job(cells[0])
    folder = out / "work" / f"fold{fold}_seed{seed}_{start}_{pool}"
    minutes, pretrained = 0.0, None
    if start == plan.SHIPPED:
        pretrained = SHIPPED
    elif start != SCRATCH:
        pretrained, minutes = _pretrained(study, corpus, pools, cells[0], folder)
    for cell in cells:
        row = next(row for row in study.rows if row.name == cell.row)
        begin = time.monotonic()
        results = _trained(study, corpus, row, cell, pretrained, folder)
        results.setdefault("train_min", (time.monotonic() - begin) / 60)
        facts = {"study": study.name, "row": row.name, "data": study.data, "split": study.split, "fold": cell.fold,
                 "seed": cell.seed, "labels": cell.labels, "start": cell.start, "pool": cell.pool,
                 "protocol": row.finetune.protocol if row.model == "network" else row.model,
                 "steps": row.finetune.num_steps if row.model == "network" else 0,
                 "pretrain_min": minutes}  # fmt: skip
        append_rows(out, [{**facts, **results}])
    shutil.rmtree(folder, ignore_errors=True)


def _pretrained(study: Study, corpus: Corpus, pools: Sequence[Source], cell: Cell, folder: Path) -> tuple[Path, float]:
    """The encoder pretrained on the training recordings of a fold and on further corpora, and its minutes."""
    run, minutes_file = folder / "pretrain", folder / "minutes"
    if not minutes_file.is_file():  # else resume a job that was stopped
        seed, share = study.job(cell)[1], study.pools.get(cell.pool)
        names = parts_of(corpus, study.split, cell.fold).train
        if isinstance(share, float):
            names = random_share(names, share, seed)
        config = replace(study.pretraining[cell.start], seed=seed, split=None, probe_every=0)
        shutil.rmtree(folder, ignore_errors=True)
        begin = time.monotonic()
        pretrain([TrainingSet(corpus, names), *pools], run, config, quiet=True)
        minutes_file.write_text(str((time.monotonic() - begin) / 60))
    return run, float(minutes_file.read_text())


def _trained(
    study: Study, corpus: Corpus, row: Row, cell: Cell, pretrained: Path | None, folder: Path
) -> dict[str, Any]:
    """Figures of a row trained on a cell's labels and tested on the fold's held-out recordings."""
    parts = parts_of(corpus, study.split, cell.fold)
    annotated = [name for name in parts.train if corpus.annotation(name) is not None]
    share = {"all": 1.0}.get(str(cell.labels)) or (
        cell.labels if isinstance(cell.labels, float) else min(1.0, float(cell.labels) / len(annotated))
    )
    config = replace(row.finetune, seed=cell.seed, label_fraction=share, split=None)
    if pretrained is None and config.protocol == "finetune":
        config = replace(config, protocol="scratch")
    truth = corpus_truth(corpus, parts.test, parts.drop_labels)
    if row.model == "network":
        training = TrainingSet(corpus, parts.train, study.split, cell.fold, parts.drop_labels)
        network, model, minutes = _networks(row, training, config, pretrained, folder)
        scores = {name: model.frame_scores(corpus[name]) for name in truth.annotations}
        decoding, fps = model.spec.decode, model.spec.input.fps
        sizes = {"parameters": _size(model), "encoder_parameters": _size(network.encoder), "train_min": minutes}
        count = int(network.spec.training["labelled_recordings"])
    else:
        scores, decoding, fps, count = _baseline(corpus, parts, row, config)
        sizes = {}
    metrics = figures(scores, fps, replace(decoding, **row.decode), truth)
    return {"labelled": count, "recordings": len(scores), **metrics, **sizes}


def _networks(
    row: Row, training: TrainingSet, config: FinetuneConfig, pretrained: Path | None, folder: Path
) -> tuple[Localizer, Model, float]:
    """The row's network; the model tested, which is it or its ensemble with that beside it; minutes of training."""
    networks = [(config, pretrained)]
    if row.beside is not None:
        shared = {"seed": config.seed, "label_fraction": config.label_fraction, "split": None}
        networks.append((replace(row.beside, protocol="scratch", **shared), None))
    teachers: list[Path] = []
    minutes = 0.0
    for turn in range(row.taught + 1):
        alone = row.alone and turn == row.taught
        runs = [_finetuned(training, *network, teachers, folder) for network in networks[: 1 if alone else None]]
        teachers = [run for run, _ in runs]
        minutes += sum(duration for _, duration in runs)
        # a student starts from the teacher of its own kind
        networks = [
            (replace(tuning, protocol="finetune"), run) for (tuning, _), run in zip(networks, teachers, strict=False)
        ]
    models = [load_model(run) for run in teachers]
    network = models[0]
    assert isinstance(network, Localizer)
    return network, network if len(models) == 1 else ensemble(models), minutes


def _finetuned(
    training: TrainingSet, config: FinetuneConfig, pretrained: Path | None, teachers: Sequence[Path], folder: Path
) -> tuple[Path, float]:
    """The run of these settings and its minutes; rows of a job share it."""
    start = None if pretrained is None else Path(pretrained).name
    identity = json.dumps([asdict(config), start, [run.name for run in teachers]], sort_keys=True)
    run = folder / hashlib.sha256(identity.encode()).hexdigest()[:16]
    minutes_file = run / "minutes"
    if not minutes_file.is_file():
        shutil.rmtree(run, ignore_errors=True)
        begin = time.monotonic()
        finetune(training, run, config, pretrained=pretrained, teachers=teachers, quiet=True)
        minutes_file.write_text(str((time.monotonic() - begin) / 60))
    return run, float(minutes_file.read_text())


def _size(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def _baseline(
    corpus: Corpus, parts: FoldSides, row: Row, config: FinetuneConfig
) -> tuple[Mapping[str, Scores], DecodeConfig, float, int]:
    """Scores of a baseline on the held-out recordings, how to decode them, their rate, and the labelled recordings."""
    names, labels = labelled_names(corpus, parts.train, parts.drop_labels, config)
    network = config.network
    skeleton = choose_skeleton(network.skeleton, [TrainingSet(corpus, names)])
    input_spec = ModelSpec.of_network(network, skeleton).input
    train, test = ([input_spec.motion(corpus[name]) for name in recordings] for recordings in (names, parts.test))
    annotations = [corpus.annotation(name, drop=parts.drop_labels) for name in names]
    pairs = [
        (motion, annotation.frame_ids(motion.num_frames, motion.fps))
        for motion, annotation in zip(train, annotations, strict=True)
        if annotation is not None
    ]
    scores = baseline_scores(row.model, pairs, test, len(labels) + 1, config.seed)
    durations = learn_durations([ids for _, ids in pairs], network.fps, len(labels) + 1)
    segmentation: Any = "argmax" if config.segmentation == "argmax" else "viterbi"
    decoding = DecodeConfig(segmentation=segmentation, durations=durations)
    return scores, decoding, network.fps, len(names)


def figures(scores: Mapping[str, Scores], fps: float, decoding: DecodeConfig, truth: Truth) -> dict[str, Any]:
    """The figures of a test: mAP; frame accuracy, F1 and edit for each way to segment; kinds of errors."""
    labels = truth.labels
    spans = {name: tuple(decode(frames, fps, labels, decoding)) for name, frames in scores.items()}
    by_segmentation: dict[str, Any] = {}
    for segmentation in ("argmax", "viterbi"):
        config = replace(decoding, segmentation=segmentation)
        segments = {name: tuple(segment(frames, fps, labels, config)) for name, frames in scores.items()}
        metrics = evaluate(Predictions(spans, segments), truth).to_dict()
        by_segmentation[segmentation] = {"frame_accuracy": metrics["frame_accuracy"], "edit": metrics["edit"]}
        by_segmentation[segmentation] |= {f"f1_{k}": metrics["f1"][k] for k in ("10", "25", "50")}
    true = {name: annotation.spans for name, annotation in truth.annotations.items()}
    high = detection_map(spans, true, HIGH_TIOUS, labels=labels.names)
    errors = metrics["errors"]
    kinds = {"right": errors["right"], "missed": sum(errors["missed"].values()), "true": sum(errors["true"].values())}
    cost = {f"cost of {kind}": value for kind, value in errors["cost"].items()}
    return {"map": metrics["map"]["average"], "map_high": float(high.average), **by_segmentation[decoding.segmentation],
            **by_segmentation, "segmentation": decoding.segmentation, "errors": {**kinds, **cost}}  # fmt: skip
