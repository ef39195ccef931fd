"""Learn an encoder from recordings, without their labels.

Writes encoder.safetensors, settings.yaml, metrics.csv and a checkpoint to resume from into the run's folder.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..config import PretrainConfig
from ..corpus.training_set import parse_source, training_set
from ..runs.folder import ENCODER_FILE, check_run_folder
from .arguments import Positional
from .checks import check_method, check_network, check_out_folder
from .common import RunArguments

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
    sets = [training_set(*parse_source(text, config.split, config.fold)) for text in arguments.corpora]
    check_method(config.method, config.options)
    check_network(config.network)
    check_out_folder(arguments.out)
    check_run_folder(arguments.out, arguments.resume, ENCODER_FILE)

    from ..train.pretraining import pretrain

    path = pretrain(sets, arguments.out, config, resume=arguments.resume)
    print(f"encoder written to {path}")
    return 0
