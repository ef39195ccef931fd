"""`learn`: from recordings, some of them labelled, to one model.

Pretrains an encoder on all recordings without their labels, trains it and a partner network of another kind on the
labelled ones, averages the two, lets the average pseudo-label the rest where there are many (see teachers.py), trains
two students that start from their encoders, and averages those. Every training is a run like those of `pretrain` and
`finetune`; both averages are weighed by held-back labelled recordings (see rehearsal.py, weighing.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..config import FinetuneConfig, LearnConfig, PretrainConfig, single_fold
from ..config.parser import settings_by_keyword
from ..corpus.store import Corpus
from ..corpus.training_set import Source, TrainingSet, choose_skeleton, labelled_names, set_fact, training_set
from ..models.ensemble import Ensemble, ensemble
from ..models.localizer import Localizer
from ..models.model_file import ModelSpec, read_spec
from ..runs.folder import ENCODER_FILE, MODEL_FILE, check_learn_folder, pretrained_spec
from ..runs.load import load_model
from ..runs.settings import save_settings
from ..threads import Threads
from .averaging import average_runs
from .continuing import check_learn_continues
from .finetuning import finetune
from .held_out import run_test
from .label_curve import curve_lines, label_curve
from .leakage import check_no_label_leakage
from .point_labels import grown_line, with_grown_spans
from .pretraining import pretrain
from .reuse import reuse_encoders
from .stages import Stage, run_stages
from .work import trainings_at_once

PRETRAIN, TEACHERS = "pretrain", "teachers"
"""Folders of the pretraining and of the average of the first two networks, in that of the run."""


@dataclass(frozen=True)
class LearnResult:
    """The model of `learn`, and the run folders of the finetunings that led to it, in their order."""

    model: Ensemble
    runs: tuple[Path, ...]


def run_tests(
    result: LearnResult,
    corpus: Corpus,
    out: Path,
    split: str,
    fold: int,
    *,
    quiet: bool = False,
    threads: Threads = "auto",
) -> dict[str, dict[str, Any]]:
    """Test every training and the model on a fold, as `run_test` does; metrics.json of each, the model's last."""
    how: dict[str, Any] = {"quiet": quiet, "threads": threads}
    metrics = {run.name: run_test(load_model(run), corpus, run, split, fold, **how) for run in result.runs}
    metrics["model"] = run_test(result.model, corpus, out, split, fold, **how)
    return metrics


def learn(
    source: Source,
    out: str | Path,
    config: LearnConfig | None = None,
    *,
    pretrained: str | Path | None = None,
    continue_from: str | Path | None = None,
    set: str | None = None,
    resume: bool = False,
    quiet: bool = False,
    threads: Threads = "auto",
    reuse_pretraining: bool = True,
    curve: bool = False,
    log: Callable[[str], None] = lambda line: None,
    **settings: Any,
) -> LearnResult:
    """Pretrain, train two networks, pseudo-label the recordings without labels, train two students, and average them.

    Parameters:
        source: a Corpus or the folder of one, of which the training recordings of config.split are read (all where it
            is none), or a TrainingSet.
        out: folder that gets a run folder for each stage, and model.safetensors, the mean of the last two networks.
        config: the settings of `kinespan learn`; by default those that the command has.
        settings: settings by keyword, over those of `config`: ``steps=100``, ``encoder="tcn"``.
        pretrained: a run or a model file whose encoder replaces pretraining, or `default`, the encoder of the package.
        continue_from: a run of `learn`, where labels only grew since: nothing is pretrained, and both networks go on
            from those that were trained on labels there, as `finetune` does.
        set: the annotation set whose labels are used, by default the one that the corpus has, or was opened with.
        resume: continue the run that is in `out`; finished stages are skipped.
        quiet: show no progress.
        threads: to compute on; auto: where two cores are free, two trainings at once on one thread each, to the same
            weights as with 1; large ones one after the other, on all free cores (see threads.py).
        reuse_pretraining: take the encoder of a run beside `out` that was pretrained on the same recordings by the same
            settings (see reuse.py), in place of pretraining it again.
        curve: train on a half and a quarter of the labels too, and say whether more labels or longer training would
            help (see label_curve.py).
        log: is called with a line before each stage, and on what was chosen.

    Raises InputError for bad settings, and Interrupted after Ctrl-C.
    """
    out, config = Path(out), settings_by_keyword(LearnConfig, config, settings)
    check_learn_folder(out, resume)
    data = training_set(source, config.split, single_fold(config.fold), set)
    start = pretrained_spec(pretrained)
    if start is not None:
        check_no_label_leakage(pretrained, start, data, config.finetuning())
    labelled, labels = labelled_names(data.corpus, data.names, data.drop_labels, config.finetuning())
    if curve:
        config.check_curve(len(labelled))
    plan = _Stages(data, out, len(labelled), quiet)
    if continue_from is None:
        stages = _stages(config, pretrained, start, plan)
    else:
        starts = check_learn_continues(continue_from, config, labels, pretrained=pretrained)
        for run in starts:
            check_no_label_leakage(run, read_spec(run / MODEL_FILE), data, config.finetuning())
        start = read_spec(starts[0] / MODEL_FILE)
        stages = _continued_stages(config, starts, plan)
    facts = {"corpus": str(data.corpus.path), "pretrained": pretrained and str(pretrained)}
    facts |= {"from": str(continue_from)} if continue_from else {}
    facts |= set_fact(data.corpus)
    save_settings(out, "learn", config, facts, resume=resume)
    grown = with_grown_spans(data, labelled, labels, config.finetuning(), out, quiet)  # every stage reads it from `out`
    if grown is not data:
        log(grown_line(data, grown))
    if reuse_pretraining:
        reuse_encoders(stages, out, log)
    run_stages(stages, partial(_plan, data, config, start, threads), log)
    runs = tuple(stage.folder for stage in stages if stage.folder.name not in (PRETRAIN, TEACHERS))
    teachers = load_model(out / TEACHERS)
    assert isinstance(teachers, Ensemble)
    model = teachers
    if students := runs[2:]:
        # nothing that they were not trained on is left to calibrate them by
        model = ensemble([load_model(run) for run in students], teachers.spec.weights, students)
        decode = replace(model.spec.decode, span_calibration=teachers.spec.decode.span_calibration)
        model = Ensemble(replace(model.spec, decode=decode), model.members)
    model.save(out / MODEL_FILE)
    if curve:
        for line in curve_lines(label_curve(grown, out, config, quiet=quiet), config):
            log(line)
    return LearnResult(model, runs)


def _plan(
    data: TrainingSet, config: LearnConfig, start: ModelSpec | None, threads: Threads, stage: Stage
) -> tuple[int, Threads]:
    """How many trainings run at once while a stage does, and the threads of each. start: the model they start from."""
    spec = start or ModelSpec.of_network(config.network, choose_skeleton(config.network.skeleton, [data]))
    people = max(data.corpus.infos[data.corpus.index(name)].num_people for name in data.names)
    settings = config.pretraining() if stage.result == ENCODER_FILE else config.finetuning()
    return trainings_at_once(threads, spec, config.partner_encoder, settings, people)


class _Stages:
    """The steps of a run of `learn` in their order, as they are added."""

    def __init__(self, data: TrainingSet, out: Path, num_labelled: int, quiet: bool) -> None:
        self.data, self.out, self.quiet = data, out, quiet
        self.num_labelled, self.num_unlabelled = num_labelled, len(data.names) - num_labelled
        self.list: list[Stage] = []

    def pretrain(self, encoder: str, config: PretrainConfig) -> Path:
        """Add the pretraining; returns its run folder."""
        folder = self.out / PRETRAIN
        description = f"{encoder}, snippets of {len(self.data.names)} recordings without their labels"
        run = partial(pretrain, self.data, folder, config, quiet=self.quiet)
        self.list.append(Stage(folder, ENCODER_FILE, description, run))
        return folder

    def finetune(
        self,
        name: str,
        encoder: str,
        config: FinetuneConfig,
        *,
        pretrained: str | Path | None = None,
        continue_from: Path | None = None,
        teacher: Path | None = None,
    ) -> Path:
        """Add a training on labels; returns its run folder.

        A student, which has a teacher, starts from the network `pretrained` and is trained for as many steps as that.
        """
        further = "" if continue_from is None else f", on from {continue_from}"
        pseudo_labels = f", pseudo-labels of {self.num_unlabelled}" if teacher else ""
        description = f"{encoder}, labels of {self.num_labelled} recordings{further}{pseudo_labels}"
        start = {"pretrained": pretrained, "continue_from": continue_from, "teachers": (teacher,) if teacher else ()}
        train = finetune_student if teacher else finetune
        run = partial(train, self.data, self.out / name, config, quiet=self.quiet, **start)  # type: ignore[arg-type]
        self.list.append(Stage(self.out / name, MODEL_FILE, description, run))
        return self.out / name

    def average(self, runs: tuple[Path, Path]) -> Path:
        """Add the average of two trainings on labels, which teaches; returns its folder."""
        folder = self.out / TEACHERS
        run = partial(average_runs, self.data, folder, runs=runs)
        self.list.append(Stage(folder, MODEL_FILE, "the average of both", run))
        return folder

    def students(
        self, own: tuple[str, FinetuneConfig], partner: tuple[str, FinetuneConfig], starts: tuple[Path, Path]
    ) -> None:
        """Add two students, an encoder and its settings each, of the average.

        Each starts from the encoder of the network of its own kind, of `starts`, with a new head.
        """
        teacher = self.out / TEACHERS
        self.finetune("finetune_taught", *own, pretrained=starts[0], teacher=teacher)
        self.finetune("scratch_taught", *partner, pretrained=starts[1], teacher=teacher)


def finetune_student(
    data: TrainingSet, out: Path, config: FinetuneConfig, *, pretrained: Path, **keywords: Any
) -> Localizer:
    """`finetune`, from the encoder of the run `pretrained` and for as many steps as that was trained for."""
    steps = read_spec(pretrained / MODEL_FILE).training["steps"]
    return finetune(data, out, replace(config, steps=steps), pretrained=pretrained, **keywords)


def _stages(
    config: LearnConfig, pretrained: str | Path | None, start: ModelSpec | None, stages: _Stages
) -> list[Stage]:
    """The steps in their order. `start` is the spec of `pretrained`; without one, an encoder is pretrained first.

    Raises InputError as `LearnConfig.teaches` does.
    """
    encoder, partner = config.network.encoder if start is None else start.encoder, config.partner_encoder
    own, partners = config.finetuning(), config.partner_training(None if start is None else start.input.fps)
    if pretrained is None:
        pretrained = stages.pretrain(encoder, config.pretraining())
    runs = (
        stages.finetune("finetune", encoder, own, pretrained=pretrained),
        stages.finetune("scratch", partner, partners),
    )
    stages.average(runs)
    if config.teaches(stages.num_labelled, stages.num_unlabelled):
        stages.students((encoder, own), (partner, replace(partners, protocol="finetune")), runs)
    return stages.list


def _continued_stages(config: LearnConfig, runs: tuple[Path, Path], stages: _Stages) -> list[Stage]:
    """The steps in their order, of networks that go on from those of two runs.

    Raises InputError as `LearnConfig.teaches` does.
    """
    settings = replace(config.finetuning(), network=FinetuneConfig().network)  # the networks are those of the runs
    encoders = [read_spec(run / MODEL_FILE).encoder for run in runs]
    trained = (
        stages.finetune("finetune", encoders[0], settings, continue_from=runs[0]),
        stages.finetune("scratch", encoders[1], settings, continue_from=runs[1]),
    )
    stages.average(trained)
    if config.teaches(stages.num_labelled, stages.num_unlabelled):
        stages.students((encoders[0], settings), (encoders[1], settings), trained)
    return stages.list
