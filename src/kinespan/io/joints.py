"""What the joints of a motion file are: by --joints, by the fields of an archive, by their names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ..data.joint_file import read_joint_file
from ..data.joint_names import skeleton_from_canonical, skeleton_from_names
from ..data.skeleton import LANDMARKS, Skeleton
from ..errors import InputError, unknown
from .archive import Archive
from .base import DECIDED, FileMotion


def with_joint_file(motion: FileMotion, path: Path) -> FileMotion:
    """The motion with its joints as a file for --joints describes them, and a note of it in its history.

    Raises InputError as `JointFile.apply` does.
    """
    file = read_joint_file(path)
    skeleton, kept = file.apply(motion.skeleton)
    indices, count = list(kept), motion.skeleton.num_joints
    note = f"{DECIDED}joints by {path.name}: {sum(part is not None for part in file.joints.values())} named"
    if len(kept) < count:
        note += f", {count - len(kept)} of {count} left out"
    valid = motion.valid
    return replace(
        motion,
        positions=motion.positions[:, :, indices],
        skeleton=skeleton,
        rest=None if motion.rest is None else motion.rest[indices],
        valid=valid if valid is None or valid.ndim == 2 else valid[:, :, indices],
        history=(*motion.history, note),
    )


def archive_skeleton(archive: Archive, parents: list[int]) -> Skeleton:
    """The Skeleton of an archive with ``joints``: by ``canonical`` where it has that, else by their names.

    ``landmarks`` is JSON, a list of joint names by landmark. Raises InputError, naming the field.
    """
    joints = archive.names("joints")
    name = f"npz{len(joints)}"
    if "canonical" in archive:
        try:
            skeleton = skeleton_from_canonical(name, joints, parents, archive.names("canonical"))
        except InputError as error:
            raise InputError(f"field 'canonical': {error}") from None
    else:
        skeleton = skeleton_from_names(name, joints, parents)
    landmarks: dict[str, Any] = {}
    for landmark, names in archive.json("landmarks", {}).items():
        if landmark not in LANDMARKS:
            raise InputError(f"field 'landmarks': {unknown('landmark', landmark, LANDMARKS)}")
        if not isinstance(names, list) or any(joint not in joints for joint in names):
            raise InputError(f"field 'landmarks': {landmark} is {names!r}, expected a list of names in 'joints'")
        landmarks[landmark] = tuple(joints.index(joint) for joint in names)
    return replace(skeleton, **landmarks)
