"""Canonical names, sides and landmarks from the joint names of a motion file.

Names are read in the common styles: ``LeftUpLeg``, ``lThigh``, ``mixamorig:LeftUpLeg``, ``CC_Base_L_Thigh``,
``Bip01 L Thigh``, ``thigh.L``, ``lfemur``. A joint belongs to a side only if its mirrored name exists too, so
``lowerback`` and ``root`` are on neither.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from ..errors import InputError
from .skeleton import Skeleton, body_skeleton

_SIDED_PARTS: dict[str, tuple[str, ...]] = {
    "foot": ("toebase", "toes", "toe", "toe0", "toe1", "ball", "footend", "ankleend"),
    "ankle": ("ankle", "foot"),
    "knee": ("knee", "shin", "calf", "lowerleg", "lowleg", "leglower", "tibia", "leg"),
    "hip": ("upleg", "upperleg", "legupper", "thigh", "femur", "hip"),
    "elbow": ("elbow", "forearm", "lowerarm", "lowarm", "armlower", "radius"),
    "shoulder": ("upperarm", "uparm", "armupper", "humerus", "arm", "shldr", "shoulder"),
    "collar": ("collar", "clavicle", "collarbone", "shoulder"),
    "wrist": ("wrist", "hand"),
    "hand": ("mid1", "middle1", "handmiddle1", "middle01", "fingers", "index1", "handindex1", "index01",
              "finger1", "finger2"),
    "hand_tip": ("handtip", "handend", "wristend"),
    "thumb": ("thumb3", "handthumb3", "thumb03", "thumb2", "handthumb2", "thumb02", "thumb1", "handthumb1",
               "thumb01", "thumb", "finger0"),
    "eye": ("eye",),
    "ear": ("ear",),
}  # fmt: skip
"""Body parts of a side and their names, best first. A joint is used once: ``LeftShoulder`` is the collar where there
is a ``LeftArm``, else the shoulder; ``LeftFoot`` is the ankle where there is no ``LeftAnkle``."""

_MIDDLE_PARTS: dict[str, tuple[str, ...]] = {
    "head": ("head",),
    "neck": ("neck", "neck1", "neck01", "necktwist01", "lowerneck"),
    "nose": ("nose",),
    "pelvis": ("pelvis", "hips", "hip", "hipcenter", "midhip", "root", "spinebase", "baseofspine"),
    "chest": ("chest", "thorax", "spineshoulder", "shouldercenter", "upperchest", "spine3", "spine2", "spine02",
               "spine1", "spine01"),
    "spine": ("spinemid", "middleofspine", "spine", "abdomen", "waist", "torso", "lowerback", "spine01", "spine1"),
}  # fmt: skip

_BONE_END_PARTS: dict[str, tuple[str, ...]] = {
    "hip": ("hipjoint",),
    "knee": ("femur",),
    "ankle": ("tibia",),
    "foot": ("foot",),
    "shoulder": ("clavicle",),
    "elbow": ("humerus",),
    "wrist": ("wrist", "radius"),
    "hand": ("hand",),
    "hand_tip": ("fingers",),
    "thumb": ("thumb",),
}
"""Acclaim bones by the body part at their far end. Its lwrist is the second half of the forearm."""

_NAMESPACE = re.compile(r"^.*[:|]")
_RIG_PREFIX = re.compile(r"^(cc_base_|bip\d*[\s_]|mixamorig\d*_?|character\d*_|def-)(?=.)", re.IGNORECASE)


def skeleton_from_names(
    name: str, joints: Sequence[str], parents: Sequence[int], *, bone_ends: bool = False
) -> Skeleton:
    """A Skeleton for any joint hierarchy of a body, its parts recognised by names and hierarchy.

    ``parents[j]`` is the index of the parent of joint j, -1 for none. ``bone_ends`` says that a name is that of a
    bone and its position the bone's far end, as in Acclaim files, where ``lfemur`` ends at the knee; otherwise a
    name is that of a joint, or of the bone that starts there.

    Named parts become `body_parts`; mirrored names become `pairs`; the pelvis is where the legs meet, the chest
    where the arms meet, the spine a joint between them. Where there is no pelvis the root landmark is the mean
    of the hips, and where there is no spine the spine landmark is the mean of shoulders and hips.

    Raises InputError where no joint is a shoulder or a hip, naming the missing ones.
    """
    joints, parents = tuple(joints), tuple(int(parent) for parent in parents)
    if len(joints) != len(parents) or any(not -1 <= parent < len(joints) for parent in parents):
        raise InputError(f"skeleton {name!r}: {len(parents)} parents do not fit {len(joints)} joints")
    sides = _sides(joints)
    joint_of = _named_parts(joints, sides, bone_ends)
    missing = [part for part in ("left_shoulder", "right_shoulder", "left_hip", "right_hip") if part not in joint_of]
    if missing:
        raise InputError(
            f"skeleton {name!r}: no joint was recognised as {', '.join(missing)} among {', '.join(joints[:40])}"
            "; rename the joints, for example to LeftArm, RightArm, LeftUpLeg, RightUpLeg"
        )
    _add_trunk(joint_of, parents)
    _add_hand_tips(joint_of, parents)
    parts: list[str | None] = [None] * len(joints)
    for part, joint in joint_of.items():
        parts[joint] = part
    pairs = tuple((joint, mirrored) for joint, (side, mirrored) in sorted(sides.items()) if side == "left")
    return body_skeleton(name, joints, parents, tuple(parts), pairs)


def _swap_word(match: re.Match[str]) -> str:
    word = match.group()
    mirrored = {"left": "right", "right": "left", "l": "r", "r": "l"}[word.lower()]
    return mirrored.upper() if word.isupper() else mirrored.capitalize() if word[0].isupper() else mirrored


_SIDE_PATTERNS: tuple[re.Pattern[str], ...] = (
    re.compile(r"left|right", re.IGNORECASE),
    re.compile(r"(?<![A-Za-z0-9])[lrLR](?![A-Za-z0-9])"),
    re.compile(r"^[lrLR](?=[A-Z])"),
    re.compile(r"^[lr](?=[a-z])"),
    re.compile(r"(?<=[a-z0-9])[LR]$"),
)
"""Ways to write a side, most telling first: LeftArm, L_Arm or Arm.L, lArm, larm, ArmL."""


def _bare(joint: str) -> str:
    """The name without namespace and rig prefix."""
    return _RIG_PREFIX.sub("", _NAMESPACE.sub("", joint))


def _sides(joints: Sequence[str]) -> dict[int, tuple[str, int]]:
    """For each joint with a mirror image by name: its side and the index of that joint."""
    bare = [_bare(joint) for joint in joints]
    index = {name.replace("_", " "): joint for joint, name in enumerate(bare)}
    sides: dict[int, tuple[str, int]] = {}
    for joint, text in enumerate(bare):
        name = text.replace("_", " ")
        for pattern in _SIDE_PATTERNS:
            match = pattern.search(name)
            if match is None:
                continue
            mirrored = index.get(pattern.sub(_swap_word, name, count=1), joint)
            if mirrored != joint:
                sides[joint] = ("left" if match.group().lower().startswith("l") else "right", mirrored)
                break
    return {
        joint: (side, mirrored)
        for joint, (side, mirrored) in sides.items()
        if sides.get(mirrored, ("", -1))[1] == joint
    }


def _without_side(joint: str, sided: bool) -> str:
    """The name in lower case, letters and digits only, without its side."""
    name = _bare(joint).replace("_", " ")
    if sided:
        pattern = next(pattern for pattern in _SIDE_PATTERNS if pattern.search(name))
        name = pattern.sub("", name, count=1)
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _named_parts(joints: Sequence[str], sides: Mapping[int, tuple[str, int]], bone_ends: bool) -> dict[str, int]:
    """Canonical part -> joint index, by name alone."""
    joint_of: dict[str, int] = {}
    for side in ("left", "right"):
        joint_by_name = {
            _without_side(joints[joint], True): joint for joint, (joint_side, _) in sides.items() if joint_side == side
        }
        table = _BONE_END_PARTS if bone_ends else _sided_parts(joint_by_name)
        joint_of |= {f"{side}_{part}": joint for part, joint in _joints_of_parts(table, joint_by_name).items()}
    middle = {
        _without_side(joint, False): number
        for number, joint in reversed(list(enumerate(joints)))
        if number not in sides
    }
    return joint_of | _joints_of_parts(_MIDDLE_PARTS, middle)


def _sided_parts(names: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The table of sided parts; where ankles and wrists have names of their own, foot and hand are further out."""
    table = dict(_SIDED_PARTS)
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
    pelvis = _common_ancestor(joint_of["left_hip"], joint_of["right_hip"], parents)
    chest = _common_ancestor(joint_of["left_shoulder"], joint_of["right_shoulder"], parents)
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
