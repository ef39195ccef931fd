"""Ways to split a corpus: by groups of recordings, by a rule, recording by recording; and a share of the labels."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..data.annotation import Annotation, natural_key
from ..errors import InputError
from .info import RecordingInfo
from .splits import Fold, Split

GROUP_ATTRIBUTES = ("performer", "actor", "subject", "person", "participant", "patient", "session", "group")
"""Attributes that identify the performer, in order of preference; `default_split` uses the first that all have."""


def group_split(
    infos: Sequence[RecordingInfo], attribute: str, folds: int, seed: int, name: str | None = None
) -> Split:
    """Folds 1 to `folds` over groups of recordings with one value of an attribute; each group tests in one fold.

    Groups are shuffled by the seed, then, longest first, each goes to the fold with the fewest seconds so far, so that
    the folds are about equally long. The default name is ``by-<attribute>``.
    Raises InputError for fewer than 2 folds, fewer groups than folds, and recordings without the attribute.
    """
    without = [info.name for info in infos if attribute not in info.attributes]
    if without or not infos:
        known = sorted({key for info in infos for key in info.attributes})
        raise InputError(
            f"split by {attribute!r}: {len(without)} of {len(infos)} recordings have no such attribute"
            f"{', such as ' + repr(without[0]) if without else ''}; known attributes: {', '.join(known) or 'none'}"
        )
    return _balanced_split(
        name or f"by-{attribute}", infos, [info.attributes[attribute] for info in infos], folds, seed
    )


@dataclass(frozen=True)
class SplitRule:
    """How a corpus without official splits is split."""

    group: str | None = None
    """What recordings of a group share: the name of an attribute, or a regular expression on their names whose first
    bracket (else the whole match) names the group. By default the first attribute for a person (performer, actor,
    ...) that all have, else each recording is a group."""
    folds: int = 4
    """Number of folds."""
    seed: int = 0
    """Seed of the shuffle of groups."""


def ruled_split(infos: Sequence[RecordingInfo], rule: SplitRule) -> Split:
    """The split ``by-group`` of a rule with a `group`.

    Raises InputError for a bad expression, a recording that it does not match, and fewer groups than folds.
    """
    assert rule.group is not None
    if all(rule.group in info.attributes for info in infos):
        return group_split(infos, rule.group, rule.folds, rule.seed, name="by-group")
    try:
        pattern = re.compile(rule.group)
    except re.error as error:
        raise InputError(f"group {rule.group!r}: neither an attribute nor a regular expression ({error})") from None
    groups = []
    for info in infos:
        match = pattern.search(info.name)
        if match is None:
            raise InputError(
                f"group {rule.group!r}: no attribute of all recordings, and does not match the name {info.name!r}"
            )
        groups.append(match[1] if pattern.groups else match[0])
    return _balanced_split("by-group", infos, groups, rule.folds, rule.seed)


def recording_split(infos: Sequence[RecordingInfo], folds: int = 4, seed: int = 0) -> Split | None:
    """The split ``by-recording``, in which each recording is a group; None with fewer than two."""
    names = [info.name for info in infos]
    return _balanced_split("by-recording", infos, names, min(folds, len(names)), seed) if len(names) > 1 else None


def default_split(infos: Sequence[RecordingInfo], folds: int = 4, seed: int = 0) -> Split | None:
    """The split ``by-group`` by the first of `GROUP_ATTRIBUTES` that every recording has, with at least two values.

    None where there is no such attribute.
    """
    for attribute in GROUP_ATTRIBUTES:
        values = {info.attributes.get(attribute) for info in infos}
        if None not in values and len(values) >= 2:
            return group_split(infos, attribute, min(folds, len(values)), seed, name="by-group")
    return None


def _balanced_split(name: str, infos: Sequence[RecordingInfo], groups: Sequence[str], folds: int, seed: int) -> Split:
    """Folds of about equal length over groups, one per recording; see `group_split`."""
    durations: dict[str, list[float]] = defaultdict(list)
    for info, group in zip(infos, groups, strict=True):
        durations[group].append(info.duration)
    unique = sorted(durations, key=natural_key)
    if not 2 <= folds <= len(unique):
        raise InputError(
            f"split {name!r}: {folds} folds of {len(unique)} groups ({', '.join(unique[:12])}); "
            f"choose between 2 and {len(unique)} folds"
        )
    seconds = {group: sum(durations[group]) for group in unique}
    shuffled = [unique[i] for i in np.random.default_rng(seed).permutation(len(unique))]
    loads = dict.fromkeys(range(1, folds + 1), 0.0)  # seconds by fold
    fold_of: dict[str, int] = {}
    for group in sorted(shuffled, key=lambda group: -seconds[group]):
        fold_of[group] = min(loads, key=loads.__getitem__)
        loads[fold_of[group]] += seconds[group]
    test_folds = [fold_of[group] for group in groups]
    sides = {fold: (loads.keys() - {fold}, {fold}) for fold in loads}
    (split,) = split_by_values(name, infos, test_folds, sides)
    return split


def split_by_values(
    name: str,
    infos: Sequence[RecordingInfo],
    values: Sequence[object],
    folds: Mapping[int, tuple[Container[object], Container[object]]],
    drop_labels: tuple[str, ...] = (),
) -> tuple[Split, ...]:
    """A tuple of the split by values, one per recording; empty where no fold has recordings on both sides.

    `folds` has, by number, the values that train and the values that test. A recording with any other value is on
    neither side.
    """
    complete: dict[int, Fold] = {}
    for number, sides in folds.items():
        train, test = (
            tuple(info.name for info, value in zip(infos, values, strict=True) if value in side) for side in sides
        )
        if train and test:
            complete[number] = Fold(train, test)
    return (Split(name, complete, drop_labels),) if complete else ()


def label_fraction(
    names: Sequence[str], fraction: float, seed: int, annotations: Mapping[str, Annotation | None]
) -> tuple[str, ...]:
    """A seeded share of the annotated recordings among `names`, in their order, for training with few labels.

    The seed gives an order of the annotated recordings, of which the first max(1, round(fraction x count)) are
    returned; so a smaller fraction is a subset of a larger one with the same seed. The order is random, except that
    until every label has occurred the recording with the most new labels comes next (ties keep the random order). It
    does not depend on the order of `names`.

    Raises InputError for a fraction outside (0, 1] and where no recording is annotated.
    """
    if not 0 < fraction <= 1:
        raise InputError(f"label fraction is {fraction}, expected more than 0 and at most 1")
    labels = {
        name: {span.label for span in annotation.spans}
        for name in sorted(set(names))
        if (annotation := annotations.get(name)) is not None
    }
    if not labels:
        raise InputError(f"label fraction: none of the {len(names)} recordings is annotated")
    remaining = [list(labels)[i] for i in np.random.default_rng(seed).permutation(len(labels))]
    missing = set().union(*labels.values())
    order: list[str] = []
    while missing:
        best = max(remaining, key=lambda name: len(labels[name] & missing))  # max keeps the first of equals
        remaining.remove(best)
        order.append(best)
        missing -= labels[best]
    count = max(1, math.floor(fraction * len(labels) + 0.5))
    selection = set((order + remaining)[:count])
    return tuple(name for name in names if name in selection)
