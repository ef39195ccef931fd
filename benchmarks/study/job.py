"""One job of a study: pretrain where its start says so, then train and test each of its rows."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from kinespan.config import FinetuneConfig, LearnConfig
from kinespan.corpus import Corpus
from kinespan.corpus.splitting import labels_of
from kinespan.corpus.training_set import FoldSides, Source, TrainingSet, choose_skeleton, corpus_parts, labelled_names
from kinespan.data.annotation import Annotation
from kinespan.decode import DecodeConfig
from kinespan.decode.durations import learn_durations
from kinespan.errors import InputError
from kinespan.models.base import Model
from kinespan.models.ensemble import ensemble
from kinespan.models.localizer import Localizer
from kinespan.models.model_file import ModelSpec
from kinespan.runs.folder import SHIPPED
from kinespan.runs.inputs import corpus_truth
from kinespan.runs.load import load_model
from kinespan.runs.settings import load_settings
from kinespan.train.finetuning import finetune
from kinespan.train.learning import learn
from kinespan.train.pretraining import pretrain

from ..results.store import append_rows
from . import plan
from .baselines import SMOOTH, ForestConfig, Scores, event_ids, forest_scores, prior_scores
from .chosen import choice_of, with_choice
from .figures import figures
from .plan import SCRATCH, Cell, Labels, Row, Study

INNER = "inner"
"""SPLIT:inner holds out, of fold k's training recordings, those that fold 1 tests; nothing of fold k's test is seen."""


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


class Trial(NamedTuple):
    """What a row is trained on and tested on, by which seed."""

    corpus: Corpus
    sides: FoldSides
    split: str
    fold: int
    labels: Labels
    seed: int
    folder: Path
    """For the runs of trainings; rows of a job share it."""

    @property
    def training(self) -> TrainingSet:
        """The recordings to train on."""
        return TrainingSet(self.corpus, self.sides.train, self.split, self.fold, self.sides.drop_labels)

    @property
    def shared(self) -> dict[str, Any]:
        """The settings that the trial gives every training."""
        annotated = [name for name in self.sides.train if self.corpus.annotation(name) is not None]
        share = self.labels if isinstance(self.labels, float) else 1.0
        if isinstance(self.labels, int):
            share = min(1.0, self.labels / len(annotated))
        return {"seed": self.seed, "label_fraction": share, "split": None}


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
        sides = parts_of(corpus, study.split, cell.fold)
        trial = Trial(corpus, sides, study.split, cell.fold, cell.labels, cell.seed, folder)
        forest = ForestConfig()
        facts: dict[str, Any] = {}
        if row.chosen:
            row, forest, facts = with_choice(row, choice_of(study.search, row.name))
        begin = time.monotonic()
        results = tested(trial, row, forest, pretrained)
        results.setdefault("train_min", (time.monotonic() - begin) / 60)
        facts |= {"study": study.name, "row": row.name, "data": study.data, "split": study.split, "fold": cell.fold,
                  "seed": cell.seed, "labels": cell.labels, "start": cell.start, "pool": cell.pool,
                  "protocol": row.finetune.protocol if row.model == "network" else row.model,
                  "steps": 0, "pretrain_min": minutes}  # fmt: skip
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


def tested(trial: Trial, row: Row, forest: ForestConfig, pretrained: Path | str | None) -> dict[str, Any]:
    """Figures of a row that is trained on a trial's labels and tested on its test recordings."""
    corpus, sides = trial.corpus, trial.sides
    config = replace(row.finetune, **trial.shared)
    if pretrained is None and config.protocol == "finetune":
        config = replace(config, protocol="scratch")
    names, _ = labelled_names(corpus, sides.train, sides.drop_labels, config)
    truth = corpus_truth(corpus, sides.test, sides.drop_labels)
    facts: dict[str, Any] = {"labelled": len(names)}
    scores: Mapping[str, Scores]
    if row.model in ("network", "learn"):
        if row.model == "learn":
            model, minutes = _learnt(trial, row.learn)
        else:
            network, model, minutes = _networks(row, trial, config, pretrained)
            minutes |= {"encoder_parameters": _size(network.encoder), "steps": network.spec.training["steps"]}
        scores = {name: model.frame_scores(corpus[name]) for name in truth.annotations}
        decoding, fps = model.spec.decode, model.spec.input.fps
        facts |= {"parameters": _size(model), **minutes}
    else:
        scores, decoding, fps = _baseline(trial, row.model, config, names, forest)
    trained = {label for name in names for label in labels_of(annotation_of(trial, name))}
    metrics = figures(scores, fps, replace(decoding, **row.decode), truth, trained)
    return {"recordings": len(scores), **metrics, **facts}


def annotation_of(trial: Trial, name: str) -> Annotation:
    """The annotation of a labelled recording."""
    annotation = trial.corpus.annotation(name, drop=trial.sides.drop_labels)
    assert annotation is not None
    return annotation


def _learnt(trial: Trial, config: LearnConfig) -> tuple[Model, dict[str, float]]:
    """The model of `learn`, and its minutes; trials of a job that pretrain alike share the encoder of the first one."""
    config = replace(config, **trial.shared)
    encoder_name = _identity(asdict(config.pretraining()))
    run = trial.folder / f"learn_{encoder_name}_{_identity(asdict(config))}"
    shared = trial.folder / f"encoder_{encoder_name}"  # a link to the pretraining of the first run, once it is done
    marks: list[float] = []
    pretrained = shared.resolve() if shared.exists() and shared.resolve().parent != run else None
    resume = load_settings(run).get("stage") == "learn"
    result = learn(
        trial.training, run, config, pretrained=pretrained, resume=resume, quiet=True,
        log=lambda line: marks.append(time.monotonic()),
    )  # fmt: skip
    end, minutes_file = time.monotonic(), trial.folder / f"{shared.name}_minutes"
    if pretrained is None:
        if not minutes_file.exists():  # else a run that was resumed, with its pretraining done
            minutes_file.write_text(str((marks[1] - marks[0]) / 60))
            shared.symlink_to(run / "pretrain")
        marks = marks[1:]
    minutes = float(minutes_file.read_text())
    return result.model, {"pretrain_min": minutes, "train_min": (end - marks[0]) / 60}


def _identity(settings: Any) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def _networks(
    row: Row, trial: Trial, config: FinetuneConfig, pretrained: Path | str | None
) -> tuple[Localizer, Model, dict[str, Any]]:
    """The row's network; the model tested, which is it or its ensemble with that beside it; minutes of training."""
    networks = [(config, pretrained)]
    if row.beside is not None:
        networks.append((replace(row.beside, protocol="scratch", **trial.shared), None))
    teachers: list[Path] = []
    minutes = 0.0
    for turn in range(row.taught + 1):
        alone = row.alone and turn == row.taught
        runs = [_finetuned(trial, *network, teachers) for network in networks[: 1 if alone else None]]
        teachers = [run for run, _ in runs]
        minutes += sum(duration for _, duration in runs)
        # a student starts from the teacher of its own kind
        networks = [
            (replace(tuning, protocol="finetune"), run) for (tuning, _), run in zip(networks, teachers, strict=False)
        ]
    models = [load_model(run) for run in teachers]
    network = models[0]
    assert isinstance(network, Localizer)
    return network, network if len(models) == 1 else ensemble(models), {"train_min": minutes}


def _finetuned(
    trial: Trial, config: FinetuneConfig, pretrained: Path | str | None, teachers: Sequence[Path]
) -> tuple[Path, float]:
    """The run of these settings and its minutes; rows of a job share it."""
    start = None if pretrained is None else Path(pretrained).name
    run = trial.folder / _identity([asdict(config), start, [run.name for run in teachers]])
    minutes_file = run / "minutes"
    if not minutes_file.is_file():
        shutil.rmtree(run, ignore_errors=True)
        begin = time.monotonic()
        finetune(trial.training, run, config, pretrained=pretrained, teachers=teachers, quiet=True)
        minutes_file.write_text(str((time.monotonic() - begin) / 60))
    return run, float(minutes_file.read_text())


def _size(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())


def _baseline(
    trial: Trial, model: str, config: FinetuneConfig, names: Sequence[str], forest: ForestConfig
) -> tuple[Mapping[str, Scores], DecodeConfig, float]:
    """Scores of a baseline, trained on the labels of `names`, on the test recordings; how to decode them; their rate.

    model: forest, prior or time_prior.
    """
    corpus, network = trial.corpus, config.network
    skeleton = choose_skeleton(network.skeleton, [replace(trial.training, names=tuple(names))])
    input_spec = ModelSpec.of_network(network, skeleton).input
    train, test = ([input_spec.motion(corpus[name]) for name in side] for side in (names, trial.sides.test))
    annotations = [annotation_of(trial, name) for name in names]
    labels = annotations[0].labels
    pairs = [
        (motion, event_ids(annotation, motion.num_frames, motion.fps))
        for motion, annotation in zip(train, annotations, strict=True)
    ]
    classes, root = len(labels) + 1, skeleton.root
    scores: Mapping[str, Scores]
    if model == "forest":
        smooth = SMOOTH if labels.spans else 0.0
        scores = forest_scores(pairs, test, classes, config.seed, forest, root, smooth)
    else:
        scores = prior_scores(pairs, test, classes, 50 if model == "time_prior" else 1)
    if not labels.spans:
        return scores, DecodeConfig(), network.fps
    ids = [
        annotation.without_events.frame_ids(motion.num_frames, motion.fps)
        for motion, annotation in zip(train, annotations, strict=True)
    ]
    durations = learn_durations(ids, network.fps, len(labels.spans) + 1)
    segmentation: Any = "argmax" if config.segmentation == "argmax" else "viterbi"
    return scores, DecodeConfig(segmentation=segmentation, durations=durations), network.fps
