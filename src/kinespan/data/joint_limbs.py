"""Arms and legs by the hierarchy of joints alone, whatever their names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .joint_names import NamedJoints, read_names
from .skeleton import Skeleton

_SHORTEST_LIMB = 3
"""Joints of a limb: hip, knee and ankle."""
_LEG = ("hip", "knee", "ankle", "foot")
_ARM = ("shoulder", "elbow", "wrist")
_ARM_WITH_COLLAR = ("collar", "shoulder", "elbow", "wrist", "hand")


class _Tree(NamedTuple):
    """What lies below each joint; all of length J."""

    parents: tuple[int, ...]
    children: list[list[int]]
    heights: list[int]
    """Joints on the longest way down, with the joint itself."""
    shapes: list[int]
    """Equal for two joints with the same hierarchy below them."""

    @classmethod
    def of(cls, skeleton: Skeleton) -> _Tree:
        """The tree of a skeleton."""
        count = skeleton.num_joints
        children: list[list[int]] = [[] for _ in range(count)]
        for joint, parent in skeleton.bones:
            children[parent].append(joint)
        heights, shapes = [1] * count, [0] * count
        shape_of: dict[tuple[int, ...], int] = {}
        for joint in reversed(skeleton.order):
            heights[joint] = 1 + max((heights[child] for child in children[joint]), default=0)
            below = tuple(sorted(shapes[child] for child in children[joint]))
            shapes[joint] = shape_of.setdefault(below, len(shape_of))
        return cls(skeleton.parents, children, heights, shapes)

    def path_up(self, joint: int) -> Sequence[int]:
        """The joint and all above it."""
        path = [joint]
        while self.parents[path[-1]] >= 0:
            path.append(self.parents[path[-1]])
        return path

    def chain(self, joint: int) -> list[int]:
        """The joints from this one out, along the longest way, up to the hand with its fingers or the end."""
        chain = [joint]
        while len(children := self.children[chain[-1]]) in (1, 2):
            chain.append(max(children, key=lambda child: (self.heights[child], -child)))
        return chain


class _Limbs(NamedTuple):
    """The first joints of the limbs, left and right."""

    legs: tuple[int, int]
    arms: tuple[int, int]


def has_limbs_of_a_person(skeleton: Skeleton) -> bool:
    """Whether two pairs of limbs branch off at two joints, one below the other."""
    return _limbs(skeleton, _Tree.of(skeleton), read_names(skeleton.joints)) is not None


def parts_by_hierarchy(skeleton: Skeleton) -> dict[str, int]:
    """Body part to joint, along arms, legs and neck from the trunk out; nothing where there are no arms and legs.

    Where names do not say their sides, the limbs that come first are taken for the left ones.
    """
    tree, names = _Tree.of(skeleton), read_names(skeleton.joints)
    limbs = _limbs(skeleton, tree, names)
    parts: dict[str, int] = {}
    if limbs is None:
        return parts
    for side, leg, arm in zip(("left", "right"), limbs.legs, limbs.arms, strict=True):
        parts |= {f"{side}_{part}": joint for part, joint in zip(_LEG, tree.chain(leg), strict=False)}
        chain = tree.chain(arm)
        bases = _ARM if len(chain) <= len(_ARM) else _ARM_WITH_COLLAR
        parts |= {f"{side}_{part}": joint for part, joint in zip(bases, chain, strict=False)}
    chest, to_legs = skeleton.parents[limbs.arms[0]], tree.path_up(limbs.legs[0])
    further = [child for child in tree.children[chest] if child not in (*limbs.arms, *to_legs)]
    if len(further) == 1:
        parts |= {"neck": further[0], "head": tree.chain(further[0])[-1]}
    return parts


def _limbs(skeleton: Skeleton, tree: _Tree, names: NamedJoints) -> _Limbs | None:
    """Arms and legs: the two joints nearest to the root off which two equal limbs branch.

    The arms are at the one with a further branch, which is the head; without any they are at the lower one.
    """
    joints = [joint for joint in skeleton.order if tree.heights[joint] > _SHORTEST_LIMB]
    branches = {joint: pair for joint in joints if (pair := _pair(tree, names, joint)) is not None}
    limbs = {limb for pair in branches.values() for limb in pair}
    on_trunk = [joint for joint in branches if limbs.isdisjoint(tree.path_up(joint))]
    if len(on_trunk) < 2:
        return None
    upper, lower = on_trunk[:2]
    if upper not in tree.path_up(lower):
        return None
    lower_has_head = len(tree.children[lower]) > 2
    upper_has_head = len(tree.children[upper]) > 3  # its own limbs, and the way to the lower joint
    if upper_has_head and not lower_has_head:
        upper, lower = lower, upper
    return _Limbs(legs=branches[upper], arms=branches[lower])


def _pair(tree: _Tree, names: NamedJoints, joint: int) -> tuple[int, int] | None:
    """The two limbs, left first, that branch off a joint: mirrored by name, or alone in having the same hierarchy."""
    limbs = [child for child in tree.children[joint] if tree.heights[child] >= _SHORTEST_LIMB]
    named = [limb for limb in limbs if names.mirrored.get(limb) in limbs]
    if len(named) == 2:
        return (named[0], named[1]) if names.sides[named[0]] == "left" else (named[1], named[0])
    groups: dict[int, list[int]] = {}
    for limb in limbs:
        groups.setdefault(tree.shapes[limb], []).append(limb)
    pairs = [group for group in groups.values() if len(group) == 2]
    return (pairs[0][0], pairs[0][1]) if len(pairs) == 1 else None
