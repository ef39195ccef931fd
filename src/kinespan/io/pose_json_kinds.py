"""The layouts of pose JSON: where frames, people, points and names are in each."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..arrays import Float64Array
from ..errors import InputError
from .base import DECIDED
from .free_points import flat_error
from .joint_orders import H36M_17, OPENPOSE_18, OPENPOSE_25, PANOPTIC_19
from .options import Axis, UnitName

_KEYS_3D = (
    "keypoints_3d",
    "keypoints3d",
    "keypoints_3D",
    "joints_3d",
    "joints3d",
    "pose_3d",
    "keypoints_cam",
    "joint_cam",
)
_ID_KEYS = ("track_id", "instance_id", "person_id", "id")


@dataclass(frozen=True, eq=False)
class PoseBody:
    """A body in a frame."""

    points: Float64Array
    """(J, 3)"""
    confidence: Float64Array | None = None
    """(J,)"""
    person: str | None = None


@dataclass(frozen=True, eq=False)
class Frame:
    """The bodies of a frame, and its number, if it has one."""

    number: int | None
    bodies: tuple[PoseBody, ...]


@dataclass(frozen=True, eq=False)
class PoseFile:
    """What a document holds."""

    frames: tuple[Frame, ...]
    joints: tuple[str, ...] = ()
    """The names of the points, if they are known."""
    fps: float | None = None
    fps_from: str = "no times in the file"
    unit: UnitName | None = None
    up: Axis | None = None
    notes: tuple[str, ...] = ()


def read_document(path: Path, document: Any) -> PoseFile:
    """The frames of a document. Raises InputError, naming file and field, for another layout, and for 2-D keypoints."""
    if isinstance(document, dict):
        if "bodies" in document:
            return _panoptic(path, document)
        if "people" in document:
            return _openpose(path, document)
        if "instance_info" in document:
            return _mmpose(path, _list(path, document, "instance_info"), _named(document.get("meta_info")))
        if "annotations" in document:
            return _coco(path, document)
        if "instances" in document:
            return _mmpose(path, [document], ())
    if isinstance(document, list):
        if any(isinstance(entry, dict) and "image_id" in entry for entry in document):
            return _coco(path, {"annotations": document})
        if all(isinstance(entry, dict) and "instances" in entry for entry in document):
            return _mmpose(path, document, ())
        return _mmpose(path, [{"instances": document}], ())
    expected = "bodies (Panoptic), people (OpenPose), instances (MMPose) or annotations (COCO)"
    raise InputError(f"{path}: no field {expected}")


def _panoptic(path: Path, document: Mapping[str, Any]) -> PoseFile:
    bodies: list[PoseBody] = []
    joints: tuple[str, ...] = ()
    count = 0
    for number, entry in enumerate(_list(path, document, "bodies")):
        where = f"bodies[{number}]"
        key = next((name for name in _fields(path, entry, where) if re.fullmatch(r"joints\d+", name)), None)
        if key is None:
            raise InputError(f"{path}: {where} has no field joints19 or joints15")
        values = _numbers(path, entry[key], f"{where}.{key}")
        count = int(key.removeprefix("joints"))
        if len(values) != 4 * count:
            raise InputError(f"{path}: {where}.{key} has {len(values)} numbers, expected x, y, z, c of {count} joints")
        joints = PANOPTIC_19[:count] if count <= len(PANOPTIC_19) else ()
        rows = values.reshape(-1, 4)
        sure = np.where(rows[:, 3] < 0, -1.0, np.maximum(rows[:, 3], 1e-9))  # -1 is missing, 0 is hardly sure
        bodies.append(PoseBody(rows[:, :3], sure, _person(entry)))
    rate = re.search(r"_(\d+)(?:_(\d+))?$", str(document.get("fpsType", "")))
    fps = float(f"{rate.group(1)}.{rate.group(2) or 0}") if rate else None
    return PoseFile(
        (Frame(None, tuple(bodies)),),
        joints,
        fps if fps else None,
        "fpsType of the file",
        "cm",
        "-y",
        (f"{DECIDED}{count} joints in the order of Panoptic Studio, in its centimetres with y down",) if joints else (),
    )


def _openpose(path: Path, document: Mapping[str, Any]) -> PoseFile:
    bodies, flat = [], False
    for number, entry in enumerate(_list(path, document, "people")):
        where = f"people[{number}]"
        fields = _fields(path, entry, where)
        values = _numbers(path, fields.get("pose_keypoints_3d", []), f"{where}.pose_keypoints_3d")
        if not len(values):
            flat |= bool(fields.get("pose_keypoints_2d") or fields.get("pose_keypoints"))
            continue
        if len(values) % 4:
            raise InputError(
                f"{path}: {where}.pose_keypoints_3d has {len(values)} numbers, expected x, y, z, c of each joint"
            )
        rows = values.reshape(-1, 4)
        bodies.append(PoseBody(rows[:, :3], rows[:, 3], _person(fields)))
    if flat and not bodies:
        raise flat_error(path, "OpenPose's pose_keypoints_2d alone")
    count = len(bodies[0].points) if bodies else 0
    joints = {25: OPENPOSE_25, 18: OPENPOSE_18}.get(count, ())
    notes = (f"{DECIDED}{count} joints in the order of OpenPose",) if joints else ()
    return PoseFile((Frame(None, tuple(bodies)),), joints, notes=notes)


def _mmpose(path: Path, entries: Sequence[Any], joints: tuple[str, ...]) -> PoseFile:
    frames = []
    for index, entry in enumerate(entries):
        where = f"instance_info[{index}]"
        fields = _fields(path, entry, where)
        bodies = [
            _body(path, instance, f"{where}.instances[{number}]", joints, "keypoints")
            for number, instance in enumerate(_list(path, fields, "instances"))
        ]
        number = fields.get("frame_id")
        frames.append(Frame(number if isinstance(number, int) else None, tuple(bodies)))
    notes: tuple[str, ...] = ()
    count = next((len(body.points) for frame in frames for body in frame.bodies), 0)
    if not joints and count == len(H36M_17):
        joints, notes = H36M_17, (f"{DECIDED}17 joints in the order of Human3.6M, as pose lifters give them",)
    return PoseFile(tuple(frames), joints, notes=notes)


def _coco(path: Path, document: Mapping[str, Any]) -> PoseFile:
    categories = document.get("categories")
    named = [entry for entry in categories if isinstance(entry, dict) and entry.get("keypoints")] if isinstance(
        categories, list
    ) else []  # fmt: skip
    joints = (
        tuple(map(str, named[0]["keypoints"])) if len(named) == 1 and isinstance(named[0]["keypoints"], list) else ()
    )
    by_image: dict[Any, list[PoseBody]] = {}
    for image in document.get("images") or ():
        if isinstance(image, dict):
            by_image[_hashable(image.get("id"))] = []
    numbers = {
        _hashable(image.get("id")): image.get("frame_id", image.get("frame_index", image.get("id")))
        for image in document.get("images") or ()
        if isinstance(image, dict)
    }
    for index, entry in enumerate(_list(path, document, "annotations")):
        fields = _fields(path, entry, f"annotations[{index}]")
        if not any(key in fields for key in (*_KEYS_3D, "keypoints")):
            continue
        key = next((key for key in _KEYS_3D if key in fields), "keypoints")
        body = _body(path, {k: v for k, v in fields.items() if k != "id"}, f"annotations[{index}]", joints, key)
        by_image.setdefault(_hashable(fields.get("image_id")), []).append(body)
    if not any(by_image.values()):
        raise InputError(f"{path}: no annotation with keypoints_3d")
    frames = []
    for image, bodies in by_image.items():
        number = numbers.get(image, image)
        frames.append(Frame(number if isinstance(number, int) else None, tuple(bodies)))
    return PoseFile(tuple(frames), joints)


def _body(path: Path, entry: Any, where: str, joints: Sequence[str], key: str) -> PoseBody:
    """A body whose points are nested lists, or one list of three or four numbers a point."""
    fields = _fields(path, entry, where)
    key = next((name for name in _KEYS_3D if name in fields), key)
    if key not in fields:
        raise InputError(f"{path}: {where} has no field keypoints")
    raw = fields[key]
    nested = isinstance(raw, list) and len(raw) > 0 and isinstance(raw[0], list)
    if nested and len({len(point) for point in raw if isinstance(point, list)}) > 1:
        raise InputError(f"{path}: {where}.{key} has points of several lengths")
    values = _numbers(path, [n for point in raw for n in point] if nested else raw, f"{where}.{key}")
    width = len(raw[0]) if nested else _width(path, len(values), len(joints), f"{where}.{key}", key)
    if width == 2 or (not nested and key == "keypoints" and width == 3):
        raise flat_error(path, f"{where}.{key} holds x and y of the picture")
    if width not in (3, 4) or len(values) % width or not len(values):
        raise InputError(f"{path}: {where}.{key} has {len(values)} numbers, expected x, y, z of each point")
    rows = values.reshape(-1, width)
    confidence = rows[:, 3] if width == 4 else None
    for name in ("keypoint_scores", "keypoints_scores", "scores"):
        if isinstance(fields.get(name), list):
            scores = _numbers(path, fields[name], f"{where}.{name}")
            confidence = scores if len(scores) == len(rows) else confidence
    return PoseBody(rows[:, :3], confidence, _person(fields))


def _width(path: Path, numbers: int, joints: int, where: str, key: str) -> int:
    """Numbers a point of a list, by the number of names."""
    if joints and numbers % joints == 0:
        return numbers // joints
    return 4 if key != "keypoints" and numbers % 4 == 0 and numbers % 3 else 3


def _person(fields: Mapping[str, Any]) -> str | None:
    """Whose body it is; None where nothing says it."""
    for key in _ID_KEYS:
        value = fields.get(key)
        value = value[0] if isinstance(value, list) and value else value
        if isinstance(value, int | str) and not isinstance(value, bool) and str(value) not in ("-1", ""):
            return str(value)
    return None


def _named(meta: Any) -> tuple[str, ...]:
    """The names of points by MMPose's meta_info."""
    names = meta.get("keypoint_id2name") if isinstance(meta, dict) else None
    if not isinstance(names, dict):
        return ()
    try:
        return tuple(str(names[key]) for key in sorted(names, key=int))
    except ValueError:
        return ()


def _list(path: Path, document: Mapping[str, Any], field: str) -> list[Any]:
    value = document.get(field)
    if not isinstance(value, list):
        raise InputError(f"{path}: field {field} is {str(value)[:40]!r}, expected a list")
    return value


def _fields(path: Path, entry: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(entry, dict):
        raise InputError(f"{path}: {where} is {str(entry)[:40]!r}, expected an object")
    return entry


def _numbers(path: Path, values: Any, where: str) -> Float64Array:
    """Numbers (N,), NaN for null. Raises InputError for other things."""
    try:
        return np.array([np.nan if value is None else float(value) for value in values], dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{path}: {where} holds something that is no number") from None


def _hashable(value: Any) -> Any:
    return value if isinstance(value, int | str) else str(value)
