"""Teachers: trained models that pseudo-label the recordings without labels.

Notable choices:
- pseudo-labels are soft: a student learns all scores of a frame, not the best label alone (Hinton et al., Distilling
  the Knowledge in a Neural Network, 2015)
- teachers see motion as it is, the student sees it augmented (Xie et al., Self-training with Noisy Student, CVPR 2020)
- scores are those that the networks were trained to give, not softened by a temperature
- several teachers are averaged; those of different kinds make different errors, from which both students can learn
  (Blum and Mitchell, Combining Labeled and Unlabeled Data with Co-Training, COLT 1998)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch

from ..config import FinetuneConfig
from ..corpus.training_set import TrainingSet
from ..errors import InputError
from ..models.base import Model, Scores, by_person
from ..models.ensemble import Ensemble, check_compatible, ensemble
from ..models.model_file import ModelSpec
from ..progress import Progress
from ..runs.load import load_model
from ..transforms.normalise import Motion
from .leakage import check_no_label_leakage


class PseudoLabels(NamedTuple):
    """What teachers say of a recording, or of a person in it: the motion as the student sees it, and their scores."""

    motion: Motion
    scores: Scores
    """(T, C + 1)"""


def pseudo_labels(
    teachers: Sequence[str | Path],
    data: TrainingSet,
    labelled: Sequence[str],
    spec: ModelSpec,
    config: FinetuneConfig,
    quiet: bool = False,
) -> tuple[list[PseudoLabels], list[str]]:
    """Pseudo-labels of the recordings of `data` that are not labelled, and a description of each teacher.

    teachers: run folders or model files, whose scores are averaged; spec: the student's, which says whether each person
    of a recording has pseudo-labels of their own. Raises InputError for a file that is not a kinespan localizer, for
    one that does not fit (`check_compatible`), as `check_no_label_leakage` does, and where every recording is labelled.
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
    teacher = as_trained(models[0] if len(models) == 1 else ensemble(models, names=teachers))
    labels = []
    with Progress("pseudo-labelling", len(unlabelled), quiet=quiet) as progress:
        for number, name in enumerate(unlabelled, 1):
            for _, recording in by_person(data.corpus[name], spec.people):
                labels.append(PseudoLabels(spec.input.motion(recording), teacher.frame_scores(recording)))
            progress.update(number)
    return labels, [describe(model.spec) for model in models]


def as_trained(model: Model) -> Model:
    """The model with the scores that its networks were trained to give, at a temperature of 1."""
    for part in (model, *(model.members if isinstance(model, Ensemble) else ())):
        part.spec = replace(part.spec, temperature=1.0)
    return model


def describe(spec: ModelSpec) -> str:
    """A model in a few words, such as `tcn (scratch, 300 steps)`; the members of an ensemble one by one."""
    if spec.members:
        return " and ".join(describe(member) for member in spec.members)
    return f"{spec.encoder} ({spec.training.get('protocol')}, {spec.training.get('steps')} steps)"
