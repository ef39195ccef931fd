"""Recognize trimmed actions on a frozen encoder: the linear and the nearest-neighbour probe of pretraining.

Every annotated span is a clip; classified are those of the recordings that the split holds out. Without --pretrained
the encoder is an untrained one, for comparison. The published recipe for NTU RGB+D is the default; features of another
scale may want another --lr.
"""

from __future__ import annotations

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from ..config import RecognizeConfig
from .common import add_settings, check_network, facts_line, open_corpus, percent, settings, table


def add_arguments(parser: ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("corpus", type=str, help="folder of a prepared corpus with annotations")
    parser.add_argument(
        "--pretrained",
        type=str | None,
        help="folder of a pretraining run, a model file, or `default`, the shipped encoder",
    )
    parser.add_argument("--out", type=str | None, help="JSON file of the figures and the confusion matrix to write")
    add_settings(parser, RecognizeConfig)


def run(arguments: Namespace) -> int:
    """Recognize, print the figures."""
    from . import command_parser

    config = settings(arguments, RecognizeConfig, command_parser("recognize"))
    corpus = open_corpus(arguments.corpus)

    from ..progress import Progress
    from ..results import write_metrics
    from ..train.corpora import corpus_parts
    from ..train.finetuning import pretrained_path
    from ..train.recognition import recognize

    check_network(config.network)
    parts = corpus_parts(corpus, config.split, config.fold)
    with Progress("features", len(parts.train) + len(parts.test)) as progress:
        found = recognize(corpus, config, pretrained_path(arguments.pretrained), lambda done, _: progress.update(done))
    facts = found["facts"]
    print(f"{facts['test_clips']} clips by {facts['train_clips']}; {facts_line(facts)}")
    print(
        table([["", "top-1", "mean of labels"], ["per cent", percent(found["top1"]), percent(found["per_class_mean"])]])
    )
    print()
    print(table([["label", "recall"], *([label, percent(value)] for label, value in found["recall"].items())]))
    if arguments.out is not None:
        write_metrics(found, Path(arguments.out))
        print(f"written to {arguments.out}")
    return 0
