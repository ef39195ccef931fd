"""Which joints are probably parts of a person whose names were not understood: by hierarchy and by similar names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from .joint_conventions import MIDDLE_PARTS, SIDED_PARTS
from .joint_limbs import parts_by_hierarchy
from .joint_names import NamedJoints, read_names
from .skeleton import Skeleton

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
    by_hierarchy = parts_by_hierarchy(skeleton)
    proposed: dict[str, int] = {}
    for part in parts:
        used = {*joint_of.values(), *proposed.values()}
        candidates = (
            *_neighbours(part, skeleton, names, joint_of | proposed),
            *_similar(part, names, used),
            by_hierarchy.get(part, -1),
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
            children = [child for child, parent in skeleton.bones if parent == joint]
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
