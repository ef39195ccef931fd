"""Learn to name and bound actions from recordings of which some are labelled: the whole way in one command.

Pretrains an encoder on all of the recordings without labels, trains it and a network of another kind on the labels
that there are, lets both teach the next two what they see in the recordings without labels, where there are many, and
averages the last two. The stages are runs in folders of --out, as `pretrain` and `finetune` write them; with a split
each is tested on the recordings that the fold holds out, as is model.safetensors, the last two averaged. The models of
the last steps are kept: nothing is selected on test recordings. For other settings of a stage run it by its own
command; its encoder can be given here by --pretrained.

--encoder and --streams are short for --network.encoder and --network.streams.
"""

from __future__ import annotations

from jsonargparse import ArgumentParser, Namespace

from ..config import LearnConfig
from .common import (
    METRIC_COLUMNS,
    add_settings,
    check_network,
    facts_line,
    metric_row,
    open_corpus,
    run_folder,
    settings,
    table,
)


def add_arguments(parser: ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("corpus", type=str, help="folder of a prepared corpus with annotations")
    parser.add_argument("--out", type=str, required=True, help="folder of the run")
    parser.add_argument(
        "--pretrained",
        type=str | None,
        help="folder of a pretraining run, a model file, or `default`, the shipped encoder, in place of pretraining",
    )
    parser.add_argument("--resume", action="store_true", help="go on where the run stopped")
    add_settings(parser, LearnConfig)


def run(arguments: Namespace) -> int:
    """Learn, test every stage and the model, print the figures."""
    from . import command_parser

    config = settings(arguments, LearnConfig, command_parser("learn"))
    corpus = open_corpus(arguments.corpus)

    from ..encoders import ENCODERS
    from ..train.common import Interrupted
    from ..train.finetuning import MODEL_FILE, pretrained_path
    from ..train.learning import learn, run_tests

    check_network(config.network)
    ENCODERS[config.partner_encoder]
    out = run_folder(arguments.out)
    pretrained = pretrained_path(arguments.pretrained)
    try:
        learnt = learn(corpus, out, config, pretrained=pretrained, resume=arguments.resume, log=say)
    except Interrupted as stopped:
        print(f"\n{stopped}")
        return 130
    print(f"model written to {out / MODEL_FILE}, the mean of {' and '.join(run.name for run in learnt.runs[-2:])}")
    if config.split is None:
        print("nothing was held out, so nothing is tested; give --split NAME to train and test on a fold")
        return 0
    found = run_tests(learnt, corpus, out, config.split, config.fold)
    last = list(found.values())[-1]
    print(f"test recordings: {last['recordings']}; {facts_line(last['facts'])}")
    print(table([["per cent", *METRIC_COLUMNS], *([name, *metric_row(one)] for name, one in found.items())]))
    return 0


def say(line: str) -> None:
    """Print a line before the stage that it tells of."""
    print(line, flush=True)
