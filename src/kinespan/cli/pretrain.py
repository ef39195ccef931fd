"""Learn an encoder from recordings, without their labels.

Writes encoder.safetensors, settings.yaml, metrics.csv and a checkpoint to resume from into the run's folder. With
--fold all there is a folder, and an encoder, for each fold of --split, which kinespan finetune --fold all starts from.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..config import PretrainConfig, single_fold
from ..corpus.store import Corpus
from ..corpus.training_set import TrainingSet, parse_source, training_set
from ..errors import InputError
from ..runs.folder import ENCODER_FILE, check_run_folder
from ..runs.folds import fold_numbers
from .arguments import Positional
from .checks import check_method, check_network, check_out_folder
from .common import RunArguments
from .folds import FoldCommand, resumable, run_folds

GROUPS = {
    "data": ("split", "fold", "clip_frames"),
    "network": ("network.encoder", "network.streams"),
    "method": ("method", "snippet.variant"),
    "training": ("steps", "batch_size", "seed"),
}
AFTER_STOP = "the same command with --resume continues"


@dataclass(frozen=True, kw_only=True)
class PretrainArguments(RunArguments):
    """The files that `pretrain` reads and writes."""

    corpora: Positional[tuple[str, ...]]
    """Folders of prepared corpora to pretrain on together; FOLDER@SPLIT/FOLD chooses the training recordings of that
    split, in place of --split and --fold."""


def run(arguments: PretrainArguments, config: PretrainConfig) -> int:
    """Pretrain, and print the path of the encoder."""
    check_method(config.method, config.options)
    check_network(config.network)
    check_out_folder(arguments.out)
    if config.fold == "all":
        command = FoldCommand("pretrain", ENCODER_FILE, check, train)
        run_folds(command, arguments, config, _fold_numbers(arguments, config))
        print(f"an encoder for each fold: kinespan finetune ... --fold all --pretrained {arguments.out}")
        return 0
    check(arguments, config)
    with resumable(arguments.out):
        train(arguments, config)
    return 0


def check(arguments: PretrainArguments, config: PretrainConfig) -> None:
    """Raise InputError for anything wrong with a run on one fold."""
    _sets(arguments, config)
    check_run_folder(arguments.out, arguments.resume, ENCODER_FILE)


def train(arguments: PretrainArguments, config: PretrainConfig) -> dict[str, Any]:
    """Pretrain on the training recordings of one fold; returns where the encoder is and how many recordings it saw."""
    from ..train.pretraining import pretrain

    sets = _sets(arguments, config)
    path = pretrain(sets, arguments.out, config, resume=arguments.resume, threads=arguments.threads)
    print(f"encoder written to {path}")
    return {"facts": {"encoder": str(path), "recordings": sum(len(data.names) for data in sets)}}


def _sets(arguments: PretrainArguments, config: PretrainConfig) -> list[TrainingSet]:
    fold = single_fold(config.fold)
    return [training_set(*parse_source(text, config.split, fold)) for text in arguments.corpora]


def _fold_numbers(arguments: PretrainArguments, config: PretrainConfig) -> tuple[int, ...]:
    """The folds of --split in the corpora that do not name a fold of their own. Raises InputError."""
    sources = [parse_source(text, None, 0) for text in arguments.corpora]
    corpora = [Corpus.open(path) for path, _, fold in sources if not fold]
    if not corpora:
        raise InputError("--fold all: every corpus names a fold of its own; leave @SPLIT/FOLD out and give --split")
    return fold_numbers(corpora, config.split)
