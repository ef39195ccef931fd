"""From one skeleton to another: a linear map by canonical joint names, with rules for missing joints."""

from __future__ import annotations

import numpy as np

from ..arrays import Float32Array, Float64Array
from ..errors import InputError
from .recording import Recording
from .skeleton import Skeleton

Weights = dict[str, float]
"""Canonical name to weight; the weights of a rule sum to 1."""

_MIDDLE_RULES: dict[str, tuple[Weights, ...]] = {
    "pelvis": ({"left_hip": 0.5, "right_hip": 0.5},),
    "chest": ({"left_shoulder": 0.5, "right_shoulder": 0.5},),
    "spine": ({"pelvis": 0.5, "chest": 0.5},),
    "upper_spine": ({"spine": 0.5, "chest": 0.5},),
    # The neck joint sits about a third of the way from the shoulders' middle to the middle of the head.
    "neck": ({"chest": 2 / 3, "head": 1 / 3}, {"chest": 1.0}),
    "head": ({"left_ear": 0.5, "right_ear": 0.5}, {"left_eye": 0.5, "right_eye": 0.5}, {"nose": 1.0}),
    "nose": ({"left_eye": 0.5, "right_eye": 0.5}, {"head": 1.0}),
}
_SIDED_RULES: dict[str, tuple[Weights, ...]] = {
    "{side}_collar": ({"chest": 0.5, "{side}_shoulder": 0.5},),
    "{side}_wrist": ({"{side}_hand": 1.0},),
    "{side}_hand": ({"{side}_wrist": 0.5, "{side}_hand_tip": 0.5}, {"{side}_wrist": 1.0}),
    "{side}_hand_tip": ({"{side}_hand": 1.0},),
    "{side}_thumb": ({"{side}_hand": 1.0},),
    "{side}_ankle": ({"{side}_foot": 1.0},),
    "{side}_foot": ({"{side}_ankle": 1.0},),
    "{side}_eye": ({"nose": 1.0}, {"head": 1.0}),
    "{side}_ear": ({"head": 1.0},),
}


def _for_side(rules: dict[str, tuple[Weights, ...]], side: str) -> dict[str, tuple[Weights, ...]]:
    return {
        part.format(side=side): tuple(
            {name.format(side=side): weight for name, weight in rule.items()} for rule in alternatives
        )
        for part, alternatives in rules.items()
    }


RULES: dict[str, tuple[Weights, ...]] = (
    _MIDDLE_RULES | _for_side(_SIDED_RULES, "left") | _for_side(_SIDED_RULES, "right")
)
"""Substitutes for a body part that a skeleton lacks: alternatives in order, each a weighted mean of other parts.

The parts of a rule may be substitutes themselves, but never of the part that is sought. Hips, knees, shoulders and
elbows have no substitute."""


def joint_map(source: Skeleton, target: Skeleton) -> Float32Array:
    """Weights (J_target, J_source) such that ``weights @ positions`` are the target's joints; every row sums to 1.

    Joints with the same canonical name correspond; other canonical names come from the landmarks of the source, then
    from `RULES`. A target joint without a canonical name is the source joint of the same name. Equal joints with equal
    canonical names give the identity.

    Raises InputError, naming the target joint, where the source has no substitute for it.
    """
    count = source.num_joints
    if source.joints == target.joints and source.body_parts == target.body_parts:
        return np.eye(count, dtype=np.float32)
    known = _known_parts(source)
    rows: list[Float64Array] = []
    for joint, part in zip(target.joints, target.body_parts, strict=True):
        row = None
        if part is not None:
            row = _row(part, known, ())
        elif joint in source.joints:
            row = np.eye(count)[source.joints.index(joint)]
        if row is None:
            role = f"body part {part}" if part else "no body part"
            available = ", ".join(sorted(name for name in source.body_parts if name)) or "none"
            raise InputError(
                f"skeleton {source.name!r} cannot be mapped to {target.name!r}: nothing stands in for joint {joint!r} "
                f"({role}); the source has the parts {available}. Choose a target skeleton without that joint"
            )
        rows.append(row)
    return np.stack(rows).astype(np.float32)


def _known_parts(source: Skeleton) -> dict[str, Float64Array]:
    """Row (J_source,) of each part that the source has: its landmarks, or rather its joints of that name."""
    identity = np.eye(source.num_joints)
    landmarks = {
        "pelvis": source.root,
        "spine": source.spine,
        "left_shoulder": source.left_shoulder,
        "right_shoulder": source.right_shoulder,
        "left_hip": source.left_hip,
        "right_hip": source.right_hip,
    }
    known = {part: identity[list(joints)].mean(axis=0) for part, joints in landmarks.items()}
    known.update({part: identity[joint] for joint, part in enumerate(source.body_parts) if part is not None})
    return known


def _row(part: str, known: dict[str, Float64Array], seeking: tuple[str, ...]) -> Float64Array | None:
    """Row (J_source,) of a part, by the first rule whose parts all exist without those in `seeking`; else None."""
    if part in known:
        return known[part]
    if part in seeking:
        return None
    for rule in RULES.get(part, ()):
        rows = [(weight, _row(name, known, (*seeking, part))) for name, weight in rule.items()]
        if all(row is not None for _, row in rows):
            mean: Float64Array = np.sum([weight * row for weight, row in rows if row is not None], axis=0)
            return mean
    return None


def map_recording(recording: Recording, target: Skeleton) -> Recording:
    """The recording on another skeleton, positions (T, P, J_target, 3), with a note in its history.

    The same recording where the skeletons are equal. Raises InputError as `joint_map` does, naming the recording.
    """
    if recording.skeleton == target:
        return recording
    try:
        weights = joint_map(recording.skeleton, target)
    except InputError as error:
        raise InputError(f"recording {recording.name!r}: {error}") from None
    positions = np.einsum("ij,tpjc->tpic", weights, recording.positions, optimize=True)
    note = f"mapped from skeleton {recording.skeleton.name} to {target.name}"
    return recording.with_changes(note, positions=positions, skeleton=target)
