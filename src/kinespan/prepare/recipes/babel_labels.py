"""The label sets of BABEL: STAL's three subsets, the most frequent 60 and 120 categories, and those for detection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from ...data.annotation import LabelSet
from ...errors import InputError
from .babel_json import Sequence, read_json

Labels = Literal["subset1", "subset2", "subset3", "babel60", "babel120", "tal20", "tal60"]

SUBSETS = {
    "subset1": ("walk", "stand", "turn", "jump"),
    "subset2": ("sit", "run", "stand up", "kick"),
    "subset3": ("jog", "wave", "dance", "gesture"),
}
"""The label sets of STAL (Yu and Fujiwara, AAAI 2023), in its order."""
MOST_FREQUENT = {"babel60": 60, "babel120": 120, "tal20": 20, "tal60": 60}
OVERLAPPING = ("tal20", "tal60")
TRANSITION = "transition"
"""The category of the movement from one action to the next."""

ORDER_FILE = "action_label_2_idx.json"
KNOWN_RANKS = {
    "walk": 0, "stand": 1, "hand movements": 2, "turn": 3, "jump": 16, "sit": 18, "run": 21, "stand up": 26,
    "kick": 31, "gesture": 32, "jog": 34, "wave": 39, "dance": 43,
}  # fmt: skip
"""Ranks of some categories in the order of frequency that BABEL v1.0 ships."""


def label_set(labels: Labels, release: Path, train: Iterable[Sequence], classes: Path | None) -> LabelSet:
    """The label set of that name, in its official order.

    ``babel60`` and ``babel120`` are the categories with a rank under 60 and 120 in the data set's own
    action_label_2_idx.json. ``tal20`` and ``tal60`` may overlap. They are the 20 and 60 categories with the most frame
    labels in `train`, transitions apart, ties by name, as we do not have the published lists of BABEL-TAL (LocATe,
    arXiv 2203.10719); `classes`, a file with one category per line, gives others.

    Raises InputError where the file of the ranks or of the classes is missing or wrong.
    """
    if labels in SUBSETS:
        return LabelSet(SUBSETS[labels])
    if labels not in OVERLAPPING:
        return LabelSet(_by_rank(release / ORDER_FILE, MOST_FREQUENT[labels]))
    if classes is not None:
        return LabelSet(_read_classes(classes), exclusive=False)
    return LabelSet(_most_labelled(train, MOST_FREQUENT[labels], release), exclusive=False)


def _by_rank(path: Path, count: int) -> tuple[str, ...]:
    if not path.is_file():
        raise InputError(f"{path}: no such file; BABEL's release has it, and it names the {count} categories")
    ranks = read_json(path)
    for name, rank in KNOWN_RANKS.items():
        if ranks.get(name) != rank:
            raise InputError(f"{path}: {name!r} has rank {ranks.get(name)!r}, expected {rank} as in BABEL v1.0")
    names = {rank: name for name, rank in ranks.items()}
    missing = [rank for rank in range(count) if rank not in names]
    if missing:
        raise InputError(f"{path}: no category has rank {missing[0]}; {count} are needed")
    return tuple(names[rank] for rank in range(count))


def _read_classes(path: Path) -> tuple[str, ...]:
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as text ({error}); expected one category per line") from None
    names = tuple(line for line in lines if line and not line.startswith("#"))
    if not names or len(set(names)) != len(names):
        raise InputError(f"{path}: expected categories, one per line, each once; found {len(names)} lines")
    return names


def _most_labelled(train: Iterable[Sequence], count: int, release: Path) -> tuple[str, ...]:
    counts = Counter(
        category
        for sequence in train
        for segment in sequence.segments or ()
        for category in dict.fromkeys(segment.categories)
        if category != TRANSITION
    )
    if not counts:
        raise InputError(f"{release}: train.json has no frame labels to choose classes by; give them with --classes")
    return tuple(sorted(counts, key=lambda name: (-counts[name], name))[:count])
