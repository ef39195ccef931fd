"""From one skeleton to another: a linear map by canonical joint names, with rules for missing joints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..arrays import BoolArray, Float32Array, Float64Array
from ..errors import InputError
from .joint_conventions import NEEDED_PARTS
from .joint_names import read_names
from .joint_proposals import as_yaml, propose_parts, unknown_joints
from .recording import Recording
from .skeleton import LANDMARKS, Skeleton
from .skeletons import NTU_25

Weights = dict[str, float]
"""Canonical name to weight; the weights of a rule sum to 1."""
_JOINTS_BELOW_WRIST = 3
"""Hand, its tip and the thumb."""

_MIDDLE_RULES: dict[str, tuple[Weights, ...]] = {
    "pelvis": ({"left_hip": 0.5, "right_hip": 0.5},),
    "chest": ({"left_shoulder": 0.5, "right_shoulder": 0.5},),
    "spine": ({"pelvis": 0.5, "chest": 0.5},),
    "upper_spine": ({"spine": 0.5, "chest": 0.5},),
    # The neck joint sits about a third of the way from the shoulders' middle to the middle of the head.
    "neck": ({"chest": 2 / 3, "head": 1 / 3}, {"chest": 1.0}),
    "head": ({"left_ear": 0.5, "right_ear": 0.5}, {"left_eye": 0.5, "right_eye": 0.5}, {"nose": 1.0},
             {"neck": 1.0}),
    "nose": ({"left_eye": 0.5, "right_eye": 0.5}, {"head": 1.0}),
}  # fmt: skip


def _sided_rules(side: str) -> dict[str, tuple[Weights, ...]]:
    shoulder, wrist, hand, hand_tip, ankle, foot = (
        f"{side}_{part}" for part in ("shoulder", "wrist", "hand", "hand_tip", "ankle", "foot")
    )
    return {
        f"{side}_collar": ({"chest": 0.5, shoulder: 0.5},),
        wrist: ({hand: 1.0},),
        hand: ({wrist: 0.5, hand_tip: 0.5}, {wrist: 1.0}),
        hand_tip: ({hand: 1.0},),
        f"{side}_thumb": ({hand: 1.0},),
        ankle: ({foot: 1.0},),
        foot: ({ankle: 1.0},),
        f"{side}_eye": ({"nose": 1.0}, {"head": 1.0}),
        f"{side}_ear": ({"head": 1.0},),
    }


RULES = _MIDDLE_RULES | _sided_rules("left") | _sided_rules("right")
"""Substitutes for a body part that a skeleton lacks: alternatives in order, each a weighted mean of other parts.

The parts of a rule may be substitutes themselves, but never of the part that is sought. Hips, knees, shoulders and
elbows have no substitute."""


def joint_map(source: Skeleton, target: Skeleton) -> Float32Array:
    """Weights (J_target, J_source) such that ``weights @ positions`` are the target's joints; every row sums to 1.

    Joints with the same canonical name correspond; other canonical names come from the landmarks of the source, then
    from `RULES`. A target joint without a canonical name is the source joint of the same name. Equal joints with equal
    canonical names give the identity.

    Raises InputError where the source has no substitute for joints of the target, naming all the parts of the body
    that are missing, the joints of the source that were not understood, and which of them could be those parts.
    """
    count = source.num_joints
    if source.joints == target.joints and source.body_parts == target.body_parts:
        return np.eye(count, dtype=np.float32)
    rows = [row for row in _rows(source, target) if row is not None]
    if len(rows) < target.num_joints:
        raise InputError(
            f"skeleton {source.name!r} cannot be mapped to {target.name!r}: {target.num_joints - len(rows)} of its "
            f"{target.num_joints} joints have nothing to stand in for them. {_what_to_do(source, target)}"
        )
    return np.stack(rows).astype(np.float32)


def missing_parts(source: Skeleton, target: Skeleton) -> tuple[str, ...]:
    """The fewest parts that the source lacks to be mapped to the target, most of them hips, knees, shoulders, elbows.

    With them every joint of the target has its own or a substitute. Joints of the target that are no part of a body
    are missing by their own names.
    """
    if source.joints == target.joints and source.body_parts == target.body_parts:
        return ()
    known = _known_parts(source)
    missing = []
    parts = [part for part in target.body_parts if part is not None]
    for part in (*(part for part in NEEDED_PARTS if part in parts), *parts):
        if _row(part, known, ()) is None:
            missing.append(part)
            known[part] = np.zeros(source.num_joints)
    others = [joint for joint, part in zip(target.joints, target.body_parts, strict=True) if part is None]
    return (*missing, *(joint for joint in others if joint not in source.joints))


def headless(skeleton: Skeleton) -> tuple[str, ...]:
    """("head",) of a skeleton without head, nose, eyes and ears, whose head is put at its neck; else ()."""
    has_head = any(part in ("head", "nose", "left_eye", "left_ear") for part in skeleton.body_parts)
    return () if has_head else ("head",)


def has_fingers(skeleton: Skeleton) -> bool:
    """Whether it is a person with fingers: it maps to ntu25 and has more below a wrist than hand, its tip and thumb."""
    wrists = [joint for joint, part in enumerate(skeleton.body_parts) if part in ("left_wrist", "right_wrist")]
    below: dict[int, int] = dict.fromkeys(wrists, 0)
    for joint in range(skeleton.num_joints):
        parent = skeleton.parents[joint]
        while parent >= 0 and parent not in below:
            parent = skeleton.parents[parent]
        if parent >= 0:
            below[parent] += 1
    return max(below.values(), default=0) > _JOINTS_BELOW_WRIST and not missing_parts(skeleton, NTU_25)


def _what_to_do(source: Skeleton, target: Skeleton) -> str:
    """The rest of the message for a skeleton that lacks parts: which, what was not understood, what to write."""
    missing = missing_parts(source, target)
    parts = [part for part in missing if part in target.body_parts]
    unknown = unknown_joints(source)
    words = f"The file has no {shortened(missing, 20)}"
    if parts and read_names(source.joints).is_marker_set:
        return f"{words}: its joints are markers on the skin, and only joint centres are parts of a body"
    if not parts or not unknown:
        return f"{words}; its joints are {shortened(source.joints)}"
    example = propose_parts(source, (*parts, *headless(source))) or {unknown[0]: parts[0]}
    return (
        f"{words}; not understood: {shortened(unknown)}. If they are parts of a person, write which to a YAML file, "
        f"given by --joints where the motion is read (prepare, localize), for example {as_yaml(source, example)}"
    )


def shortened(names: Sequence[str], most: int = 12) -> str:
    """Names in a list, of many the first."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _rows(source: Skeleton, target: Skeleton) -> list[Float64Array | None]:
    """The row (J_source,) of each joint of the target, None where the source has no substitute for it."""
    known, identity = _known_parts(source), np.eye(source.num_joints)
    index = {joint: number for number, joint in enumerate(source.joints)}
    return [
        _row(part, known, ()) if part is not None else identity[index[joint]] if joint in index else None
        for joint, part in zip(target.joints, target.body_parts, strict=True)
    ]


def _known_parts(source: Skeleton) -> dict[str, Float64Array]:
    """Row (J_source,) of each part that the source has: the joint of that name, else the landmark."""
    identity = np.eye(source.num_joints)
    known = {}
    for name in LANDMARKS[1:]:
        if joints := getattr(source, name):
            known[name] = identity[list(joints)].mean(axis=0)
    if source.left_hip and source.right_hip:  # the root of a body is its pelvis, that of a hand is not
        known["pelvis"] = identity[list(source.root)].mean(axis=0)
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


def recording_map(recording: Recording, target: Skeleton) -> Float32Array | None:
    """The `joint_map` of a recording to another skeleton; None where the skeletons are equal.

    Raises InputError as `joint_map` does, naming the recording.
    """
    if recording.skeleton == target:
        return None
    try:
        return joint_map(recording.skeleton, target)
    except InputError as error:
        raise InputError(f"recording {recording.name!r}: {error}") from None


def map_positions(positions: Float32Array, weights: Float32Array) -> Float32Array:
    """Positions (T, P, J, 3) on another skeleton, by weights (J', J): (T, P, J', 3)."""
    mapped: Float32Array = np.einsum("ij,tpjc->tpic", weights, positions, optimize=True)
    return mapped


def map_valid(valid: BoolArray, weights: Float32Array) -> BoolArray:
    """Which joints (T, P, J') of another skeleton were seen: those made of seen joints of valid (T, P, J) alone."""
    if valid.all():
        return np.broadcast_to(np.True_, (*valid.shape[:2], len(weights)))
    mapped = np.ones((*valid.shape[:2], len(weights)), dtype=bool)
    for joint, row in enumerate(weights):
        mapped[..., joint] = valid[..., np.flatnonzero(row)].all(axis=2)
    return mapped


def map_recording(recording: Recording, target: Skeleton) -> Recording:
    """The recording on another skeleton, with a note in its history; itself where the skeletons are equal.

    Raises InputError as `joint_map` does, naming the recording.
    """
    weights = recording_map(recording, target)
    if weights is None:
        return recording
    note = f"mapped from skeleton {recording.skeleton.name} to {target.name}"
    positions, valid = map_positions(recording.positions, weights), map_valid(recording.valid, weights)
    return recording.with_changes(note, positions=positions, valid=valid, skeleton=target)
