"""Teachers: trained models that pseudo-label the recordings without labels.

Notable choices:
- pseudo-labels are soft: a student learns all scores of a frame, not the best label alone (Hinton et al., Distilling
  the Knowledge in a Neural Network, 2015)
- teachers see motion as it is, the student sees it augmented (Xie et al., Self-training with Noisy Student, CVPR 2020)
- several teachers are averaged; those of different kinds make different errors, from which both students can learn
  (Blum and Mitchell, Combining Labeled and Unlabeled Data with Co-Training, COLT 1998)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from ..config import FinetuneConfig
from ..corpus.training_set import TrainingSet
from ..errors import InputError
from ..models.base import Scores
from ..models.ensemble import check_compatible, ensemble
from ..models.model_file import ModelSpec
from ..progress import Progress
from ..runs.load import load_model
from .leakage import check_no_label_leakage


def pseudo_labels(
    teachers: Sequence[str | Path],
    data: TrainingSet,
    labelled: Sequence[str],
    spec: ModelSpec,
    config: FinetuneConfig,
    quiet: bool = False,
) -> tuple[dict[str, Scores], list[str]]:
    """Scores (T, C + 1) of the recordings of `data` that are not labelled, and a description of each teacher.

    teachers: run folders or model files, whose scores are averaged; spec: the student's. Raises InputError for a file
    that is not a kinespan localizer, for one of other labels or another rate, as `check_no_label_leakage` does, and
    where every recording is labelled.
    """
    unlabelled = [name for name in data.names if name not in set(labelled)]
    if not unlabelled:
        raise InputError(
            f"--teachers: the labels of all {len(labelled)} training recordings are used, so there is nothing to "
            "pseudo-label; leave it out, or prepare recordings without labels in the same corpus"
        )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    models = [load_model(path, device) for path in teachers]
    for path, model in zip(teachers, models, strict=True):
        check_compatible(spec, "this run", model.spec, path, "teach")
        check_no_label_leakage(path, model.spec, data, config)
    teacher = models[0] if len(models) == 1 else ensemble(models, names=teachers)
    scores = {}
    with Progress("pseudo-labelling", len(unlabelled), quiet=quiet) as progress:
        for name in unlabelled:
            scores[name] = teacher.frame_scores(data.corpus[name])
            progress.update(len(scores))
    return scores, [describe(model.spec) for model in models]


def describe(spec: ModelSpec) -> str:
    """A model in a few words, such as `tcn (scratch, 300 steps)`; the members of an ensemble one by one."""
    if spec.members:
        return " and ".join(describe(member) for member in spec.members)
    return f"{spec.encoder} ({spec.training.get('protocol')}, {spec.training.get('steps')} steps)"
