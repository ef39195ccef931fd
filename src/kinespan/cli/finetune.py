"""Learn to name and bound actions from labelled recordings, and test on the recordings that the fold holds out.

Writes model.safetensors and, with --split, metrics.json and the answers on the test recordings: the files of `kinespan
localize`, spans.csv first. The model of the last step is kept: nothing is selected on test recordings. With --fold all
there is a folder for each fold, and folds.json has their figures, their mean and their standard deviation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config import FinetuneConfig, single_fold
from ..corpus.store import Corpus
from ..corpus.training_set import labelled_names, set_fact, training_set
from ..runs.folder import FOLDS_FILE, METRICS_FILE, MODEL_FILE, check_run_folder, pretrained_spec
from ..runs.folds import fold_numbers
from ..runs.settings import check_same, load_settings, settings_of
from ..train.continuing import check_continues
from .checks import check_network, check_out_folder, localizer_spec
from .common import CorpusArguments, RunArguments, facts_line, figures_table
from .folds import FoldCommand, at_fold, print_fold_table, resumable, run_folds

if TYPE_CHECKING:  # torch takes seconds to import
    from ..models.base import Model

GROUPS = {
    "data": ("split", "fold", "label_fraction"),
    "network": ("network.encoder", "network.streams"),
    "training": ("protocol", "steps", "batch_size", "lr", "seed"),
}
AFTER_STOP = "the same command with --resume continues"


@dataclass(frozen=True, kw_only=True)
class FinetuneArguments(RunArguments, CorpusArguments):
    """The files that `finetune` reads and writes."""

    pretrained: str | None = None
    """Encoder to start from: folder of a pretraining run, or of a finetuning run whose encoder is trained further (of
    one with --fold all each fold takes its own), a model file, or `default`, the shipped encoder."""
    from_: str | None = None
    """Run to go on from, where labels only grew since: its whole network is trained further, and new labels join; of a
    run with --fold all each fold takes its own."""
    teachers: tuple[Path, ...] = ()
    """Folders of finished runs, or model files, whose scores of the unlabelled training recordings serve as
    pseudo-labels."""


def run(arguments: FinetuneArguments, config: FinetuneConfig) -> int:
    """Finetune, test, and print the figures."""
    corpus = Corpus.open(arguments.corpus, arguments.set)
    check_network(config.network)
    check_out_folder(arguments.out)
    if config.fold == "all":
        command = FoldCommand("finetune", METRICS_FILE, partial(check, corpus), partial(train, corpus))
        summary = run_folds(command, arguments, config, fold_numbers([corpus], config.split))
        print_fold_table(summary)
        print(f"figures of all folds: {arguments.out / FOLDS_FILE}")
        return 0
    arguments = at_fold(arguments, config)
    check(corpus, arguments, config)
    with resumable(arguments.out):
        train(corpus, arguments, config)
    return 0


def check(corpus: Corpus, arguments: FinetuneArguments, config: FinetuneConfig) -> None:
    """Raise InputError for anything wrong with a run on one fold."""
    pretrained_spec(arguments.pretrained, config)
    if not _is_trained(arguments):
        check_run_folder(arguments.out, arguments.resume, MODEL_FILE)
    training = training_set(corpus, config.split, single_fold(config.fold))
    _, labels = labelled_names(corpus, training.names, training.drop_labels, config)
    if arguments.from_ is not None:
        check_continues(arguments.from_, config, labels, pretrained=arguments.pretrained)
    for teacher in arguments.teachers:
        localizer_spec(teacher)


def train(corpus: Corpus, arguments: FinetuneArguments, config: FinetuneConfig) -> dict[str, Any]:
    """Train and test on one fold; returns the metrics, empty where nothing is held out."""
    from ..runs.load import load_model
    from ..train.finetuning import finetune
    from ..train.held_out import run_test

    out, fold = arguments.out, single_fold(config.fold)
    if _is_trained(arguments):
        now: dict[str, Any] = {"pretrained": arguments.pretrained, "from": arguments.from_, **set_fact(corpus)}
        now |= {"teachers": list(map(str, arguments.teachers))} if arguments.teachers else {}
        now["config"] = settings_of(config)
        check_same(out, load_settings(out), now)
        model: Model = load_model(out)
    else:
        model = finetune(
            corpus,
            out,
            config,
            pretrained=arguments.pretrained,
            continue_from=arguments.from_,
            teachers=arguments.teachers,
            resume=arguments.resume,
            threads=arguments.threads,
            log=partial(print, flush=True),
        )
    print(f"model written to {out / MODEL_FILE}")
    training = training_set(corpus, config.split, fold)
    labelled, _ = labelled_names(corpus, training.names, training.drop_labels, config)
    if arguments.from_ is not None:
        print(f"went on from {arguments.from_}")
    unused = len(training.names) - len(labelled)
    if unused and not arguments.teachers and config.protocol != "linear":
        print(f"{unused} training recordings have no label in this run; --teachers {out} RUN lets another run learn")
        print("from their pseudo-labels, and kinespan learn does all of this in one command")
    if config.split is None:
        print("nothing was held out, so nothing is tested; give --split NAME to train and test on a fold")
        return {}
    metrics = run_test(model, corpus, out, config.split, fold, threads=arguments.threads)
    print(f"test recordings: {metrics['recordings']}; {facts_line(metrics['facts'])}")
    print(figures_table({"": metrics}))
    return metrics


def _is_trained(arguments: FinetuneArguments) -> bool:
    """Whether a run is resumed whose training was finished, so that it only has to be tested."""
    return arguments.resume and (arguments.out / MODEL_FILE).is_file()
