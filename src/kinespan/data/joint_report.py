"""What was understood of a skeleton's joint names, in plain lines."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from ..errors import InputError
from .joint_conventions import ANIMAL_WORDS
from .joint_limbs import has_limbs_of_a_person
from .joint_map import has_fingers, headless, joint_map, missing_parts, shortened
from .joint_names import read_names
from .joint_proposals import as_yaml, propose_parts, unknown_joints
from .skeleton import Skeleton
from .skeletons import NTU_25

_LIMB_PARTS = ("shoulder", "elbow", "hip", "knee")


def joint_line(skeleton: Skeleton) -> str:
    """How many joints are which parts of a body, and which are none, in one line."""
    parts = [part for part in skeleton.body_parts if part]
    if not parts:
        return f"none of {skeleton.num_joints} is a known part of a body: {shortened(skeleton.joints, 6)}"
    unknown = unknown_joints(skeleton)
    if missing_parts(skeleton, NTU_25):
        kind = f"parts of a body ({shortened(parts, 6)})"
    else:
        kind = "parts of a whole person" + (" with fingers" if has_fingers(skeleton) else "")
        kind += " without a head" if headless(skeleton) else ""
    rest = f"; not understood: {shortened(unknown, 6)}" if unknown else ""
    return f"{len(parts)} of {skeleton.num_joints} are {kind}{rest}"


@lru_cache(maxsize=64)
def joint_notes(skeleton: Skeleton) -> tuple[str, ...]:
    """What a reader must say of a skeleton: markers, and a person of whom needed parts were not understood.

    Nothing where the parts of a whole person were understood, and of a hand, an animal or a robot without arms and
    legs.
    """
    names = read_names(skeleton.joints)
    if names.is_marker_set:
        centres = [part for part in skeleton.body_parts if part]
        understood = (
            f"only its joint centres are parts of a body: {shortened(centres)}" if centres else "none is a joint"
        )
        return (f"the joints are markers on the skin; {understood}",)
    if any(animal in word for word in names.words for animal in ANIMAL_WORDS):
        return ()
    missing = missing_parts(skeleton, NTU_25)
    proposal = propose_parts(skeleton, (*missing, *headless(skeleton)))
    has_limbs = any(part.endswith(_LIMB_PARTS) for part in skeleton.body_parts if part)
    if not (missing or proposal) or not (has_limbs or has_limbs_of_a_person(skeleton)):
        return ()
    note = f"not a whole person as its joints are called: no {', '.join(missing or ('head',))}"
    unknown = unknown_joints(skeleton)
    if unknown:
        note += f"; not understood: {shortened(unknown)}"
    if proposal:
        note += f"; if they are parts of a person, write to a file for --joints: {as_yaml(skeleton, proposal)}"
    return (note,)


def check_common_skeleton(skeletons: Mapping[str, Skeleton]) -> None:
    """Check that one network can be trained on recordings, given their skeletons by name.

    It can where they share a skeleton, and where each of them maps to ntu25. Raises InputError, naming the recordings
    that do not, what is missing and which joints could be it.
    """
    names: dict[Skeleton, list[str]] = {}
    for name, skeleton in skeletons.items():
        names.setdefault(skeleton, []).append(name)
    unfit = [skeleton for skeleton in names if missing_parts(skeleton, NTU_25)]
    if len(names) == 1 or not unfit:
        return
    recordings = shortened([name for skeleton in unfit for name in names[skeleton]], 4)
    try:
        joint_map(unfit[0], NTU_25)
    except InputError as error:
        raise InputError(
            f"recordings of {len(names)} skeletons have no skeleton in common: make another corpus of {recordings}, or "
            f"say what the joints are; {error}"
        ) from None
