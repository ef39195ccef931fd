"""Files for --joints: what the joints of a motion file are, where their names do not tell.

joints:                  # name in the file: body part, or nothing
  hip_L: left_hip
  Marker7:
parents:                 # name in the file: its parent, or nothing
  wrist: elbow
landmarks:               # root, spine, left_shoulder, right_shoulder, left_hip, right_hip: one name or several
  root: [hip_L, hip_R]
leave_out: [Marker8, "unlabeled*"]
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..config.parser import read_yaml
from ..errors import InputError, unknown
from .joint_conventions import CANONICAL_NAMES
from .joint_names import joined_parts, pairs_of
from .skeleton import LANDMARKS, Skeleton, body_skeleton
from .skeletons import SKELETONS

_FIELDS = ("joints", "parents", "landmarks", "leave_out")


@dataclass(frozen=True)
class JointFile:
    """What a file for --joints says; all joints by their names in the motion file."""

    path: Path
    joints: Mapping[str, str | None]
    """Joint to its body part, None for no part; other joints are what their names say."""
    parents: Mapping[str, str | None]
    """Joint to its parent, None for none; others keep theirs."""
    landmarks: Mapping[str, tuple[str, ...]]
    """Landmark to the joints that it is the mean of."""
    leave_out: tuple[str, ...]
    """Joints that are dropped; * stands for any letters."""

    def apply(self, skeleton: Skeleton) -> tuple[Skeleton, tuple[int, ...]]:
        """The skeleton as this file describes it, and the indices (J',) of the joints that it keeps.

        Children of a joint that is left out hang on the next one above; parts of a body without a parent hang on others
        as in a body. Raises InputError, naming this file and the field, for a joint that the skeleton does not have,
        with the nearest names, and for fields that contradict each other.
        """
        kept = self._kept(skeleton)
        parts = self._parts(skeleton, kept)
        joints = tuple(skeleton.joints[joint] for joint in kept)
        try:
            parents = self._parents(skeleton, kept, parts)
            named = body_skeleton(self._name(), joints, parents, parts, pairs_of(joints, parts))
        except InputError as error:
            raise (
                error if str(self.path) in str(error) else InputError(f"{self.path}: field parents: {error}")
            ) from None
        return Skeleton(**named.to_dict() | self._landmarks(skeleton, kept)), kept

    def _name(self) -> str:
        """The name of the skeleton: that of this file, unless it is a skeleton's that kinespan knows."""
        return f"{self.path.stem}-joints" if self.path.stem in SKELETONS else self.path.stem

    def _kept(self, skeleton: Skeleton) -> tuple[int, ...]:
        dropped: set[int] = set()
        for pattern in self.leave_out:
            if pattern in skeleton.joints or "*" not in pattern:
                dropped.add(self._index(skeleton, pattern, "leave_out"))
            else:
                dropped |= {joint for joint, name in enumerate(skeleton.joints) if fnmatchcase(name, pattern)}
        kept = tuple(joint for joint in range(skeleton.num_joints) if joint not in dropped)
        if not kept:
            raise InputError(f"{self.path}: field leave_out leaves none of the {skeleton.num_joints} joints")
        return kept

    def _parents(self, skeleton: Skeleton, kept: Sequence[int], parts: Sequence[str | None]) -> tuple[int, ...]:
        """The parents of the kept joints (J',)."""
        given = {
            self._index(skeleton, name, "parents"): -1 if parent is None else self._index(skeleton, parent, "parents")
            for name, parent in self.parents.items()
        }
        parents = dict(enumerate(skeleton.parents)) | given
        number = {joint: index for index, joint in enumerate(kept)}
        kept_parents = []
        for joint in kept:
            parent, passed = parents[joint], {joint}
            while parent >= 0 and parent not in number and parent not in passed:
                passed.add(parent)
                parent = parents[parent]
            kept_parents.append(number.get(parent, -1))
        joined = joined_parts(parts, kept_parents)
        return tuple(-1 if given.get(joint) == -1 else parent for joint, parent in zip(kept, joined, strict=True))

    def _parts(self, skeleton: Skeleton, kept: Sequence[int]) -> tuple[str | None, ...]:
        """Body parts of the kept joints; a part that this file gives to a joint is no other's."""
        given = {self._index(skeleton, name, "joints"): part for name, part in self.joints.items()}
        if dropped := [name for name in self.joints if self._index(skeleton, name, "joints") not in kept]:
            raise InputError(f"{self.path}: {dropped[0]!r} stands in joints and in leave_out")
        taken = {part for part in given.values() if part}
        own = (None if part in taken else part for part in skeleton.body_parts)
        parts = dict(enumerate(own)) | given
        return tuple(parts[joint] for joint in kept)

    def _landmarks(self, skeleton: Skeleton, kept: Sequence[int]) -> dict[str, tuple[int, ...]]:
        """The landmarks that this file gives, as indices of kept joints."""
        number = {joint: index for index, joint in enumerate(kept)}
        landmarks = {}
        for landmark, names in self.landmarks.items():
            indices = [self._index(skeleton, name, f"landmarks: {landmark}") for name in names]
            if missing := [name for name, index in zip(names, indices, strict=True) if index not in number]:
                raise InputError(f"{self.path}: field landmarks: {landmark}: {missing[0]!r} is left out")
            landmarks[landmark] = tuple(number[index] for index in indices)
        return landmarks

    def _index(self, skeleton: Skeleton, name: str, field: str) -> int:
        """The index of a joint by its name, or by its name without a subject's before a colon."""
        if name in skeleton.joints:
            return skeleton.joints.index(name)
        ends = [joint for joint, full in enumerate(skeleton.joints) if full.endswith((f":{name}", f"|{name}"))]
        if len(ends) == 1:
            return ends[0]
        nearest = difflib.get_close_matches(name, skeleton.joints, n=3) or skeleton.joints[:8]
        raise InputError(
            f"{self.path}: field {field}: the motion file has no joint {name!r}; the nearest are {', '.join(nearest)}"
        )


def read_joint_file(path: Path) -> JointFile:
    """The content of a file for --joints.

    Raises InputError, naming file and field, for a file that is not YAML and for anything but names where names belong.
    """
    content = read_yaml(path)
    for field in content:
        if field not in _FIELDS:
            raise InputError(f"{path}: {unknown('field', str(field), _FIELDS)}")
    if not any(content.values()):
        raise InputError(f"{path}: says nothing of any joint; expected {', '.join(_FIELDS)}")
    joints = {joint: part or None for joint, part in _names_by_name(path, "joints", content.get("joints")).items()}
    for joint, part in joints.items():
        if part is not None and part not in CANONICAL_NAMES:
            raise InputError(f"{path}: field joints: {joint}: {unknown('body part', part, CANONICAL_NAMES)}")
    if twice := [part for part in joints.values() if part and list(joints.values()).count(part) > 1]:
        both = ", ".join(joint for joint, part in joints.items() if part == twice[0])
        raise InputError(f"{path}: field joints: {both} are all {twice[0]}, expected one joint for each body part")
    landmarks = {}
    for landmark, names in _mapping(path, "landmarks", content.get("landmarks")).items():
        if landmark not in LANDMARKS:
            raise InputError(f"{path}: field landmarks: {unknown('landmark', landmark, LANDMARKS)}")
        landmarks[landmark] = _names(path, f"landmarks: {landmark}", names)
    return JointFile(
        path,
        joints,
        _names_by_name(path, "parents", content.get("parents")),
        landmarks,
        _names(path, "leave_out", content.get("leave_out") or []),
    )


def _mapping(path: Path, field: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict | None):
        raise InputError(f"{path}: field {field}: found {value!r}, expected NAME: NAME")
    return {_name(path, field, name): item for name, item in (value or {}).items()}


def _names_by_name(path: Path, field: str, value: Any) -> dict[str, str | None]:
    return {
        name: None if item is None else _name(path, f"{field}: {name}", item)
        for name, item in _mapping(path, field, value).items()
    }


def _names(path: Path, field: str, value: Any) -> tuple[str, ...]:
    """One name or a list of them."""
    names = tuple(_name(path, field, name) for name in (value if isinstance(value, list) else [value]))
    if len(set(names)) < len(names):
        raise InputError(f"{path}: field {field}: a joint stands twice in {', '.join(names)}")
    return names


def _name(path: Path, field: str, value: Any) -> str:
    """A name as text; YAML reads a name of digits as a number, and on and no as truth values."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise InputError(f"{path}: field {field}: found {value!r}, expected the name of a joint; put names in quotes")
    return str(value)
