"""Which recordings of a corpus a stage of training sees, and on which skeleton."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..corpus.store import Corpus
from ..errors import InputError
from ..skeleton import Skeleton
from ..skeletons import NTU_25, SKELETONS


class Parts(NamedTuple):
    """Names of the recordings to train on and to test on, and labels that the split leaves out."""

    train: tuple[str, ...]
    test: tuple[str, ...]
    drop_labels: tuple[str, ...] = ()


def corpus_parts(corpus: Corpus, split: str | None, fold: int) -> Parts:
    """The two sides of a fold. Without a split nothing is held out: every recording is on both sides."""
    if split is None:
        return Parts(corpus.names, corpus.names)
    chosen = corpus.fold(split, fold)
    return Parts(chosen.train, chosen.test, chosen.drop_labels)


def training_names(corpus: Corpus, split: str | None, fold: int) -> tuple[str, ...]:
    """The recordings that may be trained on. Raises InputError for an unknown split or fold."""
    return corpus_parts(corpus, split, fold).train


def choose_skeleton(name: str, corpus: Corpus, names: Sequence[str]) -> Skeleton:
    """The skeleton that all recordings are mapped to: one known by name, or the one that they share, else NTU's.

    Files of one source can differ by a joint, which nothing could stand in for; the 25 joints of NTU RGB+D are
    what any whole body has. Raises InputError for an unknown name or no recordings.
    """
    if name != "auto":
        return SKELETONS[name]
    if not names:
        raise InputError(f"corpus {corpus.name!r}: no recordings to choose a skeleton from")
    found = {corpus.infos[corpus.place(name)].skeleton for name in names}
    return found.pop() if len(found) == 1 else NTU_25
