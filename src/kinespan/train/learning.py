"""`learn`: from recordings, some of them labelled, to one model.

Pretrains an encoder on all recordings without their labels, trains it and a partner network of another kind on the
labelled ones, uses both to pseudo-label the rest where there are many (see teachers.py), trains two students that start
from their encoders, and averages the last two. Every stage is a run like those of `pretrain` and `finetune`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ..config import FinetuneConfig, LearnConfig, PretrainConfig, single_fold
from ..config.parser import settings_by_keyword
from ..corpus.store import Corpus
from ..corpus.training_set import Source, TrainingSet, labelled_names, set_fact, training_set
from ..models.ensemble import Ensemble, ensemble
from ..models.model_file import ModelSpec, read_spec
from ..runs.folder import CHECKPOINT, ENCODER_FILE, MODEL_FILE, check_learn_folder, pretrained_spec
from ..runs.load import load_model
from ..runs.settings import save_settings
from .continuing import check_learn_continues
from .finetuning import finetune
from .held_out import run_test
from .leakage import check_no_label_leakage
from .pretraining import pretrain


@dataclass(frozen=True)
class LearnResult:
    """The model of `learn`, and the run folders of the finetunings that led to it, in their order."""

    model: Ensemble
    runs: tuple[Path, ...]


def run_tests(
    result: LearnResult, corpus: Corpus, out: Path, split: str, fold: int, *, quiet: bool = False
) -> dict[str, dict[str, Any]]:
    """Test every training and the model on a fold, as `run_test` does; metrics.json of each, the model's last."""
    metrics = {run.name: run_test(load_model(run), corpus, run, split, fold, quiet=quiet) for run in result.runs}
    metrics["model"] = run_test(result.model, corpus, out, split, fold, quiet=quiet)
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
        log: is called with a line before each stage.

    Raises InputError for bad settings, and Interrupted after Ctrl-C.
    """
    out, config = Path(out), settings_by_keyword(LearnConfig, config, settings)
    check_learn_folder(out, resume)
    data = training_set(source, config.split, single_fold(config.fold), set)
    start = pretrained_spec(pretrained)
    if start is not None:
        check_no_label_leakage(pretrained, start, data, config.finetuning())
    labelled, labels = labelled_names(data.corpus, data.names, data.drop_labels, config.finetuning())
    if continue_from is None:
        stages = _stages(data, out, config, pretrained, start, len(labelled), quiet)
    else:
        teachers = check_learn_continues(continue_from, config, labels, pretrained=pretrained)
        for run in teachers:
            check_no_label_leakage(run, read_spec(run / MODEL_FILE), data, config.finetuning())
        stages = _continued_stages(data, out, config, teachers, len(labelled), quiet)
    facts = {"corpus": str(data.corpus.path), "pretrained": pretrained and str(pretrained)}
    facts |= {"from": str(continue_from)} if continue_from else {}
    facts |= set_fact(data.corpus)
    save_settings(out, "learn", config, facts, resume=resume)
    for number, stage in enumerate(stages, 1):
        done = (stage.folder / stage.result).is_file()
        log(f"{number} of {len(stages)}  {stage.folder.name}: {stage.description}{', done before' if done else ''}")
        if not done:
            stage.run(resume=(stage.folder / CHECKPOINT).is_file())
    runs = tuple(stage.folder for stage in stages if stage.result == MODEL_FILE)
    model = ensemble([load_model(run) for run in runs[-2:]], names=runs[-2:])
    model.save(out / MODEL_FILE)
    return LearnResult(model, runs)


class _Stage(NamedTuple):
    """A training of `learn`: its run folder, the file that it writes at its end, what it trains, and how it is run."""

    folder: Path
    result: str
    description: str
    run: Callable[..., object]


class _Stages:
    """The trainings of a run of `learn` in their order, as they are added."""

    def __init__(self, data: TrainingSet, out: Path, num_labelled: int, quiet: bool) -> None:
        self.data, self.out, self.quiet = data, out, quiet
        self.num_labelled, self.num_unlabelled = num_labelled, len(data.names) - num_labelled
        self.list: list[_Stage] = []

    def pretrain(self, encoder: str, config: PretrainConfig) -> Path:
        """Add the pretraining; returns its run folder."""
        folder = self.out / "pretrain"
        description = f"{encoder}, snippets of {len(self.data.names)} recordings without their labels"
        run = partial(pretrain, self.data, folder, config, quiet=self.quiet)
        self.list.append(_Stage(folder, ENCODER_FILE, description, run))
        return folder

    def finetune(
        self,
        name: str,
        encoder: str,
        config: FinetuneConfig,
        *,
        pretrained: str | Path | None = None,
        continue_from: Path | None = None,
        teachers: Sequence[Path] = (),
    ) -> Path:
        """Add a training on labels; returns its run folder."""
        further = "" if continue_from is None else f", on from {continue_from}"
        pseudo_labels = f", pseudo-labels of {self.num_unlabelled}" if teachers else ""
        description = f"{encoder}, labels of {self.num_labelled} recordings{further}{pseudo_labels}"
        start = {"pretrained": pretrained, "continue_from": continue_from, "teachers": teachers}
        run = partial(finetune, self.data, self.out / name, config, quiet=self.quiet, **start)  # type: ignore[arg-type]
        self.list.append(_Stage(self.out / name, MODEL_FILE, description, run))
        return self.out / name

    def students(
        self, own: tuple[str, FinetuneConfig], partner: tuple[str, FinetuneConfig], teachers: tuple[Path, Path]
    ) -> None:
        """Add two students, an encoder and its settings each.

        Each starts from the encoder of the teacher of its own kind, with a new head.
        """
        self.finetune("finetune_taught", *own, pretrained=teachers[0], teachers=teachers)
        self.finetune("scratch_taught", *partner, pretrained=teachers[1], teachers=teachers)


def _stages(
    data: TrainingSet,
    out: Path,
    config: LearnConfig,
    pretrained: str | Path | None,
    start: ModelSpec | None,
    num_labelled: int,
    quiet: bool,
) -> list[_Stage]:
    """The trainings in their order. `start` is the spec of `pretrained`; without one, an encoder is pretrained first.

    Raises InputError as `LearnConfig.teaches` does.
    """
    encoder, partner = config.network.encoder if start is None else start.encoder, config.partner_encoder
    own, partners = config.finetuning(), config.partner_training(None if start is None else start.input.fps)
    stages = _Stages(data, out, num_labelled, quiet)
    if pretrained is None:
        pretrained = stages.pretrain(encoder, config.pretraining())
    teachers = (
        stages.finetune("finetune", encoder, own, pretrained=pretrained),
        stages.finetune("scratch", partner, partners),
    )
    if config.teaches(num_labelled, stages.num_unlabelled):
        stages.students((encoder, own), (partner, replace(partners, protocol="finetune")), teachers)
    return stages.list


def _continued_stages(
    data: TrainingSet, out: Path, config: LearnConfig, runs: tuple[Path, Path], num_labelled: int, quiet: bool
) -> list[_Stage]:
    """The trainings in their order, of networks that go on from those of two runs.

    Raises InputError as `LearnConfig.teaches` does.
    """
    settings = replace(config.finetuning(), network=FinetuneConfig().network)  # the networks are those of the runs
    encoders = [read_spec(run / MODEL_FILE).encoder for run in runs]
    stages = _Stages(data, out, num_labelled, quiet)
    teachers = (
        stages.finetune("finetune", encoders[0], settings, continue_from=runs[0]),
        stages.finetune("scratch", encoders[1], settings, continue_from=runs[1]),
    )
    if config.teaches(num_labelled, stages.num_unlabelled):
        stages.students((encoders[0], settings), (encoders[1], settings), teachers)
    return stages.list
