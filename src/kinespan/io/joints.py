"""What --joints says of the joints of a motion file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ..data.joint_file import read_joint_file
from .base import FileMotion


def with_joint_file(motion: FileMotion, path: Path) -> FileMotion:
    """The motion with its joints as a file for --joints describes them, and a note of it in its history.

    Raises InputError as `JointFile.apply` does.
    """
    file = read_joint_file(path)
    skeleton, kept = file.apply(motion.skeleton)
    indices = list(kept)
    valid = motion.valid
    note = f"joints by {path.name}: {sum(part is not None for part in file.joints.values())} named"
    if len(kept) < motion.skeleton.num_joints:
        note += f", {motion.skeleton.num_joints - len(kept)} of {motion.skeleton.num_joints} left out"
    return replace(
        motion,
        positions=motion.positions[:, :, indices],
        skeleton=skeleton,
        valid=valid if valid is None or valid.ndim == 2 else valid[:, :, indices],
        history=(*motion.history, note),
    )
