"""What a model was trained on, and that no labels leak: a run never starts from a model that knows held-out labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..config import FinetuneConfig
from ..corpus.store import Corpus
from ..corpus.training_set import TrainingSet, corpus_parts, set_fact
from ..errors import InputError
from ..models.model_file import ModelSpec


def training_data_facts(sets: Sequence[TrainingSet]) -> dict[str, Any]:
    """Corpus, split and fold, for a model file; those of several corpora are joined by plus signs, in their order."""
    split = " + ".join(data.split or "all" for data in sets) if any(data.split for data in sets) else None
    fold = sets[0].fold if len(sets) == 1 and split else None
    labels = set_fact(sets[0].corpus) if len(sets) == 1 else {}
    return {"corpus": " + ".join(data.corpus.name for data in sets), "split": split, "fold": fold, **labels}


def training_recordings_of(spec: ModelSpec, corpus: Corpus, names: Sequence[str]) -> tuple[str, ...]:
    """Those of `names`, recordings of a corpus, that a model or a member of it may have been trained on.

    A model file states the name of its corpus, the split and the fold. Empty where the corpus no longer has that split.
    """
    if spec.members:
        known = {name for member in spec.members for name in training_recordings_of(member, corpus, names)}
        return tuple(name for name in names if name in known)
    facts = spec.training
    if facts.get("corpus") != corpus.name:
        return ()
    try:
        train = set(corpus_parts(corpus, facts.get("split"), facts.get("fold") or 1).train)
    except InputError:
        return ()
    return tuple(name for name in names if name in train)


def check_no_label_leakage(path: str | Path | None, spec: ModelSpec, data: TrainingSet, config: FinetuneConfig) -> None:
    """Raise InputError if a model, or a member of it, was trained on labels that a run on `data` must not know.

    Those are labels of recordings that are held out, and of training recordings that label_fraction leaves out.
    path: what the model is called in the error.
    """
    for member in spec.members:
        check_no_label_leakage(path, member, data, config)
    if spec.members or spec.kind == "encoder" or spec.training.get("corpus") != data.corpus.name:
        return
    training_names = set(data.names)
    held_out = [name for name in data.corpus.names if name not in training_names]
    leaked = training_recordings_of(spec, data.corpus, held_out)
    if leaked:
        raise InputError(
            f"{path}: trained on the labels of {len(leaked)} recordings that are held out here, such as {leaked[0]!r}; "
            "it has to have the split and fold of this run"
        )
    known, own = (spec.training.get("label_fraction"), spec.training.get("seed")), (config.label_fraction, config.seed)
    if config.label_fraction < 1 and known != own:
        raise InputError(
            f"{path}: trained with label_fraction {known[0]} and seed {known[1]}, so on labels of other recordings; "
            f"this run has {own[0]:g} and {own[1]}"
        )
