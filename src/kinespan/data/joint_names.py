"""Canonical names, sides and landmarks from the joint names of a motion file.

Names are read in the common styles: ``LeftUpLeg``, ``lThigh``, ``mixamorig:LeftUpLeg``, ``CC_Base_L_Thigh``,
``Bip01 L Thigh``, ``thigh.L``, ``lfemur``, ``Model_LeftUpLeg``, ``l_thigh_4X4``, ``LUArm``, ``LHJC``; the words are in
`joint_conventions`. Mirrored names make a pair, so ``lowerback`` and ``root`` are on neither side; a joint without a
mirror image has a side only where its name says left or right, or ``L`` or ``R`` as a word of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from ..errors import InputError, unknown
from .joint_conventions import (
    AUGMENTED,
    BONE_END_PARTS,
    CANONICAL_NAMES,
    FEWEST_MARKERS,
    MARKERS,
    MIDDLE_CENTRES,
    MIDDLE_PARTS,
    SIDED_CENTRES,
    SIDED_PARENTS,
    SIDED_PARTS,
    THEIA_NAMES,
    TRUNK_PARENTS,
    Table,
)
from .skeleton import Skeleton, body_skeleton

_NAMESPACE = re.compile(r"^(.*)[:|]")
_RIG_PREFIX = re.compile(
    r"^(cc_base_|bip\d*[\s_]|mixamorig\d*_?|character\d*_|def-|j_(bip|sec|adj)_)(?=.)", re.IGNORECASE
)
_RIG_SUFFIX = re.compile(r"[\s_.-]?(joint|jnt|jt|bone|bind)(?=_end$|$)", re.IGNORECASE)
_SEPARATORS = re.compile(r"[\s_.:|-]+")
_SIDE_WORD = re.compile(r"left|right|(?<![A-Za-z0-9])[lr](?![A-Za-z0-9])", re.IGNORECASE)
_MIDDLE_WORD = re.compile(r"(?<![A-Za-z0-9])[cm](?![A-Za-z0-9])", re.IGNORECASE)
_FEWEST_SHARING = 4
"""So many joints, and three quarters of all, must share a prefix or suffix for it to say nothing."""
_SUBJECT = "subject"


class NamedJoints(NamedTuple):
    """The joints of a file as their names were read."""

    words: tuple[str, ...]
    """J names in lower case, letters and digits only, without prefix, suffix and side."""
    sides: tuple[str, ...]
    """J times "left", "right" or ""."""
    mirrored: dict[int, int]
    """Joint to its mirror image, by name."""

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """(left, right) joints."""
        return tuple((joint, other) for joint, other in sorted(self.mirrored.items()) if self.sides[joint] == "left")

    @property
    def is_marker_set(self) -> bool:
        """Whether the names are those of markers on the skin, which are no joints."""
        words = {word for word in self.words if not word.endswith(AUGMENTED)}
        words |= {word[1:] for word in words if word[:1] in ("l", "r")}
        return len(words & MARKERS) >= FEWEST_MARKERS


def read_names(joints: Sequence[str]) -> NamedJoints:
    """The words and sides of J joint names."""
    plain = _plain_names(joints)
    matches, mirrored = _sides(plain)
    sides, words = [], []
    for name, match in zip(plain, matches, strict=True):
        sides.append("" if match is None else "left" if match.group().lower().startswith("l") else "right")
        if match is not None:
            name = name[: match.start()] + name[match.end() :]
        elif _word(_MIDDLE_WORD.sub("", name, count=1)):
            name = _MIDDLE_WORD.sub("", name, count=1)
        words.append(_word(name))
    return NamedJoints(tuple(words), tuple(sides), mirrored)


def skeleton_from_names(
    name: str, joints: Sequence[str], parents: Sequence[int], *, bone_ends: bool = False
) -> Skeleton:
    """A Skeleton for any joint hierarchy, the parts of a body recognised by names and hierarchy.

    ``parents[j]`` is the index of the parent of joint j, -1 for none. ``bone_ends`` says that a name is that of a
    bone and its position the bone's far end, as in Acclaim files, where ``lfemur`` ends at the knee; otherwise a
    name is that of a joint, or of the bone that starts there.

    Named parts become `body_parts`; mirrored names become `pairs`; the pelvis is where the legs meet, the chest
    where the arms meet, the spine a joint between them. Of a marker set only joint centres are parts of a body. A
    hand, a mouse or a robot has the parts that its names say, perhaps none. Where no joint has a parent, as in a file
    of points, the parts of a body are joined as in a body.

    Raises InputError where parents and joints do not fit.
    """
    joints, parents = tuple(joints), tuple(int(parent) for parent in parents)
    if len(joints) != len(parents) or any(not -1 <= parent < len(joints) for parent in parents):
        raise InputError(f"skeleton {name!r}: {len(parents)} parents do not fit {len(joints)} joints")
    names = read_names(joints)
    joint_of = _parts_by_name(names, bone_ends)
    if not names.is_marker_set:
        _add_trunk(joint_of, parents)
        _add_neck_and_head(joint_of, parents, names.words)
        _add_hand_tips(joint_of, parents)
    parts: list[str | None] = [None] * len(joints)
    for part, joint in joint_of.items():
        parts[joint] = part
    if all(parent < 0 for parent in parents):
        parents = joined_parts(parts, parents)
    return body_skeleton(name, joints, parents, tuple(parts), names.pairs)


def skeleton_from_canonical(
    name: str, joints: Sequence[str], parents: Sequence[int], canonical: Sequence[str | None]
) -> Skeleton:
    """A Skeleton whose joints are the parts that `canonical` says, '' or None for no part.

    Left and right parts make the pairs, and mirrored names those of the other joints; points without any hierarchy are
    joined as in a body. Raises InputError for a name that
    is no body part, and as Skeleton does.
    """
    parts = tuple(part or None for part in canonical)
    if len(parts) != len(joints):
        raise InputError(f"{len(parts)} canonical names for {len(joints)} joints")
    for joint, part in zip(joints, parts, strict=True):
        if part is not None and part not in CANONICAL_NAMES:
            raise InputError(f"joint {joint!r}: {unknown('canonical name', part, CANONICAL_NAMES)}")
    if all(parent < 0 for parent in parents):
        parents = joined_parts(parts, parents)
    return body_skeleton(name, tuple(joints), tuple(parents), parts, pairs_of(joints, parts))


def pairs_of(joints: Sequence[str], body_parts: Sequence[str | None]) -> tuple[tuple[int, int], ...]:
    """(left, right) joints: by body part, else by mirrored names."""
    joint_of = {part: joint for joint, part in enumerate(body_parts) if part is not None}
    pairs = [
        (joint, joint_of[f"right_{part[5:]}"])
        for part, joint in joint_of.items()
        if part.startswith("left_") and f"right_{part[5:]}" in joint_of
    ]
    paired = {joint for pair in pairs for joint in pair}
    pairs += [pair for pair in read_names(joints).pairs if not paired & set(pair)]
    return tuple(sorted(pairs))


def _plain_names(joints: Sequence[str]) -> list[str]:
    """The names without namespace, and without the prefixes and suffixes of rigs and those that most joints share."""
    names = []
    for joint in joints:
        namespace = _NAMESPACE.match(joint)
        name = joint[namespace.end() :] if namespace else joint
        is_subject = namespace is not None and name == _SEPARATORS.split(namespace.group(1))[-1]
        names.append(_SUBJECT if is_subject else _RIG_PREFIX.sub("", name))
    if sum(_RIG_SUFFIX.search(name) is not None for name in names) >= _FEWEST_SHARING:
        names = _replaced(names, [_RIG_SUFFIX.sub("", name) for name in names])
    prefix = _shared({name: [name[: match.end()] for match in _SEPARATORS.finditer(name)] for name in names})
    subject = _SEPARATORS.sub("", prefix)
    names = _replaced(names, [_SUBJECT if prefix and name == subject else name.removeprefix(prefix) for name in names])
    suffix = _shared({name: [name[match.start() :] for match in _SEPARATORS.finditer(name)] for name in names})
    return _replaced(names, [re.sub(rf"{re.escape(suffix)}(?=_end$|$)", "", name) for name in names])


def _shared(ends: Mapping[str, list[str]]) -> str:
    """The longest start or end, of those of each name, that three quarters of the names share; none with a side."""
    counts = Counter(end for name, of_name in ends.items() for end in of_name if end != name)
    fewest = max(_FEWEST_SHARING, 3 * len(ends) / 4)
    shared = [end for end, count in counts.items() if count >= fewest and not _SIDE_WORD.search(end)]
    return max(shared, key=len, default="")


def _replaced(names: list[str], shorter: list[str]) -> list[str]:
    """The shorter names, unless one is empty or two became equal."""
    return shorter if all(shorter) and len(set(shorter)) == len(set(names)) else names


def _swap_word(match: re.Match[str]) -> str:
    return {"left": "right", "right": "left", "l": "r", "r": "l"}[match.group().lower()]


_SIDE_PATTERNS: tuple[re.Pattern[str], ...] = (
    re.compile(r"left|right", re.IGNORECASE),
    re.compile(r"(?<![A-Za-z0-9])[lrLR](?![A-Za-z0-9])"),
    re.compile(r"^[lrLR](?=[A-Z])"),
    re.compile(r"^[lr](?=[a-z])"),
    re.compile(r"(?<=[a-z0-9])[LR]$"),
)
"""Ways to write a side, most telling first: LeftArm, L_Arm or Arm.L, lArm, larm, ArmL. The first two say a side even
without a mirror image."""


def _sides(plain: Sequence[str]) -> tuple[list[re.Match[str] | None], dict[int, int]]:
    """Where each name says its side (None for no side), and the mirror image of each joint that has one."""
    names = [name.replace("_", " ") for name in plain]
    index: dict[str, int] = {}
    for joint, name in enumerate(names):
        index.setdefault(_key(name), joint)
    images: dict[int, tuple[int, re.Match[str]]] = {}
    alone: dict[int, re.Match[str]] = {}
    for joint, name in enumerate(names):
        for pattern in _SIDE_PATTERNS:
            match = pattern.search(name)
            if match is None:
                continue
            if pattern in _SIDE_PATTERNS[:2]:
                alone.setdefault(joint, match)
            image = index.get(_key(pattern.sub(_swap_word, name, count=1)), joint)
            if image != joint:
                images[joint] = image, match
                break
    mirrored = {joint: image for joint, (image, _) in images.items() if images.get(image, (-1,))[0] == joint}
    return [images[joint][1] if joint in mirrored else alone.get(joint) for joint in range(len(names))], mirrored


def _key(name: str) -> str:
    """The name for comparison with mirrored ones: OpenCap writes ``r_knee`` and ``L_knee``."""
    return _SEPARATORS.sub(" ", name).lower()


def _word(name: str) -> str:
    """The name in lower case, letters and digits only."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _parts_by_name(names: NamedJoints, bone_ends: bool) -> dict[str, int]:
    """Canonical part -> joint index, by name alone."""
    joint_by_word: dict[str, dict[str, int]] = {"left": {}, "right": {}, "": {}}
    for joint, (word, side) in enumerate(zip(names.words, names.sides, strict=True)):
        joint_by_word[side].setdefault(word, joint)
    joint_of: dict[str, int] = {}
    for side in ("left", "right"):
        if names.is_marker_set:
            table = SIDED_CENTRES
        else:
            table = BONE_END_PARTS if bone_ends else _sided_parts(joint_by_word[side])
        joint_of |= {f"{side}_{part}": joint for part, joint in _joints_of_parts(table, joint_by_word[side]).items()}
    middle = MIDDLE_CENTRES if names.is_marker_set else MIDDLE_PARTS
    if not names.is_marker_set and set(names.words) >= THEIA_NAMES:
        middle = middle | {"chest": ("torso",), "spine": ()}
    middle_of = _joints_of_parts(middle, joint_by_word[""])
    if not joint_of and "pelvis" in middle_of and names.words[middle_of["pelvis"]] in ("root", _SUBJECT):
        del middle_of["pelvis"]  # any hierarchy has a root
    return joint_of | middle_of


def _sided_parts(names: Collection[str]) -> Table:
    """The table of sided parts; where ankles and wrists have names of their own, foot and hand are further out."""
    table = dict(SIDED_PARTS)
    for inner, outer in (("ankle", "foot"), ("wrist", "hand")):
        if inner in names:
            table[outer] = (outer, *table[outer])
    return table


def _joints_of_parts(table: Mapping[str, tuple[str, ...]], joint_by_name: Mapping[str, int]) -> dict[str, int]:
    """Each part's joint: that of its best name which is not used yet."""
    joint_of: dict[str, int] = {}
    for part, names in table.items():
        free = [name for name in names if name in joint_by_name and joint_by_name[name] not in joint_of.values()]
        if free:
            joint_of[part] = joint_by_name[free[0]]
    return joint_of


def joined_parts(body_parts: Sequence[str | None], parents: Sequence[int]) -> tuple[int, ...]:
    """The parents (J,), in which parts of a body that have none hang on others as in a body, where there are any."""
    joint_of = {part: joint for joint, part in enumerate(body_parts) if part is not None}
    joined = list(parents)
    for part, joint in joint_of.items():
        side, _, base = part.partition("_")
        sided = base if side in ("left", "right") else ""
        above = SIDED_PARENTS[sided] if sided else TRUNK_PARENTS.get(part, ())
        names = (f"{side}_{name}" if sided and name in SIDED_PARENTS else name for name in above)
        candidates = (joint_of[name] for name in names if name in joint_of)
        if joined[joint] < 0:
            joined[joint] = next((other for other in candidates if joint not in _path_up(other, joined)), -1)
    return tuple(joined)


def _path_up(joint: int, parents: Sequence[int]) -> list[int]:
    """The joint and its ancestors; stops at a cycle (which Skeleton refuses)."""
    path: list[int] = []
    while joint >= 0 and joint not in path:
        path.append(joint)
        joint = parents[joint]
    return path


def _common_ancestor(first: int, second: int, parents: Sequence[int]) -> int | None:
    """The nearest common ancestor of both, None without any."""
    above = set(_path_up(second, parents))
    return next((joint for joint in _path_up(first, parents)[1:] if joint in above), None)


def _add_trunk(joint_of: dict[str, int], parents: Sequence[int]) -> None:
    """Replace pelvis, chest and spine by those of the hierarchy, where it has them."""
    limbs = {joint for part, joint in joint_of.items() if part not in ("pelvis", "chest", "spine")}
    pelvis = _meeting_point("hip", joint_of, parents)
    chest = _meeting_point("shoulder", joint_of, parents)
    if pelvis is None or chest is None or pelvis == chest or {pelvis, chest} & limbs:
        return
    above_chest = _path_up(chest, parents)[1:]
    # The pelvis where the chest hangs on it, else the joint that both hang on.
    bottom = pelvis if pelvis in above_chest else _common_ancestor(pelvis, chest, parents)
    if bottom is None or bottom not in above_chest:
        return
    between = above_chest[: above_chest.index(bottom)][::-1]
    joint_of.update(pelvis=pelvis, chest=chest)
    joint_of.pop("spine", None)
    if between:
        # The lower of two, as BABEL uses spine1 of SMPL as the middle of the spine.
        joint_of["spine"] = between[(len(between) - 1) // 2]


def _meeting_point(part: str, joint_of: Mapping[str, int], parents: Sequence[int]) -> int | None:
    """Where the left and the right part meet, None without either."""
    if not {f"left_{part}", f"right_{part}"} <= joint_of.keys():
        return None
    return _common_ancestor(joint_of[f"left_{part}"], joint_of[f"right_{part}"], parents)


def _add_neck_and_head(joint_of: dict[str, int], parents: Sequence[int], words: Sequence[str]) -> None:
    """Of a spine numbered up to the head, the last joint above the chest is the head and the first the neck."""
    if "chest" not in joint_of or "head" in joint_of:
        return
    named = set(joint_of.values())
    above = [
        joint
        for joint in range(len(parents))
        if joint not in named
        and re.fullmatch(r"spine\d+", words[joint])
        and joint_of["chest"] in _path_up(joint, parents)
    ]
    above.sort(key=lambda joint: len(_path_up(joint, parents)))
    if above:
        joint_of["head"] = above.pop()
    if above:
        joint_of.setdefault("neck", above[0])


def _add_hand_tips(joint_of: dict[str, int], parents: Sequence[int]) -> None:
    """The tip of a hand is the last joint of the finger that starts at its "hand" joint."""
    for side in ("left", "right"):
        if f"{side}_hand" not in joint_of or f"{side}_hand_tip" in joint_of:
            continue
        hand, tip_distance = joint_of[f"{side}_hand"], 0
        for joint in [joint for joint in range(len(parents)) if joint not in joint_of.values()]:
            path = _path_up(joint, parents)
            if hand in path and path.index(hand) > tip_distance:
                joint_of[f"{side}_hand_tip"], tip_distance = joint, path.index(hand)
