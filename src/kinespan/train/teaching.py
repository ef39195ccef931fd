"""Teachers: finished models whose scores are the targets of recordings that nobody labelled.

A student learns from the labels that there are and from what its teachers say of the rest: all of their scores of a
frame, not the best label alone (Hinton et al., Distilling the Knowledge in a Neural Network, 2015; Xie et al.,
Self-training with Noisy Student, CVPR 2020: teachers see motion as it is, the student sees it augmented). Several
teachers are averaged. Those of different kinds err in different ways, from which both can learn (Blum and Mitchell,
Combining Labeled and Unlabeled Data with Co-Training, COLT 1998).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ..config import FinetuneConfig
from ..ensemble import check_compatible, ensemble
from ..errors import InputError
from ..localizer import load_model
from ..model import Model, Scores
from ..model_file import ModelSpec
from .corpora import TrainingSet, seen_in_training


@dataclass(frozen=True)
class Teachers:
    """Models that teach, as one, and what each of them is in a few words."""

    model: Model
    titles: tuple[str, ...]

    def scores(
        self, part: TrainingSet, names: Sequence[str], progress: Callable[[int], None] | None = None
    ) -> dict[str, Scores]:
        """The teachers' mean scores (T, C + 1) of recordings by name."""
        found = {}
        for number, name in enumerate(names):
            found[name] = self.model.frame_scores(part.corpus[name])
            if progress is not None:
                progress(number + 1)
        return found


def load_teachers(paths: Sequence[Path], part: TrainingSet, config: FinetuneConfig, spec: ModelSpec) -> Teachers:
    """The models in runs' folders or model files, to teach one that `spec` describes, on the training side `part`.

    Raises InputError for a file that is not a kinespan localizer, for one of other labels or another rate, and for one
    that knows labels that the student is not to know: of recordings that are held out, or others than the seed chose.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    models = [load_model(path, device) for path in paths]
    for path, model in zip(paths, models, strict=True):
        check_compatible(spec, "this run", model.spec, path, "teach")
        check_honest(path, model.spec, part, config)
    titles = tuple(title(model.spec) for model in models)
    return Teachers(models[0] if len(models) == 1 else ensemble(models, names=paths), titles)


def title(spec: ModelSpec) -> str:
    """A model in a few words, such as `tcn (scratch, 300 steps)`; of an ensemble those of each member."""
    if spec.members:
        return " and ".join(title(member) for member in spec.members)
    return f"{spec.encoder} ({spec.training.get('protocol')}, {spec.training.get('steps')} steps)"


def check_honest(path: Path, spec: ModelSpec, part: TrainingSet, config: FinetuneConfig) -> None:
    """Raise InputError where a model, or a member of it, was trained on labels that a run on `part` holds back."""
    for member in spec.members:
        check_honest(path, member, part, config)
    if spec.members or spec.kind == "encoder" or spec.training.get("corpus") != part.corpus.name:
        return
    own_side = set(part.names)
    seen = seen_in_training(spec, part.corpus, [name for name in part.corpus.names if name not in own_side])
    if seen:
        raise InputError(
            f"{path}: trained on the labels of {len(seen)} recordings that are held out here, such as {seen[0]!r}; "
            "it has to have the split and fold of this run"
        )
    known, own = (spec.training.get("label_fraction"), spec.training.get("seed")), (config.label_fraction, config.seed)
    if config.label_fraction < 1 and known != own:
        raise InputError(
            f"{path}: trained with label_fraction {known[0]} and seed {known[1]}, so on labels of other recordings; "
            f"this run has {own[0]:g} and {own[1]}"
        )
