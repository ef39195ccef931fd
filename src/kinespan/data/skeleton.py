"""Skeletons: the joints of a body, their parents, left/right pairs, landmarks and canonical names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from ..arrays import IntArray
from ..errors import InputError
from .display import counted, rows_html

Landmark = tuple[int, ...]
"""A point of the body given as the mean of these joints."""


@dataclass(frozen=True, repr=False)
class Skeleton:
    """J joints: names, parents, left/right pairs, landmarks and canonical names.

    A landmark (root, spine, shoulders, hips) is the mean of the joints that it lists, so that a skeleton without a
    pelvis still has a root. A hand, an animal or an upper body has some of them, or none but the root.

    Raises InputError where fields contradict each other: lengths, indices out of range, cycles, a joint in two pairs,
    a canonical name given twice.
    """

    name: str
    """A name of `kinespan.data.skeletons.SKELETONS`, or any other."""
    joints: tuple[str, ...]
    """J names, all different."""
    parents: tuple[int, ...]
    """Index of each joint's parent, -1 for none."""
    pairs: tuple[tuple[int, int], ...] = ()
    """(left, right) joint indices that a mirror swaps."""
    root: Landmark = ()
    """What positions are relative to; by default the joints without a parent."""
    spine: Landmark = ()
    """The middle of the spine; none: empty, as for those below."""
    left_shoulder: Landmark = ()
    right_shoulder: Landmark = ()
    left_hip: Landmark = ()
    right_hip: Landmark = ()
    body_parts: tuple[str | None, ...] = field(default=())
    """Canonical names, such as ``"left_knee"``, or None; joints of two skeletons with one canonical name correspond."""

    def __post_init__(self) -> None:
        """Check that the fields agree. Raises InputError."""
        if not self.body_parts:
            object.__setattr__(self, "body_parts", (None,) * len(self.joints))
        count = len(self.joints)
        for name in ("parents", "body_parts"):
            if len(getattr(self, name)) != count:
                raise InputError(f"skeleton {self.name!r}: {len(getattr(self, name))} {name} for {count} joints")
        if len(set(self.joints)) != count or count == 0:
            raise InputError(f"skeleton {self.name!r}: joint names must be unique and at least one")
        for joint, parent in enumerate(self.parents):
            if not -1 <= parent < count or parent == joint:
                raise InputError(f"skeleton {self.name!r}: joint {self.joints[joint]!r} has parent index {parent}")
        _ = self.order  # raises where there is a cycle
        paired = [joint for pair in self.pairs for joint in pair]
        if len(set(paired)) != len(paired) or any(not 0 <= joint < count for joint in paired):
            raise InputError(f"skeleton {self.name!r}: pairs {self.pairs} repeat a joint or leave the skeleton")
        if not self.root:
            roots = tuple(joint for joint, parent in enumerate(self.parents) if parent < 0)
            object.__setattr__(self, "root", roots)
        for name in LANDMARKS:
            landmark = getattr(self, name)
            if any(not 0 <= joint < count for joint in landmark):
                raise InputError(
                    f"skeleton {self.name!r}: landmark {name} is {landmark}, expected joints 0 to {count - 1}"
                )
        named = [part for part in self.body_parts if part is not None]
        if len(set(named)) != len(named):
            raise InputError(f"skeleton {self.name!r}: a body part is given to two joints")

    def __repr__(self) -> str:
        return f"Skeleton({self.name!r}, {counted(self.num_joints, 'joint')})"

    def _repr_html_(self) -> str:
        """A small table, for notebooks."""
        parents = [self.joints[parent] if parent >= 0 else None for parent in self.parents]
        rows = list(zip(self.joints, parents, self.body_parts, strict=True))
        return rows_html(f"Skeleton {self.name}: {len(rows)} joints", ("joint", "parent", "body part"), rows)

    @property
    def num_joints(self) -> int:
        """Number of joints J."""
        return len(self.joints)

    @property
    def has_heading(self) -> bool:
        """Whether it has both shoulders or both hips, so that it faces somewhere."""
        return bool((self.left_shoulder and self.right_shoulder) or (self.left_hip and self.right_hip))

    @property
    def has_torso(self) -> bool:
        """Whether it has shoulders and hips, so that its torso has a length."""
        return bool(self.left_shoulder and self.right_shoulder and self.left_hip and self.right_hip)

    @cached_property
    def order(self) -> tuple[int, ...]:
        """Joint indices, every parent before its children. Raises InputError where the parents form a cycle."""
        order: list[int] = []
        ordered: set[int] = {-1}
        remaining = list(range(len(self.joints)))
        while remaining:
            ready = [joint for joint in remaining if self.parents[joint] in ordered]
            if not ready:
                raise InputError(f"skeleton {self.name!r}: the parents form a cycle")
            order += ready
            ordered.update(ready)
            remaining = [joint for joint in remaining if joint not in ordered]
        return tuple(order)

    @cached_property
    def bones(self) -> tuple[tuple[int, int], ...]:
        """(child, parent) joint indices, one for each joint with a parent."""
        return tuple((joint, parent) for joint, parent in enumerate(self.parents) if parent >= 0)

    @cached_property
    def root_neighbours(self) -> tuple[int, ...]:
        """The joints that a bone joins to one of the root's, and that are none of it."""
        ends = {end for bone in self.bones for end in bone if set(bone) & set(self.root)}
        return tuple(sorted(ends - set(self.root)))

    @cached_property
    def mirror(self) -> IntArray:
        """Permutation (J,) that swaps left and right joints."""
        permutation = np.arange(self.num_joints)
        for left, right in self.pairs:
            permutation[left], permutation[right] = right, left
        return permutation

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; `from_dict` reads it back."""
        names = ("name", "joints", "parents", "pairs", *LANDMARKS, "body_parts")
        return {name: getattr(self, name) for name in names}

    @staticmethod
    def from_dict(data: Mapping[str, Any]) -> Skeleton:
        """The Skeleton that `to_dict` wrote. Raises InputError where a field is missing or contradicts another."""
        try:
            return Skeleton(
                name=str(data["name"]),
                joints=tuple(data["joints"]),
                parents=tuple(int(parent) for parent in data["parents"]),
                pairs=tuple((int(left), int(right)) for left, right in data["pairs"]),
                body_parts=tuple(data["body_parts"]),
                **{name: tuple(int(joint) for joint in data.get(name, ())) for name in LANDMARKS},
            )
        except KeyError as error:
            raise InputError(f"skeleton {data.get('name')!r}: field {error} is missing") from None


LANDMARKS = ("root", "spine", "left_shoulder", "right_shoulder", "left_hip", "right_hip")


def body_skeleton(
    name: str,
    joints: tuple[str, ...],
    parents: tuple[int, ...],
    body_parts: tuple[str | None, ...],
    pairs: tuple[tuple[int, int], ...] | None = None,
) -> Skeleton:
    """A Skeleton with the landmarks that the canonical names `body_parts` allow.

    The root is the pelvis, else the mean of the hips, else the joints without a parent. The spine is the joint of that
    name, else the mean of shoulders and hips. `pairs` are by default those of the canonical names.
    """
    index = {part: joint for joint, part in enumerate(body_parts) if part is not None}
    shoulders, hips = (
        tuple(index[part] for part in (f"left_{name}", f"right_{name}") if part in index)
        for name in ("shoulder", "hip")
    )
    if pairs is None:
        lefts = ((joint, f"right_{part[5:]}") for part, joint in index.items() if part.startswith("left_"))
        pairs = tuple((joint, index[right]) for joint, right in lefts if right in index)
    trunk = tuple(sorted(shoulders + hips)) if len(shoulders) == len(hips) == 2 else ()
    return Skeleton(
        name=name,
        joints=joints,
        parents=parents,
        pairs=pairs,
        root=(index["pelvis"],) if "pelvis" in index else hips if len(hips) == 2 else (),
        spine=(index["spine"],) if "spine" in index else trunk,
        body_parts=body_parts,
        **{
            side: (index[side],) if side in index else ()
            for side in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
        },
    )
