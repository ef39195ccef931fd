"""Every setting of pretraining and training: these dataclasses are the flags, the YAML keys and the docs.

Plain data, no torch: the command line prints its help from them. Each validates itself and raises InputError.
"""

from .checks import Fold, single_fold
from .finetune import FinetuneConfig, LearnConfig, Protocol, RecognizeConfig
from .motion import (
    STREAMS,
    AugmentConfig,
    NetworkConfig,
    Normalisation,
    Precision,
    Preprocessing,
    Stream,
    check_streams,
)
from .pretrain import MethodConfig, PretrainConfig, SnippetConfig

__all__ = [
    "STREAMS",
    "AugmentConfig",
    "FinetuneConfig",
    "Fold",
    "LearnConfig",
    "MethodConfig",
    "NetworkConfig",
    "Normalisation",
    "Precision",
    "Preprocessing",
    "PretrainConfig",
    "Protocol",
    "RecognizeConfig",
    "SnippetConfig",
    "Stream",
    "check_streams",
    "single_fold",
]
