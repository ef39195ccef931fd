"""Learn an encoder from recordings, without their labels.

--encoder, --streams and --snippets are short for --network.encoder, --network.streams and --snippet.variant.
Writes encoder.safetensors, settings.yaml, metrics.csv and a checkpoint to resume from into the run's folder.
"""

from __future__ import annotations

from jsonargparse import ArgumentParser, Namespace

from ..config import PretrainConfig
from .common import add_settings, check_network, open_corpus, run_folder, settings


def add_arguments(parser: ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument(
        "corpora",
        type=str,
        nargs="+",
        help="folders of prepared corpora, all pretrained on together; FOLDER@SPLIT/FOLD takes the training "
        "recordings of its own split in place of --split",
    )
    parser.add_argument("--out", type=str, required=True, help="folder of the run")
    parser.add_argument("--resume", action="store_true", help="go on from the run's last checkpoint")
    add_settings(parser, PretrainConfig)


def run(arguments: Namespace) -> int:
    """Pretrain and say where the encoder is."""
    from . import command_parser

    config = settings(arguments, PretrainConfig, command_parser("pretrain"))

    from ..pretrain import METHODS
    from ..train.common import Interrupted
    from ..train.corpora import parse_source, training_set
    from ..train.pretraining import pretrain

    wanted = [parse_source(text, config.split, config.fold) for text in arguments.corpora]
    sets = [training_set(open_corpus(path), split, fold) for path, split, fold in wanted]
    METHODS[config.method]  # an unknown name is told before anything is written
    check_network(config.network)
    try:
        path = pretrain(sets, run_folder(arguments.out), config, resume=arguments.resume)
    except Interrupted as stopped:
        print(f"\n{stopped}")
        return 130
    print(f"encoder written to {path}")
    return 0
