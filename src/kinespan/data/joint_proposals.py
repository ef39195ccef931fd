"""Which joints are probably parts of a person whose names were not understood: by hierarchy and by similar names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from .joint_conventions import MIDDLE_PARTS, SIDED_PARTS
from .joint_names import NamedJoints, read_names
from .skeleton import Skeleton

_SHORTEST_LIMB = 3
"""Joints of a limb: hip, knee and ankle."""
_LEAST_SIMILARITY = 0.75
_NEXT_TO: dict[str, tuple[tuple[str, str], ...]] = {
    "hip": (("parent", "knee"),),
    "knee": (("parent", "ankle"), ("child", "hip")),
    "ankle": (("child", "knee"), ("parent", "foot")),
    "shoulder": (("parent", "elbow"),),
    "elbow": (("parent", "wrist"), ("child", "shoulder")),
    "wrist": (("child", "elbow"), ("parent", "hand")),
    "head": (("child", "neck"),),
}
"""A part is the parent, or the only child, of another part."""
_ENDS = ("wrist", "hand", "head", "ankle", "foot")
_LEG = ("hip", "knee", "ankle", "foot")
_ARM = ("shoulder", "elbow", "wrist")
_ARM_WITH_COLLAR = ("collar", "shoulder", "elbow", "wrist", "hand")


def unknown_joints(skeleton: Skeleton) -> tuple[str, ...]:
    """The joints that are no part of a body as far as their names say, without fingers and other ends of limbs."""
    ends = {
        joint for joint, part in enumerate(skeleton.body_parts) if part and part.endswith(("wrist", "hand", "head"))
    }
    beyond: set[int] = set()
    for joint in skeleton.order:
        if skeleton.parents[joint] in ends | beyond:
            beyond.add(joint)
    return tuple(
        name
        for joint, (name, part) in enumerate(zip(skeleton.joints, skeleton.body_parts, strict=True))
        if part is None and joint not in beyond
    )


def propose_parts(skeleton: Skeleton, parts: Iterable[str]) -> dict[str, str]:
    """Joint name to body part, for those of `parts` of which a joint can be proposed.

    A joint next to a known one comes first, then one of a similar name, then one in that place of a limb.
    """
    names = read_names(skeleton.joints)
    joint_of = {part: joint for joint, part in enumerate(skeleton.body_parts) if part}
    by_structure = _parts_of_limbs(skeleton, names)
    proposed: dict[str, int] = {}
    for part in parts:
        used = {*joint_of.values(), *proposed.values()}
        candidates = (
            *_neighbours(part, skeleton, names, joint_of | proposed),
            *_similar(part, names, used),
            by_structure.get(part, -1),
        )
        joint = next((joint for joint in candidates if joint >= 0 and joint not in used), None)
        if joint is not None:
            proposed[part] = joint
    return {skeleton.joints[joint]: part for part, joint in proposed.items()}


def as_yaml(skeleton: Skeleton, proposal: dict[str, str]) -> str:
    """A proposal as one line of YAML, to paste into a file for --joints."""
    names = read_names(skeleton.joints)
    sides = {joint: side for joint, side in zip(skeleton.joints, names.sides, strict=True)}
    pairs = ", ".join(f"{_quoted(joint)}: {part}" for joint, part in proposal.items())
    is_sure = all(sides[joint] == _side_and_part(part)[0] for joint, part in proposal.items())
    return f"joints: {{{pairs}}}" + ("" if is_sure else "  # check left and right")


def has_limbs_of_a_person(skeleton: Skeleton) -> bool:
    """Whether two pairs of limbs branch off at two joints, one below the other: arms and legs, whatever their names."""
    return _limbs(skeleton, read_names(skeleton.joints)) is not None


def _quoted(name: str) -> str:
    plain = name.replace("_", "").replace(".", "")
    return name if plain.isalnum() and plain[0].isalpha() else '"' + name.replace('"', '\\"') + '"'


def _side_and_part(part: str) -> tuple[str, str]:
    side, _, rest = part.partition("_")
    return (side, rest) if side in ("left", "right") else ("", part)


def _neighbours(part: str, skeleton: Skeleton, names: NamedJoints, joint_of: dict[str, int]) -> list[int]:
    """The joints that are parent or only child of a known part as `part` should be."""
    side, base = _side_and_part(part)
    neighbours = []
    for relation, known in _NEXT_TO.get(base, ()):
        joint = joint_of.get(f"{side}_{known}" if side else known)
        if joint is None:
            continue
        if relation == "parent":
            neighbours.append(skeleton.parents[joint])
        else:
            children = _children(skeleton, joint)
            neighbours += children if len(children) == 1 else []
    return [joint for joint in neighbours if joint >= 0 and names.sides[joint] in (side, "")]


def _similar(part: str, names: NamedJoints, used: set[int]) -> list[int]:
    """The free joint of the side of `part` whose name is the most like one of its names, if any is."""
    side, base = _side_and_part(part)
    words = (SIDED_PARTS if side else MIDDLE_PARTS).get(base, ())
    scores = [
        (max((_similarity(word, name) for word in words), default=0.0), -joint)
        for joint, name in enumerate(names.words)
        if names.sides[joint] == side and joint not in used
    ]
    score, joint = max(scores, default=(0.0, 0))
    return [-joint] if score >= _LEAST_SIMILARITY else []


def _similarity(word: str, name: str) -> float:
    if len(word) > 3 and word in name:
        return 1.0
    return difflib.SequenceMatcher(a=word, b=name).ratio()


class _Limbs(NamedTuple):
    """The first joints of the limbs, left and right."""

    legs: tuple[int, int]
    arms: tuple[int, int]


def _children(skeleton: Skeleton, joint: int) -> list[int]:
    return [child for child, parent in enumerate(skeleton.parents) if parent == joint]


def _parts_of_limbs(skeleton: Skeleton, names: NamedJoints) -> dict[str, int]:
    """Part to joint, along the limbs from the trunk out; nothing where there are no arms and legs."""
    limbs = _limbs(skeleton, names)
    parts: dict[str, int] = {}
    if limbs is None:
        return parts
    for side, leg, arm in zip(("left", "right"), limbs.legs, limbs.arms, strict=True):
        chain = _chain(skeleton, leg)
        parts |= {f"{side}_{part}": joint for part, joint in zip(_LEG, chain, strict=False)}
        chain = _chain(skeleton, arm)
        bases = _ARM if len(chain) <= len(_ARM) else _ARM_WITH_COLLAR
        parts |= {f"{side}_{part}": joint for part, joint in zip(bases, chain, strict=False)}
    chest = skeleton.parents[limbs.arms[0]]
    to_legs = _ancestors(skeleton, limbs.legs[0])
    further = [child for child in _children(skeleton, chest) if child not in (*limbs.arms, *to_legs)]
    if len(further) == 1:
        neck, *_, head = (further[0], *_chain(skeleton, further[0]))
        parts |= {"neck": neck, "head": head}
    return parts


def _chain(skeleton: Skeleton, joint: int) -> list[int]:
    """The joints from this one out, up to the hand with its fingers or the end."""
    chain = [joint]
    while len(children := _children(skeleton, chain[-1])) in (1, 2):
        chain.append(max(children, key=lambda child: (_height(skeleton, child), -child)))
    return chain


def _height(skeleton: Skeleton, joint: int) -> int:
    return 1 + max((_height(skeleton, child) for child in _children(skeleton, joint)), default=0)


def _shape(skeleton: Skeleton, joint: int) -> str:
    """Equal for two joints with the same hierarchy below them."""
    return f"({''.join(sorted(_shape(skeleton, child) for child in _children(skeleton, joint)))})"


def _limbs(skeleton: Skeleton, names: NamedJoints) -> _Limbs | None:
    """Arms and legs by the hierarchy: the two joints nearest to the root off which two equal limbs branch.

    The arms are at the one with a further branch, which is the head; without any they are at the lower one.
    """
    joints = [joint for joint in skeleton.order if _height(skeleton, joint) > _SHORTEST_LIMB]
    branches = {joint: pair for joint in joints if (pair := _pair(skeleton, names, joint)) is not None}
    limb_roots = [limb for pair in branches.values() for limb in pair]
    on_trunk = [joint for joint in branches if not set(_ancestors(skeleton, joint)) & set(limb_roots)]
    if len(on_trunk) < 2:
        return None
    upper, lower = on_trunk[:2]
    if upper not in _ancestors(skeleton, lower):
        return None
    further = [child for child in _children(skeleton, upper) if child not in branches[upper]]
    lower_has_head = len(_children(skeleton, lower)) > 2
    upper_has_head = len(further) > 1
    if upper_has_head and not lower_has_head:
        upper, lower = lower, upper
    return _Limbs(legs=branches[upper], arms=branches[lower])


def _ancestors(skeleton: Skeleton, joint: int) -> Sequence[int]:
    """The joint and all above it."""
    above = [joint]
    while skeleton.parents[above[-1]] >= 0:
        above.append(skeleton.parents[above[-1]])
    return above


def _pair(skeleton: Skeleton, names: NamedJoints, joint: int) -> tuple[int, int] | None:
    """The two limbs, left first, that branch off a joint: mirrored by name, or alone in having the same hierarchy."""
    limbs = [child for child in _children(skeleton, joint) if _height(skeleton, child) >= _SHORTEST_LIMB]
    named = [limb for limb in limbs if names.mirrored.get(limb) in limbs]
    if len(named) == 2:
        return (named[0], named[1]) if names.sides[named[0]] == "left" else (named[1], named[0])
    groups: dict[str, list[int]] = {}
    for limb in limbs:
        groups.setdefault(_shape(skeleton, limb), []).append(limb)
    pairs = [group for group in groups.values() if len(group) == 2]
    return (pairs[0][0], pairs[0][1]) if len(pairs) == 1 else None
