"""kinespan: find what a person did and when, in 3-D skeleton motion.

import kinespan
recording = kinespan.read("take.bvh").recording
spans = kinespan.load_model("runs/finetune").localize(recording)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__
from .data.annotation import Annotation, LabelSet, Span
from .data.recording import Recording
from .data.skeleton import Skeleton
from .errors import InputError

if TYPE_CHECKING:
    from .corpus.store import Corpus
    from .io import read
    from .models.encoder_model import EncoderModel
    from .models.localizer import Localizer, load_model

# torch takes seconds to import; these are fetched when they are asked for
_LAZY = {
    "Corpus": ".corpus.store",
    "EncoderModel": ".models.encoder_model",
    "Localizer": ".models.localizer",
    "load_model": ".models.localizer",
    "read": ".io",
}

__all__ = [
    "Annotation",
    "Corpus",
    "EncoderModel",
    "InputError",
    "LabelSet",
    "Localizer",
    "Recording",
    "Skeleton",
    "Span",
    "__version__",
    "load_model",
    "read",
]


def __getattr__(name: str) -> Any:
    """Fetch a heavy name on first use."""
    if name in _LAZY:
        return getattr(import_module(_LAZY[name], __name__), name)
    raise AttributeError(f"module 'kinespan' has no attribute {name!r}")
