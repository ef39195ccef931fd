"""Labelled points of optical systems as joints, and back: whose they are, which have no label or one that repeats."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..arrays import Float64Array
from ..data.joint_names import skeleton_from_names
from ..data.recording import Recording
from ..data.skeleton import Skeleton
from ..errors import InputError
from .base import DECIDED

_UNLABELLED = re.compile(r"^(\*\d*|unlabell?ed\b.*|)$", re.IGNORECASE)
_GENERIC = re.compile(r"^(marker|mkr|m|point|p)?[\s_.-]*\d*$", re.IGNORECASE)
"""Names that say nothing but a number, such as those of the markers of a rigid body."""
_FEWEST_SHARED = 3
"""Prefixes that share so many names of points, and half of them, are people; others are things."""


@dataclass(frozen=True, eq=False)
class LabelledPoints:
    """Points by person and joint, and what was decided about their labels."""

    positions: NDArray[np.floating[Any]]
    """(T, P, J, 3), NaN where not seen"""
    skeleton: Skeleton
    subjects: tuple[str, ...]
    """The names of the people, as far as prefixes of labels tell; empty where they do not."""
    history: tuple[str, ...]

    @property
    def attributes(self) -> dict[str, str]:
        """The name of the person, where there is one and it has a name."""
        return {"subject": self.subjects[0]} if len(self.subjects) == 1 else {}


def is_unlabelled(label: str) -> bool:
    """Whether a program gives this label to points that nobody has labelled."""
    return _UNLABELLED.match(label.rpartition(":")[2].strip()) is not None or _UNLABELLED.match(label) is not None


def labelled_points(
    path: Path,
    kind: str,
    labels: Sequence[str],
    positions: NDArray[np.floating[Any]],
    *,
    parents: Sequence[int] | None = None,
    descriptions: Sequence[str] = (),
) -> LabelledPoints:
    """The points (T, N, 3), NaN where not seen, as the joints of one or more people.

    Unlabelled points are left out. A prefix as in ``Anna:LKNE`` is the name of the person; points without it that are
    never seen, of a template, are left out too. Prefixes that share the names of points are several people. Labels that
    repeat are numbered: LKNE, LKNE_2.

    Parameters:
        path: the file, for messages.
        kind: the format, which begins the name of the skeleton.
        labels: N labels.
        positions: the points.
        parents: N indices of points, -1 for none, in place of a hierarchy by the names.
        descriptions: of the points, for the note on labels that repeat.

    Raises InputError without a point.
    """
    if not labels:
        raise InputError(f"{path}: the file holds no points")
    history: list[str] = []
    kept = [index for index, label in enumerate(labels) if not is_unlabelled(label)]
    if kept and len(kept) < len(labels):
        history.append(f"{DECIDED}points without a label are left out ({len(labels) - len(kept)} of {len(labels)})")
    kept = kept or list(range(len(labels)))
    prefixes, names = _split(labels)
    subjects = _subjects([(prefixes[index], names[index]) for index in kept])
    if subjects:
        spare = _spare(kept, prefixes, subjects, positions)
        whose = ", ".join(subjects)
        if spare:
            count = f"{len(spare)}: {_some(labels, spare)}"
            history.append(f"{DECIDED}points without the prefix {whose} are left out ({count})")
        kept = [index for index in kept if index not in spare]
    else:
        names = list(labels)
    descriptions = [*descriptions, *[""] * len(labels)]
    history += _repeat_note([labels[index] for index in kept], [descriptions[index] for index in kept])
    people = [kept]
    if len(subjects) > 1:
        people = [[index for index in kept if prefixes[index] == subject] for subject in subjects]
        names = ["Hips" if name == prefix else name for name, prefix in zip(names, prefixes, strict=True)]
        history.append(f"{DECIDED}{len(people)} people by the prefixes of the labels ({', '.join(subjects)})")
    numbered = [_numbered([names[index] or f"point {index + 1}" for index in members]) for members in people]
    joints = list(dict.fromkeys(name for members in numbered for name in members))
    tree = [-1] * len(joints) if parents is None else _parents(parents, people, numbered, joints)
    skeleton = skeleton_from_names(f"{kind}{len(joints)}", joints, tree)
    return LabelledPoints(_by_person(positions, people, numbered, joints), skeleton, tuple(subjects), tuple(history))


def _spare(
    kept: Sequence[int], prefixes: Sequence[str], subjects: Sequence[str], positions: NDArray[np.floating[Any]]
) -> set[int]:
    """The points of nobody: those without the prefix of somebody, of which a single person keeps what is seen."""
    others = [index for index in kept if prefixes[index] not in subjects]
    if len(subjects) > 1:
        return set(others)
    is_seen = np.isfinite(positions[:, others]).all(axis=2).any(axis=0)
    return {index for index, seen in zip(others, is_seen, strict=True) if prefixes[index] or not seen}


def _by_person(
    positions: NDArray[np.floating[Any]],
    people: Sequence[Sequence[int]],
    names: Sequence[Sequence[str]],
    joints: Sequence[str],
) -> NDArray[np.floating[Any]]:
    """The points (T, N, 3) by person and joint (T, P, J, 3), NaN for a joint that a person has not."""
    if len(people) == 1:
        members = people[0]
        return positions[:, None] if list(members) == list(range(positions.shape[1])) else positions[:, None, members]
    result = np.full((len(positions), len(people), len(joints), 3), np.nan, dtype=positions.dtype)
    joint_of = {name: joint for joint, name in enumerate(joints)}
    for person, (members, own) in enumerate(zip(people, names, strict=True)):
        result[:, person, [joint_of[name] for name in own]] = positions[:, members]
    return result


def points_of(recording: Recording) -> tuple[list[str], Float64Array, tuple[str, ...]]:
    """Labels (N) and positions (T, N, 3), NaN where not seen, of the joints of all people; and a note of several.

    The labels of several people have the person before a colon, ``person0:left_knee``, as of several subjects.
    """
    people = recording.people
    joints = [" ".join(joint.split()) for joint in recording.skeleton.joints]
    seen = np.where(recording.valid[..., None], recording.positions.astype(np.float64), np.nan)[:, list(people)]
    points = seen.reshape(len(seen), -1, 3)
    if len(people) == 1:
        return joints, points, ()
    names = [f"person{person}:{joint}" for person in people for joint in joints]
    return names, points, (f"{len(people)} people are told apart by what is before the colon of a label: {names[0]}",)


def _split(labels: Sequence[str]) -> tuple[list[str], list[str]]:
    """The prefix of each label, up to its last colon, and the name after it."""
    parts = [label.rpartition(":") for label in labels]
    return [prefix.strip() for prefix, _, _ in parts], [name.strip() for _, _, name in parts]


def _subjects(points: Sequence[tuple[str, str]]) -> list[str]:
    """The prefixes that are people, in order: the only one, or those that share names; none where names are generic."""
    names_of: dict[str, set[str]] = {}
    for prefix, name in points:
        if prefix and not _GENERIC.match(name):
            names_of.setdefault(prefix, set()).add(name)
    if len(names_of) == 1:
        return list(names_of)
    largest = max(names_of.values(), key=len, default=set())
    people = [
        prefix
        for prefix, names in names_of.items()
        if len(names & largest) >= max(_FEWEST_SHARED, min(len(names), len(largest)) / 2)
    ]
    return people


def _numbered(names: Sequence[str]) -> list[str]:
    """The names, all different: one that stands before gets a number."""
    taken: set[str] = set()
    unique = []
    for name in names:
        number, candidate = 1, name
        while candidate in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate)
        unique.append(candidate)
    return unique


def _repeat_note(labels: Sequence[str], descriptions: Sequence[str]) -> list[str]:
    """A note of the labels that stand more than once, with what describes them."""
    repeated = [label for label, count in Counter(labels).items() if count > 1 and label]
    if not repeated:
        return []
    first = repeated[0]
    what = [text for label, text in zip(labels, descriptions, strict=True) if label == first and text]
    example = f"{first}, {first}_2" + (f": {', '.join(what)}" if len(set(what)) > 1 else "")
    return [f"{DECIDED}labels that repeat are numbered ({len(repeated)}, such as {example})"]


def _some(labels: Sequence[str], indices: Collection[int]) -> str:
    """The first few of the labels."""
    shown = [labels[index] or "''" for index in sorted(indices)]
    return ", ".join(shown[:4]) + (", ..." if len(shown) > 4 else "")


def _parents(
    parents: Sequence[int], people: Sequence[Sequence[int]], names: Sequence[Sequence[str]], joints: Sequence[str]
) -> list[int]:
    """The parent of each joint, by those of the points of the first who has one."""
    tree = [-1] * len(joints)
    joint_of = {name: joint for joint, name in enumerate(joints)}
    for members, own in zip(people, names, strict=True):
        name_of = dict(zip(members, own, strict=True))
        for index, name in name_of.items():
            above = name_of.get(parents[index])
            if above is not None and tree[joint_of[name]] < 0:
                tree[joint_of[name]] = joint_of[above]
    return tree
