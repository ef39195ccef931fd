"""Ways to split a corpus: by groups of recordings, by a rule, recording by recording; and a share of the labels."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..data.annotation import Annotation, natural_key
from ..errors import InputError
from .info import RecordingInfo
from .splits import Fold, Split

GROUP_ATTRIBUTES = ("performer", "actor", "subject", "person", "participant", "patient", "session", "group")
"""Attributes that identify the performer, in order of preference; `default_split` uses the first that all have."""


def group_split(
    infos: Iterable[RecordingInfo], attribute: str, folds: int, seed: int, name: str | None = None
) -> Split:
    """Folds 1 to `folds` over groups of recordings with one value of an attribute; each group tests in one fold.

    Groups are shuffled by the seed, then, longest first, each goes to the fold with the fewest seconds so far, so that
    the folds are about equally long. The default name is ``by-<attribute>``.
    Raises InputError for fewer than 2 folds, fewer groups than folds, and recordings without the attribute.
    """
    infos = tuple(infos)
    groups = _groups(infos, attribute)
    if not 2 <= folds <= len(groups):
        raise InputError(
            f"split by {attribute!r}: {folds} folds of {len(groups)} groups ({', '.join(list(groups)[:12])}); "
            f"choose between 2 and {len(groups)} folds"
        )
    seconds = {group: sum(info.duration for info in members) for group, members in groups.items()}
    shuffled = [list(groups)[i] for i in np.random.default_rng(seed).permutation(len(groups))]
    loads = [0.0] * folds
    tested: dict[int, set[str]] = {number: set() for number in range(1, folds + 1)}
    for group in sorted(shuffled, key=lambda group: -seconds[group]):
        lightest = loads.index(min(loads))
        loads[lightest] += seconds[group]
        tested[lightest + 1].add(group)
    return Split(name or f"by-{attribute}", {n: _fold(infos, attribute, values) for n, values in tested.items()})


def leave_out(
    infos: Iterable[RecordingInfo], attribute: str, values: Sequence[str] | None = None, name: str | None = None
) -> Split:
    """Leave-one-group-out: one fold that tests `values`, or a fold for each value of the attribute.

    Without `values`, fold k tests the k-th value in natural order ("9" before "10"). The default name is
    ``leave-out-<attribute>``.
    Raises InputError for unknown values, a side that would be empty, and recordings without the attribute.
    """
    infos = tuple(infos)
    groups = _groups(infos, attribute)
    for value in values or ():
        if value not in groups:
            raise InputError(f"no recording has {attribute} = {value!r}; available: {', '.join(groups)}")
    tested = [{group} for group in groups] if values is None else [set(values)]
    folds = {number: _fold(infos, attribute, held_out) for number, held_out in enumerate(tested, start=1)}
    return Split(name or f"leave-out-{attribute}", folds)


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


def ruled_split(infos: Iterable[RecordingInfo], rule: SplitRule) -> Split:
    """The split ``by-group`` of a rule with a `group`.

    Raises InputError for a bad expression, a recording that it does not match, and fewer groups than folds.
    """
    infos = tuple(infos)
    assert rule.group is not None
    if all(rule.group in info.attributes for info in infos):
        return group_split(infos, rule.group, rule.folds, rule.seed, name="by-group")
    try:
        pattern = re.compile(rule.group)
    except re.error as error:
        raise InputError(f"group {rule.group!r}: neither an attribute nor a regular expression ({error})") from None
    named = []
    for info in infos:
        match = pattern.search(info.name)
        if match is None:
            raise InputError(
                f"group {rule.group!r}: no attribute of all recordings, and does not match the name {info.name!r}"
            )
        named.append(replace(info, attributes={"group": match.group(1) if pattern.groups else match.group()}))
    return group_split(named, "group", rule.folds, rule.seed, name="by-group")


def recording_split(infos: Iterable[RecordingInfo], folds: int = 4, seed: int = 0) -> Split | None:
    """The split ``by-recording``, in which each recording is a group; None with fewer than two."""
    alone = [replace(info, attributes={"recording": info.name}) for info in infos]
    return group_split(alone, "recording", min(folds, len(alone)), seed) if len(alone) > 1 else None


def default_split(infos: Iterable[RecordingInfo], folds: int = 4, seed: int = 0) -> Split | None:
    """The split ``by-group`` by the first of `GROUP_ATTRIBUTES` that every recording has, with at least two values.

    None where there is no such attribute.
    """
    infos = tuple(infos)
    for attribute in GROUP_ATTRIBUTES:
        values = {info.attributes.get(attribute) for info in infos}
        if None not in values and len(values) >= 2:
            return group_split(infos, attribute, min(folds, len(values)), seed, name="by-group")
    return None


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
    chosen = set((order + remaining)[:count])
    return tuple(name for name in names if name in chosen)


def _groups(infos: Sequence[RecordingInfo], attribute: str) -> dict[str, list[RecordingInfo]]:
    """Recordings by the value of an attribute, values in natural order."""
    without = [info.name for info in infos if attribute not in info.attributes]
    if without or not infos:
        known = sorted({key for info in infos for key in info.attributes})
        raise InputError(
            f"split by {attribute!r}: {len(without)} of {len(infos)} recordings have no such attribute"
            f"{', such as ' + repr(without[0]) if without else ''}; known attributes: {', '.join(known) or 'none'}"
        )
    groups: dict[str, list[RecordingInfo]] = {}
    for info in infos:
        groups.setdefault(info.attributes[attribute], []).append(info)
    return dict(sorted(groups.items(), key=lambda item: natural_key(item[0])))


def _fold(infos: Sequence[RecordingInfo], attribute: str, tested: set[str]) -> Fold:
    return Fold(
        train=tuple(info.name for info in infos if info.attributes[attribute] not in tested),
        test=tuple(info.name for info in infos if info.attributes[attribute] in tested),
    )
