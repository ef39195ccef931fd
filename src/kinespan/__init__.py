"""kinespan: find what a person did and when, in 3-D skeleton motion.

import kinespan

kinespan.learn("corpus", "runs/model")
recording = kinespan.read("take.bvh").recording
annotation = kinespan.load_model("runs/model").localize(recording)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__
from .config import FinetuneConfig, LearnConfig, PretrainConfig
from .data.annotation import Annotation, Event, LabelSet, Span
from .data.recording import Recording
from .data.skeleton import Skeleton
from .errors import InputError

if TYPE_CHECKING:
    from .corpus.annotation_sets import AnnotationSets
    from .corpus.store import Corpus
    from .io import read, write
    from .models.encoder_model import EncoderModel
    from .models.localizer import Localizer
    from .prepare.in_memory import write_corpus
    from .runs.load import load_encoder, load_model
    from .runs.predict import localize
    from .runs.scoring import evaluate
    from .train.estimator import ActionLocalizer
    from .train.finetuning import finetune
    from .train.learning import learn
    from .train.pretraining import pretrain

# torch takes seconds to import; these are fetched when they are asked for
_LAZY = {
    "AnnotationSets": ".corpus.annotation_sets",
    "ActionLocalizer": ".train.estimator",
    "Corpus": ".corpus.store",
    "EncoderModel": ".models.encoder_model",
    "Localizer": ".models.localizer",
    "evaluate": ".runs.scoring",
    "finetune": ".train.finetuning",
    "learn": ".train.learning",
    "load_encoder": ".runs.load",
    "load_model": ".runs.load",
    "localize": ".runs.predict",
    "pretrain": ".train.pretraining",
    "read": ".io",
    "write": ".io",
    "write_corpus": ".prepare.in_memory",
}

__all__ = [
    "ActionLocalizer",
    "Annotation",
    "AnnotationSets",
    "Corpus",
    "EncoderModel",
    "Event",
    "FinetuneConfig",
    "InputError",
    "LabelSet",
    "LearnConfig",
    "Localizer",
    "PretrainConfig",
    "Recording",
    "Skeleton",
    "Span",
    "__version__",
    "evaluate",
    "finetune",
    "learn",
    "load_encoder",
    "load_model",
    "localize",
    "pretrain",
    "read",
    "write",
    "write_corpus",
]


def __getattr__(name: str) -> Any:
    """Fetch a heavy name on first use."""
    if name in _LAZY:
        return getattr(import_module(_LAZY[name], __name__), name)
    raise AttributeError(f"module 'kinespan' has no attribute {name!r}")
