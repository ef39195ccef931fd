"""Which recordings of a corpus a stage of training sees, and on which skeleton."""

from __future__ import annotations

from collections.abc import Sequence

from ..corpus.splits import Fold
from ..corpus.store import Corpus
from ..errors import InputError
from ..skeleton import Skeleton
from ..skeletons import SKELETONS


def corpus_fold(corpus: Corpus, split: str | None, fold: int) -> Fold:
    """The fold of a split; without a split all recordings are for training and none is tested."""
    if split is None:
        return Fold(train=corpus.names, test=())
    return corpus.fold(split, fold)


def training_names(corpus: Corpus, split: str | None, fold: int) -> tuple[str, ...]:
    """The recordings that may be trained on. Raises InputError for an unknown split or fold."""
    return corpus_fold(corpus, split, fold).train


def choose_skeleton(name: str, corpus: Corpus, names: Sequence[str]) -> Skeleton:
    """The skeleton that all recordings are mapped to: one known by name, or that of the first recording."""
    if name != "auto":
        return SKELETONS[name]
    if not names:
        raise InputError(f"corpus {corpus.name!r}: no recordings to choose a skeleton from")
    return corpus.infos[corpus.place(names[0])].skeleton
