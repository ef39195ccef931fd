"""The whole way from recordings, of which some have labels, to one model.

An encoder is pretrained on all of the recordings without labels; it and a network of another kind are trained on the
labels that there are; where many recordings have none, both teach the next two, which start from their encoders, what
they see in them (see teaching.py); the last two, averaged, are the model. Every stage is a run like those of
`pretrain` and `finetune`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from ..config import FinetuneConfig, LearnConfig
from ..corpus.store import Corpus
from ..ensemble import Ensemble, ensemble
from ..errors import InputError
from ..localizer import load_model
from ..model_file import read_spec
from .common import CHECKPOINT
from .corpora import Source, training_set
from .finetuning import MODEL_FILE, finetune, labelled_names, pretrained_file
from .pretraining import ENCODER_FILE, pretrain
from .settings import load_settings, save_settings
from .teaching import check_honest
from .testing import run_test


@dataclass(frozen=True)
class Learnt:
    """What `learn` made: the model, and the folders of the trainings that lead to it, in their order."""

    model: Ensemble
    runs: tuple[Path, ...]


def run_tests(
    learnt: Learnt, corpus: Corpus, out: Path, split: str, fold: int, *, quiet: bool = False
) -> dict[str, dict[str, Any]]:
    """Test every training and the model on a fold, as `run_test` does; metrics.json of each, the model's the last."""
    found = {run.name: run_test(load_model(run), corpus, run, split, fold, quiet=quiet) for run in learnt.runs}
    found["model"] = run_test(learnt.model, corpus, out, split, fold, quiet=quiet)
    return found


def learn(
    source: Source,
    out: Path,
    config: LearnConfig,
    *,
    pretrained: Path | None = None,
    resume: bool = False,
    quiet: bool = False,
    tell: Callable[[str], None] = lambda line: None,
) -> Learnt:
    """Pretrain, train two networks, teach the next two where there are recordings without labels, and average them.

    Of a Corpus only the training recordings of config.split are read. In `out` are the runs of all stages, and
    model.safetensors, the scores of the last two networks averaged. With `pretrained`, a run or a model file, that
    encoder is taken. `tell` hears a line before each stage. Raises InputError for bad settings, and Interrupted after
    Ctrl-C; with `resume` the stages that were done are kept.
    """
    _check_folder(out, resume)
    part = training_set(source, config.split, config.fold)
    start = None if pretrained is None else read_spec(pretrained_file(pretrained))
    one, two = config.finetuning("finetune"), config.finetuning("scratch", None if start is None else start.input.fps)
    if pretrained is not None and start is not None:
        check_honest(pretrained, start, part, one)
    labelled, _ = labelled_names(part.corpus, part.names, part.drop_labels, one)
    others = len(part.names) - len(labelled)
    teaching = config.teaches(len(labelled), others)
    facts = {"corpus": str(part.corpus.path), "pretrained": None if pretrained is None else str(pretrained)}
    save_settings(out, "learn", config, facts, resume=resume)

    stages = _Stages((pretrained is None) + (4 if teaching else 2), tell)
    if pretrained is None:
        pretrained = out / "pretrain"
        about = f"{config.network.encoder}, snippets of {len(part.names)} recordings without their labels"
        stages.run(
            pretrained, ENCODER_FILE, about, partial(pretrain, part, pretrained, config.pretraining(), quiet=quiet)
        )

    def train(run: Path, settings: FinetuneConfig, start: Path | None, teachers: Sequence[Path] = ()) -> Path:
        encoder = settings.network.encoder if start is None else read_spec(pretrained_file(start)).encoder
        about = f"{encoder}, labels of {len(labelled)} recordings" + f", taught on {others} others" * bool(teachers)
        job = partial(finetune, part, run, settings, pretrained=start, teachers=teachers, quiet=quiet)
        stages.run(run, MODEL_FILE, about, job)
        return run

    runs = [train(out / "finetune", one, pretrained), train(out / "scratch", two, None)]
    if teaching:
        # a student goes on from the encoder of the teacher of its own kind, with a new head
        two = replace(two, protocol="finetune")
        runs += tuple(
            train(out / f"{run.name}_taught", settings, run, runs)
            for run, settings in zip(runs, (one, two), strict=True)
        )
    model = ensemble([load_model(run) for run in runs[-2:]], names=runs[-2:])
    model.save(out / MODEL_FILE)
    return Learnt(model, tuple(runs))


def _check_folder(out: Path, resume: bool) -> None:
    """Raise InputError where a fresh run would overwrite another, or where there is none to go on with."""
    found = load_settings(out).get("stage")
    if resume and found != "learn":
        raise InputError(f"{out}: holds no run of kinespan learn to go on with; start without --resume")
    if not resume and (found or (out / MODEL_FILE).exists()):
        raise InputError(f"{out}: holds a run already; go on with it by --resume, or name another --out")


@dataclass
class _Stages:
    """Runs stages one after another, those that are done only by name."""

    count: int
    tell: Callable[[str], None]
    number: int = 0

    def run(self, folder: Path, result: str, about: str, job: Callable[..., object]) -> None:
        """Run a job whose result is a file in `folder`, from its checkpoint where there is one."""
        self.number += 1
        done = (folder / result).is_file()
        self.tell(f"{self.number} of {self.count}  {folder.name}: {about}{', done before' if done else ''}")
        if not done:
            job(resume=(folder / CHECKPOINT).is_file())
