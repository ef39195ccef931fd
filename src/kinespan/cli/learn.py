"""Learn to name and bound actions from recordings of which some are labelled: every stage in one command.

Pretrains an encoder on all recordings without their labels, trains two models of different kinds on the labelled ones,
uses them to pseudo-label the rest if there is enough of it, retrains both, and averages the two. Each stage is a run in
a folder of --out, as `pretrain` and `finetune` write it. With --split, every stage and the average, model.safetensors,
are tested on the recordings that the fold holds out. With --fold all every fold has a folder of --out, and folds.json
their figures, the mean and the standard deviation. The models of the last steps are kept: nothing is selected on test
recordings. To change other settings of a stage, run it by its own command and pass its encoder with --pretrained.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

from ..config import LearnConfig, single_fold
from ..corpus.store import Corpus
from ..corpus.training_set import labelled_names, training_set
from ..runs.folder import FOLDS_FILE, METRICS_FILE, MODEL_FILE, check_learn_folder, pretrained_spec
from ..runs.folds import fold_numbers
from ..train.continuing import check_learn_continues
from .checks import check_encoder, check_network, check_out_folder
from .common import CorpusArguments, RunArguments, facts_line, figures_table, spread_table
from .folds import FoldCommand, at_fold, print_fold_table, resumable, run_folds

GROUPS = {
    "data": ("split", "fold", "label_fraction"),
    "networks": ("network.encoder", "network.streams", "partner_encoder"),
    "training": ("teach", "pretrain_steps", "steps", "seed"),
}
AFTER_STOP = "the same command with --resume continues"


@dataclass(frozen=True, kw_only=True)
class LearnArguments(RunArguments, CorpusArguments):
    """The files that `learn` reads and writes."""

    pretrained: str | None = None
    """Encoder to start from in place of pretraining: folder of a pretraining run (of one with --fold all each fold
    takes its own), a model file, or `default`, the shipped encoder."""
    from_: str | None = None
    """Run of `learn` to go on from, where labels only grew since: nothing is pretrained, and its two networks are
    trained further, new labels too; of a run with --fold all each fold takes its own."""
    reuse_pretraining: bool = True
    """Take the encoder of a run beside --out that was pretrained on the same recordings by the same settings, in place
    of pretraining it again."""
    curve: bool = False
    """Train on a half and a quarter of the labels too, and say whether more labels or longer training would help:
    judged by labelled training recordings that are held back, in some minutes more."""


def run(arguments: LearnArguments, config: LearnConfig) -> int:
    """Learn, test every stage and the model, and print the figures."""
    corpus = Corpus.open(arguments.corpus, arguments.set)
    check_network(config.network)
    check_encoder(config.partner_encoder)
    check_out_folder(arguments.out)
    if config.fold == "all":
        command = FoldCommand("learn", METRICS_FILE, partial(check, corpus), partial(train, corpus))
        summary = run_folds(command, arguments, config, fold_numbers([corpus], config.split))
        print("the model of each fold:")
        print_fold_table(summary, "model")
        print(f"mean ± standard deviation over {len(summary['folds'])} folds:")
        print(spread_table(summary["mean"], summary["deviation"]))
        print(f"figures of all folds: {arguments.out / FOLDS_FILE}")
        return 0
    arguments = at_fold(arguments, config)
    check(corpus, arguments, config)
    with resumable(arguments.out):
        train(corpus, arguments, config)
    return 0


def check(corpus: Corpus, arguments: LearnArguments, config: LearnConfig) -> None:
    """Raise InputError for anything wrong with a run on one fold."""
    check_learn_folder(arguments.out, arguments.resume)
    training = training_set(corpus, config.split, single_fold(config.fold))
    pretrained_spec(arguments.pretrained)
    labelled, labels = labelled_names(corpus, training.names, training.drop_labels, config.finetuning())
    if arguments.from_ is not None:
        check_learn_continues(arguments.from_, config, labels, pretrained=arguments.pretrained)
    config.teaches(len(labelled), len(training.names) - len(labelled))
    if arguments.curve:
        config.check_curve(len(labelled))


def train(corpus: Corpus, arguments: LearnArguments, config: LearnConfig) -> dict[str, Any]:
    """Learn and test on one fold; returns the metrics of every stage and the model, empty where nothing is held out."""
    from ..train.learning import learn, run_tests

    out, log = arguments.out, partial(print, flush=True)
    start = {"pretrained": arguments.pretrained, "continue_from": arguments.from_}
    how = {"threads": arguments.threads, "reuse_pretraining": arguments.reuse_pretraining}
    how["curve"] = arguments.curve
    result = learn(corpus, out, config, resume=arguments.resume, log=log, **start, **how)  # type: ignore[arg-type]
    print(f"model written to {out / MODEL_FILE}, the average of {' and '.join(run.name for run in result.runs[-2:])}")
    if config.split is None:
        print("nothing was held out, so nothing is tested; give --split NAME to train and test on a fold")
        return {}
    metrics = run_tests(result, corpus, out, config.split, single_fold(config.fold), threads=arguments.threads)
    last = list(metrics.values())[-1]
    print(f"test recordings: {last['recordings']}; {facts_line(last['facts'])}")
    print(figures_table(metrics))
    return metrics
