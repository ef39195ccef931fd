"""Teachers: finished models that pseudo-label the recordings that nobody labelled.

Notable choices:
- pseudo-labels are soft: a student learns all scores of a frame, not the best label alone (Hinton et al., Distilling
  the Knowledge in a Neural Network, 2015)
- teachers see motion as it is, the student sees it augmented (Xie et al., Self-training with Noisy Student, CVPR 2020)
- several teachers are averaged; those of different kinds make different errors, from which both students can learn
  (Blum and Mitchell, Combining Labeled and Unlabeled Data with Co-Training, COLT 1998)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ..config import FinetuneConfig
from ..corpus.training_set import TrainingSet
from ..models.base import Model, Scores
from ..models.ensemble import check_compatible, ensemble
from ..models.localizer import load_model
from ..models.model_file import ModelSpec
from .leakage import check_no_label_leakage


@dataclass(frozen=True)
class Teachers:
    """One or several models as one teacher, and a description of each in a few words."""

    model: Model
    descriptions: tuple[str, ...]

    def scores(
        self, part: TrainingSet, names: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> dict[str, Scores]:
        """The teachers' mean scores (T, C + 1) of recordings, by name."""
        scores = {}
        for number, name in enumerate(names):
            scores[name] = self.model.frame_scores(part.corpus[name])
            if progress is not None:
                progress(number + 1)
        return scores


def load_teachers(paths: Sequence[Path], part: TrainingSet, config: FinetuneConfig, spec: ModelSpec) -> Teachers:
    """The models in run folders or model files, as teachers of a student with this `spec` on the training side `part`.

    Raises InputError for a file that is not a kinespan localizer, for one of other labels or another rate, and as
    `check_no_label_leakage` does.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    models = [load_model(path, device) for path in paths]
    for path, model in zip(paths, models, strict=True):
        check_compatible(spec, "this run", model.spec, path, "teach")
        check_no_label_leakage(path, model.spec, part, config)
    descriptions = tuple(describe(model.spec) for model in models)
    return Teachers(models[0] if len(models) == 1 else ensemble(models, names=paths), descriptions)


def describe(spec: ModelSpec) -> str:
    """A model in a few words, such as `tcn (scratch, 300 steps)`; the members of an ensemble one by one."""
    if spec.members:
        return " and ".join(describe(member) for member in spec.members)
    return f"{spec.encoder} ({spec.training.get('protocol')}, {spec.training.get('steps')} steps)"
