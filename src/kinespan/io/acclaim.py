"""Acclaim skeletons (ASF): bones with lengths, directions, their own axes and degrees of freedom."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..arrays import Float64Array
from ..data.skeleton import Skeleton
from ..data.skeletons import skeleton_from_names
from ..errors import InputError
from .base import floats, read_text
from .rotations import chained

ROOT = "root"
_ROOT_CHANNELS = {"tx", "ty", "tz", "rx", "ry", "rz"}


@dataclass
class Bone:
    """A bone, or the root: offset (3,) from its parent's end, axis frame (3, 3) and channels in order."""

    name: str
    offset: Float64Array = field(default_factory=lambda: np.zeros(3))
    axis: Float64Array = field(default_factory=lambda: np.eye(3))
    axis_order: str = "xyz"
    dof: tuple[str, ...] = ()
    parent: int = -1


@dataclass(frozen=True)
class Acclaim:
    """An ASF file: bones, root first and parents before children; metres per unit; whether angles are degrees."""

    bones: tuple[Bone, ...]
    unit: float
    degrees: bool

    def skeleton(self) -> Skeleton:
        """Joints at the root and at the far end of every bone, named like the bone."""
        names = [bone.name for bone in self.bones]
        return skeleton_from_names(f"asf{len(names)}", names, [bone.parent for bone in self.bones], bone_ends=True)

    def forward_kinematics(self, channels: dict[str, Float64Array], degrees: bool) -> Float64Array:
        """Positions (T, J, 3) in file units from channel values (T, len(dof)) of each bone by name.

        A bone rotates about its own axes: with C its axis frame and M its motion, its world rotation is the parent's
        times C M C^-1, and its end is its start plus length times direction under that rotation.
        """
        frames = len(channels[ROOT])
        positions = np.zeros((frames, len(self.bones), 3))
        world_rotations: list[Float64Array] = []
        for number, bone in enumerate(self.bones):
            rotation = self._rotation(bone, channels.get(bone.name), degrees)
            if number:
                parent_rotation = world_rotations[bone.parent]
                rotation = parent_rotation if rotation is None else parent_rotation @ rotation
                positions[:, number] = positions[:, bone.parent] + rotation @ bone.offset
            else:
                for column, name in enumerate(bone.dof):
                    if name[0] == "t":
                        positions[:, 0, "xyz".index(name[1])] = channels[ROOT][:, column]
                rotation = np.broadcast_to(np.eye(3), (frames, 3, 3)) if rotation is None else rotation
            world_rotations.append(rotation)
        return positions

    @staticmethod
    def _rotation(bone: Bone, values: Float64Array | None, degrees: bool) -> Float64Array | None:
        """C M C^-1 (T, 3, 3), None for a bone that rests; the first letter of the axis order rotates first."""
        rotation_channels = {name[1]: column for column, name in enumerate(bone.dof) if name[0] == "r"}
        if values is None or not rotation_channels:
            return None
        axes = "".join(axis for axis in reversed(bone.axis_order) if axis in rotation_channels)
        angles = values[:, [rotation_channels[axis] for axis in axes]]
        motion = chained(np.deg2rad(angles) if degrees else angles, axes)
        rotated: Float64Array = bone.axis @ motion @ bone.axis.T
        return rotated


def read_asf(path: Path) -> Acclaim:
    """The skeleton of an ASF file.

    Length unit: the file's numbers are inches times the ``length`` of its units section (0.45 in the CMU and HDM05
    files), so a unit is 0.0254 / length metres. Raises InputError naming file and line for a broken file.
    """
    lines = [(number, text.split()) for number, text in enumerate(read_text(path).split("\n"), start=1)]
    lines = [(number, words) for number, words in lines if words and not words[0].startswith("#")]
    sections = _sections(path, lines)
    for name in (":units", ":root", ":bonedata", ":hierarchy"):
        if name not in sections:
            raise InputError(f"{path}: section {name} is missing; the file is cut off or no ASF file")
    length, degrees = _units(path, sections[":units"])
    root = _root(path, sections[":root"], degrees)
    bones = {ROOT: root} | _bones(path, sections[":bonedata"], degrees)
    order = _hierarchy(path, sections[":hierarchy"], bones)
    return Acclaim(tuple(order), 0.0254 / length, degrees)


Lines = list[tuple[int, list[str]]]


def _sections(path: Path, lines: Lines) -> dict[str, Lines]:
    """Lines of each ``:section``, its own words after the name first."""
    sections: dict[str, Lines] = {}
    current: Lines | None = None
    for number, words in lines:
        if words[0].startswith(":"):
            current = sections.setdefault(words[0].lower(), [])
        elif current is None:
            raise InputError(f"{path}:{number}: found {' '.join(words)[:40]!r}, expected a line such as ':version'")
        else:
            current.append((number, words))
    return sections


def _numbers(path: Path, number: int, words: list[str], count: int) -> Float64Array:
    values = floats(words[1 : count + 1])
    if values is None or len(values) != count:
        raise InputError(f"{path}:{number}: {' '.join(words)[:60]!r}, expected {words[0]} and {count} numbers")
    return values


def _units(path: Path, lines: Lines) -> tuple[float, bool]:
    length, degrees = 1.0, True
    for number, words in lines:
        if words[0] == "length":
            length = float(_numbers(path, number, words, 1)[0])
            if length <= 0:
                raise InputError(f"{path}:{number}: length is {length}, expected a positive number")
        elif words[0] == "angle":
            degrees = not words[1:2] or words[1].lower().startswith("deg")
    return length, degrees


def _axis(path: Path, number: int, word: str) -> str:
    if sorted(word.lower()) != ["x", "y", "z"]:
        raise InputError(f"{path}:{number}: axis order is {word!r}, expected one such as XYZ")
    return word.lower()


def _frame(angles: Float64Array, order: str, degrees: bool) -> Float64Array:
    """The axis frame (3, 3) of a bone from angles (3,) in axis order."""
    angles = np.deg2rad(angles) if degrees else angles
    return chained(angles[::-1], order[::-1])


def _root(path: Path, lines: Lines, degrees: bool) -> Bone:
    root = Bone(ROOT)
    for number, words in lines:
        if words[0] == "order":
            root.dof = tuple(word.lower() for word in words[1:])
            if not set(root.dof) <= _ROOT_CHANNELS or len(set(root.dof)) != len(root.dof):
                raise InputError(
                    f"{path}:{number}: root order {' '.join(words[1:])[:40]!r}, expected TX TY TZ RX RY RZ"
                )
        elif words[0] == "axis":
            root.axis_order = _axis(path, number, words[1] if len(words) > 1 else "")
        elif words[0] in ("position", "orientation") and np.any(_numbers(path, number, words, 3)):
            raise InputError(f"{path}:{number}: root {words[0]} is not 0 0 0, which kinespan does not read")
    if not root.dof:
        raise InputError(f"{path}: section :root has no order")
    return root


def _bones(path: Path, lines: Lines, degrees: bool) -> dict[str, Bone]:
    bones: dict[str, Bone] = {}
    fields: dict[str, tuple[int, list[str]]] | None = None
    for number, words in lines:
        if words[0] == "begin":
            fields = {}
        elif words[0] == "end" and fields is not None:
            bone = _bone(path, number, fields, degrees)
            if bone.name in bones or bone.name == ROOT:
                raise InputError(f"{path}:{number}: two bones are named {bone.name!r}")
            bones[bone.name] = bone
            fields = None
        elif fields is not None:
            fields[words[0]] = (number, words)
        else:
            raise InputError(f"{path}:{number}: found {words[0]!r}, expected 'begin' of a bone")
    if fields is not None or not bones:
        raise InputError(f"{path}: section :bonedata has no bone or ends inside one")
    return bones


def _bone(path: Path, end: int, fields: dict[str, tuple[int, list[str]]], degrees: bool) -> Bone:
    for name in ("name", "direction", "length", "axis"):
        if name not in fields:
            raise InputError(f"{path}:{end}: the bone that ends here has no {name}")
    number, words = fields["name"]
    if len(words) < 2:
        raise InputError(f"{path}:{number}: a bone without a name")
    bone = Bone(words[1])
    length = _numbers(path, *fields["length"], 1)[0]
    direction = _numbers(path, *fields["direction"], 3)
    size = float(np.linalg.norm(direction))
    if size <= 0 or length < 0:
        raise InputError(f"{path}:{fields['direction'][0]}: bone {bone.name!r} has no direction or a negative length")
    bone.offset = direction / size * length
    number, words = fields["axis"]
    bone.axis_order = _axis(path, number, words[4] if len(words) > 4 else "xyz")
    bone.axis = _frame(_numbers(path, number, words, 3), bone.axis_order, degrees)
    if "dof" in fields:
        number, words = fields["dof"]
        bone.dof = tuple(word.lower() for word in words[1:])
        if not set(bone.dof) <= {"rx", "ry", "rz"} or len(set(bone.dof)) != len(bone.dof):
            raise InputError(
                f"{path}:{number}: dof {' '.join(words[1:])[:40]!r} of bone {bone.name!r}, expected rx ry rz"
            )
    return bone


def _hierarchy(path: Path, lines: Lines, bones: dict[str, Bone]) -> list[Bone]:
    """The bones, root first, parents before children, with `parent` filled in."""
    order = [bones[ROOT]]
    index = {ROOT: 0}
    for number, words in lines:
        if words[0] in ("begin", "end") and len(words) == 1:
            continue
        unknown = next((word for word in words if word not in bones), None)
        if unknown is not None:
            raise InputError(f"{path}:{number}: bone {unknown!r} is not in :bonedata")
        if words[0] not in index:
            raise InputError(f"{path}:{number}: bone {words[0]!r} has children before it has a parent")
        for child in words[1:]:
            if child in index:
                raise InputError(f"{path}:{number}: bone {child!r} has two parents")
            index[child] = len(order)
            bones[child].parent = index[words[0]]
            order.append(bones[child])
    orphans = sorted(bones.keys() - index.keys())
    if orphans:
        raise InputError(f"{path}: bones without a parent in :hierarchy: {', '.join(orphans)}; the file is cut off")
    return order
