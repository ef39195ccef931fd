"""The recordings of a corpus that a stage of training uses, and their skeleton."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from ..config import FinetuneConfig
from ..data.annotation import Annotation, LabelSet
from ..data.joint_map import has_fingers
from ..data.skeleton import Skeleton
from ..data.skeletons import NTU_25, SKELETONS
from ..errors import InputError
from .set_rows import FIRST_SET
from .splits import union_of, without_labels
from .splitting import label_fraction
from .store import Corpus


class FoldSides(NamedTuple):
    """Names of the recordings that train and that test, and labels that the split leaves out."""

    train: tuple[str, ...]
    test: tuple[str, ...]
    drop_labels: tuple[str, ...] = ()


def corpus_parts(corpus: Corpus, split: str | None, fold: int) -> FoldSides:
    """The two sides of a fold. Without a split nothing is held out: every recording is on both sides."""
    if split is None:
        return FoldSides(corpus.names, corpus.names)
    sides = corpus.fold(split, fold)
    return FoldSides(sides.train, sides.test, sides.drop_labels)


@dataclass(frozen=True)
class TrainingSet:
    """Recordings of a corpus to train on: the training side of a split and fold, without the labels that it drops."""

    corpus: Corpus
    names: tuple[str, ...]
    split: str | None = None
    fold: int = 1
    drop_labels: tuple[str, ...] = ()
    annotations: Mapping[str, Annotation] = field(default_factory=dict)
    """Annotations by recording that stand in place of those of the corpus, such as spans grown from point labels."""

    def annotation(self, name: str) -> Annotation | None:
        """What a recording is trained on, without dropped labels; None where it is not annotated."""
        if name in self.annotations:
            return self.annotations[name]
        return self.corpus.annotation(name, drop=self.drop_labels)


Source = Corpus | TrainingSet | str | Path
"""Training data: a corpus, its folder, which may be FOLDER@SPLIT/FOLD, or some of its recordings."""


def training_set(source: Source, split: str | None = None, fold: int = 1, set: str | None = None) -> TrainingSet:
    """The training side of a split, with the labels of an annotation set; of a TrainingSet its recordings.

    FOLDER@SPLIT/FOLD is read as `parse_source` does. Raises InputError for a folder that holds no corpus, and for an
    unknown split, fold or annotation set.
    """
    if isinstance(source, TrainingSet):
        return replace(source, corpus=source.corpus.with_set(set))
    if isinstance(source, str):
        source, split, fold = parse_source(source, split, fold)
    corpus = source.with_set(set) if isinstance(source, Corpus) else Corpus.open(source, set)
    sides = corpus_parts(corpus, split, fold)
    return TrainingSet(corpus, sides.train, split, fold, sides.drop_labels)


def set_fact(corpus: Corpus) -> dict[str, str]:
    """The annotation set whose labels are used, as a fact; nothing where it is that of `prepare`."""
    return {} if corpus.set in (None, FIRST_SET) else {"set": corpus.set}


def labelled_names(
    corpus: Corpus, names: tuple[str, ...], dropped: tuple[str, ...], config: FinetuneConfig
) -> tuple[tuple[str, ...], LabelSet]:
    """The recordings whose labels are used, and the label set without dropped labels, with the tolerance of `config`.

    Raises InputError where the corpus has no labels or no training recording is annotated, and for a tolerance where no
    label names an event.
    """
    if corpus.labels is None:
        raise InputError(f"corpus {corpus.name!r} has no labels; prepare it with --annotations FILE")
    annotations = {name: corpus.annotation(name, drop=dropped) for name in names}
    annotated = tuple(name for name in names if annotations[name] is not None)
    if not annotated:
        raise InputError(f"corpus {corpus.name!r}: none of the {len(names)} training recordings is annotated")
    if config.label_fraction < 1:
        annotated = label_fraction(annotated, config.label_fraction, config.seed, annotations)
    labels = without_labels(corpus.labels, dropped)
    if config.tolerance != "auto":
        if not labels.events:
            raise InputError(
                f"--tolerance is for events, and no label of corpus {corpus.name!r} names one; leave it out"
            )
        labels = replace(labels, tolerance=config.tolerance)
    return annotated, labels


def parse_source(text: str, split: str | None = None, fold: int = 1) -> tuple[str, str | None, int]:
    """Path, split and fold of FOLDER, FOLDER@SPLIT or FOLDER@SPLIT/FOLD; for FOLDER alone, `split` and `fold`.

    Raises InputError where the fold is not a whole number.
    """
    path, separator, rest = text.rpartition("@")
    if not separator or Path(text).exists():
        return text, split, fold
    name, slash, number = rest.partition("/")
    if slash and not number.isdigit():
        raise InputError(f"{text}: fold {number!r}, expected FOLDER@SPLIT or FOLDER@SPLIT/FOLD with a whole number")
    return path, name, int(number) if slash else 1


def choose_skeleton(name: str, sets: Sequence[TrainingSet]) -> Skeleton:
    """The skeleton that all recordings are mapped to: by name; own: the one that they share; auto: that, else NTU's.

    Files of one source can differ by a joint, for which there is no substitute; any whole body has the 25 joints of
    NTU RGB+D. auto also takes those for a person with fingers, since a hundred joints cost five times the training.
    Raises InputError for an unknown name, no recordings, and own skeletons that differ.
    """
    if name not in ("auto", "own"):
        return SKELETONS[name]
    skeletons = {source.corpus.infos[source.corpus.index(name)].skeleton for source in sets for name in source.names}
    if not skeletons:
        corpora = ", ".join(repr(source.corpus.name) for source in sets)
        raise InputError(f"corpus {corpora}: no recordings to choose a skeleton from")
    if name == "own" and len(skeletons) > 1:
        names = ", ".join(sorted(skeleton.name for skeleton in skeletons))
        raise InputError(f"network.skeleton is own, but the recordings have several: {names}; use auto or name one")
    shared = skeletons.pop() if len(skeletons) == 1 else NTU_25
    return NTU_25 if name == "auto" and has_fingers(shared) else shared


def joined_annotations(sets: Sequence[TrainingSet]) -> tuple[list[Annotation | None], LabelSet | None]:
    """The annotation of each recording of all sets over one label set, the union of those of the corpora.

    It is of everybody together: None where labels say who of several people acts, and where a corpus has several
    annotation sets of which none was chosen.
    """
    annotations: list[Annotation | None] = []
    for source in sets:
        if source.corpus.set is None:
            annotations += [None] * len(source.names)
            continue
        for name in source.names:
            annotation, info = source.corpus.annotation(name), source.corpus.infos[source.corpus.index(name)]
            is_of_everybody = annotation is None or not annotation.people or info.num_people == 1
            annotations.append(annotation if is_of_everybody else None)
    labels = union_of(source.corpus.labels for source in sets if source.corpus.set is not None and source.corpus.labels)
    if labels is None:
        return annotations, None
    return [annotation and replace(annotation, labels=labels) for annotation in annotations], labels
