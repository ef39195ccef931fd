"""Learn to name and bound actions from labelled recordings, and test on the recordings that the fold holds out.

--encoder and --streams are short for --network.encoder and --network.streams. Writes model.safetensors and, with a
split, predictions.json, truth.json, spans.csv, scores.npz and metrics.json of the test recordings. The model of the
last step is kept: nothing is selected on test recordings.
"""

from __future__ import annotations

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from ..config import FinetuneConfig
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
        help="folder of a pretraining run, or of a finetuned one whose encoder is to be gone on with, a model file, or "
        "`default`, the shipped encoder",
    )
    parser.add_argument(
        "--teachers",
        type=str,
        nargs="+",
        default=[],
        help="folders of finished runs, or model files, whose scores of the training recordings without labels are "
        "learnt too",
    )
    parser.add_argument("--resume", action="store_true", help="go on from the run's last checkpoint")
    add_settings(parser, FinetuneConfig)


def run(arguments: Namespace) -> int:
    """Finetune, test, print the figures."""
    from . import command_parser

    config = settings(arguments, FinetuneConfig, command_parser("finetune"))
    corpus = open_corpus(arguments.corpus)

    from ..train.common import Interrupted
    from ..train.corpora import corpus_parts
    from ..train.finetuning import MODEL_FILE, finetune, pretrained_path
    from ..train.testing import run_test

    check_network(config.network)
    out = run_folder(arguments.out)
    try:
        model = finetune(
            corpus,
            out,
            config,
            pretrained=pretrained_path(arguments.pretrained),
            teachers=[Path(path) for path in arguments.teachers],
            resume=arguments.resume,
        )
    except Interrupted as stopped:
        print(f"\n{stopped}")
        return 130
    print(f"model written to {out / MODEL_FILE}")
    unused = len(corpus_parts(corpus, config.split, config.fold).train) - model.spec.training["labelled_recordings"]
    if unused and not arguments.teachers and config.protocol != "linear":
        print(
            f"{unused} training recordings have no label in this run; it and another kind of network can teach a third"
        )
        print(f"what they see in them: --teachers {out} RUN, or all of it at once by kinespan learn")
    if config.split is None:
        print("nothing was held out, so nothing is tested; give --split NAME to train and test on a fold")
        return 0
    metrics = run_test(model, corpus, out, config.split, config.fold)
    print(f"test recordings: {metrics['recordings']}; {facts_line(metrics['facts'])}")
    print(table([["", *METRIC_COLUMNS], ["per cent", *metric_row(metrics)]]))
    return 0
