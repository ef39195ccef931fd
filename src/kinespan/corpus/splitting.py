"""Ways to split a corpus: by groups of recordings, by a rule, recording by recording; and a share of the labels."""

from __future__ import annotations

import difflib
import functools
import math
import operator
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


def group_split(infos: Sequence[RecordingInfo], group: str, folds: int, seed: int, name: str | None = None) -> Split:
    """Folds 1 to `folds` over groups of recordings, as `groups_of` finds them; each group tests in one fold.

    Groups are shuffled by the seed, then, longest first, each goes to the fold with the fewest seconds so far, so that
    the folds are about equally long. The default name is ``by-<group>``.
    Raises InputError for fewer than 2 folds, fewer groups than folds, and as `groups_of` does.
    """
    return _balanced_split(name or f"by-{group}", infos, groups_of(infos, group), folds, seed)


def groups_of(infos: Sequence[RecordingInfo], group: str) -> list[str]:
    """The group of each recording: its value of the attribute `group`, or what that matches in its name.

    group: an attribute that all recordings have, or a regular expression on their names whose first bracket, else the
    whole match, names the group.
    Raises InputError, telling what there is to group by, where it is neither.
    """
    if infos and all(group in info.attributes for info in infos):
        return [info.attributes[group] for info in infos]
    without = [info.name for info in infos if group not in info.attributes]
    if len(without) < len(infos):
        reason = f"{len(without)} of {len(infos)} recordings have no such attribute, such as {without[0]!r}"
        raise InputError(f"--group {group!r}: {reason}; {group_choices(infos, group)}")
    try:
        pattern = re.compile(group)
    except re.error as error:
        reason = f"neither an attribute nor a regular expression ({error})"
        raise InputError(f"--group {group!r}: {reason}; {group_choices(infos, group)}") from None
    groups = []
    for info in infos:
        match = pattern.search(info.name)
        if match is None:
            reason = f"no attribute of the recordings, and as an expression it does not match the name {info.name!r}"
            raise InputError(f"--group {group!r}: {reason}; {group_choices(infos, group)}")
        groups.append(match[1] if pattern.groups and match[1] is not None else match[0])
    return groups


def group_choices(infos: Sequence[RecordingInfo], group: str) -> str:
    """What recordings can be grouped by, for a message about `group`: each attribute with its values, and names."""
    attributes: dict[str, dict[str, None]] = defaultdict(dict)
    counts: dict[str, int] = defaultdict(int)
    for info in infos:
        for key, value in info.attributes.items():
            attributes[key][value] = None
            counts[key] += 1
    words = []
    for key in sorted(attributes):
        values = sorted(attributes[key], key=natural_key)
        listing = ", ".join(value[:20] for value in values[:8]) + (", ..." if len(values) > 8 else "")
        some = "" if counts[key] == len(infos) else f", in {counts[key]} of {len(infos)} recordings"
        words.append(f"{key} ({len(values)} value{'' if len(values) == 1 else 's'}: {listing}{some})")
    names = f"; or a regular expression on names such as {infos[0].name!r}" if infos else ""
    nearest = difflib.get_close_matches(group, attributes, n=1)
    hint = f"did you mean {nearest[0]!r}? " if nearest and group not in attributes else ""
    return f"{hint}known attributes: {', '.join(words) or 'none'}{names}"


def held_out_split(infos: Sequence[RecordingInfo], group: str, test: Sequence[str], name: str | None = None) -> Split:
    """The split whose only fold tests the groups `test` and trains on all others; groups are those of `groups_of`.

    Raises InputError for a group that no recording is in, where no other is left to train on, and as `groups_of` does.
    """
    groups = groups_of(infos, group)
    known = sorted(set(groups), key=natural_key)
    for value in test:
        if value not in known:
            raise InputError(f"no recording has {group} {value!r}; {group}: {', '.join(known[:20])}")
    splits = split_by_values(name or f"by-{group}", infos, groups, {1: (set(known) - set(test), set(test))})
    if not splits:
        raise InputError(f"all of the {len(known)} groups of {group} are to be tested, so none is left to train on")
    return splits[0]


@dataclass(frozen=True)
class SplitRule:
    """How a corpus without official splits is split."""

    group: str | None = None
    """What recordings of a group share: the name of an attribute, or a regular expression on their names whose first
    bracket (else the whole match) names the group. By default the first attribute for a person (performer, actor,
    ...) that all have, else each recording is a group."""
    folds: int | None = None
    """Number of folds; by default 4, or as many as there are groups."""
    seed: int = 0
    """Seed of the shuffle of groups."""


def ruled_split(infos: Sequence[RecordingInfo], rule: SplitRule) -> Split:
    """The split ``by-group`` of a rule with a `group`. Raises InputError as `group_split` does."""
    assert rule.group is not None
    folds = default_folds(groups_of(infos, rule.group)) if rule.folds is None else rule.folds
    return group_split(infos, rule.group, folds, rule.seed, name="by-group")


def default_folds(groups: Sequence[str]) -> int:
    """How many folds groups get where no number is given: 4, or as many as there are groups."""
    return max(2, min(4, len(set(groups))))


def recording_split(
    infos: Sequence[RecordingInfo], folds: int | None = None, seed: int = 0, name: str | None = None
) -> Split | None:
    """The split ``by-recording``, in which each recording is a group; None with fewer than two."""
    names = [info.name for info in infos]
    if len(names) < 2:
        return None
    folds = default_folds(names) if folds is None else min(folds, len(names))
    return _balanced_split(name or "by-recording", infos, names, folds, seed)


def default_split(infos: Sequence[RecordingInfo], folds: int | None = None, seed: int = 0) -> Split | None:
    """The split ``by-group`` by the `person_attribute` of recordings; None where they have none."""
    attribute = person_attribute(infos)
    if attribute is None:
        return None
    values = [info.attributes[attribute] for info in infos]
    folds = default_folds(values) if folds is None else min(folds, len(set(values)))
    return group_split(infos, attribute, folds, seed, name="by-group")


def person_attribute(infos: Sequence[RecordingInfo]) -> str | None:
    """The first of `GROUP_ATTRIBUTES` that every recording has, with at least two values; None without one."""
    for attribute in GROUP_ATTRIBUTES:
        values = {info.attributes.get(attribute) for info in infos}
        if None not in values and len(values) >= 2:
            return attribute
    return None


def _balanced_split(name: str, infos: Sequence[RecordingInfo], groups: Sequence[str], folds: int, seed: int) -> Split:
    """Folds of about equal length over groups, one per recording; see `group_split`."""
    durations: dict[str, list[float]] = defaultdict(list)
    for info, group in zip(infos, groups, strict=True):
        durations[group].append(info.duration)
    unique = sorted(durations, key=natural_key)
    if not 2 <= folds <= len(unique):
        raise InputError(
            f"split {name!r}: {folds} {'fold' if folds == 1 else 'folds'} of {len(unique)} "
            f"{'group' if len(unique) == 1 else 'groups'} ({', '.join(unique[:12])}); {_folds_hint(len(unique))}"
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


def _folds_hint(groups: int) -> str:
    """Which numbers of folds so many groups can have."""
    if groups < 2:
        return "--group by something else"
    return f"give --folds {'2' if groups == 2 else f'from 2 to {groups}'}"


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


def labels_of(annotation: Annotation) -> set[str]:
    """The labels that occur in an annotation, of spans and of events."""
    return {span.label for span in annotation.spans} | {event.label for event in annotation.events}


def label_fraction(
    names: Sequence[str], fraction: float, seed: int, annotations: Mapping[str, Annotation | None]
) -> tuple[str, ...]:
    """A seeded share of the annotated recordings among `names`, in their order, for training with few labels.

    The seed gives an order of the annotated recordings, of which the first max(1, round(fraction x count)) are
    returned; so a smaller fraction is a subset of a larger one with the same seed. The order goes in rounds: until
    every label that the remaining recordings have has occurred in the round, the recording with the most new labels
    comes next. So every label has one recording before any has two, where recordings have a label each. What ties, and
    recordings without labels, which come last, are in random order. It does not depend on the order of `names`.

    Raises InputError for a fraction outside (0, 1] and where no recording is annotated.
    """
    if not 0 < fraction <= 1:
        raise InputError(f"label fraction is {fraction}, expected more than 0 and at most 1")
    labels = {
        name: labels_of(annotation) for name in sorted(set(names)) if (annotation := annotations.get(name)) is not None
    }
    if not labels:
        raise InputError(f"label fraction: none of the {len(names)} recordings is annotated")
    shuffled = [list(labels)[i] for i in np.random.default_rng(seed).permutation(len(labels))]
    count = max(1, math.floor(fraction * len(labels) + 0.5))
    selection = {shuffled[index] for index in label_rounds([labels[name] for name in shuffled], count)}
    return tuple(name for name in names if name in selection)


def label_rounds(label_sets: Sequence[set[str]], count: int) -> list[int]:
    """The first `count` indices of label sets in the order that `label_fraction` describes.

    Sets that are the same are one queue, so that the cost grows with how many differ.
    """
    bits = {label: 1 << number for number, label in enumerate(sorted(set().union(*label_sets)))}
    queues: dict[int, list[int]] = defaultdict(list)  # indices by the bits of their labels, the next one last
    for index in reversed(range(len(label_sets))):
        queues[sum(bits[label] for label in label_sets[index])].append(index)
    order: list[int] = []
    missing = 0
    while queues and len(order) < count:
        missing = missing or functools.reduce(operator.or_, queues)  # a new round
        best = min(queues, key=lambda mask: (-(mask & missing).bit_count(), queues[mask][-1]))
        order.append(queues[best].pop())
        missing &= ~best
        if not queues[best]:
            del queues[best]
    return order
