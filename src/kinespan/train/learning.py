"""From recordings, some of them labelled, to one model.

Pretrains an encoder on all recordings without their labels, trains it and a partner network of another kind on the
labelled ones, uses both to pseudo-label the rest where there are many (see teaching.py), trains two students that start
from their encoders, and averages the last two. Every stage is a run like those of `pretrain` and `finetune`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..config import FinetuneConfig, LearnConfig
from ..corpus.store import Corpus
from ..corpus.training_set import Source, TrainingSet, labelled_names, training_set
from ..models.ensemble import Ensemble, ensemble
from ..models.localizer import load_model
from ..models.model_file import read_spec
from ..runs.folder import CHECKPOINT, ENCODER_FILE, MODEL_FILE, check_learn_folder, pretrained_file
from ..runs.settings import save_settings
from .finetuning import finetune
from .held_out import run_test
from .leakage import check_no_label_leakage
from .pretraining import pretrain


@dataclass(frozen=True)
class LearnResult:
    """The model that `learn` made, and the run folders of the trainings that lead to it, in their order."""

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
    pretrained: Path | None = None,
    resume: bool = False,
    quiet: bool = False,
    log: Callable[[str], None] = lambda line: None,
) -> LearnResult:
    """Pretrain, train two networks, pseudo-label the recordings without labels, train two students, and average them.

    Parameters:
        source: a Corpus or the folder of one, of which the training recordings of config.split are read (all where it
            is none), or a TrainingSet.
        out: folder that gets a run folder for each stage, and model.safetensors, the mean of the last two networks.
        config: the settings of `kinespan learn`, by default all as they are there.
        pretrained: a run or a model file, whose encoder replaces pretraining.
        resume: continue the run that is in `out`; finished stages are skipped.
        quiet: show no progress.
        log: is called with a line before each stage.

    Raises InputError for bad settings, and Interrupted after Ctrl-C.
    """
    out, config = Path(out), config or LearnConfig()
    check_learn_folder(out, resume)
    part = training_set(source, config.split, config.fold)
    start = None if pretrained is None else read_spec(pretrained_file(pretrained))
    pretrained_config = config.finetuning("finetune")
    partner_config = config.finetuning("scratch", None if start is None else start.input.fps)
    if pretrained is not None and start is not None:
        check_no_label_leakage(pretrained, start, part, pretrained_config)
    labelled, _ = labelled_names(part.corpus, part.names, part.drop_labels, pretrained_config)
    num_unlabelled = len(part.names) - len(labelled)
    teaching = config.teaches(len(labelled), num_unlabelled)
    facts = {"corpus": str(part.corpus.path), "pretrained": None if pretrained is None else str(pretrained)}
    save_settings(out, "learn", config, facts, resume=resume)
    stages = _Stages((pretrained is None) + (4 if teaching else 2), log)
    if pretrained is None:
        pretrained = _pretrain(stages, part, out / "pretrain", config, quiet)

    def train(run: Path, settings: FinetuneConfig, start: Path | None, teachers: Sequence[Path] = ()) -> Path:
        encoder = settings.network.encoder if start is None else read_spec(pretrained_file(start)).encoder
        taught = f", taught on {num_unlabelled} others" if teachers else ""
        job = partial(finetune, part, run, settings, pretrained=start, teachers=teachers, quiet=quiet)
        stages.run(run, MODEL_FILE, f"{encoder}, labels of {len(labelled)} recordings{taught}", job)
        return run

    runs = [train(out / "finetune", pretrained_config, pretrained), train(out / "scratch", partner_config, None)]
    if teaching:
        # a student starts from the encoder of the teacher of its own kind, with a new head
        configs = pretrained_config, replace(partner_config, protocol="finetune")
        pairs = zip(tuple(runs), configs, strict=True)
        runs += [train(out / f"{run.name}_taught", settings, run, runs[:2]) for run, settings in pairs]
    model = ensemble([load_model(run) for run in runs[-2:]], names=runs[-2:])
    model.save(out / MODEL_FILE)
    return LearnResult(model, tuple(runs))


def _pretrain(stages: _Stages, part: TrainingSet, run: Path, config: LearnConfig, quiet: bool) -> Path:
    """The stage that pretrains the encoder; returns its run folder."""
    about = f"{config.network.encoder}, snippets of {len(part.names)} recordings without their labels"
    stages.run(run, ENCODER_FILE, about, partial(pretrain, part, run, config.pretraining(), quiet=quiet))
    return run


@dataclass
class _Stages:
    """Runs stages one after another; finished ones are logged and skipped."""

    count: int
    log: Callable[[str], None]
    number: int = 0

    def run(self, folder: Path, result: str, about: str, job: Callable[..., object]) -> None:
        """Run a job whose result is a file in `folder`, resuming from its checkpoint if there is one."""
        self.number += 1
        done = (folder / result).is_file()
        self.log(f"{self.number} of {self.count}  {folder.name}: {about}{', done before' if done else ''}")
        if not done:
            job(resume=(folder / CHECKPOINT).is_file())
